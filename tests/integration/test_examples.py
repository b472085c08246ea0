"""The examples of a search on one database: each begins as the set-up left it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import psycopg
import pytest

from pytest_kroft.database import Beginning, KroftDB
from pytest_kroft.errors import KroftError, NotApplicable
from pytest_kroft.model.choices import AskingChoices, SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.operations import Begin, CreateTable, Insert, Observed, Sync
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.replay import Recording
from pytest_kroft.server import KroftServer, start_server
from tests.definitions import Column

ITEMS = TableDefinition(
    "items",
    [
        Column("id", "int", primary_key=True, identity="always"),
        Column("name", "text"),
        Column("at", "timestamptz"),
    ],
    updated_at="at",
)
EXTRA = TableDefinition("extra", [Column("n", "int")])


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    with start_server(server.dsn()) as lending:
        yield lending


@pytest.fixture
def db(lender: KroftServer) -> Iterator[KroftDB]:
    with lender.database(ITEMS, seed=5, rows=3, policy="everything") as lent:
        yield lent


class Examples:
    """Begins examples as a search does; the first one is begun."""

    def __init__(self, lender: KroftServer, db: KroftDB) -> None:
        self.lender, self.db = lender, db
        self.begun: Beginning = db.begun()
        self.spare = lender.sessions(db)
        self.rows, self.counters = db.expected(), dict(db.mutations.counters)
        self.operations, self.calls = [*db.history], len(db.history.calls)
        self.state = db.state
        self.begin()

    def begin(self, seed: int = 1, recording: Recording | None = None) -> bool:
        """Begin the next one; whether the database was emptied in place."""
        self.db.end_example()
        in_place = self.lender.empty(self.db, self.spare)
        self.db.rewind(self.begun, SeededChoices(seed), recording, anew=not in_place)
        return in_place

    def check(self) -> None:
        """All is as the set-up left it, on the server too."""
        db = self.db
        assert db.verify()
        assert [*db.history] == self.operations
        assert len(db.history.calls) == self.calls
        assert (db.expected(), dict(db.mutations.counters)) == (self.rows, self.counters)
        assert db.state == self.state


@pytest.fixture
def examples(lender: KroftServer, db: KroftDB) -> Examples:
    return Examples(lender, db)


def alive(connection: psycopg.Connection[Any]) -> bool:
    try:
        return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


def names(db: KroftDB, query: str) -> list[str]:
    with psycopg.connect(db.dsn, autocommit=True) as connection:
        return [name for (name,) in connection.execute(query.encode())]


TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


def test_an_example_begins_as_the_set_up_left_it(db: KroftDB, examples: Examples) -> None:
    db.mutations.delete("items", 2)
    db.apply(CreateTable(EXTRA))
    db.run(batches=4, rows=8)
    db.connection.execute("CREATE TABLE by_the_test (n int)")
    assert examples.begin()
    examples.check()
    assert names(db, TABLES) == ["items"]


def test_values_that_the_server_computes_are_those_of_the_set_up(lender: KroftServer, db: KroftDB) -> None:
    db.schema.add_column("items", Column("token", "uuid", default="gen_random_uuid()"))
    assert isinstance(db.history[-1], Observed)
    tokens = {row["token"] for row in db.expected()}
    assert len(tokens) == 3
    Examples(lender, db).check()
    assert {row["token"] for row in db.expected()} == tokens


def test_whoever_holds_a_part_of_the_database_goes_on_with_it(db: KroftDB, examples: Examples) -> None:
    mutations, runner = db.mutations, db.runner
    mutations.insert("items", 5)
    examples.begin()
    assert mutations.insert("items", 2) == 2
    assert len(db.expected()) == 5
    runner.run(batches=2, rows=3)
    assert db.verify()
    assert mutations is db.mutations


def test_choices_answer_from_then_on(db: KroftDB, examples: Examples) -> None:
    def run(seed: int) -> list[Any]:
        examples.begin(seed)
        db.run(batches=3, rows=5)
        return [*db.history]

    first, other = run(1), run(2)
    assert first != other
    assert run(1) == first
    db.end_example()
    assert examples.lender.empty(db, examples.spare)
    db.rewind(examples.begun, AskingChoices(lambda low, high: low))
    assert len(db.history) == len(examples.operations)


def test_a_recording_takes_the_place_of_what_calls_plan(db: KroftDB, examples: Examples) -> None:
    db.run(batches=3, rows=5)
    recorded = db.history
    examples.begin(9, Recording(recorded, start=examples.calls))
    db.run(batches=3, rows=5)
    assert [*db.history] == [*recorded]
    assert db.verify()
    examples.begin(9)
    db.run(batches=3, rows=5)
    assert [*db.history] != [*recorded]


# What an example leaves behind


def test_connections_of_the_set_up_stay_and_those_of_an_example_are_closed(
    lender: KroftServer, db: KroftDB
) -> None:
    kept = db.connect()
    examples = Examples(lender, db)
    opened, test = db.connect(), db.connection
    foreign = psycopg.connect(db.dsn, autocommit=True)
    examples.begin()
    assert [alive(one) for one in (kept, opened, test, foreign)] == [True, False, False, False]
    assert opened.closed
    assert test.closed
    assert alive(db.connection)
    assert db.connection is not test
    foreign.close()


def test_the_tests_own_connection_stays_where_the_set_up_used_it(lender: KroftServer, db: KroftDB) -> None:
    test = db.connection
    examples = Examples(lender, db)
    examples.begin()
    assert db.connection is test
    assert alive(test)


def test_transactions_and_locks_of_an_example_end_with_it(db: KroftDB, examples: Examples) -> None:
    db.apply(Begin(1, START))
    db.apply(Insert("items", 4, 1, START, session=1))
    db.connection.execute("BEGIN")
    db.connection.execute("LOCK items IN ROW SHARE MODE")
    assert db.state.sessions
    assert examples.begin()
    examples.check()
    assert not db.state.sessions
    db.connection.execute("BEGIN")
    db.connection.execute("LOCK items")
    assert examples.begin()
    examples.check()
    db.apply(Begin(1, START))
    db.apply(Insert("items", 4, 1, START, session=1))
    assert db.verify()


def test_a_kept_connection_that_is_in_a_transaction_is_ended(lender: KroftServer, db: KroftDB) -> None:
    kept = db.connect()
    examples = Examples(lender, db)
    kept.execute("BEGIN")
    kept.execute("SELECT count(*) FROM items")
    examples.begin()
    examples.check()
    assert not alive(kept)


def test_prepared_transactions_and_what_is_in_other_schemas_goes(db: KroftDB, examples: Examples) -> None:
    db.connection.execute("CREATE SCHEMA other CREATE TABLE t (n int)")
    db.connection.execute("CREATE VIEW seen AS SELECT * FROM items")
    db.connection.execute("CREATE TYPE feeling AS ENUM ('a')")
    db.connection.execute("CREATE PUBLICATION told FOR TABLE items")
    assert examples.begin()
    examples.check()
    assert names(db, "SELECT pubname FROM pg_publication") == []
    assert names(db, "SELECT nspname FROM pg_namespace WHERE nspname = 'other'") == []


def test_a_replication_slot_goes(db: KroftDB, examples: Examples) -> None:
    slot = f"left_{db.connection.info.dbname}"
    db.connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
    assert examples.begin()
    examples.check()
    assert (
        names(db, "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()")
        == []
    )


def test_a_folder_is_an_examples_own(db: KroftDB, examples: Examples) -> None:
    first = db.tmp_path
    assert db.tmp_path is first
    (first / "copy.db").write_text("a")
    (first / "below").mkdir()
    examples.begin()
    assert not first.exists()
    second = db.tmp_path
    assert second != first
    assert list(second.iterdir()) == []
    db.close()
    assert not second.exists()


TERMINATE = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_krofts_own_sessions_that_an_example_ended_are_opened_anew(db: KroftDB, examples: Examples) -> None:
    for _ in range(2):
        db.apply(Begin(1, START))
        db.apply(Insert("items", 4, 1, START, session=1))
        db.connection.execute(TERMINATE)
        examples.begin()
        examples.check()
    db.connection.execute(TERMINATE)
    with pytest.raises(KroftError):
        db.mutations.insert("items", 1)
    examples.begin()
    examples.check()


class Unremovable:
    """A folder that cannot be removed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        raise OSError("the folder is in use")


