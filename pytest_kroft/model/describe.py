"""Operations in plain words, for reports and scripts."""

from __future__ import annotations

from typing import assert_never

from pytest_kroft.model.clock import as_datetime
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.migration_steps import migration_steps
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    Begin,
    Commit,
    CreateTable,
    CreateType,
    Delete,
    DropColumn,
    DropTable,
    DropType,
    Insert,
    Migrate,
    Observed,
    Operation,
    RenameColumn,
    RenameTable,
    Rollback,
    RollbackTo,
    RowWrite,
    Savepoint,
    SchemaOperation,
    SessionOperation,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
)
from pytest_kroft.model.sessions import seen
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.tables import EnumDefinition

SHOWN = 3
"""How many rows a description names before it counts the others."""


def describe(operation: Operation, state: State | None = None) -> str:
    """An operation in plain words; with the state before it, rows are named by their keys.

    For an insert give the state after it, which is where its rows are.
    """
    match operation:
        case Insert() | Update() | Delete():
            return _describe_write(operation, state)
        case Begin() | Commit() | Rollback() | Savepoint() | RollbackTo():
            return _describe_session(operation, state)
        case Truncate(table):
            return f"truncate {table}"
        case Sync():
            return "sync"
        case Observed():
            return _describe_observed(operation)
        case _:
            return _describe_change(operation, state)


def _describe_write(op: RowWrite, state: State | None) -> str:
    where = f" in session {op.session}" if op.session else ""
    if state and op.session:
        state = seen(state, op.session) if op.session in state.sessions else None
    match op:
        case Insert(table, first, count):
            rows = _rows(state, table, tuple(range(first, first + count)))
            return f"insert into {table}{where}: {rows}{_stamped(state, table, op)}"
        case Update(table, numbers, columns):
            changed = f" set {', '.join(columns)}" if columns else ""
            rows = _rows(state, table, numbers)
            return f"update {table}{changed}{where}: {rows}{_stamped(state, table, op)}"
        case Delete(table, numbers):
            return f"delete from {table}{where}: {_rows(state, table, numbers)}"
        case _:
            assert_never(op)


def _describe_session(op: SessionOperation, state: State | None) -> str:
    match op:
        case Begin(number, stamp):
            return f"begin session {number} at {_instant(stamp)}"
        case Commit(number):
            changes = _committed(state, number) if state and number in state.sessions else []
            return f"commit session {number}" + (f": {', '.join(changes)}" if changes else "")
        case Rollback(number):
            return f"roll back session {number}"
        case Savepoint(number, name):
            return f"set savepoint {name} in session {number}"
        case RollbackTo(number, name):
            return f"roll back session {number} to savepoint {name}"
        case _:
            assert_never(op)


def _committed(state: State, session: int) -> list[str]:
    """What a commit shows to everyone: ``orders id 3 appears``."""
    after = seen(state, session)
    changes = []
    for name in dict.fromkeys(operation.table for operation in state.sessions[session].operations):
        old, new = state.table(name).rows, after.table(name).rows
        appear = [row.number for row in new if row.number not in old]
        change = [row.number for row in new if row.number in old and old[row.number] != row]
        vanish = [row.number for row in old if row.number not in new]
        found = ((after, appear, "appear"), (after, change, "change"), (state, vanish, "vanish"))
        for where, numbers, verb in found:
            if numbers:
                changes.append(f"{name} {_rows(where, name, tuple(numbers))} {_of(verb, len(numbers))}")
    return changes


def _of(verb: str, count: int) -> str:
    """A verb as it goes with so many rows."""
    return verb if count != 1 else verb + ("es" if verb.endswith("sh") else "s")


