from __future__ import annotations

from itertools import product

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.candidates import cells_for, combinations, draft, thinned

Column = ColumnDefinition
ID = Column("id", "int", primary_key=True)


def cells(column: Column, text: str, *, many: bool = False) -> list[str | None]:
    return cells_for(TableDefinition("t", [ID, column]), column, text, {}, many=many)


def test_constants_of_the_rule_come_first_and_what_is_beside_them() -> None:
    assert cells(Column("c", "int"), "CHECK ((c <> 7))")[:3] == ["7", "8", "6"]
    found = cells(Column("c", "date"), "FOR VALUES FROM ('2031-01-01') TO ('2031-02-01')")
    assert found[:3] == ["2031-01-01", "2031-01-02", "2030-12-31"]
    assert cells(Column("c", "text"), "IF t = 'it''s' THEN")[0] == "it's"


def test_cells_that_the_type_does_not_take_are_left_out() -> None:
    assert "red" not in cells(Column("c", "int"), "c <> 'red'")
    assert all(cell is None or len(cell) <= 3 for cell in cells(Column("c", "varchar(3)"), "c ~ '^[a-z]+$'"))


def test_null_is_tried_where_it_is_allowed() -> None:
    assert None in cells(Column("c", "int"), "")
    assert None not in cells(Column("c", "int", nullable=False), "")


def test_hundreds_of_different_cells_for_what_must_not_repeat() -> None:
    found = cells(Column("c", "text", nullable=False), "c ~ '^X-[0-9]{3}$'", many=True)
    assert len([cell for cell in found if cell and cell.startswith("X-")]) > 500
    assert len(set(found)) == len(found)


def test_combinations_begin_with_every_choice_of_nulls() -> None:
    found = combinations([["1", "2", None], ["1", "3", None]], 100)
    assert set(found[:4]) == {(None, None), (None, "1"), ("1", None), ("1", "1")}
    # Beside the product, numbers in order, whatever column they come from.
    assert len(found) == len(set(found)) == 10
    assert ("2", "3") in found
    assert combinations([["1", "2"], ["3"]], 1) == [("1", "3")]


def test_combinations_have_numbers_in_order_each_used_once() -> None:
    found = combinations([["1", "3", "7"], ["1", "5", "9"], ["x", "2"]], 10**4)
    assert set(found) == set(product("137", "159", ["x", "2"]))
    assert {("-5", "0"), ("7", "10")} <= set(combinations([["10", "-5", "0"], ["7"]], 100))


def test_a_draft_holds_null_in_each_column_that_may_hold_it() -> None:
    table = TableDefinition(
        "t", [ID, Column("a", "int"), Column("b", "text"), Column("c", "int", filled=True)]
    )
    rows = draft(table, {}, 4)
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert rows[-1][1] is None
    assert rows[-2][2] is None
    assert all(row[3] is not None for row in rows)


def test_a_draft_ends_where_a_unique_column_has_no_more_values() -> None:
    assert len(draft(TableDefinition("t", [Column("b", "boolean", unique=True, nullable=False)]), {}, 9)) == 2


def test_samples_stay_together_and_stand_for_parents() -> None:
    one = Column("a", "int", samples=(None, ""), together="g")
    other = Column("b", "int", samples=("", None), together="g")
    rows = draft(TableDefinition("t", [ID, one, other]), {}, 50, {"a", "b"})
    assert {(row[1] is None, row[2] is None) for row in rows} == {(True, False), (False, True)}
    assert all((row[1] or row[2] or "").isdigit() for row in rows)


def test_what_is_thinned_is_taken_from_everywhere() -> None:
    every = [(str(number),) for number in range(100)]
    assert thinned(every, 4) == [("0",), ("25",), ("50",), ("75",)]
    assert thinned(every[:3], 4) == every[:3]
