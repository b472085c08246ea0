"""The fixtures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from pytest_kroft.plugin.hazards import policy_under
from pytest_kroft.plugin.marker import MARKER, REFUSED, REPLAYED, Request, asked_of, definitions_of, test_seed
from pytest_kroft.plugin.options import setting

if TYPE_CHECKING:
    from pytest_kroft.database import KroftDB
    from pytest_kroft.model.history import History
    from pytest_kroft.model.timeline import Prompt
    from pytest_kroft.planning.batches import BatchGenerator
    from pytest_kroft.planning.evolution import EvolutionController
    from pytest_kroft.planning.mutations import MutationEngine
    from pytest_kroft.planning.schema import SchemaManager
    from pytest_kroft.server import KroftServer
    from pytest_kroft.simulation import SimulationRunner

MOST_TOLD = 5
"""Of so many tables without enough rows the reason is told."""

SERVER = pytest.StashKey["KroftServer"]()
OWN = pytest.StashKey["KroftDB"]()
"""The database of a test's kroft_db."""
TEMPORARY = pytest.StashKey[pytest.TempPathFactory]()


@contextmanager
def told_plainly() -> Iterator[None]:
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
    with told_plainly():
        found = find_server(
            dsn=setting(config, "dsn") or None,
            source=setting(config, "server") or "auto",
            request_fixture=partial(_of_session_scope, request),
        )
    load = setting(config, "load")
    server = KroftServer(found, keep_failed=setting(config, "keep"), load=load, root=config.rootpath)
    config.stash[SERVER], config.stash[TEMPORARY] = server, tmp_path_factory
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


@pytest.fixture
def kroft_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test, derived from the base seed and the test's name, or given by its marker."""
    with told_plainly():
        return test_seed(request.node)


@pytest.fixture
def kroft_hazard(request: pytest.FixtureRequest) -> str | None:
    """The hazard that the test runs under, "none" for the baseline; None where it is not run for each."""
    return getattr(request, "param", None)


@pytest.fixture
def kroft_db(
    request: pytest.FixtureRequest, kroft_server: KroftServer, kroft_seed: int, kroft_hazard: str | None
) -> Iterator[KroftDB]:
    """The test's evolving PostgreSQL database, with the tables that its marker names.

    It knows at every moment what it should hold: expected(table), verify() and assert_same(table, rows).
    """
    item = request.node
    with ExitStack() as opened:
        with told_plainly():
            if REFUSED in item.stash:
                raise pytest.UsageError(item.stash[REFUSED])
            asked, history = asked_of(item), item.stash.get(REPLAYED, None)
            # What is adopted takes the place of the tables that are registered.
            named = bool(asked.tables) or asked.patterns is None
            tables = definitions_of(item) if item.get_closest_marker(MARKER) and named else ()
            lent = kroft_server.database(
                *tables,
                seed=kroft_seed if history is None else history.seed,
                rows=asked.rows,
                policy=policy_under(kroft_hazard, asked.policy),
                clock=asked.clock,
                prompt=_prompt(history),
            )
            database = opened.enter_context(lent)
            _adopt(database, asked)
        item.stash[OWN] = database
        yield database


def _adopt(database: KroftDB, asked: Request) -> None:
    """Take over the tables that the marker names, with as many rows as it says."""
    if asked.patterns is not None:
        database.adopt(*asked.patterns)
        short = database.fill(asked.rows) if asked.rows else {}
        if short:
            told = "".join(f"\n  {name}: {why}" for name, why in islice(short.items(), MOST_TOLD))
            warnings.warn(
                pytest.PytestWarning(f"kroft: {len(short)} tables have fewer than {asked.rows} rows:{told}"),
                stacklevel=1,
            )


def _prompt(history: History | None) -> Prompt | None:
    if history is None:
        return None
    from pytest_kroft.replay import Recording

    return Recording(history)


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