def _describe_change(operation: SchemaOperation, state: State | None) -> str:
    match operation:
        case CreateTable(definition, adopted):
            names = ", ".join(column.name for column in definition.active)
            return f"{'adopt' if adopted else 'create'} table {definition.name} ({names})"
        case DropTable(table):
            return f"drop table {table}"
        case RenameTable(table, new_name):
            return f"rename table {_present_name(state, table)} to {new_name}"
        case AddColumn(table, column):
            return f"add column {column.name} {column.sql_type}{_clauses(column)} to {table}"
        case DropColumn(table, name):
            return f"drop column {name} of {table}"
        case RenameColumn(table, name, new_name):
            return f"rename column {name} of {table} to {new_name}"
        case AlterType(table, name, sql_type):
            return f"change the type of column {name} of {table} to {sql_type}"
        case SetDefault(table, name, default):
            change = f"set the default of column {name} of {table} to {default}"
            return change if default is not None else f"drop the default of column {name} of {table}"
        case SetNullable(table, name, nullable):
            return f"{'allow' if nullable else 'forbid'} NULL in column {name} of {table}"
        case CreateType(definition, adopted):
            kept = f" ({', '.join(definition.labels)})" if isinstance(definition, EnumDefinition) else ""
            return f"{'adopt' if adopted else 'create'} type {definition.name}{kept}"
        case DropType(name):
            return f"drop type {name}"
        case AddEnumValue(name, label, after):
            return f"add label {label} to type {name}" + (f" after {after}" if after is not None else "")
        case Migrate():
            changes = migration_changes(operation, state) if state else []
            more = [f"and {len(changes) - SHOWN} more changes"] if len(changes) > SHOWN else []
            told = "; ".join([*changes[:SHOWN], *more])
            return f"migrate with {migration_name(operation)}" + (f": {told}" if told else "")
        case _:
            assert_never(operation)


def migration_name(op: Migrate) -> str:
    """What a migration was called with: ``app.migrations:upgrade head``."""
    return " ".join([op.source, *op.arguments])


def migration_changes(op: Migrate, state: State) -> list[str]:
    """What a migration changed in the schema, given the state before it, each change in words."""
    steps = migration_steps(state, op)
    told = {
        step.definition.name if isinstance(step, CreateTable) else getattr(step, "table", "")
        for step in steps
    }
    others = [one.name for one in op.tables if one.name not in told]
    labels = [one for one in op.types if state.type_name(one) in state.types]
    return [
        *(describe(step, state) for step in steps),
        *(f"change the values of type {one.name} to {', '.join(one.labels)}" for one in labels),
        *(f"change other rules of {name}" for name in others),
    ]


def _describe_observed(op: Observed) -> str:
    if op.by == "server":
        return f"the server computed {', '.join(op.cells)} in {len(op.rows)} rows of {op.table}"
    return f"the test wrote {len(op.rows)} rows of {op.table} and removed {len(op.removed)}"


def _present_name(state: State | None, table: str) -> str:
    return state.tables[table].name if state and table in state.tables else table


def _clauses(column: ColumnDefinition) -> str:
    words = [
        "" if column.nullable else " NOT NULL",
        f" DEFAULT {column.default}" if column.default is not None else "",
        f" GENERATED AS ({column.generated})" if column.generated else "",
    ]
    return "".join(words)


def _rows(state: State | None, name: str, numbers: tuple[int, ...]) -> str:
    table = state.tables.get(name) if state else None
    if table is None or not table.key or not all(number in table.rows for number in numbers[:SHOWN]):
        return f"{len(numbers)} row{'s' if len(numbers) != 1 else ''}"
    assert state is not None
    shown = ", ".join(row_name(state, table, number) for number in numbers[:SHOWN])
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return shown + more


def row_name(state: State, table: TableState, number: int) -> str:
    """A row by its key, for a reader: ``id 7``."""
    row = table.rows[number]
    return " ".join(f"{column.name} {state.reader(table, column)(row)}" for column in table.key)


def _stamped(state: State | None, name: str, op: Insert | Update) -> str:
    table = state.tables.get(name) if state else None
    if table is None or table.updated_at is None:
        return ""
    given = op.cells.get(table.updated_at.name)
    if given and set(given) == {None}:
        return f"; {table.updated_at.name} NULL"
    return f"; {table.updated_at.name} {_instant(op.stamp)}{' and later' if op.step else ''}"


def _instant(stamp: int) -> str:
    return str(as_datetime(stamp).replace(tzinfo=None))
