"""The state after a migration: kept columns keep their numbers and cells."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import NotApplicable, UnknownColumn, UnknownTable, UnknownType
from pytest_kroft.model.check import check
from pytest_kroft.model.clock import START
from pytest_kroft.model.describe import describe, migration_changes
from pytest_kroft.model.diagnosis import hazards_in
from pytest_kroft.model.fold import apply
from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.model.operations import AddColumn, Begin, Migrate
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from tests.definitions import CUSTOMERS, FEW, LOG, MOOD, ORDERS, TREE, Column, drive, timeline

RENAMED = TableDefinition(
    "tree",
    [
        Column("number", "bigint", primary_key=True),
        Column("parent", "int", references="tree (number)"),
        Column("label", "text", nullable=False, default="'x'"),
    ],
    table="trees",
)
ADDED = ("add_column", "add_column_default", "add_column_not_null")
STEP = Migrate("app:upgrade", (), (RENAMED,), (), {"tree": {"number": "id", "parent": "parent"}})


def contents(state: State, name: str) -> list[dict[str, str | None]]:
    names = state.table(name).names
    return [dict(zip(names, texts, strict=True)) for texts in state.contents(name)]


@pytest.fixture
def state() -> State:
    return timeline(TREE, rows=5).state


def test_kept_columns_keep_their_number_and_their_cells(state: State):
    check(state, STEP)
    after = apply(state, STEP)
    table, rows = after.table("tree"), contents(state, "tree")
    assert [(column.id, column.name) for column in table.columns] == [
        (1, "number"),
        (2, "parent"),
        (4, "label"),
    ]
    assert [(row["number"], row["parent"]) for row in contents(after, "tree")] == [
        (row["id"], row["parent"]) for row in rows
    ]
    assert {row["label"] for row in contents(after, "tree")} == {"x"}
    assert [tombstone.name for tombstone in table.tombstones] == ["name"]
    assert (after.version, table.name, table.next_column) == (state.version + 1, "trees", 5)
    assert table.key == (table.column("number"),)
    assert [key.columns for key in table.foreign_keys] == [(2,)]
    assert (table.birth, table.next_row) == (state.table("tree").birth, state.table("tree").next_row)


def test_a_table_that_is_not_kept_is_another_one_without_rows(state: State):
    after = apply(state, replace(STEP, kept={}))
    assert after.table("tree").birth.count == 2
    assert not after.table("tree").rows


def test_tables_and_types_come_and_go():
    before = timeline(CUSTOMERS, LOG, rows=2).state
    happy = EnumDefinition("my mood", ["glad", *MOOD.labels])
    step = Migrate("app:upgrade", tables=(TREE,), types=(happy,), dropped=("log",), dropped_types=("level",))
    check(before, step)
    after = apply(before, step)
    assert list(after.tables) == ["customers", "tree"]
    assert after.types == {"my mood": happy}
    assert contents(after, "customers") == contents(before, "customers")
    assert describe(step, before) == (
        "migrate with app:upgrade: drop table log; create table tree (id, parent, name); drop type level; "
        "and 1 more changes"
    )


def test_what_changed_is_told_in_words(state: State):
    assert migration_changes(STEP, state) == [
        "rename table tree to trees",
        "drop column name of tree",
        "change the type of column id of tree to bigint",
        "rename column id of tree to number",
        "add column label text NOT NULL DEFAULT 'x' to tree",
    ]
    assert migration_changes(
        replace(STEP, tables=(TREE,), kept={"tree": {n: n for n in ("id", "parent", "name")}}), state
    ) == ["change other rules of tree"]


def test_the_hazards_of_a_migration_are_those_of_its_changes():
    made = timeline(TREE, rows=2)
    made.apply(STEP)
    made.apply(AddColumn("tree", Column("name", "text")))
    found = [(one.place, one.hazard) for one in hazards_in(made.history)]
    step = len(made.history) - 2
    assert [hazard for place, hazard in found if place == step] == [
        hazard
        for hazard in HAZARDS
        if hazard in {"rename_table", "drop_column", "rename_column", "widen_type", *ADDED}
    ]
    assert (step + 1, "readd_column") in found


@FEW
@given(st.integers(0, 2**32))
def test_a_migration_that_changes_nothing_changes_no_cell(seed):
    made = drive(timeline(seed=seed, rows=3), 25, seed=seed)
    before = made.state
    for name, table in before.tables.items():
        if before.sessions:
            break
        columns = [
            Column(
                column.name, str(column.type), nullable=column.nullable, generated=column.definition.generated
            )
            for column in table.columns
        ]
        definition = TableDefinition(name, columns, schema=table.definition.schema, table=table.name)
        names = {column.name: column.name for column in columns}
        after = apply(before, Migrate("app:same", tables=(definition,), kept={name: names}))
        same = [column.name for column in table.columns if not column.computed]
        assert [[row[n] for n in same] for row in contents(after, name)] == [
            [row[n] for n in same] for row in contents(before, name)
        ]
        assert [column.id for column in after.table(name).columns] == [column.id for column in table.columns]


@pytest.mark.parametrize(
    "step, error, words",
    [
        (Migrate("m", dropped=("nowhere",)), UnknownTable, "nowhere"),
        (Migrate("m", dropped_types=("nothing",)), UnknownType, "nothing"),
        (Migrate("m", kept={"tree": {}}), NotApplicable, "what it made of 'tree'"),
        (Migrate("m", tables=(TREE, TREE)), NotApplicable, "twice"),
        (replace(STEP, kept={"tree": {"number": "nothing"}}), UnknownColumn, "nothing"),
        (replace(STEP, kept={"tree": {"nothing": "id"}}), UnknownColumn, "nothing"),
        (replace(STEP, kept={"tree": {"number": "id", "parent": "id"}}), NotApplicable, "were one before"),
        (Migrate("m", tables=(ORDERS,)), UnknownTable, "customers"),
        (Migrate("m", tables=(TableDefinition("t", [Column("a", "odd")]),)), UnknownType, "odd"),
        (
            Migrate("m", tables=(TableDefinition("t", [Column("a", "int", references="tree (gone)")]),)),
            UnknownColumn,
            "gone",
        ),
    ],
)
def test_a_step_that_does_not_fit_is_refused(state: State, step, error, words):
    with pytest.raises(error, match=words):
        check(state, step)


def test_no_migration_runs_while_a_session_is_open(state: State):
    with pytest.raises(NotApplicable, match="while session 1 is open"):
        check(apply(state, Begin(1, START)), STEP)
