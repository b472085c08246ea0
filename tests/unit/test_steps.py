"""Steps of any kind, drawn one at a time, and the part of a policy that an example has."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.check import all_apply
from pytest_kroft.model.choices import AskingChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.hazards import HAZARDS, with_implied
from pytest_kroft.model.operations import Begin, Commit, Insert, Rollback, Sync, kind
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy
from pytest_kroft.planning.steps import (
    ALWAYS,
    FEW_ROWS,
    MANY_HAZARDS,
    ROWS,
    SCHEMA,
    SUBSETS,
    SYNC,
    StepPlanner,
    drawn_policy,
    weighted,
)
from tests.definitions import CUSTOMERS, FEW, LOG, ORDERS, TABLES, Column, timeline

ITEMS = TableDefinition("items", [Column("id", "int", primary_key=True), Column("name", "text")])
EVERYTHING = EvolutionPolicy.named("everything")
ALL = (*ROWS, *SCHEMA)


class Drawing:
    """Answers with the given numbers, then with the lowest; notes what it was asked."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = iter(numbers)
        self.asked: list[tuple[int, int]] = []

    def __call__(self, low: int, high: int) -> int:
        self.asked.append((low, high))
        return next(self.numbers, low)


def planner(
    made: Timeline, drawing: Drawing, policy: EvolutionPolicy = EVERYTHING, most_rows: int = FEW_ROWS
) -> StepPlanner:
    choices = AskingChoices(drawing)
    mutations = MutationEngine(made, choices, policy)
    evolution = EvolutionController(made, choices, policy)
    return StepPlanner(made, choices, mutations, evolution, most_rows=most_rows)


def part(policy: EvolutionPolicy, number: int) -> EvolutionPolicy:
    return drawn_policy(policy, AskingChoices(Drawing(number)))


# A part of a policy


