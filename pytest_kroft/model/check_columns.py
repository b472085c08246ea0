"""Whether an operation on a column applies: names, types, rules, what depends on it."""

from __future__ import annotations

from dataclasses import replace

from pytest_kroft.errors import (
    AlreadyExists,
    CastRefused,
    NotApplicable,
    Protected,
    UnknownTable,
    UnknownType,
    ValueRefused,
)
from pytest_kroft.model.casts import can_cast, cast_text
from pytest_kroft.model.clauses import mentions, names_in
from pytest_kroft.model.columns import (
    INTEGERS,
    SYSTEM_COLUMNS,
    ColumnDefinition,
    has_order,
)
from pytest_kroft.model.expressions import constant, is_constant
from pytest_kroft.model.fold import apply
from pytest_kroft.model.foreign_keys import ForeignKey
from pytest_kroft.model.operations import (
    AddColumn,
    AlterType,
    DropColumn,
    RenameColumn,
    SetDefault,
    SetNullable,
)
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.tables import MAX_COLUMNS, TableDefinition
from pytest_kroft.model.types import SqlType, check_identifier, parse_type
from pytest_kroft.model.uniqueness import duplicates
from pytest_kroft.model.values import Birth


def check_type(state: State, table: str, column: str, sql_type: SqlType) -> None:
    """Whether the type that a column is to have is built in or a created enum."""
    if not sql_type.builtin and state.user_type(sql_type) is None:
        raise UnknownType(str(sql_type), state.types, f"column {column!r} of table {table!r}")


def check_foreign_key(state: State, definition: TableDefinition, key: ForeignKey) -> None:
    """Whether a foreign key leads to unique columns that are there and of fitting types."""
    own = key.table == definition.name
    where = f"{', '.join(key.columns)!r} of table {definition.name!r}"
    if not own and key.table not in state.tables:
        raise UnknownTable(key.table, state.tables, f"which column {where} references")
    parent = definition if own else state.table(key.table).definition
    names = key.targets or parent.key
    where = f"column {where} references {key.table!r}" + (f" ({', '.join(names)})" if key.targets else "")
    if len(names) != len(key.columns) or set(names) not in map(set, parent.uniques):
        raise NotApplicable(f"{where}, which must be unique columns, or a primary key, of as many columns")
    for name, target in zip(key.columns, names, strict=True):
        column = definition.column(name)
        found = None if own else _present_type(state.table(key.table), target)
        if column is not None and not own and (found is None or not _joins(column.type, found)):
            now = f"of type {found}" if found else "gone"
            raise NotApplicable(f"{where}, which is {now}; {column.sql_type} cannot reference it")


def _present_type(table: TableState, born: str) -> SqlType | None:
    """The type that a column of the definition has now; None if it was dropped."""
    return next((column.type for column in table.columns if column.birth == Birth(born)), None)


def _joins(one: SqlType, other: SqlType) -> bool:
    """Whether a foreign key may be of one type and its target of the other."""
    families = (INTEGERS, frozenset({"text", "varchar"}))
    alike = any(one.name in family and other.name in family for family in families)
    return one.array == other.array and (one.name == other.name or alike)


def check_add_column(state: State, op: AddColumn) -> None:
    """Whether a column can be added, to the rows that are there too."""
    table, column = state.table(op.table), op.column
    if table.has(column.name):
        raise AlreadyExists("column", column.name, f" in table {op.table!r}")
    if table.definition.fixed:
        raise NotApplicable(f"no column can be added to table {op.table!r}: {table.definition.fixed}")
    if table.next_column > MAX_COLUMNS:
        raise NotApplicable(f"table {op.table!r} has had {MAX_COLUMNS} columns, and PostgreSQL takes no more")
    check_type(state, op.table, column.name, column.type)
    if column.reference:
        with_column = replace(table.definition, columns=(*_others(table.definition, column), column))
        check_foreign_key(state, with_column, column.reference)
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


