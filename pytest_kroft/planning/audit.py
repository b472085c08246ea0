"""The audit log: what changed in the schema, when, read from the history alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pytest_kroft.model.clock import as_datetime
from pytest_kroft.model.operations import (
    SCHEMA_KINDS,
    AddColumn,
    CreateTable,
    Insert,
    Operation,
    Sync,
    Update,
    kind,
)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One change of the schema.

    ``version`` is the schema's after it, ``batch`` the number of the batch that it fell into (1 is the
    first), ``time`` the latest stamp before it, None before any row was written.
    """

    version: int
    operation: str
    table: str | None
    column: str | None
    batch: int
    time: datetime | None


def audit_log(operations: Iterable[Operation]) -> list[LogEntry]:
    """The log of a history's operations."""
    entries: list[LogEntry] = []
    batch, now = 1, None
    for operation in operations:
        if isinstance(operation, Sync):
            batch += 1
        elif isinstance(operation, Insert | Update):
            last = last_stamp(operation)
            now = last if now is None else max(now, last)
        elif kind(operation) in SCHEMA_KINDS:
            time = None if now is None else as_datetime(now)
            entries.append(LogEntry(len(entries) + 1, kind(operation), *_subject(operation), batch, time))
    return entries


def last_stamp(operation: Insert | Update) -> int:
    """The stamp of the last row that an operation writes."""
    rows = operation.count if isinstance(operation, Insert) else len(operation.rows)
    return operation.stamp + max(rows - 1, 0) * operation.step


def _subject(operation: Operation) -> tuple[str | None, str | None]:
    """The table and the column that an operation is about."""
    if isinstance(operation, CreateTable):
        return operation.definition.name, None
    column = operation.column.name if isinstance(operation, AddColumn) else getattr(operation, "column", None)
    return getattr(operation, "table", None), column


def summarise(entries: Iterable[LogEntry]) -> dict[str, int]:
    """How many changes of each kind a log holds."""
    return dict(Counter(entry.operation for entry in entries))
