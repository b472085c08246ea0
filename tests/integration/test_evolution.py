"""Databases that evolve: whatever happens, the server holds what the state says."""

from __future__ import annotations

from collections import Counter
from random import Random

import psycopg
import psycopg.rows
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import LimitReached, NotApplicable
from pytest_kroft.model.choices import AskingChoices
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.fold import fold
from pytest_kroft.model.operations import SCHEMA_KINDS, AddColumn, DropColumn, Sync, kind
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.types import quote
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.postgres.databases import Databases
from tests.conftest import MakeDB
from tests.definitions import CUSTOMERS, ENUMS, FEW, LOG, MOOD, ODD, ORDERS, TREE

Column = ColumnDefinition

STRANGE = EnumDefinition('a "type"; --', ["", " ", "a,b", "{}", "%s", "NULL", "it's", "\\"][1:], schema="ünï")
LONG = TableDefinition(
    "t" * 63,
    [
        Column("k" * 63, "smallserial", primary_key=True),
        Column("é" * 31, "varchar(5)"),
        Column("é" * 31 + "x", STRANGE.sql_type),
        Column("c" * 63, "text", reserved=True),
    ],
    schema="s" * 63,
)
PAIR = TableDefinition(
    "pair",
    [
        Column("left", "int", references="customers(id)"),
        Column("right", "varchar(40)"),
        Column("value", "int"),
        Column("extra", "int4range", reserved=True),
    ],
    schema="other",
    constraints=['PRIMARY KEY ("left", "right")', "UNIQUE (value)"],
)
RULES = TableDefinition(
    'or"der %s; --',
    [
        Column("user", "uuid", default="gen_random_uuid()", primary_key=True),
        Column("Table", "varchar(12)", unique=True, nullable=False),
        Column("100%", "int", check='"100%" BETWEEN 0 AND 100'),
        Column("sum", "numeric", generated='"100%" * 1.5'),
        Column("length", "integer", generated='char_length("Table")'),
        Column("parent", "text", references="customers(email)"),
        Column("words", STRANGE.sql_type + "[]"),
        Column("ranges", "int4multirange"),
        Column("late parent", "text", references="customers(email)", reserved=True),
        Column("born", "timestamptz", default="clock_timestamp()", reserved=True),
        Column("twice", "int", generated='"100%" * 2', reserved=True),
        Column("one", "uuid", unique=True, reserved=True),
        Column("number", "int", identity="by default", reserved=True),
    ],
    schema='sch"ema',
)
OTHERS = (ORDERS, ODD, LOG, PAIR, TREE, LONG, RULES)
SEQUENCES, LENGTH = 200, 40


def definitions(seed: int) -> list[EnumDefinition | TableDefinition]:
    """The customers, which others reference, and four more tables, others for each seed."""
    return [*ENUMS, STRANGE, CUSTOMERS, *Random(seed).sample(OTHERS, 4)]


def drive(db: KroftDB, length: int) -> None:
    """Change rows and schema in turn until so many operations were carried out."""
    end = len(db.history) + length
    while len(db.history) < end:
        db.mutations.mutate(count=4)
        db.evolution.evolve()


def test_any_sequence_of_operations_leaves_the_server_as_the_state_says(databases: Databases) -> None:
    happened: Counter[str] = Counter()
    for seed in range(SEQUENCES):
        database = databases.acquire()
        try:
            with KroftDB(database.dsn, *definitions(seed), seed=seed, rows=3, policy="everything") as db:
                drive(db, LENGTH)
                db.verify()
                happened.update(map(kind, db.history))
        except Exception as error:
            error.add_note(f"the seed is {seed}")
            raise
        databases.release(database)
    for name in ("rename_table", "drop_table", "alter_type", "add_enum_value", "truncate", "observed"):
        assert happened[name] > 10, f"{name} did not happen often enough: {happened}"