def _others(definition: TableDefinition, column: ColumnDefinition) -> list[ColumnDefinition]:
    return [other for other in definition.columns if other.name != column.name]


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


def _check_unused(table: TableState, column: ColumnState, reason: str | None) -> None:
    if reason:
        raise NotApplicable(
            f"column {column.name!r} of table {table.definition.name!r} cannot be changed: {reason}"
        )


def check_drop_column(state: State, op: DropColumn) -> None:
    """Whether a column can be dropped."""
    table, column = _changeable(state, op.table, op.column)
    _check_unused(table, column, column.definition.used_by)
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
    for child, key in state.references_to(table.definition.name):
        if column.birth.name in key.definition.targets and column.birth.count == 1:
            raise NotApplicable(
                f"column {column.name!r} of table {table.definition.name!r} cannot be changed: "
                f"column {child.label(key)!r} of table {child.definition.name!r} references it"
            )


def check_rename_column(state: State, op: RenameColumn) -> None:
    """Whether a column can get another name."""
    table = state.table(op.table)
    column = table.column(op.column)
    check_identifier(op.new_name, "a column")
    _check_unused(table, column, column.definition.named_by)
    if column.definition.protected:
        raise Protected(op.table, op.column, "it is defined as protected")
    if op.new_name in SYSTEM_COLUMNS:
        raise AlreadyExists("system column", op.new_name, f" in table {op.table!r}")
    if table.has(op.new_name):
        raise AlreadyExists("column", op.new_name, f" in table {op.table!r}")


def check_alter_type(state: State, op: AlterType) -> None:
    """Whether a column can get another type: every value can be cast exactly, and no rule is in the way."""
    table, column = _changeable(state, op.table, op.column)
    target = parse_type(op.sql_type)
    check_type(state, op.table, op.column, target)
    where = f"column {op.column!r} of table {op.table!r}"
    if not can_cast(column.type, target):
        raise NotApplicable(f"{where}: there is no exact cast from {column.type} to {target}")
    _check_no_dependents(table, column)
    _check_not_referenced(state, table, column)
    _check_free_of_rules(table, column, where)
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


def _check_free_of_rules(table: TableState, column: ColumnState, where: str) -> None:
    """No rule that a change of type would have to follow."""
    _check_unused(table, column, column.definition.used_by or column.definition.indexed_by)
    if column.definition.domain:
        raise NotApplicable(
            f"{where} is of the domain {column.definition.domain}, which would have to change"
        )
    if any(column.birth.name in names for names in table.definition.distinct):
        raise NotApplicable(f"{where} is part of an index over some rows or an expression")
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


def check_set_default(state: State, op: SetDefault) -> None:
    """Whether a column can get a default."""
    table = state.table(op.table)
    column = table.column(op.column)
    if table.definition.inherited:
        raise NotApplicable(
            f"column {op.column!r} of table {op.table!r} gets no default: tables that inherit it would too"
        )
    if column.definition.generated or column.definition.identity:
        raise NotApplicable(
            f"column {op.column!r} of table {op.table!r} is computed by the server; it takes no default"
        )
    if op.default is not None:
        _check_default(table, op.column, column.type, op.default)


def check_set_nullable(state: State, op: SetNullable) -> None:
    """Whether a column can allow or forbid NULL."""
    table, column = _changeable(state, op.table, op.column)
    # What names it may write NULL, or count on it.
    _check_unused(table, column, column.definition.named_by)
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
    if None in column.definition.samples:
        raise NotApplicable(f"column {op.column!r} of table {op.table!r} holds NULL where its rules want it")
    read = state.reader(table, column)
    nulls = sum(read(row) is None for row in table.rows)
    if nulls:
        raise NotApplicable(
            f"column {op.column!r} of table {op.table!r} holds NULL in {nulls} of {len(table.rows)} rows"
        )
