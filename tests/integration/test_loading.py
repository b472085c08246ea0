"""expected() holds what a psycopg cursor reads, and the server's text where psycopg has no such value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import psycopg.rows
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.generators import EXCEPTIONS
from pytest_kroft.model.special import extreme_values, unrepresentable_values
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.types import CATALOG_NAMES, parse_type
from tests.conftest import MakeDB

Column = ColumnDefinition

MOOD = EnumDefinition("mood", ["sad", "ok", "a,b", 'qu"ote'])
NAMES = [name for name in CATALOG_NAMES if name not in EXCEPTIONS]
MODIFIED = [
    "varchar(12)", "char(9)", "bpchar(7)", "numeric(8,3)", "bit(5)", "bit varying(9)", "time(2)", "timetz(1)",
    "timestamp(0)", "timestamptz(3)", "interval(2)",
]  # fmt: skip
TYPES = [*NAMES, *MODIFIED, "mood"]


def table_of(sql_type: str) -> TableDefinition:
    columns = [
        Column("id", "int", primary_key=True),
        Column("one", sql_type),
        Column("many", f"{sql_type}[]"),
    ]
    return TableDefinition("t", columns)


def read(db: KroftDB) -> list[dict[str, Any]]:
    """The rows as a cursor returns them."""
    cursor = db.connection.cursor(row_factory=psycopg.rows.dict_row)
    return cursor.execute("SELECT * FROM t ORDER BY id").fetchall()


@pytest.mark.parametrize("sql_type", TYPES)
def test_expected_is_what_a_cursor_reads(make_db: MakeDB, sql_type: str) -> None:
    db = make_db(MOOD, table_of(sql_type), rows=25)
    expected = sorted(db.expected(), key=lambda row: row["id"])
    for mine, theirs in zip(expected, read(db), strict=True):
        for name, value in mine.items():
            if has_months(sql_type, value):
                continue
            # repr tells NaN from nothing, -0.0 from 0.0, a Decimal from a float and a str from bytes.
            assert repr(value) == repr(theirs[name]), name
    assert any(row["one"] is not None for row in expected)
    assert db.verify()


def has_months(sql_type: str, value: object) -> bool:
    """An interval of months stays a text: psycopg would make 30 days of each."""
    return sql_type.startswith("interval") and isinstance(value, str)


def cells(sql_type: str) -> list[str]:
    parsed = parse_type(sql_type)
    return [*extreme_values(parsed), *unrepresentable_values(parsed)]


SPECIAL = [name for name in (*NAMES, *MODIFIED) if cells(name)]


@pytest.mark.parametrize("sql_type", SPECIAL)
def test_special_values_are_what_a_cursor_reads_or_else_the_servers_text(
    make_db: MakeDB, sql_type: str
) -> None:
    texts = cells(sql_type)
    db = make_db(TableDefinition("t", [Column("id", "int", primary_key=True), Column("one", sql_type)]))
    db.mutations.insert(rows=[{"id": number, "one": text} for number, text in enumerate(texts)])
    assert db.verify()
    for row in db.expected():
        stored = db.connection.execute("SELECT one::text FROM t WHERE id = %s", [row["id"]]).fetchone()
        assert stored is not None
        try:
            (value,) = db.connection.execute("SELECT one FROM t WHERE id = %s", [row["id"]]).fetchall()[0]
        except (psycopg.DataError, psycopg.NotSupportedError, ValueError):
            value = stored[0]
        if has_months(sql_type, row["one"]):
            value = stored[0]
        assert repr(row["one"]) == repr(value)


@pytest.mark.parametrize("sql_type", [name for name in TYPES if not name.startswith("interval")])
def test_a_cursor_of_another_session_holds_the_same(make_db: MakeDB, sql_type: str) -> None:
    db = make_db(MOOD, table_of(sql_type), seed=2, rows=10)
    with psycopg.connect(db.dsn) as connection:
        connection.execute("SET TimeZone = 'Asia/Kolkata'")
        for factory in (psycopg.rows.dict_row, psycopg.rows.namedtuple_row, psycopg.rows.tuple_row):
            cursor = connection.cursor(row_factory=factory)
            db.assert_same("t", cursor.execute("SELECT * FROM t ORDER BY id DESC"))


def test_an_interval_of_months_is_the_servers_text(make_db: MakeDB) -> None:
    db = make_db(TableDefinition("t", [Column("id", "int", primary_key=True), Column("one", "interval")]))
    db.mutations.insert(
        rows=[{"id": 1, "one": "1 mon"}, {"id": 2, "one": "2 years 3 days"}, {"id": 3, "one": "3 days 02:00"}]
    )
    assert [row["one"] for row in db.expected()] == ["1 mon", "2 years 3 days", timedelta(days=3, hours=2)]
