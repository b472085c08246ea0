"""What a migration changed, as the operations that would have changed the same."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.expressions import constant, is_constant
from pytest_kroft.model.operations import (
    AddColumn,
    AlterType,
    CreateTable,
    CreateType,
    DropColumn,
    DropTable,
    DropType,
    Migrate,
    RenameColumn,
    RenameTable,
    SchemaOperation,
    SetDefault,
    SetNullable,
)
from pytest_kroft.model.state import ColumnState, State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import SqlType


def migration_steps(state: State, op: Migrate) -> list[SchemaOperation]:
    """The changes of a migration, given the state before it: for words, and not to be carried out.

    Each calls columns as they were called before. Rules that no operation changes, such as a CHECK, are not
    among them.
    """
    steps: list[SchemaOperation] = [DropTable(name) for name in op.dropped]
    steps += [CreateType(known) for known in op.types if state.type_name(known) not in state.types]
    for definition in op.tables:
        if definition.name in op.kept:
            steps += _of_table(state, op, definition)
        else:
            dropped = [DropTable(definition.name)] if definition.name in state.tables else []
            steps += [*dropped, CreateTable(definition)]
    return [*steps, *(DropType(name) for name in op.dropped_types)]


def _of_table(state: State, op: Migrate, definition: TableDefinition) -> Iterator[SchemaOperation]:
    name, kept, old = definition.name, op.kept[definition.name], state.table(definition.name)
    if definition.server_name != old.name:
        yield RenameTable(name, definition.server_name)
    survivors = {*kept.values()}
    yield from (DropColumn(name, column.name) for column in old.columns if column.name not in survivors)
    for column in definition.active:
        if column.name in kept:
            yield from _of_column(name, old.column(kept[column.name]), column)
        else:
            yield AddColumn(name, column)


def _of_column(table: str, old: ColumnState, column: ColumnDefinition) -> Iterator[SchemaOperation]:
    if old.type != column.type:
        yield AlterType(table, old.name, column.sql_type)
    if old.nullable != column.nullable:
        yield SetNullable(table, old.name, column.nullable)
    if not _same_default(old.default, column.default, column.type):
        yield SetDefault(table, old.name, column.default)
    if old.name != column.name:
        yield RenameColumn(table, old.name, column.name)


def _same_default(one: str | None, other: str | None, sql_type: SqlType) -> bool:
    if one == other or one is None or other is None:
        return one == other
    try:
        return (
            is_constant(one) and is_constant(other) and constant(one, sql_type) == constant(other, sql_type)
        )
    except ValueRefused:
        return False
