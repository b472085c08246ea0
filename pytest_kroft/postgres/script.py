"""A history as an SQL script: ``psql -f`` of it builds the same content on an empty database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import assert_never

from psycopg import sql

from pytest_kroft.model.describe import describe, migration_name
from pytest_kroft.model.expressions import literal
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    CreateTable,
    CreateType,
    Delete,
    Insert,
    Migrate,
    Observed,
    Operation,
    Rollback,
    RollbackTo,
    Savepoint,
    Update,
)
from pytest_kroft.model.sessions import committing
from pytest_kroft.model.state import State
from pytest_kroft.model.types import quote
from pytest_kroft.postgres.statements import (
    Command,
    DeleteAll,
    DeleteRows,
    Field,
    InsertRows,
    MoveSequence,
    Statement,
    Texts,
    UpdateAll,
    UpdateRows,
    moved_sequences,
    observed_writes,
    statements,
)
from pytest_kroft.postgres.triggers import still_script

SETTINGS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    # Where an enum without a schema lives.
    "search_path": "public",
    "standard_conforming_strings": "on",
}
"""The settings under which the state's texts were written."""


ADOPTED = "it is taken as it is on the server: load its schema before this script"


MIGRATED = "this script cannot, and what follows needs what it made"


def script(history: History) -> str:
    """The history as SQL text, every operation with its words as a comment and a transaction of its own.

    What a session does is a comment where it was done, and one transaction where the session commits: one
    connection cannot repeat a schedule of several, and what is rolled back leaves nothing.
    Raises HistoryError for a history whose operations do not apply one after the other.
    """
    parts = ["\\set ON_ERROR_STOP on", *(f"SET {name} = '{value}';" for name, value in SETTINGS.items())]
    if history.test:
        parts.insert(0, comment(f"{history.test}, seed {history.seed}"))
    adopted = [op.definition for op in history if isinstance(op, CreateTable) and op.adopted]
    begin, end = still_script(adopted)
    parts.extend(begin)
    left: Collection[int] = ()
    taken = False
    for number, (before, operation, after) in enumerate(history.states(), start=1):
        words = describe(operation, after if isinstance(operation, Insert) else before)
        parts.append("\n" + comment(f"{number}  {words}"))
        if isinstance(operation, CreateTable | CreateType) and operation.adopted:
            parts.append(comment(ADOPTED))
        if isinstance(operation, Migrate):
            parts.append(comment(f"call {migration_name(operation)} here: {MIGRATED}"))
        seen = isinstance(operation, Observed) and operation.by == "server"
        if seen and taken:
            # They come with the schema that is loaded first, or with the migration.
            parts.append(comment("these rows are taken as they are on the server"))
            continue
        taken = isinstance(operation, Migrate) or (isinstance(operation, CreateTable) and operation.adopted)
        found = [render(statement) for statement in _statements(before, operation, after)]
        parts.extend(["BEGIN;", *found, "COMMIT;"] if len(found) > 1 else found)
        left = after.sessions
    parts.extend("\n" + comment(f"session {number} is still open; its work is not here") for number in left)
    return "\n".join([*parts, *end]) + "\n"


def _statements(before: State, operation: Operation, after: State) -> Iterator[Statement]:
    """What an operation changes in what is committed."""
    match operation:
        case Observed():
            yield from observed_writes(before, operation, after)
        case Commit(session):
            for old, write, new in committing(before, session):
                yield from statements(old, write, new)
        case Begin() | Rollback() | Savepoint() | RollbackTo():
            return
        case Insert() | Update() | Delete() if operation.session:
            # Moving a sequence is the one thing that no rollback takes back.
            yield from moved_sequences(before, after, operation.table)
        case _:
            yield from statements(before, operation, after)


def comment(text: str) -> str:
    """A text as an SQL comment, which no line end can leave."""
    return "-- " + " ".join(text.splitlines())


def render(statement: Statement) -> str:
    """A statement as SQL text with its rows as literals."""
    match statement:
        case Command(text):
            return f"{_text(text)};"
        case InsertRows(table, (), rows):
            return f"INSERT INTO {_text(table)} SELECT FROM generate_series(1, {len(rows)});"
        case InsertRows(table, fields, rows):
            names = ", ".join(quote(field.name) for field in fields)
            values = ",\n  ".join(_tuple(fields, row) for row in rows)
            return f"INSERT INTO {_text(table)} ({names}) OVERRIDING SYSTEM VALUE VALUES\n  {values};"
        case UpdateRows(table, keys, fields, rows):
            return "\n".join(
                f"UPDATE {_text(table)} SET {_pairs(fields, row[len(keys) :], ', ')} "
                f"WHERE {_pairs(keys, row[: len(keys)], ' AND ')};"
                for row in rows
            )
        case DeleteRows(table, keys, rows):
            return "\n".join(
                f"DELETE FROM {_text(table)} WHERE {_pairs(keys, row, ' AND ')};" for row in rows
            )
        case UpdateAll(table, fields, texts, _):
            return f"UPDATE {_text(table)} SET {_pairs(fields, texts, ', ')};"
        case DeleteAll(table, _):
            return f"DELETE FROM {_text(table)};"
        case MoveSequence(table, column, highest):
            name = sql.Literal(_text(table)).as_string(None)
            found = f"pg_get_serial_sequence({name}, {sql.Literal(column).as_string(None)})"
            return f"SELECT setval({found}, {max(highest, 1)});"
        case _:
            assert_never(statement)


def _text(composable: sql.Composable) -> str:
    return composable.as_string(None)


def _tuple(fields: Sequence[Field], row: Texts) -> str:
    return f"({', '.join(literal(text, field.type) for text, field in zip(row, fields, strict=True))})"


def _pairs(fields: Sequence[Field], texts: Texts, between: str) -> str:
    return between.join(
        f"{quote(field.name)} = {literal(text, field.type)}"
        for field, text in zip(fields, texts, strict=True)
    )
