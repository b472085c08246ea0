from __future__ import annotations

import pytest

from pytest_kroft.model.honouring import honours
from pytest_kroft.model.types import parse_type

HONOURED = [
    ("integer", "c > 5"),
    ("integer", "c IS NULL OR c > 5"),
    ("integer", "((c >= 0) AND (c <= 100))"),
    ("numeric(10,2)", "((c > (0)::numeric))"),
    ("double precision", "((c >= (0)::double precision) AND (c <= (0.1)::double precision))"),
    ("real", "c < 0.5"),
    ("smallint", "c = ANY (ARRAY[1, 2, 3])"),
    ("varchar(20)", "((c)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))"),
    ("text", "c = 'x' OR c = 'y'"),
    ("varchar(12)", "(char_length((c)::text) >= 3)"),
    ("char(5)", "(length((c)::text) = 5)"),
    ("text", "c <> ''"),
    ("text", "c <> 'none'"),
    ("bytea", "length(c) = 16"),
    ("date", "(c >= '2020-01-01'::date)"),
    ("timestamptz", "(c > '2020-01-01 00:00:00+00'::timestamp with time zone)"),
    ("boolean", "c = true"),
    ("uuid", "c IS NOT NULL"),
]
LEFT_TO_THE_SERVER = [
    ("integer", "c > 5 AND f(c)"),
    ("integer", "c > 10 AND c < 5"),
    ("smallint", "c > 100000"),
    ("integer", "length((c)::text) > 3"),
    ("integer", "(c)::text > '5'"),
    ("numeric(10,2)", "(c)::text = '1'"),
    ("numeric", "(c)::integer > 5"),
    ("timestamp", "(c)::date > '2020-01-01'"),
    ("real", "c <= 0.1"),
    ("real", "c = 0.1"),
    ("text", "c > 'm'"),
    ("varchar(3)", "c <> 'abc'"),
    ("text", "c <> 'amber 5'"),
    ("varchar(3)", "length(c) > 5"),
    ("text", "c = 'abc' AND length(c) > 5"),
    ("boolean", "c <> false"),
    ("interval", "c > '1 day'"),
    ("date", "c >= '2020-06-01 12:00:00'::timestamp"),
    ("date", "c > 'infinity'"),
    ("timestamp", "c < '2020-06-01 12:00:00.7'"),
    ("timestamp", "c < '2020-06-01 12:00:00+02'"),
    ("timestamptz", "c < '2020-06-01 12:00:00'"),
    ("timestamp", "c <> '2020-06-01 12:00:00'"),
    ("integer[]", "c = '{1}'"),
    ("uuid", "c <> '00000000-0000-0000-0000-000000000000'"),
    ("integer", "c > (1.5)::integer"),
]


@pytest.mark.parametrize("sql_type, check", HONOURED)
def test_a_rule_that_every_value_satisfies(sql_type: str, check: str) -> None:
    assert honours(check, "c", parse_type(sql_type))


@pytest.mark.parametrize("sql_type, check", LEFT_TO_THE_SERVER)
def test_a_rule_that_a_value_may_miss_is_not_claimed(sql_type: str, check: str) -> None:
    assert not honours(check, "c", parse_type(sql_type))


def test_the_labels_of_an_enum() -> None:
    mood = parse_type("mood")
    labels = ("sad", "ok", "glad")
    assert honours("c <> 'sad'::mood", "c", mood, labels)
    assert honours("c = ANY (ARRAY['ok'::mood, 'glad'::mood])", "c", mood, labels)
    assert not honours("c > 'sad'::mood", "c", mood, labels)
    assert not honours("c = 'sad'::mood AND c <> 'sad'::mood", "c", mood, labels)
