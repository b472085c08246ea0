"""Columns that a person might add to a table that is there: names with the types that go with them."""

from __future__ import annotations

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.state import TableState

COLUMNS = (
    ("notes", "text"), ("external_id", "varchar(64)"), ("is_active", "boolean"), ("priority", "smallint"),
    ("archived_at", "timestamptz"), ("metadata", "jsonb"), ("score", "numeric(10,2)"),
    ("locale", "varchar(10)"), ("source", "text"), ("tags", "text[]"), ("due_on", "date"),
    ("position", "integer"), ("checksum", "bytea"), ("rating", "real"), ("reference", "uuid"),
    ("duration", "interval"), ("views", "bigint"),
    ("discount", "numeric(5,4)"), ("opening_time", "time"), ("last_ip", "inet"),
)  # fmt: skip
"""The plain ones first, as the simplest draw takes them."""


def invented(table: TableState) -> list[ColumnDefinition]:
    """The columns of ``COLUMNS`` whose names the table never had."""
    taken = {*table.births, *table.names}
    return [ColumnDefinition(name, sql_type) for name, sql_type in COLUMNS if name not in taken]
