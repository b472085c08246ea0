"""Around each test: its name for the server, and the section of its report if it fails."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_kroft.plugin.fixtures import RUNNING, SERVER, TEMPORARY, begin_test
from pytest_kroft.plugin.marker import asked_of, test_id, test_seed
from pytest_kroft.plugin.options import BASE_SEED

if TYPE_CHECKING:
    from pytest_kroft.report import Run
    from pytest_kroft.server import KroftServer

REPORTED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Note which test runs, for databases that its own fixtures ask for."""
    item.config.stash[RUNNING] = item
    item.stash[REPORTED] = False
    begin_test(item.config)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add the section 'kroft' to the report of a test that failed with a database of ours."""
    report = yield
    server = item.config.stash.get(SERVER, None)
    if server is None:
        return report
    if report.failed and not item.stash[REPORTED]:
        item.stash[REPORTED] = True
        report.sections.extend(_sections(item, server))
    if call.when == "teardown":
        server.end_test()
    return report


def _sections(item: pytest.Item, server: KroftServer) -> Iterator[tuple[str, str]]:
    """A section for each database that the failed test used; it is kept where that was asked for."""
    from pytest_kroft.report import failure_section

    run, used = _run(item), list(server.opened)
    folder, digest = _folder(item.config), blake2b(test_id(item).encode(), digest_size=6).hexdigest()
    for place, database in enumerate(used, start=1):
        kept = server.keep_failed and server.keep(database)
        reach = (database.dsn, server.how_to_stop()) if kept else ("", "")
        title = f"kroft: database {place} of {len(used)}" if len(used) > 1 else "kroft"
        path = folder / (f"{digest}-{place}" if place > 1 else digest)
        yield title, failure_section(database.history, path, run, *reach)


def _run(item: pytest.Item) -> Run:
    """How a test was run, from where, and with which options that running it again needs."""
    from pytest_kroft.report import Run

    options, started_in = item.config.option, item.config.invocation_params.dir
    _, separator, inside = test_id(item).partition("::")
    return Run(
        test=os.path.relpath(item.path, started_in) + separator + inside,
        started_in=started_in,
        base_seed=item.config.stash[BASE_SEED],
        own_seed=test_seed(item),
        by_marker=asked_of(item).seed is not None,
        server=options.kroft_server,
        dsn=options.kroft_dsn,
        others={"--config-file": options.inifilename, "--rootdir": options.rootdir},
    )


def _folder(config: pytest.Config) -> Path:
    """Where the histories of failed tests are saved: pytest's cache, or else its temporary files."""
    cache = getattr(config, "cache", None)
    try:
        return Path(cache.mkdir("kroft")) if cache else config.stash[TEMPORARY].mktemp("kroft")
    except OSError:
        # A checkout may be read-only.
        return config.stash[TEMPORARY].mktemp("kroft")
