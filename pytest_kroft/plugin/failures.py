"""The end of each test: the sections of its report if it fails."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kroft.plugin.asking import Owner, owner_of, seed_of
from pytest_kroft.plugin.fixtures import OWN, SERVER, TEMPORARY
from pytest_kroft.plugin.hazards import note_outcome
from pytest_kroft.plugin.marker import REPLAYED, REPORTED, asked_of, base_seed_of, test_id
from pytest_kroft.plugin.options import SEED_IS_GIVEN
from pytest_kroft.plugin.searching import SEARCH

if TYPE_CHECKING:
    from pytest_kroft.report import Run, Searched
    from pytest_kroft.server import KroftServer

LONGEST_IN_TABLE = 15
"""A longer history is not shown in the table of hazards."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add the section 'kroft' to the report of a test that failed with a database of ours."""
    report = yield
    server = item.config.stash.get(SERVER, None)
    if server is None:
        return report
    if report.failed and server.opened and not item.stash.get(REPORTED, False):
        item.stash[REPORTED] = True
        _tell(report, item, server, call.excinfo.value if call.excinfo else None)
    note_outcome(item, report, _steps(item) if report.failed else [], _met(item))
    if call.when == "teardown":
        _end_test(report, server)
    return report


# An error inside of the hook above would end the whole run, or the worker: it becomes a text in the report.


def _tell(
    report: pytest.TestReport, item: pytest.Item, server: KroftServer, error: BaseException | None
) -> None:
    """Add the sections to a report, up to the first that cannot be made."""
    try:
        for section in _sections(item, server, error):
            report.sections.append(section)
    except Exception as untold:  # noqa: BLE001  (a server that has gone, a wrong marker, a full disk)
        report.sections.append(("kroft", f"there is nothing to tell of the database: {untold}"))


def _end_test(report: pytest.TestReport, server: KroftServer) -> None:
    """Have the server forget the test's databases; a test that hinders this fails as it is torn down."""
    try:
        server.end_test()
    except Exception as error:  # noqa: BLE001  (a session that does not end, a server that has gone)
        text = f"kroft: {error}"
        if report.passed:
            report.outcome, report.longrepr = "failed", text
        else:
            report.sections.append(("kroft: giving the database back", text))


def _sections(
    item: pytest.Item, server: KroftServer, error: BaseException | None
) -> Iterator[tuple[str, str]]:
    """A section for each database that the failed test used; it is kept where that was asked for."""
    from pytest_kroft.report import failure_section

    owners = [(database, owner_of(item.config, database)) for database in server.opened]
    used = [(database, owner) for database, owner in owners if owner is None or _uses(item, owner)]
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        # Each example had one; the last is that of the failure.
        used = used[-1:]
    folder, digest = _folder(item.config), blake2b(test_id(item).encode(), digest_size=6).hexdigest()
    for place, (database, owner) in enumerate(used, start=1):
        kept = server.keep_failed and server.keep(database)
        reach = (database.dsn, server.how_to_stop()) if kept else ("", "")
        title = f"kroft: database {place} of {len(used)}" if len(used) > 1 else "kroft"
        # What is replayed may lie in this very folder, and a test that has changed breaks off earlier.
        replayed = "-replayed" if REPLAYED in item.stash else ""
        path = folder / (f"{digest}{replayed}-{place}" if place > 1 else f"{digest}{replayed}")
        own = database is item.stash.get(OWN, None)
        search = item.stash.get(SEARCH, None) if own else None
        history = search.smallest.history if search and search.smallest else database.history
        yield title, failure_section(
            history, path, _run(item, owner), *reach,
            searched=_searched(item) if own else None, failure=_message(error),
        )  # fmt: skip


def _searched(item: pytest.Item) -> Searched | None:
    """What the search of a test, or the replay of a history, knows of the history that failed."""
    from pytest_kroft.report import Searched

    search = item.stash.get(SEARCH, None)
    if search is None or search.found is None:
        return Searched("The replayed history") if REPLAYED in item.stash else None
    of = max(asked_of(item).max_examples, search.found.example)
    title = "The smallest history that fails" if search.is_smallest else "A history that fails"
    found = search.found
    return Searched(title, found.example, of, shrunk_from=len(found.history), begins=search.begins)


def _message(error: BaseException | None) -> str | None:
    if error is None:
        return None
    text = str(error).strip()
    speaks = isinstance(error, AssertionError) and text
    return text if speaks else f"{type(error).__name__}: {text}".removesuffix(": ")


def _met(item: pytest.Item) -> Collection[str]:
    """The hazards that the test has met, as far as it is known."""
    from pytest_kroft.model.diagnosis import hazard_names, hazards_in

    search, database = item.stash.get(SEARCH, None), item.stash.get(OWN, None)
    if search is not None:
        return search.met
    return hazard_names(hazards_in(database.history)) if database is not None else ()


def _steps(item: pytest.Item) -> list[str]:
    """The history that made a test fail, as the table of hazards shows it; empty where it is long."""
    from pytest_kroft.model.narration import narrate

    database = item.stash.get(OWN, None)
    if database is None or len(database.history) > LONGEST_IN_TABLE:
        return []
    return [line.strip() for line in narrate(database.history).lines(LONGEST_IN_TABLE, summed_up=True)]


def _uses(item: pytest.Item, owner: Owner) -> bool:
    """Whether a test has the fixture that opened a database, as far as its arguments tell."""
    return owner.test is item or owner.fixture in getattr(item, "fixturenames", ())


def _run(item: pytest.Item, owner: Owner | None) -> Run:
    """How a test was run, from where, and with which options that running it again needs.

    What a fixture of a wider scope opened, the tests before this one may have changed: they run again too.
    """
    from pytest_kroft.report import Run

    options, started_in = item.config.option, item.config.invocation_params.dir
    node = owner.node if owner else item
    _, separator, inside = (owner.node.nodeid if owner else test_id(item)).partition("::")
    return Run(
        test=os.path.relpath(node.path, started_in) + separator + inside if node.nodeid else "",
        started_in=started_in,
        base_seed=base_seed_of(item),
        own_seed=seed_of(node),
        by_marker=owner is None and asked_of(item).seed is not None,
        fixture=owner.fixture if owner else "",
        server=options.kroft_server,
        dsn=options.kroft_dsn,
        draws_anew=SEARCH in item.stash and not item.config.stash[SEED_IS_GIVEN],
        replayed=owner is None and REPLAYED in item.stash,
        others={"--config-file": options.inifilename, "--rootdir": options.rootdir or _rootdir(item, node)},
    )


def _rootdir(item: pytest.Item, node: pytest.Item | pytest.Collector) -> str:
    """The root that the pasted line has to name: without a configuration file it depends on what is run.

    The names of tests, and so their seeds, are relative to it.
    """
    root = item.config.rootpath
    if item.config.inipath is not None or (node.nodeid and node.path.parent == root):
        return ""
    return os.path.relpath(root, item.config.invocation_params.dir)


def _folder(config: pytest.Config) -> Path:
    """Where the histories of failed tests are saved: pytest's cache, or else its temporary files."""
    cache = getattr(config, "cache", None)
    try:
        return Path(cache.mkdir("kroft")) if cache else config.stash[TEMPORARY].mktemp("kroft")
    except OSError:
        # A checkout may be read-only.
        return config.stash[TEMPORARY].mktemp("kroft")
