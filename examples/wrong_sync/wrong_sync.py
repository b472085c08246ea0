# mypy: allow-untyped-defs, no-check-untyped-defs
"""A sync with a mistake that is easy to make and hard to see, and the test that finds it.

pytest does not collect this file by itself, as its name does not begin with "test". Run it on purpose:

    python -m pytest examples/wrong_sync/wrong_sync.py
"""

import psycopg
import pytest
from psycopg.rows import dict_row

from pytest_kroft import ColumnDefinition, TableDefinition

orders = TableDefinition(
    "orders",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("customer", "text"),
        ColumnDefinition("updated_at", "timestamptz", nullable=False),
    ],
    updated_at="updated_at",
)


def sync(dsn, copy):
    """Read the rows that changed since the newest one in the copy."""
    newest = max((row["updated_at"] for row in copy.values()), default=None)
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        query = "SELECT * FROM orders WHERE %(newest)s::timestamptz IS NULL OR updated_at > %(newest)s"
        for row in connection.execute(query, {"newest": newest}):
            copy[row["id"]] = row


@pytest.mark.kroft(orders, policy={"tied_timestamp"}, seed=49)
def test_sync_follows_the_source(kroft_db):
    copy = {}
    for _ in kroft_db.stream(batches=5, rows=2):  # yields after each batch: a moment to sync
        sync(kroft_db.dsn, copy)
        kroft_db.assert_same("orders", copy)
