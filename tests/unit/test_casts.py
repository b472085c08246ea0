"""What the table of casts says without a server; that it is right is shown in tests/integration."""

from __future__ import annotations

import contextlib
import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import CastRefused, OperationError
from pytest_kroft.model.casts import can_cast, cast_text, retypings, using, widenings
from pytest_kroft.model.types import CATALOG_NAMES, SqlType, parse_type

MOOD = SqlType("mood", builtin=False)
WITH_MODIFIERS = (
    "varchar(7) varchar(1) char(7) numeric(8,3) numeric(1000,2) timestamp(3) interval(2) bit(4) varbit(4) "
    "varchar(5)[] numeric(8,3)[]"
)
TYPES = [
    *(parse_type(name) for name in [*CATALOG_NAMES, *WITH_MODIFIERS.split()]),
    *(parse_type(f"{name}[]") for name in CATALOG_NAMES),
    *(MOOD, SqlType("mood", array=True, builtin=False)),
]


def cast(text: str, source: str, target: str) -> str:
    return cast_text(text, parse_type(source), parse_type(target))


def names(types: tuple[SqlType, ...]) -> list[str]:
    return [str(found) for found in types]


@pytest.mark.parametrize("source", TYPES, ids=str)
def test_what_is_offered_is_in_the_table(source: SqlType) -> None:
    offered = widenings(source) + retypings(source)
    assert len(set(offered)) == len(offered)
    assert source not in offered
    for target in offered:
        assert can_cast(source, target), str(target)
        assert '"a b"' in using('"a b"', source, target)


@pytest.mark.parametrize("source", TYPES, ids=str)
def test_a_type_can_become_itself(source: SqlType) -> None:
    assert can_cast(source, source)
    assert using('"c"', source, source) == '"c"'
    assert cast_text("as it was", source, source) == "as it was"


@pytest.mark.parametrize(
    ("source", "wider", "other"),
    [
        ("smallint", ["integer", "bigint", "numeric"], ["text", "double precision", "boolean"]),
        ("bigint", ["numeric"], ["text", "double precision", "integer", "boolean"]),
        ("numeric(6,2)", ["numeric(10,2)", "numeric(12,6)", "numeric"],
         ["numeric(6,1)", "text", "integer", "bigint", "double precision"]),
        ("varchar(10)", ["varchar(20)", "varchar", "text"],
         ["varchar(5)", "integer", "bigint", "numeric", "double precision", "boolean", "date", "timestamp",
          "timestamptz", "uuid"]),
        ("char(4)", ["char(8)", "varchar(4)", "text"],
         ["char(2)", "varchar(40)", "integer", "numeric", "boolean", "date"]),
        ("timestamp(3)", ["timestamp"], ["date", "timestamptz", "timestamp(0)", "text"]),
        ("timestamp(0)", ["timestamp"], ["date", "timestamptz", "text"]),
        ("uuid", [], ["text"]),
        ("integer[]", ["bigint[]", "numeric[]"], ["text[]", "text"]),
        ("boolean[]", [], ["text"]),
        ("money", [], []),
        ("xml", [], []),
        ("regclass", [], []),
    ],
)  # fmt: skip
def test_what_is_offered_and_in_which_order(source: str, wider: list[str], other: list[str]) -> None:
    assert names(widenings(parse_type(source))) == wider
    assert names(retypings(parse_type(source))) == other


def test_an_enum_goes_to_strings_alone() -> None:
    assert names(retypings(MOOD)) == ["text", "varchar(63)"]
    assert not widenings(MOOD)
    assert not can_cast(parse_type("text"), MOOD)
    assert cast_text("sad", MOOD, parse_type("text")) == "sad"


@pytest.mark.parametrize(
    ("source", "target"),
    [("uuid", "integer"), ("bytea", "json"), ("text", "text[]"), ("time", "time(3)"), ("money", "text"),
     ("interval", "interval(0)"), ("bit(3)", "bit(4)"), ("text", "json"), ("integer[]", "integer"),
     ("numeric(6,2)[]", "numeric(6,1)[]"),
     ("varchar[]", "varchar(5)[]"), ("integer", "mood"), ("char(3)[]", "text[]"), ("boolean", "bigint")],
)  # fmt: skip
def test_a_cast_that_is_not_in_the_table(source: str, target: str) -> None:
    origin, goal = parse_type(source), parse_type(target)
    assert not can_cast(origin, goal)
    for refused in (lambda: using('"c"', origin, goal), lambda: cast_text("1", origin, goal)):
        with pytest.raises(CastRefused, match=r"there is no exact cast; .* can become: ") as caught:
            refused()
        assert caught.value.value is None


