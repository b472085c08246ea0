"""Matching and rendering of rows; no server."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_kroft.comparison import Comparison, Difference, Repetition, compare
from pytest_kroft.equality import ABSENT, equal
from pytest_kroft.errors import Mismatch, RowsRefused, UnknownColumn

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


def orders(expected: list[dict[str, Any]], actual: object, **more: Any) -> Comparison:
    return compare(expected, actual, **{"table": "orders", "key": ["id"], **more})


HARD_TO_TELL_APART = [
    (True, "True"), (1, "1"), (0.1, Decimal("0.1")), (None, "NULL"), (date(2020, 1, 1), "2020-01-01"),
    (date(2020, 1, 1), datetime(2020, 1, 1)), ("a", "a "), ([True], [1]), ("é", "e\u0301"),
    (uuid.UUID(int=1), str(uuid.UUID(int=1))), (Unhashable(1), Unhashable(2)), (Mood.SAD, "SAD"),
    (time(12), time(12, tzinfo=UTC)), (2**53 + 1, float(2**53)), (b"a", "a"),
    (datetime(2020, 11, 1, 1, 30, tzinfo=NEW_YORK),
     datetime(2020, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK)),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), HARD_TO_TELL_APART)
def test_values_that_look_alike_read_differently(one: object, other: object) -> None:
    (line,) = orders([{"id": 1, "v": one}], [{"id": 1, "v": other}]).render().splitlines()[1:]
    source, copy = line.removeprefix("  id 1: v is ").split(" in the source, ")
    assert source != copy.removesuffix(" in the copy")


ZONES = st.sampled_from([UTC, NEW_YORK, timezone(timedelta(hours=9))])
NUMBERS = st.booleans() | st.integers() | st.floats() | st.decimals()
MOMENTS = st.dates() | st.times() | st.timedeltas() | st.datetimes() | st.datetimes(timezones=ZONES)
SCALARS = NUMBERS | MOMENTS | st.none() | st.text() | st.binary() | st.uuids() | st.sampled_from(Mood)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
TABLES = st.dictionaries(st.integers(0, 20), VALUES, max_size=8).map(
    lambda rows: [{"id": key, "v": value} for key, value in rows.items()]
)


@given(TABLES, st.randoms(use_true_random=False))
def test_a_copy_in_any_order_is_the_same(rows: list[dict[str, Any]], chance: Any) -> None:
    copy = [dict(reversed(row.items())) for row in rows]
    chance.shuffle(copy)
    assert orders(rows, copy)
    assert orders(rows, copy, key=[])


@given(TABLES, TABLES)
def test_every_row_is_accounted_for(expected: list[dict[str, Any]], actual: list[dict[str, Any]]) -> None:
    found = orders(expected, actual)
    both = {row["id"] for row in expected} & {row["id"] for row in actual}
    assert [row["id"] for row in found.missing] == [row["id"] for row in expected if row["id"] not in both]
    assert [row["id"] for row in found.extra] == [row["id"] for row in actual if row["id"] not in both]
    assert {row.key["id"] for row in found.different} <= both
    assert found.same == (not found.missing and not found.extra and not found.different)
    assert (found.expected_count, found.actual_count) == (len(expected), len(actual))
    assert isinstance(found.render(), str)


@given(st.lists(st.integers(0, 4)), st.lists(st.integers(0, 4)))
def test_without_a_key_rows_are_counted(expected: list[int], actual: list[int]) -> None:
    found = orders([{"n": n} for n in expected], [{"n": n} for n in actual], key=[])
    assert found.same == (sorted(expected) == sorted(actual))
    for n in range(5):
        surplus = actual.count(n) - expected.count(n)
        assert [row["n"] for row in found.extra].count(n) == max(surplus, 0)
        assert [row["n"] for row in found.missing].count(n) == max(-surplus, 0)


@given(VALUES, VALUES)
@example(1, Decimal("1.00"))
@example(NAN, Decimal("NaN"))
@example(True, 1)
@example(Unhashable(1), Unhashable(1))
def test_values_are_compared_alike_in_a_column_in_a_key_and_without_one(one: object, other: object) -> None:
    for left, right in ((one, other), (other, one)):
        assert orders([{"id": 1, "v": left}], [{"id": 1, "v": right}]).same == equal(one, other)
        assert orders([{"v": left}], [{"v": right}], key=["v"]).same == equal(one, other)
        assert orders([{"v": left}], [{"v": right}], key=[]).same == equal(one, other)


@given(VALUES, VALUES)
def test_two_values_that_differ_read_differently(one: object, other: object) -> None:
    found = orders([{"id": 1, "v": one}], [{"id": 1, "v": other}])
    if not found.same:
        text = found.render().split("v is ", 1)[1]
        source, copy = text.split(" in the source, ", 1)
        assert source != copy.removesuffix(" in the copy")


# The differences as data


def test_each_kind_of_difference() -> None:
    expected = [{"id": 1, "price": 5}, {"id": 2, "price": 6}, {"id": 3, "price": 7}]
    found = orders(expected, [{"id": 9, "price": 1}, {"id": 3, "price": 8}, {"id": Decimal(1), "price": 5}])
    assert found.missing == ({"id": 2, "price": 6},)
    assert found.extra == ({"id": 9, "price": 1},)
    assert found.different == (Difference({"id": 3}, {"price": (7, 8)}),)
    assert not found
    assert not found.same


def test_the_second_row_of_a_key_is_extra() -> None:
    found = orders([{"id": 2, "v": 1}], [{"id": 2, "v": 1}, {"id": 2, "v": 3}])
    assert found.extra == ({"id": 2, "v": 3},)
    assert found.repeated == (Repetition({"id": 2}, 1, 2),)
    assert not found.different


def test_the_same_object_twice_is_two_rows() -> None:
    row = {"id": 2, "v": 1}
    assert orders([row], [row, row]).extra == (row,)


def test_a_composite_key() -> None:
    expected = [{"a": 1, "b": 1, "v": 0}, {"a": 1, "b": 2, "v": 0}]
    found = orders(expected, [{"a": 1, "b": 2, "v": 1}], key=["a", "b"])
    assert found.missing == (expected[0],)
    assert found.different[0].key == {"a": 1, "b": 2}
    assert "a 1, b 2: v is 0 in the source, 1 in the copy" in found.render()


def test_columns_that_one_side_lacks_are_left_out_of_the_rows() -> None:
    found = orders([{"id": 1, "a": 1, "b": 2}], [{"id": 1, "a": 1, "c": 3}])
    assert (found.lacking_columns, found.surplus_columns) == (("b",), ("c",))
    assert not found.different
    assert not found.same


def test_a_column_that_only_some_rows_lack_is_a_difference_of_those() -> None:
    found = orders([{"id": 1, "v": 1}, {"id": 2, "v": None}], [{"id": 1, "v": 1}, {"id": 2}])
    assert found.lacking_columns == ()
    assert found.different == (Difference({"id": 2}, {"v": (None, ABSENT)}),)
    assert found.render().endswith("id 2: v is NULL in the source, missing from the copy")


def test_an_empty_copy_lacks_no_column() -> None:
    found = orders([{"id": 1, "v": 1}], [])
    assert (found.lacking_columns, found.surplus_columns) == ((), ())
    assert len(found.missing) == 1


class EmptyCursor:
    """A DB-API cursor that has run a query which found nothing."""

    def __init__(self, *names: str) -> None:
        self.description = [(name, None) for name in names]

    def fetchall(self) -> list[Any]:
        return []


def test_an_empty_copy_that_is_a_cursor_has_columns() -> None:
    found = orders([{"id": 1, "v": 1, "w": 2}], EmptyCursor("id", "v", "x"))
    assert (found.lacking_columns, found.surplus_columns) == (("w",), ("x",))
    assert found.missing == ({"id": 1, "v": 1},)
    assert orders([{"id": 1, "v": 1}], EmptyCursor("v")).lacking_columns == ("id",)
    assert orders([{"id": 1, "v": 1}], EmptyCursor("id", "x"), columns=["id"]).surplus_columns == ()


def test_two_empty_sides_differ_in_columns_that_are_known() -> None:
    found = orders([], EmptyCursor("id", "x"), known=["id", "v"])
    assert (found.lacking_columns, found.surplus_columns) == (("v",), ("x",))
    assert found.render().splitlines() == [
        "orders: the copy has other columns than the source",
        "  the copy lacks the column v",
        "  the copy has a column x that the source does not have",
    ]
    assert orders([], EmptyCursor("v", "id"), known=["id", "v"])
    assert orders([], [], known=["id", "v"])
    assert orders([], EmptyCursor("id", "x"))
    assert orders([], EmptyCursor("id", "x"), known=["id", "v"], columns=["id"])


def test_known_columns_count_for_rows_too_many() -> None:
    found = orders([], [{"id": 1, "x": 5}], known=["id", "v"])
    assert (found.lacking_columns, found.surplus_columns) == (("v",), ("x",))
    assert found.extra == ({"id": 1},)


def test_expected_rows_say_more_than_known_columns() -> None:
    assert orders([{"id": 1, "v": 1}], [{"id": 1, "v": 1}], known=["nothing", "of", "this"])


@pytest.mark.parametrize("wrong", [{"key": ["nr"]}, {"columns": ["id", "nr"]}])
def test_a_column_that_a_source_without_rows_lacks_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnknownColumn, match="no column 'nr'; its columns are: id, v"):
        orders([], [], known=["id", "v"], **wrong)


def test_an_empty_source() -> None:
    assert orders([], [])
    found = orders([], [{"id": 1, "v": 1}])
    assert found.extra == ({"id": 1, "v": 1},)
    assert found.surplus_columns == ()
    assert orders([], [{"v": 1}]).lacking_columns == ("id",)


def test_a_copy_without_the_key_is_a_difference_and_no_error() -> None:
    found = orders([{"id": 1, "v": 1}], [{"uid": 1, "v": 1}])
    assert found.lacking_columns == ("id",)
    assert found.render().splitlines()[1:] == [
        "  the copy lacks the column id",
        "  without the whole key no rows could be matched",
        "  the copy has a column uid that the source does not have",
    ]


def test_only_some_columns_are_compared() -> None:
    expected = [{"id": 1, "a": 1, "b": 2}]
    assert orders(expected, [{"id": 1, "a": 1, "z": 9}], columns=["a"])
    assert orders(expected, [{"id": 1, "a": 2}], columns=["a"]).different
    assert orders(expected, [{"id": 1, "b": 2}], columns=["a"]).lacking_columns == ("a",)


@pytest.mark.parametrize("wrong", [{"key": ["nr"]}, {"columns": ["id", "nr"]}])
def test_a_column_that_the_source_lacks_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnknownColumn, match="no column 'nr'; its columns are: id, v"):
        orders([{"id": 1, "v": 1}], [{"id": 1, "v": 1}], **wrong)


def test_what_is_no_copy_is_refused() -> None:
    with pytest.raises(RowsRefused, match="no names"):
        orders([{"id": 1, "price": 5}], [(1, 5)])


# Rendering


def test_one_row_is_missing() -> None:
    found = orders([{"id": 1}, {"id": 2}], [{"id": 1}])
    assert found.render() == "orders: the copy lacks 1 of 2 rows\n  id 2: not in the copy"


def test_everything_at_once() -> None:
    expected = [{"id": n, "price": Decimal("5.00"), "discount": 0} for n in range(100)]
    actual = [{"id": n, "price": Decimal("5.00"), "old_price": 1} for n in [*range(3, 100), 200, 201]]
    for row in actual[:4]:
        row["price"] = Decimal("4.00")
    assert orders(expected, actual).render().splitlines() == [
        "orders: the copy lacks 3 of 100 rows, has 2 rows too many, and 4 rows differ",
        "  the copy lacks the column discount",
        "  the copy has a column old_price that the source does not have",
        "  id 0: not in the copy",
        "  id 1: not in the copy",
        "  id 200: in the copy, but not in the source",
        "  id 201: in the copy, but not in the source",
        "  id 3: price is 5.00 in the source, 4.00 in the copy",
        "  ... and 4 more",
    ]


@pytest.mark.parametrize(
    ("missing", "extra", "different", "headline"),
    [
        (0, 0, 0, "the copy is the same (5 rows)"),
        (1, 0, 0, "the copy lacks 1 of 5 rows"),
        (0, 1, 0, "the copy has 1 row too many"),
        (0, 0, 1, "1 of 5 rows differs"),
        (0, 0, 2, "2 of 5 rows differ"),
        (2, 1, 0, "the copy lacks 2 of 5 rows and has 1 row too many"),
        (2, 0, 1, "the copy lacks 2 of 5 rows and 1 row differs"),
        (1, 2, 2, "the copy lacks 1 of 5 rows, has 2 rows too many, and 2 rows differ"),
    ],
)
def test_headlines(missing: int, extra: int, different: int, headline: str) -> None:
    expected = [{"id": n, "v": 0} for n in range(5)]
    actual = [{"id": n, "v": int(n >= 5 - different)} for n in range(missing, 5 + extra)]
    assert orders(expected, actual).render().splitlines()[0] == f"orders: {headline}"


@pytest.mark.parametrize(
    ("expected", "actual", "line"),
    [
        ([2], [2, 2], "id 2: 2 times in the copy"),
        ([], [7, 7], "id 7: not in the source, but 2 times in the copy"),
        ([2, 2], [2], "id 2: 2 times in the source, 1 time in the copy"),
        ([2, 2], [], "id 2: 2 times in the source, not in the copy"),
    ],
)
def test_a_repeated_row_is_one_line(expected: list[int], actual: list[int], line: str) -> None:
    rows = orders([{"id": n} for n in expected], [{"id": n} for n in actual]).render().splitlines()[1:]
    assert rows == [f"  {line}"]


def test_a_row_without_a_key_is_shown_whole() -> None:
    found = orders([{"a": 1, "b": "x"}], [], key=[])
    assert found.render().splitlines()[1] == "  row with a 1, b 'x': not in the copy"


def test_no_kind_of_difference_hides_another() -> None:
    expected = [{"id": n, "v": 0} for n in range(50)]
    text = orders(expected, [{"id": 48, "v": 1}, {"id": 99, "v": 0}]).render(limit=4)
    assert [line.split(":")[0] for line in text.splitlines()[1:]] == [
        "  id 0",
        "  id 1",
        "  id 99",
        "  id 48",
        "  ... and 47 more",
    ]


def test_long_values_are_cut_and_yet_differ() -> None:
    def line(one: str, other: str) -> str:
        return orders([{"id": 1, "v": one}], [{"id": 1, "v": other}]).render().splitlines()[1]

    assert line("a" * 500, "b" * 500).count("...") == 2
    middle = line("x" * 500 + "RED" + "y" * 500, "x" * 500 + "BLUE" + "y" * 500)
    end = line("x" * 500, "x" * 501)
    assert "RED" in middle
    assert "BLUE" in middle
    for text in (middle, end):
        source, copy = text.split(" in the source, ")
        assert source.split("v is ")[1] != copy.removesuffix(" in the copy")
        assert len(text) < 180


def test_a_mismatch_carries_text_and_comparison() -> None:
    found = orders([{"id": 1}], [])
    with pytest.raises(Mismatch) as caught:
        found.raise_if_different()
    assert str(caught.value) == found.render()
    assert caught.value.comparison is found
    orders([], []).raise_if_different()
