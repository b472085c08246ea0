"""Which transactions are planned: late commits and rollbacks, and nothing that would wait."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.choices import AskingChoices, SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import fold
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    Insert,
    Operation,
    Rollback,
    RollbackTo,
    Savepoint,
    Update,
    kind,
)
from pytest_kroft.model.sessions import seen
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.batches import Craft
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.planning.transactions import SAVEPOINT, TransactionPlanner, newer
from tests.definitions import CUSTOMERS, FEW, LOG, TREE, Column, timeline

BOTH = EvolutionPolicy({"late_commit", "rollback"})
ITEMS = TableDefinition(
    "items",
    [
        Column("id", "int", primary_key=True),
        Column("customer_id", "int", references="customers"),
        Column("n", "int"),
        Column("at", "timestamptz"),
    ],
    updated_at="at",
)


def planned(made: Timeline, policy: EvolutionPolicy, hazard: str, *answers: int) -> list[Operation]:
    """What a step of a hazard plans in ``customers`` for these answers, 0 after them."""
    left = list(answers)
    choices = AskingChoices(lambda low, high: max(low, min(high, left.pop(0) if left else 0)))
    return list(MutationEngine(made, choices, policy).plan_kind(hazard, "customers", 1))


@pytest.fixture
def made() -> Timeline:
    return timeline(CUSTOMERS, rows=3)


def opened(made: Timeline, *numbers: int) -> Timeline:
    for number in numbers:
        made.apply(Begin(number, START + number))
        made.apply(Insert("customers", 3 + number, 1, START, session=number))
    return made


@pytest.mark.parametrize("hazard", ["late_commit", "rollback"])
def test_the_simplest_step_begins_a_transaction_and_inserts_in_it(made, hazard):
    begin, insert = planned(made, BOTH, hazard)
    assert isinstance(begin, Begin)
    assert begin.session == 1
    assert begin.stamp > made.state.now
    assert (type(insert), insert.session, insert.stamp) == (Insert, 1, begin.stamp)


STEPS = {
    ("late_commit", 0): (["begin", "insert"], [], []),
    ("late_commit", 1): (["begin", "insert"], ["begin", "insert"], []),
    ("late_commit", 2): ([], [Commit(1)], [Commit(1)]),
    ("late_commit", 3): ([], [Commit(1)], [Commit(2)]),
    ("rollback", 0): (["begin", "insert"], [], []),
    ("rollback", 1): (["begin", "insert"], ["begin", "insert"], []),
    ("rollback", 2): ([], [Rollback(1)], [Rollback(2)]),
    ("rollback", 3): ([], *[[Savepoint(1, SAVEPOINT), "insert", RollbackTo(1, SAVEPOINT)]] * 2),
}


@pytest.mark.parametrize("hazard, turn", STEPS)
def test_a_step_means_the_same_whatever_is_open(made, hazard, turn):
    """What it does with no session open, with one, and with two."""
    for number, expected in enumerate(STEPS[hazard, turn]):
        if number:
            opened(made, number)
        found = planned(made, BOTH, hazard, turn)
        assert [kind(op) if isinstance(op, Begin | Insert) else op for op in found] == expected
        fold(found, made.state)


@pytest.mark.parametrize("place, session", [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2)])
def test_a_write_goes_into_a_session_that_is_open(made, place, session):
    for count in range(3):
        (insert,) = planned(opened(made, count) if count else made, BOTH, "insert", place)
        assert insert.session == min(session, count)
        assert not insert.session or insert.stamp == START + insert.session


def test_a_policy_without_transactions_draws_nothing_for_them(made):
    asked: list[tuple[int, int]] = []

    def ask(low: int, high: int) -> int:
        asked.append((low, high))
        return low

    choices = AskingChoices(ask)
    planner = TransactionPlanner(choices, EvolutionPolicy.named("breaking"), Craft())
    assert planner.place(opened(made, 1).state) == 0
    assert asked == []
    assert TransactionPlanner(choices, BOTH, Craft()).place(made.state) == 0
    assert len(asked) == 1


def test_transactions_end_as_the_policy_allows(made):
    def ends(policy: EvolutionPolicy) -> list[Operation]:
        return list(TransactionPlanner(SeededChoices(1), policy, Craft()).closing(made.state))

    opened(made, 1, 2)
    assert ends(EvolutionPolicy({"late_commit"})) == ends(BOTH) == [Commit(1), Commit(2)]
    assert ends(EvolutionPolicy({"rollback"})) == [Rollback(1), Rollback(2)]


def test_rows_with_a_later_stamp_are_left_to_those_who_wrote_them():
    made = timeline(CUSTOMERS, ITEMS)
    made.apply(Insert("items", 1, 2, START + 5, parents={"customer_id": (None, None)}))
    made.apply(Update("items", (2,), ("n",), 1, START + 9))
    assert [newer(made.state, "items", number, START + 5) for number in (1, 2, 3)] == [False, True, False]
    assert not newer(made.state, "customers", 1, 0)
    made.apply(Update("items", (1,), (), 2, START + 9, cells={"at": (None,)}))
    assert not newer(made.state, "items", 1, START)


@FEW
@given(st.integers(0, 2**32), st.sampled_from([{"late_commit"}, {"rollback"}]))
def test_one_hazard_alone_brings_nothing_else_that_is_dangerous(seed, hazards):
    made = timeline(CUSTOMERS, ITEMS, LOG, seed=seed, rows=2)
    start = len(made.history)
    mutations = MutationEngine(made, SeededChoices(seed), EvolutionPolicy(hazards))
    for _ in range(60):
        mutations.mutate(count=3)
    kinds = {kind(op) for op in made.history.operations[start:]}
    ends = {"commit"} if hazards == {"late_commit"} else {"rollback", "savepoint", "rollback_to"}
    assert kinds <= {"insert", "update", "begin", *ends}
    stamps: dict[int, int] = {}
    for before, op, after in list(made.history.states())[start:]:
        match op:
            case Begin(session, stamp):
                assert stamp > (before.now or 0)
                stamps[session] = stamp
            case Insert(session=0) | Update(session=0):
                assert op.stamp > (before.now or 0)
            case Insert(session=session) | Update(session=session):
                assert (op.stamp, op.step) == (stamps[session], 0)
        if isinstance(op, Update) and op.table == "items":
            old, new = seen(before, op.session), seen(after, op.session)
            for number in op.rows:
                assert stamp_of(old, number) <= stamp_of(new, number)


def stamp_of(state: State, number: int) -> str:
    table = state.table("items")
    assert table.updated_at
    return str(state.reader(table, table.updated_at)(table.rows[number]))


def test_every_step_of_transactions_happens_and_late_rows_appear():
    """Over a few seeds; also two sessions that commit out of order."""
    done, late, crossed = Counter[str](), 0, 0
    for seed in range(12):
        made = timeline(CUSTOMERS, ITEMS, LOG, seed=seed, rows=3)
        mutations = MutationEngine(made, SeededChoices(seed), EvolutionPolicy.named("everything"))
        for _ in range(60):
            mutations.mutate(count=3)
        for before, op, _ in made.history.states():
            session = getattr(op, "session", 0)
            done[f"{kind(op)}{' inside' if session else ''}"] += 1
            if isinstance(op, Commit):
                late += before.sessions[session].stamp < (before.now or 0)
                crossed += session != next(iter(before.sessions))
    inside = {"insert", "update", "delete", "begin", "commit", "rollback", "savepoint", "rollback_to"}
    assert {f"{name} inside" for name in inside} <= done.keys()
    assert late > 10
    assert crossed > 2


@FEW
@given(st.integers(0, 2**32))
def test_calls_of_a_test_never_write_what_a_session_has_locked(seed):
    made = timeline(CUSTOMERS, ITEMS, TREE, seed=seed, rows=6)
    policy = EvolutionPolicy({"late_commit", "rollback", "delete"})
    mutations = MutationEngine(made, SeededChoices(seed), policy)
    for _ in range(25):
        mutations.mutate(count=2)
        mutations.update("customers", 3)
        mutations.delete("items", 1)
        mutations.insert("items", 2)
        mutations.insert("customers", 1)
    assert any(isinstance(op, Begin) for op in made.history)
