"""Whatever kroft makes or spells, the server prints exactly so."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from pytest_kroft.model.columns import WITHOUT_ORDER, ColumnDefinition
from pytest_kroft.model.generators import EXCEPTIONS
from pytest_kroft.model.special import extreme_values, large_values, unrepresentable_values
from pytest_kroft.model.types import CATALOG_NAMES, SqlType, parse_type
from pytest_kroft.model.values import Birth, ColumnValues

LABELS = ("new", "paid", "in transit", "it's", "NULL", "a,b", "ünïcode")
BUILTIN = [name for name in CATALOG_NAMES if name not in EXCEPTIONS]
MODIFIED = [
    "varchar(1)", "varchar(3)", "varchar(9)", "varchar(20)", "varchar(255)", "char(1)", "char(4)",
    "char(30)", "bpchar(7)",
    "bit(1)", "bit(8)", "bit(70)", "bit varying(1)", "bit varying(5)", "bit varying(100)",
    "numeric(1,0)", "numeric(10,2)", "numeric(5,5)", "numeric(3,5)", "numeric(4,-2)", "numeric(38,10)",
    "numeric(12)",
    "timestamp(0)", "timestamp(3)", "timestamptz(0)", "timestamptz(3)", "time(0)", "time(3)", "timetz(0)",
    "timetz(2)",
    "interval(0)", "interval(3)",
]  # fmt: skip
ARRAYS = [f"{name}[]" for name in (*BUILTIN, *MODIFIED)]
NAMES = (
    "c email first_name last_name name phone city country url status price quantity age latitude year rating "
    "uuid sku description title created_at address zip currency user_name company slug token rate"
).split()


@pytest.fixture
def connection(swept_connection: psycopg.Connection) -> psycopg.Connection:
    return swept_connection


@pytest.fixture(autouse=True, scope="module")
def pinned(module_connection: psycopg.Connection) -> None:
    settings = {
        "TimeZone": "UTC", "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "extra_float_digits": "1",
        "bytea_output": "hex", "lc_monetary": "C",
    }  # fmt: skip
    for name, value in settings.items():
        module_connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    labels = sql.SQL(", ").join(map(sql.Literal, LABELS))
    module_connection.execute(sql.SQL("CREATE TYPE mood AS ENUM ({})").format(labels))


def values_of(
    sql_type: str, name: str = "c", *, seed: int = 1, unique: bool = False, **fields: object
) -> ColumnValues:
    definition = ColumnDefinition(name, sql_type, **fields)  # type: ignore[arg-type]
    labels = LABELS if definition.type.name == "mood" else ()
    return ColumnValues(
        seed, Birth("t"), Birth(name), definition, definition.type, labels=labels, unique=unique
    )


def store(
    connection: psycopg.Connection, sql_type: SqlType, texts: list[str | None], *, unique: bool = False
) -> None:
    """Put the texts into a column of the type; the server's text of each must be the very same."""
    connection.execute("DROP TABLE IF EXISTS kept")
    connection.execute(f"CREATE TABLE kept (number int, value {sql_type} {'UNIQUE' if unique else ''})")
    connection.execute(
        f"INSERT INTO kept SELECT number, entry::{sql_type} "
        "FROM unnest(%s::text[]) WITH ORDINALITY AS given (entry, number)",
        [texts],
    )
    stored = connection.execute("SELECT value::text FROM kept ORDER BY number").fetchall()
    assert [text for (text,) in stored] == texts


@pytest.mark.parametrize("sql_type", [*BUILTIN, *MODIFIED, *ARRAYS, "mood", "mood[]"])
def test_generated_values_are_the_servers_text(connection: psycopg.Connection, sql_type: str) -> None:
    store(connection, parse_type(sql_type), values_of(sql_type).texts(1, 200))


@pytest.mark.parametrize(
    "sql_type", ["text", "varchar(12)", "char(40)", "name", "integer", "numeric(8,2)", "real"]
)
def test_values_that_follow_the_columns_name_are_the_servers_text(
    connection: psycopg.Connection, sql_type: str
) -> None:
    texts = [text for name in NAMES for text in values_of(sql_type, name).texts(1, 60)]
    store(connection, parse_type(sql_type), texts)


ORDERED = [name for name in BUILTIN if name not in WITHOUT_ORDER]


@pytest.mark.parametrize(
    "sql_type", [*ORDERED, *MODIFIED, *(f"{name}[]" for name in (*ORDERED, *MODIFIED)), "mood", "mood[]"]
)
def test_unique_columns_hold_no_value_twice(connection: psycopg.Connection, sql_type: str) -> None:
    values = values_of(sql_type, unique=True, nullable=False)
    count = min(2000, values.capacity or 2000)
    store(connection, parse_type(sql_type), values.texts(1, count), unique=True)


