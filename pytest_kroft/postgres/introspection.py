"""The catalog: what the server has under the names that the state's tables and enums have."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from pytest_kroft.errors import DefinitionError, KroftError
from pytest_kroft.model.types import SqlType, parse_type

Name = tuple[str, str]
"""A schema and the name of a table or type in it."""


@dataclass(frozen=True, slots=True)
class CatalogColumn:
    """A column as the catalog describes it (``pg_attribute``).

    ``type`` is the server's text where kroft has no such type; ``default`` is the expression as the
    server prints it, also of a generated column; ``identity`` is as in a ``ColumnDefinition``.
    """

    name: str
    type: SqlType | str
    nullable: bool
    default: str | None = None
    identity: str | None = None
    generated: bool = False


@dataclass(frozen=True, slots=True)
class CatalogKeys:
    """The unique indexes of a table over whole columns (``pg_index``): its primary key, and all of them."""

    primary: tuple[str, ...] = ()
    unique: frozenset[frozenset[str]] = frozenset()


@contextmanager
def asking(database: str) -> Iterator[None]:
    """Raise KroftError, naming the database and what the server said, for any error of psycopg inside."""
    try:
        yield
    except psycopg.Error as error:
        reason = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
        raise KroftError(f"kroft's session in database {database!r} failed: {reason}") from error


def catalog_columns(
    connection: psycopg.Connection[Any], names: Collection[Name]
) -> dict[Name, list[CatalogColumn]]:
    """The columns, in order, of those of the named tables that are there; raises psycopg.Error."""
    tables: dict[Name, list[CatalogColumn]] = {}
    for schema, table, name, sql_type, *rest in connection.execute(_COLUMNS, _apart(names)).fetchall():
        found = tables.setdefault((schema, table), [])
        if name is not None:
            found.append(CatalogColumn(name, _parsed(sql_type), *rest))
    return tables


def catalog_keys(connection: psycopg.Connection[Any], names: Collection[Name]) -> dict[Name, CatalogKeys]:
    """The keys of those of the named tables that have a unique index; raises psycopg.Error."""
    tables: dict[Name, CatalogKeys] = {}
    for schema, table, primary, columns in connection.execute(_KEYS, _apart(names)).fetchall():
        found = tables.get((schema, table), CatalogKeys())
        tables[schema, table] = CatalogKeys(
            tuple(columns) if primary else found.primary, found.unique | {frozenset(columns)}
        )
    return tables


def catalog_labels(
    connection: psycopg.Connection[Any], names: Collection[Name]
) -> dict[Name, tuple[str, ...]]:
    """The labels, in order, of those of the named enums that are there; raises psycopg.Error."""
    rows = connection.execute(_LABELS, _apart(names)).fetchall()
    return {(schema, name): tuple(labels) for schema, name, labels in rows}


def _apart(names: Collection[Name]) -> list[list[str]]:
    return [[schema for schema, _ in names], [name for _, name in names]]


def _parsed(sql_type: str) -> SqlType | str:
    try:
        return parse_type(sql_type)
    except DefinitionError:
        # Such as "interval day to second": not one of kroft's, and so a difference.
        return sql_type


# format_type qualifies a type that the search path does not reach, so that "public" is never named.
_COLUMNS = """
    SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid),
        CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
        a.attgenerated <> ''
    FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    ORDER BY n.nspname, c.relname, a.attnum
"""
# Without those over an expression or some rows, which keep no whole columns apart.
_KEYS = """
    SELECT n.nspname, c.relname, i.indisprimary, array_agg(a.attname::text ORDER BY k.place)
    FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid
        AND i.indexprs IS NULL AND i.indpred IS NULL
    CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number AND k.place <= i.indnkeyatts
    GROUP BY n.nspname, c.relname, i.indexrelid, i.indisprimary
"""
_LABELS = """
    SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
    FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = wanted.name
    JOIN pg_enum e ON e.enumtypid = t.oid
    GROUP BY n.nspname, t.typname
"""
