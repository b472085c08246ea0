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
    Protected,
    UnknownColumn,
    UnknownType,
    ValueRefused,
)
from pytest_kroft.model.casts import CastRefused, can_cast, cast_text
from pytest_kroft.model.check_rows import (
    check_delete,
    check_insert,
    check_observed,
    check_truncate,
    check_update,
)
from pytest_kroft.model.clauses import mentions, names_in
from pytest_kroft.model.columns import (
    MAX_COLUMNS,
    SYSTEM_COLUMNS,
    ColumnDefinition,
    TableDefinition,
    has_order,
)
from pytest_kroft.model.expressions import constant, is_constant
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    CreateTable,
    CreateType,
    Delete,
    DropColumn,
    DropTable,
    DropType,
    Insert,
    Observed,
    Operation,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
)
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.types import SqlType, check_identifier, parse_type
from pytest_kroft.model.uniqueness import duplicates


def check(state: State, operation: Operation) -> None:
    """Raise an OperationError, or DefinitionError for a bad name or type, if the operation does not apply."""
    match operation:
        case Insert():
            check_insert(state, operation)
        case Update():
            check_update(state, operation)
        case Delete():
            check_delete(state, operation)
        case Truncate():
            check_truncate(state, operation)
        case Observed():
            check_observed(state, operation)
        case CreateTable(definition):
            _check_create_table(state, definition)
        case DropTable(table):
            _check_unreferenced(state, state.table(table), "dropped")
        case RenameTable(table, new_name):
            _check_new_name(state, state.table(table).definition.schema, new_name)
        case AddColumn():
            _check_add_column(state, operation)
        case DropColumn():
            _check_drop_column(state, operation)
        case RenameColumn():
            _check_rename_column(state, operation)
        case AlterType():
            _check_alter_type(state, operation)
        case SetDefault():
            _check_set_default(state, operation)
        case SetNullable():
            _check_set_nullable(state, operation)
        case CreateType(definition):
            if definition.name in state.types:
                raise AlreadyExists("type", definition.name)
            _check_new_name(state, definition.schema, definition.name)
        case DropType(name):
            _check_drop_type(state, name)
        case AddEnumValue():
            _check_add_label(state, operation)
        case Sync():
            pass
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


def _check_create_table(state: State, definition: TableDefinition) -> None:
    if definition.name in state.tables:
        raise AlreadyExists("table", definition.name)
    _check_new_name(state, definition.schema, definition.name)
    for column in definition.active:
        _check_type(state, column.type)
        _check_reference(state, definition, column)


def _check_new_name(state: State, schema: str, name: str) -> None:
    """Tables and types share their names: each table brings a type of its rows."""
    check_identifier(name, "a table")
    for table in state.tables.values():
        if (table.definition.schema, table.name) == (schema, name):
            raise AlreadyExists("table", name, f" in schema {schema!r}")
    for enum in state.types.values():
        if (enum.schema, enum.name) == (schema, name):
            raise AlreadyExists("type", name, f" in schema {schema!r}")


def _check_type(state: State, sql_type: SqlType) -> None:
    if not sql_type.builtin and state.enum(sql_type) is None:
        raise UnknownType(str(sql_type), state.types)


def _check_reference(state: State, definition: TableDefinition, column: ColumnDefinition) -> None:
    reference = column.reference
    if reference is None:
        return
    parent = definition if reference.table == definition.name else state.table(reference.table).definition
    names = (reference.column,) if reference.column else parent.key
    if names not in parent.uniques or len(names) != 1:
        raise NotApplicable(
            f"column {column.name!r} of table {definition.name!r} references {column.references!r}, "
            "which must be one unique column or a primary key of one column"
        )


def _check_unreferenced(state: State, table: TableState, what: str) -> None:
    for child, column in state.references_to(table.definition.name):
        if child.definition.name != table.definition.name:
            raise NotApplicable(
                f"table {table.definition.name!r} cannot be {what}: "
                f"column {column.name!r} of table {child.definition.name!r} references it"
            )


# Columns


def _check_add_column(state: State, op: AddColumn) -> None:
    table, column = state.table(op.table), op.column
    if table.has(column.name):
        raise AlreadyExists("column", column.name, f" in table {op.table!r}")
    if table.next_column > MAX_COLUMNS:
        raise NotApplicable(f"table {op.table!r} has had {MAX_COLUMNS} columns, and PostgreSQL takes no more")
    _check_type(state, column.type)
    _check_reference(state, table.definition, column)
    if column.primary_key:
        raise NotApplicable(f"column {column.name!r}: a primary key cannot be added to a table later")
    default = _check_default(table, column.name, column.type, column.default) if column.default else None
    if not table.rows or column.generated or column.identity:
        return
    if not column.nullable and default is None and (column.default is None or is_constant(column.default)):
        raise NotApplicable(
            f"column {column.name!r} is NOT NULL and has no default, and table {op.table!r} has "
            f"{len(table.rows)} rows; give it a default"
        )
    if column.unique and default is not None and len(table.rows) > 1:
        raise NotApplicable(
            f"column {column.name!r} is unique, and its default would be in {len(table.rows)} rows"
        )