@FEW
@given(st.data())
def test_the_fold_of_the_history_is_what_the_server_holds(databases: Databases, data: st.DataObject) -> None:
    database = databases.acquire()
    tables = (*ENUMS, CUSTOMERS, ORDERS, LOG, PAIR)
    choices = AskingChoices(lambda low, high: data.draw(st.integers(low, high)))
    with KroftDB(database.dsn, *tables, policy="everything", choices=choices) as db:
        for _ in range(data.draw(st.integers(1, 15))):
            db.mutations.mutate(count=3)
            db.evolution.evolve()
        folded = fold(db.history, State(db.seed))
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            for name, table in folded.tables.items():
                assert sorted(folded.contents(name), key=str) == read_plainly(connection, table)
        db.verify()
    databases.release(database)


def read_plainly(connection: psycopg.Connection, table: TableState) -> list[tuple[str | None, ...]]:
    """The texts of all cells of a table, in a query of the test's own."""
    connection.execute("SET TimeZone = 'UTC'; SET extra_float_digits = 1")
    listed = ", ".join(f"CAST({quote(name)} AS text)" for name in table.names)
    rows = connection.execute(
        f"SELECT {listed} FROM {quote(table.definition.schema)}.{quote(table.name)}".encode()
    ).fetchall()
    return sorted((tuple(row) for row in rows), key=str)


def test_every_component_in_one_life_of_a_database(make_db: MakeDB) -> None:
    db = make_db(*ENUMS, CUSTOMERS, ORDERS, seed=11, rows=10)
    assert (len(db.expected("customers")), len(db.expected("orders"))) == (10, 10)

    assert db.mutations.insert("orders", 5) == 5
    assert db.mutations.update("orders", 4) == 4
    assert db.mutations.delete("orders", 3) == 3
    assert db.mutations.counters == {"inserted": 25, "updated": 4, "deleted": 3, "transactions": 5}
    assert len(db.expected("orders")) == 12

    db.schema.add_column("orders", "discount")
    db.schema.drop_column("orders", "tags")
    db.schema.rename_column("orders", "day", "sold on")
    db.schema.alter_type("orders", "paid", "text")
    assert "discount" in db.schema.active("orders")
    assert [stone.name for stone in db.schema.tombstones("orders")] == ["tags"]

    rows = db.batches.generate("orders", 2)
    assert db.mutations.insert("orders", rows=rows) == 2
    assert {"sold on", "discount", "paid"} <= set(rows[0])
    assert {row["id"] for row in rows} <= {row["id"] for row in db.expected("orders")}

    report = db.run(batches=5, rows=10)
    assert len(report.batches) == 5
    assert [entry.operation for entry in db.evolution.log][:9] == [
        "create_type", "create_type", "create_table", "create_table", "add_column", "drop_column",
        "rename_column", "alter_type", *[entry.operation for entry in db.evolution.log][8:9],
    ]  # fmt: skip
    assert db.schema.version == db.evolution.log[-1].version == db.state.version
    assert db.verify()


def test_the_same_seed_gives_the_same_history_and_content_and_another_gives_another(make_db: MakeDB) -> None:
    def life(seed: int) -> tuple[list[str], list[object]]:
        db = make_db(*ENUMS, CUSTOMERS, ORDERS, LOG, seed=seed, rows=5, policy="breaking")
        db.run(batches=6, rows=10)
        return db.history.lines(literal=False)[1:], [db.expected(name) for name in db.state.tables]

    assert life(1) == life(1)
    assert life(1)[1] != life(2)[1]


def test_a_column_more_in_a_definition_changes_no_value_of_another_column(make_db: MakeDB) -> None:
    def life(*more: ColumnDefinition) -> list[dict[str, object]]:
        columns = [
            Column("id", "int", primary_key=True),
            *more,
            Column("name", "text"),
            Column("amount", "numeric(8,2)", unique=True),
            Column("at", "timestamptz"),
        ]
        db = make_db(TableDefinition("t", columns, updated_at="at"), seed=5, rows=30)
        ids = [row["id"] for row in db.expected()]
        db.mutations.update(keys=ids[3:9], columns=["name", "amount"])
        db.mutations.delete(keys=ids[12:15])
        db.mutations.insert(count=4)
        db.verify()
        return db.connection.cursor(row_factory=psycopg.rows.dict_row).execute("TABLE t").fetchall()

    added = life(Column("more", "jsonb"), Column("unique more", "text", unique=True))
    without = [{name: row[name] for name in ("id", "name", "amount", "at")} for row in added]
    assert sorted(without, key=str) == sorted(life(), key=str)


