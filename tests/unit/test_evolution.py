"""The evolution of the schema: which change happens when, within the limits of a policy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pytest_kroft.errors import LimitReached, NotApplicable, UnknownTable
from pytest_kroft.model.check import check
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.fold import fold
from pytest_kroft.model.operations import Sync, kind
from pytest_kroft.model.state import State
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy
from tests.definitions import CUSTOMERS, LOG, ORDERS, drive, timeline


def controller(made: Timeline, seed: int = 1, **policy) -> EvolutionController:
    named = EvolutionPolicy.named(policy.pop("named", "everything"))
    return EvolutionController(made, SeededChoices(seed), replace(named, **policy))


@pytest.mark.parametrize("policy", POLICIES)
def test_everything_that_planners_do_applies_over_many_seeds(policy):
    """The timeline checks each operation; here the whole history is checked again, and folds to the state."""
    for seed in range(100 if policy in ("everything", "evolving") else 25):
        made = drive(timeline(seed=seed, rows=2), 60, policy, seed=seed)
        state = State(seed)
        for op in made.history:
            check(state, op)
            state = fold([op], state)
        assert state == made.state


ALLOWED = {
    "calm": set(),
    "churn": set(),
    "additive": {"add_column"},
    "evolving": {"add_column", "drop_column"},
    "breaking": {
        "add_column",
        "drop_column",
        "rename_column",
        "alter_type",
        "add_enum_value",
        "set_nullable",
        "set_default",
    },
    "everything": {
        "add_column",
        "drop_column",
        "rename_column",
        "alter_type",
        "add_enum_value",
        "set_nullable",
        "set_default",
        "rename_table",
        "drop_table",
        "create_table",
    },
}


@pytest.mark.parametrize("policy", POLICIES)
def test_only_what_the_policy_allows_happens_and_all_of_it_does(policy):
    seen = set()
    for seed in range(8):
        made = timeline(CUSTOMERS, ORDERS, LOG, rows=3, seed=seed)
        evolution = controller(made, seed, named=policy)
        for _ in range(60):
            seen |= {kind(op) for op in evolution.evolve()}
    assert seen == ALLOWED[policy]


def test_what_evolves_is_returned_and_applied():
    made = timeline(CUSTOMERS, rows=2)
    evolution = controller(made)
    length = len(made.history)
    returned = [op for _ in range(40) for op in evolution.evolve("customers")]
    assert returned == made.history.operations[length:]
    assert returned
    with pytest.raises(UnknownTable):
        evolution.evolve("x")
    assert controller(Timeline(1)).evolve() == ()


def test_the_schema_changes_at_every_interval_only():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    evolution = controller(made, interval=3, probability=1.0)
    changed = {batch for batch in range(1, 61) if evolution.step(batch)}
    assert changed
    assert all(batch % 3 == 0 for batch in changed)


def test_the_schema_changes_with_the_probability():
    made = timeline(CUSTOMERS, rows=2)
    assert all(controller(made, seed, interval=1, probability=0).step(1) == () for seed in range(50))
    tried = [
        bool(controller(timeline(CUSTOMERS), seed, named="additive", interval=1, probability=0.5).step(1))
        for seed in range(100)
    ]
    assert 25 < sum(tried) < 60


def test_weights_say_what_is_likelier():
    def drawn(**weights: Any) -> Counter[str]:
        seen: Counter[str] = Counter()
        for seed in range(60):
            made = timeline(CUSTOMERS, ORDERS)
            policy = EvolutionPolicy(frozenset({"add_column", "drop_column"}), **weights)
            seen.update(kind(op) for op in EvolutionController(made, SeededChoices(seed), policy).evolve())
        return seen

    assert drawn(add_weight=0)["add_column"] == 0
    assert drawn(drop_weight=0)["drop_column"] == 0
    assert (
        drawn(add_weight=9, drop_weight=1)["add_column"]
        > 3 * drawn(add_weight=9, drop_weight=1)["drop_column"]
        > 0
    )
    assert drawn(add_weight=0, drop_weight=0) == {}


def test_limits_hold_over_a_whole_run():
    for seed in range(10):
        made = timeline(CUSTOMERS, ORDERS, rows=2, seed=seed)
        evolution = controller(made, seed, max_additions=2, max_drops=1)
        for _ in range(100):
            evolution.evolve()
        summary = evolution.summary()
        assert summary.get("add_column", 0) == 2
        assert summary.get("drop_column", 0) == 1


def test_a_limit_that_is_reached_is_a_typed_error_and_changes_nothing():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    evolution = controller(made, max_additions=1, max_drops=1)
    evolution.add_column("customers")
    evolution.drop_column("customers")
    before, length = made.state, len(made.history)
    for call, words in (
        (evolution.add_column, "limit of 1 additions of a column is reached; raise max_additions"),
        (evolution.drop_column, "limit of 1 drops of a column is reached; raise max_drops"),
    ):
        with pytest.raises(LimitReached, match=words) as caught:
            call("orders")
        assert caught.value.limit == 1
        assert made.state is before
    assert len(made.history) == length
    made.apply(Sync())


def test_a_column_is_added_or_dropped_on_request():
    made = timeline(CUSTOMERS, rows=2)
    evolution = controller(made)
    added = {evolution.add_column("customers"), evolution.add_column()}
    assert added == {"note", "vip"}
    with pytest.raises(NotApplicable, match="'customers' has no column that could be added"):
        evolution.add_column()
    dropped = [evolution.drop_column() for _ in range(6)]
    assert set(dropped) == {"name", "email", "tier", "mood", "note", "vip"}
    with pytest.raises(NotApplicable, match="'customers' has no column that could be dropped"):
        evolution.drop_column()
    assert evolution.summary() == {"create_type": 2, "create_table": 1, "add_column": 2, "drop_column": 6}
    assert [entry.column for entry in evolution.log][-6:] == dropped


def test_the_same_seed_evolves_the_same():
    def history(seed: int) -> list:
        return drive(timeline(rows=3), 60, seed=seed).history.operations

    assert history(5) == history(5)
    assert history(5) != history(6)
