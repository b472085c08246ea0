"""Whether the server holds what the state says: tables, columns and the text of every cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.comparison import Comparison, compare
from pytest_kroft.model.operations import Observed
from pytest_kroft.model.state import State, TableState, Text
from pytest_kroft.model.types import quote
from pytest_kroft.postgres.introspection import catalog_columns
from pytest_kroft.postgres.statements import table_name

Connection = psycopg.Connection[Any]


def structure_differences(connection: Connection, state: State) -> Iterator[str]:
    """One sentence for each table or column that the server has differently from the state."""
    catalog = catalog_columns(connection)
    for table in state.tables.values():
        name, found = table.definition.name, catalog.get((table.definition.schema, table.name))
        if found is None:
            yield f"{name}: the server has no table {quote(table.definition.schema)}.{quote(table.name)}"
            continue
        actual = {column.name: (column.type, column.nullable) for column in found}
        expected = {column.name: (column.type, column.nullable) for column in table.columns}
        for column in dict.fromkeys([*expected, *actual]):
            if actual.get(column) != expected.get(column):
                said, wanted = _said(actual.get(column)), _said(expected.get(column))
                yield f"{name}: column {column!r} is {said} on the server, {wanted} in the state"


def _said(column: tuple[Any, bool] | None) -> str:
    return "absent" if column is None else f"{column[0]}{'' if column[1] else ' NOT NULL'}"


def content_difference(connection: Connection, state: State, name: str) -> Comparison:
    """The rows of a table on the server against those of the state, as texts."""
    table = state.table(name)
    expected = [dict(zip(table.names, texts, strict=True)) for texts in state.contents(name)]
    actual = [dict(zip(table.names, texts, strict=True)) for texts in read_texts(connection, table)]
    return compare(
        expected, actual, table=name, key=[column.name for column in table.key], columns=table.names
    )


def read_texts(connection: Connection, table: TableState) -> list[tuple[Text, ...]]:
    """The text of every cell of a table on the server."""
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in table.names)
    query = sql.SQL("SELECT {} FROM {}").format(columns, table_name(table))
    return [tuple(row) for row in connection.execute(query).fetchall()]


def observe_test(connection: Connection, state: State, name: str) -> Observed:
    """What a test wrote to a table by itself, as an observation of the rows that differ.

    Without a primary key rows cannot be followed: all of them are taken as new.
    """
    table = state.table(name)
    held = {row.number: texts for row, texts in zip(table.rows, state.contents(name), strict=True)}
    keys = [table.names.index(column.name) for column in table.key]
    numbers = {tuple(texts[index] for index in keys): number for number, texts in held.items()}
    removed = dict.fromkeys(held)
    fresh, written = table.next_row, dict[int, tuple[Text, ...]]()
    for texts in read_texts(connection, table):
        number = numbers.get(tuple(texts[index] for index in keys)) if keys else None
        if number is None:
            number, fresh = fresh, fresh + 1
        if held.get(number) != texts:
            written[number] = texts
        removed.pop(number, None)
    cells = {
        column.name: tuple(texts[index] for _, texts in sorted(written.items()))
        for index, column in enumerate(table.columns)
        if not (column.computed and column.computed.function)
    }
    return Observed(name, "test", tuple(sorted(written)), cells, tuple(removed), state.now)


def observe_tests_writes(
    connection: Connection, state: State, names: Iterable[str]
) -> tuple[list[Observed], int]:
    """What a test wrote to tables by itself, and how many rows differ.

    The observations are in an order in which a replay can write them.
    """
    differing = {name: _count(content_difference(connection, state, name)) for name in names}
    observed = [observe_test(connection, state, name) for name, count in differing.items() if count]
    return _in_order(state, observed), sum(differing.values())


def _count(difference: Comparison) -> int:
    return len(difference.missing) + len(difference.extra) + len(difference.different)


def _in_order(state: State, observed: list[Observed]) -> list[Observed]:
    """The same observations, rows that others reference removed last."""
    # Without a key all rows are taken as new, which the old ones have to make room for.
    referenced = {name for name, table in state.tables.items() if table.key and state.references_to(name)}
    late = [one for one in observed if one.removed and one.table in referenced]
    kept = [replace(one, removed=()) if one in late else one for one in observed]
    removals = [replace(one, rows=(), cells={}) for one in reversed(late)]
    return [*(one for one in kept if one.rows or one.removed), *removals]
