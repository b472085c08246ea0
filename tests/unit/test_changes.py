"""How each hazard of columns and tables is planned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.check import all_apply
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.expressions import constant, is_constant
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.model.operations import AddColumn, AlterType, DropColumn, RenameColumn, RenameTable, kind
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import MAX_IDENTIFIER_BYTES, parse_type
from pytest_kroft.planning.changes import PLANS, constant_default, fresh_name, reserved_columns
from tests.definitions import CUSTOMERS, LOG, MODEST, ORDERS, TABLES, Column, drive, timeline

WIDE = TableDefinition(
    "wide",
    [
        Column("id", "int", primary_key=True),
        *(
            Column(f"c_{sql_type}", sql_type)
            for sql_type in (
                "smallint",
                "integer",
                "bigint",
                "numeric(8,2)",
                "real",
                "double precision",
                "text",
                "varchar(20)",
                "char(4)",
                "boolean",
                "date",
                "timestamp",
                "timestamptz",
                "uuid",
                "jsonb",
                "bytea",
                "text[]",
                "int4range",
                "inet",
                '"my mood"',
            )
        ),
        *(
            Column(f"r_{sql_type}", sql_type, reserved=True, nullable=nullable)
            for sql_type, nullable in (
                ("text", True),
                ("bytea", False),
                ("jsonb", False),
                ("interval", True),
                ("other.level", False),
                ("int[]", False),
            )
        ),
    ],
)


def planned(hazard: str, state: State, table: str, seed: int = 1):
    return PLANS[hazard](state, state.table(table), SeededChoices(seed))


@pytest.fixture(scope="module")
def wide() -> State:
    made = timeline(WIDE, rows=10)
    made.apply(DropColumn("wide", "c_integer"))
    return made.state


def test_every_hazard_of_columns_and_tables_has_a_plan():
    rows = {
        "tied_timestamp",
        "late_commit",
        "clock_skew",
        "null_cursor",
        "delete",
        "delete_reinsert",
        "truncate",
        "key_change",
        "rollback",
        "extreme_value",
        "large_value",
        "unrepresentable_value",
    }
    assert set(PLANS) == HAZARDS.keys() - rows


KINDS = {
    "add_column": ["add_column"],
    "add_column_default": ["add_column"],
    "add_column_not_null": ["add_column"],
    "drop_column": ["drop_column"],
    "rename_column": ["rename_column"],
    "readd_column": ["add_column"],
    "retype_column": ["alter_type"],
    "widen_type": ["alter_type"],
    "enum_value": ["add_enum_value"],
    "nullability": ["set_nullable"],
    "default_change": ["set_default"],
    "rename_table": ["rename_table"],
    "recreate_table": ["drop_table", "create_table"],
    "generated_column": ["add_column"],
}


@pytest.mark.parametrize("hazard", PLANS)
def test_a_plan_applies_and_is_of_its_kind(wide, hazard):
    for seed in range(25):
        operations = planned(hazard, wide, "wide", seed)
        # A column that comes back may first have to go.
        kinds = [kind(op) for op in operations if hazard != "readd_column" or kind(op) != "drop_column"]
        assert kinds == KINDS[hazard]
        assert all_apply(wide, operations)
        assert fold(operations, wide) != wide


@MODEST
@given(st.integers(0, 2**32), st.sampled_from(list(PLANS)))
def test_whatever_the_state_a_plan_applies(seed, hazard):
    made = drive(timeline(seed=seed, rows=2), 20, seed=seed)
    for table in made.state.tables:
        assert all_apply(made.state, planned(hazard, made.state, table, seed))


@pytest.mark.parametrize("hazard", PLANS)
def test_where_nothing_fits_nothing_is_planned(hazard):
    table = TableDefinition("t", [Column("id", "int", primary_key=True)])
    child = TableDefinition("child", [Column("t_id", "int", references="t", protected=True)])
    state = timeline(table, child).state
    expected = ["rename_table"] if hazard == "rename_table" else []
    assert [kind(op) for op in planned(hazard, state, "t")] == expected


def test_columns_are_added_as_their_hazard_says(wide):
    for seed in range(10):
        (plain,) = planned("add_column", wide, "wide", seed)
        assert plain.column.nullable
        assert plain.column.default is None
        assert plain.column.name in ("r_text", "r_interval")
        (default,) = planned("add_column_default", wide, "wide", seed)
        assert default.column.nullable
        assert default.column.default is not None
        (never,) = planned("add_column_not_null", wide, "wide", seed)
        assert not never.column.nullable
        assert never.column.default is not None


@pytest.mark.parametrize("table", [*TABLES, WIDE], ids=lambda table: table.name)
def test_the_default_that_kroft_adds_is_a_constant_of_the_type(table):
    state = timeline(CUSTOMERS, *([table] if table is not CUSTOMERS else []), rows=1).state
    for column in [*table.active, *table.reserved]:
        default = constant_default(state, state.table(table.name), column)
        assert is_constant(default), default
        assert constant(default, column.type) is not None
        added = AddColumn(table.name, Column("new", column.sql_type, nullable=False, default=default))
        after = apply(state, added)
        assert None not in [row[-1] for row in after.contents(table.name)]


def test_a_protected_column_is_left_alone():
    state = timeline(CUSTOMERS, ORDERS, rows=3).state
    for hazard in (
        "drop_column",
        "rename_column",
        "retype_column",
        "widen_type",
        "nullability",
        "default_change",
    ):
        for seed in range(20):
            for table in ("customers", "orders"):
                for op in planned(hazard, state, table, seed):
                    assert op.column not in ("id", "country", "updated_at")


def test_a_renamed_column_and_table_get_names_that_never_were():
    made = timeline(LOG)
    for seed in range(12):
        (column,) = planned("rename_column", made.state, "log", seed)
        assert isinstance(column, RenameColumn)
        assert column.new_name not in made.state.table("log").births
        (table,) = planned("rename_table", made.state, "log", seed)
        assert isinstance(table, RenameTable)
        assert table.new_name != made.state.table("log").name
        made.apply(column)
        made.apply(table)


def test_a_column_comes_back_under_its_name_as_it_was_or_with_another_type(wide):
    types: dict[str, set[str]] = {}
    for seed in range(120):
        *dropped, added = planned("readd_column", wide, "wide", seed)
        assert isinstance(added, AddColumn)
        assert dropped == (
            [] if added.column.name == "c_integer" else [DropColumn("wide", added.column.name)]
        )
        types.setdefault(added.column.name, set()).add(added.column.sql_type)
        reborn = fold([*dropped, added], wide).table("wide").columns[-1]
        assert reborn.birth == (added.column.name, 2)
    assert "c_integer" in types
    assert any(len(found) > 1 for found in types.values())
    assert any(str(parse_type(name.removeprefix("c_"))) in found for name, found in types.items())


def test_a_widened_type_holds_every_value_as_it_was(wide):
    for seed in range(40):
        (op,) = planned("widen_type", wide, "wide", seed)
        assert isinstance(op, AlterType)
        place = wide.table("wide").names.index(op.column)
        before = [row[place] for row in wide.contents("wide")]
        after = [row[place] for row in apply(wide, op).contents("wide")]
        assert [text is None for text in before] == [text is None for text in after]
        assert parse_type(op.sql_type) != wide.table("wide").column(op.column).type


def test_a_generated_column_is_computed_by_kroft(wide):
    for seed in range(40):
        (op,) = planned("generated_column", wide, "wide", seed)
        column = apply(wide, op).table("wide").columns[-1]
        assert column.computed is not None
        assert column.computed.function is not None


def test_reserved_columns_are_added_once():
    made = timeline(CUSTOMERS)
    note = CUSTOMERS.column("note")
    assert note is not None
    made.apply(AddColumn("customers", note))
    assert [c.name for c in reserved_columns(made.state.table("customers"))] == ["vip"]
    made.apply(DropColumn("customers", "note"))
    assert [c.name for c in reserved_columns(made.state.table("customers"))] == ["vip"]
    made.apply(RenameColumn("customers", "tier", "vip"))
    assert reserved_columns(made.state.table("customers")) == []


@MODEST
@given(
    st.text(min_size=1, max_size=70, alphabet=st.characters(exclude_categories=["Cs"])), st.integers(0, 30)
)
def test_a_fresh_name_is_one_that_postgresql_keeps(base, taken):
    names = [fresh_name(base, [])]
    for _ in range(taken):
        names.append(fresh_name(base, names))
    assert len(set(names)) == len(names)
    assert all(len(name.encode()) <= MAX_IDENTIFIER_BYTES for name in names)


def test_the_plans_are_the_same_for_the_same_choices(wide):
    for hazard in PLANS:
        assert planned(hazard, wide, "wide", 9) == planned(hazard, wide, "wide", 9)
