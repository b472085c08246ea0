"""The queries that write rows: an array of texts for each column, which the server casts to its type.

Their texts are the same whatever the rows, so that they are built once, and the server plans them once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from psycopg import sql

from pytest_kroft.postgres.statements import (
    Command,
    DeleteAll,
    DeleteRows,
    Field,
    InsertRows,
    MoveSequence,
    Statement,
    UpdateAll,
    UpdateRows,
)

_SEQUENCE_QUERY = b"SELECT setval(pg_get_serial_sequence($1, $2), greatest($3::bigint, 1))"


@dataclass(frozen=True, slots=True)
class Query:
    """A statement as it goes over the wire, with the values of ``$1`` and so on.

    ``count`` is how many rows it must change, None where there are none to count.
    """

    text: bytes
    values: Sequence[object] = ()
    count: int | None = None


BEGIN, COMMIT = Query(b"BEGIN"), Query(b"COMMIT")


def query(statement: Statement) -> Query:
    """The query that carries a statement out."""
    match statement:
        case Command(text):
            return Query(text.as_bytes(None))
        case InsertRows(table, (), rows):
            return Query(insert_defaults_query(_text(table)), [len(rows)], len(rows))
        case InsertRows(table, fields, rows):
            return Query(insert_query(_text(table), fields), _transposed(rows, len(fields)), len(rows))
        case UpdateRows(table, keys, fields, rows):
            values = _transposed(rows, len(keys) + len(fields))
            return Query(update_query(_text(table), keys, fields), values, len(rows))
        case DeleteRows(table, keys, rows):
            return Query(delete_query(_text(table), keys), _transposed(rows, len(keys)), len(rows))
        case UpdateAll(table, fields, texts, count):
            return Query(update_all_query(_text(table), fields), list(texts), count)
        case DeleteAll(table, count):
            return Query(delete_all_query(_text(table)), (), count)
        case MoveSequence(table, column, highest):
            return Query(_SEQUENCE_QUERY, [_text(table), column, highest])
        case _:
            assert_never(statement)


def checked(asked: Query) -> Query:
    """The same query, which the server refuses unless it changes as many rows as it must.

    Dividing by false fails. A table with rules of its own may refuse the query for what it is.
    """
    if asked.count is None:
        return asked
    return Query(_checked(asked.text, len(asked.values) + 1), [*asked.values, asked.count])


@lru_cache(maxsize=1024)
def _checked(text: bytes, place: int) -> bytes:
    return b"WITH done AS (%b RETURNING 1) SELECT 1 / (count(*) = $%d::int)::int FROM done" % (text, place)


def _text(table: sql.Composable) -> str:
    return table.as_string(None)


def _transposed(rows: Sequence[Sequence[str | None]], width: int) -> list[list[str | None]]:
    return [[row[index] for row in rows] for index in range(width)]


def _cast(field: Field, alias: str) -> sql.Composed:
    return sql.Composed([sql.Identifier("v", alias), sql.SQL(f"::{field.type}")])


def _names(fields: Sequence[Field]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(field.name) for field in fields)


def _values(count: int) -> tuple[sql.Composable, list[str]]:
    """``unnest(...) AS v(c0, c1, ...)`` over one array of texts for each column."""
    aliases = [f"c{index}" for index in range(count)]
    arrays = sql.SQL(", ").join(sql.SQL(f"${index + 1}::text[]") for index in range(count))
    names = sql.SQL(", ").join(map(sql.Identifier, aliases))
    return sql.SQL("unnest({}) AS v({})").format(arrays, names), aliases


def _bytes(words: str, table: str, *parts: sql.Composable) -> bytes:
    return sql.SQL(words).format(sql.SQL(table), *parts).as_bytes(None)


@lru_cache(maxsize=1024)
def insert_query(table: str, fields: tuple[Field, ...]) -> bytes:
    """An INSERT of rows that are given as one array of texts for each field."""
    values, aliases = _values(len(fields))
    casts = sql.SQL(", ").join(map(_cast, fields, aliases))
    words = "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}"
    return _bytes(words, table, _names(fields), casts, values)


def insert_defaults_query(table: str) -> bytes:
    """An INSERT of so many rows of defaults, into a table that takes no values."""
    return _bytes("INSERT INTO {} SELECT FROM generate_series(1, $1::int)", table)


@lru_cache(maxsize=1024)
def copy_query(table: str, fields: tuple[Field, ...]) -> bytes:
    """A COPY of rows into a table."""
    return _bytes("COPY {} ({}) FROM STDIN", table, _names(fields))


def _matching(keys: Sequence[Field], aliases: Sequence[str]) -> sql.Composed:
    conditions = [
        sql.SQL("t.{} = {}").format(sql.Identifier(key.name), _cast(key, alias))
        for key, alias in zip(keys, aliases, strict=False)
    ]
    return sql.SQL(" AND ").join(conditions)


@lru_cache(maxsize=1024)
def update_query(table: str, keys: tuple[Field, ...], fields: tuple[Field, ...]) -> bytes:
    """An UPDATE of rows found by key, given as one array of texts for each key and each field."""
    values, aliases = _values(len(keys) + len(fields))
    changes = [
        sql.SQL("{} = {}").format(sql.Identifier(field.name), _cast(field, alias))
        for field, alias in zip(fields, aliases[len(keys) :], strict=True)
    ]
    words = "UPDATE {} AS t SET {} FROM {} WHERE {}"
    return _bytes(words, table, sql.SQL(", ").join(changes), values, _matching(keys, aliases))


@lru_cache(maxsize=1024)
def delete_query(table: str, keys: tuple[Field, ...]) -> bytes:
    """A DELETE of rows found by key, given as one array of texts for each key."""
    values, aliases = _values(len(keys))
    return _bytes("DELETE FROM {} AS t USING {} WHERE {}", table, values, _matching(keys, aliases))


@lru_cache(maxsize=1024)
def update_all_query(table: str, fields: tuple[Field, ...]) -> bytes:
    """An UPDATE of every row, given one text for each field."""
    changes = [
        sql.SQL("{} = ${}::text::{}").format(
            sql.Identifier(field.name), sql.SQL(str(index)), sql.SQL(str(field.type))
        )
        for index, field in enumerate(fields, start=1)
    ]
    return _bytes("UPDATE {} SET {}", table, sql.SQL(", ").join(changes))


def delete_all_query(table: str) -> bytes:
    """A DELETE of every row."""
    return _bytes("DELETE FROM {}", table)
