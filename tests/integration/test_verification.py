"""verify() and adopt_rows(): what a test wrote by itself is noticed, named and accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pytest_kroft.comparison import Comparison
from pytest_kroft.database import KroftDB
from pytest_kroft.errors import Mismatch, UnknownTable
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Observed
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.verification import content_difference, structure_differences
from tests.conftest import MakeDB

Column = ColumnDefinition

MOOD = EnumDefinition("mood", ["sad", "ok"])
PEOPLE = TableDefinition(
    "people",
    [
        Column("id", "int", identity="always", primary_key=True),
        Column("name", "text"),
        Column("mood", "mood"),
        Column("length", "int", generated="char_length(name)"),
        Column("tenfold", "bigint", generated="id * 10"),
        Column("score", "numeric(6,2)", unique=True),
        Column("at", "timestamptz"),
    ],
    updated_at="at",
)
STAYS = TableDefinition(
    "stays",
    [
        Column("person", "int", references="people"),
        Column("room", "text"),
        Column("nights", "int"),
    ],
    constraints=["PRIMARY KEY (person, room)"],
)
LOG = TableDefinition(
    "log", [Column("line", "text"), Column("n", "int"), Column("half", "numeric", generated="n / 2.0")]
)

ROOMS = TableDefinition(
    "rooms",
    [
        Column("beds", "int", default="2"),
        Column("floor", "int"),
        Column("door", "int"),
        Column("since", "timestamptz", default="CURRENT_TIMESTAMP + '1 day'"),
    ],
    constraints=["UNIQUE (floor, door)"],
)


@pytest.fixture
def db(make_db: MakeDB) -> KroftDB:
    return make_db(MOOD, PEOPLE, STAYS, LOG, seed=3, rows=6)


def own(db: KroftDB, statement: str) -> None:
    db.connection.execute(statement.encode())


def replayed(db: KroftDB, make_db: MakeDB, folder: Path) -> KroftDB:
    """The same history in another database, by way of a file."""
    other = make_db()
    other.replay(History.load(db.save(folder / "history.jsonl")))
    other.verify()
    return other


def test_what_kroft_wrote_verifies(db: KroftDB) -> None:
    assert db.verify() is True
    assert db.adopt_rows() == 0
    assert not any(isinstance(operation, Observed) and operation.by == "test" for operation in db.history)


@pytest.mark.parametrize(
    "statement, line",
    [
        (
            "INSERT INTO people (name) VALUES ('Own')",
            "people: the copy has 1 row too many\n  id '7': in the copy",
        ),
        ("UPDATE people SET name = 'Own' WHERE id = 2", "people: 1 of 6 rows differs\n  id '2': name"),
        (
            "DELETE FROM stays; DELETE FROM people WHERE id = 4",
            "people: the copy lacks 1 of 6 rows\n  id '4'",
        ),
        ("UPDATE stays SET room = 'attic' WHERE ctid = '(0,1)'", "room 'attic': in the copy"),
        ("INSERT INTO log VALUES ('Own', 3)", "line 'Own', n '3'"),
    ],
)
def test_a_row_that_the_test_wrote_is_named(db: KroftDB, statement: str, line: str) -> None:
    own(db, statement)
    with pytest.raises(Mismatch) as caught:
        db.verify()
    assert line in str(caught.value)
    assert "adopt_rows() accepts rows that the test wrote itself" in str(caught.value)
    assert isinstance(caught.value.comparison, Comparison)
    assert not caught.value.comparison.same
    assert db.adopt_rows() > 0
    assert db.verify()


@pytest.mark.parametrize(
    "statement, line",
    [
        ("DROP TABLE log", 'log: the server has no table "public"."log"'),
        ("ALTER TABLE log RENAME TO logs", 'log: the server has no table "public"."log"'),
        (
            "ALTER TABLE log ADD COLUMN more int",
            "log: column 'more' is integer on the server, absent in the state",
        ),
        ("ALTER TABLE log DROP COLUMN line", "log: column 'line' is absent on the server, text in the state"),
        (
            "ALTER TABLE stays ALTER COLUMN nights TYPE bigint",
            "stays: column 'nights' is bigint on the server, integer in the state",
        ),
        (
            "ALTER TABLE people ALTER COLUMN score TYPE numeric(9,3)",
            "people: column 'score' is numeric(9,3) on the server, numeric(6,2) in the state",
        ),
        (
            "ALTER TABLE log ALTER COLUMN n SET NOT NULL",
            "log: column 'n' is integer NOT NULL on the server, integer in the state",
        ),
        (
            "ALTER TABLE log ALTER COLUMN n SET DEFAULT 5",
            "log: the default of 'n' is 5 on the server, absent in the state",
        ),
        (
            "ALTER TABLE rooms ALTER COLUMN beds DROP DEFAULT",
            "rooms: the default of 'beds' is absent on the server, 2 in the state",
        ),
        (
            "ALTER TABLE rooms ALTER COLUMN beds SET DEFAULT 3",
            "rooms: the default of 'beds' is 3 on the server, 2 in the state",
        ),
        (
            "ALTER TABLE rooms ALTER COLUMN since SET DEFAULT clock_timestamp()",
            "rooms: the default of 'since' is clock_timestamp() on the server, CURRENT_TIMESTAMP + '1 day'",
        ),
        (
            "ALTER TABLE stays DROP CONSTRAINT stays_pkey",
            "stays: the primary key is absent on the server, (person, room) in the state",
        ),
        (
            "ALTER TABLE stays DROP CONSTRAINT stays_pkey, ADD PRIMARY KEY (room, person)",
            "stays: the primary key is (room, person) on the server, (person, room) in the state",
        ),
        (
            "ALTER TABLE people DROP CONSTRAINT people_score_key",
            "people: (score) is unique in the state, and not on the server",
        ),
        (
            """ALTER TABLE rooms DROP CONSTRAINT rooms_floor_door_key;
            CREATE UNIQUE INDEX ON rooms (floor, door) WHERE floor > 5;
            CREATE UNIQUE INDEX ON rooms (floor, abs(door)); CREATE INDEX ON rooms (floor, door)""",
            "rooms: (floor, door) is unique in the state, and not on the server",
        ),
        (
            "ALTER TABLE people ALTER COLUMN id SET GENERATED BY DEFAULT",
            "people: column 'id' is integer NOT NULL GENERATED BY DEFAULT AS IDENTITY on the server, integer",
        ),
        (
            "ALTER TABLE log ALTER COLUMN half DROP EXPRESSION",
            "log: column 'half' is numeric on the server, numeric GENERATED in the state",
        ),
        (
            "ALTER TYPE mood ADD VALUE 'so so' BEFORE 'ok'",
            "enum mood: the labels are sad, so so, ok on the server, sad, ok in the state",
        ),
    ],
)
def test_a_change_of_the_schema_by_the_test_is_named(db: KroftDB, statement: str, line: str) -> None:
    db.schema.create_table(ROOMS)
    own(db, "DELETE FROM log WHERE n IS NULL")
    db.adopt_rows()
    own(db, statement)
    for call in (db.verify, db.adopt_rows):
        with pytest.raises(Mismatch, match="the server does not have the tables of the state") as caught:
            call()
        assert f"\n  {line}" in str(caught.value)


def test_other_tables_of_the_test_are_its_own_business(db: KroftDB) -> None:
    own(db, "CREATE TABLE mine (a int); INSERT INTO mine VALUES (1)")
    assert db.verify()


def test_an_adopted_insert_goes_on_as_a_row_of_krofts(db: KroftDB, make_db: MakeDB, tmp_path: Path) -> None:
    own(db, "INSERT INTO people (name, mood, score) VALUES ('Own', 'ok', 1.5), ('Other', NULL, NULL)")
    assert db.adopt_rows("people") == 2
    assert db.expected("people")[-2]["name"] == "Own"
    assert db.expected("people")[-2]["tenfold"] == 70
    assert db.expected("people")[-1]["at"] is None
    assert db.verify()
    db.mutations.insert("people", 5)
    db.mutations.update("people", keys=[7, 8])
    db.mutations.update("people", keys=[7], values={"name": "Again"})
    db.mutations.delete("people", keys=[8])
    assert db.verify()
    assert replayed(db, make_db, tmp_path).expected("people") == db.expected("people")


def test_adopted_updates_and_deletions_go_on(db: KroftDB, make_db: MakeDB, tmp_path: Path) -> None:
    own(
        db,
        "DELETE FROM stays; UPDATE people SET name = 'Own ' || id, at = '2030-01-01 00:00+00' WHERE id < 3",
    )
    own(db, "DELETE FROM people WHERE id = 5")
    rows = len(db.expected("stays"))
    assert db.adopt_rows() == 3 + rows
    assert [row["name"] for row in db.expected("people")][:2] == ["Own 1", "Own 2"]
    assert db.expected("people")[0]["length"] == 5
    assert db.verify()
    db.mutations.insert("stays", 4)
    db.mutations.update("people", fraction=1)
    assert db.verify()
    assert replayed(db, make_db, tmp_path).expected("people") == db.expected("people")


def test_an_adopted_change_of_a_composite_key_is_another_row(
    db: KroftDB, make_db: MakeDB, tmp_path: Path
) -> None:
    (person, room) = (db.expected("stays")[0][name] for name in ("person", "room"))
    db.connection.execute("UPDATE stays SET room = 'attic' WHERE (person, room) = (%s, %s)", [person, room])
    assert db.adopt_rows() == 2
    assert db.mutations.update("stays", keys=[(person, "attic")], values={"nights": 9}) == 1
    assert db.verify()
    replayed(db, make_db, tmp_path)


def test_adopted_rows_of_a_table_without_a_key(db: KroftDB, make_db: MakeDB, tmp_path: Path) -> None:
    own(db, "INSERT INTO log VALUES ('Own', 3), ('Own', 3); UPDATE log SET n = 8 WHERE ctid = '(0,2)'")
    own(db, "DELETE FROM log WHERE ctid = '(0,1)'")
    assert db.adopt_rows() == 5
    assert sum(row["line"] == "Own" for row in db.expected("log")) == 2
    assert db.verify()
    db.mutations.insert("log", 3)
    assert db.mutations.update("log", values={"n": 1}) == 10
    assert db.verify()
    assert db.mutations.delete("log") == 10
    assert db.verify()
    replayed(db, make_db, tmp_path)


def test_adopted_rows_of_a_referenced_table_without_a_key(make_db: MakeDB, tmp_path: Path) -> None:
    parent = TableDefinition("parent", [Column("code", "int", unique=True), Column("name", "text")])
    child = TableDefinition(
        "child", [Column("id", "int", primary_key=True), Column("code", "int", references="parent(code)")]
    )
    db = make_db(parent, child)
    db.mutations.insert("parent", 3)
    own(db, "UPDATE parent SET name = 'Own'")
    assert db.adopt_rows() == 6
    db.mutations.insert("child", 3)
    assert db.verify()
    replayed(db, make_db, tmp_path)


def test_only_the_rows_that_differ_are_recorded(db: KroftDB) -> None:
    own(db, "UPDATE people SET name = 'Own' WHERE id = 2")
    db.adopt_rows()
    (observed,) = (op for op in db.history if isinstance(op, Observed) and op.by == "test")
    assert (observed.rows, observed.removed) == ((2,), ())


def test_one_table_can_be_adopted_alone(db: KroftDB) -> None:
    own(db, "INSERT INTO people (name) VALUES ('Own'); INSERT INTO log VALUES ('Own', 1)")
    assert db.adopt_rows("log") == 1
    with pytest.raises(Mismatch, match="people"):
        db.verify()
    assert db.adopt_rows() == 1
    assert db.verify()
    with pytest.raises(UnknownTable, match="'nothing'; the tables are: people, log, stays"):
        db.adopt_rows("nothing")


def test_parents_and_children_are_adopted_together_and_replayed(
    db: KroftDB, make_db: MakeDB, tmp_path: Path
) -> None:
    own(db, "INSERT INTO people (name) VALUES ('Own'); INSERT INTO stays VALUES (7, 'attic', 2)")
    assert db.adopt_rows() == 2
    own(db, "UPDATE stays SET person = 6 WHERE person = 7; DELETE FROM people WHERE id = 7")
    assert db.adopt_rows() == 3
    gone = db.expected("stays")[0]["person"]
    own(db, f"DELETE FROM stays WHERE person = {gone}; DELETE FROM people WHERE id = {gone}")
    assert db.adopt_rows() >= 2
    assert db.verify()
    replayed(db, make_db, tmp_path)


def test_an_explicit_number_of_an_identity_column_does_not_collide_later(
    db: KroftDB, make_db: MakeDB, tmp_path: Path
) -> None:
    own(db, "INSERT INTO people (id, name) OVERRIDING SYSTEM VALUE VALUES (9, 'Own')")
    db.adopt_rows()
    assert db.mutations.insert("people", 6) == 6
    own(db, "INSERT INTO people (name) VALUES ('Next')")
    assert db.adopt_rows() == 1
    assert len({row["id"] for row in db.expected("people")}) == 14
    assert db.verify()
    replayed(db, make_db, tmp_path)


def test_an_adopted_unique_value_is_not_made_again(db: KroftDB) -> None:
    upcoming = [row["score"] for row in db.batches.generate("people", 6) if row["score"] is not None]
    db.connection.execute("INSERT INTO people (score) VALUES (%s)", [upcoming[-1]])
    db.adopt_rows()
    assert db.mutations.insert("people", 8) == 8
    assert db.verify()


@pytest.mark.parametrize(
    "change",
    [
        lambda db: db.schema.rename_table("people", "Humans"),
        lambda db: db.schema.rename_column("people", "name", "full name"),
        lambda db: db.schema.drop_column("people", "score"),
        lambda db: db.schema.add_column("people", "fresh", sql_type="int"),
    ],
)
def test_rows_are_adopted_after_a_change_of_the_schema(
    db: KroftDB, change: Callable[[KroftDB], object]
) -> None:
    change(db)
    table = psycopg.sql.Identifier(db.state.table("people").name)
    db.connection.execute(psycopg.sql.SQL("INSERT INTO {} (mood) VALUES ('sad')").format(table))
    assert db.adopt_rows() == 1
    db.mutations.insert("people", 2)
    db.mutations.update("people", fraction=1)
    assert db.verify()


def test_rows_in_an_emptied_table_are_adopted(db: KroftDB) -> None:
    own(db, "TRUNCATE people RESTART IDENTITY CASCADE; INSERT INTO people (name) VALUES ('First')")
    db.adopt_rows()
    assert len(db.expected("people")) == 1
    assert db.mutations.insert("people", 3) == 3
    own(db, "INSERT INTO people (name) VALUES ('Last')")
    assert db.adopt_rows() == 1
    assert db.verify()


def test_structure_and_content_can_be_asked_for_alone(db: KroftDB, connection: psycopg.Connection) -> None:
    assert list(structure_differences(db.connection, db.state)) == []
    assert content_difference(db.connection, db.state, "people").same
    assert len(list(structure_differences(connection, db.state))) == 4


@pytest.mark.parametrize("own_type", ["interval day to second", "int4"])
def test_a_table_of_another_is_not_read_whatever_it_holds(db: KroftDB, own_type: str) -> None:
    own(db, f"CREATE TABLE mine (span {own_type})")
    assert db.verify()
    assert db.adopt_rows() == 0


def test_a_type_that_kroft_does_not_have_is_a_difference(db: KroftDB) -> None:
    own(db, "ALTER TABLE log ADD COLUMN span pg_ndistinct")
    with pytest.raises(Mismatch, match=r"'span' is \W?pg_ndistinct\W? on the server, absent"):
        db.verify()


@pytest.mark.parametrize(
    "sql_type, default",
    [
        ("int", "-5"),
        ("int", "NULL"),
        ("varchar(5)", "NULL"),
        ("text", "E'it''s \\\\ %s'"),
        ("text", "'a' || 'b'"),
        ("numeric(10,2)", "1"),
        ("numeric(10,2)", "'1.005'"),
        ("jsonb", """'{"b":1,  "a":2}'"""),
        ("int[]", "'{1, 2}'"),
        ("int[]", "ARRAY[1, 2]"),
        ("interval", "'1 hour'"),
        ("date", "current_date"),
        ("date", "'2020-01-01'"),
        ("timestamptz", "now()"),
        ("uuid", "gen_random_uuid()"),
        ("mood", "'ok'"),
        ("mood[]", "ARRAY['ok']::mood[]"),
        ("boolean", "true"),
        ("boolean", "(NOT false)"),
        ("char(3)", "'a'"),
        ("bytea", "'\\x00'"),
        ("float8", "random() * 2"),
    ],
)
def test_a_default_verifies_however_it_is_written(make_db: MakeDB, sql_type: str, default: str) -> None:
    db = make_db(MOOD, TableDefinition("t", [Column("id", "int", primary_key=True), Column("b", "text")]))
    db.schema.add_column("t", Column("a", sql_type, default=default))
    assert db.verify()
    db.connection.execute("ALTER TABLE t ALTER COLUMN a SET DEFAULT NULL")
    if default != "NULL":
        with pytest.raises(Mismatch, match="the default of 'a' is absent on the server"):
            db.verify()


def test_a_default_whose_function_was_replaced_is_a_difference(make_db: MakeDB) -> None:
    db = make_db()
    db.connection.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    db.schema.create_table(TableDefinition("t", [Column("a", "int", default="f() + 1")]))
    assert db.verify()
    db.connection.execute("DROP FUNCTION f() CASCADE; ALTER TABLE t ALTER COLUMN a SET DEFAULT 4 + 1")
    with pytest.raises(Mismatch, match=r"'a' is .4 \+ 1. on the server, f.. \+ 1 in the state"):
        db.verify()
    assert db.connection.execute("SELECT to_regclass('kroft_defaults')").fetchone() == (None,)
