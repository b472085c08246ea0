"""What a table holds on the server otherwise than in the state, as a record that the state takes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.check import check
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import CreateTable, Insert, Observed
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.observing import difference, in_order, undone
from tests.definitions import FEW, Column, timeline

KEYED = TableDefinition("t", [Column("id", "int", primary_key=True), Column("a", "text"), Column("b", "int")])
KEYLESS = TableDefinition("t", [Column("id", "int"), Column("a", "text"), Column("b", "int")])
NAMED = TableDefinition(
    "t", [Column("id", "text", primary_key=True), Column("a", "text"), Column("b", "int")]
)


class Server:
    """A connection to a server that holds these rows."""

    def __init__(self, rows: list[tuple[str | None, ...]]) -> None:
        self.rows = rows

    def execute(self, query: Any) -> Server:
        return self

    def fetchall(self) -> list[tuple[str | None, ...]]:
        return self.rows


def holding(definition: TableDefinition, rows: int) -> State:
    made = timeline()
    made.apply(CreateTable(definition))
    if rows:
        made.apply(Insert("t", 1, rows, START, cells={"b": ("0",) * rows}))
    return made.state


def observed(state: State, rows: list[tuple[str | None, ...]]) -> Observed | None:
    return difference(Server(rows), state, "t", "server")  # type: ignore[arg-type]


CELL = st.sampled_from(["0", "1", "2", None])
CHANGES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["drop", "change", "add"]), CELL, CELL))


def changed(rows: list[tuple[str | None, ...]], changes: Any) -> list[tuple[str | None, ...]]:
    rows = list(rows)
    for place, what, first, second in changes:
        if what == "add":
            rows.append((str(50 + len(rows) * 7 + place), first, second))
        elif rows and what == "drop":
            rows.pop(place % len(rows))
        elif rows:
            rows[place % len(rows)] = (rows[place % len(rows)][0], first, second)
    return list({row[0]: row for row in rows}.values())


@pytest.mark.parametrize("definition", [KEYED, KEYLESS, NAMED])
@FEW
@given(rows=st.integers(0, 5), changes=CHANGES)
def test_the_state_takes_whatever_the_server_holds_and_can_be_told_back(definition, rows, changes):
    state = holding(definition, rows)
    content = changed(list(state.contents("t")), changes)
    found = observed(state, content)
    if found is None:
        assert Counter(content) == Counter(state.contents("t"))
        return
    check(state, found)
    after = apply(state, found)
    assert Counter(after.contents("t")) == Counter(content)
    back = undone(found, state)
    assert Counter(apply(after, back).contents("t")) == Counter(state.contents("t"))


def test_nothing_is_observed_where_the_server_holds_what_the_state_says():
    state = holding(KEYED, 3)
    assert observed(state, list(reversed(list(state.contents("t"))))) is None


def test_only_the_columns_and_rows_that_differ_are_told():
    state = holding(KEYED, 3)
    first, second, third = state.contents("t")
    found = observed(state, [first, (second[0], second[1], "9"), third])
    assert found == Observed("t", "server", (2,), {"b": ("9",)})


def test_a_new_row_has_the_number_that_is_its_key_so_that_no_later_key_is_equal():
    state = holding(KEYED, 2)
    found = observed(state, [*state.contents("t"), ("8", "x", "1"), ("6", "y", "2")])
    assert found is not None
    assert (found.rows, found.cells["id"]) == ((6, 8), ("6", "8"))
    assert apply(state, found).table("t").next_row == 9


def test_a_new_row_has_the_next_number_where_its_key_is_lower_or_another_column_is_unique_too():
    state = holding(KEYED, 4)
    found = observed(state, [*list(state.contents("t"))[1:], ("-3", "x", "1")])
    assert found is not None
    assert (found.rows, found.removed) == ((5,), (1,))
    two = [Column("id", "int", primary_key=True), Column("a", "text", unique=True), Column("b", "int")]
    found = observed(holding(TableDefinition("t", two), 0), [("700", "x", "1")])
    assert found is not None
    assert found.rows == (1,)


def test_rows_that_others_refer_to_are_removed_last():
    made = timeline()
    made.apply(CreateTable(KEYED))
    child = TableDefinition("c", [Column("id", "int", primary_key=True), Column("t", "int", references="t")])
    made.apply(CreateTable(child))
    parent, dependent = Observed("t", "test", (5,), {"b": ("1",)}, (1,)), Observed("c", "test", (), {}, (1,))
    found = in_order(made.state, [parent, dependent])
    assert [(one.table, one.rows, one.removed) for one in found] == [
        ("t", (5,), ()),
        ("c", (), (1,)),
        ("t", (), (1,)),
    ]
