"""When two values are the same; no server."""

from __future__ import annotations

import copy
import enum
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.equality import ABSENT, equal, normal, normal_row

NEW_YORK = ZoneInfo("America/New_York")
NAN = float("nan")


class Mood(enum.Enum):
    SAD = "sad"


class Level(enum.IntEnum):
    HIGH = 3


class Unhashable:
    """Equal by content, and without a hash."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, content: int) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable) and other.content == self.content

    def __repr__(self) -> str:
        return f"Unhashable({self.content})"


def same(one: object, other: object) -> bool:
    """Whether two values are equal, themselves and in their normal form, either way round."""
    asked = {
        equal(one, other),
        equal(other, one),
        normal(one) == normal(other),
        len({normal(one), normal(other)}) == 1,
        normal_row({"v": one}, ["v"]) == normal_row({"v": other}, ["v"]),
    }
    assert len(asked) == 1
    return asked.pop()


SAME = [
    (NAN, float("nan")), (NAN, Decimal("NaN")), (Decimal("sNaN"), Decimal("NaN")), (1, 1.0),
    (1, Decimal("1.00")), (0.0, -0.0), (0.5, Decimal("0.5")), (Decimal("-0"), 0), (None, None),
    (True, True),
    (datetime(2020, 1, 1, 12, tzinfo=UTC), datetime(2020, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))),
    (datetime(2020, 1, 1, 12), datetime(2020, 1, 1, 12, tzinfo=UTC)),
    (datetime(2020, 1, 1, 12, tzinfo=UTC), datetime(2020, 1, 1, 7, tzinfo=NEW_YORK)),
    (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),) * 2,
    (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))),) * 2, (b"ab", bytearray(b"ab")),
    (b"ab", memoryview(b"ab")), ([1, [2.0]], (1, (Decimal(2),))), ([], ()),
    ({"a": [1, NAN]}, {"a": (1.0, NAN)}), (Mood.SAD, "sad"), (Level.HIGH, 3),
    (Unhashable(1), Unhashable(1)), ([Unhashable(1)], (Unhashable(1),)),
    (uuid.UUID(int=1), uuid.UUID(int=1)), (range(3), range(3)), (timedelta(days=1), timedelta(hours=24)),
    (10**400, Decimal(10**400)),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_values_that_are_the_same(one: object, other: object) -> None:
    assert same(one, other)


DIFFERENT = [
    (True, 1), (False, 0), (True, "True"), (1, "1"), (0.1, Decimal("0.1")), (None, ""), (None, 0),
    (None, NAN), (1, NAN), (date(2020, 1, 1), datetime(2020, 1, 1)), (date(2020, 1, 1), "2020-01-01"),
    (b"a", "a"), ("a", "A"), ("a", "a "), ([True], [1]), ([1, 2], [2, 1]), ([1], [1, 1]),
    ({"a": 1}, {"a": True}), ({"a": 1}, {"b": 1}), ({}, []), ("a", ["a"]),
    (time(12, tzinfo=UTC), time(13, tzinfo=timezone(timedelta(hours=1)))), (time(12), time(12, tzinfo=UTC)),
    (datetime(2020, 11, 1, 1, 30, tzinfo=NEW_YORK),
     datetime(2020, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK)),
    (uuid.UUID(int=1), str(uuid.UUID(int=1))), (Unhashable(1), Unhashable(2)), (Mood.SAD, "SAD"),
    (2**53, float(2**53) + 2), (2**53 + 1, float(2**53)), ("é", "e\u0301"), (timedelta(1), 86400),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_that_are_different(one: object, other: object) -> None:
    assert not same(one, other)


ZONES = st.sampled_from([UTC, NEW_YORK, timezone(timedelta(hours=9))])
NUMBERS = st.booleans() | st.integers() | st.floats() | st.decimals()
MOMENTS = st.dates() | st.times() | st.timedeltas() | st.datetimes() | st.datetimes(timezones=ZONES)
SCALARS = NUMBERS | MOMENTS | st.none() | st.text() | st.binary() | st.uuids() | st.sampled_from(Mood)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES)
def test_a_value_is_the_same_as_its_copy(value: object) -> None:
    assert same(value, copy.deepcopy(value))


@given(VALUES, VALUES)
def test_all_ways_to_ask_agree(one: object, other: object) -> None:
    assert same(one, other) == same([one], (other,))
    assert same({"v": one}, {"v": other}) == same(one, other)


def test_a_column_that_is_absent_is_not_null() -> None:
    assert normal_row({}, ["v"]) == normal_row({"v": ABSENT}, ["v"])
    assert normal_row({}, ["v"]) != normal_row({"v": None}, ["v"])
    assert not same(ABSENT, "missing")
    assert repr(ABSENT) == "missing"


def test_a_row_s_values_come_in_the_order_that_is_asked_for() -> None:
    assert normal_row({"a": 1, "b": 2}, ["b", "a"]) == normal_row({"b": 1, "a": 2}, ["a", "b"])
    assert normal_row({"a": 1, "b": 2}, ["a"]) == normal_row({"a": 1, "b": 3}, ["a"])
