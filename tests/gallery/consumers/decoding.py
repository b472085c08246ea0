"""Logical decoding: applies what a replication slot hands out, over an ordinary connection.

The slot tells of rows, not of columns. So the columns are looked at after the changes were taken: when
they are others, the changes are put aside and the table is read anew. Nothing is locked for that, so that
a change may be applied on top of a row that has it already; applying is made so that this does no harm.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any

from psycopg import pq, sql
from psycopg.adapt import Transformer

from examples.logical_decoding.decoding import UNCHANGED, Change, Value, parse
from tests.gallery.consumers.source import Consumer, Row, Table

CHANGES_QUERY = "SELECT xid::text::bigint AS xid, data FROM pg_logical_slot_get_changes(%s, NULL, NULL)"


class Decoding(Consumer):
    """The correct one. The replica identity is the primary key."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.loaders = Transformer(self.connection)
        self.slot = f"copy_{secrets.token_hex(8)}"
        self.connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [self.slot])

    def close(self) -> None:
        """Drop the slot: as long as there is one, the server keeps the log for it."""
        if not self.connection.closed:
            self.connection.execute("SELECT pg_drop_replication_slot(%s)", [self.slot])
        super().close()

    def sync(self) -> None:
        changes = self.take()
        table = self.find()
        if self.is_other(table) or self.tell_of_another(changes, table):
            self.read_anew(table)
        else:
            self.apply_all(changes, self.qualified(table))
        self.table = table

    def take(self) -> list[Change]:
        """The changes that were committed since the last time, transaction by transaction."""
        lines = self.connection.execute(CHANGES_QUERY, [self.slot]).fetchall()
        return [change for line in lines if self.is_news(line["xid"]) and (change := parse(line["data"]))]

    def is_news(self, xid: int) -> bool:
        """Each transaction is handed out once."""
        return True

    def is_other(self, table: Table) -> bool:
        return table != self.table

    def tell_of_another(self, changes: Iterable[Change], table: Table) -> bool:
        """Whether the table had other columns, or types, when a change was made, and has them no more."""
        types = {column.name: re.sub(r"\(.*?\)", "", column.type) for column in table.columns}
        told = [(name, value.type) for change in changes for name, value in change.new.items()]
        return any(types.get(name) != sql_type for name, sql_type in told)

    def qualified(self, table: Table) -> str:
        query = "SELECT format('%%I.%%I', %s::text, %s::text) AS name"
        name: str = self.connection.execute(query, [table.schema, table.name]).fetchall()[0]["name"]
        return name

    def read_anew(self, table: Table) -> None:
        rows = self.connection.execute(sql.SQL("SELECT * FROM {}").format(table.identifier))
        self.copy = {row["id"]: row for row in rows}

    def apply_all(self, changes: Iterable[Change], table: str) -> None:
        for change in changes:
            if table in change.tables:
                self.apply(change)

    def apply(self, change: Change) -> None:
        match change.action:
            case "TRUNCATE":
                self.truncate()
            case "DELETE":
                self.copy.pop(self.load(change.old["id"]), None)
            case _:
                self.write(change)

    def truncate(self) -> None:
        self.copy.clear()

    def write(self, change: Change) -> None:
        """An insert, or an update: of the old row the log has the key, and only where the key changes."""
        key = self.load(self.old_key(change))
        old = self.copy.pop(key, {})
        row = {name: self.new_value(name, value, old) for name, value in change.new.items()}
        self.copy[row["id"]] = row

    def old_key(self, change: Change) -> Value:
        return change.old["id"] if change.old else change.new["id"]

    def new_value(self, name: str, value: Value, old: Row) -> Any:
        return old.get(name) if value.text is UNCHANGED else self.load(value)

    def load(self, value: Value) -> Any:
        """The value that a cursor would give."""
        if not isinstance(value.text, str):
            return None
        # A boolean is printed as SQL has it; everything else as the server sends it.
        text = value.text[0] if value.type == "boolean" else value.text
        try:
            oid = self.connection.adapters.types.get_oid(value.type)
        except KeyError:
            return text  # an enum
        return self.loaders.get_loader(oid, pq.Format.TEXT).load(text.encode())


class UnchangedIsNull(Decoding):
    """A large value that the update left alone is not in the log."""

    def new_value(self, name: str, value: Value, old: Row) -> Any:
        return None if value.text is UNCHANGED else self.load(value)


class IgnoresTruncate(Decoding):
    def truncate(self) -> None:
        pass


class IgnoresKeyChange(Decoding):
    def old_key(self, change: Change) -> Value:
        return change.new["id"]


class DeletesLast(Decoding):
    """Writes a batch's rows, then deletes its deleted ones: also those that came back."""

    def apply_all(self, changes: Iterable[Change], table: str) -> None:
        super().apply_all(sorted(changes, key=lambda change: change.action == "DELETE"), table)


class GoesByTransactionNumber(Decoding):
    """Takes a transaction with a smaller number than the last one for one that it has applied."""

    last = 0

    def is_news(self, xid: int) -> bool:
        news, self.last = xid >= self.last, max(xid, self.last)
        return news


class LooksOnce(Decoding):
    """Later columns are known from the changes; what rows got by default is in no change."""

    def is_other(self, table: Table) -> bool:
        return self.table is None or table.oid != self.table.oid
