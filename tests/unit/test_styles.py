from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.conditions import Condition
from pytest_kroft.model.generators import make
from pytest_kroft.model.generators.bits import Maker, Request, scramble
from pytest_kroft.model.generators.samples import samples
from pytest_kroft.model.generators.styles import STYLES, TEXT_STYLES, styles_for
from pytest_kroft.model.types import CATALOG_NAMES, parse_type
from tests.definitions import FEW, MODEST

FORMS = {
    "slug": r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
    "identifier": r"[a-z][a-z0-9_]*",
    "letters": r"[a-z]+",
    "upper": r"[A-Z]+",
    "digits": r"[0-9]+",
    "hex": r"([0-9a-f]{2})+",
    "lower words": r"[a-z]+( [a-z]+)*",
    "email": r"[a-z0-9.]+@[a-z]+\.[a-z]+",
    "url": r"https://example\.com/[a-z0-9-]+",
    "path": r"(/[a-z0-9]+)+",
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "phone": r"\+[1-9][0-9]{10}",
    "date": r"\d{4}-\d\d-\d\d",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z",
    "json": r'\{"id": \d+\}',
    "semver": r"\d+\.\d+\.\d+",
    "two letters": r"[A-Z]{2}",
    "three letters": r"[A-Z]{3}",
    "md5": r"[0-9a-f]{32}",
    "sha1": r"[0-9a-f]{40}",
    "sha256": r"[0-9a-f]{64}",
}
ROOMS = ["text", *(f"varchar({room})" for room in (1, 2, 3, 5, 8, 12, 24, 40))]
PAIRS = [
    (style, sql_type)
    for sql_type in [*ROOMS, *CATALOG_NAMES]
    for style in styles_for(parse_type(sql_type))
    if sql_type in ROOMS or style not in TEXT_STYLES
]


def maker(style: str, sql_type: str, condition: Condition | None = None) -> Maker:
    return make(Request(parse_type(sql_type), "c", condition or Condition(), style=style))


def some(made: Maker) -> list[str]:
    """Values that are drawn and counted, the last one among them."""
    numbers = [*range(min(made.capacity or 50, 50)), (made.capacity or 2**60) - 1]
    return [made.draw(scramble(n)) for n in range(200)] + [made.count(n, scramble(n)) for n in numbers]


@pytest.mark.parametrize("style, sql_type", PAIRS)
@FEW
@given(data=st.data())
def test_counting_never_repeats(style: str, sql_type: str, data: st.DataObject) -> None:
    made = maker(style, sql_type)
    numbers = st.integers(0, min(made.capacity or 2**60, 2**60) - 1)
    chosen = data.draw(st.lists(numbers, unique=True, max_size=20))
    assert len({made.count(number, scramble(number)) for number in chosen}) == len(chosen)


@pytest.mark.parametrize("sql_type", ROOMS)
@pytest.mark.parametrize("style", TEXT_STYLES)
def test_texts_have_the_form_of_their_style_and_fit(style: str, sql_type: str) -> None:
    if style not in styles_for(parse_type(sql_type)):
        return
    room = (parse_type(sql_type).modifiers or (99,))[0]
    for text in some(maker(style, sql_type)):
        assert re.fullmatch(FORMS[style], text), text
        assert len(text) <= room


def test_every_style_of_texts_fits_a_text_and_few_fit_a_short_one() -> None:
    assert styles_for(parse_type("text")) == tuple(TEXT_STYLES)
    assert styles_for(parse_type("varchar(2)")) == ("digits", "hex", "two letters")
    assert styles_for(parse_type("text[]")) == ()


def test_dates_and_documents_in_texts_can_be_read() -> None:
    assert all(date.fromisoformat(text) for text in some(maker("date", "text")))
    assert all(datetime.fromisoformat(text) for text in some(maker("timestamp", "text")))
    assert all(isinstance(json.loads(text)["id"], int) for text in some(maker("json", "text")))


