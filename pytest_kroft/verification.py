"""Whether the server holds what the state says: tables, columns and the text of every cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg

from pytest_kroft.comparison import Comparison, compare
from pytest_kroft.errors import ValueRefused, listing
from pytest_kroft.model.expressions import constant, is_constant
from pytest_kroft.model.operations import Observed
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.types import SqlType, quote
from pytest_kroft.postgres.introspection import (
    CatalogColumn,
    CatalogKeys,
    Name,
    catalog_columns,
    catalog_keys,
    catalog_labels,
)
from pytest_kroft.postgres.observing import difference, in_order, read_texts

Connection = psycopg.Connection[Any]


def structure_differences(connection: Connection, state: State) -> Iterator[str]:
    """One sentence for each thing that the server has differently from the state.

    Compared are columns with their defaults, the primary keys and unique sets that the state has, and the
    labels of enums; tables that the state does not have are not looked at. Raises psycopg.Error.
    """
    names = [_named(table) for table in state.tables.values()]
    columns, keys = catalog_columns(connection, names), catalog_keys(connection, names)
    for table in state.tables.values():
        found = columns.get(_named(table))
        if found is None:
            schema, name = map(quote, _named(table))
            yield f"{table.definition.name}: the server has no table {schema}.{name}"
            continue
        yield from _column_differences(connection, table, found)
        yield from _key_differences(table, keys.get(_named(table), CatalogKeys()))
    yield from _label_differences(connection, state)


def _named(table: TableState) -> Name:
    return table.definition.schema, table.name


def _column_differences(
    connection: Connection, table: TableState, found: Sequence[CatalogColumn]
) -> Iterator[str]:
    name, actual = table.definition.name, {column.name: column for column in found}
    said = {column.name: _said(column) for column in found}
    wanted = {column.name: _said(_as_catalog(column)) for column in table.columns}
    for column in dict.fromkeys([*wanted, *said]):
        server, expected = said.get(column, "absent"), wanted.get(column, "absent")
        if server != expected:
            yield f"{name}: column {column!r} is {server} on the server, {expected} in the state"
    same = [column for column in table.columns if wanted[column.name] == said.get(column.name)]
    pairs = [(column, actual[column.name]) for column in same if not column.definition.generated]
    yield from _default_differences(connection, name, pairs)


def _as_catalog(column: ColumnState) -> CatalogColumn:
    generated = column.definition.generated is not None
    return CatalogColumn(
        column.name, column.type, column.nullable, column.default, column.definition.identity, generated
    )


def _said(column: CatalogColumn) -> str:
    words = [
        str(column.type),
        "" if column.nullable else "NOT NULL",
        f"GENERATED {column.identity.upper()} AS IDENTITY" if column.identity else "",
        "GENERATED" if column.generated else "",
    ]
    return " ".join(filter(None, words))


def _default_differences(
    connection: Connection, table: str, pairs: Sequence[tuple[ColumnState, CatalogColumn]]
) -> Iterator[str]:
    unsure = []
    for column, found in pairs:
        server, expected = (_not_null(text, column.type) for text in (found.default, column.default))
        if server is None or expected is None:
            if server != expected:
                yield _default_differs(table, column, server)
        elif not _same_text(server, expected, column.type):
            unsure.append((column, server))
    deparsed = _deparsed(connection, [column for column, _ in unsure]) if unsure else []
    for (column, server), expected in zip(unsure, deparsed, strict=True):
        if server != expected:
            yield _default_differs(table, column, server)


def _default_differs(table: str, column: ColumnState, server: str | None) -> str:
    wanted = f"{column.default or 'absent'} in the state"
    return f"{table}: the default of {column.name!r} is {server or 'absent'} on the server, {wanted}"


def _not_null(default: str | None, sql_type: SqlType) -> str | None:
    # A default of NULL is as good as none, and the server does not always keep it.
    if default is None or not is_constant(default):
        return default
    try:
        return None if constant(default, sql_type) is None else default
    except ValueRefused:
        return default


def _same_text(one: str, other: str, sql_type: SqlType) -> bool:
    """Whether two defaults are written alike, or are constants of one value, as far as kroft can tell."""
    if one == other:
        return True
    if not (is_constant(one) and is_constant(other)):
        return False
    try:
        return constant(one, sql_type) == constant(other, sql_type)
    except ValueRefused:
        return False


def _deparsed(connection: Connection, columns: Sequence[ColumnState]) -> list[str | None]:
    """The defaults of columns as the server prints them, or None for all where it refuses one."""
    fields = ", ".join(f"c{n} {column.type} DEFAULT {column.default}" for n, column in enumerate(columns))
    try:
        # Nothing is left of the table, which only makes the server read and print the expressions.
        with connection.transaction(force_rollback=True):
            connection.execute(f"CREATE TEMP TABLE kroft_defaults ({fields})".encode(), binary=True)
            return [row[0] for row in connection.execute(_DEFAULTS).fetchall()]
    except (psycopg.ProgrammingError, psycopg.DataError):
        return [None] * len(columns)


_DEFAULTS = """
    SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
    WHERE adrelid = 'pg_temp.kroft_defaults'::regclass ORDER BY adnum
"""


def _key_differences(table: TableState, found: CatalogKeys) -> Iterator[str]:
    name, key = table.definition.name, tuple(column.name for column in table.key)
    if key and found.primary != key:
        server = f"({', '.join(found.primary)})" if found.primary else "absent"
        yield f"{name}: the primary key is {server} on the server, ({', '.join(key)}) in the state"
    # An index over some rows, or an EXCLUDE, keeps no whole columns apart on the server.
    partly = [set(names) for names in table.definition.distinct]
    for ids in table.uniques:
        columns = [column.name for column in table.columns if column.id in ids]
        if {column.birth.name for column in table.columns if column.id in ids} in partly:
            continue
        if set(columns) != set(key) and frozenset(columns) not in found.unique:
            yield f"{name}: ({', '.join(columns)}) is unique in the state, and not on the server"


def _label_differences(connection: Connection, state: State) -> Iterator[str]:
    enums = {(enum.schema, enum.name): enum for enum in state.enums}
    found = catalog_labels(connection, list(enums))
    for name, enum in enums.items():
        labels = found.get(name, ())
        if labels != tuple(enum.labels):
            server, wanted = listing(labels), listing(enum.labels)
            yield f"enum {enum.name}: the labels are {server} on the server, {wanted} in the state"


def content_difference(connection: Connection, state: State, name: str) -> Comparison:
    """The rows of a table on the server against those of the state, as texts."""
    table = state.table(name)
    expected = [dict(zip(table.names, texts, strict=True)) for texts in state.contents(name)]
    actual = [dict(zip(table.names, texts, strict=True)) for texts in read_texts(connection, table)]
    return compare(
        expected, actual, table=name, key=[column.name for column in table.key], columns=table.names
    )


def observe_tests_writes(
    connection: Connection, state: State, names: Iterable[str]
) -> tuple[list[Observed], int]:
    """What a test wrote to tables by itself, and how many rows differ.

    The observations are in an order in which a replay can write them.
    """
    differing = {name: _count(content_difference(connection, state, name)) for name in names}
    found = (difference(connection, state, name, "test") for name, count in differing.items() if count)
    return in_order(state, [one for one in found if one]), sum(differing.values())


def _count(difference: Comparison) -> int:
    return len(difference.missing) + len(difference.extra) + len(difference.different)


def observe_test(connection: Connection, state: State, name: str) -> Observed:
    """What a test wrote to a table by itself, as an observation of the rows that differ."""
    return difference(connection, state, name, "test") or Observed(name, "test", (), {})
