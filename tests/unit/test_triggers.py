"""Where triggers may act, and the lines of a script that keep them still."""

from __future__ import annotations

import pytest

from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import (
    CreateTable,
    Delete,
    Insert,
    Operation,
    SetNullable,
    Truncate,
    Update,
)
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.triggers import acting, still_script
from tests.definitions import Column, timeline

KEY = Column("id", "int", primary_key=True)
PARENT = TableDefinition("parent", [KEY, Column("n", "int")])
LOUD = TableDefinition("loud", [KEY, Column("n", "int")], triggers=["t"])
CHILD = TableDefinition(
    "child", [KEY, Column("parent", "int", references="parent ON DELETE CASCADE ON UPDATE CASCADE")]
)
GRANDCHILD = TableDefinition(
    "grandchild", [KEY, Column("child", "int", references="child ON DELETE SET NULL")], triggers=["t"]
)
BESIDE = TableDefinition("beside", [KEY, Column("parent", "int", references="parent")], triggers=["t"])
INSERTS = [Insert("parent", 1, 2, START), Insert("loud", 1, 2, START)]

CASES: list[tuple[list[TableDefinition], Operation, bool]] = [
    ([PARENT, LOUD], Insert("loud", 5, 1, START), True),
    ([PARENT, LOUD], Update("loud", (1,), ("n",), 5, START), True),
    ([PARENT, LOUD], Delete("loud", (1,)), True),
    ([PARENT, LOUD], Truncate("loud"), True),
    ([PARENT, LOUD], SetNullable("loud", "n", nullable=False), False),
    ([PARENT, LOUD], Insert("parent", 5, 1, START), False),
    ([PARENT, LOUD, CHILD], Delete("parent", (1,)), False),
    ([PARENT, LOUD, CHILD, GRANDCHILD], Delete("parent", (1,)), True),
    ([PARENT, LOUD, CHILD, GRANDCHILD], Insert("parent", 5, 1, START), False),
    ([PARENT, LOUD, BESIDE], Delete("parent", (1,)), False),
]


@pytest.mark.parametrize(("tables", "operation", "wanted"), CASES)
def test_triggers_act_on_a_table_and_on_those_that_foreign_keys_reach(tables, operation, wanted):
    made = timeline()
    for table in tables:
        made.apply(CreateTable(table, adopted=True))
    for insert in INSERTS:
        made.apply(insert)
    assert acting(made.state, operation, apply(made.state, operation)) is wanted


def test_a_script_has_lines_for_tables_with_triggers_alone():
    assert still_script([PARENT, CHILD]) == ([], [])
    begin, end = still_script([PARENT, TableDefinition('o"dd', [KEY], schema="s", triggers=["t"])])
    assert 'o\\\\"\\\\"dd' in begin[1]
    assert "parent" not in begin[1]
    assert "DISABLE" in begin[-1]
    assert begin[-1].endswith("\\gexec")
    assert "how" in end[0]
    assert end[-1] == "DROP TABLE kroft_still;"
