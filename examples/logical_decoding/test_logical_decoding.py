"""A consumer of logical decoding follows a table through anything that PostgreSQL lets happen to it.

The policy is `everything` but for these hazards:

- `unrepresentable_value`: psycopg itself refuses a date that Python's `datetime` cannot hold.
- `late_commit`, `rollback`: the slot hands out a transaction when it commits, so that the changes come right.
  But to read the table anew the consumer locks out writers, and waits for those who are in a transaction.
  Here they wait for the consumer, as one thread does everything in turn.

Ties, skewed clocks and missing stamps mean nothing to a consumer that does not look at stamps.

The second test meets each hazard by itself. What it prints with `-v` is a table of what the consumer
survives.
"""

from __future__ import annotations

import pytest

from examples.logical_decoding.consumer import Consumer
from pytest_kroft import (
    ColumnDefinition,
    EnumDefinition,
    EvolutionPolicy,
    KroftDB,
    KroftServer,
    TableDefinition,
)

state = EnumDefinition("order_state", ["new", "paid", "can't ship"])
orders = TableDefinition(
    "orders",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("customer", "varchar(60)", nullable=False),
        ColumnDefinition("amount", "numeric(10,2)"),
        ColumnDefinition('the "state"', "order_state"),
        ColumnDefinition("tags", "text[]"),
        ColumnDefinition("letter", "text"),
        ColumnDefinition("scan", "bytea"),
        ColumnDefinition("gift", "boolean", nullable=False, reserved=True),
        ColumnDefinition("weight", "double precision", reserved=True),
        ColumnDefinition("due", "date", reserved=True),
        ColumnDefinition("details", "jsonb", reserved=True),
        ColumnDefinition("updated_at", "timestamptz"),
    ],
    updated_at="updated_at",
)
survives = EvolutionPolicy.named("everything").without("unrepresentable_value", "late_commit", "rollback")


def follow(db: KroftDB, batches: int) -> None:
    # A slot belongs to the whole server, so that its name has to be this database's own.
    slot = f"copy_of_{db.connection.info.dbname}"
    with Consumer(db.dsn, "orders", slot) as consumer:
        for _ in db.stream(batches=batches, rows=10):
            consumer.sync()
            db.assert_same("orders", consumer.copy)


@pytest.mark.kroft(state, orders, rows=20, policy=survives)
def test_the_copy_follows_the_table(kroft_db: KroftDB) -> None:
    follow(kroft_db, batches=60)


@pytest.mark.parametrize("hazard", sorted(survives.hazards))
def test_the_copy_survives(kroft_server: KroftServer, hazard: str) -> None:
    with kroft_server.database(state, orders, rows=10, policy={hazard}) as db:
        follow(db, batches=8)


@pytest.mark.kroft(state, orders, rows=5, policy="calm")
def test_the_slot_is_dropped(kroft_db: KroftDB) -> None:
    follow(kroft_db, batches=1)
    mine = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    assert kroft_db.connection.execute(mine).fetchone() == (0,)
