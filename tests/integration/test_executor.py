"""Where the server refuses: the error says what and why, nothing is half done, and the next call works."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import ExecutionError, KroftError
from pytest_kroft.model.clock import START
from pytest_kroft.model.columns import ColumnDefinition, Identity
from pytest_kroft.model.operations import (
    AddColumn,
    Begin,
    Commit,
    CreateTable,
    Delete,
    Insert,
    Operation,
    Rollback,
    RollbackTo,
    Savepoint,
    Sync,
    Update,
)
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.timeline import Step, Timeline
from pytest_kroft.postgres import pipeline
from pytest_kroft.postgres.databases import Database, Databases
from pytest_kroft.postgres.executor import COPY_FROM, LONGEST, Executor
from tests.conftest import MakeDB

Column = ColumnDefinition

ITEMS = TableDefinition(
    "items",
    [
        Column("id", "serial", primary_key=True),
        Column("name", "text"),
        Column("n", "int"),
        Column("extra", "int", reserved=True),
        Column("born", "timestamptz", default="clock_timestamp()", reserved=True),
        Column("owner", "int", references="people", reserved=True),
    ],
)
PEOPLE = TableDefinition("people", [Column("id", "int", primary_key=True), Column("name", "text")])


def sequence(db: KroftDB) -> object:
    return db.connection.execute("SELECT last_value, is_called FROM items_id_seq").fetchone()


@contextmanager
def refused(db: KroftDB, *words: str) -> Iterator[pytest.ExceptionInfo[ExecutionError]]:
    """What runs inside is refused by the server, in these words, and leaves nothing behind."""
    state, done, counters = db.state, [*db.history], dict(db.mutations.counters)
    with pytest.raises(ExecutionError) as caught:
        yield caught
    for word in words:
        assert word in str(caught.value)
    assert db.state is state
    assert [*db.history] == done
    assert dict(db.mutations.counters) == counters


def refuse_rows(db: KroftDB, condition: str) -> None:
    """A rule of which kroft knows nothing, made by the test itself."""
    db.connection.execute(
        f"ALTER TABLE items ADD CONSTRAINT unknown_rule CHECK ({condition}) NOT VALID".encode()
    )


@pytest.mark.parametrize("count", [1, 7, COPY_FROM, COPY_FROM + 50])
def test_an_insert_that_a_constraint_refuses_inserts_no_row(make_db: MakeDB, count: int) -> None:
    db = make_db(ITEMS, rows=3)
    refuse_rows(db, f"id <> {3 + count}")
    before = sequence(db)
    with refused(db, "insert into items", "unknown_rule", "give the column a generator") as caught:
        db.mutations.insert(count=count)
    assert caught.value.sqlstate == "23514"
    assert db.verify()
    assert sequence(db) == before

    db.connection.execute("ALTER TABLE items DROP CONSTRAINT unknown_rule")
    assert db.mutations.insert(count=count) == count
    assert db.verify()


def test_an_update_that_a_constraint_refuses_changes_no_row(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=5)
    refuse_rows(db, "id <> 5 OR name <> 'forbidden'")
    with refused(db, "update items set name", "unknown_rule"):
        db.mutations.update(fraction=1, values={"name": "forbidden"})
    assert db.verify()
    assert db.mutations.update(keys=[1, 2], values={"name": "forbidden"}) == 2
    assert db.verify()


def test_a_deletion_that_the_server_refuses_deletes_no_row(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=5)
    db.connection.execute("CREATE TABLE mine (item int REFERENCES items); INSERT INTO mine VALUES (4)")
    with refused(db, "delete from items", "mine_item_fkey"):
        db.mutations.delete(fraction=1)
    assert db.verify()
    assert db.mutations.delete(keys=[1]) == 1
    assert db.verify()


def test_a_table_that_the_server_refuses_leaves_not_even_its_schema(make_db: MakeDB) -> None:
    db = make_db()
    broken = TableDefinition("t", [Column("a", "int")], schema="fresh", constraints=["CHECK (nothing > 1)"])
    with refused(db, "create table t (a)", 'column "nothing" does not exist'):
        db.schema.create_table(broken)
    assert db.connection.execute("SELECT FROM pg_namespace WHERE nspname = 'fresh'").fetchall() == []
    db.schema.create_table(TableDefinition("t", [Column("a", "int")], schema="fresh"))
    assert db.verify()


def test_a_type_that_is_there_already_is_named(make_db: MakeDB) -> None:
    db = make_db()
    db.connection.execute("CREATE TYPE mood AS ENUM ('x')")
    with refused(db, "create type mood", 'type "mood" already exists'):
        db.schema.create_type(EnumDefinition("mood", ["x"]))
    db.schema.create_type(EnumDefinition("moods", ["x"]))


def test_a_column_that_something_else_depends_on_stays(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=2)
    db.connection.execute("CREATE VIEW names AS SELECT name FROM items")
    with refused(db, "drop column name of items", "depend on it"):
        db.schema.drop_column("name")
    with refused(db, "change the type of column name of items", "view"):
        db.schema.alter_type("name", "varchar(200)")
    assert db.verify()
    db.schema.drop_column("n")
    assert db.verify()


def test_a_column_whose_cells_cannot_be_read_back_is_not_added(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=3)
    db.connection.execute("DELETE FROM items WHERE id = 2")
    with refused(db, "add column born", "no row 2 of 'items'", "adopt_rows()"):
        db.schema.add_column("born")
    assert (
        db.connection.execute(
            "SELECT FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'born'"
        ).fetchall()
        == []
    )
    db.adopt_rows()
    db.schema.add_column("born")
    assert db.verify()


@pytest.mark.parametrize(
    "own, call, expected, actual",
    [
        ("DELETE FROM items WHERE id = 2", "update", 3, 2),
        ("DELETE FROM items WHERE id IN (1, 3)", "delete", 3, 1),
    ],
)
def test_rows_that_something_else_deleted_are_noticed(
    make_db: MakeDB, own: str, call: str, expected: int, actual: int
) -> None:
    db = make_db(ITEMS, rows=3)
    db.connection.execute(own.encode())
    held = db.connection.execute("TABLE items").fetchall()
    words = f"the server changed {actual} rows, and {expected} were expected"
    with refused(db, f"{call} ", words, "adopt_rows() takes such rows over"):
        getattr(db.mutations, call)(fraction=1)
    assert db.connection.execute("TABLE items").fetchall() == held
    db.adopt_rows()
    assert getattr(db.mutations, call)(fraction=1) == actual
    assert db.verify()


@pytest.mark.parametrize("count", [2, COPY_FROM])
def test_a_trigger_that_swallows_rows_is_noticed(make_db: MakeDB, count: int) -> None:
    db = make_db(ITEMS)
    db.connection.execute(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    )
    db.connection.execute(
        "CREATE TRIGGER nothing BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION nothing()"
    )
    words = (
        f"the server changed 0 rows, and {count} were expected; a trigger, a rule or a policy of the table"
    )
    with refused(db, "insert into items", words) as caught:
        db.mutations.insert(count=count)
    assert "adopt_rows" not in str(caught.value)
    assert db.verify()


def test_a_table_without_a_key_notices_rows_of_others(make_db: MakeDB) -> None:
    db = make_db(TableDefinition("log", [Column("line", "text")]), rows=3)
    db.connection.execute("INSERT INTO log VALUES ('mine')")
    for call in (db.mutations.update, db.mutations.delete):
        with refused(db, "the server changed 4 rows, and 3 were expected"):
            call()
    assert db.connection.execute("SELECT count(*) FROM log").fetchone() == (4,)
    db.adopt_rows()
    assert db.mutations.update() == 4
    assert db.verify()


def test_a_key_that_the_test_took_is_refused_and_adopted(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=3)
    db.connection.execute("INSERT INTO items (name) VALUES ('mine')")
    with refused(db, "insert into items", "items_pkey", "adopt_rows()"):
        db.mutations.insert(count=2)
    assert db.adopt_rows() == 1
    assert db.mutations.insert(count=2) == 2
    assert db.verify()


def test_a_name_that_the_test_took_is_told_as_the_server_tells_it(make_db: MakeDB) -> None:
    db = make_db(ITEMS)
    db.connection.execute("CREATE TABLE mine ()")
    with refused(db, 'relation "mine" already exists') as caught:
        db.schema.rename_table("mine")
    assert "kroft makes its tables" not in str(caught.value)
    with refused(db, 'relation "mine" already exists; kroft makes its tables and types itself'):
        db.schema.create_table(TableDefinition("mine", [Column("a", "int")]))


def test_a_computed_value_that_repeats_names_what_computes_it(make_db: MakeDB) -> None:
    columns = [Column("id", "int", primary_key=True), Column("n", "int")]
    db = make_db(TableDefinition("t", [*columns, Column('the "half', "int", generated="n / 2", unique=True)]))
    hint = "the server computes 'the \"half': give the columns that it is computed from a generator"
    with refused(db, hint) as caught:
        db.mutations.insert(rows=[{"n": 2}, {"n": 3}])
    assert "adopt_rows" not in str(caught.value)


# Locks


@pytest.fixture
def hasty(databases: Databases) -> Iterator[KroftDB]:
    """A database whose sessions wait for a lock for a moment only, with items and people in it."""
    taken = databases.acquire()
    with KroftDB(f"{taken.dsn}&options=-c%20lock_timeout%3D50ms", PEOPLE, ITEMS, rows=3) as db:
        yield db
    databases.release(taken)


def test_a_lock_is_named_among_many_operations_too(hasty: KroftDB) -> None:
    first = Insert("people", 4, 1, START, cells={"id": ("4",)})
    with psycopg.connect(hasty.dsn) as holder:
        holder.execute("SELECT FROM items WHERE id = 1 FOR UPDATE")
        words = ("update items", "lock timeout", f"session {holder.info.backend_pid}", "FOR UPDATE")
        with refused_after(hasty, 1, *words) as steps:
            steps.extend(hasty.perform("many", lambda: [first, update(1, 1), update(2, 2)]))
    assert hasty.verify()


@pytest.mark.parametrize(
    "query, call",
    [
        ("LOCK TABLE items IN ACCESS EXCLUSIVE MODE", lambda db: db.mutations.insert("items", 1)),
        ("SELECT FROM items WHERE id = 1 FOR UPDATE", lambda db: db.mutations.update("items", keys=[1])),
        ("SELECT count(*) FROM items", lambda db: db.schema.add_column("items", "extra")),
        ("SELECT count(*) FROM items", lambda db: db.schema.truncate("items")),
        ("UPDATE people SET name = 'x'", lambda db: db.schema.add_column("items", "owner")),
    ],
)
def test_a_lock_that_another_session_holds_is_named_with_its_session_and_query(
    hasty: KroftDB, query: str, call: object
) -> None:
    with psycopg.connect(hasty.dsn) as holder, psycopg.connect(hasty.dsn) as bystander:
        bystander.execute("SELECT 'an innocent transaction'")
        holder.execute(query.encode())
        with refused(hasty, "lock timeout", "items", f"session {holder.info.backend_pid}", query) as caught:
            call(hasty)  # type: ignore[operator]
        assert caught.value.sqlstate == "55P03"
        assert f"session {bystander.info.backend_pid}" not in str(caught.value)
        holder.rollback()
        call(hasty)  # type: ignore[operator]
    assert hasty.verify()


def test_a_script_does_not_wait_for_a_lock_for_ever(make_db: MakeDB) -> None:
    db = make_db()
    assert db._own.execute("SHOW lock_timeout").fetchone() == ("10s",)


# Sequences


@pytest.mark.parametrize("identity", ["by default", "always"])
@pytest.mark.parametrize("count", [1, COPY_FROM + 1])
@pytest.mark.parametrize("sql_type", ["smallint", "integer", "bigint"])
def test_a_users_own_insert_works_after_kroft_inserted(
    make_db: MakeDB, identity: Identity, count: int, sql_type: str
) -> None:
    table = TableDefinition(
        'the "items',
        [Column("the %id", sql_type, identity=identity, primary_key=True), Column("name", "text")],
    )
    db = make_db(table)
    own = 'INSERT INTO "the ""items" (name) VALUES (\'mine\') RETURNING "the %id"'
    assert db.connection.execute(own).fetchone() == (1,)
    assert db.adopt_rows() == 1
    db.mutations.insert(count=count)
    db.schema.rename_table("items")
    highest = max(row["the %id"] for row in db.expected())
    renamed = own.replace('"the ""items"', "items")
    assert db.connection.execute(renamed).fetchone() == (highest + 1,)
    assert db.adopt_rows() == 1
    assert db.mutations.insert(count=2) == 2
    assert db.verify()


def test_a_sequence_follows_an_explicit_number_of_the_test(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=2)
    db.connection.execute("INSERT INTO items (id) VALUES (50)")
    assert db.adopt_rows() == 1
    db.mutations.insert(count=20)
    db.mutations.insert(count=40)
    highest = max(row["id"] for row in db.expected())
    assert highest > 60
    assert db.connection.execute("INSERT INTO items (name) VALUES ('x') RETURNING id").fetchone() == (
        highest + 1,
    )
    assert db.adopt_rows() == 1
    assert db.verify()


def test_a_given_number_of_an_identity_column_moves_the_sequence(make_db: MakeDB) -> None:
    db = make_db(ITEMS)
    db.mutations.insert(rows=[{"id": 5}])
    assert db.connection.execute("INSERT INTO items (name) VALUES ('x') RETURNING id").fetchone() == (6,)


def test_a_statement_of_an_error_is_about_the_right_rows(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=2)
    refuse_rows(db, "n IS NULL")
    with pytest.raises(ExecutionError) as caught:
        db.mutations.insert(rows=[{"id": 77, "n": 1}])
    assert re.search(r"insert into items: id 77\b", str(caught.value))


# Many operations in one call


def insert(*numbers: int, session: int = 0, **cells: str | None) -> list[Insert]:
    """An insert for each row number, which is its id too."""
    given = {name: (text,) for name, text in cells.items()}
    return [
        Insert("items", number, 1, START, cells={"id": (str(number),), **given}, session=session)
        for number in numbers
    ]


def ids(db: KroftDB) -> list[int]:
    return [row[0] for row in db.connection.execute("SELECT id FROM items ORDER BY id")]


@contextmanager
def refused_after(db: KroftDB, done: int, *words: str) -> Iterator[list[Step]]:
    """What runs inside is refused after so many operations, which stay; the steps are those given."""
    steps: list[Step] = []
    length, states = len(db.history), len(db._timeline.states)
    with pytest.raises(ExecutionError) as caught:
        yield steps
    for word in words:
        assert word in str(caught.value)
    assert len(steps) == done
    assert len(db.history) == length + done
    assert len(db._timeline.states) == states + done
    assert db._timeline.states[-1] is db.state
    assert db.history.calls[-1].places == list(range(length, length + done))


def test_every_operation_of_a_call_is_a_transaction_of_its_own(make_db: MakeDB) -> None:
    db = make_db(ITEMS)
    operations: list[Operation] = [
        *insert(*range(1, 2 * LONGEST + 3)),
        Delete("items", (1,)),
        AddColumn("items", ITEMS.columns[3]),
    ]
    assert [step[1] for step in db.perform("many", lambda: operations)] == operations
    assert db.connection.execute("SELECT count(*), count(DISTINCT xmin::text) FROM items").fetchone() == (
        2 * LONGEST + 1,
        2 * LONGEST + 1,
    )
    assert db.verify()


@pytest.mark.parametrize("bad", [1, 3, LONGEST, LONGEST + 1, LONGEST + 3])
def test_what_was_done_before_a_refusal_stays_and_nothing_else(make_db: MakeDB, bad: int) -> None:
    db = make_db(ITEMS)
    refuse_rows(db, f"id <> {bad}")
    with refused_after(db, bad - 1, f"insert into items: id {bad}", "unknown_rule") as steps:
        steps.extend(db.perform("many", lambda: insert(*range(1, LONGEST + 4))))
    assert ids(db) == list(range(1, bad))
    assert db.verify()


def update(number: int, revision: int, *numbers: int) -> Update:
    return Update("items", (number, *numbers), ("name",), revision, START)


def test_a_wrong_count_among_many_is_not_committed(make_db: MakeDB) -> None:
    db = make_db(ITEMS, rows=4)
    db.connection.execute("DELETE FROM items WHERE id = 3")
    held = db.connection.execute("SELECT name FROM items WHERE id IN (2, 4) ORDER BY id").fetchall()
    words = ("update items", "the server changed 1 rows, and 2 were expected", "adopt_rows()")
    with refused_after(db, 1, *words) as steps:
        steps.extend(db.perform("many", lambda: [update(1, 1), update(2, 2, 3), update(4, 3)]))
    assert db.connection.execute("SELECT name FROM items WHERE id IN (2, 4) ORDER BY id").fetchall() == held
    db.adopt_rows()
    assert db.verify()


def test_a_refusal_at_the_commit_is_of_its_own_operation(make_db: MakeDB) -> None:
    db = make_db(ITEMS)
    db.connection.execute(
        "CREATE TABLE mine (id int PRIMARY KEY); ALTER TABLE items ADD CONSTRAINT late"
        " FOREIGN KEY (n) REFERENCES mine DEFERRABLE INITIALLY DEFERRED"
    )
    plan = [*insert(1, n=None), *insert(2, n="7"), *insert(3, n=None)]
    with refused_after(db, 1, "insert into items: id 2", '"late"') as steps:
        steps.extend(db.perform("many", lambda: plan))
    assert ids(db) == [1]
    assert db.verify()


def test_a_rule_that_adds_a_statement_goes_with_every_operation(make_db: MakeDB) -> None:
    # The server takes no such table into a query that counts its rows.
    db = make_db(ITEMS)
    db.connection.execute(
        "CREATE TABLE seen (id int); CREATE RULE note AS ON INSERT TO items"
        " DO ALSO INSERT INTO seen VALUES (NEW.id)"
    )
    assert len(list(db.perform("many", lambda: insert(1, 2, 3)))) == 3
    assert db.connection.execute("SELECT id FROM seen ORDER BY id").fetchall() == [(1,), (2,), (3,)]
    assert db.verify()


def test_what_the_plan_cannot_go_on_with_leaves_what_it_did(make_db: MakeDB) -> None:
    db = make_db(ITEMS)

    def plan() -> Iterator[Insert]:
        yield from insert(1, 2)
        raise ZeroDivisionError

    steps: list[Step] = []
    with pytest.raises(ZeroDivisionError):
        steps.extend(db.perform("many", plan))
    assert len(steps) == 2
    assert ids(db) == [1, 2]
    assert db.verify()


def test_a_consumer_sees_at_a_sync_what_was_done_before_it(make_db: MakeDB) -> None:
    db = make_db(ITEMS)
    steps = db.perform("many", lambda: [*insert(1, 2), Sync(), *insert(3)])
    assert [type(next(steps)[1]) for _ in range(3)] == [Insert, Insert, Sync]
    assert ids(db) == [1, 2]
    steps.close()  # type: ignore[attr-defined]
    assert ids(db) == [1, 2]
    assert db.verify()
    assert len(list(db.perform("more", lambda: insert(3)))) == 1


def test_a_session_that_is_gone_is_told_with_the_operation(make_db: MakeDB) -> None:
    db = make_db(ITEMS)
    pid = db._own.info.backend_pid
    db.connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    for _ in range(2):
        with refused_after(db, 0, "insert into items: id 1") as steps:
            steps.extend(db.perform("many", lambda: insert(1, 2)))


class Limit(BaseException):
    """What a time limit raises, as pytest.fail does: psycopg knows only of the user who interrupts."""


RAISED = [KeyboardInterrupt, Limit, TimeoutError]


@contextmanager
def cut_short(error: type[BaseException], seconds: float = 0.3) -> Iterator[None]:
    """A signal handler raises the error in the middle of what runs inside."""

    def handle(*args: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with pytest.raises(error):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("error", RAISED)
def test_who_interrupts_leaves_no_transaction(make_db: MakeDB, error: type[BaseException]) -> None:
    db = make_db(PEOPLE, ITEMS, rows=3)
    plan: list[Operation] = [Insert("people", 4, 1, START, cells={"id": ("4",)}), update(1, 1), update(2, 2)]
    with psycopg.connect(db.dsn) as holder:
        holder.execute("SELECT FROM items WHERE id = 1 FOR UPDATE")
        with cut_short(error):
            list(db.perform("many", lambda: plan))
    assert db._own.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert db.verify()
    assert db.history[-1] == plan[0]
    assert db.mutations.update("items", keys=[1]) == 1
    assert db.verify()


@pytest.mark.parametrize("error", RAISED)
def test_an_operation_alone_that_is_cut_short_is_not_done(
    make_db: MakeDB, error: type[BaseException]
) -> None:
    db = make_db(ITEMS)
    with psycopg.connect(db.dsn) as holder:
        holder.execute("LOCK items")
        with cut_short(error):
            db.mutations.insert(count=COPY_FROM)
    assert len(db.history) == 1
    assert ids(db) == []
    own = db._own
    if own.closed:
        with pytest.raises(ExecutionError, match=r"insert into items: .*the connection is closed"):
            db.mutations.insert(count=1)
    else:
        assert own.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    query = "SELECT count(*) FROM pg_locks WHERE relation = 'items'::regclass"
    assert db.connection.execute(query).fetchone() == (0,)


def test_what_cannot_be_brought_back_is_closed(make_db: MakeDB, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        raise psycopg.OperationalError("cannot cancel")

    db = make_db(ITEMS, rows=2)
    with psycopg.connect(db.dsn) as holder:
        holder.execute("SELECT FROM items WHERE id = 1 FOR UPDATE")
        monkeypatch.setattr(pipeline, "cancel", fail)
        with cut_short(Limit):
            db.mutations.update(keys=[1])
        assert db._own.closed
    with pytest.raises(ExecutionError, match=r"update items.*the connection is closed"):
        db.mutations.update(keys=[1])


# Sessions


@pytest.fixture
def scripted(database: Database) -> Iterator[tuple[Timeline, psycopg.Connection]]:
    """A timeline with the table of items, and a consumer's connection."""
    with ExitStack() as opened:

        def connect(number: int) -> psycopg.Connection:
            return opened.enter_context(psycopg.connect(database.dsn, autocommit=True))

        consumer = connect(0)
        made = Timeline(3, Executor(connect(0), connect))
        made.apply(CreateTable(ITEMS))
        yield made, consumer


