"""What may be given as a copy -> its rows and the names of its columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from pytest_kroft.errors import RowsRefused

Row = Mapping[str, object]


@dataclass(frozen=True)
class Copy:
    """The rows that a consumer holds; ``columns`` is None where nothing says which columns they have."""

    rows: list[Row]
    columns: tuple[str, ...] | None


def read_copy(actual: Any) -> Copy:
    """The rows of anything that has named columns, and the names.

    Taken are mappings, named tuples, dataclass instances, objects with ``_asdict``, a dict of such rows by
    key, any iterable of them, and a DB-API cursor, which says its columns also where it has no rows.
    Raises RowsRefused for anything else.
    """
    if hasattr(actual, "description") and callable(getattr(actual, "fetchall", None)):
        return _read_cursor(actual)
    rows = actual.values() if isinstance(actual, Mapping) else actual
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Iterable):
        raise RowsRefused(actual, "it is not a collection of rows")
    named = [_named_row(row) for row in rows]
    return Copy(named, column_names(named) if named else None)


def column_names(rows: Iterable[Row]) -> tuple[str, ...]:
    """The columns that any of the rows has, each once, in the order in which they come."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _read_cursor(cursor: Any) -> Copy:
    if cursor.description is None:
        raise RowsRefused(cursor, "the cursor has no result, as it has not run a query that returns rows")
    names = [column[0] for column in cursor.description]
    if len(set(names)) < len(names):
        raise RowsRefused(cursor, f"the query returns several columns of one name ({', '.join(names)})")
    rows = cursor.fetchall()
    if not isinstance(rows, Iterable):
        raise RowsRefused(cursor, "the cursor is asynchronous; await its fetchall() and give the rows")
    # A named tuple goes by the description, as its own field names may be mangled.
    named = [
        dict(zip(names, row, strict=True)) if isinstance(row, Sequence) else _named_row(row) for row in rows
    ]
    # Rows that have names of their own, as a row factory may give them, go by those.
    return Copy(named, column_names(named) if named else tuple(names))


def _named_row(row: Any) -> Row:
    if isinstance(row, Mapping):
        return row
    if is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    if callable(getattr(row, "_asdict", None)):
        return dict(row._asdict())
    if callable(getattr(row, "keys", None)):
        return {name: row[name] for name in row.keys()}  # noqa: SIM118
    raise RowsRefused(row, "its values have no names" if isinstance(row, Sequence) else "it is no row")
