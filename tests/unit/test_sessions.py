"""Open transactions: what they buffer, what they see, and what their end leaves behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.check import applies
from pytest_kroft.model.choices import AskingChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.codec import decode, encode
from pytest_kroft.model.describe import describe
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    Delete,
    Insert,
    Rollback,
    RollbackTo,
    Savepoint,
    Update,
)
from pytest_kroft.model.sessions import WHOLE, Locks, alone, committing, held, locked, seen, written
from pytest_kroft.model.state import State
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy
from pytest_kroft.simulation import SimulationRunner
from tests.definitions import CUSTOMERS, FEW, LOG, MODEST, ODD, ORDERS, TREE, timeline

NAME = {"name": ("Ann",)}
WORK: tuple[Insert | Update | Delete, ...] = (
    Insert("customers", 4, 2, START + 1, 7, session=1),
    Update("customers", (4, 1), ("email", "tier"), 1, START + 1, fresh=6, session=1),
    Delete("customers", (2, 5), session=1),
    Insert("customers", 8, 1, START + 1, cells={"email": ("a@b",)}, session=1),
)


def contents(state: State) -> dict[str, list]:
    return {name: list(state.contents(name)) for name in state.tables}


@pytest.fixture
def state() -> State:
    filled = timeline(CUSTOMERS, ORDERS, LOG, rows=3).state
    # No order refers to the customers that the sessions delete.
    bare = Update("orders", (1, 2, 3), ("customer_id",), 1, START, parents={"customer_id": (1, None, 3)})
    return fold([bare, Begin(1, START + 1_000_000_000)], filled)


def test_nothing_is_there_before_the_commit_and_then_it_is_as_if_done_at_once(state):
    done = fold(WORK, state)
    assert contents(done) == contents(state)
    assert done.sessions[1].operations == WORK
    assert done.sessions[1].wrote
    at_once = fold([replace(op, session=0) for op in WORK], state)
    assert contents(seen(done, 1)) == contents(at_once)
    assert seen(done, 0) is done
    assert contents(seen(seen(done, 1), 1)) == contents(at_once)
    committed = apply(done, Commit(1))
    assert replace(at_once, sessions={}) == committed
    assert alone(done, 1) == committed


def test_what_is_rolled_back_leaves_the_content_and_takes_its_numbers(state):
    done = fold([*WORK, Rollback(1)], state)
    assert contents(done) == contents(state)
    assert done.sessions == {}
    table = done.table("customers")
    assert (table.next_row, table.next_revision, table.column("id").highest) == (9, 2, 8)
    assert "a@b" in table.column("email").given
    assert done.now == START + 1_000_000_000
    assert not applies(done, Insert("customers", 8, 1, START))
    assert applies(done, Insert("customers", 9, 1, START, cells={"email": ("a@b",)}))


def test_a_transaction_begins_at_its_stamp_and_the_clock_never_goes_back(state):
    assert state.now == state.sessions[1].stamp == START + 1_000_000_000
    late = fold([Begin(2, START), Insert("log", 4, 2, START + 10**10, 5, session=2)], state)
    assert late.now == START + 10**10 + 5
    assert late.sessions[2].stamp == START


def test_savepoints_cut_the_work_after_them_and_stay(state):
    one, two, three, four = WORK
    marked = fold([one, Savepoint(1, "a"), two, Savepoint(1, "b"), three, RollbackTo(1, "a")], state)
    assert marked.sessions[1].operations == (one,)
    assert marked.sessions[1].savepoints == (("a", 1),)
    again = fold([four, RollbackTo(1, "a"), RollbackTo(1, "a")], marked)
    assert again.sessions[1].operations == (one,)
    emptied = fold([Savepoint(1, "a"), one, RollbackTo(1, "a")], state)
    assert (emptied.sessions[1].operations, emptied.sessions[1].wrote) == ((), True)
    assert contents(fold([Commit(1)], emptied)) == contents(state)


def test_the_latest_savepoint_of_a_name_is_meant(state):
    one, two, three, _ = WORK
    shadowed = fold([one, Savepoint(1, "a"), two, Savepoint(1, "a"), three, RollbackTo(1, "a")], state)
    assert shadowed.sessions[1].operations == (one, two)
    assert shadowed.sessions[1].savepoints == (("a", 1), ("a", 2))


def test_transactions_commit_in_any_order_and_rows_stay_in_the_order_of_their_numbers(state):
    done = fold(
        [
            Insert("log", 4, 1, START, session=1),
            Begin(2, START),
            Insert("log", 5, 1, START, session=2),
            Insert("log", 6, 1, START),
            Commit(2),
        ],
        state,
    )
    assert done.table("log").rows.numbers == [1, 2, 3, 5, 6]
    assert seen(done, 1).table("log").rows.numbers == [1, 2, 3, 4, 5, 6]
    assert apply(done, Commit(1)).table("log").rows.numbers == [1, 2, 3, 4, 5, 6]
    assert list(done.sessions) == [1]


def test_what_a_commit_brings_is_given_operation_by_operation(state):
    done = fold(WORK, state)
    steps = list(committing(done, 1))
    assert [op for _, op, _ in steps] == [replace(op, session=0) for op in WORK]
    assert contents(steps[0][0]) == contents(state)
    assert contents(steps[-1][2]) == contents(apply(done, Commit(1)))


def test_a_session_holds_what_it_wrote_and_what_that_refers_to(state):
    parents = {"customer_id": (2, None)}
    done = fold(
        [
            Insert("orders", 4, 2, START, parents=parents, session=1),
            Update("orders", (1,), ("customer_id",), 1, START, parents={"customer_id": (3,)}, session=1),
        ],
        state,
    )
    mine = Locks(
        frozenset({("orders", 4), ("orders", 5), ("orders", 1)}),
        frozenset({("customers", 2), ("customers", 3)}),
    )
    assert held(done, 1) == mine
    assert locked(done, "customers") == {2, 3}
    assert written(done, "customers") == frozenset()
    assert locked(done, "orders") == written(done, "orders") == {1, 4, 5}
    assert locked(state, "orders") == frozenset()
    shared = Locks(referred=frozenset({("customers", 2)}))
    assert not mine.conflicts(shared)
    assert mine.conflicts(Locks(shared.referred)) == shared.referred
    assert Locks(shared.referred).conflicts(mine) == shared.referred


def test_a_table_without_a_key_is_held_as_a_whole(state):
    inserting = apply(state, Insert("log", 4, 1, START, session=1))
    assert held(inserting, 1) == Locks(referred=frozenset({("log", WHOLE)}))
    assert locked(inserting, "log") == {1, 2, 3}
    deleting = apply(state, Delete("log", (1, 2, 3), session=1))
    assert held(deleting, 1) == Locks(frozenset({("log", WHOLE)}))


def test_the_words_for_what_sessions_do(state):
    done = fold(WORK, state)
    inserted = apply(state, WORK[0])
    assert describe(WORK[0], inserted) == "insert into customers in session 1: id 4, id 5"
    assert describe(WORK[1], inserted) == "update customers set email, tier in session 1: id 4, id 1"
    assert describe(WORK[2], inserted) == "delete from customers in session 1: id 2, id 5"
    assert describe(WORK[2]) == "delete from customers in session 1: 2 rows"
    assert describe(Commit(1), done) == (
        "commit session 1: customers id 4, id 8 appear, customers id 1 changes, customers id 2 vanishes"
    )
    assert describe(Commit(1), state) == "commit session 1"
    late = Insert("orders", 4, 1, START, parents={"customer_id": (None,)}, session=1)
    assert describe(late, apply(state, late)) == (
        "insert into orders in session 1: id 4; updated_at 2020-01-01 00:00:00"
    )


@pytest.mark.parametrize(
    "operation, data",
    [
        (Begin(1, START), {"op": "begin", "session": 1, "stamp": "2020-01-01T00:00:00+00:00"}),
        (Commit(2), {"op": "commit", "session": 2}),
        (Rollback(2), {"op": "rollback", "session": 2}),
        (Savepoint(1, "a"), {"op": "savepoint", "session": 1, "name": "a"}),
        (RollbackTo(1, "a"), {"op": "rollback_to", "session": 1, "name": "a"}),
        (Delete("t", (1,), session=1), {"op": "delete", "table": "t", "rows": [1], "session": 1}),
        (Delete("t", (1,)), {"op": "delete", "table": "t", "rows": [1]}),
    ],
)
def test_what_sessions_do_is_written_as_json(operation, data):
    assert encode(operation) == data
    assert decode(data) == operation


@pytest.mark.parametrize("wrong", [True, None, "1", 1.5])
def test_a_session_is_a_number(wrong):
    with pytest.raises(HistoryError, match="the field 'session' cannot be"):
        decode({"op": "commit", "session": wrong})


def test_a_literal_history_holds_what_sessions_wrote():
    made = timeline(CUSTOMERS, rows=3)
    for op in (Begin(1, START), *WORK[:3], Insert("customers", 8, 1, START), Commit(1), Begin(2, START)):
        made.apply(op)
    made.apply(Insert("customers", 9, 1, START, session=2))
    literal = made.history.literal()
    assert all(op.cells for op in literal if isinstance(op, Insert | Update))
    assert contents(fold(literal, State(99))) == contents(made.state)
    assert History.parse(made.history.lines()) == literal


def drawn(data: st.DataObject, policy: EvolutionPolicy, batches: int = 4) -> History:
    """A history whose every decision is drawn."""
    made = timeline(CUSTOMERS, ORDERS, LOG, ODD, TREE, rows=2)
    choices = AskingChoices(lambda low, high: data.draw(st.integers(low, high)))
    mutations = MutationEngine(made, choices, policy)
    evolution = EvolutionController(made, choices, policy)
    SimulationRunner(made, choices, mutations, evolution).run(batches, 6)
    return made.history


@MODEST
@given(st.data(), st.sampled_from(POLICIES))
def test_any_drawn_history_applies_and_comes_back_from_its_lines(data, policy):
    history = drawn(data, EvolutionPolicy.named(policy))
    states = list(history.states())
    assert not states[-1][2].sessions
    assert [decode(encode(op)) for op in history] == history.operations
    literal = History.parse(history.lines())
    assert contents(fold(literal, State(1))) == contents(states[-1][2])


@FEW
@given(st.data())
def test_a_commit_shows_what_the_session_saw_of_its_own_and_nothing_else_shows_it(data):
    policy = EvolutionPolicy({"late_commit", "rollback", "delete"})
    for before, op, after in drawn(data, policy, 6).states():
        if getattr(op, "session", 0) and not isinstance(op, Commit):
            assert contents(after) == contents(before)
        if isinstance(op, Commit):
            assert contents(after) == contents(seen(before, op.session))
        for number in after.sessions:
            # Whatever is committed meanwhile, what a session did still applies.
            for world, write, _ in committing(after, number):
                assert all(row in world.table(write.table).rows for row in getattr(write, "rows", ()))
