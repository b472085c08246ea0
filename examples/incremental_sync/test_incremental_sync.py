"""The incremental sync of sync.py follows a table through everything that it is meant to survive.

It is meant to survive every hazard but these:

- `delete`, `delete_reinsert`, `truncate`, `key_change`: a row that is gone has no `updated_at` to ask for.
  A sync of this kind keeps it until the next full refresh. (A consumer of logical decoding sees them:
  ../logical_decoding.)
- `clock_skew`: a row may be stamped earlier than others that were read already. A margin would help up to
  its size.
- `extreme_value`, `unrepresentable_value`: SQLite has no NaN, and Python's datetime no infinity.
- `late_commit`: rows that appear with an earlier stamp than others that were read already are missed in the
  same way.

The seed decides everything that happens. In the first test it is a parameter, so that each run tries the
same eight histories; a test that takes the fixture `kroft_db` gets another history in each run, unless its
marker says a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from examples.incremental_sync.sync import Sync
from pytest_kroft import (
    ColumnDefinition,
    EnumDefinition,
    EvolutionPolicy,
    KroftDB,
    KroftServer,
    TableDefinition,
)

state = EnumDefinition("order_state", ["new", "paid", "shipped"])
orders = TableDefinition(
    "orders",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("customer", "varchar(60)", nullable=False),
        ColumnDefinition("amount", "numeric(10,2)"),
        ColumnDefinition("items", "integer"),
        ColumnDefinition("state", "order_state", nullable=False),
        ColumnDefinition("gift", "boolean", nullable=False, reserved=True),
        ColumnDefinition("note", "text", reserved=True),
        ColumnDefinition("due", "date", reserved=True),
        ColumnDefinition("updated_at", "timestamptz"),
    ],
    updated_at="updated_at",
)
survives = EvolutionPolicy.named("everything").without(
    "delete", "truncate", "key_change", "clock_skew", "late_commit", "extreme_value", "unrepresentable_value"
)


@pytest.mark.parametrize("seed", range(8))
def test_the_copy_follows_the_table(kroft_server: KroftServer, tmp_path: Path, seed: int) -> None:
    with (
        kroft_server.database(state, orders, seed=seed, rows=20, policy=survives) as db,
        closing(Sync(db.dsn, str(tmp_path / "copy.db"), "orders")) as sync,
    ):
        for _ in db.stream(batches=15, rows=10):
            sync.run()
            db.assert_same("orders", sync.rows())


@pytest.fixture
def sync(kroft_db: KroftDB, tmp_path: Path) -> Iterator[Sync]:
    with closing(Sync(kroft_db.dsn, str(tmp_path / "copy.db"), "orders")) as sync:
        sync.run()
        yield sync


@pytest.mark.kroft(state, orders, rows=20, policy="breaking")
def test_a_column_is_dropped_and_comes_back_between_two_syncs(kroft_db: KroftDB, sync: Sync) -> None:
    """The columns look as before, and every value in one of them is gone."""
    kroft_db.schema.drop_column("items")
    kroft_db.schema.add_column("items")
    sync.run()
    kroft_db.assert_same("orders", sync.rows())


@pytest.mark.kroft(state, orders, rows=20, policy="calm")
def test_only_what_changed_is_read_again(kroft_db: KroftDB, sync: Sync) -> None:
    """The point of being incremental: after an update of three rows, these three are read and no others."""
    kroft_db.mutations.update(count=3)
    sync.run()
    before = sync.copy.total_changes
    sync.run()
    assert sync.copy.total_changes - before == 3
    kroft_db.assert_same("orders", sync.rows())
