from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.postgres.regexes import texts_of

PATTERNS = [
    r"^[a-z0-9]+(-[a-z0-9]+)*$",
    r"^X-[0-9]{2,3}(a|b)$",
    r"^\d{4}-\d\d$",
    r"^[^@\s]+@[^@]+\.[a-z]{2,}$",
    r"^(?:ab|cd)?e+?.$",
    r"^[A-Z][^0-9]*$",
    r"abc",
    r"^é{1,2}$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texts_match_and_are_different(pattern: str) -> None:
    texts = texts_of(pattern, 50)
    assert texts
    assert len(set(texts)) == len(texts) <= 50
    assert all(re.search(pattern, text) for text in texts)


def test_a_rich_pattern_has_as_many_texts_as_are_wanted() -> None:
    assert len(texts_of(r"^X-[0-9]{2,3}(a|b)$", 600)) == 600
    assert len(texts_of(r"^[ab]$", 600)) == 2


def test_the_classes_of_posix_are_read() -> None:
    assert all(re.fullmatch("[a-zA-Z]{2}[0-9]", text) for text in texts_of("^[[:alpha:]]{2}[[:digit:]]$", 20))
    assert len(texts_of("^[[:alpha:]]{2}[[:digit:]]$", 20)) == 20


def test_the_same_pattern_always_gives_the_same_texts() -> None:
    assert texts_of(r"^[a-f]{3,9}$", 20) == texts_of(r"^[a-f]{3,9}$", 20)


@pytest.mark.parametrize("pattern", ["(", "[", "a{2,1}", r"(a)\1", "(?=a)a", "[[:alpha:", r"\m", "*"])
def test_a_pattern_that_is_not_understood_has_no_texts(pattern: str) -> None:
    assert texts_of(pattern, 5) == []


@given(st.text(alphabet="ab(){}[]^$.*+?|\\-d,12", max_size=12))
def test_no_pattern_makes_it_fail(pattern: str) -> None:
    assert all(re.search(pattern, text, re.ASCII) for text in texts_of(pattern, 3))
