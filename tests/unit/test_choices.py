"""Where every decision comes from."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.choices import (
    MANY,
    SPAN,
    AskingChoices,
    SeededChoices,
    TurnableChoices,
    derive_seed,
)
from tests.definitions import MODEST

SEEDS = st.integers(-(2**70), 2**70)


@MODEST
@given(SEEDS, st.integers(-(2**62), 2**62), st.integers(0, 2**62))
def test_an_integer_lies_in_its_range(seed, low, width):
    assert low <= SeededChoices(seed).integer(low, low + width) <= low + width


@MODEST
@given(SEEDS, st.lists(st.integers(), max_size=40, unique=True), st.integers(0, 50))
def test_a_sample_is_of_that_many_different_items_in_their_order(seed, items, count):
    taken = SeededChoices(seed).sample(items, count)
    assert len(taken) == min(count, len(items))
    places = [items.index(item) for item in taken]
    assert places == sorted(set(places))


@MODEST
@given(SEEDS, st.lists(st.text(), min_size=1))
def test_one_of_is_one_of(seed, items):
    assert SeededChoices(seed).one_of(items) in items


@MODEST
@given(SEEDS)
def test_the_same_seed_gives_the_same_answers_whatever_else_draws(seed):
    def answers() -> list:
        choices = SeededChoices(seed)
        random.random()  # what others draw has no part in it
        return [
            choices.integer(0, 2**64 - 1),
            choices.chance(0.5),
            choices.one_of("abc"),
            choices.sample(range(100), 5),
            choices.sample(range(10), 5),
        ]

    assert answers() == answers()


def test_the_answers_of_a_seed_never_change():
    choices = SeededChoices(7)
    assert [choices.integer(1, 1000) for _ in range(5)] == PINNED
    assert derive_seed(7, "a", "b") == PINNED_SEED


PINNED = [460, 722, 990, 388, 237]
PINNED_SEED = 5177306322290014883


def test_an_empty_range_is_refused():
    with pytest.raises(ValueError, match="no whole number from 2 to 1"):
        SeededChoices(1).integer(2, 1)
    with pytest.raises(ValueError):
        SeededChoices(1).one_of([])
    assert SeededChoices(1).sample([], 3) == ()
    assert SeededChoices(1).sample([1, 2], 0) == ()


def test_certain_chances():
    choices = SeededChoices(1)
    assert not any(choices.chance(0) for _ in range(1000))
    assert all(choices.chance(1) for _ in range(1000))


def test_answers_are_evenly_spread():
    choices = SeededChoices(3)
    integers = Counter(choices.integer(1, 6) for _ in range(6000))
    assert set(integers) == {1, 2, 3, 4, 5, 6}
    assert all(850 < count < 1150 for count in integers.values())
    assert 2800 < sum(choices.chance(0.3) for _ in range(10_000)) < 3200
    assert all(
        850 < count < 1150 for count in Counter(choices.one_of("abcdef") for _ in range(6000)).values()
    )


@pytest.mark.parametrize("total, count", [(10, 5), (40, 4)])
def test_every_item_is_as_likely_in_a_sample_as_the_others(total, count):
    choices = SeededChoices(5)
    found = Counter(item for _ in range(4000) for item in choices.sample(range(total), count))
    expected = 4000 * count / total
    assert len(found) == total
    assert all(0.8 * expected < seen < 1.2 * expected for seen in found.values())


@MODEST
@given(SEEDS, st.lists(st.text(max_size=4), max_size=4))
def test_a_derived_seed_has_63_bits_and_keeps_its_parts_apart(seed, path):
    derived = derive_seed(seed, *path)
    assert 0 <= derived < 2**63
    assert derived == derive_seed(seed, *path)
    assert derived != derive_seed(seed + 1, *path)
    assert derived != derive_seed(seed, *path, "x")


def test_the_parts_of_a_path_are_kept_apart():
    assert derive_seed(1, "ab", "c") != derive_seed(1, "a", "bc")
    assert derive_seed(1, "ab", "c") != derive_seed(1, "abc")
    assert derive_seed(1, "\ud800") != derive_seed(1, "?")


# Answers that something else draws


class Drawing:
    """Answers with the given numbers, then with the lowest; notes what it was asked."""

    def __init__(self, *numbers: int) -> None:
        self.numbers: Iterator[int] = iter(numbers)
        self.asked: list[tuple[int, int]] = []

    def __call__(self, low: int, high: int) -> int:
        self.asked.append((low, high))
        return next(self.numbers, low)


def test_an_integer_is_asked_for_as_it_is():
    drawing = Drawing(3)
    choices = AskingChoices(drawing)
    assert (choices.integer(-2, 5), choices.integer(-2, 5)) == (3, -2)
    assert drawing.asked == [(-2, 5)] * 2


def test_the_lowest_numbers_are_the_simplest_answers():
    choices = AskingChoices(Drawing())
    assert choices.integer(4, 9) == 4
    assert not choices.chance(0.99)
    assert choices.one_of("abc") == "a"
    assert choices.sample("abcdef", 3) == ("a", "b", "c")
    assert choices.sample("abc", 0) == ()


@pytest.mark.parametrize(
    "probability, expected", [(0, 0), (0.01, 1), (0.3, 30), (0.125, 12), (0.996, 100), (1, 100)]
)
def test_a_chance_is_true_for_as_many_of_a_hundred_numbers_the_highest(probability, expected):
    drawing = Drawing(*range(100))
    answers = [AskingChoices(drawing).chance(probability) for _ in range(100)]
    assert answers == [False] * (100 - expected) + [True] * expected
    assert drawing.asked == [(0, 99)] * 100


@pytest.mark.parametrize("count", [1, 2, 3, 255, SPAN])
def test_an_item_goes_by_the_remainder_in_the_same_range_for_any_few_items(count):
    drawing = Drawing(*range(SPAN))
    choices = AskingChoices(drawing)
    answers = [choices.one_of(range(count)) for _ in range(SPAN)]
    assert answers == [number % count for number in range(SPAN)]
    assert set(drawing.asked) == {(0, SPAN - 1)}


def test_of_more_items_each_can_be_drawn():
    drawing = Drawing(SPAN)
    assert AskingChoices(drawing).one_of(range(SPAN + 1)) == SPAN
    assert drawing.asked == [(0, SPAN)]


@MODEST
@given(st.data(), st.lists(st.integers(), max_size=100, unique=True), st.integers(0, 100))
def test_any_numbers_give_a_sample_of_that_many_different_items_in_their_order(data, items, count):
    choices = AskingChoices(lambda low, high: data.draw(st.integers(low, high)))
    taken = choices.sample(items, count)
    assert len(taken) == min(count, len(items))
    places = [items.index(item) for item in taken]
    assert places == sorted(set(places))


def test_each_item_of_a_small_sample_goes_by_the_remainder_among_those_left():
    assert AskingChoices(Drawing(4, 4, 7)).sample("abcde", 3) == ("a", "c", "e")
    drawing = Drawing()
    AskingChoices(drawing).sample(range(1000), MANY)
    assert drawing.asked == [(0, 1000 - taken - 1) for taken in range(MANY)]


def test_a_large_sample_is_drawn_as_one_seed_and_all_items_as_none():
    drawing = Drawing(11, 12)
    choices, items = AskingChoices(drawing), range(100)
    first, second = choices.sample(items, MANY + 1), choices.sample(items, MANY + 1)
    assert first == SeededChoices(11).sample(items, MANY + 1)
    assert second == SeededChoices(12).sample(items, MANY + 1) != first
    assert drawing.asked == [(0, 1 << 32)] * 2
    assert choices.sample(items, 100) == choices.sample(items, 101) == tuple(items)
    assert len(drawing.asked) == 2


def test_questions_are_handed_on_to_whoever_answers_now():
    turnable = TurnableChoices(SeededChoices(7))
    seeded = SeededChoices(7)
    assert turnable.searches is False
    assert [turnable.integer(1, 1000), turnable.chance(0.5)] == [seeded.integer(1, 1000), seeded.chance(0.5)]
    assert turnable.one_of("abcd") == seeded.one_of("abcd")
    assert turnable.sample(range(50), 20) == seeded.sample(range(50), 20)
    turnable.turn_to(AskingChoices(Drawing(3, 99, 2, 4, 3)))
    assert turnable.searches is True
    assert (turnable.integer(0, 9), turnable.chance(0.01), turnable.one_of("abc")) == (3, True, "c")
    assert turnable.sample("abcde", 2) == ("d", "e")
