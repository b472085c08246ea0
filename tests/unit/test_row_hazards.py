"""What can go wrong with rows."""

from __future__ import annotations

import pytest

from pytest_kroft.model.check import all_apply, applies
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import Delete, Insert, Update
from pytest_kroft.model.special import extreme_values, large_values, unrepresentable_values
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.planning.batches import Craft
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.planning.row_hazards import Write, disturb, plan_delete_reinsert, plan_key_change
from tests.definitions import CUSTOMERS, LOG, ORDERS, PAIRS, TREE, Column, timeline


def planned_insert(state: State, count: int = 1) -> Insert:
    table = state.table("orders")
    return Insert(
        "orders",
        table.next_row,
        count,
        (state.now or START) + 60_000_000,
        parents={"customer_id": (1,) * count},
    )


def disturbed(hazard: str, count: int = 1) -> list[Write]:
    """What becomes of an insert under a policy of one hazard, tried fifty times."""
    state = timeline(CUSTOMERS, ORDERS, rows=2).state
    policy, choices = EvolutionPolicy(frozenset({hazard})), SeededChoices(4)
    planned = planned_insert(state, count)
    writes = [disturb(state, [planned], policy, choices)[0] for _ in range(50)]
    assert all(applies(state, write) for write in writes)
    assert planned in writes
    changed = [write for write in writes if write != planned]
    assert changed
    return changed


def test_a_tied_timestamp_is_the_latest_one():
    now = timeline(CUSTOMERS, ORDERS, rows=2).state.now
    assert {write.stamp for write in disturbed("tied_timestamp")} == {now}


def test_a_skewed_clock_is_behind():
    now = timeline(CUSTOMERS, ORDERS, rows=2).state.now
    assert now is not None
    assert all(now - 3600_000_000 < write.stamp < now + 60_000_000 for write in disturbed("clock_skew"))


def test_a_null_cursor_is_given_to_every_row():
    assert all(write.cells == {"updated_at": (None, None)} for write in disturbed("null_cursor", count=2))


@pytest.mark.parametrize(
    "hazard, values",
    [
        ("extreme_value", extreme_values),
        ("large_value", large_values),
        ("unrepresentable_value", unrepresentable_values),
    ],
)
def test_a_special_value_is_one_of_its_type_in_a_column_without_rules(hazard, values):
    state = timeline(CUSTOMERS, ORDERS, rows=2).state
    for write in disturbed(hazard):
        ((name, (text,)),) = write.cells.items()
        assert name in {"amount", "tags", "paid", "day"}
        assert text in values(state.table("orders").column(name).type)


def test_a_special_value_is_that_of_one_row_written_alone():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    planned = planned_insert(made.state, 2)
    policy, choices = EvolutionPolicy(frozenset({"extreme_value"})), SeededChoices(4)
    changed = {write.count for _ in range(50) for write in disturb(made.state, [planned], policy, choices)}
    assert changed == {1, 2}


def test_a_rule_that_kroft_does_not_understand_keeps_special_values_out():
    table = TableDefinition("t", [Column("a", "int"), Column("b", "int")], constraints=["CHECK (a < b)"])
    made = timeline(table)
    planned = Insert("t", 1, 1, START)
    policy, choices = EvolutionPolicy.named("everything"), SeededChoices(4)
    assert all(disturb(made.state, [planned], policy, choices) == (planned,) for _ in range(100))


def test_without_a_stamped_column_time_is_left_alone():
    made = timeline(CUSTOMERS, rows=2)
    planned = Insert("customers", 3, 1, START)
    policy = EvolutionPolicy(frozenset({"tied_timestamp", "clock_skew", "null_cursor"}))
    choices = SeededChoices(4)
    assert all(disturb(made.state, [planned], policy, choices) == (planned,) for _ in range(50))
    calm = EvolutionPolicy.named("calm")
    assert disturb(made.state, [planned], calm, choices) == (planned,)


def test_a_special_value_of_an_update_is_in_a_column_that_it_names():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    planned = Update("orders", (1,), ("tags",), 1, START)
    policy, choices = EvolutionPolicy(frozenset({"extreme_value"})), SeededChoices(4)
    changed = {tuple(disturb(made.state, [planned], policy, choices)[0].cells) for _ in range(50)}
    assert changed == {(), ("tags",)}


def test_a_deleted_row_comes_back_under_its_key():
    made = timeline(CUSTOMERS, PAIRS, rows=5)
    for seed in range(10):
        operations = plan_delete_reinsert(made.state, made.state.table("pairs"), SeededChoices(seed), Craft())
        assert all_apply(made.state, operations)
        delete, insert = operations
        assert isinstance(delete, Delete)
        assert isinstance(insert, Insert)
        before = {row[:2]: row for row in made.state.contents("pairs")}
        after = {row[:2]: row for row in fold(operations, made.state).contents("pairs")}
        assert after.keys() == before.keys()
        assert insert.first not in made.state.table("pairs").rows


def test_what_cannot_be_deleted_does_not_come_back():
    made = timeline(CUSTOMERS, ORDERS, LOG)
    for table in ("customers", "log"):
        assert plan_delete_reinsert(made.state, made.state.table(table), SeededChoices(1), Craft()) == ()
    state = apply(made.state, Insert("customers", 1, 1, START))
    state = apply(state, Insert("orders", 1, 1, START, parents={"customer_id": (1,)}))
    assert plan_delete_reinsert(state, state.table("customers"), SeededChoices(1), Craft()) == ()


def test_a_key_changes_into_one_that_never_was():
    made = timeline(CUSTOMERS, ORDERS, rows=5)
    for seed in range(10):
        (update,) = plan_key_change(made.state, made.state.table("orders"), SeededChoices(seed), Craft())
        assert isinstance(update, Update)
        keys = [row[0] for row in made.state.contents("orders")]
        after = [row[0] for row in apply(made.state, update).contents("orders")]
        assert len(set(after)) == len(set(after) | set(keys)) - 1 == 5


def test_some_keys_never_change():
    made = timeline(CUSTOMERS, LOG, TREE, rows=3)
    choices = SeededChoices(1)
    assert (
        plan_key_change(made.state, made.state.table("customers"), choices, Craft()) == ()
    )  # identity always
    assert plan_key_change(made.state, made.state.table("log"), choices, Craft()) == ()
    empty = timeline(TREE)
    assert plan_key_change(empty.state, empty.state.table("tree"), choices, Craft()) == ()
