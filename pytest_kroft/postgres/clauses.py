"""The clauses of tables and columns: what CREATE TABLE and ALTER TABLE say. Pure.

Identifiers are always quoted; expressions, checks and defaults are the user's SQL, and stand as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from psycopg import sql

from pytest_kroft.model.casts import using
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.foreign_keys import ForeignKey, parse_foreign_key
from pytest_kroft.model.operations import (
    AddColumn,
    AlterType,
    DropColumn,
    RenameColumn,
    SetDefault,
    SetNullable,
)
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import parse_type, quote


def table_name(table: TableState) -> sql.Identifier:
    """A table's present name, with its schema."""
    return sql.Identifier(table.definition.schema, table.name)


def table_clauses(state: State, definition: TableDefinition) -> sql.Composed:
    """What CREATE TABLE says in its parentheses, with the names that parents have now."""
    parts: list[sql.Composable] = [_column_clause(state, definition, column) for column in definition.active]
    key = [column.name for column in definition.active if column.primary_key]
    if len(key) > 1:
        parts.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, key))))
    parts.extend(_constraint(state, definition, text) for text in definition.constraints)
    return sql.SQL(",\n  ").join(parts)


def _column_clause(state: State, definition: TableDefinition, column: ColumnDefinition) -> sql.Composed:
    single_key = column.primary_key and sum(other.primary_key for other in definition.columns) == 1
    words = [
        str(column.type),
        "" if column.nullable or column.primary_key else "NOT NULL",
        "PRIMARY KEY" if single_key else "",
        "UNIQUE" if column.unique else "",
        f"DEFAULT {column.default}" if column.default is not None else "",
        f"GENERATED ALWAYS AS ({column.generated}) STORED" if column.generated else "",
        f"GENERATED {column.identity.upper()} AS IDENTITY" if column.identity else "",
        f"CHECK ({column.check})" if column.check else "",
        _references(state, definition, column.reference),
        column.constraints,
    ]
    clauses = " ".join(filter(None, words))
    return sql.Composed([sql.Identifier(column.name), sql.SQL(" "), sql.SQL(clauses)])


def _constraint(state: State, definition: TableDefinition, text: str) -> sql.SQL:
    key = parse_foreign_key(text)
    if key is None:
        return sql.SQL(text)
    return sql.SQL(f"FOREIGN KEY ({_quoted(key.columns)}) {_references(state, definition, key)}")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(quote, names))


def _references(state: State, definition: TableDefinition, key: ForeignKey | None) -> str:
    """The clause of a foreign key, with the names that its parent has now."""
    if key is None:
        return ""
    named = f" ({_quoted(key.nulled)})" if key.nulled else ""
    words = (
        f"REFERENCES {_target(state, definition, key)}",
        "MATCH FULL" if key.full else "",
        f"ON DELETE {key.on_delete.upper()}{named}" if key.on_delete != "no action" else "",
        f"ON UPDATE {key.on_update.upper()}" if key.on_update != "no action" else "",
        "DEFERRABLE INITIALLY DEFERRED" if key.deferred else "",
    )
    return " ".join(filter(None, words))


def _target(state: State, definition: TableDefinition, key: ForeignKey) -> str:
    if key.table == definition.name and definition.name not in state.tables:
        names = key.targets or definition.key
        return f"{quote(definition.schema)}.{quote(definition.server_name)} ({_quoted(names)})"
    parent = state.table(key.table)
    by_birth = {column.birth.name: column.name for column in parent.columns if column.birth.count == 1}
    names = key.targets or parent.definition.key
    return f"{table_name(parent).as_string(None)} ({_quoted([by_birth[name] for name in names])})"


def action(
    before: State,
    table: TableState,
    op: AddColumn | DropColumn | RenameColumn | AlterType | SetDefault | SetNullable,
    after: State,
) -> sql.Composable:
    """What ALTER TABLE does to a column of a table: ``DROP COLUMN "a"``."""
    if isinstance(op, AddColumn):
        return sql.SQL("ADD COLUMN ") + _column_clause(before, table.definition, op.column)
    column = sql.Identifier(op.column)
    match op:
        case DropColumn():
            return sql.SQL("DROP COLUMN {}").format(column)
        case RenameColumn():
            return sql.SQL("RENAME COLUMN {} TO {}").format(column, sql.Identifier(op.new_name))
        case SetDefault():
            return sql.SQL("ALTER COLUMN {} ").format(column) + _default(op.default)
        case SetNullable():
            change = "DROP NOT NULL" if op.nullable else "SET NOT NULL"
            return sql.SQL("ALTER COLUMN {} ").format(column) + sql.SQL(change)
        case AlterType():
            return _alter_type(table, op, after)
        case _:
            assert_never(op)


def _default(default: str | None) -> sql.Composable:
    return sql.SQL("DROP DEFAULT" if default is None else f"SET DEFAULT {default}")


def _alter_type(table: TableState, op: AlterType, after: State) -> sql.Composable:
    """A change of type; the default, which the server may not be able to cast, is set anew."""
    column, target = table.column(op.column), parse_type(op.sql_type)
    expression = using(quote(op.column), column.type, target)
    parts = [f"ALTER COLUMN {quote(op.column)} TYPE {target} USING {expression}"]
    if column.default is not None:
        default = after.table(op.table).column(op.column).default
        parts = [f"ALTER COLUMN {quote(op.column)} DROP DEFAULT", *parts]
        parts.append(f"ALTER COLUMN {quote(op.column)} SET DEFAULT {default}")
    return sql.SQL(", ".join(parts))