def test_a_run_reports_what_it_did(make_db: MakeDB) -> None:
    db = make_db(*ENUMS, CUSTOMERS, ORDERS, seed=3, rows=5, policy="breaking")
    before, operations = Counter(map(kind, db.history)), len(db.history)
    counted = Counter(db.mutations.counters)
    report = db.run(batches=8, rows=20)

    assert [batch.number for batch in report.batches] == list(range(1, 9))
    assert {batch.batches for batch in report.batches} == {8}
    assert report.operations == len(db.history) - operations
    after = Counter(map(kind, db.history)) - before
    assert after["sync"] == 8
    assert report.schema_changes == {name: count for name, count in after.items() if name in SCHEMA_KINDS}
    assert sum(batch.rows for batch in report.batches) == report.inserted + report.updated + report.deleted
    assert report.inserted == db.mutations.counters["inserted"] - counted["inserted"] > 0
    assert f"8 batches, {report.operations} operations (seed 3)" in str(report)
    assert sum(len(batch.evolved) for batch in report.batches) == sum(report.schema_changes.values())


def test_a_stream_yields_when_the_server_holds_the_batch(make_db: MakeDB) -> None:
    db = make_db(*ENUMS, CUSTOMERS, ORDERS, seed=3, policy="breaking")
    seen = 0
    for report in db.stream(batches=6, rows=10):
        seen += 1
        assert report.number == seen
        assert isinstance(db.history[-1], Sync)
        for name in db.state.tables:
            with psycopg.connect(db.dsn) as connection:
                cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
                db.assert_same(
                    name, cursor.execute(f"SELECT * FROM {quote(db.state.table(name).name)}".encode())
                )
    assert seen == 6


@pytest.mark.parametrize("batches, rows", [(0, 5), (5, 0), (-1, 1)])
def test_a_simulation_of_nothing_is_refused_at_once(make_db: MakeDB, batches: int, rows: int) -> None:
    db = make_db(LOG)
    with pytest.raises(NotApplicable, match=f"at least 1 batch and 1 row, not {batches} and {rows}"):
        db.stream(batches, rows)


def test_a_simulation_needs_a_table(make_db: MakeDB) -> None:
    with pytest.raises(NotApplicable, match="there is no table to change"):
        make_db().run()


def test_a_calm_policy_changes_no_schema_and_deletes_nothing(make_db: MakeDB) -> None:
    db = make_db(*ENUMS, CUSTOMERS, ORDERS, seed=1, policy="calm")
    version = db.schema.version
    db.run(batches=15, rows=10)
    assert db.schema.version == version
    assert {kind(operation) for operation in db.history} == {
        "create_type", "create_table", "insert", "update", "observed", "sync",
    }  # fmt: skip
    db.verify()


def test_limits_of_a_policy_are_kept_and_named(make_db: MakeDB) -> None:
    db = make_db(*ENUMS, CUSTOMERS, seed=1, rows=3, policy=EvolutionPolicy(max_additions=1, max_drops=2))
    added = db.evolution.add_column()
    dropped = [db.evolution.drop_column(), db.evolution.drop_column()]
    assert added in ("note", "vip")
    held, history = db.state, len(db.history)
    with pytest.raises(
        LimitReached, match="limit of 1 additions of a column is reached; raise max_additions"
    ):
        db.evolution.add_column()
    with pytest.raises(LimitReached, match="limit of 2 drops of a column is reached; raise max_drops"):
        db.evolution.drop_column()
    assert db.state is held
    assert len(db.history) == history
    db.run(batches=20, rows=5)
    kinds = Counter(type(operation) for operation in db.history)
    assert (kinds[AddColumn], kinds[DropColumn]) == (1, len(dropped))
    db.verify()


