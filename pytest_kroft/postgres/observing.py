"""What only the server can know of an operation, read back after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.model.expressions import is_constant, literal
from pytest_kroft.model.literals import is_opaque
from pytest_kroft.model.operations import AddColumn, Insert, Observed, Operation, Update
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.postgres.refusals import Unexpected
from pytest_kroft.postgres.statements import table_name

Connection = psycopg.Connection[Any]


def observe(connection: Connection, operation: Operation, after: State) -> Observed | None:
    """The cells that only the server could know after an operation, or None where there are none.

    Raises Unexpected where the server does not have a row of the state.
    """
    columns = observed_columns(operation, after)
    if not columns or not isinstance(operation, Insert | Update | AddColumn):
        return None
    table = after.table(operation.table)
    numbers = _touched(table, operation)
    if not numbers:
        return None
    cells = _read(connection, after, table, columns, numbers)
    return Observed(operation.table, "server", numbers, cells)


def _read(
    connection: Connection,
    state: State,
    table: TableState,
    columns: Sequence[ColumnState],
    numbers: Sequence[int],
) -> dict[str, tuple[str | None, ...]]:
    # Without a key, rows that agree in all other columns are as good as one another.
    known = table.key or [column for column in table.columns if column not in columns]
    wanted = sql.SQL(", ").join(_as_text(column.name) for column in (*known, *columns))
    query = sql.SQL("SELECT {} FROM {}").format(wanted, table_name(table))
    found: dict[tuple[str | None, ...], list[tuple[str | None, ...]]] = {}
    for row in connection.execute(query).fetchall():
        found.setdefault(tuple(row[: len(known)]), []).append(tuple(row[len(known) :]))
    readers = state.readers(table, known)
    rows = []
    for number in numbers:
        texts = table.texts(table.rows[number], readers)
        if not found.get(texts):
            row = " ".join(map(str, texts))
            raise Unexpected(f"the server has no row {row} of {table.definition.name!r}")
        rows.append(found[texts].pop())
    return {column.name: tuple(row[index] for row in rows) for index, column in enumerate(columns)}


def observed_columns(operation: Operation, after: State) -> list[ColumnState]:
    """The columns whose cells an operation makes the server compute in a way that kroft cannot."""
    if isinstance(operation, Insert | Update):
        table = after.table(operation.table)
        return [column for column in table.columns if column.computed and column.computed.function is None]
    if isinstance(operation, AddColumn):
        column = after.table(operation.table).column(operation.column.name)
        opaque = column.computed is not None and column.computed.function is None
        return [column] if _default_is_unsure(column) or opaque or column.definition.identity else []
    return []


def _default_is_unsure(column: ColumnState) -> bool:
    """Whether only the server can tell what cell a column's default makes."""
    if column.default is None:
        return False
    if not is_constant(column.default):
        return True
    text = column.backfill
    spelled_by_kroft = text is None or column.default == literal(text, column.type)
    return not spelled_by_kroft and column.type.builtin and is_opaque(column.type, text)


def _touched(table: TableState, operation: Insert | Update | AddColumn) -> tuple[int, ...]:
    if isinstance(operation, Insert):
        return tuple(range(operation.first, operation.first + operation.count))
    return operation.rows if isinstance(operation, Update) else tuple(table.rows.numbers)


def _as_text(name: str) -> sql.Composed:
    return sql.SQL("{}::text").format(sql.Identifier(name))