def test_a_folder_that_cannot_be_removed_leaves_nothing_open(db: KroftDB, examples: Examples) -> None:
    opened = db.connection
    db.apply(Begin(1, START))
    db._folders.enter_context(Unremovable())
    with pytest.raises(OSError, match="in use"):
        db.end_example()
    assert opened.closed
    examples.begin()
    examples.check()
    own, test = db._own, db.connection
    db._folders.enter_context(Unremovable())
    with pytest.raises(OSError, match="in use"):
        db.close()
    assert own.closed
    assert test.closed


def test_a_call_of_an_earlier_example_does_nothing_to_the_next(db: KroftDB, examples: Examples) -> None:
    resumed, left = db.stream(batches=9), db.stream(batches=9)
    next(resumed)
    next(left)
    examples.begin()
    planned = db.perform("insert", lambda: [Sync(), Insert("items", 4, 1, START)])
    next(planned)
    with pytest.raises(KroftError, match="this example is over"):
        next(resumed)
    left.close()  # type: ignore[attr-defined]
    assert len(list(planned)) == 1
    assert [*db.history] == [*examples.operations, Sync(), Insert("items", 4, 1, START)]
    assert db.verify()


# A database that has to be made anew


def test_a_database_that_cannot_be_emptied_is_made_anew(lender: KroftServer, db: KroftDB) -> None:
    kept = db.connect()
    examples, pids = Examples(lender, db), db.pids
    name = db.connection.info.dbname
    db.connection.execute(f"ALTER DATABASE \"{name}\" SET statement_timeout = '9s'".encode())
    db.apply(Begin(1, START))
    assert not examples.begin()
    examples.check()
    assert not alive(kept)
    assert not set(pids) & set(db.pids)
    assert names(db, "SHOW statement_timeout") == ["0"]
    db.run(batches=2, rows=4)
    db.apply(Sync())
    assert db.verify()
    assert examples.begin()
    examples.check()


