"""The pytest plugin: options, marker, fixtures, header and failure section. pytest alone lives here.

Nothing but pytest is imported when the plugin loads, so that a run which does not use it pays nothing.
"""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
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
    from pytest_kroft.server import KroftServer
    from pytest_kroft.simulation import SimulationRunner

MARKER = "kroft"
MARKER_ARGUMENTS = ("rows", "policy", "seed", "clock")
LARGEST_SEED = 2**63 - 1
CACHED_SEED = "kroft/seed"

_BASE_SEED = pytest.StashKey[int]()
_SERVER = pytest.StashKey["KroftServer"]()
_FAILED = pytest.StashKey[bool]()

_OPTIONS = {
    "seed": (
        "N|random|last",
        "Base seed from which the seed of every test is derived: a whole number, 'random' (the default), or 'last' "
        "to use that of the run before. The header of each run prints it.",
    ),
    "dsn": (
        "URI",
        "Use the PostgreSQL server at this libpq URI. Every test gets a new database there; existing ones are not touched.",
    ),
    "server": (
        "auto|embedded|FIXTURE",
        "Where the server comes from: the embedded one of the extra 'embedded', a process fixture of "
        "pytest-postgresql or your own by its name, or 'auto' (the default) for the first of these that is there.",
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their ini twins."""
    group = parser.getgroup("kroft", "evolving PostgreSQL databases (pytest-kroft)")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--kroft-{name}", metavar=metavar, help=text)
        parser.addini(f"kroft_{name}", f"The same as --kroft-{name}. {text}", default="")
    keep = "Keep the database of a failed test and print how to reach it."
    group.addoption("--kroft-keep", action="store_true", default=None, help=keep)
    parser.addini("kroft_keep", f"The same as --kroft-keep. {keep}", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and settle the base seed."""
    config.addinivalue_line(
        "markers",
        "kroft(*tables, rows=0, policy=None, seed=None, clock='logical'): "
        "Give the test's kroft_db these tables, by their registered names or as definitions; without any, all that are "
        "registered. Each starts with so many rows. The policy, by name or as an EvolutionPolicy, says what may happen "
        "(the default is 'evolving'), the seed replaces the one derived for the test, and clock='server' stamps rows "
        "with the server's time.",
    )
    config.stash[_BASE_SEED] = _base_seed(config)


def _setting(config: pytest.Config, name: str) -> Any:
    value = config.getoption(f"kroft_{name}")
    return config.getini(f"kroft_{name}") if value is None else value


def _base_seed(config: pytest.Config) -> int:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return int(worker["kroft_seed"])
    said = str(_setting(config, "seed") or "random").strip().lower()
    cache = getattr(config, "cache", None)
    if said == "last":
        last = cache.get(CACHED_SEED, None) if cache is not None else None
        if last is None:
            raise pytest.UsageError(
                "--kroft-seed=last: no run before this one has left its seed in pytest's cache"
            )
        return int(last)
    seed = (
        secrets.randbits(31)
        if said == "random"
        else _checked_seed(said, "--kroft-seed", "'random' or 'last'")
    )
    if cache is not None:
        cache.set(CACHED_SEED, seed)
    return seed


def _checked_seed(seed: object, where: str, others: str = "") -> int:
    try:
        number = int(str(seed))
    except ValueError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number <= LARGEST_SEED:
        also = f", or {others}" if others else ""
        raise pytest.UsageError(
            f"{where} must be a whole number from 0 to {LARGEST_SEED}{also}, not {seed!r}"
        )
    return number


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a marker that names something unknown before any test runs."""
    for item in items:
        if item.get_closest_marker(MARKER):
            _definitions(_request(item), item.nodeid)


def _request(item: pytest.Item) -> Request:
    """What the test's closest marker asks for; raises UsageError for an argument that it does not take."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return Request()
    where = f"{item.nodeid}: @pytest.mark.kroft"
    unknown = [name for name in marker.kwargs if name not in MARKER_ARGUMENTS]
    if unknown:
        known = ", ".join(f"{name}=" for name in MARKER_ARGUMENTS)
        raise pytest.UsageError(
            f"{where} takes no argument {unknown[0]!r}; it takes names of tables and {known}"
        )
    request = Request(marker.args, **marker.kwargs)
    if isinstance(request.rows, bool) or not isinstance(request.rows, int) or request.rows < 0:
        raise pytest.UsageError(f"{where}: rows must be a whole number of 0 or more, not {request.rows!r}")
    if request.clock not in ("logical", "server"):
        raise pytest.UsageError(f"{where}: clock must be 'logical' or 'server', not {request.clock!r}")
    if request.seed is not None:
        _checked_seed(request.seed, f"{where}: seed")
    return request


def _definitions(request: Request, nodeid: str) -> tuple[Any, ...]:
    """The definitions that a request means; raises UsageError for unknown names and policies."""
    from pytest_kroft.errors import DefinitionError
    from pytest_kroft.model.columns import EnumDefinition, TableDefinition
    from pytest_kroft.model.registry import default_registry
    from pytest_kroft.planning.policy import as_policy

    for table in request.tables:
        if not isinstance(table, str | TableDefinition | EnumDefinition):
            raise pytest.UsageError(
                f"{nodeid}: @pytest.mark.kroft takes names of tables and definitions, not {table!r}"
            )
    try:
        as_policy(request.policy)
        return default_registry.resolve(*request.tables)
    except (DefinitionError, TypeError) as error:
        raise pytest.UsageError(f"{nodeid}: @pytest.mark.kroft: {error}") from None


def _test_id(item: pytest.Item) -> str:
    """The node id without the group that pytest-xdist appends to it under --dist=loadgroup."""
    group = item.get_closest_marker("xdist_group")
    return item.nodeid.rsplit("@", 1)[0] if group and hasattr(item.config, "workerinput") else item.nodeid


def _test_seed(item: pytest.Item) -> int:
    """The seed of a test: its marker's, or one derived from the base seed and the node id."""
    from pytest_kroft.model.choices import derive_seed

    given = _request(item).seed
    return derive_seed(item.config.stash[_BASE_SEED], _test_id(item)) if given is None else int(given)


# Fixtures


@pytest.fixture(scope="session")
def kroft_server(request: pytest.FixtureRequest) -> Iterator[KroftServer]:
    """The PostgreSQL server of this run, chosen by --kroft-dsn and --kroft-server.

    Its database(*tables) is a context manager that gives a KroftDB in a database of its own.
    """
    from pytest_kroft.errors import KroftError
    from pytest_kroft.postgres.server import find_server
    from pytest_kroft.server import KroftServer

    config = request.config
    try:
        found = find_server(
            dsn=_setting(config, "dsn") or None,
            source=_setting(config, "server") or "auto",
            request_fixture=request.getfixturevalue,
        )
    except KroftError as error:
        pytest.fail(f"kroft: {error}", pytrace=False)
    server = KroftServer(found, keep_failed=bool(_setting(config, "keep")))
    config.stash[_SERVER] = server
    yield server
    del config.stash[_SERVER]
    server.close()


@pytest.fixture
def kroft_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test, derived from the base seed and the test's name, or given by its marker."""
    return _test_seed(request.node)


@pytest.fixture
def kroft_db(request: pytest.FixtureRequest, kroft_server: KroftServer, kroft_seed: int) -> Iterator[KroftDB]:
    """The test's evolving PostgreSQL database, with the tables that its marker names.

    It knows at every moment what it should hold: expected(table), verify() and assert_same(table, rows).
    """
    from pytest_kroft.errors import KroftError

    item = request.node
    asked = _request(item)
    definitions = _definitions(asked, item.nodeid) if asked.tables or item.get_closest_marker(MARKER) else ()
    kroft_server.seed, kroft_server.test = kroft_seed, _test_id(item)
    lent = kroft_server.database(*definitions, rows=asked.rows, policy=asked.policy, clock=asked.clock)
    try:
        database = lent.__enter__()
    except KroftError as error:
        pytest.fail(f"kroft: {error}", pytrace=False)
    yield database
    if item.stash.get(_FAILED, False) and _setting(item.config, "keep"):
        kroft_server.keep(database)
    lent.__exit__(None, None, None)


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
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Restore the default registry after a test that changed it, and forget the test's databases."""
    before = _registry()
    snapshot = before.snapshot() if before else None
    try:
        return (yield)
    finally:
        after = _registry()
        if after is not None:
            after.restore(snapshot or type(after)())
        server = item.config.stash.get(_SERVER, None)
        if server is not None:
            server.opened.clear()


def _registry() -> Any:
    """The default registry if anything has imported it."""
    module = sys.modules.get("pytest_kroft.model.registry")
    return module.default_registry if module else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Tell the server which test runs, for databases that the test's own fixtures ask for."""
    server = item.config.stash.get(_SERVER, None)
    if server is not None:
        server.seed, server.test = _test_seed(item), _test_id(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add the section 'kroft' to the report of a test that failed with a database of ours."""
    report = yield
    server = item.config.stash.get(_SERVER, None)
    if server is None or not report.failed or call.when == "teardown":
        return report
    item.stash[_FAILED] = True
    for place, database in enumerate(server.opened, start=1):
        report.sections.append(("kroft", _section(item, server, database, place)))
    return report


def _section(item: pytest.Item, server: KroftServer, database: KroftDB, place: int) -> str:
    from pytest_kroft.report import Again, failure_section

    keep = bool(_setting(item.config, "keep"))
    name = blake2b(_test_id(item).encode(), digest_size=6).hexdigest() + (f"-{place}" if place > 1 else "")
    again = Again(
        command=_command(item),
        seed=_seed_words(item),
        reach=f"psql {shlex.quote(database.dsn)}" if keep else "",
        stop=server.how_to_stop() if keep else "",
    )
    return failure_section(database.history, _folder(item.config), name, again)


def _seed_words(item: pytest.Item) -> str:
    given = _request(item).seed
    if given is not None:
        return f"{given}, given by the marker"
    return f"--kroft-seed={item.config.stash[_BASE_SEED]} (this test's own: {_test_seed(item)})"


def _command(item: pytest.Item) -> str:
    given = _request(item).seed
    seed = "" if given is not None else f" --kroft-seed={item.config.stash[_BASE_SEED]}"
    return f'pytest "{_test_id(item)}"{seed}'


def _folder(config: pytest.Config) -> Path:
    """Where the histories of failed tests are saved: pytest's cache, or a folder beside the tests' own."""
    cache = getattr(config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir("kroft"))
    from tempfile import mkdtemp

    return Path(mkdtemp(prefix="kroft-histories-"))
