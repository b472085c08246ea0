"""The catalog: what the server has under the names that the state's tables and enums have."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from pytest_kroft.errors import DefinitionError, KroftError
from pytest_kroft.model.types import SqlType, parse_type
from pytest_kroft.postgres.catalog_types import AS_TEXT, without_fields

Name = tuple[str, str]
"""A schema and the name of a table or type in it."""


@dataclass(frozen=True, slots=True)
class CatalogColumn:
    """A column as the catalog describes it (``pg_attribute``).

    ``type`` is the one below all domains, or the server's text where kroft has no such type; ``default``
    is the expression as the server prints it, also of a generated column; ``identity`` is as in a
    ``ColumnDefinition``, so that a serial has one and no default.
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
    for row in connection.execute(_COLUMNS, _apart(names)).fetchall():
        schema, table, name, sql_type, owner, bare, array, nullable, default, identity, generated = row
        found = tables.setdefault((schema, table), [])
        if name is not None:
            parsed = _parsed(sql_type, owner, bare, array=array)
            found.append(CatalogColumn(name, parsed, nullable, default, identity, generated))
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


def _parsed(sql_type: str, owner: str, bare: str, *, array: bool) -> SqlType | str:
    """A type as a definition has it; ``owner`` and ``bare`` name the element's of an array."""
    if owner != "pg_catalog":
        if bare in AS_TEXT and not array:
            return SqlType("text", array=array)
        return SqlType(bare, array=array, schema=None if owner == "public" else owner, builtin=False)
    try:
        return parse_type(without_fields(sql_type) if sql_type.startswith("interval ") else sql_type)
    except DefinitionError:
        # A type that accepts no input: not one of kroft's, and so a difference.
        return sql_type


# The type is the one below all domains, which have the modifiers where they name one.
_COLUMNS = """
    SELECT n.nspname, c.relname, a.attname, format_type(t.oid, b.modifier), m.nspname,
        coalesce(e.typname, t.typname), e.oid IS NOT NULL, NOT a.attnotnull,
        CASE WHEN NOT s.serial THEN pg_get_expr(d.adbin, d.adrelid) END,
        CASE WHEN s.serial OR a.attidentity = 'd' THEN 'by default'
            WHEN a.attidentity = 'a' THEN 'always' END,
        a.attgenerated <> ''
    FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN LATERAL (
        WITH RECURSIVE below (oid, modifier, depth) AS (
            SELECT a.atttypid, a.atttypmod, 0
            UNION ALL
            SELECT o.typbasetype, o.typtypmod, w.depth + 1
            FROM below w JOIN pg_type o ON o.oid = w.oid AND o.typtype = 'd'
        ) SELECT * FROM below ORDER BY depth DESC LIMIT 1
    ) AS b ON true
    LEFT JOIN pg_type t ON t.oid = b.oid
    LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
    LEFT JOIN pg_namespace m ON m.oid = coalesce(e.typnamespace, t.typnamespace)
    CROSS JOIN LATERAL (
        SELECT a.attnotnull AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
            AND coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%', false) AND EXISTS (
                SELECT FROM pg_depend o JOIN pg_class q ON q.oid = o.objid AND q.relkind = 'S'
                WHERE o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_class'::regclass
                    AND o.refobjid = c.oid AND o.refobjsubid = a.attnum AND o.deptype = 'a'
            ) AS serial
    ) AS s
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