@pytest.mark.parametrize(
    "sql_type", ["text", "varchar(9)", "varchar(20)", "char(12)", "name", "numeric(9,2)"]
)
def test_unique_columns_of_any_name_hold_no_value_twice(
    connection: psycopg.Connection, sql_type: str
) -> None:
    for name in NAMES:
        store(
            connection,
            parse_type(sql_type),
            values_of(sql_type, name, unique=True).texts(1, 500),
            unique=True,
        )


@pytest.mark.parametrize("sql_type", [*BUILTIN, *MODIFIED, *ARRAYS, "mood", "mood[]"])
@pytest.mark.parametrize("kind", [extreme_values, large_values, unrepresentable_values])
def test_special_values_are_the_servers_text(
    connection: psycopg.Connection, sql_type: str, kind: Callable[[SqlType], tuple[str, ...]]
) -> None:
    store(connection, parse_type(sql_type), list(kind(parse_type(sql_type))))


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("sql_type", [*BUILTIN, *(f"{name}[]" for name in BUILTIN)])
def test_plain_and_extreme_values_are_ones_that_psycopg_can_load(
    connection: psycopg.Connection, sql_type: str, binary: bool
) -> None:
    unique = values_of(sql_type, unique=True)
    texts = [*values_of(sql_type).texts(1, 200), *unique.texts(1, min(200, unique.capacity or 200))]
    texts += extreme_values(parse_type(sql_type))
    query = f"SELECT entry::{sql_type} FROM unnest(%s::text[]) AS given (entry)"
    if not (binary and parse_type(sql_type).name == "aclitem"):  # it has no binary form
        assert len(connection.cursor(binary=binary).execute(query, [texts]).fetchall()) == len(texts)


@pytest.mark.parametrize("sql_type", ["date", "timestamp", "timestamptz", "time", "timetz", "daterange"])
def test_unrepresentable_values_are_ones_that_psycopg_cannot_load(
    connection: psycopg.Connection, sql_type: str
) -> None:
    assert unrepresentable_values(parse_type(sql_type))
    for text in unrepresentable_values(parse_type(sql_type)):
        with pytest.raises(psycopg.DataError, match=r"infinity|year|date|time|BC|24:00"):
            connection.execute(f"SELECT %s::{sql_type}", [text]).fetchall()


CHECKS = [
    ("integer", "c BETWEEN 10 AND 12"),
    ("integer", "c > 5 AND c <= 9 AND c <> 7"),
    ("smallint", "c < 0"),
    ("bigint", "(c >= 0) AND (c < 100)"),
    ("numeric(6,2)", "c > 0.5 AND c < 0.75"),
    ("numeric", "c > 0 AND c < 0.001"),
    ("real", "c >= -1 AND c <= 1"),
    ("double precision", "c > 1e6"),
    ("text", "c IN ('new', 'paid', 'it''s')"),
    ("text", "char_length(c) > 30"),
    ("varchar(10)", "length(c) = 4"),
    ("varchar(40)", "char_length(c) BETWEEN 20 AND 25"),
    ("text", "c <> '' AND c NOT IN ('amber', 'oak')"),
    ("date", "c >= '2030-01-01' AND c < '2030-01-05'"),
    ("timestamptz", "c > '2030-01-01 00:00:00+00'"),
    ("money", "c > 5::money"),
    ("mood", "c <> 'new'"),
    ("mood", "c IN ('new', 'paid')"),
]


@pytest.mark.parametrize("printed", [False, True], ids=["as written", "as the server prints it"])
@pytest.mark.parametrize("unique", [False, True], ids=["plain", "unique"])
@pytest.mark.parametrize("sql_type, check", CHECKS)
def test_values_satisfy_a_simple_check(
    connection: psycopg.Connection, sql_type: str, check: str, unique: bool, printed: bool
) -> None:
    connection.execute(f"CREATE TABLE checked (number int, c {sql_type} CHECK ({check}))")
    if printed:
        row = connection.execute(
            "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = 'checked'::regclass"
        ).fetchone()
        assert row is not None
        (check,) = row
    values = values_of(sql_type, check=check, nullable=False, unique=unique)
    count = min(100, values.capacity or 100)
    texts = values.texts(1, count)
    connection.execute(f"INSERT INTO checked SELECT 1, x::{sql_type} FROM unnest(%s::text[]) x", [texts])
    if unique:
        assert len(set(texts)) == count
