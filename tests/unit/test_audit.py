"""The audit log: what changed in the schema, when, read from the history alone."""

from __future__ import annotations

from datetime import UTC, datetime

from pytest_kroft.model.clock import START
from pytest_kroft.model.operations import (
    SCHEMA_KINDS,
    AddColumn,
    CreateTable,
    CreateType,
    DropColumn,
    DropTable,
    Insert,
    Operation,
    Sync,
    Update,
    kind,
)
from pytest_kroft.planning.audit import LogEntry, audit_log, summarise
from tests.definitions import LOG, MOOD, Column, drive, timeline


def test_each_change_is_logged_with_its_batch_and_its_time():
    operations: list[Operation] = [
        CreateType(MOOD),
        CreateTable(LOG),
        Insert("log", 1, 3, START, 1_000_000),
        AddColumn("log", Column("a", "int")),
        Sync(),
        Insert("log", 4, 1, START),
        Sync(),
        Update("log", (1,), (), 1, START + 60_000_000),
        DropColumn("log", "a"),
        DropTable("log"),
    ]
    assert audit_log(operations) == [
        LogEntry(1, "create_type", None, None, 1, None),
        LogEntry(2, "create_table", "log", None, 1, None),
        LogEntry(3, "add_column", "log", "a", 1, datetime(2020, 1, 1, 0, 0, 2, tzinfo=UTC)),
        LogEntry(4, "drop_column", "log", "a", 3, datetime(2020, 1, 1, 0, 1, tzinfo=UTC)),
        LogEntry(5, "drop_table", "log", None, 3, datetime(2020, 1, 1, 0, 1, tzinfo=UTC)),
    ]


def test_the_epoch_is_a_time_too():
    (entry,) = audit_log([Insert("log", 1, 1, 0), DropTable("log")])
    assert entry.time == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_log_agrees_with_the_states():
    made = drive(timeline(rows=2), 80)
    log = iter(audit_log(made.history))
    for before, op, after in made.history.states():
        if kind(op) in SCHEMA_KINDS:
            entry = next(log)
            assert (entry.version, entry.operation) == (after.version, kind(op))
            assert entry.time == (
                None if before.now is None else datetime.fromtimestamp(before.now / 1e6, UTC)
            )
    assert next(log, None) is None


def test_a_summary_counts_each_kind():
    made = drive(timeline(rows=2), 80)
    summary = summarise(audit_log(made.history))
    assert summary == {name: sum(kind(op) == name for op in made.history) for name in summary}
    assert summarise([]) == {}
