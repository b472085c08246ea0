"""Full refresh: brings the copy's columns to those of the table, then reads and writes all rows.

The copy is a table of its own: columns are dropped and renamed in it, values are rounded to its columns'
types.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from tests.gallery.consumers.source import Connection, Consumer, Row, Table, connect_plainly

_EXACT = Context(prec=2_000)


class Refresh(Consumer):
    """The correct one."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.columns: dict[int, str] = {}
        self.types: dict[str, str] = {}

    def sync(self) -> None:
        table = self.find()
        if self.table is not None and self.table.oid != table.oid:
            self.columns, self.types, self.copy = {}, {}, {}
        self.follow_columns(table)
        self.write(self.read(table))
        self.table = table

    def follow_columns(self, table: Table) -> None:
        present = {column.number: column.name for column in table.columns}
        for number, name in self.columns.items():
            if number not in present:
                self.drop_column(name)
            elif present[number] != name:
                self.rename_column(name, present[number])
        self.columns = present
        for column in table.columns:
            self.set_type(column.name, column.type)

    def drop_column(self, name: str) -> None:
        for row in self.copy.values():
            row.pop(name, None)

    def rename_column(self, name: str, new_name: str) -> None:
        for row in self.copy.values():
            row[new_name] = row.pop(name, None)

    def set_type(self, name: str, sql_type: str) -> None:
        self.types[name] = sql_type

    def read(self, table: Table) -> list[Row]:
        query = sql.SQL("SELECT * FROM {}").format(table.identifier)
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(query)
            names = self.names([column.name for column in cursor.description or ()])
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def names(self, present: Sequence[str]) -> Sequence[str]:
        return present

    def write(self, rows: list[Row]) -> None:
        gone = self.copy.keys() - {row["id"] for row in rows}
        for key in gone:
            del self.copy[key]
        for row in rows:
            values = {name: rounded(self.value(value), self.types[name]) for name, value in row.items()}
            self.copy.setdefault(row["id"], {}).update(values)

    def value(self, value: Any) -> Any:
        return value


def rounded(value: Any, sql_type: str) -> Any:
    """What a column of that type makes of a number."""
    if not isinstance(value, Decimal) or not value.is_finite() or not sql_type.startswith("numeric("):
        return value
    scale = int(sql_type.removesuffix(")").partition(",")[2])
    return value.quantize(Decimal(1).scaleb(-scale), context=_EXACT)


class KeepsWhenEmpty(Refresh):
    """An empty result is taken for "no change"."""

    def write(self, rows: list[Row]) -> None:
        if rows:
            super().write(rows)


class NeverDropsColumns(Refresh):
    def drop_column(self, name: str) -> None:
        pass


class RenameLeavesOld(Refresh):
    def rename_column(self, name: str, new_name: str) -> None:
        pass


class MapsByPosition(Refresh):
    """Learns the order of the columns only when there are others; one may come back as the last."""

    known: Sequence[str] = ()

    def names(self, present: Sequence[str]) -> Sequence[str]:
        if set(present) != set(self.known):
            self.known = present
        return self.known


class EmptyTextIsNull(Refresh):
    def value(self, value: Any) -> Any:
        return None if value == "" else value


class CutsToFloat(Refresh):
    def value(self, value: Any) -> Any:
        return float(value) if isinstance(value, Decimal) else value


class NanIsNull(Refresh):
    def value(self, value: Any) -> Any:
        return None if isinstance(value, Decimal) and value.is_nan() else value


class CachesTypes(Refresh):
    def set_type(self, name: str, sql_type: str) -> None:
        self.types.setdefault(name, sql_type)


class PlainDates(Refresh):
    """Reads dates as psycopg does, which refuses infinity and years that Python does not have."""

    def connect(self, dsn: str) -> Connection:
        return connect_plainly(dsn)
