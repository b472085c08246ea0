from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import UnknownType
from pytest_kroft.model.conditions import parse_condition
from pytest_kroft.model.generators import EXCEPTIONS, make
from pytest_kroft.model.generators.bits import (
    Maker,
    Request,
    letters,
    numerals,
    scramble,
    span,
    strings_up_to,
)
from pytest_kroft.model.generators.names import number_kind, pool, text_kind, words_of
from pytest_kroft.model.types import CATALOG_NAMES, parse_type

BITS = st.integers(0, 2**64 - 1)
TYPES = [
    *CATALOG_NAMES,
    "varchar(1)",
    "varchar(9)",
    "varchar(20)",
    "char(3)",
    "numeric(4,2)",
    "numeric(3,-1)",
    "bit(9)",
]
TYPES += ["bit varying(4)", "timestamp(0)", "time(3)", "text[]", "boolean[]", "varchar(2)[]", "integer[]"]


def maker(sql_type: str, name: str = "c", check: str | None = None) -> Maker:
    return make(Request(parse_type(sql_type), name, parse_condition(check, name)))


@pytest.mark.parametrize("sql_type", TYPES)
@given(data=st.data())
def test_counting_never_repeats(sql_type: str, data: st.DataObject) -> None:
    made = maker(sql_type)
    numbers = st.integers(0, min(made.capacity or 2**63, 2**63) - 1)
    chosen = data.draw(st.lists(numbers, unique=True, max_size=20))
    # A bijection of the number stands in for the cell's bits.
    texts = [made.count(number, scramble(number)) for number in chosen]
    assert len(set(texts)) == len(chosen)


@pytest.mark.parametrize(
    "name", ["email", "first_name", "url", "phone", "sku", "uuid", "status", "username", "slug"]
)
@pytest.mark.parametrize("sql_type", ["text", "varchar(9)", "varchar(15)", "varchar(33)", "name"])
@given(numbers=st.lists(st.integers(0, 10**9 - 2), unique=True, max_size=20), key=BITS)
def test_texts_with_a_meaning_never_repeat(sql_type: str, name: str, numbers: list[int], key: int) -> None:
    made = maker(sql_type, name)
    texts = [made.count(number, scramble(key ^ number)) for number in numbers]
    assert len(set(texts)) == len(numbers)


@pytest.mark.parametrize("sql_type", TYPES)
def test_the_same_bits_give_the_same_value(sql_type: str) -> None:
    one, other = maker(sql_type), maker(sql_type)
    assert [one.draw(scramble(n)) for n in range(50)] == [other.draw(scramble(n)) for n in range(50)]


def test_values_of_saved_seeds_do_not_change() -> None:
    # No pool of Faker is in here: it may change with Faker's version, the others may not.
    drawn = {
        name: maker(name).draw(scramble(1)) for name in ("integer", "text", "date", "uuid", "numeric(6,2)")
    }
    assert drawn == {
        "integer": "822465",
        "text": "glacier señor",
        "date": "2023-02-05",
        "uuid": "910a2dec-8902-45cc-a161-5e41ab087439",
        "numeric(6,2)": "8224.65",
    }


@given(low=st.integers(-50, 50), size=st.integers(1, 60), data=st.data())
def test_a_span_reaches_each_integer_once_but_for_the_excluded(
    low: int, size: int, data: st.DataObject
) -> None:
    high = low + size - 1
    without = data.draw(st.sets(st.integers(low - 5, high + 5)))
    made = span(
        low,
        high,
        start=data.draw(st.integers(-60, 120)),
        stride=data.draw(st.integers(1, 90)),
        without=[*without],
    )
    assert sorted(made.at(number) for number in range(made.size)) == [
        n for n in range(low, high + 1) if n not in without
    ]


@given(st.integers(0, 5_000), st.integers(1, 6))
def test_numerals_are_a_bijection(number: int, base: int) -> None:
    digits = numerals(number, base)
    back = 0
    for digit in digits:
        back = back * base + digit + 1
    assert back == number
    assert all(0 <= digit < base for digit in digits)


def test_the_strings_over_an_alphabet_are_counted() -> None:
    assert [letters(number, "ab") for number in range(7)] == ["", "a", "b", "aa", "ab", "ba", "bb"]
    assert strings_up_to(2, 2) == 7
    assert strings_up_to(2, 3, 2) == 12


