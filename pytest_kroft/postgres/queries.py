"""The queries that write rows: an array of texts for each column, which the server casts to its type."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from pytest_kroft.postgres.statements import Field

SEQUENCE_QUERY = "SELECT setval(pg_get_serial_sequence($1, $2), greatest($3::bigint, 1))"
BLOCKERS_QUERY = """
    SELECT pid, state, left(query, 200) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND pid IN (
        SELECT pid FROM pg_locks WHERE granted AND relation = ANY (%s::text[]::regclass[])
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY xact_start
"""


def _cast(field: Field, alias: str) -> sql.Composed:
    return sql.Composed([sql.Identifier("v", alias), sql.SQL(f"::{field.type}")])


def _values(count: int) -> tuple[sql.Composable, list[str]]:
    """``unnest(...) AS v(c0, c1, ...)`` over one array of texts for each column."""
    names = [f"c{index}" for index in range(count)]
    arrays = sql.SQL(", ").join(sql.SQL(f"${index + 1}::text[]") for index in range(count))
    return sql.SQL("unnest({}) AS v({})").format(
        arrays, sql.SQL(", ").join(map(sql.Identifier, names))
    ), names


def insert_query(table: sql.Identifier, fields: Sequence[Field]) -> sql.Composed:
    """An INSERT of rows that are given as one array of texts for each field."""
    values, aliases = _values(len(fields))
    return sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
        table,
        sql.SQL(", ").join(sql.Identifier(field.name) for field in fields),
        sql.SQL(", ").join(map(_cast, fields, aliases)),
        values,
    )


def _matching(keys: Sequence[Field], aliases: Sequence[str]) -> sql.Composed:
    conditions = [
        sql.SQL("t.{} = {}").format(sql.Identifier(key.name), _cast(key, alias))
        for key, alias in zip(keys, aliases, strict=False)
    ]
    return sql.SQL(" AND ").join(conditions)


def update_query(table: sql.Identifier, keys: Sequence[Field], fields: Sequence[Field]) -> sql.Composed:
    """An UPDATE of rows found by key, given as one array of texts for each key and each field."""
    values, aliases = _values(len(keys) + len(fields))
    changes = [
        sql.SQL("{} = {}").format(sql.Identifier(field.name), _cast(field, alias))
        for field, alias in zip(fields, aliases[len(keys) :], strict=True)
    ]
    return sql.SQL("UPDATE {} AS t SET {} FROM {} WHERE {}").format(
        table, sql.SQL(", ").join(changes), values, _matching(keys, aliases)
    )


def delete_query(table: sql.Identifier, keys: Sequence[Field]) -> sql.Composed:
    """A DELETE of rows found by key, given as one array of texts for each key."""
    values, aliases = _values(len(keys))
    return sql.SQL("DELETE FROM {} AS t USING {} WHERE {}").format(table, values, _matching(keys, aliases))


def update_all_query(table: sql.Identifier, fields: Sequence[Field]) -> sql.Composed:
    """An UPDATE of every row, given one text for each field."""
    changes = [
        sql.SQL("{} = ${}::text::{}").format(
            sql.Identifier(field.name), sql.SQL(str(index)), sql.SQL(str(field.type))
        )
        for index, field in enumerate(fields, start=1)
    ]
    return sql.SQL("UPDATE {} SET {}").format(table, sql.SQL(", ").join(changes))
