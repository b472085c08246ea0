"""KroftDB as a user holds it: in a script, with given rows, refused operations, histories and seeds."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import psycopg
import psycopg.rows
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import (
    AlreadyExists,
    DefinitionError,
    ExecutionError,
    GeneratorError,
    HistoryError,
    KroftError,
    Mismatch,
    NotApplicable,
    OperationError,
    Protected,
    UnknownColumn,
    UnknownTable,
    UnknownType,
    ValueRefused,
)
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    CreateTable,
    CreateType,
    Delete,
    DropColumn,
    DropTable,
    DropType,
    Insert,
    Observed,
    Operation,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
)
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.types import parse_type
from pytest_kroft.model.uniqueness import token
from pytest_kroft.postgres.databases import Database
from pytest_kroft.postgres.script import SETTINGS
from tests.conftest import MakeDB

Column = ColumnDefinition

MOOD = EnumDefinition("mood", ["sad", "ok"])
ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "bigserial", primary_key=True),
        Column("name", "text", nullable=False),
        Column("code", "text", unique=True),
        Column("amount", "numeric(8,2)"),
        Column("double", "numeric", generated="amount * 2"),
        Column("mood", "mood"),
        Column("kept", "int", protected=True),
        Column("updated_at", "timestamptz"),
        Column("note", "text", reserved=True),
    ],
    updated_at="updated_at",
)
LINES = TableDefinition(
    "lines",
    [
        Column("order_id", "bigint", primary_key=True, references="orders"),
        Column("number", "int", primary_key=True),
        Column("text", "text"),
    ],
)
LOG = TableDefinition("log", [Column("line", "text")])


@pytest.fixture
def db(make_db: MakeDB) -> KroftDB:
    return make_db(MOOD, ORDERS, LINES, LOG, seed=1, rows=4)


def unchanged(db: KroftDB, call: Callable[[], object], error: type[Exception], words: str) -> None:
    """The call raises the error in these words, and nothing has changed; the next operation works."""
    state, done, counters = db.state, [*db.history], dict(db.mutations.counters)
    with pytest.raises(error, match=words):
        call()
    assert db.state is state
    assert [*db.history] == done
    assert dict(db.mutations.counters) == counters
    assert db.verify()
    assert db.mutations.insert("orders", 2) == 2
    assert db.verify()


REFUSED: list[tuple[Operation, type[Exception], str]] = [
    (Insert("nothing", 1, 1, 0), UnknownTable, "there is no table 'nothing'; the tables are: orders, "),
    (Insert("orders", 1, 1, 0), NotApplicable, "row number 1 of 'orders' was used before; the next is 5"),
    (Insert("orders", 9, 0, 0), NotApplicable, "needs at least one row"),
    (Insert("orders", 9, 1, 0, cells={"nope": ("1",)}), UnknownColumn, "'orders' has no column 'nope'"),
    (Insert("orders", 9, 1, 0, cells={"double": ("1",)}), Protected, "'double'.*the server computes it"),
    (
        Insert("orders", 9, 1, 0, cells={"mood": ("new",)}),
        NotApplicable,
        "'new' is no label of 'mood'.*sad, ok",
    ),
    (Insert("orders", 9, 1, 0, cells={"name": (None,)}), NotApplicable, "'name' of 'orders' is NOT NULL"),
    (Insert("orders", 9, 1, 0, cells={"id": ("1",)}), NotApplicable, "would repeat a unique value: id 1"),
    (Insert("lines", 9, 1, 0), NotApplicable, "no parent for 'order_id'"),
    (
        Update("orders", (99,), ("name",), 9, 0),
        NotApplicable,
        "row number 99 of 'orders'.*there is no such row",
    ),
    (Update("orders", (1,), ("nope",), 9, 0), UnknownColumn, "'orders' has no column 'nope'"),
    (Update("orders", (1,), ("double",), 9, 0), Protected, "column 'double' of table 'orders' is protected"),
    (Update("log", (1,), ("line",), 9, 0), NotApplicable, "has no primary key"),
    (Delete("orders", (1, 2, 3, 4)), NotApplicable, "'order_id' of 'lines' references it"),
    (Delete("orders", (99,)), NotApplicable, "row number 99 of 'orders'"),
    (Truncate("orders"), NotApplicable, "'orders' cannot be truncated: column 'order_id' of 'lines'"),
    (Truncate("nothing"), UnknownTable, "'nothing'"),
    (CreateTable(LOG), AlreadyExists, "there is already a table 'log'"),
    (
        CreateTable(TableDefinition("x", [Column("a", "unheard")])),
        UnknownType,
        "there is no type '\"unheard\"'",
    ),
    (DropTable("orders"), NotApplicable, "'orders' cannot be dropped: column 'order_id' of table 'lines'"),
    (DropTable("nothing"), UnknownTable, "'nothing'"),
    (RenameTable("log", "orders"), AlreadyExists, "there is already a table 'orders' in schema 'public'"),
    (RenameTable("log", "x" * 64), DefinitionError, "has 64 bytes, and PostgreSQL keeps 63"),
    (AddColumn("orders", Column("name", "int")), AlreadyExists, "there is already a column 'name'"),
    (AddColumn("orders", Column("x", "unheard")), UnknownType, "there is no type '\"unheard\"'"),
    (
        AddColumn("orders", Column("x", "int", nullable=False)),
        NotApplicable,
        "is NOT NULL and has no default",
    ),
    (AddColumn("orders", Column("x", "int", default="'a'")), NotApplicable, "default of column 'x'"),
    (AddColumn("orders", Column("x", "int", primary_key=True)), NotApplicable, "primary key cannot be added"),
    (AddColumn("orders", Column("x", "int", unique=True, default="1")), NotApplicable, "would be in 4 rows"),
    (
        DropColumn("orders", "kept"),
        Protected,
        "column 'kept' of table 'orders' is protected: it is defined as",
    ),
    (DropColumn("orders", "id"), Protected, "it is part of the primary key"),
    (DropColumn("orders", "updated_at"), Protected, "it is the updated_at column"),
    (DropColumn("orders", "nope"), UnknownColumn, "'nope'; its columns are: id, name, code, amount, double,"),
    (DropColumn("orders", "amount"), NotApplicable, "the generated column 'double' is computed from it"),
    (DropColumn("log", "line"), NotApplicable, "is the last one of table 'log'"),
    (RenameColumn("orders", "name", "code"), AlreadyExists, "there is already a column 'code'"),
    (RenameColumn("orders", "kept", "x"), Protected, "'kept'"),
    (AlterType("orders", "id", "text"), Protected, "'id'"),
    (AlterType("orders", "name", "point"), NotApplicable, "no exact cast from text to point"),
    (
        AlterType("orders", "amount", "text"),
        NotApplicable,
        "the generated column 'double' is computed from it",
    ),
    (AlterType("orders", "code", "unheard"), UnknownType, "unheard"),
    (SetDefault("orders", "double", "1"), NotApplicable, "is computed by the server; it takes no default"),
    (SetDefault("orders", "amount", "'x'"), NotApplicable, "default of column 'amount'"),
    (SetNullable("orders", "id", True), Protected, "'id'"),
    (SetNullable("log", "nope", True), UnknownColumn, "'nope'"),
    (CreateType(MOOD), AlreadyExists, "there is already a type 'mood'"),
    (DropType("mood"), NotApplicable, "type 'mood' cannot be dropped: column 'mood' of table 'orders'"),
    (DropType("nothing"), UnknownType, "there is no type 'nothing'.*the enums: mood"),
    (AddEnumValue("mood", "ok"), AlreadyExists, "there is already a label 'ok' in enum 'mood'"),
    (AddEnumValue("nothing", "ok"), UnknownType, "there is no type 'nothing'"),
    (Observed("orders", "test", (1,), {"nope": ("1",)}), UnknownColumn, "'nope'"),
    (Observed("nothing", "test", (1,), {}), UnknownTable, "'nothing'"),
]


@pytest.mark.parametrize("operation, error, words", REFUSED, ids=lambda value: type(value).__name__)
def test_an_operation_that_cannot_apply_is_refused_and_changes_nothing(
    db: KroftDB, operation: Operation, error: type[Exception], words: str
) -> None:
    unchanged(db, lambda: db.apply(operation), error, words)


CALLS: list[tuple[Callable[[KroftDB], object], type[Exception], str]] = [
    (lambda db: db.schema.add_column("orders", "nope"), OperationError, "'nope'.*note"),
    (lambda db: db.schema.add_column("log"), NotApplicable, "table 'log' has no reserved column left to add"),
    (
        lambda db: db.schema.drop_column("note"),
        NotApplicable,
        "say which table: there are 3: orders, log, lines",
    ),
    (lambda db: db.schema.drop_column("orders", "x", "y"), NotApplicable, "this call takes column"),
    (lambda db: db.mutations.insert("orders", 0), NotApplicable, "must be 1 or more, not 0"),
    (
        lambda db: db.mutations.insert("orders", 3, rows=[{}]),
        NotApplicable,
        "count is 3 and 1 rows are given",
    ),
    (lambda db: db.mutations.insert("orders", rows=[{"x": 1}]), UnknownColumn, "'orders' has no column 'x'"),
    (lambda db: db.mutations.insert("orders", rows=[{"amount": "x"}]), ValueRefused, "column 'amount'"),
    (lambda db: db.mutations.insert("orders", rows=[{"amount": 1e9}]), ValueRefused, "column 'amount'"),
    (
        lambda db: db.mutations.insert("orders", rows=[{"code": "a"}] * 2),
        NotApplicable,
        "repeat a unique value: code a",
    ),
    (lambda db: db.mutations.update("orders", fraction=1, values={"code": "a"}), NotApplicable, "code a"),
    (
        lambda db: db.mutations.update("orders", keys=[99], values={"name": "x"}),
        NotApplicable,
        "no row with the key 99",
    ),
    (
        lambda db: db.mutations.update("orders", 1, fraction=1),
        NotApplicable,
        "by count, by fraction or by keys",
    ),
    (lambda db: db.mutations.update("orders", fraction=1.5), NotApplicable, "from 0 to 1, not 1.5"),
    (lambda db: db.mutations.update("orders", 1, columns=["x"]), UnknownColumn, "'x'"),
    (lambda db: db.mutations.delete("orders", -1), NotApplicable, "0 or more, not -1"),
    (
        lambda db: db.mutations.delete("log", keys=["x"]),
        NotApplicable,
        "'log' has no primary key to find rows by",
    ),
    (lambda db: db.expected("nothing"), UnknownTable, "'nothing'"),
    (lambda db: db.assert_same("nothing", []), UnknownTable, "'nothing'"),
    (lambda db: db.batches.generate("nothing"), UnknownTable, "'nothing'"),
    (lambda db: db.batches.generate("orders", 0), NotApplicable, "1 or more, not 0"),
]


@pytest.mark.parametrize("call, error, words", CALLS)
def test_a_call_that_cannot_apply_is_refused_and_changes_nothing(
    db: KroftDB, call: Callable[[KroftDB], object], error: type[Exception], words: str
) -> None:
    unchanged(db, lambda: call(db), error, words)


# Values given on purpose


GIVEN: list[tuple[str, object]] = [
    ("smallint", -32768),
    ("integer", 7),
    ("bigint", 2**63 - 1),
    ("numeric", Decimal("1e-30")),
    ("numeric(6,2)", 1.25),
    ("numeric", Decimal("NaN")),
    ("real", 0.1),
    ("double precision", float("inf")),
    ("boolean", False),
    ("text", "it's 100% \\ \n \t NULL"),
    ("text", ""),
    ("varchar(3)", "éé"),
    ("char(4)", "ab"),
    ("bytea", b"\x00\xff'\\"),
    ("date", date(2024, 2, 29)),
    ("time", time(23, 59, 59, 999999)),
    ("timestamp", datetime(2024, 1, 2, 3, 4, 5, 6)),
    ("timestamptz", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("interval", timedelta(days=-1, seconds=5)),
    ("uuid", uuid.UUID(int=7)),
    ("json", {"a": [1, None, "é"]}),
    ("jsonb", {"b": 1.5, "a": {"c": []}}),
    ("inet", IPv4Address("10.0.0.1")),
    ("cidr", IPv4Network("10.0.0.0/8")),
    ("text[]", ["a,b", 'q"u', None, "NULL", ""]),
    ("integer[]", [[1, 2], [3, 4]]),
    ("date[]", [date(2024, 1, 1)]),
    ("point", "(1,2)"),
    ("int4range", "[1,5)"),
    ("tsvector", "a fat cat"),
    ("xid", 5),
    ("mood", "ok"),
    ("mood[]", ["sad", "ok"]),
]


@pytest.mark.parametrize("sql_type, value", GIVEN)
def test_a_given_value_is_what_a_cursor_reads(make_db: MakeDB, sql_type: str, value: object) -> None:
    table = TableDefinition("t", [Column("id", "serial", primary_key=True), Column("v", sql_type)])
    db = make_db(MOOD, table, rows=2)
    assert db.mutations.insert(rows=[{"v": value}, {"v": None}, {}]) == 3
    assert db.mutations.update(keys=[1], values={"v": value}) == 1
    assert db.verify()
    cursor = db.connection.cursor(row_factory=psycopg.rows.dict_row)
    read = cursor.execute("SELECT * FROM t ORDER BY id").fetchall()
    assert repr(sorted(db.expected(), key=lambda row: row["id"])) == repr(read)
    assert repr(read[0]["v"]) == repr(read[2]["v"])
    assert read[3]["v"] is None
    # These are given in one form and read in another.
    if sql_type not in ("char(4)", "numeric(6,2)", "point", "int4range", "tsvector", "xid", "mood[]"):
        assert read[0]["v"] == value or value != value  # noqa: PLR0124


@pytest.mark.parametrize(
    "sql_type, value", [("point", "(1"), ("int4range", "[5,1)"), ("tsquery", "&"), ("xid", "x")]
)
def test_a_given_value_that_only_the_server_can_judge_is_refused(
    make_db: MakeDB, sql_type: str, value: str
) -> None:
    db = make_db(
        TableDefinition("t", [Column("id", "serial", primary_key=True), Column("v", sql_type)]), rows=1
    )
    state = db.state
    for call in (
        lambda: db.mutations.insert(rows=[{"v": value}]),
        lambda: db.mutations.update(values={"v": value}),
    ):
        with pytest.raises(ValueRefused, match=r"is no value of type .*column 'v'"):
            call()
    assert db.state is state
    assert db.verify()


def test_generated_rows_can_be_given_back(db: KroftDB) -> None:
    rows = db.batches.generate("orders", 3)
    assert db.verify()
    assert db.mutations.insert("orders", rows=rows) == 3
    held = {row["id"]: row for row in db.expected("orders")}
    for row in rows:
        assert {name: held[row["id"]][name] for name in row} == row
    assert db.verify()


def test_rows_are_chosen_by_count_fraction_and_keys(db: KroftDB) -> None:
    db.mutations.insert("orders", 16)
    assert db.mutations.update("orders", 5) == 5
    assert db.mutations.update("orders", fraction=0.25) == 5
    assert db.mutations.update("orders", fraction=0) == 0
    assert db.mutations.update("orders", keys=[7, 9], values={"name": "x", "amount": 2}) == 2
    assert [(r["id"], r["double"]) for r in db.expected("orders") if r["name"] == "x"] == [(7, 4), (9, 4)]
    assert db.mutations.delete("orders", keys=[7, 9]) == 2
    keys = [(row["order_id"], row["number"]) for row in db.expected("lines")]
    assert db.mutations.update("lines", keys=keys[:2], columns=["text"]) == 2
    assert db.mutations.delete("lines", keys=keys[:1]) == 1
    assert db.mutations.delete("lines", fraction=1) == 3
    assert db.mutations.delete("lines", 5) == 0
    assert db.verify()


def test_a_row_without_a_key_value_goes_past_one_that_was_given(make_db: MakeDB) -> None:
    db = make_db(ORDERS, MOOD, rows=2)
    db.mutations.insert(rows=[{"id": 5}])
    for _ in range(4):
        assert db.mutations.insert(rows=[{"name": "next"}]) == 1
    assert db.mutations.insert(count=3) == 3
    assert db.verify()


# In a script


def test_a_script_needs_no_pytest(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "simulate.py"
    file.write_text(
        textwrap.dedent(f"""
            import sys
            from pytest_kroft import ColumnDefinition, KroftDB, TableDefinition

            orders = TableDefinition("orders", [
                ColumnDefinition("id", "serial", primary_key=True),
                ColumnDefinition("name", "text"),
                ColumnDefinition("note", "text", reserved=True),
            ])
            with KroftDB({database.dsn!r}, orders, seed=7, rows=5) as db:
                report = db.run(batches=3, rows=5)
                db.verify()
                print(len(report.batches), "pytest" in sys.modules, db)
            """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 False <KroftDB seed=7 tables=['orders'] operations=")
    with psycopg.connect(database.dsn) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM orders").fetchone() == (True,)


def test_leaving_the_block_closes_every_connection(make_db: MakeDB, connection: psycopg.Connection) -> None:
    with KroftDB(connection.info.dsn, LOG, rows=2) as db:
        opened = [db.connection, db.connect(), db.connect()]
        assert all(one.autocommit for one in opened)
        assert db.connection is db.connection
        assert len({one.info.backend_pid for one in opened}) == 3
        opened[0].execute("INSERT INTO log VALUES ('mine')")
        assert opened[1].execute("SELECT count(*) FROM log").fetchone() == (3,)
    assert all(one.closed for one in opened)
    assert connection.execute("SELECT count(*) FROM log").fetchone() == (3,)
    db.close()


def test_a_failed_start_leaves_no_session_behind(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE log (mine int)")
    with pytest.raises(ExecutionError, match='relation "log" already exists'):
        KroftDB(connection.info.dsn, LOG)
    for _ in range(100):
        sessions = connection.execute(
            "SELECT pg_sleep(0.01), count(*) FROM pg_stat_activity WHERE application_name = 'kroft'"
        ).fetchone()
        if sessions and sessions[1] == 0:
            return
    pytest.fail("a session of kroft is still there")


@pytest.mark.parametrize(
    "dsn, words",
    [
        ("postgresql://nobody@127.0.0.1:1/x", "the database cannot be reached: .*Connection refused"),
        ("host=/nowhere dbname=x", "the database cannot be reached: .*No such file or directory"),
        ("nonsense", 'the connection string cannot be read: missing "=" after "nonsense"'),
        ("mysql://localhost/x", "scheme 'mysql' names no PostgreSQL server that kroft can use"),
        (
            "postgresql+psycopg://u:secret@localhost/x",
            "write it as postgresql://user:password@host:port/database",
        ),
    ],
)
def test_a_wrong_dsn_is_one_clear_sentence(dsn: str, words: str) -> None:
    with pytest.raises(KroftError, match=words) as caught:
        KroftDB(dsn, LOG)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_named(database: Database) -> None:
    with pytest.raises(KroftError, match=r'cannot be reached: .* database "nowhere" does not exist'):
        KroftDB(database.dsn.replace(database.name, "nowhere"), LOG)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"clock": "sundial"}, "clock must be 'logical' or 'server', not 'sundial'"),
        ({"rows": -1}, "rows must be 0 or more, not -1"),
        ({"policy": "wild"}, "there is no policy 'wild'; the policies are: calm, churn, additive, evolving,"),
        ({"policy": {"earthquake"}}, "earthquake"),
    ],
)
def test_a_wrong_option_is_refused(database: Database, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        KroftDB(database.dsn, LOG, **options)


def test_a_table_that_nobody_registered_is_named(database: Database) -> None:
    with pytest.raises(KroftError, match="unregistered"):
        KroftDB(database.dsn, "unregistered")


# Comparing


def test_a_copy_is_compared_in_any_form(db: KroftDB) -> None:
    for factory in (psycopg.rows.dict_row, psycopg.rows.namedtuple_row, psycopg.rows.tuple_row):
        cursor = db.connection.cursor(row_factory=factory)
        db.assert_same("orders", cursor.execute("SELECT * FROM orders ORDER BY random()"))
    db.assert_same("orders", db.expected("orders"))
    db.assert_same("orders", {row["id"]: row for row in db.expected("orders")})
    db.assert_same("log", db.connection.execute("SELECT * FROM log"))


def test_a_wrong_copy_is_described(db: KroftDB) -> None:
    rows = db.expected("orders")
    rows[1]["name"] = "another"
    with pytest.raises(Mismatch, match="orders: the copy lacks 1 of 4 rows and 1 row differs") as caught:
        db.assert_same("orders", rows[1:])
    assert "id 1: not in the copy" in str(caught.value)
    assert "'another'" in str(caught.value)
    comparison = db.compare("orders", rows[1:])
    assert not comparison.same
    assert [row["id"] for row in comparison.missing] == [1]
    with pytest.raises(Mismatch, match="kept"):
        db.assert_same("orders", db.connection.execute("SELECT id, name, code FROM orders"))


def test_one_table_need_not_be_named(make_db: MakeDB) -> None:
    db = make_db(LOG, rows=3)
    assert len(db.expected()) == 3
    assert db.mutations.insert(count=2) == 2
    db.schema.add_column("more", sql_type="int")
    assert db.schema.active() == ("line", "more")
    assert db.verify()


# Time


def test_the_servers_clock_stamps_rows(make_db: MakeDB, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    db = make_db(MOOD, ORDERS, rows=3, clock="server")
    first = max(row["updated_at"] for row in db.expected())
    db.mutations.update(fraction=1)
    stamps = {row["updated_at"] for row in db.expected()}
    assert before < first < min(stamps) < datetime.now(UTC) + timedelta(minutes=1)
    assert db.verify()
    other = make_db()
    other.replay(History.load(db.save(tmp_path / "history.jsonl")))
    assert other.expected() == db.expected()


def test_the_logical_clock_starts_at_the_same_instant_and_goes_on(db: KroftDB) -> None:
    first = {row["updated_at"] for row in db.expected("orders")}
    assert len(first) == 1
    assert first < {datetime(2020, 1, 1, tzinfo=UTC)} or min(first).year == 2020
    db.mutations.update("orders", keys=[1], values={"name": "x"})
    assert db.expected("orders")[0]["updated_at"] > max(first)
    assert db.expected("orders")[1]["updated_at"] == max(first)


# Histories


def contents(db: KroftDB) -> dict[str, list[str]]:
    return {name: sorted(map(str, db.expected(name))) for name in db.state.tables}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("literal", [True, False])
def test_a_saved_history_builds_the_same_in_another_database(
    make_db: MakeDB, tmp_path: Path, seed: int, literal: bool
) -> None:
    db = make_db(MOOD, ORDERS, LINES, LOG, seed=seed, rows=4, policy="everything")
    db.run(batches=6, rows=10)
    db.connection.execute("CREATE TABLE mine ()")
    for name, table in db.state.tables.items():
        if name != "lines" and table.columns:
            query = psycopg.sql.SQL("DELETE FROM {} WHERE false").format(psycopg.sql.Identifier(table.name))
            db.connection.execute(query)
    history = History.load(db.history.save(tmp_path / "history.jsonl", literal=literal))
    other = make_db(seed=seed)
    other.replay(history)
    assert other.verify()
    assert contents(other) == contents(db)
    assert other.state.version == db.state.version


@pytest.mark.parametrize("rows", [0, 4])
@pytest.mark.parametrize("saved", [True, False])
def test_a_history_goes_on_in_a_database_with_the_same_tables(
    make_db: MakeDB, tmp_path: Path, rows: int, saved: bool
) -> None:
    db = make_db(MOOD, ORDERS, LINES, LOG, seed=5, rows=rows)
    start = len(db.history)
    db.run(batches=3, rows=5)
    history = History.load(db.save(tmp_path / "history.jsonl")) if saved else db.history
    other = make_db(MOOD, ORDERS, LINES, LOG, seed=5, rows=rows)
    assert len(other.history) == start
    other.replay(history)
    assert other.verify()
    assert contents(other) == contents(db)
    assert len(other.history) == len(db.history)


def test_a_history_means_the_same_under_another_seed(make_db: MakeDB) -> None:
    db = make_db(MOOD, ORDERS, LOG, seed=5, rows=3)
    db.mutations.update("orders", 2)
    other = make_db(seed=6)
    other.replay(db.history)
    assert contents(other) == contents(db)
    assert other.verify()
    other.mutations.insert("orders", 3)
    assert other.verify()


def test_play_yields_at_each_sync_and_at_the_end(make_db: MakeDB) -> None:
    db = make_db(LOG, seed=2, rows=2)
    db.run(batches=3, rows=4)
    other = make_db(seed=2)
    seen = [operation for operation in other.play(db.history) if other.verify()]
    assert seen == [Sync(), Sync(), Sync(), None]


def test_what_the_server_drew_is_written_in_a_replay(make_db: MakeDB, tmp_path: Path) -> None:
    table = TableDefinition(
        "t", [Column("id", "int", primary_key=True), Column("r", "float8", default="random()", reserved=True)]
    )
    db = make_db(table, rows=5)
    db.schema.add_column("r")
    db.mutations.insert(count=2)
    other = make_db()
    other.replay(History.load(db.save(tmp_path / "history.jsonl")))
    assert other.verify()
    assert other.expected() == db.expected()


def test_a_server_that_computes_something_else_is_noticed(make_db: MakeDB) -> None:
    db = make_db()
    db.connection.execute("CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'")
    db.schema.create_table(
        TableDefinition("t", [Column("id", "int", primary_key=True), Column("g", "int", generated="f(id)")])
    )
    db.mutations.insert(count=2)
    other = make_db()
    other.connection.execute("CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 3'")
    with pytest.raises(ExecutionError, match="computed other values of g than the history observed"):
        other.replay(db.history)


def test_a_history_that_does_not_apply_is_refused(make_db: MakeDB, tmp_path: Path) -> None:
    db = make_db(LOG, rows=2)
    lines = db.history.lines()
    (tmp_path / "broken.jsonl").write_text("\n".join([lines[0], lines[2]]))
    with pytest.raises(HistoryError, match="line 2: there is no table 'log'"):
        History.load(tmp_path / "broken.jsonl")


# What the server decides, and what follows from it


EQUAL = [
    ("numeric", "1.50", "1.5"), ("numeric", "NaN", "NaN"), ("double precision", "-0", "0"),
    ("char(4)", "a ", "a"), ("interval", "1 day", "24:00:00"), ("interval", "1 year", "365 days"),
    ("interval", "1 year -2 mons +3 days -04:05:06.5", "302 days 19:54:53.5"),
    ("interval", "infinity", "infinity"), ("numeric[]", "{1.0,NULL}", "{1.00,NULL}"),
    ("numeric[]", "{{1},{2}}", "{{1,2}}"), ("numeric[]", "[0:1]={1,2}", "{1,2}"),
    ("interval[]", '{"1 mon",NULL}', '{"30 days",NULL}'), ("text", "a ", "a"), ("text[]", "{a}", '{"a"}'),
]  # fmt: skip


@pytest.mark.parametrize("name, one, other", EQUAL)
def test_tokens_are_equal_where_the_server_calls_values_equal(
    connection: psycopg.Connection[Any], name: str, one: str, other: str
) -> None:
    query = f"SELECT $1::text::{name} = $2::text::{name}, $1::text::{name}::text, $2::text::{name}::text"
    found = psycopg.RawCursor(connection).execute(query.encode(), [one, other]).fetchone()
    assert found is not None
    same, *texts = found
    first, second = (token(text, parse_type(name)) for text in texts)
    assert (first == second) is same


def test_a_row_is_found_by_a_key_that_is_written_otherwise(make_db: MakeDB) -> None:
    columns = [Column("k", "numeric"), Column("i", "interval"), Column("v", "int")]
    db = make_db(TableDefinition("t", columns, constraints=["PRIMARY KEY (k, i)"]))
    db.mutations.insert(rows=[{"k": "1.50", "i": timedelta(days=1)}])
    assert db.mutations.update(keys=[(Decimal("1.5"), "24:00:00")], values={"v": 7}) == 1
    with pytest.raises(NotApplicable, match="repeat a unique value"):
        db.mutations.insert(rows=[{"k": "1.500", "i": "24:00:00"}])
    assert db.verify()
    assert db.mutations.delete(keys=[(1.5, "1 day")]) == 1
    assert db.verify()


def test_updates_leave_an_identity_column_that_the_server_fills(make_db: MakeDB) -> None:
    columns = [Column("id", "int", primary_key=True), Column("n", "int", identity="always")]
    db = make_db(TableDefinition("t", [*columns, Column("v", "int")]), rows=5)
    assert [db.mutations.update(count=2) for _ in range(8)] == [2] * 8
    assert db.verify()


def test_a_refusal_half_way_says_what_was_done(make_db: MakeDB) -> None:
    # Rows 1 and 2 both hold 1, so that row 3 needs a transaction of its own, which the check refuses.
    column = Column("a", "int", lambda cell: (cell.row + 1) // 2, unique=True, nullable=False)
    db = make_db(TableDefinition("t", [column], constraints=["CHECK (a + 0 < 2)"]))
    with pytest.raises(ExecutionError, match="1 row of 1 transaction before it was written and stays") as it:
        db.mutations.insert(count=2)
    assert it.value.sqlstate == "23514"
    assert db.mutations.counters == {"inserted": 1, "transactions": 1}
    assert len(db.state.table("t").rows) == 1
    assert db.verify()


def test_a_generator_that_is_no_function_of_its_cell_writes_nothing(make_db: MakeDB) -> None:
    db = make_db(TableDefinition("t", [Column("x", "uuid", uuid.uuid4)]))
    with pytest.raises(GeneratorError, match="not a function of its cell"):
        db.mutations.insert(count=5)
    assert len(db.state.table("t").rows) == 0
    assert db.verify()


# A server that does not answer


def cut_off(db: KroftDB) -> None:
    """End the session that kroft works with, as a restart of the server does."""
    db.connection.execute("SELECT pg_terminate_backend(%s, 5000)", [db._own.info.backend_pid])


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.verify(),
        lambda db: db.adopt_rows(),
        lambda db: db.mutations.insert("log", 1),
        lambda db: db._spell(parse_type("int[]"), "{1}"),
    ],
    ids=["verify", "adopt_rows", "the server's clock", "a value that the server spells"],
)
def test_a_lost_connection_is_named_with_its_database(
    make_db: MakeDB, call: Callable[[KroftDB], object]
) -> None:
    db = make_db(LOG, rows=2, clock="server")
    cut_off(db)
    words = f"session in database '{db.connection.info.dbname}' failed: .*conn"
    for _ in range(2):
        with pytest.raises(KroftError, match=words) as caught:
            call(db)
        assert isinstance(caught.value.__cause__, psycopg.Error)
        assert not isinstance(caught.value, ValueError)


def test_a_connection_that_is_lost_at_the_end_of_verify_is_named(
    make_db: MakeDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = make_db(LOG, rows=2)
    monkeypatch.setattr(db, "_verify_structure", lambda: cut_off(db))
    with pytest.raises(KroftError, match=r"kroft's session in database .* failed"):
        db.verify()


def test_nothing_stays_open_where_the_session_cannot_be_set_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[psycopg.Connection[Any]] = []
    connect = psycopg.connect

    def noted(*args: Any, **options: Any) -> psycopg.Connection[Any]:
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(psycopg, "connect", noted)
    monkeypatch.setitem(SETTINGS, "TimeZone", "Nowhere/Land")
    with pytest.raises(KroftError, match="failed: invalid value for parameter"):
        KroftDB(database.dsn)
    assert [connection.closed for connection in opened] == [True]


@pytest.mark.parametrize("seed", [-1, True, "7"])
def test_a_seed_that_no_history_takes_is_refused(database: Database, seed: Any) -> None:
    with pytest.raises(DefinitionError, match=f"seed must be a whole number from 0, not {seed!r}"):
        KroftDB(database.dsn, seed=seed)