def test_a_refusal_names_value_types_and_what_is_allowed() -> None:
    with pytest.raises(CastRefused) as caught:
        cast("70000", "integer", "smallint")
    error = caught.value
    assert (error.value, str(error.source), str(error.target)) == ("70000", "integer", "smallint")
    assert str(error) == "'70000' of type integer cannot become smallint: it must be from -32768 to 32767"
    assert isinstance(error, OperationError)
    with pytest.raises(CastRefused) as caught:
        cast("x" * 5000, "text", "varchar(10)")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("source", "target", "expression", "result"),
    [
        ("numeric", "integer", '"price"', '"price"::integer'),
        ("text", "integer", '"price"', '"price"::text::integer'),
        ("text", "varchar(5)", '"price"', '"price"::text'),
        ("text", "integer", "a || b", "(a || b)::text::integer"),
        ("text", "text", "a || b", "a || b"),
        ("integer", "boolean", '"n{0}"', '"n{0}" <> 0'),
        ("text", "date", '"a" || "b"', '("a" || "b")::text::date'),
        ("date", "timestamptz", '"d"', "timezone('UTC', \"d\"::timestamp)"),
        ("integer[]", "bigint[]", '"n"', '"n"::bigint[]'),
    ],
)
def test_the_sql(source: str, target: str, expression: str, result: str) -> None:
    assert using(expression, parse_type(source), parse_type(target)) == result


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_wider_integer_keeps_its_text(value: int) -> None:
    assert cast(str(value), "bigint", "numeric") == str(value)
    assert cast(str(value), "bigint", "text") == str(value)
    assert cast(str(value), "text", "bigint") == str(value)
    assert cast(str(value), "bigint", "boolean") == ("true" if value else "false")


@given(st.floats())
def test_a_double_survives_being_text(value: float) -> None:
    text = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value)) or format(
        Decimal(value), "f"
    )
    printed = cast(text, "numeric", "double precision")
    assert repr(float(printed)) == repr(value)
    if text not in ("NaN", "Infinity", "-Infinity"):
        assert cast(printed, "text", "double precision") == printed


@given(st.text())
def test_any_text_is_cast_or_refused_and_nothing_else(text: str) -> None:
    for target in retypings(parse_type("text")):
        with contextlib.suppress(CastRefused):
            assert isinstance(cast_text(text, parse_type("text"), target), str)


def test_the_context_of_decimal_does_not_matter() -> None:
    with decimal.localcontext(decimal.Context(prec=2, rounding=decimal.ROUND_DOWN, Emax=3, Emin=-3)):
        assert cast("123456.785", "numeric", "numeric(10,2)") == "123456.79"
        assert cast("1234567.5", "numeric", "bigint") == "1234568"
        assert cast("1e+20", "double precision", "numeric") == "1" + "0" * 20
        assert cast("12345678901234567890", "numeric", "double precision") == "1.2345678901234567e+19"


@pytest.mark.parametrize(
    ("text", "source", "target", "result"),
    [
        ("1e+20", "double precision", "numeric", "1" + "0" * 20),
        ("-0", "double precision", "numeric", "0"),
        ("2.5", "double precision", "integer", "2"),
        ("2.5", "numeric", "integer", "3"),
        ("-2.5", "numeric", "integer", "-3"),
        ("0.1", "real", "double precision", "0.10000000149011612"),
        ("1" + "0" * 23, "numeric", "double precision", "9.999999999999999e+22"),
        ("a ", "text", "char(3)", "a"),
        ("abc  ", "text", "varchar(3)", "abc"),
        ("true", "boolean", "integer", "1"),
        ("{t,NULL}", "boolean[]", "text", "{t,NULL}"),
        ("::1/128", "cidr", "inet", "::1/128"),
        ("0044-03-15 BC", "date", "timestamptz", "0044-03-15 00:00:00+00 BC"),
        ("infinity", "timestamptz", "date", "infinity"),
        ("1999-12-31 23:59:59.5", "timestamp", "timestamp(0)", "1999-12-31 23:59:59"),
        ("2000-01-01 00:00:00.5", "timestamp", "timestamp(0)", "2000-01-01 00:00:01"),
        ('{"bb": 1, "a": 1.0, "a": 2e1}', "json", "jsonb", '{"a": 20, "bb": 1}'),
        ("{1,NULL}", "integer[]", "text[]", "{1,NULL}"),
    ],
)
def test_what_surprises(text: str, source: str, target: str, result: str) -> None:
    assert cast(text, source, target) == result
