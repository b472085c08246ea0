"""What texts become; that the server says the same is shown in tests/integration/test_casts.py."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model import conversions
from pytest_kroft.model.conversions import FITTED, LIMITS, Unfit
from pytest_kroft.model.types import parse_type


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12),
    st.integers(0, 8),
)
def test_a_numeric_rounds_half_away_from_zero(value: Decimal, scale: int) -> None:
    text = format(value, "f")
    result = Fraction(conversions.fit(text, parse_type(f"numeric(40,{scale})")))
    unit = Fraction(1, 10**scale)
    below = abs(Fraction(text)) // unit * unit
    away = below + (unit if (abs(Fraction(text)) - below) * 2 >= unit else 0)
    assert result == (away if value >= 0 else -away)


@given(st.text(), st.integers(1, 12))
def test_a_string_fits_or_is_refused(text: str, size: int) -> None:
    fits = len(text.rstrip(" ")) <= size
    for target, result in ((f"varchar({size})", text[:size]), (f"char({size})", text.rstrip(" "))):
        if fits:
            assert conversions.fit(text, parse_type(target)) == result
        else:
            with pytest.raises(Unfit, match="characters"):
                conversions.fit(text, parse_type(target))


WRITABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WRITABLE,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, st.booleans())
def test_jsonb_holds_what_json_says_and_does_not_change_again(value: object, ascii_only: bool) -> None:
    written = conversions.jsonb_from_json(json.dumps(value, ensure_ascii=ascii_only))
    assert json.loads(written) == value
    assert conversions.jsonb_from_json(written) == written


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "NaN", "[1, Infinity]", "{", '"\\u0000"', '"\\ud800"', "1e9999", "1" * 5000]
)
def test_json_that_jsonb_may_not_hold(text: str) -> None:
    with pytest.raises(Unfit):
        conversions.jsonb_from_json(text)


@pytest.mark.parametrize(
    ("text", "target", "reason"),
    [
        ("1000", "numeric(4,1)", "less than 10^3"),
        ("999.95", "numeric(4,1)", "less than 10^3"),
        ("Infinity", "numeric(4,1)", "holds infinity"),
        ("abcd", "varchar(3)", "it has 4 characters, and 3 are allowed"),
        ("9999-12-31 23:59:59.9", "timestamp(0)", "later than the year 9999"),
        ("0044-03-15 00:00:00.5 BC", "timestamp(0)", "in the years 1 to 9999"),
    ],
)
def test_what_does_not_fit(text: str, target: str, reason: str) -> None:
    with pytest.raises(Unfit) as caught:
        conversions.fit(text, parse_type(target))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "target", ["integer", "text", "varchar", "time(3)", "interval(0)", "varchar(1)[]", "bit(1)"]
)
def test_a_type_without_a_rule_leaves_a_text_alone(target: str) -> None:
    assert parse_type(target).name not in FITTED or not parse_type(target).modifiers or target.endswith("[]")
    assert conversions.fit("{as,it,was.123456}", parse_type(target)) == "{as,it,was.123456}"


@pytest.mark.parametrize("target", LIMITS)
def test_an_integer_is_within_its_limits(target: str) -> None:
    greatest, least = LIMITS[target] - 1, -LIMITS[target]
    for convert in (conversions.whole(target), conversions.whole_from_string(target)):
        assert convert(str(greatest)) == str(greatest)
        assert convert(str(least)) == str(least)
        for beyond in (greatest + 1, least - 1):
            with pytest.raises(Unfit, match=f"it must be from {least} to {greatest}"):
                convert(str(beyond))
    for nothing in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(Unfit, match="finite"):
            conversions.whole_from_float(target)(nothing)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_single_is_found_from_its_digits(value: float) -> None:
    assert struct.pack("f", conversions.single(repr(value))) == struct.pack("f", value)


STRICT: list[tuple[Callable[[str], str], str]] = [
    (conversions.numeric_from_string, "0x10"), (conversions.numeric_from_string, "1e5000"),
    (conversions.numeric_from_string, "\u0661"), (conversions.numeric_from_string, " 1"),
    (conversions.whole_from_string("integer"), "1.0"), (conversions.whole_from_string("integer"), ""),
    (conversions.double_from_string, "1e400"), (conversions.double_from_string, "1e-400"),
    (conversions.double_from_string, "inf"), (conversions.boolean_from_string, "yes"),
    (conversions.uuid_from_string, "0" * 32), (conversions.date_from_string, "2021-02-29"),
    (conversions.date_from_string, "20210228"), (conversions.timestamp_from_string, "2021-01-01"),
    (conversions.timestamp_from_string, "2021-01-01 24:00:00"),
    (conversions.timestamptz_from_string, "2021-01-01 00:00:00"),
    (conversions.midnight(""), "294277-01-01"),
]  # fmt: skip


@pytest.mark.parametrize(("convert", "text"), STRICT)
def test_what_has_no_exact_result_is_unfit(convert: Callable[[str], str], text: str) -> None:
    with pytest.raises(Unfit):
        convert(text)


@given(st.datetimes())
def test_a_zone_comes_and_goes_and_the_day_stays(value: object) -> None:
    text = str(value)
    printed = conversions.timestamp_from_string(text)
    assert conversions.without_zone(conversions.with_zone(printed)) == printed
    assert conversions.day(printed) == conversions.day(conversions.with_zone(printed)) == text[:10]
    assert conversions.timestamptz_from_string(text + "+00") == conversions.with_zone(printed)
    assert conversions.timestamp_from_string(conversions.midnight("")(text[:10])) == text[:10] + " 00:00:00"
