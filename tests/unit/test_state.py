"""What the database holds at one moment."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from pytest_kroft.errors import NotApplicable, UnknownColumn, UnknownTable, UnknownType
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import DropColumn, Insert, RenameColumn, Update
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import parse_type
from tests.definitions import CUSTOMERS, LEVEL, LOG, MOOD, ORDERS, PAIRS, Column, timeline


@pytest.fixture(scope="module")
def state() -> State:
    return timeline(CUSTOMERS, ORDERS, PAIRS, LOG, rows=3).state


def test_a_state_is_frozen(state):
    with pytest.raises(FrozenInstanceError):
        state.now = 5
    with pytest.raises(FrozenInstanceError):
        state.table("orders").rows = None


def test_an_unknown_table_column_or_type_is_refused_with_the_known_ones(state):
    with pytest.raises(
        UnknownTable, match="no table 'x'; the tables are: customers, orders, pairs, log"
    ) as unknown:
        state.table("x")
    assert unknown.value.known == ("customers", "orders", "pairs", "log")
    with pytest.raises(UnknownColumn, match="'log' has no column 'x'; its columns are: line, n, at"):
        state.table("log").column("x")
    with pytest.raises(UnknownType, match=r"no type 'x'.*my mood, level"):
        state.enum_named("x")
    assert state.table("log").has("n")
    assert not state.table("log").has("N")


def test_the_only_table_need_not_be_named(state):
    assert timeline(LOG).state.only_table(None) == "log"
    assert state.only_table("log") == "log"
    with pytest.raises(NotApplicable, match="say which table: there are 4: customers, orders, pairs, log"):
        state.only_table(None)
    with pytest.raises(NotApplicable, match="there are 0: none"):
        State(1).only_table(None)


def test_a_table_is_called_by_its_name(state):
    with pytest.raises(NotApplicable, match="a table is called by its name, a text, not 5"):
        state.only_table(5)


def test_the_columns_that_no_update_writes(state):
    orders, customers = state.table("orders"), state.table("customers")
    assert orders.unwritable(orders.column("double_amount")) == "the server computes it"
    assert customers.unwritable(customers.column("id")) == "the server computes it"
    assert customers.unwritable(customers.column("country")) == "it is defined as protected"
    assert orders.unwritable(orders.column("id")) is orders.unwritable(orders.column("amount")) is None


def test_what_protects_a_column(state):
    orders, customers = state.table("orders"), state.table("customers")
    assert orders.protection(orders.column("id")) == "it is part of the primary key"
    assert orders.protection(orders.column("updated_at")) == "it is the updated_at column"
    assert customers.protection(customers.column("country")) == "it is defined as protected"
    assert orders.protection(orders.column("amount")) is None


def test_keys_and_stamps_are_found_after_a_rename(state):
    after = fold(
        [RenameColumn("orders", "id", "key"), RenameColumn("orders", "updated_at", "changed")], state
    )
    table = after.table("orders")
    assert [column.name for column in table.key] == ["key"]
    assert table.updated_at is not None
    assert table.updated_at.name == "changed"
    assert (state.table("log").key, state.table("customers").updated_at) == ((), None)
    assert [column.name for column in state.table("pairs").key] == ["left", "right"]


def test_the_generated_columns_over_a_column(state):
    table = state.table("orders")
    assert [column.name for column in table.dependents(table.column("amount"))] == ["double_amount"]
    assert table.dependents(table.column("day")) == ()


def test_an_enum_is_found_by_the_type_of_a_column(state):
    assert state.enum(parse_type('"my mood"')) == MOOD
    assert state.enum(parse_type('"my mood"[]')) == MOOD
    assert state.enum(parse_type("other.level")) == LEVEL
    assert state.enum(parse_type("level")) is None
    assert state.enum(parse_type("integer")) is None
    assert state.labels(state.table("customers").column("mood")) == MOOD.labels
    assert state.labels(state.table("customers").column("tier")) == ()


def test_the_foreign_keys_that_lead_to_a_table(state):
    found = [(table.definition.name, table.label(key)) for table, key in state.references_to("customers")]
    assert found == [("orders", "customer_id"), ("pairs", "left")]
    assert state.references_to("orders") == []


def test_a_stamp_is_shown_as_its_column_holds_it():
    table = TableDefinition(
        "t", [Column("id", "int", primary_key=True), Column("at", "timestamp(1)")], updated_at="at"
    )
    state = apply(timeline(table).state, Insert("t", 1, 2, START + 260_000, 1_000_000))
    assert [row[1] for row in state.contents("t")] == ["2020-01-01 00:00:00.3", "2020-01-01 00:00:01.3"]
    state = apply(state, Update("t", (2,), (), 1, START + 5_000_000))
    assert [row[1] for row in state.contents("t")] == ["2020-01-01 00:00:00.3", "2020-01-01 00:00:05"]


def test_contents_are_in_the_order_of_birth_and_of_the_columns(state):
    after = apply(state, DropColumn("log", "n"))
    assert [len(row) for row in after.contents("log")] == [2, 2, 2]
    assert [(a, c) for a, _, c in state.contents("log")] == list(after.contents("log"))


def test_what_only_the_server_can_compute_is_unknown_until_observed(state):
    place = state.table("orders").names.index("double_amount")
    assert {row[place] for row in state.contents("orders")} == {None}
