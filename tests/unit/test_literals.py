from __future__ import annotations

import enum
import struct
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model import spellings
from pytest_kroft.model.literals import canonical, is_opaque
from pytest_kroft.model.types import parse_type

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "numeric": st.decimals(min_value=-(10**30), max_value=10**30, allow_nan=False),
    "numeric(12,3)": st.decimals(min_value=-(10**8), max_value=10**8, allow_nan=False),
    "double precision": st.floats(),
    "real": st.floats(width=32),
    "money": st.integers(-(10**15), 10**15),
    "text": TEXTS,
    "bpchar": TEXTS,
    "bytea": st.binary(),
    "uuid": st.uuids(),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    "timestamp(2)": st.datetimes(max_value=datetime(9999, 12, 30)),
    "time": st.times(),
    "timetz": st.times(),
    "interval": st.timedeltas(),
    "json": JSON,
    "jsonb": JSON,
    "inet": st.ip_addresses(),
}


@pytest.mark.parametrize("sql_type", VALUES)
@given(data=st.data())
def test_canonical_text_is_its_own_canonical_text(sql_type: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[sql_type])
    assume(not ((value is None or isinstance(value, str)) and sql_type in ("json", "jsonb")))
    text = canonical(parse_type(sql_type), value)
    assert canonical(parse_type(sql_type), text) == text
    assert not is_opaque(parse_type(sql_type), text)


@given(st.floats(allow_nan=False))
def test_a_double_reads_back_from_its_text(value: float) -> None:
    assert float(spellings.float8_text(value)) == value


@given(st.floats(width=32, allow_nan=False))
def test_a_single_reads_back_from_its_text(value: float) -> None:
    text = spellings.float4_text(value)
    assert struct.pack("<f", float(text)) == struct.pack("<f", value)
    assert len(text.lstrip("-").split("e")[0].replace(".", "").strip("0")) <= 9


@given(st.timedeltas())
def test_an_interval_holds_the_whole_timedelta(value: timedelta) -> None:
    text = canonical(parse_type("interval"), value)
    assert ("-" in text) == (value < timedelta(0))


class Mood(enum.Enum):
    GLAD = "glad"
    SAD = 2


def test_a_member_of_an_enum_is_its_value_or_its_name() -> None:
    assert canonical(parse_type("mood"), Mood.GLAD) == "glad"
    assert canonical(parse_type("mood"), Mood.SAD) == "SAD"
    assert canonical(parse_type("integer"), Mood.SAD) == "2"


@pytest.mark.parametrize(
    "sql_type, value, words",
    [
        ("integer", None, "None stands for NULL"),
        ("integer", 2**31, "it must be from -2147483648 to 2147483647"),
        ("integer", True, "boolean"),
        ("integer", 1.5, "no whole number"),
        ("integer", float("nan"), "no whole number"),
        ("boolean", 1, "int does not fit"),
        ("text", 5, "int does not fit"),
        ("text", "a\0b", "NUL"),
        ("text", "\ud800", "UTF-8"),
        ("name", "é" * 32, "64 bytes"),
        ("varchar(3)", "abcd", "4 characters"),
        ("numeric(4,2)", Decimal("99.995"), "more than 2 digits before the point"),
        ("real", 1e39, "too large"),
        ("real", 1e-60, "too small"),
        ("jsonb", {1: 2}, "keys of an object must be strings"),
        ("jsonb", [float("nan")], "no number"),
        ("jsonb", {"a": object()}, "object has no form"),
        ("json", {"a": "\0"}, "NUL"),
        ("integer[]", [[1], [2, 3]], "the same length"),
        ("integer[]", [1, [2]], "the same length"),
        ("integer[]", ["x"], "no whole number"),
        ("integer[]", 5, "int does not fit"),
        ("date", 5, "int does not fit"),
        ("inet", 5, "int does not fit"),
        ("point", (1, 2), "tuple does not fit"),
        ("mood", 5, "int does not fit"),
        ("int4range", SimpleNamespace(lower=5, upper=1, bounds="[)", isempty=False), "above the upper"),
        ("timestamptz", datetime.fromisoformat("9999-12-31T23:00:00-05:00"), "beyond the years"),
        ('"char"', "é", "one ASCII character"),
    ],
)
def test_a_value_that_does_not_fit_says_why(sql_type: str, value: object, words: str) -> None:
    with pytest.raises(ValueRefused, match=words):
        canonical(parse_type(sql_type), value)


@pytest.mark.parametrize(
    "sql_type, text",
    [
        ("point", "(1, 2)"), ("integer[]", "{1, 2}"), ("int4range", "[1,2]"), ("tsvector", "a b"),
        ("regclass", "x"),
        ("mood", "glad"), ("date", "today"), ("date", "Jan 5 2020"), ("interval", "P1D"), ("timestamp",
        "2020-01-01 24:00:00"),
        ("bytea", "plain"), ("inet", "10.1/16"), ("macaddr", "0800.2b01.0203"), ("time", "10:00 PM"), ("xml",
        "<a/>"),
    ],
)  # fmt: skip
def test_what_only_the_server_reads_is_opaque_and_kept(sql_type: str, text: str) -> None:
    assert is_opaque(parse_type(sql_type), text)
    assert canonical(parse_type(sql_type), text) == text


@pytest.mark.parametrize(
    "sql_type, value",
    [("integer", "7"), ("integer", "x"), ("text", "x"), ("integer[]", [1]), ("date", date.min)],
)
def test_what_is_read_or_refused_here_is_not_opaque(sql_type: str, value: object) -> None:
    assert not is_opaque(parse_type(sql_type), value)


def test_times_of_day_are_rounded_as_the_server_does() -> None:
    assert canonical(parse_type("time(0)"), time(23, 59, 59, 500_000)) == "24:00:00"