def test_a_renamed_table_is_still_called_by_its_definitions_name(make_db: MakeDB) -> None:
    db = make_db(*ENUMS, CUSTOMERS, ORDERS, seed=2, rows=4, policy="everything")
    db.schema.rename_table("customers", "Clients; --")
    db.schema.rename_table("orders", "customers")
    db.mutations.insert("customers", 3)
    db.mutations.insert("orders", 3)
    db.mutations.update("customers", 2)
    db.schema.drop_column("customers", "tier")
    db.schema.add_column("customers", "note")
    db.mutations.delete("orders", 1)
    assert db.connection.execute('SELECT count(*) FROM "Clients; --"').fetchone() == (7,)
    assert db.connection.execute("SELECT count(*) FROM customers").fetchone() == (6,)
    db.verify()
    for _ in range(30):
        db.mutations.mutate(count=3)
        db.evolution.evolve()
    db.verify()


def test_a_table_made_again_has_new_values_and_takes_operations(make_db: MakeDB) -> None:
    db = make_db(LOG, seed=2, rows=4)
    old = db.expected("log")
    db.schema.drop_table("log")
    assert db.connection.execute("SELECT to_regclass('log')").fetchone() == (None,)
    db.schema.create_table(LOG)
    assert db.expected("log") == []
    db.mutations.insert("log", 4)
    assert db.verify()
    assert db.expected("log") != old


def test_a_new_label_of_an_enum_is_used(make_db: MakeDB) -> None:
    table = TableDefinition("t", [Column("id", "serial", primary_key=True), Column("mood", MOOD.sql_type)])
    db = make_db(MOOD, table, seed=4, rows=10)
    old = db.expected()
    db.schema.add_enum_value(MOOD.name, "so-so", after="sad")
    assert db.expected() == old
    db.mutations.insert(rows=[{"mood": "so-so"}])
    db.mutations.insert(count=60)
    labels = Counter(row["mood"] for row in db.expected())
    assert labels["so-so"] > 1
    assert db.connection.execute('SELECT enum_range(NULL::"my mood")::text[]').fetchone() == (
        ["sad", "so-so", "ok", "it's glad"],
    )
    db.verify()


def test_a_dropped_column_comes_back_only_where_the_policy_lets_it(make_db: MakeDB) -> None:
    strict = make_db(LOG, rows=3)
    strict.schema.drop_column("line")
    with pytest.raises(NotApplicable, match="'readd_column'"):
        strict.schema.add_column("line")
    free = make_db(LOG, rows=3, policy="breaking")
    before = [row["line"] for row in free.expected()]
    free.schema.drop_column("line")
    free.schema.add_column("line")
    assert [row["line"] for row in free.expected()] == [None] * 3 != before
    free.mutations.insert(count=3)
    free.verify()
    strict.verify()


def test_a_large_batch_is_inserted_updated_and_deleted(make_db: MakeDB) -> None:
    table = TableDefinition(
        "t",
        [
            Column("id", "bigserial", primary_key=True),
            Column("code", "text", unique=True),
            Column("value", "numeric(10,2)"),
            Column("at", "timestamptz"),
        ],
        updated_at="at",
    )
    db = make_db(table, seed=1)
    assert db.mutations.insert(count=20_000) == 20_000
    assert db.mutations.update(fraction=0.5) == 10_000
    assert db.mutations.delete(fraction=0.25) == 5_000
    assert db.connection.execute("SELECT count(*), max(id) FROM t").fetchone() == (15_000, 20_000)
    own = "INSERT INTO t (code) VALUES ('mine') RETURNING id > 20000"
    assert db.connection.execute(own).fetchone() == (True,)
    assert db.adopt_rows() == 1
    assert db.verify()
