"""Operations in plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kroft.model.clock import START
from pytest_kroft.model.describe import describe, row_name
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    Delete,
    Insert,
    Observed,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Update,
    kind,
)
from tests.definitions import CUSTOMERS, LOG, ORDERS, PAIRS, Column, drive, timeline
from tests.samples import SAMPLES

WORDS = {
    "insert": "insert into orders: 2 rows",
    "update": "update orders set paid, customer_id, code: 2 rows",
    "delete": "delete from orders: 2 rows",
    "truncate": "truncate orders",
    "create_table": "create table pairs (left, right, value)",
    "drop_table": "drop table orders",
    "rename_table": "rename table orders to Or\u2028ders",
    "add_column": "add column a int DEFAULT 1 to orders",
    "drop_column": "drop column paid of orders",
    "rename_column": 'rename column paid of orders to "; --',
    "alter_type": "change the type of column paid of orders to text",
    "set_default": "drop the default of column paid of orders",
    "set_nullable": "forbid NULL in column paid of orders",
    "create_type": "create type level (low, high)",
    "drop_type": "drop type level",
    "add_enum_value": "add label middle to type level after low",
    "migrate": "migrate with app:upgrade head",
    "begin": "begin session 1 at 2020-01-01 00:00:00",
    "commit": "commit session 1",
    "rollback": "roll back session 2",
    "savepoint": 'set savepoint "; -- in session 1',
    "rollback_to": 'roll back session 1 to savepoint "; --',
    "sync": "sync",
    "observed": "the test wrote 2 rows of orders and removed 1",
}


@pytest.mark.parametrize("sample", SAMPLES, ids=kind)
def test_every_kind_has_words(sample):
    assert describe(sample) == WORDS[kind(sample)]


def test_other_forms_of_the_same_kinds():
    assert describe(SetDefault("t", "a", "1")) == "set the default of column a of t to 1"
    assert describe(SetNullable("t", "a", nullable=True)) == "allow NULL in column a of t"
    assert describe(AddEnumValue("e", "x")) == "add label x to type e"
    assert describe(Delete("t", (1,))) == "delete from t: 1 row"
    assert describe(Update("t", (1,), (), 1, START)) == "update t: 1 row"
    assert (
        describe(Observed("t", "server", (1, 2), {"a": ("x", "y")})) == "the server computed a in 2 rows of t"
    )
    assert describe(AddColumn("t", Column("a", "int", nullable=False))) == "add column a int NOT NULL to t"
    assert (
        describe(AddColumn("t", Column("a", "int", generated="b")))
        == "add column a int GENERATED AS (b) to t"
    )


def test_with_the_state_rows_are_named_by_their_keys():
    state = timeline(CUSTOMERS, ORDERS, PAIRS, LOG).state
    insert = Insert(
        "orders", 1, 5, START, cells={"id": ("7", "8", "9", "10", "11")}, parents={"customer_id": (None,) * 5}
    )
    state = apply(state, insert)
    assert (
        describe(insert, state)
        == "insert into orders: id 7, id 8, id 9 and 2 more; updated_at 2020-01-01 00:00:00"
    )
    assert describe(replace(insert, step=5), state).endswith("updated_at 2020-01-01 00:00:00 and later")
    assert describe(Delete("orders", (2, 1)), state) == "delete from orders: id 8, id 7"
    update = Update("orders", (1,), ("paid",), 1, START, cells={"updated_at": (None,)})
    assert describe(update, state) == "update orders set paid: id 7; updated_at NULL"
    customer = Insert("customers", 1, 1, START, cells={"id": ("3",)})
    pair = Insert("pairs", 1, 1, START, parents={"left": (1,)}, cells={"right": ("a",)})
    state = fold([customer, pair, Insert("log", 1, 1, START)], state)
    assert describe(pair, state) == "insert into pairs: left 3 right a"
    assert row_name(state, state.table("pairs"), 1) == "left 3 right a"
    assert describe(Delete("log", (1,)), state) == "delete from log: 1 row"
    state = fold([RenameTable("orders", "sales"), RenameColumn("orders", "id", "key")], state)
    assert describe(RenameTable("orders", "deals"), state) == "rename table sales to deals"
    assert describe(Delete("orders", (1,)), state) == "delete from orders: key 7"


def test_rows_that_are_not_there_are_counted():
    state = timeline(CUSTOMERS).state
    assert describe(Delete("customers", (1, 2)), state) == "delete from customers: 2 rows"
    assert describe(Delete("gone", (1, 2)), state) == "delete from gone: 2 rows"


def test_every_operation_of_a_whole_history_is_one_line():
    made = drive(timeline(rows=3), 100)
    for before, op, after in made.history.states():
        words = describe(op, after if isinstance(op, Insert) else before)
        assert "\n" not in words
        verb = kind(op).split("_")[0].replace("rollback", "roll back")
        assert verb in words or kind(op) in ("alter_type", "set_nullable", "set_default")
