"""Strategies for definitions: tables that a server accepts."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.expressions import literal
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import parse_type
from pytest_kroft.model.values import Birth, column_values

TABLE_NAMES = ("items", "orders", "Order Lines", "select", 'say "hi"', "größe", "a.b", "%s")
COLUMN_NAMES = (
    "a", "b", "name", "Name", "amount", "order", "with blank", 'quo"te', "ünicode", "percent%s", "x;--",
    "user",
)  # fmt: skip
KEY_TYPES = ("integer", "bigint", "uuid", "text", "varchar(20)", "numeric(12,2)", "timestamptz", "date")
"""Types with many values that can be compared: those of keys and of unique columns."""
TYPES = (
    "text", "integer", "numeric(10,2)", "boolean", "bigint", "timestamptz", "date", "jsonb", "uuid",
    "varchar(20)", "double precision", "smallint", "numeric", "real", "char(5)", "timestamp(3)", "time",
    "timetz", "interval", "bytea", "json", "text[]", "integer[]", "inet", "macaddr", "bit(8)",
    "bit varying(12)", "int4range", "tstzrange", "money", "point", "tsvector", "numeric(10,2)[]",
)  # fmt: skip
STAMPS = ("timestamptz", "timestamp", "timestamptz(3)", "date")
STAMPED = "updated_at"
MOST_COLUMNS = 6


@st.composite
def tables(draw: DrawFn) -> TableDefinition:
    """Tables of one to six columns: any key or none, a stamp or none, reserved and unique columns, defaults.

    They shrink to a table of one column, a text.
    """
    name = draw(st.sampled_from(TABLE_NAMES))
    names = draw(st.lists(st.sampled_from(COLUMN_NAMES), min_size=1, max_size=MOST_COLUMNS, unique=True))
    key = draw(st.integers(0, min(2, len(names))))
    columns = [draw(_column(name, is_key=place < key, single=key == 1)) for place, name in enumerate(names)]
    if all(column.reserved for column in columns):
        columns[0] = ColumnDefinition(columns[0].name, columns[0].sql_type)
    if len(columns) < MOST_COLUMNS and draw(st.booleans()):
        stamp = ColumnDefinition(STAMPED, draw(st.sampled_from(STAMPS)))
        return TableDefinition(name, [*columns, stamp], updated_at=STAMPED)
    return TableDefinition(name, columns)


@st.composite
def _column(draw: DrawFn, name: str, *, is_key: bool, single: bool) -> ColumnDefinition:
    if is_key:
        sql_type = draw(st.sampled_from(KEY_TYPES))
        counted = sql_type in ("integer", "bigint") and single and draw(st.booleans())
        return ColumnDefinition(name, sql_type, primary_key=True, identity="by default" if counted else None)
    if not draw(st.booleans()):
        return ColumnDefinition(name, draw(st.sampled_from(TYPES)))
    unique = draw(_seldom())
    sql_type = draw(st.sampled_from(KEY_TYPES if unique else TYPES))
    default = None if unique or not draw(_seldom()) else _constant(name, sql_type)
    return ColumnDefinition(
        name,
        sql_type,
        reserved=draw(_seldom()),
        protected=draw(_seldom()),
        nullable=not draw(_seldom()),
        unique=unique,
        default=default,
    )


def _seldom() -> SearchStrategy[bool]:
    return st.integers(0, 4).map(lambda number: number == 4)


def _constant(name: str, sql_type: str) -> str:
    """A constant default: one of the values that kroft generates for the column."""
    column = ColumnDefinition(name, sql_type, nullable=False)
    made = column_values(0, Birth("defaults"), Birth(name), column, parse_type(sql_type))
    return literal(made.text(1), column.type)