@pytest.mark.parametrize(
    "sql_type, capacity",
    [
        ("boolean", 2),
        ("smallint", 32_767),
        ("bit(3)", 8),
        ("bit varying(2)", 6),
        ("char(1)", 36),
        ("text", None),
    ],
)
def test_a_small_type_is_counted_to_its_end(sql_type: str, capacity: int | None) -> None:
    made = maker(sql_type)
    assert made.capacity == capacity
    if capacity:
        assert len({made.count(number, 0) for number in range(capacity)}) == capacity


@pytest.mark.parametrize(
    "check, first, capacity",
    [
        ("c >= 100", ["100", "101"], 2**31 - 100),
        ("c BETWEEN -1 AND 2", ["1", "2", "-1", "0"], 4),
        ("c > 0 AND c <> 2", ["1", "3", "4"], 2**31 - 2),
        ("c IN (7, 3)", ["7", "3"], 2),
        ("c IN (7, 3, 5) AND c > 3 AND c <> 5", ["7"], 1),
        ("c < 0", None, 2**31),
        ("c > 5 AND c < 3", ["1", "2"], 2**31 - 1),
        ("c > other", ["1", "2"], 2**31 - 1),
    ],
)
def test_unique_integers_start_where_the_check_allows(
    check: str, first: list[str] | None, capacity: int
) -> None:
    made = maker("integer", check=check)
    assert made.capacity == capacity
    if first:
        assert [made.count(number, 0) for number in range(len(first))] == first


@given(BITS)
def test_numbers_stay_within_a_check(bits: int) -> None:
    assert 10 <= int(maker("integer", "age", "age BETWEEN 10 AND 12").draw(bits)) <= 12
    assert 0.5 < float(maker("numeric(6,2)", "c", "c > 0.5 AND c < 0.75").draw(bits)) < 0.75
    assert maker("date", "c", "c >= '2030-01-01' AND c < '2030-01-03'").draw(bits) in (
        "2030-01-01",
        "2030-01-02",
    )
    assert len(maker("text", "c", "length(c) >= 40").draw(bits)) >= 40


@given(BITS)
def test_numbers_are_plausible_for_their_name(bits: int) -> None:
    assert 18 <= int(maker("integer", "age").draw(bits)) <= 90
    assert -90 <= float(maker("double precision", "latitude").draw(bits)) <= 90
    assert 1 <= float(maker("numeric(10,2)", "unit_price").draw(bits)) <= 999.99
    assert float(maker("numeric(3,2)", "price").draw(bits)) <= 9.99


@pytest.mark.parametrize(
    "name, kind",
    [
        ("email", "email"), ("customerEmail", "email"), ("customer_email_2", "email"), ("first_name",
        "first_name"),
        ("FirstName", "first_name"), ("name", "name"), ("user_name", "user_name"), ("country_code",
        "country_code"),
        ("emailing", None), ("c", None), ("", None),
    ],
)  # fmt: skip
def test_a_name_says_what_the_texts_are(name: str, kind: str | None) -> None:
    assert text_kind(name) == kind


def test_words_of_a_name() -> None:
    assert words_of("customerEmail_2") == ("customer", "email", "2")
    assert words_of("HTTPStatus") == ("http", "status")
    assert number_kind("unit_price") == ("1", "999.99")
    assert number_kind("c") is None


def test_a_text_by_name_looks_like_one() -> None:
    assert "@" in maker("text", "email").draw(7)
    assert maker("text", "status").draw(7) in pool("status")
    unique = [maker("text", "email").count(number, scramble(number)) for number in range(20)]
    assert all("@" in text and text.count("@") == 1 for text in unique)


def test_where_the_pool_does_not_fit_plain_words_do() -> None:
    assert all(len(maker("varchar(6)", "description").draw(scramble(n))) <= 6 for n in range(200))
    assert all(len(maker("name", "description").draw(scramble(n)).encode()) <= 63 for n in range(200))


def test_enums_draw_their_labels_and_count_them() -> None:
    mood = parse_type("mood")
    made = make(Request(mood, labels=("glad", "calm", "sad"), condition=parse_condition("c <> 'sad'", "c")))
    assert made.capacity == 2
    assert {made.draw(scramble(n)) for n in range(50)} == {"glad", "calm"}
    with pytest.raises(UnknownType, match="mood"):
        make(Request(mood))


def test_every_built_in_type_has_a_generator() -> None:
    for name in CATALOG_NAMES:
        assert isinstance(maker(name).draw(1), str)
    assert set(EXCEPTIONS) <= set(CATALOG_NAMES)
