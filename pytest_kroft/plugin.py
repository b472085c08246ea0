"""The pytest plugin: options, marker, fixtures, header and failure section. pytest alone lives here.

Nothing but pytest is imported when the plugin loads, so that a run which does not use it pays nothing.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_kroft.database import KroftDB
    from pytest_kroft.planning.batches import BatchGenerator
    from pytest_kroft.planning.evolution import EvolutionController
    from pytest_kroft.planning.mutations import MutationEngine
    from pytest_kroft.planning.schema import SchemaManager
    from pytest_kroft.report import Run
    from pytest_kroft.server import KroftServer
    from pytest_kroft.simulation import SimulationRunner

MARKER = "kroft"
MARKER_ARGUMENTS = ("rows", "policy", "seed", "clock")
LARGEST_SEED = 2**63 - 1
CACHED_SEED = "kroft/seed"

_BASE_SEED = pytest.StashKey[int]()
_SERVER = pytest.StashKey["KroftServer"]()
_RUNNING = pytest.StashKey[pytest.Item]()
_TEMPORARY = pytest.StashKey[pytest.TempPathFactory]()
_TEST_ID = pytest.StashKey[str]()
_REPORTED = pytest.StashKey[bool]()

_SEED_HELP = (
    "Base seed from which the seed of every test is derived: a whole number, 'random' (the default), or "
    "'last' to use that of the run before. The header of each run prints it."
)
_DSN_HELP = (
    "Use the PostgreSQL server at this libpq URI. Every test gets a new database there; existing ones are "
    "not touched."
)
_SERVER_HELP = (
    "Where the server comes from: the embedded one of the extra 'embedded', a process fixture of "
    "pytest-postgresql or your own by its name, or 'auto' (the default) for the first of these that is "
    "there."
)
_KEEP_HELP = "Keep the database of a failed test and print how to reach it."
_MARKER_HELP = (
    "kroft(*tables, rows=0, policy=None, seed=None, clock='logical'): Give the test's kroft_db these "
    "tables, by their registered names or as definitions; without any, all that are registered. Each starts "
    "with so many rows. The policy, by name or as an EvolutionPolicy, says what may happen (the default is "
    "'evolving'), the seed replaces the one derived for the test, and clock='server' stamps rows with the "
    "server's time."
)
_OPTIONS = {
    "seed": ("N|random|last", _SEED_HELP),
    "dsn": ("URI", _DSN_HELP),
    "server": ("auto|embedded|FIXTURE", _SERVER_HELP),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their ini twins."""
    group = parser.getgroup("kroft", "evolving PostgreSQL databases (pytest-kroft)")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--kroft-{name}", metavar=metavar, help=text)
        parser.addini(f"kroft_{name}", f"The same as --kroft-{name}. {text}", default="")
    group.addoption("--kroft-keep", action="store_true", default=None, help=_KEEP_HELP)
    parser.addini("kroft_keep", f"The same as --kroft-keep. {_KEEP_HELP}", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and settle the base seed."""
    config.addinivalue_line("markers", _MARKER_HELP)
    config.stash[_BASE_SEED] = _base_seed(config)


def _setting(config: pytest.Config, name: str) -> Any:
    value = config.getoption(f"kroft_{name}")
    return config.getini(f"kroft_{name}") if value is None else value


def _base_seed(config: pytest.Config) -> int:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return int(worker["kroft_seed"])
    said = str(_setting(config, "seed") or "random").strip().lower()
    if said == "random":
        return secrets.randbits(31)
    if said == "last":
        return _last_seed(config)
    number = int(said) if said.lstrip("-").isdecimal() else said
    return _checked_seed(number, "--kroft-seed", ", or 'random' or 'last'")


def _last_seed(config: pytest.Config) -> int:
    cache = getattr(config, "cache", None)
    last = cache.get(CACHED_SEED, None) if cache is not None else None
    if last is None:
        why = "no run before this one has left its seed there" if cache is not None else "it is turned off"
        raise pytest.UsageError(
            f"--kroft-seed=last reads pytest's cache, but {why}; name a whole number instead"
        )
    return _checked_seed(last, "the seed in pytest's cache")


def _checked_seed(seed: object, where: str, others: str = "") -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise pytest.UsageError(
            f"{where} must be a whole number from 0 to {LARGEST_SEED}{others}, not {seed!r}"
        )
    return seed


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the base seed for --kroft-seed=last, where tests are to be run and not only listed."""
    config = session.config
    cache = getattr(config, "cache", None)
    listed = ("collectonly", "showfixtures", "show_fixtures_per_test")
    if cache is not None and not any(config.getoption(name) for name in listed):
        cache.set(CACHED_SEED, config.stash[_BASE_SEED])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the base seed to a worker of pytest-xdist, so that all of them have the same."""
    node.workerinput["kroft_seed"] = node.config.stash[_BASE_SEED]


def pytest_report_header(config: pytest.Config) -> str:
    """Print the option that repeats this run."""
    return f"kroft: --kroft-seed={config.stash[_BASE_SEED]}"


# The marker


@dataclass(frozen=True)
class Request:
    """What a test's marker asks for."""

    tables: tuple[Any, ...] = ()
    rows: int = 0
    policy: Any = None
    seed: int | None = None
    clock: Any = "logical"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the name of each test, and refuse a marker that asks for something unknown."""
    for item in items:
        # Under --dist=loadgroup pytest-xdist appends the group to it, in this same hook.
        item.stash[_TEST_ID] = item.nodeid
    if hasattr(config, "workerinput"):
        # An error here would break the worker: there the test itself fails, with the same sentence.
        return
    for item in items:
        if item.get_closest_marker(MARKER):
            _definitions(item)


def _request(item: pytest.Item) -> Request:
    """What the test's closest marker asks for; raises UsageError for an argument that it does not take."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return Request()
    where = f"{_test_id(item)}: @pytest.mark.kroft"
    unknown = [name for name in marker.kwargs if name not in MARKER_ARGUMENTS]
    if unknown:
        known = ", ".join(f"{name}=" for name in MARKER_ARGUMENTS)
        raise pytest.UsageError(
            f"{where} takes no {unknown[0]!r}; it takes tables, by name or as definitions, and {known}"
        )
    request = Request(marker.args, **marker.kwargs)
    if isinstance(request.rows, bool) or not isinstance(request.rows, int) or request.rows < 0:
        raise pytest.UsageError(f"{where}: rows must be a whole number of 0 or more, not {request.rows!r}")
    if request.clock not in ("logical", "server"):
        raise pytest.UsageError(f"{where}: clock must be 'logical' or 'server', not {request.clock!r}")
    if request.seed is not None:
        _checked_seed(request.seed, f"{where}: seed")
    return request


def _definitions(item: pytest.Item) -> tuple[Any, ...]:
    """The definitions that a test's marker means; raises UsageError for unknown names and policies."""
    from pytest_kroft.errors import DefinitionError
    from pytest_kroft.model.columns import EnumDefinition, TableDefinition
    from pytest_kroft.model.registry import default_registry
    from pytest_kroft.planning.policy import as_policy

    request, where = _request(item), f"{_test_id(item)}: @pytest.mark.kroft"
    for table in request.tables:
        if not isinstance(table, str | TableDefinition | EnumDefinition):
            raise pytest.UsageError(f"{where} takes tables, by name or as definitions, not {table!r}")
    try:
        as_policy(request.policy)
        return default_registry.resolve(*request.tables)
    except DefinitionError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
    except TypeError:
        allowed = "the name of one, an EvolutionPolicy or a set of hazards"
        raise pytest.UsageError(f"{where}: policy must be {allowed}, not {request.policy!r}") from None


def _test_id(item: pytest.Item) -> str:
    """The node id without what pytest-xdist appends to it."""
    return item.stash.get(_TEST_ID, item.nodeid)


def _test_seed(item: pytest.Item) -> int:
    """The seed of a test: its marker's, or one derived from the base seed and the node id."""
    from pytest_kroft.model.choices import derive_seed

    given = _request(item).seed
    return derive_seed(item.config.stash[_BASE_SEED], _test_id(item)) if given is None else given


# Fixtures


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Turn an error whose sentence says everything into a failure without a traceback."""
    from pytest_kroft.errors import KroftError

    try:
        yield
    except (KroftError, pytest.UsageError) as error:
        raise pytest.fail.Exception(f"kroft: {error}", pytrace=False) from None


@pytest.fixture(scope="session")
def kroft_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KroftServer]:
    """The PostgreSQL server of this run, chosen by --kroft-dsn and --kroft-server.

    Its database(*tables) is a context manager that gives a KroftDB in a database of its own.
    """
    from pytest_kroft.postgres.server import find_server
    from pytest_kroft.server import KroftServer

    config = request.config
    with _told_plainly():
        found = find_server(
            dsn=_setting(config, "dsn") or None,
            source=_setting(config, "server") or "auto",
            request_fixture=partial(_of_session_scope, request),
        )
    server = KroftServer(found, keep_failed=_setting(config, "keep"))
    config.stash[_SERVER], config.stash[_TEMPORARY] = server, tmp_path_factory
    _begin_test(config)
    yield server
    server.close()


def _of_session_scope(request: pytest.FixtureRequest, name: str) -> object:
    try:
        return request.getfixturevalue(name)
    except pytest.fail.Exception as failure:
        if not str(failure).startswith("ScopeMismatch"):
            raise
        sentence = f"kroft: the fixture {name!r} ends before the run does; name one of session scope"
        raise pytest.fail.Exception(sentence, pytrace=False) from None


def _begin_test(config: pytest.Config) -> None:
    """Tell the server, where there is one, which test runs: its databases take that test's seed and name."""
    server, item = config.stash.get(_SERVER, None), config.stash[_RUNNING]
    if server is not None:
        with _told_plainly():
            server.seed, server.test = _test_seed(item), _test_id(item)


@pytest.fixture
def kroft_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test, derived from the base seed and the test's name, or given by its marker."""
    with _told_plainly():
        return _test_seed(request.node)


@pytest.fixture
def kroft_db(request: pytest.FixtureRequest, kroft_server: KroftServer, kroft_seed: int) -> Iterator[KroftDB]:
    """The test's evolving PostgreSQL database, with the tables that its marker names.

    It knows at every moment what it should hold: expected(table), verify() and assert_same(table, rows).
    """
    from contextlib import ExitStack

    item = request.node
    with ExitStack() as opened:
        with _told_plainly():
            asked = _request(item)
            tables = _definitions(item) if item.get_closest_marker(MARKER) else ()
            lent = kroft_server.database(
                *tables, seed=kroft_seed, rows=asked.rows, policy=asked.policy, clock=asked.clock
            )
            database = opened.enter_context(lent)
        yield database


@pytest.fixture
def kroft_schema(kroft_db: KroftDB) -> SchemaManager:
    """The schema manager of this test's kroft_db creates, changes and drops tables and columns."""
    return kroft_db.schema


@pytest.fixture
def kroft_batches(kroft_db: KroftDB) -> BatchGenerator:
    """The batch generator of this test's kroft_db makes rows that its tables accept."""
    return kroft_db.batches


@pytest.fixture
def kroft_mutations(kroft_db: KroftDB) -> MutationEngine:
    """The mutation engine of this test's kroft_db inserts, updates and deletes rows."""
    return kroft_db.mutations


@pytest.fixture
def kroft_evolution(kroft_db: KroftDB) -> EvolutionController:
    """The evolution controller of this test's kroft_db lets its schema change and keeps the audit log."""
    return kroft_db.evolution


@pytest.fixture
def kroft_runner(kroft_db: KroftDB) -> SimulationRunner:
    """The simulation runner of this test's kroft_db runs batches of mutations and evolution."""
    return kroft_db.runner


# Around each test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Restore the default registry after a test that changed it."""
    before = _registry()
    snapshot = before.snapshot() if before else None
    try:
        return (yield)
    finally:
        after = _registry()
        if after is not None:
            after.restore(snapshot or type(after)())


def _registry() -> Any:
    """The default registry if anything has imported it."""
    module = sys.modules.get("pytest_kroft.model.registry")
    return module.default_registry if module else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Note which test runs, for databases that its own fixtures ask for."""
    item.config.stash[_RUNNING] = item
    item.stash[_REPORTED] = False
    _begin_test(item.config)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add the section 'kroft' to the report of a test that failed with a database of ours."""
    report = yield
    server = item.config.stash.get(_SERVER, None)
    if server is None:
        return report
    if report.failed and not item.stash[_REPORTED]:
        item.stash[_REPORTED] = True
        report.sections.extend(_sections(item, server))
    if call.when == "teardown":
        server.end_test()
    return report


def _sections(item: pytest.Item, server: KroftServer) -> Iterator[tuple[str, str]]:
    """A section for each database that the failed test used; it is kept where that was asked for."""
    from pytest_kroft.report import failure_section

    run, used = _run(item), list(server.opened)
    folder, digest = _folder(item.config), blake2b(_test_id(item).encode(), digest_size=6).hexdigest()
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
    _, separator, inside = _test_id(item).partition("::")
    return Run(
        test=os.path.relpath(item.path, started_in) + separator + inside,
        started_in=started_in,
        base_seed=item.config.stash[_BASE_SEED],
        own_seed=_test_seed(item),
        by_marker=_request(item).seed is not None,
        server=options.kroft_server,
        dsn=options.kroft_dsn,
        others={"--config-file": options.inifilename, "--rootdir": options.rootdir},
    )


def _folder(config: pytest.Config) -> Path:
    """Where the histories of failed tests are saved: pytest's cache, or else its temporary files."""
    cache = getattr(config, "cache", None)
    try:
        return Path(cache.mkdir("kroft")) if cache else config.stash[_TEMPORARY].mktemp("kroft")
    except OSError:
        # A checkout may be read-only.
        return config.stash[_TEMPORARY].mktemp("kroft")