Scripted = tuple[Timeline, psycopg.Connection]


def rows(consumer: psycopg.Connection) -> list[int]:
    return [row[0] for row in consumer.execute("SELECT id FROM items ORDER BY id")]


def run(made: Timeline, *operations: Operation) -> None:
    for _ in made.perform("script", lambda: operations):
        pass


def test_a_session_is_seen_from_its_commit_on(scripted: Scripted) -> None:
    made, consumer = scripted
    run(made, *insert(1), Begin(1, START), *insert(2, session=1), *insert(3))
    assert rows(consumer) == [1, 3]
    run(made, Begin(2, START), *insert(4, session=2), Commit(1))
    assert rows(consumer) == [1, 2, 3]
    run(made, Rollback(2), *insert(5))
    assert rows(consumer) == [1, 2, 3, 5]
    assert [row[0] for row in made.state.contents("items")] == ["1", "2", "3", "5"]


def test_a_session_goes_back_to_a_savepoint(scripted: Scripted) -> None:
    made, consumer = scripted
    script: list[Operation] = [
        Begin(1, START), *insert(1, session=1), Savepoint(1, 'a "b'), *insert(2, session=1),
        RollbackTo(1, 'a "b'), *insert(3, session=1), Commit(1),
    ]  # fmt: skip
    run(made, *script)
    assert rows(consumer) == [1, 3]


