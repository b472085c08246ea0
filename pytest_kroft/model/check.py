"""Whether an operation applies to a state: pure, and asked again for every operation before it runs.

What PostgreSQL would refuse is refused here, and also what it would accept but the state could not
follow exactly. Each refusal is a typed error whose sentence names what is in the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from pytest_kroft.errors import (
    AlreadyExists,
    DefinitionError,
    NotApplicable,
    OperationError,
    UnknownColumn,
)
from pytest_kroft.model.check_columns import (
    check_add_column,
    check_alter_type,
    check_drop_column,
    check_foreign_key,
    check_rename_column,
    check_set_default,
    check_set_nullable,
    check_type,
)
from pytest_kroft.model.check_migration import check_migrate
from pytest_kroft.model.check_rows import (
    check_delete,
    check_insert,
    check_observed,
    check_truncate,
    check_update,
)
from pytest_kroft.model.check_sessions import check_session, check_waits, check_write
from pytest_kroft.model.fold import apply
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
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
)
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.types import check_identifier


def check(state: State, operation: Operation) -> None:
    """Raise an OperationError, or DefinitionError for a bad name or type, if the operation does not apply.

    What would have to wait for another session does not apply either.
    """
    if state.sessions:
        check_waits(state, operation)
    match operation:
        case Insert() | Update() | Delete():
            check_write(state, operation, _check_one)
        case Begin() | Commit() | Rollback() | Savepoint() | RollbackTo():
            check_session(state, operation)
        case Truncate():
            check_truncate(state, operation)
        case Observed():
            check_observed(state, operation)
        case CreateTable(definition, adopted):
            _check_create_table(state, definition, adopted=adopted)
        case DropTable(table):
            _check_unreferenced(state, state.table(table), "dropped")
        case RenameTable(table, new_name):
            _check_new_name(state, state.table(table).definition.schema, new_name)
        case AddColumn():
            check_add_column(state, operation)
        case DropColumn():
            check_drop_column(state, operation)
        case RenameColumn():
            check_rename_column(state, operation)
        case AlterType():
            check_alter_type(state, operation)
        case SetDefault():
            check_set_default(state, operation)
        case SetNullable():
            check_set_nullable(state, operation)
        case CreateType():
            _check_create_type(state, operation)
        case DropType(name):
            _check_drop_type(state, name)
        case AddEnumValue():
            _check_add_label(state, operation)
        case Migrate():
            check_migrate(state, operation)
        case Sync():
            pass
        case _:
            assert_never(operation)


def _check_one(state: State, operation: RowWrite) -> None:
    match operation:
        case Insert():
            check_insert(state, operation)
        case Update():
            check_update(state, operation)
        case Delete():
            check_delete(state, operation)
        case _:
            assert_never(operation)


def applies(state: State, operation: Operation) -> bool:
    """Whether an operation applies to a state."""
    try:
        check(state, operation)
    except (OperationError, DefinitionError):
        return False
    return True


def all_apply(state: State, operations: Iterable[Operation]) -> bool:
    """Whether operations apply one after the other."""
    for operation in operations:
        if not applies(state, operation):
            return False
        state = apply(state, operation)
    return True


# Tables


def _check_create_table(state: State, definition: TableDefinition, *, adopted: bool) -> None:
    if definition.name in state.tables:
        raise AlreadyExists("table", definition.name)
    _check_new_name(state, definition.schema, definition.server_name)
    for column in definition.active:
        check_type(state, definition.name, column.name, column.type)
    # What is on the server has parents, perhaps in a circle, so that they come later.
    present = {column.name for column in definition.active}
    keys = [key for key in definition.foreign_keys if present.issuperset(key.columns)]
    for key in () if adopted else keys:
        check_foreign_key(state, definition, key)


def _check_new_name(state: State, schema: str, name: str) -> None:
    """Tables and types share their names: each table brings a type of its rows."""
    check_identifier(name, "a table")
    for table in state.tables.values():
        if (table.definition.schema, table.name) == (schema, name):
            raise AlreadyExists("table", name, f" in schema {schema!r}")
    for enum in state.types.values():
        if (enum.schema, enum.name) == (schema, name):
            raise AlreadyExists("type", name, f" in schema {schema!r}")


def _check_unreferenced(state: State, table: TableState, what: str) -> None:
    for child, key in state.references_to(table.definition.name):
        if child.definition.name != table.definition.name:
            raise NotApplicable(
                f"table {table.definition.name!r} cannot be {what}: "
                f"column {child.label(key)!r} of table {child.definition.name!r} references it"
            )


# Types


def _users_of(state: State, name: str) -> list[tuple[TableState, ColumnState]]:
    definition = state.enum_named(name)
    return [
        (table, column)
        for table in state.tables.values()
        for column in table.columns
        if state.enum(column.type) == definition
    ]


def _check_create_type(state: State, op: CreateType) -> None:
    definition = op.definition
    if not (op.adopted or isinstance(definition, EnumDefinition)):
        raise NotApplicable(f"type {definition.name!r} is no enum, and only enums can be created")
    if (name := state.type_name(definition)) in state.types:
        raise AlreadyExists("type", name)
    _check_new_name(state, definition.schema, definition.name)


def _check_drop_type(state: State, name: str) -> None:
    for table, column in _users_of(state, name):
        raise NotApplicable(
            f"type {name!r} cannot be dropped: "
            f"column {column.name!r} of table {table.definition.name!r} is of it"
        )


def _check_add_label(state: State, op: AddEnumValue) -> None:
    definition = state.enum_named(op.type)
    check_identifier(op.label, f"a label of enum {op.type!r}")
    if op.label in definition.labels:
        raise AlreadyExists("label", op.label, f" in enum {op.type!r}")
    if op.after is not None and op.after not in definition.labels:
        raise UnknownColumn(op.type, op.after, definition.labels)
