"""What must hold between runs of a consumer, whatever the source holds: checks that need no expected rows.

A consumer is anything with a method ``sync`` and its copy in ``rows``. Each check syncs it as it says, and
raises Mismatch with the rows that differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pytest_kroft.comparison import compare
from pytest_kroft.copies import Row, read_copy
from pytest_kroft.errors import Mismatch, NotApplicable


class Consumer(Protocol):
    """What keeps a copy of a table."""

    def sync(self) -> object:
        """Bring the copy up to date."""

    @property
    def rows(self) -> Any:
        """The copy, or a method that returns it, as anything that ``KroftDB.compare`` takes."""


def assert_second_sync_changes_nothing(consumer: Consumer, *, key: Sequence[str] | str = ()) -> None:
    """Sync twice, and raise Mismatch unless the copy is then the same as after the first sync.

    Args:
        consumer: Syncs, and holds the copy.
        key: The columns by which rows are matched; without it whole rows are counted.

    Raises:
        Mismatch: if a row came, went or changed.
        RowsRefused: if the consumer's rows have no named columns.
        UnknownColumn: if the rows lack a column of the key.
    """
    __tracebackhide__ = True
    consumer.sync()
    first = _rows(consumer)
    consumer.sync()
    _assert_same(first, _rows(consumer), key, "second sync", "after the first sync", "after the second")


def assert_one_sync_equals_many(
    points: Iterable[object], often: Consumer, once: Consumer, *, key: Sequence[str] | str = ()
) -> None:
    """Sync one consumer at each point and another at the end; raise Mismatch unless both copies are the same.

    Args:
        points: What happens, one moment to sync after another: ``db.stream()`` or ``db.play(history)``.
        often: Syncs at each point.
        once: Syncs at the end only.
        key: The columns by which rows are matched; without it whole rows are counted.

    Raises:
        Mismatch: if the two copies differ.
        NotApplicable: if there is no point at all, as nothing would be checked.
        RowsRefused: if a consumer's rows have no named columns.
        UnknownColumn: if the rows lack a column of the key.
    """
    __tracebackhide__ = True
    synced = False
    for _ in points:
        often.sync()
        synced = True
    if not synced:
        raise NotApplicable("there was no point to sync at; give for example db.stream(batches=5)")
    once.sync()
    _assert_same(_rows(once), _rows(often), key, "many syncs", "of one sync at the end", "of many syncs")


def assert_incremental_equals_full(
    incremental: Consumer, full: Consumer, *, key: Sequence[str] | str = ()
) -> None:
    """Sync both, and raise Mismatch unless what one has kept up to date is what the other reads anew.

    Args:
        incremental: Reads what has changed since its last sync.
        full: Reads everything.
        key: The columns by which rows are matched; without it whole rows are counted.

    Raises:
        Mismatch: if the two copies differ.
        RowsRefused: if a consumer's rows have no named columns.
        UnknownColumn: if the rows lack a column of the key.
    """
    __tracebackhide__ = True
    incremental.sync()
    full.sync()
    _assert_same(
        _rows(full), _rows(incremental), key, "incremental sync", "of a full sync", "of an incremental one"
    )


def _rows(consumer: Consumer) -> list[Row]:
    """The copy as it is now: a later sync may change the rows in place."""
    rows = consumer.rows
    return [dict(row) for row in read_copy(rows() if callable(rows) else rows).rows]


def _assert_same(
    expected: list[Row], actual: list[Row], key: Sequence[str] | str, what: str, one: str, other: str
) -> None:
    __tracebackhide__ = True
    found = compare(expected, actual, table=what, key=[key] if isinstance(key, str) else list(key))
    if not found.same:
        raise Mismatch(
            f"the copy {other} is not the copy {one} (below, the source is the copy {one})\n{found.render()}",
            found,
        )