def test_a_session_changes_what_it_wrote_itself(scripted: Scripted) -> None:
    made, consumer = scripted
    run(made, *insert(1), Begin(1, START), *insert(2, session=1))
    run(
        made,
        Update("items", (1, 2), ("name",), 1, START, session=1),
        Delete("items", (2,), session=1),
        Commit(1),
    )
    (name,) = (row[1] for row in made.state.contents("items"))
    assert consumer.execute("SELECT id, name FROM items").fetchall() == [(1, name)]


@pytest.mark.parametrize("count", [1, COPY_FROM])
def test_a_refusal_in_a_session_leaves_its_transaction_as_it_was(scripted: Scripted, count: int) -> None:
    made, consumer = scripted
    consumer.execute(b"ALTER TABLE items ADD CONSTRAINT unknown_rule CHECK (id <> 3)")
    run(made, Begin(1, START), *insert(1, session=1))
    state = made.state
    bad = Insert("items", 3, count, START, cells={"id": tuple(map(str, range(3, 3 + count)))}, session=1)
    with pytest.raises(ExecutionError, match="unknown_rule"):
        run(made, *insert(2, session=1), bad, *insert(900, session=1))
    assert made.state.sessions[1].operations == (*state.sessions[1].operations, *insert(2, session=1))
    assert rows(consumer) == []
    run(made, *insert(901, session=1), Commit(1))
    assert rows(consumer) == [1, 2, 901]
    assert consumer.execute("SELECT count(DISTINCT xmin::text) FROM items").fetchone() == (1,)


