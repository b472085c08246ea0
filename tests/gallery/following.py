"""How a consumer is tried: a moment to sync after each batch, and the comparison after each sync."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_kroft.database import KroftDB
from pytest_kroft.model.operations import Operation, Sync
from tests.gallery.consumers.source import Consumer
from tests.gallery.definitions import NAME


def follow(db: KroftDB, kind: type[Consumer]) -> None:
    """Let a consumer follow what kroft decides; raises what the consumer raises, or Mismatch."""
    with kind(db.dsn) as consumer:
        for _ in db.stream():
            consumer.sync()
            db.assert_same(NAME, consumer.rows)


def follow_history(db: KroftDB, kind: type[Consumer], history: Iterable[Operation]) -> None:
    """Let a consumer follow a history that is written down; raises as ``follow`` does."""
    with kind(db.dsn) as consumer:
        for operation in history:
            db.apply(operation)
            if isinstance(operation, Sync):
                consumer.sync()
                db.assert_same(NAME, consumer.rows)