@pytest.mark.parametrize("name", ["breaking", "everything"])
def test_parts_of_a_policy_hold_what_their_hazards_imply_and_nothing_new(name):
    policy = EvolutionPolicy.named(name)
    parts = [part(policy, number) for number in range(1, SUBSETS + 1)]
    for one in parts:
        assert one.hazards <= policy.hazards
        assert with_implied(frozenset(one.hazards)) == one.hazards
        assert (one.interval, one.probability, one.add_weight) == (
            policy.interval,
            policy.probability,
            policy.add_weight,
        )
    assert len({frozenset(one.hazards) for one in parts}) > SUBSETS * 0.9
    implied = frozenset[str]().union(*(HAZARDS[name].implies for name in policy.hazards))
    for hazard in policy.hazards:
        # What others imply comes with each of them.
        most = 1 if hazard in implied else 0.75
        assert 0.25 < sum(hazard in one.hazards for one in parts) / SUBSETS < most
    middle = sorted(len(one.hazards) for one in parts)[SUBSETS // 2]
    assert 0.3 < middle / len(policy.hazards) < 0.8


def test_zero_is_the_whole_policy_and_one_number_decides():
    drawing = Drawing()
    assert drawn_policy(EVERYTHING, AskingChoices(drawing)) is EVERYTHING
    assert drawing.asked == [(0, SUBSETS)]
    assert part(EVERYTHING, 5) == part(EVERYTHING, 5)
    assert part(EVERYTHING, 5) != part(EVERYTHING, 6)


@pytest.mark.parametrize("policy", [*POLICIES, "small"])
def test_small_policies_stay_whole_and_draw_nothing(policy):
    small = EvolutionPolicy({"delete", "truncate", "key_change"})
    chosen = small if policy == "small" else EvolutionPolicy.named(policy)
    drawings = [Drawing(number) for number in range(1, 9)]
    parts = [drawn_policy(chosen, AskingChoices(drawing)) for drawing in drawings]
    is_small = len(chosen.hazards) < MANY_HAZARDS
    assert all(one == chosen for one in parts) == is_small
    assert all(not drawing.asked for drawing in drawings) == is_small


# Kinds by weight


def test_each_kind_is_there_as_often_as_its_weight_says():
    counts = Counter(weighted(EVERYTHING, ALL, sync_points=True))
    assert counts.keys() == {"sync", *ALL}
    assert {name: counts[name] for name in ROWS} == ROWS
    assert counts["sync"] == SYNC
    columns = {"add_column", "drop_column"}
    assert {name: counts[name] for name in SCHEMA if name not in columns} == {
        name: weight for name, weight in SCHEMA.items() if name not in columns
    }
    heavier = EvolutionPolicy(frozenset(HAZARDS), add_weight=7, drop_weight=4)
    doubled = Counter(weighted(heavier, ALL, sync_points=True))
    assert doubled["add_column"] == 7
    assert doubled["drop_column"] == 2 * counts["drop_column"]


@pytest.mark.parametrize("name", POLICIES)
def test_only_what_the_policy_allows_is_drawn(name):
    hazards = EvolutionPolicy.named(name).hazards
    drawn = weighted(EvolutionPolicy.named(name), ALL, sync_points=True)
    assert set(drawn) == {"sync"} | {one for one in ALL if one in hazards | ALWAYS}
    assert drawn[0] == "sync"


def test_kinds_and_syncs_can_be_left_out():
    assert set(weighted(EVERYTHING, ["insert", "delete"], sync_points=True)) == {"sync", "insert", "delete"}
    assert set(weighted(EVERYTHING, ["insert"], sync_points=False)) == {"insert"}
    assert weighted(EvolutionPolicy.named("calm"), ["delete"], sync_points=False) == []


# One step


@pytest.mark.parametrize("tables", [(ITEMS,), TABLES])
def test_index_zero_is_no_step(tables):
    drawing = Drawing()
    assert planner(timeline(*tables, rows=3), drawing).plan() == ()
    assert drawing.asked == [(0, len(weighted(EVERYTHING, ALL, sync_points=True)))]


def test_an_index_is_a_kind_whatever_the_state_is():
    kinds = weighted(EVERYTHING, ALL, sync_points=True)
    for number, name in enumerate(kinds, start=1):
        for made in (timeline(ITEMS), timeline(ITEMS, rows=3)):
            planned = planner(made, Drawing(number)).plan()
            expected = (Sync(),) if name == "sync" else planner(made, Drawing()).plan_kind(name, "items")
            assert tuple(planned) == tuple(expected), name
    assert Sync() in planner(timeline(ITEMS), Drawing(1)).plan()


def test_of_several_tables_one_is_drawn_and_a_single_one_is_not():
    index = 1 + weighted(EVERYTHING, ALL, sync_points=True).index("insert")
    made = timeline(CUSTOMERS, ORDERS, LOG)
    for place, name in enumerate(made.state.tables):
        (insert,) = planner(made, Drawing(index, place)).plan()
        assert isinstance(insert, Insert)
        assert insert.table == name
    alone = Drawing(index)
    planner(timeline(ITEMS), alone).plan()
    beside = Drawing(index)
    planner(made, beside).plan()
    assert beside.asked[1] == (0, 255)
    assert alone.asked[1] == (0, 99)  # how likely a large step is


@pytest.mark.parametrize("name", ["delete", "update", "truncate", "delete_reinsert", "key_change"])
def test_what_does_not_apply_is_no_step(name):
    assert tuple(planner(timeline(ITEMS), Drawing()).plan_kind(name, "items")) == ()
    assert planner(timeline(ITEMS, rows=2), Drawing()).plan_kind(name, "items")


def test_a_change_that_others_stand_in_the_way_of_is_no_step():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    assert tuple(planner(made, Drawing()).plan_kind("truncate", "customers")) == ()
    assert planner(made, Drawing()).plan_kind("truncate", "orders")


@pytest.mark.parametrize("most_rows", [2, FEW_ROWS, 50])
def test_few_rows_change_in_a_step_and_seldom_as_many_as_allowed(most_rows):
    def asked(chance: int) -> tuple[int, int]:
        drawing = Drawing(chance)
        planner(timeline(ITEMS), drawing, most_rows=most_rows).plan_kind("insert", "items")
        return drawing.asked[1]

    few, many = (1, min(most_rows, FEW_ROWS)), (1, most_rows)
    assert [asked(chance) for chance in (0, 50, 89)] == [few] * 3
    assert [asked(chance) for chance in (90, 99)] == [many] * 2


def test_the_end_ends_what_is_open():
    made = timeline(ITEMS, rows=1)
    assert list(planner(made, Drawing()).plan_end()) == []
    made.apply(Begin(1, START))
    made.apply(Begin(2, START))
    ends = list(planner(made, Drawing()).plan_end())
    assert sorted(one.session for one in ends if isinstance(one, Commit | Rollback)) == [1, 2]
    assert all_apply(made.state, ends)


@FEW
@given(st.data(), st.sampled_from(["churn", "breaking", "everything"]), st.booleans())
def test_whatever_is_drawn_applies_and_is_allowed(data, name, several):
    made = timeline(*((CUSTOMERS, ORDERS) if several else (ITEMS,)), rows=2)
    start, policy = len(made.history), EvolutionPolicy.named(name)
    choices = AskingChoices(lambda low, high: data.draw(st.integers(low, high)))
    steps = StepPlanner(
        made, choices, MutationEngine(made, choices, policy), EvolutionController(made, choices, policy)
    )
    for _ in range(15):
        for operation in steps.plan():
            made.apply(operation)
    for operation in steps.plan_end():
        made.apply(operation)
    assert not made.state.sessions
    if "truncate" not in policy.hazards:
        assert "truncate" not in map(kind, made.history.operations[start:])
