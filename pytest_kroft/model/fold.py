"""The first interpreter of operations: what the state is after one. Pure, and without checks.

``apply`` expects an operation that ``model.check`` has let through.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import assert_never

from pytest_kroft.model.casts import cast_text
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.expressions import computed, constant, is_constant, literal
from pytest_kroft.model.fold_migration import migrated
from pytest_kroft.model.fold_rows import observe, truncated, write
from pytest_kroft.model.operations import (
    SCHEMA_KINDS,
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
    Savepoint,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
    kind,
)
from pytest_kroft.model.sessions import buffered, in_session
from pytest_kroft.model.state import ColumnState, ForeignKeyState, State, TableState, Tombstone
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.types import parse_type
from pytest_kroft.model.values import Birth, column_values

ROOMY = 2**31 - 1
"""A column that can tell so many rows apart carries a key alone: an integer is enough."""


def fold(operations: Iterable[Operation], state: State) -> State:
    """The state after all operations."""
    return reduce(apply, operations, state)


def apply(state: State, operation: Operation) -> State:
    """The state after one operation."""
    after = _apply(state, operation)
    return replace(after, version=state.version + 1) if kind(operation) in SCHEMA_KINDS else after


def _apply(state: State, operation: Operation) -> State:
    match operation:
        case Insert() | Update() | Delete():
            return buffered(state, operation) if operation.session else write(state, operation)
        case Truncate(table):
            return truncated(state, table)
        case Begin() | Commit() | Rollback() | Savepoint() | RollbackTo():
            return in_session(state, operation)
        case CreateTable(definition, adopted):
            return _create_table(state, definition, adopted=adopted)
        case DropTable(table):
            return replace(state, tables={name: kept for name, kept in state.tables.items() if name != table})
        case RenameTable(table, new_name):
            return state.with_table(replace(state.table(table), name=new_name))
        case AddColumn(table, column):
            return state.with_table(_added(state.table(table), column))
        case DropColumn(table, column):
            return state.with_table(_dropped(state, state.table(table), column))
        case RenameColumn() | AlterType() | SetDefault() | SetNullable():
            return _change_column(state, operation)
        case CreateType(definition):
            return replace(state, types={**state.types, state.type_name(definition): definition})
        case DropType(name):
            return replace(state, types={key: kept for key, kept in state.types.items() if key != name})
        case AddEnumValue():
            return _add_label(state, operation)
        case Migrate():
            made = [_new_table(state, definition, adopted=True) for definition in operation.tables]
            return migrated(state, operation, made)
        case Observed():
            return observe(state, operation)
        case Sync():
            return state
        case _:
            assert_never(operation)


# Tables and columns


def _create_table(state: State, definition: TableDefinition, *, adopted: bool) -> State:
    table = _new_table(state, definition, adopted=adopted)
    return replace(state.with_table(table), births={**state.births, definition.name: table.birth.count})


def _new_table(state: State, definition: TableDefinition, *, adopted: bool) -> TableState:
    birth = Birth(definition.name, state.births.get(definition.name, 0) + 1)
    table = TableState(definition, birth, definition.server_name, state.seed, (), adopted=adopted)
    for column in definition.active:
        table = _added(table, column)
    return table


def _added(table: TableState, definition: ColumnDefinition) -> TableState:
    name = definition.name
    count = table.births.get(name, 0) + 1
    default = definition.default
    backfill = constant(default, definition.type) if default is not None and is_constant(default) else None
    columns = {column.name: (column.id, column.type) for column in table.columns}
    declared = count == 1 and table.definition.column(name) is not None
    column = ColumnState(
        id=table.next_column,
        birth=Birth(name, count),
        name=name,
        definition=definition,
        type=definition.type,
        nullable=definition.nullable,
        default=definition.default,
        since=table.next_row,
        backfill=backfill,
        free=bool(definition.generator or definition.samples) or name in _referring(table.definition),
        unique=name in carriers(table.definition) if declared else definition.unique,
        computed=computed(definition.generated, columns) if definition.generated else None,
    )
    table = replace(
        table,
        columns=(*table.columns, column),
        births={**table.births, name: count},
        next_column=column.id + 1,
    )
    return replace(table, uniques=_uniques(table), foreign_keys=_foreign_keys(table))


def _referring(definition: TableDefinition) -> frozenset[str]:
    """The columns that are part of a foreign key."""
    return frozenset(name for key in definition.foreign_keys for name in key.columns)


def _foreign_keys(table: TableState) -> tuple[ForeignKeyState, ...]:
    """The foreign keys of which every column is active; a column that is dropped takes them with it."""
    ids = {column.birth.name: column.id for column in table.columns if column.birth.count == 1}
    declared = [key for key in table.definition.foreign_keys if all(name in ids for name in key.columns)]
    found = [ForeignKeyState(key, tuple(ids[name] for name in key.columns)) for key in declared]
    known = {key.columns for key in found}
    later = [(column.definition.reference, (column.id,)) for column in table.columns]
    return (*found, *(ForeignKeyState(key, own) for key, own in later if key and own not in known))


def carriers(definition: TableDefinition) -> frozenset[str]:
    """The columns whose values never repeat, so that every unique set of columns has one of them."""
    chosen: set[str] = set()
    referring = _referring(definition)
    for names in sorted(definition.apart, key=len):
        columns = [column for name in names if (column := definition.column(name))]
        fit = [column for column in columns if not (column.name in referring or column.generated)]
        if fit and not chosen.intersection(names):
            # Not the roomiest of all: a column that a definition gets later must change no other's values.
            roomy = [column for column in fit if _room(column) >= ROOMY]
            chosen.add((roomy[0] if roomy else max(fit, key=_room)).name)
    # Samples stay together: where one of a group is taken once only, so are the others.
    groups = {column.together for column in definition.columns if column.name in chosen} - {None}
    return frozenset(chosen.union(c.name for c in definition.columns if c.together in groups))


def _room(column: ColumnDefinition) -> float:
    """How many rows the values of a column can tell apart; few where a user or an enum decides."""
    if column.samples:
        return len(column.samples)
    if column.generator is not None or not column.type.builtin:
        return 0
    born = Birth(column.name)
    capacity = column_values(0, born, born, column, column.type, unique=True).capacity
    return float("inf") if capacity is None else capacity


def _uniques(table: TableState) -> tuple[tuple[int, ...], ...]:
    """The unique sets of columns, as ids, of which every column is active; dropping one drops the set."""
    # A constraint goes with a column that is dropped; another of its name does not bring it back.
    ids = {column.birth.name: column.id for column in table.columns if column.birth.count == 1}
    declared = [names for names in table.definition.apart if all(name in ids for name in names)]
    born_later = [(column.id,) for column in table.columns if column.definition.unique]
    return tuple(dict.fromkeys([*(tuple(ids[name] for name in names) for names in declared), *born_later]))


def _dropped(state: State, table: TableState, name: str) -> TableState:
    column = table.column(name)
    tombstone = Tombstone(name, str(column.type), state.version + 1, state.now, column.definition)
    return replace(
        table,
        columns=tuple(kept for kept in table.columns if kept.id != column.id),
        uniques=tuple(ids for ids in table.uniques if column.id not in ids),
        foreign_keys=tuple(key for key in table.foreign_keys if column.id not in key.columns),
        tombstones=(*table.tombstones, tombstone),
    )


def _change_column(state: State, op: RenameColumn | AlterType | SetDefault | SetNullable) -> State:
    table = state.table(op.table)
    column = table.column(op.column)
    match op:
        case RenameColumn():
            return state.with_table(table.with_column(replace(column, name=op.new_name)))
        case SetDefault():
            return state.with_table(table.with_column(replace(column, default=op.default)))
        case SetNullable():
            table = materialised(state, table, column)
            definition = replace(column.definition, nullable=op.nullable)
            return state.with_table(
                table.with_column(replace(column, nullable=op.nullable, definition=definition))
            )
        case AlterType():
            return state.with_table(_retyped(state, table, column, op))
        case _:
            assert_never(op)


def materialised(state: State, table: TableState, column: ColumnState) -> TableState:
    """The table with every cell of a column written down: what computes its values is about to change."""
    read = state.reader(table, column)
    return replace(table, rows=table.rows.put([row.with_cells({column.id: read(row)}) for row in table.rows]))


def _retyped(state: State, table: TableState, column: ColumnState, op: AlterType) -> TableState:
    target = parse_type(op.sql_type)
    read = state.reader(table, column)
    rows = [
        row.with_cells(
            {column.id: None if (text := read(row)) is None else cast_text(text, column.type, target)}
        )
        for row in table.rows
    ]
    default = column.default
    if default is not None:
        old = constant(default, column.type)
        default = literal(None if old is None else cast_text(old, column.type, target), target)
    changed = replace(column, type=target, default=default, free=True)
    return replace(table.with_column(changed), rows=table.rows.put(rows))


# Types


def _add_label(state: State, op: AddEnumValue) -> State:
    old = state.enum_named(op.type)
    place = old.labels.index(op.after) + 1 if op.after is not None else len(old.labels)
    labels = (*old.labels[:place], op.label, *old.labels[place:])
    for table in state.tables.values():
        for column in table.columns:
            if state.enum(column.type) == old:
                written = materialised(state, state.table(table.definition.name), column)
                # With other labels its values may repeat those that are there.
                state = state.with_table(written.with_column(replace(column, free=True)))
    return replace(state, types={**state.types, op.type: EnumDefinition(old.name, labels, schema=old.schema)})
