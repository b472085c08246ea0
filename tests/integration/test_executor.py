"""Where the server refuses: the error says what and why, nothing is half done, and the next call works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import ExecutionError, KroftError
from pytest_kroft.model.columns import ColumnDefinition, Identity
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.postgres.databases import Databases
from pytest_kroft.postgres.executor import COPY_FROM
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
    state, lines, counters = db.state, db.history.lines(), dict(db.mutations.counters)
    with pytest.raises(ExecutionError) as caught:
        yield caught
    for word in words:
        assert word in str(caught.value)
    assert db.state is state
    assert db.history.lines() == lines
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
