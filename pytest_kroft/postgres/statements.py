"""The second interpreter of operations: the statements that carry one out on the server. Pure.

Identifiers are always quoted, values never part of a statement's text. Rows travel as texts, which
the server casts to the column's type; the executor binds them, the script prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from psycopg import sql

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
from pytest_kroft.model.sessions import seen
from pytest_kroft.model.state import ColumnState, State, TableState, Text
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import SqlType
from pytest_kroft.postgres.clauses import action, table_clauses, table_name

Texts = tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A column in a statement: its name and its type."""

    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Command:
    """A statement without rows."""

    sql: sql.Composed


@dataclass(frozen=True, slots=True)
class InsertRows:
    """Insert rows, identity columns included."""

    table: sql.Identifier
    fields: tuple[Field, ...]
    rows: Sequence[Texts]


@dataclass(frozen=True, slots=True)
class UpdateRows:
    """Set fields of the rows found by their keys; a row holds the key's texts, then the fields'."""

    table: sql.Composable
    keys: tuple[Field, ...]
    fields: tuple[Field, ...]
    rows: Sequence[Texts]


@dataclass(frozen=True, slots=True)
class DeleteRows:
    """Delete the rows found by their keys."""

    table: sql.Composable
    keys: tuple[Field, ...]
    rows: Sequence[Texts]


@dataclass(frozen=True, slots=True)
class UpdateAll:
    """Set fields of every row of a table without a key, all to the same texts."""

    table: sql.Composable
    fields: tuple[Field, ...]
    texts: Texts
    count: int


@dataclass(frozen=True, slots=True)
class DeleteAll:
    """Delete every row of a table without a key."""

    table: sql.Composable
    count: int


@dataclass(frozen=True, slots=True)
class MoveSequence:
    """Move the sequence of an identity column past its highest value, so that a user's insert works."""

    table: sql.Identifier
    column: str
    highest: int


Statement = Command | InsertRows | UpdateRows | DeleteRows | UpdateAll | DeleteAll | MoveSequence


def around(before: State, operation: Operation, after: State) -> tuple[State, State]:
    """The states before and after an operation as the session that writes sees them."""
    if isinstance(operation, RowWrite) and operation.session:
        return seen(before, operation.session), seen(after, operation.session)
    return before, after


def statements(before: State, operation: Operation, after: State) -> list[Statement]:
    """The statements of one operation, given the states ``around`` it."""
    match operation:
        case Insert(table, first, count):
            return _insert(after, after.table(table), range(first, first + count)) + moved_sequences(
                before, after, table
            )
        case Update():
            return _update(before, operation, after) + moved_sequences(before, after, operation.table)
        case Delete(table, rows):
            return [_delete(before, before.table(table), rows)]
        case Truncate(table):
            return [_command("TRUNCATE {}", own_rows(before.table(table)))]
        case CreateTable(definition, adopted):
            return [] if adopted else _create_table(before, definition)
        case DropTable(table):
            return [_command("DROP TABLE {}", table_name(before.table(table)))]
        case RenameTable(table, new_name):
            return [
                _command(
                    "ALTER TABLE {} RENAME TO {}", table_name(before.table(table)), sql.Identifier(new_name)
                )
            ]
        case AddColumn() | DropColumn() | RenameColumn() | AlterType() | SetDefault() | SetNullable():
            return _alter_table(before, operation, after)
        case CreateType(definition, adopted):
            if adopted:
                return []
            labels = sql.SQL(", ").join(map(sql.Literal, definition.labels))
            name = sql.Identifier(definition.schema, definition.name)
            return [*_schema(definition.schema), _command("CREATE TYPE {} AS ENUM ({})", name, labels)]
        case DropType(name):
            return [_command("DROP TYPE {}", _enum_name(before, name))]
        case AddEnumValue(name, label, place):
            words = "ALTER TYPE {} ADD VALUE {}" + (" AFTER {}" if place is not None else "")
            labels_given = [sql.Literal(text) for text in (label, place) if text is not None]
            return [_command(words, _enum_name(before, name), *labels_given)]
        case Observed():
            return observed_writes(before, operation, after) if operation.by == "test" else []
        case Begin():
            return [_command("BEGIN ISOLATION LEVEL READ COMMITTED")]
        case Commit():
            return [_command("COMMIT")]
        case Rollback():
            return [_command("ROLLBACK")]
        case Savepoint(_, name):
            return [_command("SAVEPOINT {}", sql.Identifier(name))]
        case RollbackTo(_, name):
            return [_command("ROLLBACK TO SAVEPOINT {}", sql.Identifier(name))]
        case Sync() | Migrate():
            return []
        case _:
            assert_never(operation)


def own_rows(table: TableState) -> sql.Composable:
    """A table's name where its own rows are meant, and not those of tables that inherit from it."""
    name = table_name(table)
    return sql.SQL("ONLY {}").format(name) if table.definition.inherited else name


def _command(words: str, *parts: sql.Composable) -> Command:
    return Command(sql.SQL(words).format(*parts))


def _enum_name(state: State, name: str) -> sql.Identifier:
    definition = state.enum_named(name)
    return sql.Identifier(definition.schema, definition.name)


