"""The second interpreter of operations: the statements that carry one out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import (
    AlterType,
    CreateTable,
    Delete,
    Insert,
    Observed,
    Operation,
    RenameColumn,
    SetDefault,
    Sync,
    Truncate,
    Update,
    kind,
)
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import parse_type
from pytest_kroft.postgres.statements import (
    Command,
    DeleteAll,
    DeleteRows,
    Field,
    InsertRows,
    MoveSequence,
    UpdateAll,
    UpdateRows,
    around,
    observed_writes,
    statements,
)
from tests.definitions import CUSTOMERS, FEW, LOG, ODD, ORDERS, PAIRS, Column, drive, timeline


def sent(state: State, operation: Operation):
    return statements(state, operation, apply(state, operation))


@FEW
@given(st.integers(0, 2**32))
def test_every_operation_of_a_history_has_statements_of_its_kind(seed):
    made = drive(timeline(seed=seed, rows=3), 60, seed=seed)
    for before, op, after in made.history.states():
        earlier, later = around(before, op, after)
        found = statements(earlier, op, later)
        commands = [item for item in found if isinstance(item, Command)]
        match op:
            case Sync():
                assert found == []
            case Insert():
                (insert, *moves) = found
                assert isinstance(insert, InsertRows)
                assert len(insert.rows) == op.count
                assert all(isinstance(move, MoveSequence) for move in moves)
            case Update():
                assert all(isinstance(item, UpdateRows | UpdateAll | MoveSequence) for item in found)
                assert len(found) >= 1
            case Delete():
                assert all(isinstance(item, DeleteRows | DeleteAll) for item in found)
            case _:
                assert commands == found
                schema = op.definition.schema if kind(op) in ("create_table", "create_type") else "public"
                assert len(commands) == 1 + (schema != "public")


@FEW
@given(st.integers(0, 2**32))
def test_no_value_is_ever_part_of_a_statement_on_rows(seed):
    made = drive(timeline(seed=seed, rows=3), 30, "churn", seed=seed)
    for before, op, after in made.history.states():
        earlier, later = around(before, op, after)
        for item in statements(earlier, op, later):
            if isinstance(item, InsertRows | UpdateRows | DeleteRows):
                names = len(getattr(item, "keys", ())) + len(getattr(item, "fields", ()))
                assert all(len(row) == names for row in item.rows)
                assert isinstance(item.table, sql.Identifier)


def test_an_insert_leaves_generated_columns_out():
    state = timeline(CUSTOMERS, ORDERS).state
    (insert, move) = sent(state, Insert("orders", 1, 2, START, parents={"customer_id": (None, None)}))
    assert isinstance(insert, InsertRows)
    assert [field.name for field in insert.fields] == [
        n for n in state.table("orders").names if n != "double_amount"
    ]
    assert insert.fields[3] == Field("tags", parse_type("text[]"))
    highest = max(int(row[0]) for row in insert.rows if row[0])
    assert move == MoveSequence(sql.Identifier("public", "orders"), "id", highest)


def test_an_update_finds_rows_by_the_key_that_they_had():
    state = apply(timeline(ODD).state, Insert(ODD.name, 1, 2, START))
    old = [row[0] for row in state.contents(ODD.name)]
    operation = Update(ODD.name, (2, 1), ("select",), 1, START, fresh=3)
    (update,) = sent(state, operation)
    new = [row[0] for row in apply(state, operation).contents(ODD.name)]
    assert isinstance(update, UpdateRows)
    assert [field.name for field in update.keys] == ["select"]
    assert [field.name for field in update.fields] == ["select", "Select"]
    assert [row[:2] for row in update.rows] == [(old[1], new[1]), (old[0], new[0])]


def test_an_update_of_nothing_sends_nothing():
    table = TableDefinition("t", [Column("id", "int", primary_key=True)])
    state = apply(timeline(table).state, Insert("t", 1, 1, START))
    assert sent(state, Update("t", (1,), (), 1, START)) == []


def test_a_table_without_a_key_is_changed_whole():
    state = apply(timeline(LOG).state, Insert("log", 1, 2, START))
    (update,) = sent(state, Update("log", (1, 2), ("n",), 1, START, cells={"n": ("5", "5")}))
    assert update == UpdateAll(
        sql.Identifier("public", "log"),
        (Field("n", parse_type("int")), Field("at", parse_type("date"))),
        ("5", "2020-01-01"),
        2,
    )
    assert sent(state, Delete("log", (1, 2))) == [DeleteAll(sql.Identifier("public", "log"), 2)]


def test_a_delete_holds_the_keys():
    base = fold([Insert("customers", 1, 1, START, cells={"id": ("4",)})], timeline(CUSTOMERS, PAIRS).state)
    state = apply(base, Insert("pairs", 1, 2, START, parents={"left": (1, 1)}, cells={"right": ("a", "b")}))
    (delete,) = sent(state, Delete("pairs", (2,)))
    assert isinstance(delete, DeleteRows)
    assert ([field.name for field in delete.keys], delete.rows) == (["left", "right"], [("4", "b")])
    assert delete.table == sql.Identifier("other", "pairs")


def test_a_change_of_type_sets_the_default_anew():
    table = TableDefinition("t", [Column("a", "int", default="7")])
    state = timeline(table).state
    (command,) = sent(state, AlterType("t", "a", "text"))
    assert isinstance(command, Command)
    text = command.sql.as_string(None)
    assert text.startswith(
        'ALTER TABLE "public"."t" ALTER COLUMN "a" DROP DEFAULT, ALTER COLUMN "a" TYPE text USING '
    )
    assert text.endswith("""ALTER COLUMN "a" SET DEFAULT '7'::text""")
    (command,) = sent(apply(state, SetDefault("t", "a", None)), AlterType("t", "a", "text"))
    assert "DEFAULT" not in command.sql.as_string(None)


def test_what_the_server_computed_is_written_by_no_statement():
    state = apply(
        timeline(CUSTOMERS, ORDERS).state, Insert("orders", 1, 1, START, parents={"customer_id": (None,)})
    )
    assert sent(state, Observed("orders", "server", (1,), {"double_amount": ("1",)})) == []


def test_what_the_test_wrote_is_removed_changed_and_added():
    state = timeline(CUSTOMERS).state
    state = apply(state, Insert("customers", 1, 2, START, cells={"id": ("1", "2"), "name": ("a", "b")}))
    cells = {
        "id": ("1", "9"),
        "name": ("x", "y"),
        **dict.fromkeys(("email", "tier", "mood", "country"), (None, None)),
    }
    found = sent(state, Observed("customers", "test", (1, 7), cells, (2,)))
    delete, update, insert, *moves = found
    assert isinstance(delete, DeleteRows)
    assert delete.rows == [("2",)]
    assert isinstance(update, UpdateRows)
    assert update.rows[0][:2] == ("1", "x")
    assert "id" not in [field.name for field in update.fields]  # an identity column that is always generated
    assert isinstance(insert, InsertRows)
    assert insert.rows[0][:2] == ("9", "y")
    assert len(moves) <= 1


def test_a_generated_column_is_never_written():
    state = apply(
        timeline(CUSTOMERS, ORDERS).state, Insert("orders", 1, 1, START, parents={"customer_id": (None,)})
    )
    seen = Observed("orders", "server", (1,), {"double_amount": ("1",)})
    assert observed_writes(state, seen, apply(state, seen)) == []


@pytest.mark.parametrize("name", ['"; drop table x; --', "Ü %s", " ", "select"])
def test_a_strange_name_is_only_a_name(name):
    state = fold(
        [CreateTable(TableDefinition(name, [Column("a", "int")])), RenameColumn(name, "a", name)], State(1)
    )
    quoted = '"' + name.replace('"', '""') + '"'
    (command,) = sent(state, RenameColumn(name, name, "b"))
    assert command.sql.as_string(None) == f'ALTER TABLE "public".{quoted} RENAME COLUMN {quoted} TO "b"'


def test_a_table_that_others_inherit_from_is_written_alone():
    made = timeline()
    columns = [Column("id", "int", primary_key=True), Column("n", "int")]
    made.apply(CreateTable(TableDefinition("parent", columns, inherited=True)))
    made.apply(Insert("parent", 1, 2, START))
    only = sql.SQL("ONLY {}").format(sql.Identifier("public", "parent"))
    (insert,) = sent(made.state, Insert("parent", 3, 1, START))
    assert isinstance(insert, InsertRows)
    assert insert.table == sql.Identifier("public", "parent")
    for operation in (Update("parent", (1,), ("n",), 1, START), Delete("parent", (1,))):
        (statement,) = sent(made.state, operation)
        assert isinstance(statement, UpdateRows | DeleteRows)
        assert statement.table == only
    (truncate,) = sent(made.state, Truncate("parent"))
    assert isinstance(truncate, Command)
    assert truncate.sql.as_string(None) == 'TRUNCATE ONLY "public"."parent"'


def test_observed_rows_without_a_key_are_all_written_anew():
    made = timeline()
    made.apply(CreateTable(TableDefinition("bag", [Column("n", "int")])))
    made.apply(Insert("bag", 1, 3, START, cells={"n": ("1", "2", "3")}))
    op = Observed("bag", "server", (2, 4), {"n": ("7", "8")}, (1,))
    delete, insert = observed_writes(made.state, op, apply(made.state, op))
    assert isinstance(delete, DeleteAll)
    assert isinstance(insert, InsertRows)
    assert (delete.count, insert.rows) == (3, [("7",), ("3",), ("8",)])