# Who may be emptied, and who is connected


def test_all_sessions_on_a_database_are_told(lender: KroftServer, db: KroftDB) -> None:
    assert lender.sessions(db) == db.pids
    with psycopg.connect(db.dsn) as foreign:
        told = lender.sessions(db)
        assert sorted(told) == sorted([*db.pids, foreign.info.backend_pid])
        db.apply(Begin(1, START))
        assert len(lender.sessions(db)) == len(told) + 1


def test_idle_sessions_that_are_named_stay(lender: KroftServer, db: KroftDB) -> None:
    with (
        psycopg.connect(db.dsn, autocommit=True) as idle,
        psycopg.connect(db.dsn, autocommit=True) as busy,
        psycopg.connect(db.dsn, autocommit=True) as unnamed,
    ):
        busy.execute("BEGIN")
        db.end_example()
        assert lender.empty(db, [idle.info.backend_pid, busy.info.backend_pid])
        assert [alive(one) for one in (idle, busy, unnamed)] == [True, False, False]
    assert names(db, TABLES) == []


def test_a_database_that_is_not_in_use_is_left_alone(lender: KroftServer, db: KroftDB) -> None:
    with lender.database(EXTRA) as gone:
        pass
    with KroftDB(db.dsn) as of_nobody:
        for call in (lender.empty, lender.sessions):
            for one in (gone, of_nobody):
                with pytest.raises(KroftError, match="not in use, so it is left alone"):
                    call(one)
    assert names(db, TABLES) == ["items"]


def test_a_call_that_was_refused_in_an_example_is_no_part_of_the_next(
    db: KroftDB, examples: Examples
) -> None:
    with pytest.raises(NotApplicable):
        db.mutations.insert("items", -1)
    examples.begin()
    examples.check()
