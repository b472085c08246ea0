"""The catalog: which tables and columns the server has, for comparing them with the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from pytest_kroft.model.types import SqlType, parse_type


@dataclass(frozen=True, slots=True)
class CatalogColumn:
    """A column as the catalog describes it."""

    name: str
    type: SqlType
    nullable: bool


def catalog_columns(connection: psycopg.Connection[Any]) -> dict[tuple[str, str], list[CatalogColumn]]:
    """The columns of every table outside the system's schemas: (schema, table) -> columns in order."""
    tables: dict[tuple[str, str], list[CatalogColumn]] = {}
    for schema, table, name, sql_type, nullable in connection.execute(_COLUMNS).fetchall():
        found = tables.setdefault((schema, table), [])
        if name is not None:
            found.append(CatalogColumn(name, parse_type(sql_type), nullable))
    return tables


# format_type qualifies a type that the search path does not reach, so that "public" is never named.
_COLUMNS = """
    SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    ORDER BY n.nspname, c.relname, a.attnum
"""
