"""Hypothesis searches for a history that the sync of sync.py does not survive, and finds none.

The sync documents what it does not handle, and the policy leaves that out:

- `delete`, `truncate` and what implies them, `key_change`: a row that is gone is written by nobody.
- `unrepresentable_value`: psycopg makes no Python object of an infinite date.

Everything else may happen, also late and rolled-back commits, clocks that go wrong, columns that come back.
"""

from __future__ import annotations

import pytest

from examples.searched_sync.sync import Sync
from pytest_kroft import ColumnDefinition, EvolutionPolicy, KroftDB, TableDefinition

orders = TableDefinition(
    "orders",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("customer", "text", nullable=False),
        ColumnDefinition("amount", "numeric(10,2)"),
        ColumnDefinition("note", "text", reserved=True),
        ColumnDefinition("updated_at", "timestamptz"),
    ],
    updated_at="updated_at",
)
survives = EvolutionPolicy.named("everything").without(
    "delete", "truncate", "key_change", "unrepresentable_value"
)


def follow(db: KroftDB) -> None:
    """A history in up to five batches, with a sync and a comparison after each."""
    sync = Sync(db.dsn, "orders")
    sync.run()  # from here on it knows the table, whatever name that gets
    for _ in db.stream(batches=5, rows=3):
        sync.run()
        db.assert_same("orders", sync.copy)


@pytest.mark.kroft(orders, policy=survives, max_examples=50)
def test_no_history_breaks_it(kroft_db: KroftDB) -> None:
    follow(kroft_db)


@pytest.mark.kroft(orders, hazards=["tied_timestamp", "late_commit", "clock_skew"], max_examples=10)
def test_what_breaks_a_cursor_on_a_timestamp_does_not_break_it(kroft_db: KroftDB) -> None:
    """Each of the three alone, after a baseline with none: the summary shows a table of them."""
    follow(kroft_db)


@pytest.mark.kroft(orders, policy=survives)
def test_only_what_changed_is_read_again(kroft_db: KroftDB) -> None:
    """The point of being incremental: a row that nobody wrote since the last sync is not read."""
    kroft_db.mutations.insert(count=20)
    sync = Sync(kroft_db.dsn, "orders")
    sync.run()
    before = dict(sync.copy)
    kroft_db.mutations.update(count=3)
    sync.run()
    assert sum(before[key] is not row for key, row in sync.copy.items()) == 3
