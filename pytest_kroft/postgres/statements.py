"""The second interpreter of operations: the statements that carry one out on the server. Pure.

Identifiers are always quoted, values never part of a statement's text. Rows travel as texts, which
the server casts to the column's type; the executor binds them, the script prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from psycopg import sql

from pytest_kroft.model.casts import using
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.foreign_keys import ForeignKey, parse_foreign_key
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
from pytest_kroft.model.types import SqlType, parse_type, quote

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

    table: sql.Identifier
    keys: tuple[Field, ...]
    fields: tuple[Field, ...]
    rows: Sequence[Texts]


@dataclass(frozen=True, slots=True)
class DeleteRows:
    """Delete the rows found by their keys."""

    table: sql.Identifier
    keys: tuple[Field, ...]
    rows: Sequence[Texts]


@dataclass(frozen=True, slots=True)
class UpdateAll:
    """Set fields of every row of a table without a key, all to the same texts."""

    table: sql.Identifier
    fields: tuple[Field, ...]
    texts: Texts
    count: int


@dataclass(frozen=True, slots=True)
class DeleteAll:
    """Delete every row of a table without a key."""

    table: sql.Identifier
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
            return [_command("TRUNCATE {}", table_name(before.table(table)))]
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
        case Sync():
            return []
        case _:
            assert_never(operation)


def table_name(table: TableState) -> sql.Identifier:
    """A table's present name, with its schema."""
    return sql.Identifier(table.definition.schema, table.name)


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
        return [UpdateAll(table_name(table), _fields(columns), texts[0], len(op.rows))]
    keys = _texts(before, table, table.key, op.rows)
    rows = [key + cells for key, cells in zip(keys, texts, strict=True)]
    return [UpdateRows(table_name(table), _fields(table.key), _fields(columns), rows)]


def _delete(before: State, table: TableState, numbers: Sequence[int]) -> Statement:
    if not table.key:
        return DeleteAll(table_name(table), len(numbers))
    return DeleteRows(table_name(table), _fields(table.key), _texts(before, table, table.key, numbers))


def moved_sequences(before: State, after: State, name: str) -> list[Statement]:
    """The statements that move the sequences of a table past the highest numbers that it holds now."""
    old = {column.id: column.highest for column in before.table(name).columns}
    table = after.table(name)
    return [
        MoveSequence(table_name(table), column.name, column.highest)
        for column in table.columns
        if column.highest > old.get(column.id, 0)
    ]


def observed_writes(before: State, op: Observed, after: State) -> list[Statement]:
    """The writes that put an observation into a database that does not have it by itself."""
    table, changed = before.table(op.table), after.table(op.table)
    known = [number for number in op.rows if number in table.rows]
    new = [number for number in op.rows if number not in table.rows]
    found: list[Statement] = [_delete(before, table, op.removed)] if op.removed else []
    columns = [c for c in changed.columns if _must_write(before, op, after, c)] if known else []
    if columns and not table.key:
        # Rows that cannot be told apart are all written anew.
        found += [DeleteAll(table_name(table), len(known)), *_insert(after, changed, known)]
    elif columns:
        keys, cells = _texts(before, table, table.key, known), _texts(after, changed, columns, known)
        rows = [key + texts for key, texts in zip(keys, cells, strict=True)]
        update = UpdateRows(table_name(table), _fields(table.key), _fields(columns), rows)
        always = [column for column in columns if column.definition.identity == "always"]
        found += [*_generated(table, always, "BY DEFAULT"), update, *_generated(table, always, "ALWAYS")]
    return found + (_insert(after, changed, new) if new else []) + moved_sequences(before, after, op.table)


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


# Tables and columns


def _create_table(state: State, definition: TableDefinition) -> list[Statement]:
    parts: list[sql.Composable] = [_column_clause(state, definition, column) for column in definition.active]
    key = [column.name for column in definition.active if column.primary_key]
    if len(key) > 1:
        parts.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, key))))
    parts.extend(_constraint(state, definition, text) for text in definition.constraints)
    name = sql.Identifier(definition.schema, definition.server_name)
    create = _command("CREATE TABLE {} (\n  {}\n)", name, sql.SQL(",\n  ").join(parts))
    return [*_schema(definition.schema), create]


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


def _alter_table(
    before: State,
    op: AddColumn | DropColumn | RenameColumn | AlterType | SetDefault | SetNullable,
    after: State,
) -> list[Statement]:
    table = before.table(op.table)
    return [_command("ALTER TABLE {} {}", table_name(table), _action(before, table, op, after))]


def _action(
    before: State,
    table: TableState,
    op: AddColumn | DropColumn | RenameColumn | AlterType | SetDefault | SetNullable,
    after: State,
) -> sql.Composable:
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
