"""Batches of new rows."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import NotApplicable, OperationError, UnknownColumn, UnknownTable, ValueRefused
from pytest_kroft.model.check import check
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.operations import Insert
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.batches import BatchGenerator, Craft
from tests.definitions import CUSTOMERS, LOG, ORDERS, PAIRS, Column, timeline

COUNTED = TableDefinition(
    "counted",
    [
        Column("id", "int", primary_key=True),
        Column("place", "int", identity="always"),
        Column("note", "text"),
        Column("loose", "int", identity="by default"),
    ],
)


def generator(made: Timeline, **craft) -> BatchGenerator:
    return BatchGenerator(made, SeededChoices(3), Craft(**craft) if craft else None)


def test_generating_changes_nothing_and_gives_what_an_insert_would_hold():
    made = timeline(CUSTOMERS, ORDERS, rows=3)
    before = made.state
    rows = generator(made).generate("orders", 7)
    assert made.state is before
    assert len(rows) == 7
    assert list(rows[0]) == [name for name in before.table("orders").names if name != "double_amount"]
    made.apply(*generator(made).plan("orders", 7))
    place = made.state.table("orders").names
    held = [{name: row[place.index(name)] for name in rows[0]} for row in made.state.contents("orders")][3:]
    assert held == rows


def test_generated_rows_can_be_inserted_as_given_ones():
    made = timeline(CUSTOMERS, ORDERS, rows=3)
    rows = generator(made).generate("orders", 4)
    insert = generator(made).plan_rows("orders", rows)
    check(made.state, insert)
    made.apply(insert)
    assert [row["code"] for row in rows] == [row[6] for row in made.state.contents("orders")][3:]


def test_values_are_shown_by_the_craft():
    made = timeline(LOG)
    plain = generator(made).generate("log", 20)
    shown = generator(made, present=lambda sql_type, text: (str(sql_type), text)).generate("log", 20)
    assert [row["n"] for row in shown] == [row["n"] and ("integer", row["n"]) for row in plain]
    assert any(row["n"] is None for row in shown)


def test_the_columns_that_may_be_modified():
    made = timeline(CUSTOMERS, ORDERS, LOG)
    batches = generator(made)
    assert batches.modifiable_columns("customers") == ("name", "email", "tier", "mood")
    assert batches.modifiable_columns("orders") == ("customer_id", "amount", "tags", "paid", "day", "code")
    assert generator(timeline(LOG)).modifiable_columns() == ("line", "n")
    with pytest.raises(NotApplicable, match="say which table"):
        batches.modifiable_columns()


def test_an_identity_column_that_only_the_server_fills_is_not_modifiable():
    made = timeline(COUNTED)
    assert generator(made).modifiable_columns() == ("note", "loose")


@pytest.mark.parametrize("count", [2.5, "3", None, True])
def test_a_number_of_rows_is_whole(count):
    made = timeline(LOG)
    for call in (generator(made).generate, generator(made).plan):
        with pytest.raises(NotApplicable, match=f"must be a whole number, not {count!r}"):
            call("log", count)


def test_a_plan_takes_the_next_numbers_and_one_stamp():
    made = timeline(CUSTOMERS, rows=3)
    (insert,) = generator(made).plan("customers", 5)
    assert (insert.first, insert.count, insert.step) == (4, 5, 0)
    assert insert.stamp > START
    (given,) = generator(made).plan("customers", 1, stamp=START + 5, given={"name": ("x",)})
    assert (given.stamp, given.cells) == (START + 5, {"name": ("x",)})
    (timed,) = generator(made, stamps=lambda state, choices: 77).plan("customers", 1)
    assert timed.stamp == 77


@pytest.mark.parametrize("number", [0, -1])
def test_a_plan_needs_a_row(number):
    with pytest.raises(NotApplicable, match=f"must be 1 or more, not {number}"):
        generator(timeline(LOG)).plan("log", number)
    with pytest.raises(UnknownTable):
        generator(timeline(LOG)).plan("x", 1)


def test_parents_are_rows_that_are_there():
    made = timeline(CUSTOMERS, ORDERS)
    (none,) = generator(made).plan("orders", 3)
    assert none.parents == {"customer_id": (None, None, None)}
    fold_rows = Insert("customers", 5, 3, START)
    made.apply(fold_rows)
    (some,) = generator(made).plan("orders", 50)
    assert set(some.parents["customer_id"]) == {5, 6, 7}


def test_a_parent_that_must_be_and_is_not_there_is_named():
    made = timeline(CUSTOMERS, PAIRS)
    with pytest.raises(NotApplicable, match="'left' of 'pairs' needs a row of 'customers': it is empty"):
        generator(made).plan("pairs", 1)


def test_rows_given_on_purpose_are_spelled_and_completed():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    insert = generator(made).plan_rows(
        "orders", [{"amount": 5, "paid": True, "tags": ["a b", None]}, {"amount": "1.5"}]
    )
    check(made.state, insert)
    assert insert.count == 2
    assert insert.cells["amount"] == ("5.00", "1.50")
    assert insert.cells["paid"][0] == "true"
    assert insert.cells["tags"][0] == '{"a b",NULL}'
    assert set(insert.cells) == {"amount", "paid", "tags"}
    assert set(insert.parents) == {"customer_id"}


def test_what_only_some_rows_say_is_generated_for_the_others():
    made = timeline(CUSTOMERS, ORDERS, rows=3)
    keys = {row[0] for row in made.state.contents("customers")}
    rows: list[dict[str, object]] = [{"customer_id": None}, {"code": "abc"}, {}, {}]
    insert = generator(made).plan_rows("orders", rows)
    check(made.state, insert)
    assert insert.cells["customer_id"][0] is None
    assert set(insert.cells["customer_id"][1:]) <= keys
    assert insert.cells["code"][1] == "abc"
    assert len(set(insert.cells["code"])) == 4


def test_empty_rows_are_generated_whole():
    made = timeline(LOG)
    insert = generator(made).plan_rows("log", [{}, {}])
    assert (insert.count, insert.cells) == (2, {})
    check(made.state, insert)


def test_given_rows_name_columns_that_are_there_and_hold_values_that_fit():
    made = timeline(CUSTOMERS)
    with pytest.raises(UnknownColumn, match=r"'nick'.*id, name"):
        generator(made).plan_rows("customers", [{"name": "a"}, {"nick": "b"}])
    with pytest.raises(ValueRefused, match=r"no value of type smallint .column 'tier'."):
        generator(made).plan_rows("customers", [{"tier": "many"}])


def test_a_unique_set_of_parents_is_spread_over_those_that_are_free():
    pairs = TableDefinition(
        "links", [Column("a", "int", references="customers"), Column("b", "int", references="customers")],
        constraints=["PRIMARY KEY (a, b)"],
    )  # fmt: skip
    made = timeline(CUSTOMERS, pairs)
    made.apply(Insert("customers", 1, 4, START))
    for _ in range(6):
        for insert in generator(made).plan("links", 2):
            check(made.state, insert)
            made.apply(insert)
    held = list(made.state.contents("links"))
    assert len(set(held)) == len(held) > 4
    numbers = made.state.table("links").rows.numbers
    assert numbers == sorted(set(numbers))


def test_a_generator_that_repeats_is_named():
    table = TableDefinition("t", [Column("a", "int", lambda: 7, unique=True, nullable=False)])
    made = timeline(table)
    made.apply(*generator(made).plan("t", 1))
    with pytest.raises(NotApplicable, match=r"values of a unique column repeat \(a 7\)"):
        generator(made).plan("t", 1)


def test_numbers_that_repeat_are_skipped():
    table = TableDefinition(
        "t", [Column("a", "int", lambda cell: cell.row // 2, unique=True, nullable=False)]
    )
    made = timeline(table)
    for insert in generator(made).plan("t", 5):
        made.apply(insert)
    assert list(made.state.contents("t")) == [(str(number),) for number in range(5)]
    stamps = [op.stamp for op in made.history if isinstance(op, Insert)]
    assert stamps == sorted(set(stamps))


def test_a_type_with_too_few_values_is_named():
    table = TableDefinition("t", [Column("a", "bit(2)", unique=True, nullable=False)])
    made = timeline(table)
    made.apply(*generator(made).plan("t", 3))
    before = made.state
    with pytest.raises(OperationError, match="4"):
        made.apply(*generator(made).plan("t", 2))
    assert made.state is before
    made.apply(*generator(made).plan("t", 1))