@pytest.mark.parametrize(
    "style, low, high",
    [("small", 1, 100), ("percent", 0, 100), ("zero to one", 0, 1), ("positive", 0, 10**30)],
)
@pytest.mark.parametrize("sql_type", ["smallint", "integer", "numeric(5,2)", "real", "double precision"])
def test_numbers_stay_within_their_bounds(sql_type: str, style: str, low: int, high: int) -> None:
    values = [Decimal(text) for text in some(maker(style, sql_type))]
    assert all(low <= value <= high for value in values)
    assert style != "positive" or 0 not in values


@pytest.mark.parametrize("sql_type", ["date", "timestamp", "timestamptz"])
def test_past_and_future(sql_type: str) -> None:
    assert all(text < "2020" for text in some(maker("past", sql_type)))
    assert all(text >= "2100" for text in some(maker("future", sql_type)))


def test_a_style_keeps_to_the_check_as_well() -> None:
    values = some(maker("small", "integer", Condition(lower=(("90", False),))))
    assert {int(value) for value in values} == set(range(91, 101))
    assert all(len(text) <= 5 for text in some(maker("slug", "text", Condition(max_length=5))))


@pytest.mark.parametrize("sql_type", ["int4range", "int8range", "numrange", "int4multirange"])
@MODEST
@given(numbers=st.lists(st.integers(0, 10**6), unique=True, max_size=20))
def test_counted_ranges_of_numbers_are_disjoint(sql_type: str, numbers: list[int]) -> None:
    made = maker("disjoint", sql_type)
    bounds = sorted(
        tuple(Decimal(part) for part in made.count(n, scramble(n)).strip("{[)}").split(",")) for n in numbers
    )
    assert all(low < high for low, high in bounds)
    assert all(one[1] <= other[0] for one, other in pairwise(bounds))


@pytest.mark.parametrize("sql_type", ["daterange", "tsrange", "tstzrange"])
@MODEST
@given(numbers=st.lists(st.integers(0, 10**6), unique=True, max_size=20))
def test_counted_ranges_of_moments_are_disjoint(sql_type: str, numbers: list[int]) -> None:
    made = maker("disjoint", sql_type)
    bounds = sorted(
        tuple(part.strip('"') for part in made.count(n, scramble(n)).strip("[)").split(",")) for n in numbers
    )
    assert all(low < high for low, high in bounds)
    assert all(one[1] <= other[0] for one, other in pairwise(bounds))


def test_a_style_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(DefinitionError, match="there is no style 'slugg'; the styles are: slug, identifier"):
        maker("slugg", "text")


def test_a_style_says_nothing_of_a_type_that_has_no_such_values() -> None:
    assert maker("slug", "integer").draw(7) == make(Request(parse_type("integer"), "c")).draw(7)
    assert set(STYLES) > set(TEXT_STYLES)


@given(size=st.integers(1, 9), key=st.integers(0, 2**64 - 1))
def test_samples_take_each_place_once_and_begin_where_the_key_says(size: int, key: int) -> None:
    cells = (None, *map(str, range(1, size)))
    made = samples(cells, key)
    assert made.capacity == size
    assert sorted(map(str, (made.count(n, 0) for n in range(size)))) == sorted(map(str, cells))
    assert all(made.draw(bits) == cells[bits % size] for bits in range(20))


def test_keys_begin_at_different_samples() -> None:
    assert len({samples("abcdefgh", key).count(0, 0) for key in range(50)}) == 8


def test_columns_with_the_same_key_and_bits_stay_together() -> None:
    one, other = samples(("1", "2", "3"), 5), samples(("a", "b", "c"), 5)
    pairs = {(one.draw(bits), other.draw(bits)) for bits in range(30)}
    pairs |= {(one.count(n, 0), other.count(n, 0)) for n in range(3)}
    assert pairs == {("1", "a"), ("2", "b"), ("3", "c")}
