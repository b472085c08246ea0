"""The state after an operation: pure, and a value is a function of its address."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.check import applies
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply, carriers, fold
from pytest_kroft.model.operations import (
    SCHEMA_KINDS,
    AddColumn,
    AddEnumValue,
    AlterType,
    CreateTable,
    CreateType,
    Delete,
    DropColumn,
    DropTable,
    Insert,
    Observed,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
    kind,
)
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.timeline import Timeline
from tests.definitions import CUSTOMERS, FEW, LEVEL, LOG, MOOD, ORDERS, PAIRS, TREE, Column, drive, timeline


def column_of(state: State, table: str, name: str) -> list[str | None]:
    place = state.table(table).names.index(name)
    return [row[place] for row in state.contents(table)]


def contents(state: State) -> dict[str, list]:
    return {name: list(state.contents(name)) for name in state.tables}


@FEW
@given(st.integers(0, 2**32))
def test_folding_leaves_every_earlier_state_as_it_was(seed):
    made = drive(timeline(seed=seed, rows=3), 40, seed=seed)
    kept = [(before, contents(before), copy.deepcopy(before)) for before, _, _ in made.history.states()]
    state = fold(made.history, State(seed))
    assert contents(state) == contents(made.state)
    assert all(contents(before) == held and before == copied for before, held, copied in kept)


@FEW
@given(st.integers(0, 2**32))
def test_row_numbers_and_revisions_are_never_used_twice(seed):
    made = drive(timeline(seed=seed, rows=3), 60, seed=seed)
    used: dict[tuple, set[int]] = {}
    for before, op, after in made.history.states():
        if isinstance(op, Insert | Update):
            table = before.table(op.table)
            numbers = range(op.first, op.first + op.count) if isinstance(op, Insert) else ()
            if isinstance(op, Update) and op.fresh is not None:
                numbers = range(op.fresh, op.fresh + len(op.rows))
            taken = used.setdefault((table.birth, "rows"), set())
            assert taken.isdisjoint(numbers)
            taken.update(numbers)
            assert after.table(op.table).next_row > max(taken, default=0)
            if not isinstance(op, Update):
                continue
            revisions = used.setdefault((table.birth, "revisions"), set())
            assert op.revision > max(revisions, default=0)
            revisions.add(op.revision)


@FEW
@given(st.integers(0, 2**32))
def test_columns_are_numbered_as_on_the_server_and_births_never_repeat(seed):
    made = drive(timeline(seed=seed, rows=1), 60, seed=seed)
    for _, _, after in made.history.states():
        for table in after.tables.values():
            ids = [column.id for column in table.columns]
            assert ids == sorted(set(ids))
            assert table.next_column > ids[-1]
            assert len({column.birth for column in table.columns}) == len(ids)
            assert len(set(table.names)) == len(ids)


def test_adding_a_column_to_a_definition_changes_no_value_in_any_other():
    wide = TableDefinition(
        "orders",
        [
            Column("first", "text"),
            *ORDERS.columns[:4],
            Column("extra", "uuid", unique=True),
            *ORDERS.columns[4:],
        ],
        updated_at="updated_at",
    )
    customers = timeline(CUSTOMERS, seed=5, rows=3).state
    narrow_state, wide_state = (
        fold(
            [
                CreateTable(table),
                Insert("orders", 1, 50, START, 1_000_000, parents={"customer_id": (None, 1) * 25}),
                Update("orders", tuple(range(1, 20)), ("amount", "day", "code"), 1, START, 5, fresh=51),
            ],
            customers,
        )
        for table in (ORDERS, wide)
    )
    for name in narrow_state.table("orders").names:
        if name != "double_amount":
            assert column_of(narrow_state, "orders", name) == column_of(wide_state, "orders", name), name
    assert len(set(column_of(wide_state, "orders", "extra"))) > 40


def test_a_column_that_joins_the_key_later_changes_no_value_in_any_other():
    key = [Column("a", "int", primary_key=True), Column("b", "int", primary_key=True)]
    plain = timeline(TableDefinition("t", key), rows=20).state
    wider = timeline(TableDefinition("t", [*key, Column("c", "bigint", primary_key=True)]), rows=20).state
    assert [row[:2] for row in wider.contents("t")] == list(plain.contents("t"))


def test_a_rename_changes_no_value():
    before = timeline(CUSTOMERS, rows=20).state
    after = fold(
        [RenameColumn("customers", "name", "Full name"), RenameTable("customers", "clients")], before
    )
    assert contents(after) == contents(before)
    table = after.table("customers")
    assert (table.name, table.definition.name, table.column("Full name").birth) == (
        "clients",
        "customers",
        ("name", 1),
    )
    grown = apply(after, Insert("customers", 21, 5, START))
    plain = apply(before, Insert("customers", 21, 5, START))
    assert contents(grown) == contents(plain)


def test_a_column_that_comes_back_has_new_values():
    note = Column("note", "text", nullable=False, default="'x'")
    made = timeline(CUSTOMERS)
    state = fold([AddColumn("customers", note), Insert("customers", 1, 20, START)], made.state)
    first = column_of(state, "customers", "note")
    state = fold([DropColumn("customers", "note"), AddColumn("customers", note)], state)
    assert column_of(state, "customers", "note") == ["x"] * 20
    state = apply(state, Insert("customers", 21, 20, START))
    again = apply(apply(made.state, AddColumn("customers", note)), Insert("customers", 21, 20, START))
    assert column_of(state, "customers", "note")[20:] != column_of(again, "customers", "note")
    assert len(set(first)) > 1
    assert [stone.name for stone in state.table("customers").tombstones] == ["note"]
    assert state.table("customers").column("note").birth == ("note", 2)


def test_a_table_that_comes_back_has_new_values_and_starts_anew():
    made = timeline(LOG, rows=30)
    again = fold([DropTable("log"), CreateTable(LOG)], made.state)
    assert (len(again.table("log").rows), again.table("log").next_row) == (0, 1)
    assert again.table("log").birth == ("log", 2)
    again = apply(again, Insert("log", 1, 30, START))
    assert column_of(again, "log", "line") != column_of(made.state, "log", "line")


def test_an_insert_stamps_and_counts():
    made = timeline(CUSTOMERS, ORDERS)
    state = apply(
        made.state, Insert("orders", 4, 3, START, 2_000_000, cells={"paid": ("true", None, "false")})
    )
    assert state.table("orders").rows.numbers == [4, 5, 6]
    assert (state.table("orders").next_row, state.now) == (7, START + 4_000_000)
    assert column_of(state, "orders", "updated_at") == [
        f"2020-01-01 00:00:0{second}+00" for second in (0, 2, 4)
    ]
    assert column_of(state, "orders", "paid") == ["true", None, "false"]


def test_time_never_goes_back():
    state = apply(timeline(LOG).state, Insert("log", 1, 1, START + 60_000_000))
    assert apply(state, Insert("log", 2, 1, START)).now == START + 60_000_000


def test_an_update_changes_only_what_it_names_and_the_stamp():
    before = timeline(CUSTOMERS, ORDERS, rows=30).state
    rows = tuple(before.table("orders").rows.numbers[3:20])
    after = apply(before, Update("orders", rows, ("amount",), 1, START + 3_600_000_000))
    for name in before.table("orders").names:
        old, new = column_of(before, "orders", name), column_of(after, "orders", name)
        assert old[:3] + old[20:] == new[:3] + new[20:]
        if name not in ("amount", "updated_at", "double_amount"):
            assert old == new
    assert column_of(after, "orders", "amount")[3:20] != column_of(before, "orders", "amount")[3:20]
    assert set(column_of(after, "orders", "updated_at")[3:20]) == {"2020-01-01 01:00:00+00"}


def test_a_unique_column_that_is_updated_takes_fresh_row_numbers():
    before = timeline(CUSTOMERS, ORDERS, rows=9).state
    rows = tuple(before.table("orders").rows.numbers)
    after = apply(before, Update("orders", rows, ("code",), 1, START, fresh=before.table("orders").next_row))
    grown = apply(
        before,
        Insert("orders", before.table("orders").next_row, 9, START, parents={"customer_id": (None,) * 9}),
    )
    assert column_of(after, "orders", "code") == column_of(grown, "orders", "code")[9:]
    assert after.table("orders").next_row == before.table("orders").next_row + 9


def test_a_foreign_key_reads_the_key_of_its_parent():
    state = timeline(CUSTOMERS, ORDERS, rows=3).state
    state = apply(state, Insert("orders", 50, 3, START, parents={"customer_id": (3, None, 1)}))
    ids = column_of(state, "customers", "id")
    assert column_of(state, "orders", "customer_id")[-3:] == [ids[2], None, ids[0]]


def test_deleting_and_truncating_leave_the_row_numbers_spent():
    state = timeline(CUSTOMERS, rows=5).state
    after = apply(state, Delete("customers", (2, 4)))
    assert after.table("customers").rows.numbers == [1, 3, 5]
    emptied = apply(after, Truncate("customers"))
    assert (len(emptied.table("customers").rows), emptied.table("customers").next_row) == (0, 6)


def test_rows_that_were_there_hold_the_default_of_a_column_that_is_added():
    state = timeline(CUSTOMERS, rows=3).state
    for default, text in ((None, None), ("7", "7"), ("'x'", "x"), ("NULL", None), ("now()", None)):
        after = apply(state, AddColumn("customers", Column("new", "varchar(5)", default=default)))
        assert column_of(after, "customers", "new") == [text] * 3, default
        later = apply(apply(after, SetDefault("customers", "new", "'y'")), Insert("customers", 4, 1, START))
        assert column_of(later, "customers", "new")[:3] == [text] * 3


def test_a_change_of_type_casts_every_cell_and_the_default():
    table = TableDefinition("t", [Column("id", "int", primary_key=True), Column("n", "int", default="7")])
    made = timeline(table, rows=20)
    after = apply(made.state, AlterType("t", "n", "text"))
    assert column_of(after, "t", "n") == column_of(made.state, "t", "n")
    column = after.table("t").column("n")
    assert (str(column.type), column.default) == ("text", "'7'::text")
    back = apply(after, AlterType("t", "n", "bigint"))
    assert column_of(back, "t", "n") == column_of(made.state, "t", "n")


def test_nullability_changes_no_cell_that_is_there():
    state = timeline(CUSTOMERS, rows=40).state
    assert None in column_of(state, "customers", "tier")
    after = apply(state, SetNullable("customers", "name", nullable=True))
    assert contents(after) == contents(state)
    assert None in column_of(apply(after, Insert("customers", 41, 60, START)), "customers", "name")


def test_a_label_changes_no_cell_that_is_there_and_is_then_used():
    state = timeline(CUSTOMERS, rows=40).state
    after = apply(state, AddEnumValue("my mood", "new", "sad"))
    assert contents(after) == contents(state)
    assert after.types["my mood"].labels == ("sad", "new", "ok", "it's glad")
    assert apply(state, AddEnumValue("my mood", "new")).types["my mood"].labels[-1] == "new"
    assert "new" in column_of(apply(after, Insert("customers", 41, 60, START)), "customers", "mood")


def test_a_unique_column_of_an_enum_repeats_no_label_when_one_is_added():
    letters = EnumDefinition("letter", [chr(97 + number) for number in range(12)])
    table = TableDefinition("t", [Column("a", letters.sql_type, unique=True, nullable=False)])
    for seed in range(20):
        made = Timeline(seed)
        for op in (
            CreateType(letters),
            CreateTable(table),
            Insert("t", 1, 6, START),
            AddEnumValue("letter", "m", "a"),
        ):
            made.apply(op)
        insert = Insert("t", 7, 6, START)
        held = column_of(apply(made.state, insert), "t", "a")
        assert len(set(held)) == 12 or not applies(made.state, insert)


@pytest.mark.parametrize("sample", [Sync(), Insert("log", 1, 2, START)], ids=kind)
def test_only_a_change_of_the_schema_makes_a_version(sample):
    state = timeline(LOG).state
    assert apply(state, sample).version == state.version
    assert kind(sample) not in SCHEMA_KINDS


def test_the_version_counts_the_changes_of_the_schema():
    made = drive(timeline(rows=1), 40)
    assert made.state.version == sum(kind(op) in SCHEMA_KINDS for op in made.history)


def test_an_identity_remembers_its_highest_number():
    state = timeline(CUSTOMERS, rows=3).state
    ids = [int(text) for text in column_of(state, "customers", "id") if text]
    assert state.table("customers").column("id").highest == max(ids)
    after = apply(state, Insert("customers", 4, 1, START, cells={"id": ("1000000",)}))
    after = apply(after, Delete("customers", (4,)))
    assert after.table("customers").column("id").highest == 1_000_000


def test_an_observation_writes_adds_and_removes_rows():
    state = timeline(CUSTOMERS, ORDERS, rows=3).state
    seen = Observed("orders", "server", (1, 2, 3), {"double_amount": ("1", None, "3")})
    assert column_of(apply(state, seen), "orders", "double_amount") == ["1", None, "3"]
    names = state.table("customers").names
    row = {name: (text,) for name, text in zip(names, ("77", "Ann", None, None, None, None), strict=True)}
    after = apply(state, Observed("customers", "test", (9,), row, removed=(1,), stamp=START))
    assert after.table("customers").rows.numbers == [2, 3, 9]
    assert list(after.contents("customers"))[-1] == ("77", "Ann", None, None, None, None)
    assert after.table("customers").next_row == 10


def test_a_generated_column_that_kroft_computes_follows_its_source():
    table = TableDefinition(
        "t",
        [
            Column("a", "text"),
            Column("no", "boolean", generated="a IS NULL"),
            Column("n", "int", generated="char_length(a)"),
        ],
    )
    state = timeline(table, rows=40).state
    for a, no, length in state.contents("t"):
        assert no == ("true" if a is None else "false")
        assert length == (None if a is None else str(len(a)))


def test_each_unique_set_has_one_column_that_never_repeats():
    assert carriers(ORDERS) == {"id", "code", "token"}
    assert carriers(PAIRS) == {"right", "value"}
    assert carriers(TREE) == {"id"}
    assert carriers(TableDefinition("t", [Column("a", "boolean", unique=True)])) == {"a"}
    roomy = TableDefinition("t", [Column("a", "int"), Column("b", "boolean")], constraints=["UNIQUE (a, b)"])
    assert carriers(roomy) == {"a"}
    both = TableDefinition(
        "t", [Column("a", "int"), Column("b", "int")], constraints=["UNIQUE (a, b)", "UNIQUE (a)"]
    )
    assert carriers(both) == {"a"}


def test_a_dropped_column_takes_its_unique_sets_along_for_good():
    both = TableDefinition("t", [Column("a", "int"), Column("b", "int")], constraints=["UNIQUE (a, b)"])
    state = timeline(both).state
    assert state.table("t").uniques == ((1, 2),)
    state = apply(state, DropColumn("t", "b"))
    assert state.table("t").uniques == ()
    assert apply(state, AddColumn("t", Column("b", "int"))).table("t").uniques == ()
    assert apply(state, AddColumn("t", Column("b", "int", unique=True))).table("t").uniques == ((3,),)


def test_a_unique_column_beyond_the_definition_never_repeats_either():
    state = apply(
        timeline(LOG).state, AddColumn("log", Column("code", "smallint", unique=True, nullable=False))
    )
    held = column_of(apply(state, Insert("log", 1, 5000, START)), "log", "code")
    assert len(set(held)) == 5000


def test_types_come_and_go():
    state = timeline(LOG).state
    assert (state.types[MOOD.name], state.types[LEVEL.name]) == (MOOD, LEVEL)


PLACES = TableDefinition(
    "places",
    [
        Column("id", "int", primary_key=True),
        Column("country", "text", samples=("DE", "FR", None), together="place"),
        Column("note", "text"),
        Column("city", "text", samples=("Berlin", "Paris", None), together="place"),
    ],
)


def test_samples_of_a_group_change_together():
    state = timeline(PLACES).state
    state = apply(state, Insert("places", 1, 60, START))
    pairs = {("DE", "Berlin"), ("FR", "Paris"), (None, None)}
    before = [(row[1], row[3]) for row in state.contents("places")]
    assert set(before) == pairs
    rows = tuple(range(1, 61))
    one = Update("places", rows, ("country",), 1, START)
    assert not applies(state, one)
    assert applies(state, Update("places", rows, ("note",), 1, START))
    both = Update("places", rows, ("country", "city"), 1, START)
    assert applies(state, both)
    after = [(row[1], row[3]) for row in apply(state, both).contents("places")]
    assert set(after) == pairs
    assert after != before


def test_a_filled_column_takes_no_null():
    table = TableDefinition("t", [Column("id", "int", primary_key=True), Column("a", "int", filled=True)])
    state = timeline(table).state
    assert not applies(state, Insert("t", 1, 1, START, cells={"a": (None,)}))
    assert applies(state, Insert("t", 1, 1, START, cells={"a": ("1",)}))
    held = apply(state, Insert("t", 1, 200, START))
    assert None not in column_of(held, "t", "a")
