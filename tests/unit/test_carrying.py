"""What was said and learnt of columns goes along through a migration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kroft.model.carrying import carried
from pytest_kroft.model.operations import AddColumn, RenameColumn
from pytest_kroft.model.state import TableState
from pytest_kroft.model.tables import TableDefinition
from tests.definitions import Column, timeline


def seven() -> int:
    return 7


SAID = TableDefinition(
    "t",
    [
        Column("id", "int", primary_key=True),
        Column("a", "int", generator=seven, protected=True, default="7"),
        Column("b", "text", style="slug", filled=True),
        Column("c", "text", samples=("x", None), together="pair"),
        Column("at", "timestamptz"),
        Column("early", "text", reserved=True),
        Column("later", "text", reserved=True),
    ],
    updated_at="at",
    distinct=[("b", "c")],
)
BEFORE = TableDefinition(
    "t",
    [
        Column("id", "int", primary_key=True),
        Column("a", "int", default="'7'::integer"),
        Column("b2", "text"),
        Column("c", "text"),
        Column("at", "timestamptz"),
        Column("early", "text"),
    ],
    updated_at="at",
)
NAMES = [column.name for column in BEFORE.columns]


@pytest.fixture
def old() -> TableState:
    made = timeline(SAID)
    made.apply(RenameColumn("t", "b", "b2"))
    made.apply(AddColumn("t", SAID.columns[5]))
    return made.state.table("t")


def renamed(table: TableDefinition, name: str, column: Column) -> TableDefinition:
    return replace(table, columns=tuple(column if c.name == name else c for c in table.columns))


def test_what_was_said_stays_under_a_new_name(old: TableState):
    bare = replace(BEFORE, updated_at=None)
    now = renamed(renamed(bare, "c", Column("c3", "text")), "at", Column("when", "timestamptz"))
    kept = {"c3": "c", "when": "at", **{name: name for name in NAMES if name not in ("c", "at")}}
    found = carried(old, BEFORE, now, kept)
    by_name = {column.name: column for column in found.columns}
    assert by_name["a"] == Column("a", "int", generator=seven, protected=True, default="7")
    assert (by_name["b2"].style, by_name["b2"].filled) == ("slug", True)
    assert (by_name["c3"].samples, by_name["c3"].together) == (("x", None), "pair")
    assert found.updated_at == "when"
    assert found.distinct == (("b2", "c3"),)
    assert [column.name for column in found.reserved] == ["later"]


def test_what_was_learnt_of_values_goes_with_their_type(old: TableState):
    now = renamed(renamed(BEFORE, "b2", Column("b2", "int")), "a", Column("a", "int", default="8"))
    found = carried(old, BEFORE, now, {name: name for name in NAMES})
    assert found.column("b2") == Column("b2", "int")
    assert found.column("a") == Column("a", "int", generator=seven, protected=True, default="8")


def test_a_stamp_that_can_be_none_any_more_is_given_up(old: TableState):
    now = TableDefinition("t", [Column("id", "int", primary_key=True), Column("at", "text")])
    assert carried(old, BEFORE, now, {"id": "id", "at": "at"}).updated_at is None
    gone = TableDefinition("t", [Column("id", "int", primary_key=True), Column("changed", "timestamptz")])
    found = carried(old, BEFORE, replace(gone, updated_at="changed"), {"id": "id"})
    assert found.updated_at == "changed"