def _check_default(table: TableState, name: str, sql_type: SqlType, default: str) -> str | None:
    """The cell that a constant default makes, None for NULL or an expression that only the server knows."""
    try:
        return constant(default, sql_type) if is_constant(default) else None
    except ValueRefused as error:
        raise NotApplicable(
            f"the default of column {name!r} of table {table.definition.name!r}: {error}"
        ) from None


def _changeable(state: State, name: str, column_name: str) -> tuple[TableState, ColumnState]:
    """The table and an active column of it that is not protected."""
    table = state.table(name)
    column = table.column(column_name)
    if reason := table.protection(column):
        raise Protected(name, column_name, reason)
    return table, column


def _check_drop_column(state: State, op: DropColumn) -> None:
    table, column = _changeable(state, op.table, op.column)
    _check_no_dependents(table, column)
    _check_not_referenced(state, table, column)
    if len(table.columns) == 1:
        raise NotApplicable(f"column {op.column!r} is the last one of table {op.table!r}")


def _check_no_dependents(table: TableState, column: ColumnState) -> None:
    if dependents := table.dependents(column):
        raise NotApplicable(
            f"column {column.name!r} of table {table.definition.name!r} cannot be changed: "
            f"the generated column {dependents[0].name!r} is computed from it"
        )


def _check_not_referenced(state: State, table: TableState, column: ColumnState) -> None:
    for child, foreign in state.references_to(table.definition.name):
        reference = foreign.definition.reference
        assert reference is not None
        if reference.column == column.birth.name and column.birth.count == 1:
            raise NotApplicable(
                f"column {column.name!r} of table {table.definition.name!r} cannot be changed: "
                f"column {foreign.name!r} of table {child.definition.name!r} references it"
            )


def _check_rename_column(state: State, op: RenameColumn) -> None:
    table = state.table(op.table)
    column = table.column(op.column)
    check_identifier(op.new_name, "a column")
    if column.definition.protected:
        raise Protected(op.table, op.column, "it is defined as protected")
    if op.new_name in SYSTEM_COLUMNS:
        raise AlreadyExists("system column", op.new_name, f" in table {op.table!r}")
    if table.has(op.new_name):
        raise AlreadyExists("column", op.new_name, f" in table {op.table!r}")


def _check_alter_type(state: State, op: AlterType) -> None:
    table, column = _changeable(state, op.table, op.column)
    target = parse_type(op.sql_type)
    _check_type(state, target)
    where = f"column {op.column!r} of table {op.table!r}"
    if not can_cast(column.type, target):
        raise NotApplicable(f"{where}: there is no exact cast from {column.type} to {target}")
    _check_no_dependents(table, column)
    _check_not_referenced(state, table, column)
    for name in ("identity", "generated", "references", "check"):
        if getattr(column.definition, name):
            raise NotApplicable(f"{where} has a {name} clause, which a change of type would have to follow")
    if column.definition.constraints:
        raise NotApplicable(
            f"{where} has a constraint that kroft does not understand: {column.definition.constraints}"
        )
    for rule in table.definition.constraints:
        understood = names_in(rule, "UNIQUE") or names_in(rule, r"PRIMARY\s+KEY")
        if not understood and mentions(rule, column.birth.name):
            raise NotApplicable(f"{where} is named by a constraint that kroft does not understand: {rule}")
    if not has_order(target) and any(column.id in ids for ids in table.uniques):
        raise NotApplicable(f"{where} is unique, and the type {target} has no order")
    if column.default is not None and not is_constant(column.default):
        raise NotApplicable(f"{where} has a default that is no constant ({column.default}); drop it first")
    try:
        if column.default is not None and (text := constant(column.default, column.type)) is not None:
            cast_text(text, column.type, target)
        after = apply(state, op)
    except CastRefused as error:
        raise NotApplicable(f"{where}: {error}") from None
    if taken := duplicates(after, after.table(op.table), after.table(op.table).uniques):
        raise NotApplicable(f"{where}: the cast would make unique values equal: {taken}")


def _check_set_default(state: State, op: SetDefault) -> None:
    table = state.table(op.table)
    column = table.column(op.column)
    if column.definition.generated or column.definition.identity:
        raise NotApplicable(
            f"column {op.column!r} of table {op.table!r} is computed by the server; it takes no default"
        )
    if op.default is not None:
        _check_default(table, op.column, column.type, op.default)


def _check_set_nullable(state: State, op: SetNullable) -> None:
    table, column = _changeable(state, op.table, op.column)
    if column.definition.identity:
        raise NotApplicable(
            f"column {op.column!r} of table {op.table!r} is an identity column and never NULL"
        )
    if op.nullable:
        return
    if column.computed:
        raise NotApplicable(
            f"column {op.column!r} of table {op.table!r} is computed by the server, perhaps to NULL"
        )
    read = state.reader(table, column)
    nulls = sum(read(row) is None for row in table.rows)
    if nulls:
        raise NotApplicable(
            f"column {op.column!r} of table {op.table!r} holds NULL in {nulls} of {len(table.rows)} rows"
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
