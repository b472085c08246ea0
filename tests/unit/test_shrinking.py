"""Smaller histories apply, are smaller, and keep what the test itself called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.check import all_apply
from pytest_kroft.model.choices import AskingChoices, SeededChoices
from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    AddColumn,
    Begin,
    Commit,
    CreateTable,
    Delete,
    DropColumn,
    DropTable,
    Insert,
    Observed,
    Operation,
    RenameColumn,
    Sync,
    Update,
)
from pytest_kroft.model.shrinking import fewer_operations, plainer, tidied
from pytest_kroft.model.state import State
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.simulation import SimulationRunner
from tests.definitions import CUSTOMERS, MODEST, ORDERS, TREE, timeline


def history(*operations: Operation, drawn: bool = True) -> History:
    """A history of a table, the operations made by one call."""
    made = Timeline(1)
    for _ in made.perform("create", lambda: [CreateTable(TREE)]):
        pass
    for _ in made.perform("call", lambda: operations, drawn=drawn):
        pass
    return made.history


def sizes(histories: list[History]) -> list[int]:
    return [len(one) for one in histories]


def test_every_drawn_operation_can_go_with_what_depends_on_it() -> None:
    whole = history(
        Insert("tree", 1, 1, START, parents={"parent": (None,)}),
        Sync(),
        Update("tree", (1,), ("name",), 1, START),
        Sync(),
    )
    smaller = [one.operations[1:] for one in fewer_operations(whole, 1)]
    _, insert, sync, update, last = whole.operations
    for left in ([sync, last], [insert, update, last], [insert, sync, last], [insert, sync, update]):
        assert left in smaller
    assert all(insert in left or update not in left for left in smaller)


def test_what_the_server_computed_goes_with_the_rows_that_are_left_out() -> None:
    seen = Observed("tree", "server", (1, 2, 3), {"name": ("a", "b", "c")})
    whole = history(Insert("tree", 1, 3, START, parents={"parent": (None, None, None)}), seen, Sync())
    for smaller in plainer(whole, 1):
        inserts = [one for one in smaller if isinstance(one, Insert)]
        # It would bring back the rows that are gone, with nothing but what was computed.
        assert inserts[0] == whole[1] or not any(isinstance(one, Observed) for one in smaller)
    assert any(len(one) == 3 for one in plainer(whole, 1))


def test_the_beginning_and_the_calls_of_the_test_stay() -> None:
    kept = history(Insert("tree", 1, 1, START, parents={"parent": (None,)}), Sync(), drawn=False)
    assert list(fewer_operations(kept, 1)) == []
    assert list(plainer(kept, 1)) == []


def test_a_call_of_the_test_that_depends_on_what_is_gone_plans_anew() -> None:
    made = Timeline(1)
    list(made.perform("create", lambda: [CreateTable(TREE)]))
    insert = Insert("tree", 1, 2, START, parents={"parent": (None, None)})
    list(made.perform("stream", lambda: [insert], drawn=True))
    list(made.perform("delete", lambda: [Delete("tree", (2,))]))
    alone, *_ = fewer_operations(made.history, 1)
    assert [len(call.places) for call in alone.calls] == [1, 0, 0]


def test_operations_that_tie_keep_a_tie_when_one_of_them_goes() -> None:
    whole = history(
        Insert("tree", 1, 1, START, parents={"parent": (None,)}),
        Insert("tree", 2, 1, START + SECOND, parents={"parent": (None,)}),
        Insert("tree", 3, 1, START + SECOND, parents={"parent": (None,)}),
    )
    stamps = [[op.stamp for op in one.operations[1:]] for one in fewer_operations(whole, 1) if len(one) == 3]
    assert [START, START] in stamps


def test_rows_columns_and_cells_go_one_after_the_other() -> None:
    whole = history(
        Insert("tree", 1, 4, START, cells={"name": ("a", "b", "c", "d")}, parents={"parent": (None,) * 4}),
        Update(
            "tree",
            (1, 3),
            ("name", "parent"),
            1,
            START,
            cells={"name": ("x", "y")},
            parents={"parent": (None, None)},
        ),
        Delete("tree", (2, 4)),
    )
    words = [one.operations[1:] for one in plainer(whole, 1)]
    insert, update, _ = whole.operations[1:]
    assert [insert, update, Delete("tree", (2,))] in words
    assert any(len(rest) == 3 and rest[1].columns == ("parent",) for rest in words)
    assert any(len(rest) == 3 and not rest[0].cells for rest in words)
    halved = [rest for rest in words if rest[0].count == 2]
    assert [rest[0].first for rest in halved] == [1, 3]
    assert halved[0][0].cells == {"name": ("a", "b")}
    assert halved[0][1].rows == (1,)
    assert halved[0][2].rows == (2,)


def test_a_session_becomes_transactions_of_their_own() -> None:
    whole = history(
        Begin(1, START), Insert("tree", 1, 1, START, parents={"parent": (None,)}, session=1), Commit(1)
    )
    plain = [one.operations[1:] for one in plainer(whole, 1)]
    assert [Insert("tree", 1, 1, START, parents={"parent": (None,)})] in plain


def test_what_is_left_is_numbered_and_stamped_from_the_beginning() -> None:
    whole = history(
        Insert("tree", 7, 2, START + 70 * SECOND, cells={"parent": (None, None)}),
        Update("tree", (8,), ("id",), 1, START + 99 * SECOND, fresh=20),
        Insert("tree", 30, 1, START + 99 * SECOND, cells={"parent": (None,)}),
        Delete("tree", (7,)),
    )
    renumbered, restamped = tidied(whole, 1)
    first, update, second, delete = renumbered.operations[1:]
    assert (first.first, update.rows, update.fresh, second.first, delete.rows) == (1, (2,), 3, 4, (1,))
    assert [op.stamp for op in restamped.operations[1:4]] == [START, START + SECOND, START + SECOND]
    assert next(tidied(renumbered, 1)).operations != renumbered.operations
    for one in tidied(restamped, 1):
        assert list(tidied(one, 1)) == []


NULLS = {"parent": (None,)}


def test_rows_of_a_table_that_came_back_are_other_rows() -> None:
    whole = history(
        Insert("tree", 1, 1, START, parents=NULLS),
        DropTable("tree"),
        CreateTable(TREE),
        Insert("tree", 1, 1, START + SECOND, parents=NULLS),
        Delete("tree", (1,)),
    )
    smaller = [one.operations[1:] for one in fewer_operations(whole, 1)]
    _, drop, create, second, delete = whole.operations[1:]
    assert [drop, create, second, delete] in smaller
    # A table that is gone for good was never to happen.
    assert all((drop in left) == (create in left) for left in smaller)


def test_what_named_a_renamed_column_names_it_as_before() -> None:
    whole = history(
        RenameColumn("tree", "name", "title"),
        Insert("tree", 1, 1, START, cells={"title": ("a",)}, parents=NULLS),
        Update("tree", (1,), ("title",), 1, START),
        DropColumn("tree", "title"),
    )
    insert = Insert("tree", 1, 1, START, cells={"name": ("a",)}, parents=NULLS)
    plain = [insert, Update("tree", (1,), ("name",), 1, START), DropColumn("tree", "name")]
    assert plain in [one.operations[1:] for one in fewer_operations(whole, 1)]


def test_an_old_column_takes_the_part_of_an_added_one() -> None:
    added = AddColumn("tree", ColumnDefinition("extra", "date"))
    whole = history(added, DropColumn("tree", "extra"), AddColumn("tree", ColumnDefinition("extra", "date")))
    again = [DropColumn("tree", "name"), AddColumn("tree", ColumnDefinition("name", "text"))]
    assert again in [one.operations[1:] for one in fewer_operations(whole, 1)]


def test_inserts_become_one_and_an_update_is_inserted_at_once() -> None:
    whole = history(
        Insert("tree", 1, 1, START, parents=NULLS),
        Insert("tree", 2, 1, START + SECOND, parents=NULLS),
        Update("tree", (2,), ("name",), 1, START, cells={"name": ("x",)}),
    )
    smaller = [one.operations[1:] for one in fewer_operations(whole, 1)]
    update = whole[3]
    both = Insert("tree", 1, 2, START, parents={"parent": (None, None)})
    at_once = Insert("tree", 2, 1, START + SECOND, cells={"name": ("x",)}, parents=NULLS)
    assert [both, update] in smaller
    assert [whole[1], at_once] in smaller


def drawn_history(ask: st.DataObject, steps: int) -> tuple[History, int]:
    """A history that a stream drew under everything, and how many operations came before it."""
    made = timeline(CUSTOMERS, ORDERS, TREE, rows=2)
    start = len(made.history)
    choices = AskingChoices(lambda low, high: ask.draw(st.integers(low, high)))
    policy = EvolutionPolicy.named("everything")
    mutations = MutationEngine(made, choices, policy)
    runner = SimulationRunner(made, choices, mutations, EvolutionController(made, choices, policy))
    list(runner.stream(batches=steps, rows=3))
    return made.history, start


@MODEST
@given(st.data(), st.integers(0, 1000))
def test_every_candidate_applies_and_is_another_history(data: st.DataObject, seed: int) -> None:
    whole, start = drawn_history(data, 4)
    for candidates in (fewer_operations, plainer, tidied):
        found = list(candidates(whole, start))
        if not found:
            continue
        one = SeededChoices(seed).one_of(found)
        assert all_apply(State(one.seed), one.operations)
        assert one.operations != whole.operations
        assert one.operations[:start] == whole.operations[:start]
        assert {place for call in one.calls for place in call.places} >= {*range(start, len(one))}
        assert len(one) <= len(whole)
        assert DropColumn not in map(type, one) or DropColumn in map(type, whole)