@pytest.mark.parametrize("error", RAISED)
def test_a_session_that_is_cut_short_is_where_it_was(scripted: Scripted, error: type[BaseException]) -> None:
    made, consumer = scripted
    run(made, *insert(1), Begin(1, START), *insert(2, session=1))
    consumer.execute("BEGIN")
    consumer.execute("SELECT FROM items WHERE id = 1 FOR UPDATE")
    with cut_short(error):
        run(made, *insert(3, session=1), Update("items", (1,), ("name",), 1, START, session=1))
    consumer.execute("COMMIT")
    assert rows(consumer) == [1]
    run(made, *insert(4, session=1))
    assert rows(consumer) == [1]
    run(made, Commit(1))
    assert rows(consumer) == [1, 2, 3, 4]
    assert [row[0] for row in made.state.contents("items")] == ["1", "2", "3", "4"]


def test_a_reset_does_without_sessions_that_are_gone(database: Database) -> None:
    with ExitStack() as opened:

        def connect(number: int) -> psycopg.Connection:
            return opened.enter_context(psycopg.connect(database.dsn, autocommit=True))

        consumer, executor = connect(0), Executor(connect(0), connect)
        run(Timeline(3, executor), CreateTable(ITEMS), Begin(1, START), *insert(1, session=1))
        consumer.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        executor.reset()
        assert executor._sessions[1].connection.closed


