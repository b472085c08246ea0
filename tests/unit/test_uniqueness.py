"""Whether the rows of a table keep their unique sets of columns apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import Insert
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import parse_type
from pytest_kroft.model.uniqueness import duplicates, sets_at_risk, token
from tests.definitions import CUSTOMERS, PAIRS, Column, timeline


@pytest.mark.parametrize(
    "one, other, sql_type, equal",
    [
        ("1.0", "1.00", "numeric", True),
        ("NaN", "NaN", "numeric", True),
        ("1.0", "1.00", "text", False),
        ("-0", "0", "double precision", True),
        ("1e+20", "100000000000000000000", "double precision", True),
        ("a ", "a", "bpchar", True),
        ("a ", "a", "text", False),
        ("a", "A", "text", False),
        ("Infinity", "-Infinity", "real", False),
        ("1 day", "24:00:00", "interval", True),
        ("1 mon", "30 days", "interval", True),
        ("1 year", "365 days", "interval", False),
        ("1 year -2 mons +3 days -04:05:06.5", "302 days 19:54:53.5", "interval", True),
        ("-1 days +24:00:00", "00:00:00", "interval", True),
        ("00:00:00.1", "00:00:00.100001", "interval", False),
        ("infinity", "infinity", "interval", True),
        ("infinity", "-infinity", "interval", False),
        ("{1.0,NULL,NaN}", "{1.00,NULL,NaN}", "numeric[]", True),
        ("{1.0,2}", "{2,1.0}", "numeric[]", False),
        ("{{1},{2}}", "{{1.0,2.0}}", "numeric[]", False),
        ("[0:1]={1,2}", "{1,2}", "numeric[]", False),
        ("{-0,1}", "{0,1}", "real[]", True),
        ('{"1 day",02:00:00}', '{24:00:00,"02:00:00"}', "interval[]", True),
        ('{"a b ","NULL"}', '{"a b","NULL"}', "bpchar[]", True),
        ('{"NULL"}', "{NULL}", "bpchar[]", False),
        ('{"a\\"",b}', '{"a\\" ",b}', "bpchar[]", True),
        ("{a,b}", "{b,a}", "text[]", False),
    ],
)
def test_two_texts_have_one_token_where_the_server_calls_them_equal(one, other, sql_type, equal):
    parsed = parse_type(sql_type)
    assert (token(one, parsed) == token(other, parsed)) is equal


def held(table: TableDefinition, **cells: tuple[str | None, ...]):
    base = timeline(CUSTOMERS, table, rows=0).state
    count = len(next(iter(cells.values())))
    state = apply(base, Insert(table.name, 1, count, START, cells=cells))
    return state, state.table(table.name)


def test_the_later_of_two_equal_rows_is_named():
    state, table = held(PAIRS, left=("1", "1", "1"), right=("a", "b", "a"), value=("1", "2", "1"))
    assert duplicates(state, table, table.uniques) == {3: "left 1, right a"}
    assert duplicates(state, table, table.uniques[1:]) == {3: "value 1"}
    assert duplicates(state, table, []) == {}


def test_rows_that_were_there_before_are_never_named():
    state, table = held(PAIRS, left=("1", "1", "2"), right=("a", "b", "a"), value=("1", "2", "1"))
    assert duplicates(state, table, table.uniques, [1]) == {1: "value 1"}
    assert duplicates(state, table, table.uniques, [2]) == {}


def test_a_generated_value_may_meet_a_given_one_that_is_written_otherwise():
    definition = TableDefinition("t", [Column("a", "numeric", unique=True, nullable=False)])
    before = timeline(definition, rows=2).state
    (text,), other = next(before.contents("t")), parse_type("numeric")
    assert text is not None
    given = f"{text}.0" if "." not in text else f"{text}0"
    assert token(given, other) == token(text, other)
    state, _ = held(definition, a=(given,))
    column = replace(state.table("t").column("a"), given=frozenset({given}))
    table = before.table("t").with_column(column)
    assert sets_at_risk(before, table, [column.id], (), [1]) == list(table.uniques)


def test_null_is_equal_to_nothing():
    definition = TableDefinition("t", [Column("a", "int"), Column("b", "int")], constraints=["UNIQUE (a, b)"])
    state, table = held(definition, a=("1", "1", None), b=(None, None, None))
    assert duplicates(state, table, table.uniques) == {}