def _schema(name: str) -> list[Statement]:
    return [] if name == "public" else [_command("CREATE SCHEMA IF NOT EXISTS {}", sql.Identifier(name))]


# Rows


def _fields(columns: Sequence[ColumnState]) -> tuple[Field, ...]:
    return tuple(Field(column.name, column.type) for column in columns)


def _texts(
    state: State, table: TableState, columns: Sequence[ColumnState], numbers: Sequence[int]
) -> list[Texts]:
    readers = state.readers(table, columns)
    return [table.texts(table.rows[number], readers) for number in numbers]


def _insert(after: State, table: TableState, numbers: Sequence[int]) -> list[Statement]:
    columns = [column for column in table.columns if not column.computed]
    return [InsertRows(table_name(table), _fields(columns), _texts(after, table, columns, numbers))]


def _update(before: State, op: Update, after: State) -> list[Statement]:
    table, changed = before.table(op.table), after.table(op.table)
    names = dict.fromkeys([*op.columns, *([table.updated_at.name] if table.updated_at else [])])
    columns = [changed.column(name) for name in names]
    texts = _texts(after, changed, columns, op.rows)
    if not columns:
        return []
    if not table.key:
        return [UpdateAll(own_rows(table), _fields(columns), texts[0], len(op.rows))]
    keys = _texts(before, table, table.key, op.rows)
    rows = [key + cells for key, cells in zip(keys, texts, strict=True)]
    return [UpdateRows(own_rows(table), _fields(table.key), _fields(columns), rows)]


def _delete(before: State, table: TableState, numbers: Sequence[int]) -> Statement:
    if not table.key:
        return DeleteAll(own_rows(table), len(numbers))
    return DeleteRows(own_rows(table), _fields(table.key), _texts(before, table, table.key, numbers))


def moved_sequences(before: State, after: State, name: str) -> list[Statement]:
    """The statements that move the sequences of a table past the highest numbers that it holds now."""
    known = before.tables.get(name)
    old = {column.id: column.highest for column in known.columns} if known else {}
    table = after.table(name)
    return [
        MoveSequence(table_name(table), column.name, column.highest)
        for column in table.columns
        if column.highest > old.get(column.id, 0)
    ]


def set_sequences(state: State, name: str) -> list[Statement]:
    """The statements that set the sequences of a table to the highest numbers that it has held."""
    table = state.table(name)
    numbered = [column for column in table.columns if column.highest]
    return [MoveSequence(table_name(table), column.name, column.highest) for column in numbered]


def observed_writes(before: State, op: Observed, after: State) -> list[Statement]:
    """The writes that put an observation into a database that does not have it by itself."""
    table, changed = before.table(op.table), after.table(op.table)
    known = [number for number in op.rows if number in table.rows]
    new = [number for number in op.rows if number not in table.rows]
    moved = moved_sequences(before, after, op.table)
    if not table.key and (op.removed or known):
        # Rows that cannot be told apart are all written anew.
        kept = _insert(after, changed, changed.rows.numbers) if changed.rows else []
        return [DeleteAll(own_rows(table), len(table.rows)), *kept, *moved]
    found: list[Statement] = [_delete(before, table, op.removed)] if op.removed else []
    columns = [c for c in changed.columns if _must_write(before, op, after, c)] if known else []
    if columns:
        keys, cells = _texts(before, table, table.key, known), _texts(after, changed, columns, known)
        rows = [key + texts for key, texts in zip(keys, cells, strict=True)]
        update = UpdateRows(own_rows(table), _fields(table.key), _fields(columns), rows)
        always = [column for column in columns if column.definition.identity == "always"]
        found += [*_generated(table, always, "BY DEFAULT"), update, *_generated(table, always, "ALWAYS")]
    return found + (_insert(after, changed, new) if new else []) + moved


def _must_write(before: State, op: Observed, after: State, column: ColumnState) -> bool:
    """Whether an observation changes a column that takes values."""
    if column.name not in op.cells or column.computed:
        return False
    if column.definition.identity != "always" or op.by == "server":
        return True
    table, changed = before.table(op.table), after.table(op.table)
    old, new = before.reader(table, table.column(column.name)), after.reader(changed, column)
    return any(old(table.rows[n]) != new(changed.rows[n]) for n in op.rows if n in table.rows)


def _generated(table: TableState, columns: Sequence[ColumnState], when: str) -> list[Statement]:
    """An UPDATE may set an identity column only while it is generated BY DEFAULT."""
    words = f"ALTER TABLE {{}} ALTER COLUMN {{}} SET GENERATED {when}"
    return [_command(words, table_name(table), sql.Identifier(column.name)) for column in columns]


# Tables


def _create_table(state: State, definition: TableDefinition) -> list[Statement]:
    name = sql.Identifier(definition.schema, definition.server_name)
    create = _command("CREATE TABLE {} (\n  {}\n)", name, table_clauses(state, definition))
    return [*_schema(definition.schema), create]


def _alter_table(
    before: State,
    op: AddColumn | DropColumn | RenameColumn | AlterType | SetDefault | SetNullable,
    after: State,
) -> list[Statement]:
    table = before.table(op.table)
    return [_command("ALTER TABLE {} {}", table_name(table), action(before, table, op, after))]
