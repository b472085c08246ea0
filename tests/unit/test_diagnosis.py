"""Which hazards a history holds."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.choices import AskingChoices
from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.diagnosis import Found, hazard_names, hazards_in
from pytest_kroft.model.hazards import HAZARDS, with_implied
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    Begin,
    Commit,
    CreateTable,
    CreateType,
    Delete,
    DropColumn,
    DropTable,
    Insert,
    Observed,
    Operation,
    RenameColumn,
    RenameTable,
    Rollback,
    RollbackTo,
    Savepoint,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
)
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.simulation import SimulationRunner
from tests.definitions import CUSTOMERS, ENUMS, FEW, LEVEL, LOG, ODD, ORDERS, TREE, Column, drive, timeline

ITEMS = TableDefinition(
    "items",
    [
        Column("id", "int", primary_key=True),
        Column("name", "text"),
        Column("level", LEVEL.sql_type),
        Column("size", "numeric(6,2)"),
        Column("at", "timestamptz"),
    ],
    updated_at="at",
)
HEAP = TableDefinition("heap", [Column("n", "int"), Column("at", "timestamp")], updated_at="at")
MADE = (CreateType(LEVEL), CreateTable(ITEMS), CreateTable(HEAP))


def history(*operations: Operation) -> History:
    made = Timeline(3)
    for operation in (*MADE, *operations):
        made.apply(operation)
    return made.history


def found_in(*operations: Operation) -> list[Found]:
    """The hazards that operations hold after the tables are made, their places counted from there."""
    found = hazards_in(history(*operations))
    return [Found(one.place - len(MADE), one.hazard, one.note) for one in found]


def insert(number: int, second: int = 0, count: int = 1, table: str = "items", **fields) -> Insert:
    return Insert(table, number, count, START + second * SECOND, **fields)


def update(number: int, second: int, *columns: str, **fields) -> Update:
    return Update("items", (number,), columns, number + 10, START + second * SECOND, **fields)


FIRST = insert(1)
ONE: dict[str, tuple[Operation, ...]] = {
    "delete": (FIRST, Delete("items", (1,))),
    "truncate": (FIRST, Truncate("items")),
    "rename_column": (RenameColumn("items", "name", "title"),),
    "drop_column": (DropColumn("items", "name"),),
    "enum_value": (AddEnumValue("level", "middle"),),
    "nullability": (SetNullable("items", "name", nullable=False),),
    "default_change": (SetDefault("items", "name", "'x'"),),
    "rename_table": (RenameTable("items", "things"),),
    "add_column": (AddColumn("items", Column("new", "int")),),
    "null_cursor": (insert(1, cells={"at": (None,)}),),
    "extreme_value": (insert(1, cells={"name": ("",)}),),
}
LONG = "a plain sentence that repeats itself; "


def test_a_history_without_hazards_holds_none():
    calm = (FIRST, Sync(), insert(2, 1, 3), update(1, 5, "name"), insert(1, 6, table="heap"), Sync())
    assert found_in(*calm) == []
    assert hazards_in(History(1)) == []


@pytest.mark.parametrize("hazard", ONE)
def test_an_operation_that_is_one_hazard(hazard):
    assert found_in(*ONE[hazard]) == [Found(len(ONE[hazard]) - 1, hazard)]


def test_what_a_new_column_brings():
    def names(**fields) -> list[str]:
        return [one.hazard for one in found_in(AddColumn("items", Column("new", "int", **fields)))]

    assert names(default="3") == ["add_column", "add_column_default"]
    assert names(default="3", nullable=False) == ["add_column", "add_column_default", "add_column_not_null"]
    assert names(generated="id * 2") == ["add_column", "generated_column"]


@pytest.mark.parametrize(
    "back", [AddColumn("items", Column("name", "int")), RenameColumn("items", "size", "name")]
)
def test_a_name_that_comes_back(back):
    *_, last = found_in(DropColumn("items", "name"), back)
    assert last == Found(1, "readd_column", "back again under the name dropped in 4")
    renamed = (RenameColumn("items", "name", "title"), AddColumn("items", Column("name", "int")))
    assert "readd_column" not in {one.hazard for one in found_in(*renamed)}


def test_a_type_grows_or_becomes_another():
    def change(sql_type: str) -> list[Found]:
        return found_in(AlterType("items", "size", sql_type))

    assert change("numeric(10,2)") == [Found(0, "widen_type", "was numeric(6,2)")]
    assert change("text") == change("numeric(6,1)") == [Found(0, "retype_column", "was numeric(6,2)")]
    assert change("decimal(6, 2)") == []


def test_a_table_is_made_anew():
    again = (FIRST, DropTable("items"), CreateTable(ITEMS), insert(1, 1))
    assert found_in(*again) == [Found(2, "recreate_table", "dropped in 5")]
    # Its keys begin anew, whichever rows were deleted.
    deleted = found_in(FIRST, Delete("items", (1,)), DropTable("items"), CreateTable(ITEMS), insert(1, 1))
    assert [one.hazard for one in deleted] == ["delete", "recreate_table"]


def test_a_key_changes():
    assert found_in(FIRST, update(1, 1, "id", fresh=7)) == [Found(1, "key_change", "becomes id 7")]
    assert found_in(FIRST, update(1, 1, "id", cells={"id": ("1",)})) == []


def test_a_key_comes_back():
    given = {"id": ("1",)}
    back = insert(2, 1, cells=given)
    assert found_in(FIRST, Delete("items", (1,)), back) == [
        Found(1, "delete"),
        Found(2, "delete_reinsert", "id 1 was deleted in 5"),
    ]
    changed = (Delete("items", (1,)), back, update(2, 3, "name"))
    assert [one.hazard for one in found_in(FIRST, *changed)] == ["delete", "delete_reinsert"]
    by_update = (insert(1, 0, 2), Delete("items", (1,)), update(2, 1, "id", cells=given))
    assert [one.hazard for one in found_in(*by_update)] == ["delete", "delete_reinsert", "key_change"]
    twice = (FIRST, Delete("items", (1,)), back, Delete("items", (2,)), insert(3, 2, cells=given))
    assert [one.note for one in found_in(*twice) if one.note][-1] == "id 1 was deleted in 7"
    assert [one.hazard for one in found_in(FIRST, Truncate("items"), back)] == ["truncate", "delete_reinsert"]


def test_values_of_the_live_type_that_were_given():
    date = AlterType("items", "name", "date")
    given = insert(1, cells={"name": ("infinity",)})
    assert [one.hazard for one in found_in(date, given)] == ["retype_column", "unrepresentable_value"]
    assert [one.hazard for one in found_in(given)] == ["extreme_value"]
    large = (LONG * (64_000 // 30))[:64_000].rstrip(" ;") + "."
    assert [one.hazard for one in found_in(insert(1, cells={"name": (large,)}))] == ["large_value"]
    assert found_in(insert(1, cells={"name": ("plain",), "size": (None,)})) == []


def test_a_value_that_was_generated_is_no_hazard_where_it_is_written_down():
    made = history(insert(1, 0, 300), update(2, 1, "name", "size"), insert(301, 2, 50, table="heap"))
    assert hazards_in(made) == hazards_in(made.literal()) == []
    # A stamp too: this one is an edge of its type where it is given.
    epoch = {"at": ("1970-01-01 00:00:00+00",)}
    assert found_in(Insert("items", 1, 1, 0, cells=epoch)) == []
    assert [one.hazard for one in found_in(insert(1, cells=epoch))] == ["extreme_value"]


# Time


def test_stamps_of_two_transactions_tie():
    assert found_in(FIRST, insert(2)) == [Found(1, "tied_timestamp", "tied with id 1")]
    assert found_in(insert(1, 0, 3)) == []
    assert found_in(FIRST, update(1, 0, "name")) == [Found(1, "tied_timestamp", "tied with step 4")]
    heap = [insert(number, table="heap") for number in (1, 2)]
    assert found_in(*heap) == [Found(1, "tied_timestamp", "tied with step 4")]
    assert found_in(FIRST, insert(1, table="heap")) == []
    assert found_in(FIRST, insert(2, 1), Delete("items", (2,)), insert(3, 1))[-1].note == "tied with id 2"


def test_a_stamp_is_earlier_than_one_before_it():
    assert found_in(insert(1, 9), insert(2, 3), insert(3, 10)) == [
        Found(1, "clock_skew", "stamped before id 1")
    ]
    assert [one.place for one in found_in(insert(1, 9), insert(2, 3), insert(3, 5))] == [1, 2]
    # One of an earlier time that met rows of that time: it is behind all the same.
    assert [one.hazard for one in found_in(insert(1, 3), insert(2, 9), insert(3, 3))] == ["clock_skew"]
    spread = Insert("items", 2, 3, START + 8 * SECOND, SECOND)
    assert [one.hazard for one in found_in(insert(1, 9), spread)] == ["tied_timestamp", "clock_skew"]


def test_a_given_stamp_is_what_counts():
    def given(number: int, second: int, text: str | None) -> Insert:
        return insert(number, second, cells={"at": (text,)})

    at_nine = "2020-01-01 00:00:09+00"
    assert found_in(insert(1, 9), given(2, 20, at_nine)) == [Found(1, "tied_timestamp", "tied with id 1")]
    assert found_in(given(1, 3, at_nine), insert(2, 5)) == [Found(1, "clock_skew", "stamped before id 1")]
    assert found_in(given(1, 3, "infinity"), insert(2, 5)) == [Found(0, "unrepresentable_value")]
    assert found_in(given(1, 9, None), insert(2, 9)) == [Found(0, "null_cursor")]


# Sessions


def late(*between: Operation) -> tuple[Operation, ...]:
    return (FIRST, Begin(1, START + SECOND), insert(2, 1, session=1), *between, Commit(1))


def test_a_transaction_commits_late():
    assert found_in(*late()) == []
    assert found_in(*late(Sync(), insert(3, 5))) == [
        Found(5, "late_commit", "id 2 appears late: stamped before id 3")
    ]
    assert found_in(*late(insert(1, 5, table="heap"))) == []


def test_of_two_sessions_the_later_to_commit_is_late():
    second = (Begin(2, START + 2 * SECOND), insert(3, 2, session=2), Commit(2))
    assert [(one.place, one.hazard) for one in found_in(*late(*second))] == [(6, "late_commit")]
    late_too = (Begin(2, START), insert(3, 0, session=2), Commit(2))
    assert [(one.place, one.hazard) for one in found_in(*late(*late_too))] == [(4, "tied_timestamp")]


def test_a_session_that_is_behind_from_its_beginning_is_skewed():
    skewed = (insert(1, 9), Begin(1, START), insert(2, session=1), insert(3, 10), Commit(1))
    assert found_in(*skewed) == [Found(2, "clock_skew", "stamped before id 1")]


def test_what_is_rolled_back_is_no_other_hazard():
    begun = (FIRST, Begin(1, START))
    assert found_in(*begun, Rollback(1)) == []
    work = (insert(2, session=1), Delete("items", (1,), session=1))
    assert found_in(*begun, *work, Rollback(1)) == [Found(4, "rollback", "undoes 6, 7")]
    assert found_in(*begun, *work) == []
    marked = (Savepoint(1, "a"), *work, RollbackTo(1, "a"), Savepoint(1, "a"), RollbackTo(1, "a"))
    assert found_in(*begun, *marked, Commit(1)) == [Found(5, "rollback", "undoes 7, 8")]
    after = (Begin(1, START + SECOND), insert(2, 1, session=1), Rollback(1), insert(3, 1))
    assert [one.hazard for one in found_in(*after)] == ["rollback"]


def test_what_a_session_wrote_counts_from_its_commit_on():
    work = (FIRST, Begin(1, START + SECOND), Delete("items", (1,), session=1))
    back = insert(2, 1, cells={"id": ("1",)}, session=1)
    assert found_in(*work, back, Commit(1)) == [
        Found(2, "delete"),
        Found(3, "delete_reinsert", "id 1 was deleted in 6"),
    ]
    own = (Begin(1, START), insert(1, session=1), insert(2, session=1), update(1, 0, "name", session=1))
    assert found_in(*own, Commit(1)) == []


# What the test did itself


def test_rows_that_the_test_wrote():
    cells = {"id": ("8",), "name": ("",), "at": ("2020-01-01 00:00:00+00",)}
    wrote = Observed("items", "test", (2,), cells, (1,), START)
    assert found_in(FIRST, wrote) == [
        Found(1, "tied_timestamp", "tied with id 1"),
        Found(1, "delete"),
        Found(1, "extreme_value"),
    ]


def test_the_names_of_what_was_found():
    found = [Found(1, "delete"), Found(2, "tied_timestamp"), Found(3, "delete")]
    assert hazard_names(found) == ["tied_timestamp", "delete"]


def test_a_history_that_does_not_apply_is_refused():
    with pytest.raises(HistoryError):
        hazards_in(History(1, None, [Delete("t", (1,))]))


# What a policy promises

POSSIBLE = sorted(EvolutionPolicy.named("everything").hazards)


def only(hazard: str | None) -> EvolutionPolicy:
    return EvolutionPolicy(frozenset({hazard} if hazard else ()), interval=1, probability=1.0)


def surplus(made: Timeline, hazard: str | None) -> list[tuple[Found, Operation]]:
    """What a history holds beyond a hazard and what it implies."""
    allowed = with_implied(frozenset({hazard})) if hazard else frozenset()
    return [(one, made.history[one.place]) for one in hazards_in(made.history) if one.hazard not in allowed]


@pytest.mark.parametrize("hazard", [None, *POSSIBLE])
def test_a_history_under_one_hazard_holds_no_other(hazard):
    tables = (ITEMS, HEAP, CUSTOMERS, ORDERS, ODD)
    for seed in range(2):
        made = timeline(*tables, seed=seed, rows=3)
        drive(made, 40, only(hazard), seed)
        assert surplus(made, hazard) == []
    assert hazard is None or hazard in HAZARDS


@pytest.mark.parametrize("hazard", [None, *POSSIBLE])
@FEW
@given(data=st.data())
def test_a_history_that_is_searched_under_one_hazard_holds_no_other(hazard, data):
    made = Timeline(1)
    tables = data.draw(st.sampled_from([[ITEMS], [LOG], [TREE], [CUSTOMERS, ORDERS]]))
    for enum in ENUMS:
        made.apply(CreateType(enum))
    for table in tables:
        made.apply(CreateTable(table))
    choices = AskingChoices(lambda low, high: data.draw(st.integers(low, high)))
    mutations = MutationEngine(made, choices, only(hazard))
    evolution = EvolutionController(made, choices, only(hazard))
    SimulationRunner(made, choices, mutations, evolution).run(6, 8)
    assert surplus(made, hazard) == []


@pytest.mark.parametrize("hazard", POSSIBLE)
def test_a_hazard_that_a_policy_allows_is_found(hazard):
    held = (
        hazard
        in {one.hazard for one in hazards_in(drive(timeline(rows=4, seed=s), 50, only(hazard), s).history)}
        for s in range(40)
    )
    assert any(held)


def often_low(numbers: Random, low: int, high: int) -> int:
    return low if numbers.random() < 0.2 else numbers.randint(low, high)


@pytest.mark.parametrize("table", [ITEMS, HEAP, ODD], ids=lambda table: table.name)
def test_a_clock_that_goes_back_ties_no_stamps(table):
    for seed in range(40):
        made, numbers = timeline(table, seed=seed), Random(seed)
        mutations = MutationEngine(made, AskingChoices(partial(often_low, numbers)), only("clock_skew"))
        for _ in range(30):
            mutations.mutate(table.name, 8)
        assert surplus(made, "clock_skew") == []
