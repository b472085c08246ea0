"""What was expected earlier, and what is tolerated, of a real database and consumers that read it."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import Mismatch, NotApplicable, UnknownTable
from pytest_kroft.metamorphic import (
    assert_incremental_equals_full,
    assert_one_sync_equals_many,
    assert_second_sync_changes_nothing,
)
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.planning.policy import EvolutionPolicy
from tests.conftest import MakeDB

Column = ColumnDefinition
ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "bigserial", primary_key=True),
        Column("amount", "numeric(30,20)"),
        Column("note", "text"),
        Column("updated_at", "timestamptz", nullable=False),
        Column("stock", "int", reserved=True, default="7"),
        Column("token", "uuid", reserved=True, default="gen_random_uuid()"),
        Column("extra", "text", reserved=True),
    ],
    updated_at="updated_at",
)
OTHER = TableDefinition("other", [Column("id", "int", primary_key=True)])


class ByCursor:
    """Merges the rows from the cursor on into its copy; never deletes, never drops a column."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.seen = dsn, None
        self.rows: dict[int, dict[str, Any]] = {}

    def sync(self) -> None:
        query = "SELECT * FROM orders WHERE %(seen)s::timestamptz IS NULL OR updated_at >= %(seen)s"
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            for row in connection.execute(query, {"seen": self.seen}):
                self.rows[row["id"]] = {**self.rows.get(row["id"], {}), **row}
        stamps = [row["updated_at"] for row in self.rows.values()]
        self.seen = max(stamps, default=None)


class Full(ByCursor):
    """Reads everything anew."""

    def sync(self) -> None:
        self.rows, self.seen = {}, None
        super().sync()


def test_what_was_expected_after_each_operation(make_db: MakeDB) -> None:
    db = make_db(ORDERS, rows=3)
    moments = {len(db.history): db.expected()}
    for _ in db.stream(batches=8, rows=4):
        moments[len(db.history)] = copy.deepcopy(db.expected("orders"))
    db.schema.alter_type("amount", "text")
    moments[len(db.history)] = db.expected()
    assert len({len(rows) for rows in moments.values()}) > 1
    for at, rows in moments.items():
        assert db.expected(at=at) == db.expected("orders", at=at) == rows
        if at < len(db.history):
            assert db.expected(at=at - len(db.history)) == rows
    assert [type(row["amount"]) for at in (-1, None) for row in db.expected(at=at)[:1]] == [Decimal, str]


def test_a_table_that_did_not_exist_then_is_unknown(make_db: MakeDB) -> None:
    db = make_db(ORDERS)
    assert db.expected(at=1) == []
    with pytest.raises(UnknownTable, match="no table 'orders'"):
        db.expected(at=0)
    with pytest.raises(UnknownTable, match="no table 'orders'"):
        db.expected("orders", at=-1)
    db.schema.create_table(OTHER)
    assert db.expected(at=1) == []
    with pytest.raises(UnknownTable, match="no table 'other'; the tables are: orders"):
        db.expected("other", at=1)
    with pytest.raises(NotApplicable, match="say which table"):
        db.expected(at=2)
    db.schema.drop_table("orders")
    assert db.expected("orders", at=2) == []


@pytest.mark.parametrize("at", [5, -5, 1.0, True, "1"])
def test_a_moment_that_never_was_is_refused(make_db: MakeDB, at: Any) -> None:
    db = make_db(OTHER)
    db.mutations.insert(count=1)
    with pytest.raises(NotApplicable, match="from 0 to 2, as 2 were done so far"):
        db.expected(at=at)


def _grown(db: KroftDB) -> ByCursor:
    """A consumer that has synced after each of some changes that it does not read in full."""
    db.mutations.insert(count=2)  # so that its cursor is past the rows that were there
    consumer = ByCursor(db.dsn)
    consumer.sync()
    db.mutations.delete(count=1)
    db.schema.add_column("stock")
    db.schema.add_column("token")
    consumer.sync()
    db.schema.drop_column("note")
    db.mutations.update(count=1)
    consumer.sync()
    return consumer


LIMITS = ("deletes", "backfill", "dropped_columns")


def test_each_limit_of_a_consumer_is_tolerated_and_seen_without(make_db: MakeDB) -> None:
    db = make_db(ORDERS, rows=5)
    consumer = _grown(db)
    db.assert_same(consumer.rows, tolerate=LIMITS)
    for left_out in LIMITS:
        assert not db.compare("orders", consumer.rows, tolerate=set(LIMITS) - {left_out}), left_out
    with pytest.raises(Mismatch):
        db.assert_same(consumer.rows)


def test_what_is_wrong_beside_a_limit_is_seen(make_db: MakeDB) -> None:
    db = make_db(ORDERS, rows=5)
    consumer = _grown(db)
    number = db.expected()[0]["id"]
    consumer.rows[number]["amount"] = 5
    consumer.rows[99] = {**consumer.rows[number], "id": 99}
    with pytest.raises(Mismatch) as caught:
        db.assert_same("orders", consumer.rows, tolerate=LIMITS)
    differing = "orders: the copy has 1 row too many and 1 row differs"
    assert str(caught.value).splitlines()[0] == f"{differing}, tolerating {', '.join(LIMITS)}"
    assert "id 99: in the copy, but not in the source" in str(caught.value)


def test_doubles_and_milliseconds_of_a_real_table(make_db: MakeDB) -> None:
    db = make_db(ORDERS)
    db.mutations.insert(rows=[{"amount": "0.12345678901234567891", "note": ""}])
    (row,) = db.expected()
    stamp = row["updated_at"]
    lossy = {
        **row, "amount": float(row["amount"]), "note": None,
        "updated_at": stamp.replace(microsecond=stamp.microsecond // 1000 * 1000),
    }  # fmt: skip
    db.assert_same([lossy], tolerate={"precision", "empty_text"})
    assert [list(one.columns) for one in db.compare([lossy], tolerate="precision").different] == [["note"]]
    assert not db.compare([{**lossy, "amount": 0.1234567}], tolerate={"precision", "empty_text"})


def test_an_unknown_tolerance_is_refused_also_where_nothing_differs(make_db: MakeDB) -> None:
    db = make_db(ORDERS)
    with pytest.raises(NotApplicable, match="no tolerance 'late_commits'; the tolerances are: deletes"):
        db.assert_same([], tolerate="late_commits")


def test_a_limited_consumer_is_tolerated_over_a_whole_simulation(make_db: MakeDB) -> None:
    hazards = {"delete", "truncate", "add_column", "add_column_default", "drop_column"}
    db = make_db(ORDERS, seed=3, policy=EvolutionPolicy(hazards, interval=1, probability=1.0))
    consumer = ByCursor(db.dsn)
    for _ in db.stream(batches=12, rows=5):
        consumer.sync()
        db.assert_same(consumer.rows, tolerate=LIMITS)
    assert not db.compare(consumer.rows)


def test_checks_between_consumers_of_a_real_database(make_db: MakeDB) -> None:
    db = make_db(ORDERS, policy="calm")
    often, once = ByCursor(db.dsn), ByCursor(db.dsn)
    assert_one_sync_equals_many(db.stream(batches=4, rows=3), often, once, key="id")
    assert_second_sync_changes_nothing(often, key="id")
    assert_incremental_equals_full(often, Full(db.dsn), key="id")
    db.mutations.delete(count=1)
    with pytest.raises(Mismatch, match="has 1 row too many"):
        assert_incremental_equals_full(often, Full(db.dsn), key="id")
