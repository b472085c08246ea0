"""A consumer of logical decoding: keeps a copy of one table in memory from the changes that a slot hands
out.

It reads the slot with `pg_logical_slot_get_changes` over an ordinary connection. The slot tells of rows,
not of columns: nothing in it says that a column came with a default, or what a cast made of the values. So
the consumer looks at the columns before it believes the changes, and when they are not those that it knows,
it reads the table anew.

To read the table anew, it locks out writers for a moment. Whatever the log holds up to that moment is in
the rows that it reads; the slot is moved there, and what follows is applied on top. Nothing is missed and
nothing is applied twice.

The table gets REPLICA IDENTITY FULL, so that the log holds the whole old row of each update and delete: the
old key where the key changes, and large values that the update left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import psycopg
from psycopg import pq, sql
from psycopg.adapt import Transformer
from psycopg.rows import dict_row

from examples.logical_decoding.decoding import UNCHANGED, Change, Tuple, Value, parse

Row = dict[str, Any]

TABLE_QUERY = """
    SELECT c.oid, n.nspname, c.relname, format('%%I.%%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = %(oid)s OR c.oid = to_regclass(%(name)s)
    ORDER BY c.oid = %(oid)s DESC NULLS LAST
    LIMIT 1
"""
COLUMNS_QUERY = """
    SELECT attnum, attname, format_type(atttypid, atttypmod)
    FROM pg_attribute
    WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""
CHANGES_QUERY = "SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL, 'include-xids', 'off')"


class Table(NamedTuple):
    """The table as the catalog has it: what changes when the rows have to be read anew."""

    oid: int
    schema: str
    name: str
    qualified: str
    columns: tuple[tuple[int, str, str], ...]


class Consumer:
    """Keeps a copy of a table with a primary key, by a replication slot of its own.

    Args:
        dsn: The PostgreSQL database.
        table: The table's name.
        slot: The slot's name, which no other slot of the server has.
        key: The columns of the primary key.
    """

    def __init__(self, dsn: str, table: str, slot: str, key: tuple[str, ...] = ("id",)) -> None:
        self.name, self.slot, self.key = table, slot, key
        self.copy: dict[tuple[Any, ...], Row] = {}
        self.table: Table | None = None
        # psycopg prepares what it runs again and again, and PostgreSQL refuses a prepared query whose columns
        # are others by now.
        self.connection = psycopg.connect(dsn, autocommit=True, row_factory=dict_row, prepare_threshold=None)
        self.loaders = Transformer(self.connection)
        self.connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [slot])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the slot: as long as there is one, the server keeps the log for it."""
        self.connection.execute("SELECT pg_drop_replication_slot(%s)", [self.slot])
        self.connection.close()

    def sync(self) -> None:
        """Bring the copy up to date."""
        lines = self.connection.execute(CHANGES_QUERY, [self.slot]).fetchall()
        # Only now: if the columns changed between the two, it is seen here.
        table = self._find()
        if table != self.table:
            self._read_anew(table)
            return
        for line in lines:
            change = parse(line["data"])
            if change and table.qualified in change.tables:
                self._apply(change)

    def _find(self) -> Table:
        """The table that was known by its object id or, where that is gone, the one of its name."""
        known = {"oid": self.table.oid if self.table else None, "name": sql.Identifier(self.name).as_string()}
        with self.connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            found = cursor.execute(TABLE_QUERY, known).fetchone()
            if found is None:
                raise LookupError(f"there is no table {self.name!r}")
            oid, schema, name, qualified = found
            columns = cursor.execute(COLUMNS_QUERY, [oid]).fetchall()
        return Table(oid, schema, name, qualified, tuple(columns))

    def _read_anew(self, table: Table) -> None:
        name = sql.Identifier(table.schema, table.name)
        with self.connection.transaction():
            self.connection.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(name))
            # The alteration has locked the table against everybody, so that this is the place in the log.
            place = self.connection.execute("SELECT pg_current_wal_insert_lsn() AS lsn").fetchone()
            rows = self.connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall()
        assert place is not None
        self.connection.execute("SELECT pg_replication_slot_advance(%s, %s)", [self.slot, place["lsn"]])
        self.copy = {self._key(row): row for row in rows}
        self.table = table

    def _apply(self, change: Change) -> None:
        old, new = dict(self._values(change.old)), dict(self._values(change.new))
        match change.action:
            case "TRUNCATE":
                self.copy.clear()
            case "INSERT":
                self.copy[self._key(new)] = new
            case "UPDATE":
                # The old row leaves out what was NULL, and no unchanged large value is.
                row = {name: old[name] if value is UNCHANGED else value for name, value in new.items()}
                del self.copy[self._key(old)]
                self.copy[self._key(row)] = row
            case "DELETE":
                del self.copy[self._key(old)]

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key)

    def _values(self, cells: Tuple) -> Iterator[tuple[str, Any]]:
        for name, value in cells.items():
            yield name, self._load(value)

    def _load(self, value: Value) -> Any:
        """The value that a cursor would give."""
        if value.text is None or value.text is UNCHANGED:
            return value.text
        # A boolean is printed as SQL has it; everything else as the server sends it.
        text = value.text[0] if value.type == "boolean" else value.text
        try:
            oid = self.connection.adapters.types.get_oid(value.type)
        except KeyError:
            return text  # an enum
        return self.loaders.get_loader(oid, pq.Format.TEXT).load(text.encode())