def test_a_reset_ends_the_transactions_of_all_sessions(database: Database) -> None:
    with ExitStack() as opened:

        def connect(number: int) -> psycopg.Connection:
            return opened.enter_context(psycopg.connect(database.dsn, autocommit=True))

        consumer, executor = connect(0), Executor(connect(0), connect)
        made = Timeline(3, executor)
        run(made, CreateTable(ITEMS), Begin(1, START), *insert(1, session=1), Begin(2, START))
        executor.reset()
        assert consumer.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in%'"
        ).fetchone() == (0,)
        assert rows(consumer) == []
        consumer.execute("DROP TABLE items")
        again = Timeline(3, executor)
        run(again, CreateTable(ITEMS), Begin(1, START), *insert(1, session=1), Commit(1))
        assert rows(consumer) == [1]


# SQL of the user's own


SECOND = "; DROP TABLE victim"


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.schema.set_default("items", "name", default=f"'a'{SECOND}"),
        lambda db: db.schema.add_column("items", Column("x", "int", default=f"1{SECOND}")),
        lambda db: db.schema.add_column("items", Column("x", "int", check=f"true){SECOND}; SELECT (1")),
        lambda db: db.schema.add_column(
            "items", Column("x", "int", generated=f"n) STORED{SECOND}; SELECT (1")
        ),
        lambda db: db.schema.add_column("items", Column("x", "text", constraints=f'COLLATE "C"{SECOND}')),
    ],
    ids=["set default", "default", "check", "generated", "constraints"],
)
def test_one_text_is_never_two_commands(make_db: MakeDB, call: Callable[[KroftDB], object]) -> None:
    db = make_db(ITEMS, rows=1)
    db.connection.execute("CREATE TABLE victim ()")
    with refused(db, "cannot insert multiple commands"):
        call(db)
    assert db.connection.execute("SELECT to_regclass('victim') IS NOT NULL").fetchone() == (True,)
    assert db.verify()


def test_a_table_constraint_is_never_two_commands(make_db: MakeDB) -> None:
    db = make_db(ITEMS)
    db.connection.execute("CREATE TABLE victim ()")
    for text in (f"CHECK (a > 0)){SECOND}; SELECT (1", f"EXCLUDE (a WITH =)){SECOND}; SELECT (1"):
        # Refused by the definition, or else by the server.
        with pytest.raises(KroftError):
            db.schema.create_table(TableDefinition("t", [Column("a", "int")], constraints=[text]))
    assert db.connection.execute("SELECT to_regclass('victim') IS NOT NULL").fetchone() == (True,)
