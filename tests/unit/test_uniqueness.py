"""Whether the rows of a table keep their unique sets of columns apart."""

from __future__ import annotations

import pytest

from pytest_kroft.model.clock import START
from pytest_kroft.model.columns import TableDefinition
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import Insert
from pytest_kroft.model.types import parse_type
from pytest_kroft.model.uniqueness import duplicates, token
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


def test_null_is_equal_to_nothing():
    definition = TableDefinition("t", [Column("a", "int"), Column("b", "int")], constraints=["UNIQUE (a, b)"])
    state, table = held(definition, a=("1", "1", None), b=(None, None, None))
    assert duplicates(state, table, table.uniques) == {}
