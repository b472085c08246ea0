"""A cached reader: asks for the versions of all rows, and fetches only the rows that have another one.

The version of a row is the transaction that wrote it (xmin). A change of the columns writes no row, so it
empties the cache. The query for rows is prepared once and again after each such change.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import Any, ClassVar, LiteralString

from psycopg import sql

from tests.gallery.consumers.source import Consumer, Row, Table

LABELS_QUERY = "SELECT enumlabel FROM pg_enum WHERE enumtypid = 'order_state'::regtype"


class Cached(Consumer):
    """The correct one."""

    version: ClassVar[LiteralString] = "xmin::text"

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.versions: dict[Any, Hashable] = {}
        self.states: Any = None

    def sync(self) -> None:
        table = self.look()
        self.learn_states()
        if table != self.table:
            self.flush()
            self.prepare(table)
        self.table = table
        query = sql.SQL("SELECT id, {} AS version FROM {}").format(sql.SQL(self.version), table.identifier)
        present = {row["id"]: row["version"] for row in self.connection.execute(query)}
        self.forget(present)
        self.fetch([key for key, version in present.items() if self.is_stale(key, version)])
        self.versions = present

    def look(self) -> Table:
        return self.find()

    def flush(self) -> None:
        self.copy, self.versions = {}, {}

    def prepare(self, table: Table) -> None:
        self.connection.execute("DEALLOCATE ALL")
        query = sql.SQL("PREPARE rows_of (bigint[]) AS SELECT * FROM {} WHERE id = ANY ($1)")
        self.connection.execute(query.format(table.identifier))

    def learn_states(self) -> None:
        labels = [row["enumlabel"] for row in self.connection.execute(LABELS_QUERY)]
        self.states = Enum("State", [(label, label) for label in labels])  # type: ignore[misc]

    def is_stale(self, key: Any, version: Hashable) -> bool:
        return key not in self.copy or self.versions.get(key) != version

    def forget(self, present: dict[Any, Hashable]) -> None:
        self.copy = {key: row for key, row in self.copy.items() if key in present}

    def fetch(self, keys: list[Any]) -> None:
        query = sql.SQL("EXECUTE rows_of ({})").format(sql.Literal(keys) if keys else sql.SQL("'{}'"))
        for row in self.connection.execute(query):
            self.copy[row["id"]] = self.read(row)

    def read(self, row: Row) -> Row:
        """The row with members of the enum in place of their labels."""
        assert self.table is not None
        assert self.states is not None
        members = {column.name for column in self.table.columns if column.type == "order_state"}
        return {
            name: self.states(value) if name in members and value is not None else value
            for name, value in row.items()
        }


class PreparesOnce(Cached):
    """A prepared `SELECT *` is refused when the table's columns are others."""

    prepared = False

    def prepare(self, table: Table) -> None:
        if not self.prepared:
            super().prepare(table)
        self.prepared = True


class GoesByStamp(Cached):
    """Two versions of a row may have one stamp, or none."""

    version = "updated_at"


class CachesLabels(Cached):
    def learn_states(self) -> None:
        if self.states is None:
            super().learn_states()


class CachesName(Cached):
    def look(self) -> Table:
        found = super().look()
        return found._replace(name=self.table.name) if self.table else found


class NeverFlushes(Cached):
    """A change of the columns leaves the versions of the rows as they are."""

    def flush(self) -> None:
        pass


class NeverForgets(Cached):
    def forget(self, present: dict[Any, Hashable]) -> None:
        pass
