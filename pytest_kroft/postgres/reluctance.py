"""What a table's triggers and rules do not let be done with rows that are there, learnt by trying it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import TableDefinition

Connection = psycopg.Connection[Any]
Row = Sequence[str | None]

ROWS = 6
"""How many rows are inserted to try it with."""


def reluctant(
    connection: Connection,
    table: TableDefinition,
    columns: Sequence[ColumnDefinition],
    rows: Iterable[Row],
    foreign: Collection[str],
) -> TableDefinition:
    """The definition with what triggers refuse: columns protected that no update may name, rows kept.

    Args:
        connection: A session in a transaction that is rolled back.
        table: The table, whose rows the server accepts.
        columns: The columns of the rows.
        rows: Rows that it accepts, as texts; more than are needed.
        foreign: The columns of foreign keys, which the transaction has dropped.
    """
    some = list(rows)[: ROWS + 1]
    with connection.transaction(force_rollback=True):
        there = [
            row for row in some[:ROWS] if columns and _count(connection, _insert(table, columns), row) > 0
        ]
        if not there:
            return table
        fixed = {
            column.name
            for place, column in enumerate(columns)
            if column.name not in foreign
            and not _changes(connection, table, column, [row[place] for row in some])
        }
        kept = _kept(connection, table, len(there))
    changed = tuple(
        replace(column, protected=True) if column.name in fixed else column for column in table.columns
    )
    return replace(table, columns=changed, kept=table.kept or kept)


def _named(table: TableDefinition) -> sql.Identifier:
    return sql.Identifier(table.schema, table.server_name)


def _insert(table: TableDefinition, columns: Sequence[ColumnDefinition]) -> sql.Composed:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    cells = sql.SQL(", ").join(
        sql.SQL(f"${place}::text::{column.type}") for place, column in enumerate(columns, start=1)
    )
    into = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})")
    return into.format(_named(table), names, cells)


def _changes(connection: Connection, table: TableDefinition, column: ColumnDefinition, cells: Row) -> bool:
    """Whether a trigger lets a column be set to another value; what a rule of the rows says of it is not."""
    if column.identity == "always":
        return True
    # One row alone, as a value that all of them get would repeat.
    update = sql.SQL("UPDATE {} SET {} = {} WHERE ctid = (SELECT min(ctid) FROM {})").format(
        _named(table), sql.Identifier(column.name), sql.SQL(f"$1::text::{column.type}"), _named(table)
    )
    for cell in dict.fromkeys(reversed(cells)):
        # A trigger may leave out an update that changes nothing: then another value is tried.
        if count := _count(connection, update, [cell]):
            return count > 0
    return False


_OF_CODE = ("P0001", "P0004", "0A000", "42501", "55000")
"""What the code of a trigger raises: raise_exception, assert_failure, and what others use."""


_REFUSED = -1


def _count(connection: Connection, statement: sql.Composed, cells: Row) -> int:
    """How many rows the server changes; where a constraint refuses, that is no word of a trigger."""
    try:
        with connection.transaction():
            # A raw cursor leaves the percent sign alone, which names may hold.
            return psycopg.RawCursor(connection).execute(statement, cells).rowcount
    except psycopg.errors.IntegrityError:
        return 1
    except psycopg.Error as error:
        return _REFUSED if error.sqlstate in _OF_CODE else 1


def _kept(connection: Connection, table: TableDefinition, count: int) -> str | None:
    """Why the rows that are there, so many, cannot be deleted: a trigger says so, or a rule does nothing."""
    try:
        with connection.transaction():
            done = connection.execute(sql.SQL("DELETE FROM {}").format(_named(table))).rowcount
    except psycopg.errors.IntegrityError:
        return None
    except psycopg.Error as error:
        return f"a trigger says {error.diag.message_primary or str(error)!r}"
    return "a trigger or rule makes a DELETE leave them there" if done < count else None
