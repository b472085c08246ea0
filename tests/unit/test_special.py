from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest

from pytest_kroft.model.literals import canonical
from pytest_kroft.model.special import extreme_values, large_values, unrepresentable_values
from pytest_kroft.model.types import CATALOG_NAMES, parse_type

TYPES = [
    *CATALOG_NAMES,
    "varchar(3)",
    "char(3)",
    "numeric(5,2)",
    "numeric(3,5)",
    "timestamp(3)",
    "time(0)",
    "varchar(5000)",
]


@pytest.mark.parametrize("sql_type", [*TYPES, *(f"{name}[]" for name in TYPES)])
@pytest.mark.parametrize("values", [extreme_values, large_values, unrepresentable_values])
def test_special_values_are_canonical_and_differ(sql_type: str, values: type) -> None:
    found = values(parse_type(sql_type))
    assert len(set(found)) == len(found)
    assert [canonical(parse_type(sql_type), text) for text in found] == list(found)


@pytest.mark.parametrize(
    "sql_type, some",
    [
        ("text", {"", "O'Reilly", "\\", "😀"} - {"\\"}),
        ("smallint", {"-32768", "32767", "0"}),
        ("oid", {"0", "4294967295"}),
        ("numeric", {"NaN", "1234567890123456789012345678901234567890"}),
        ("numeric(5,2)", {"999.99", "-999.99", "0.01", "0.00", "NaN"}),
        ("double precision", {"NaN", "-0", "5e-324"}),
        ("date", {"0001-01-01", "9999-12-31"}),
        ("jsonb", {"{}", "null"}),
        ("bytea", {"\\x"}),
        ("integer[]", {"{}", "{NULL}"}),
        ("int4range", {"empty", "(,)"}),
        ("mood[]", {"{}", "{NULL}"}),
    ],
)
def test_the_edges_of_a_type_are_among_the_extreme_values(sql_type: str, some: set[str]) -> None:
    assert some <= set(extreme_values(parse_type(sql_type)))


def test_what_has_no_edges_has_no_special_values() -> None:
    assert extreme_values(parse_type("boolean")) == ()
    assert extreme_values(parse_type("mood")) == large_values(parse_type("mood")) == ()
    assert large_values(parse_type("integer")) == unrepresentable_values(parse_type("integer")) == ()


def test_large_values_are_large_and_respect_a_length() -> None:
    for sql_type in ("text", "bytea", "jsonb", "text[]", "bpchar"):
        sizes = [len(text) for text in large_values(parse_type(sql_type))]
        assert len(sizes) == 4, sql_type
        assert all(7_000 <= size <= 140_000 for size in sizes), sql_type
    assert all(len(text) <= 5000 for text in large_values(parse_type("varchar(5000)")))
    assert large_values(parse_type("varchar(20)")) == ()


def test_no_extreme_value_is_beyond_python() -> None:
    for text in extreme_values(parse_type("date")):
        date.fromisoformat(text)
    for text in extreme_values(parse_type("timestamp(3)")):
        datetime.fromisoformat(text)
    for text in extreme_values(parse_type("time(0)")):
        time.fromisoformat(text)
    for text in extreme_values(parse_type("numeric")):
        Decimal(text)


@pytest.mark.parametrize("sql_type", ["date", "timestamp", "timestamptz", "time", "timetz"])
def test_every_unrepresentable_value_is_beyond_python(sql_type: str) -> None:
    read = (
        time.fromisoformat
        if sql_type.startswith("time") and "stamp" not in sql_type
        else datetime.fromisoformat
    )
    for text in unrepresentable_values(parse_type(sql_type)):
        with pytest.raises(ValueError):
            read(text)
