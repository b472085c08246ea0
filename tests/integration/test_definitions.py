"""What a definition says is what the server has: names, types, keys, constraints, defaults, schemas."""

from __future__ import annotations

from collections import Counter

import psycopg
import pytest

from pytest_kroft.errors import AlreadyExists, ExecutionError, NotApplicable, UnknownType
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.types import CATALOG_NAMES, quote
from tests.conftest import MakeDB

Column = ColumnDefinition

NAMES = [
    "plain", "with space", " ", "UPPER", "select", "user", "table", 'a"quote', "it's", "100%", "%s",
    "%(name)s", "{}", "{0}", "$1", "a.b", "semi;colon", '"; drop table x; --', "-- comment", "/* open",
    "back\\slash",
    "tab\there", "line\nbreak", "ünïcode", "日本語", "😀", "\u200b", "e\u0301", "x" * 63, "é" * 31, "oid",
    "v", "c0", "t", "public",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works_everywhere(make_db: MakeDB, name: str) -> None:
    enum = EnumDefinition(name + "e" if len(name) < 60 else "e" + name[1:], [name, "other"], schema=name)
    table = TableDefinition(
        name,
        [
            Column(name, "serial", primary_key=True),
            Column("a" + name[:-1], "text", unique=True),
            Column("b" + name[:-1], enum.sql_type),
            Column("c" + name[:-1], "int", generated=f"{quote(name)} * 2"),
            Column("d" + name[:-1], "text", reserved=True),
        ],
        schema=name,
        updated_at=None,
    )
    db = make_db(enum, table, seed=1, rows=4, policy="everything")
    db.mutations.update(fraction=1)
    db.mutations.insert(rows=[{"b" + name[:-1]: name}])
    db.schema.add_column(name, "d" + name[:-1])
    db.schema.rename_column(name, "d" + name[:-1], "z" + name[:-1])
    db.schema.rename_table(name, "y" + name[:-1])
    db.mutations.delete(count=1)
    db.connection.execute(
        psycopg.sql.SQL("INSERT INTO {} DEFAULT VALUES").format(psycopg.sql.Identifier(name, "y" + name[:-1]))
    )
    assert db.adopt_rows() == 1
    for _ in range(10):
        db.mutations.mutate(count=2)
        db.evolution.evolve()
    assert db.verify()


@pytest.mark.parametrize("sql_type", sorted({*CATALOG_NAMES} - {"xml"}))
def test_every_built_in_type_is_made_updated_and_cast(make_db: MakeDB, sql_type: str) -> None:
    table = TableDefinition(
        "t",
        [
            Column("id", "int", primary_key=True),
            Column("one", sql_type, nullable=False),
            Column("many", f"{sql_type}[]"),
            Column("late", sql_type, reserved=True, nullable=False),
        ],
    )
    db = make_db(table, seed=6, rows=5, policy="breaking")
    db.mutations.update(fraction=1)
    db.schema.add_column("late")
    assert len({str(row["late"]) for row in db.expected()}) == 1
    db.mutations.insert(count=3)
    db.run(batches=6, rows=5)
    assert db.verify()


def catalog(connection: psycopg.Connection, table: str) -> Counter[str]:
    """How many constraints of each kind a table has."""
    rows = connection.execute(
        "SELECT contype::text FROM pg_constraint WHERE conrelid = %s::regclass", [table]
    ).fetchall()
    return Counter(kind for (kind,) in rows)


def test_clauses_become_constraints(make_db: MakeDB) -> None:
    table = TableDefinition(
        "t",
        [
            Column("id", "int", constraints="PRIMARY KEY"),
            Column("code", "text", constraints="NOT NULL UNIQUE"),
            Column("low", "int", constraints="DEFAULT 3 CHECK (low BETWEEN 1 AND 9)"),
            Column("high", "int", check="high >= 10"),
            Column("parent", "int", constraints="REFERENCES t (id)"),
            Column("words", "text", constraints='COLLATE "C"'),
            Column("twice", "int", constraints="GENERATED ALWAYS AS (low * 2) STORED"),
        ],
        constraints=["UNIQUE (low, code)", "CONSTRAINT apart CHECK (low < high)"],
    )
    db = make_db(table, rows=20)
    found = catalog(db.connection, "t")
    assert {kind: found[kind] for kind in "pucf"} == {"p": 1, "u": 2, "c": 3, "f": 1}
    for row in db.expected():
        assert row["low"] is None or 1 <= row["low"] <= 9
        assert row["twice"] == (None if row["low"] is None else row["low"] * 2)
    assert db.connection.execute("INSERT INTO t (id, code) VALUES (-1, 'x') RETURNING low").fetchone() == (3,)
    assert db.adopt_rows() == 1
    assert db.verify()


def test_named_and_repeated_constraints_hold_for_the_values(make_db: MakeDB) -> None:
    table = TableDefinition(
        "t",
        [
            Column("id", "int", constraints="CONSTRAINT pk PRIMARY KEY"),
            Column("name", "text", constraints="CONSTRAINT named NOT NULL CONSTRAINT once UNIQUE"),
            Column("low", "int", constraints="CHECK (low > 10) CONSTRAINT c CHECK (low < 20)"),
            Column("given", "int", constraints="CHECK (given IS NOT NULL)"),
            Column("parent", "int", constraints="CONSTRAINT f REFERENCES t (id)"),
        ],
    )
    db = make_db(table, rows=30, policy="everything")
    assert db.state.table("t").definition.key == ("id",)
    found = catalog(db.connection, "t")
    assert {kind: found[kind] for kind in "pucf"} == {"p": 1, "u": 1, "c": 1, "f": 1}
    assert all(row["given"] is not None and row["name"] is not None for row in db.expected())
    assert all(row["low"] is None or 10 < row["low"] < 20 for row in db.expected())
    db.mutations.update(fraction=1)
    for _ in range(10):
        db.mutations.mutate(count=5)
    db.run(batches=5, rows=5)
    assert db.verify()


def test_table_constraints_of_one_column_hold_for_the_values(make_db: MakeDB) -> None:
    parent = TableDefinition("parent", [Column("id", "int", primary_key=True)])
    table = TableDefinition(
        "t",
        [Column(name, "int") for name in ("id", "a", "b", "c", "parent_id")],
        constraints=[
            "CONSTRAINT pk PRIMARY KEY (id)",
            "NOT NULL a",
            "CONSTRAINT filled CHECK (b IS NOT NULL AND b BETWEEN 5 AND 7)",
            "CHECK (c > 0)",
            "FOREIGN KEY (parent_id) REFERENCES parent (id)",
        ],
    )
    db = make_db(parent, table, rows=30, policy="everything")
    found = catalog(db.connection, "t")
    assert {kind: found[kind] for kind in "pucf"} == {"p": 1, "u": 0, "c": 2, "f": 1}
    assert {row["b"] for row in db.expected("t")} <= {5, 6, 7}
    assert all(row["a"] is not None for row in db.expected("t"))
    assert any(row["parent_id"] is not None for row in db.expected("t"))
    db.mutations.update("t", fraction=1)
    for _ in range(10):
        db.mutations.mutate(count=5)
    db.run(batches=5, rows=5)
    assert db.verify()


def test_a_composite_key_and_a_constraint_are_the_same(make_db: MakeDB) -> None:
    columns = [
        Column("a", "int", primary_key=True),
        Column("b", "date", primary_key=True),
        Column("v", "int"),
    ]
    marked = make_db(TableDefinition("t", columns), rows=8)
    plain = [Column("a", "int"), Column("b", "date"), Column("v", "int")]
    declared = make_db(TableDefinition("t", plain, constraints=["PRIMARY KEY (a, b)"]), rows=8)
    for db in (marked, declared):
        assert catalog(db.connection, "t")["p"] == 1
        keys = [(row["a"], row["b"]) for row in db.expected()]
        assert db.mutations.update(keys=keys[:3], values={"v": 5}) == 3
        assert db.mutations.delete(keys=keys[4:6]) == 2
        assert db.verify()
    with pytest.raises(NotApplicable, match="a key of 't' has 2 columns, and 7 has 1"):
        marked.mutations.delete(keys=[7])


@pytest.mark.parametrize("narrow", ["mood", "boolean", "bit(2)"])
@pytest.mark.parametrize("narrow_first", [True, False])
def test_a_composite_key_of_a_wide_and_a_narrow_column_has_room_for_many_rows(
    make_db: MakeDB, narrow: str, narrow_first: bool
) -> None:
    columns = [Column("wide", "int", primary_key=True), Column("narrow", narrow, primary_key=True)]
    table = TableDefinition("t", columns[::-1] if narrow_first else columns)
    db = make_db(EnumDefinition("mood", ["sad", "ok"]), table, rows=30)
    assert len({(row["wide"], row["narrow"]) for row in db.expected()}) == 30
    assert db.verify()


def test_a_table_may_have_nothing_to_modify(make_db: MakeDB) -> None:
    db = make_db(TableDefinition("t", [Column("id", "int", primary_key=True)]), rows=3, policy="everything")
    state = db.state
    assert db.batches.modifiable_columns() == ()
    with pytest.raises(NotApplicable, match="table 't' has no column that may be updated"):
        db.mutations.update()
    assert db.state is state
    db.run(batches=10, rows=5)
    assert db.verify()


def test_a_table_of_a_stamp_alone_is_updated(make_db: MakeDB) -> None:
    columns = [Column("id", "int", primary_key=True), Column("at", "timestamptz")]
    db = make_db(TableDefinition("t", columns, updated_at="at"), rows=3)
    before = [row["at"] for row in db.expected()]
    assert db.mutations.update(fraction=1) == 3
    assert all(new["at"] > old for new, old in zip(db.expected(), before, strict=True))
    assert db.verify()


@pytest.mark.parametrize("sql_type", ["date", "timestamp", "timestamptz(0)", "timestamp(3)", "timestamptz"])
def test_every_type_of_stamp_is_written(make_db: MakeDB, sql_type: str) -> None:
    columns = [Column("id", "int", primary_key=True), Column("at", sql_type), Column("v", "int")]
    db = make_db(TableDefinition("t", columns, updated_at="at"), rows=3, policy="everything")
    for _ in range(15):
        db.mutations.mutate(count=3)
    assert db.verify()


def test_tables_live_in_schemas_of_their_own(make_db: MakeDB) -> None:
    one = TableDefinition("t", [Column("id", "int", primary_key=True)], schema="first")
    two = TableDefinition("u", [Column("id", "int", references="t")], schema="second")
    db = make_db(one, two, rows=3)
    assert db.connection.execute("SELECT count(*) FROM first.t").fetchone() == (3,)
    db.schema.create_table(TableDefinition("more", [Column("a", "int")], schema="second"))
    db.schema.rename_table("u", "t")
    with pytest.raises(AlreadyExists, match="there is already a table 't' in schema 'second'"):
        db.schema.rename_table("more", "t")
    assert db.connection.execute("SELECT count(*) FROM second.t").fetchone() == (3,)
    assert db.verify()


def test_a_default_is_constant_for_rows_that_are_there(make_db: MakeDB) -> None:
    table = TableDefinition(
        "t",
        [
            Column("id", "int", primary_key=True),
            Column("quoted", "text", default="'it''s 100%'", reserved=True),
            Column("number", "numeric(6,2)", default="1.5", reserved=True),
            Column("born", "timestamptz", default="clock_timestamp()", reserved=True),
            Column("draw", "double precision", default="random()", reserved=True),
            Column("counted", "int", identity="always", reserved=True),
            Column("opaque", "numeric", generated="id / 3.0", reserved=True),
        ],
    )
    db = make_db(table, rows=5)
    for column in db.schema.reserved():
        db.schema.add_column(column)
        assert db.verify(), column
    rows = db.expected()
    assert {(row["quoted"], str(row["number"])) for row in rows} == {("it's 100%", "1.50")}
    assert len({row["draw"] for row in rows}) == 5
    assert sorted(row["counted"] for row in rows) == [1, 2, 3, 4, 5]
    db.mutations.insert(count=3)
    db.mutations.update(fraction=1)
    assert db.verify()


@pytest.mark.parametrize(
    "column",
    [
        Column("late", "timestamptz", default="clock_timestamp()", reserved=True),
        Column("late", "double precision", default="random()", reserved=True),
        Column("late", "int", identity="by default", reserved=True),
        Column("late", "int", generated="n * 2", reserved=True),
    ],
)
def test_what_only_the_server_knows_works_without_a_key(make_db: MakeDB, column: ColumnDefinition) -> None:
    table = TableDefinition(
        "t", [Column("n", "smallint"), Column("half", "numeric", generated="n / 2.0"), column]
    )
    db = make_db(table, rows=6)
    db.schema.add_column("late")
    assert db.verify()
    db.mutations.insert(count=2)
    db.mutations.update(columns=["n"])
    assert db.verify()
    other = make_db(seed=db.seed)
    other.replay(db.history)
    assert other.verify()
    assert sorted(map(str, other.expected())) == sorted(map(str, db.expected()))


def test_a_table_that_is_there_already_is_named(make_db: MakeDB, connection: psycopg.Connection) -> None:
    from pytest_kroft.database import KroftDB

    connection.execute("CREATE TABLE t (a int)")
    dsn = connection.info.dsn
    with pytest.raises(ExecutionError) as caught:
        KroftDB(dsn, TableDefinition("t", [Column("a", "int")]))
    assert 'create table t (a): relation "t" already exists' in str(caught.value)
    assert "in a database without them" in str(caught.value)
    opened = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'kroft%'")
    assert opened.fetchone() is not None


def test_a_type_that_nobody_made_is_named(make_db: MakeDB) -> None:
    db = make_db(EnumDefinition("mood", ["ok"]))
    with pytest.raises(
        UnknownType, match="there is no type '\"moood\"'; use a built-in type or one of the enums: mood"
    ):
        db.schema.create_table(TableDefinition("t", [Column("a", "moood")]))
    assert db.state.tables == {}


def test_generators_of_the_user_make_the_values(make_db: MakeDB) -> None:
    table = TableDefinition(
        "t",
        [
            Column("id", "int", primary_key=True),
            Column("row", "text", lambda cell: f"row {cell.row}"),
            Column("name", "text", lambda cell: cell.faker.name()),
            Column("drawn", "int", lambda cell: cell.random.randint(1, 6)),
            Column("plain", "int", lambda: 7),
        ],
    )
    one, two = make_db(table, seed=1, rows=10), make_db(table, seed=1, rows=10)
    assert one.expected() == two.expected()
    assert [row["row"] for row in one.expected()] == [f"row {number}" for number in range(1, 11)]
    assert {row["plain"] for row in one.expected()} == {7}
    assert {row["drawn"] for row in one.expected()} <= set(range(1, 7))
    one.mutations.update(fraction=1)
    assert one.verify()
