"""Incremental by cursor: reads what is stamped at the latest stamp it has seen, or later.

It pages through the rows by (updated_at, id), reads rows without a stamp every time, learns of deletes by
comparing keys, and reads all anew when the columns are others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar, LiteralString

from psycopg import sql

from tests.gallery.consumers.source import Consumer, Row, Table

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""No order is older."""
IN_PAGES: LiteralString = " ORDER BY updated_at, id LIMIT 10"


class Incremental(Consumer):
    """The correct one. A row that is stamped in the past is never read: that it documents."""

    documented: ClassVar[frozenset[str]] = frozenset({"late_commit", "clock_skew"})
    first_page: ClassVar[LiteralString] = "updated_at >= %(stamp)s"
    next_page: ClassVar[LiteralString] = "(updated_at, id) > (%(stamp)s, %(id)s)"
    overlap: ClassVar[timedelta] = timedelta(0)

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.cursor = BEGINNING

    def sync(self) -> None:
        table = self.look()
        if self.table is None or self.shape(table) != self.shape(self.table):
            self.start_anew()
        self.table = table
        self.forget_deleted(table)
        rows = [*self.unstamped(table), *self.stamped(table)]
        for row in rows:
            self.copy[self.place(row)] = row
        self.cursor = self.moved(rows)

    def look(self) -> Table:
        return self.find()

    def shape(self, table: Table) -> Hashable:
        return table.oid, table.columns

    def start_anew(self) -> None:
        self.cursor = BEGINNING
        self.copy.clear()

    def forget_deleted(self, table: Table) -> None:
        query = sql.SQL("SELECT id FROM {}").format(table.identifier)
        keys = {row["id"] for row in self.connection.execute(query)}
        self.copy = {place: row for place, row in self.copy.items() if row["id"] in keys}

    def unstamped(self, table: Table) -> Iterable[Row]:
        return self.select(table, "updated_at IS NULL")

    def stamped(self, table: Table) -> Iterator[Row]:
        page = self.select(table, self.first_page + IN_PAGES, stamp=self.cursor - self.overlap)
        while page:
            yield from page
            last = page[-1]
            page = self.select(table, self.next_page + IN_PAGES, stamp=last["updated_at"], id=last["id"])

    def select(self, table: Table, condition: LiteralString, **values: object) -> list[Row]:
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            table.fields, table.identifier, sql.SQL(condition)
        )
        return self.connection.execute(query, values).fetchall()

    def place(self, row: Row) -> Hashable:
        key: int = row["id"]
        return key

    def moved(self, rows: list[Row]) -> datetime:
        stamps: list[datetime] = [
            self.cursor,
            *(row["updated_at"] for row in rows if row["updated_at"] is not None),
        ]
        return max(stamps)


class Overlapping(Incremental):
    """The correct one with a margin: reads the last day again, so that late and backdated rows are read."""

    documented: ClassVar[frozenset[str]] = frozenset()
    overlap: ClassVar[timedelta] = timedelta(days=1)


class Strict(Incremental):
    first_page = "updated_at > %(stamp)s"


class Appending(Incremental):
    """Rows at the cursor are read again, and appended again."""

    def place(self, row: Row) -> Hashable:
        return object()


class IgnoresDeletes(Incremental):
    def forget_deleted(self, table: Table) -> None:
        pass


class CountsForDeletes(Incremental):
    """Looks for deleted rows only where the table has fewer rows than the copy."""

    def forget_deleted(self, table: Table) -> None:
        query = sql.SQL("SELECT count(*) AS n FROM {}").format(table.identifier)
        if self.connection.execute(query).fetchall()[0]["n"] < len(self.copy):
            super().forget_deleted(table)


class LosesUnstamped(Incremental):
    def unstamped(self, table: Table) -> Iterable[Row]:
        return []


class CachesColumns(Incremental):
    def look(self) -> Table:
        found = super().look()
        return found._replace(columns=self.table.columns) if self.table else found


class GoesByNames(Incremental):
    """A column that was dropped and came back has its old name and type, and not its old number."""

    def shape(self, table: Table) -> Hashable:
        return table.oid, frozenset((column.name, column.type) for column in table.columns)


class MissesBackfill(Incremental):
    """New columns are read from here on; the rows behind the cursor are not read again."""

    def start_anew(self) -> None:
        pass


class ReadersClock(Incremental):
    """The cursor is the time of the sync by another clock than the one that stamps the rows."""

    def moved(self, rows: list[Row]) -> datetime:
        now: datetime = self.connection.execute("SELECT now() AS now").fetchall()[0]["now"]
        return now


class PagesByStamp(Incremental):
    """Where a page ends between two rows of one stamp, the rest of them is never read."""

    next_page = "updated_at > %(stamp)s"


class NoOverlap(Overlapping):
    overlap = timedelta(0)
