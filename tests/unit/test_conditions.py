from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.conditions import NO_CONDITION, Condition, parse_condition, understood

UNDERSTOOD = [
    ("c > 5", Condition(lower=(("5", False),))),
    ("(c >= 5)", Condition(lower=(("5", True),))),
    ("5 < c", Condition(lower=(("5", False),))),
    ("-1.5 >= c", Condition(upper=(("-1.5", True),))),
    ("c <> 0", Condition(excluded=("0",))),
    ("c != 0", Condition(excluded=("0",))),
    ("c = 'x'", Condition(allowed=("x",))),
    ("c BETWEEN 1 AND 9", Condition(lower=(("1", True),), upper=(("9", True),))),
    ("c between 1 and 9 and c <> 5", Condition(lower=(("1", True),), upper=(("9", True),), excluded=("5",))),
    ("(c > 0) AND (c <= (10)::numeric)", Condition(lower=(("0", False),), upper=(("10", True),))),
    (
        "((c > (0)::double precision) AND (c < (9)::numeric(4,1)))",
        Condition(lower=(("0", False),), upper=(("9", False),)),
    ),
    ("c >= (-5) AND c < - 1", Condition(lower=(("-5", True),), upper=(("-1", False),))),
    ("c IN ('a', 'it''s')", Condition(allowed=("a", "it's"))),
    ("c NOT IN (1, 2)", Condition(excluded=("1", "2"))),
    ("c = ANY (ARRAY['a'::text, 'b'::text])", Condition(allowed=("a", "b"))),
    (
        "(c)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])",
        Condition(allowed=("a", "b")),
    ),
    ("c <> ALL (ARRAY[1, 2])", Condition(excluded=("1", "2"))),
    ("c IN ('a', 'b') AND c IN ('b', 'c')", Condition(allowed=("b",))),
    ("char_length(c) <= 10", Condition(max_length=10)),
    ("(length((c)::text) > 3) AND (length(c) < 9)", Condition(min_length=4, max_length=8)),
    ("3 <= character_length(c)", Condition(min_length=3)),
    ("length(c) = 4", Condition(min_length=4, max_length=4)),
    ("c > DATE '2020-01-01'", Condition(lower=(("2020-01-01", False),))),
    ("c > '2020-01-01'::timestamp without time zone", Condition(lower=(("2020-01-01", False),))),
    ('"c" > 5', Condition(lower=(("5", False),))),
    ("C > 5 AND other > 3", Condition(lower=(("5", False),))),
    ("c IS NOT NULL AND c > 5", Condition(lower=(("5", False),))),
    ("c > 1 AND (c < 3 OR c > 5)", Condition(lower=(("1", False),))),
    ("c IS NULL OR c > 5", Condition(lower=(("5", False),))),
    ("((c > 5) OR (c IS NULL))", Condition(lower=(("5", False),))),
    (
        "((c IS NULL) OR ((c > 1) AND (c < 9)))",
        Condition(lower=(("1", False),), upper=(("9", False),)),
    ),
    ("c = 'a' OR c = 'b'", Condition(allowed=("a", "b"))),
    ("(((c)::text = 'a'::text) OR ((c)::text = ANY (ARRAY['b'::text])))", Condition(allowed=("a", "b"))),
    ("(c = 1 OR c = 2) AND c <> 2", Condition(allowed=("1", "2"), excluded=("2",))),
    ("(c IS NULL OR c = 1 OR c IN (2, 3))", Condition(allowed=("1", "2", "3"))),
]


@pytest.mark.parametrize("check, condition", UNDERSTOOD)
def test_a_simple_check_is_understood(check: str, condition: Condition) -> None:
    assert parse_condition(check, "c") == condition


@pytest.mark.parametrize(
    "check",
    [
        "c > 5 OR c < 2", "NOT c > 5", "c > other", "c > now()", "lower(c) = 'x'", "c LIKE 'a%'",
        "c + 1 > 5", "c > 5 + 1",
        "c IS NOT NULL", "length(c) <> 3", "octet_length(c) < 5", "length(other) > 3", '"C" > 5',
        "c ~ E'\\\\d'", "c >", "(",
        "c NOT BETWEEN 1 AND 3", "c BETWEEN SYMMETRIC 3 AND 1", "coalesce(c, 0) > 5", "length(c) > 'x'",
        "c > 5)", "",
    ],
)  # fmt: skip
def test_anything_else_is_left_to_the_server(check: str) -> None:
    assert parse_condition(check, "c") == NO_CONDITION


@given(st.text(alphabet="c()<>=,'\" 01-:[]andorbetweeniy", max_size=40))
def test_no_text_makes_it_fail(check: str) -> None:
    assert isinstance(parse_condition(check, "c"), Condition)


WHOLE = [check for check, _ in UNDERSTOOD if "other" not in check and "OR c > 5" not in check]
WHOLE += ["c IS NOT NULL", "((price > (0)::numeric))".replace("price", "c"), "((c >= 0) AND (c <= 100))"]


@pytest.mark.parametrize("check", [check for check in WHOLE if "numeric(4,1)" not in check])
def test_a_check_that_was_read_as_a_whole_is_understood(check: str) -> None:
    assert understood(check, "c")


@pytest.mark.parametrize(
    "check",
    [
        "c > 1 AND other > 3", "c > 1 AND f(c)", "c > 5 OR c < 2", "c = 1 OR c > 5", "c = 1 OR other = 2",
        "c IS NULL", "c IS NULL OR other IS NULL", "c IS NULL OR c > other", "c IS NULL AND c > 1",
        "c IS NOT NULL OR other IS NOT NULL", "(c IS NULL) = (other IS NULL)", "NOT c > 5",
        "c > 5 AND c ~ '^a'", "c ~ E'x'", "c > (1.5)::integer", "c > (1.55)::numeric(4,1)",
        "(c)::date > '2020-01-01'", "(c)::integer > 3", "c = 1 AND c IS NULL OR c = 2 AND other = 3",
    ],
)  # fmt: skip
def test_a_check_with_a_part_left_out_is_not_understood(check: str) -> None:
    assert not understood(check, "c")
