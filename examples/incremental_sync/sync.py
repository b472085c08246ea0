"""An incremental sync: copies one PostgreSQL table into SQLite, and afterwards only what has changed.

What makes it right, each point a line that such syncs tend to lack:

- It asks for rows stamped at the cursor *or later* (`>=`): rows may share a stamp, and the next sync may
  find another one with the stamp at which this one stopped. Reading some rows again does no harm, because
  they are merged by key.
- It asks for rows without a stamp each time. No cursor ever reaches them.
- It looks at the columns each time, by the number that PostgreSQL gives each column for life. A column that
  was dropped and came back under the same name has another number.
- When the columns are not those of the last sync, it reads the whole table again: a column that is added
  with a default has a value in every row, and a cast changes every row, but neither moves any `updated_at`.
- It remembers the table by its object id, which survives a rename, and goes by the name when that table is
  gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

TABLE_QUERY = """
    SELECT c.oid, n.nspname, c.relname
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


class Column(NamedTuple):
    number: int
    name: str
    type: str

    @property
    def declaration(self) -> str:
        """The column of the copy. SQLite gets to know the type's first word; see the converters below."""
        word = self.type.split("(")[0].split()[0]
        stored = {"smallint": "integer", "integer": "integer", "bigint": "integer", "double": "real"}
        return f"{quoted(self.name)} {stored.get(word, word + ' text')}"


class Table(NamedTuple):
    oid: int
    schema: str
    name: str
    columns: tuple[Column, ...]


class Sync:
    """Keeps a copy of a table in a SQLite database.

    Args:
        dsn: The PostgreSQL database.
        path: The file of the SQLite database.
        table: The table's name. It has to have a primary key `key` and a timestamp `updated_at`.
    """

    def __init__(
        self, dsn: str, path: str, table: str, key: str = "id", updated_at: str = "updated_at"
    ) -> None:
        self.dsn, self.name, self.key, self.updated_at = dsn, table, key, updated_at
        self.copy = sqlite3.connect(path, isolation_level=None, detect_types=sqlite3.PARSE_DECLTYPES)
        self.table: Table | None = None
        self.cursor: datetime | None = None

    def close(self) -> None:
        self.copy.close()

    def rows(self) -> list[dict[str, Any]]:
        """What the copy holds."""
        found = self.copy.execute(f"SELECT * FROM {quoted(self.name)}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def run(self) -> None:
        """Bring the copy up to date."""
        with psycopg.connect(self.dsn, row_factory=dict_row) as source, self._transaction():
            # The catalog and the rows of one moment.
            source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            table = find_table(source, self.table.oid if self.table else None, self.name)
            if table != self.table:
                self._start_anew(table)
            self._merge(table, self._changed_rows(source, table))
            self.table = table

    def _start_anew(self, table: Table) -> None:
        self.cursor = None
        declared = ", ".join(column.declaration for column in table.columns)
        self.copy.execute(f"DROP TABLE IF EXISTS {quoted(self.name)}")
        self.copy.execute(f"CREATE TABLE {quoted(self.name)} ({declared}, PRIMARY KEY ({quoted(self.key)}))")

    def _changed_rows(self, source: psycopg.Connection[Any], table: Table) -> Iterable[dict[str, Any]]:
        query = sql.SQL("SELECT {columns} FROM {table}").format(
            columns=sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns),
            table=sql.Identifier(table.schema, table.name),
        )
        if self.cursor is None:
            return source.execute(query)
        since = sql.SQL("{query} WHERE {stamp} >= %s OR {stamp} IS NULL").format(
            query=query, stamp=sql.Identifier(self.updated_at)
        )
        return source.execute(since, [self.cursor])

    def _merge(self, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        marks = ", ".join("?" for _ in table.columns)
        insert = f"INSERT OR REPLACE INTO {quoted(self.name)} VALUES ({marks})"
        for row in rows:
            self.copy.execute(insert, [row[column.name] for column in table.columns])
            stamp = row[self.updated_at]
            if stamp is not None and (self.cursor is None or stamp > self.cursor):
                self.cursor = stamp

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A sync that fails leaves the copy, and where it stands, as they were."""
        before = self.table, self.cursor
        self.copy.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.copy.execute("ROLLBACK")
            self.table, self.cursor = before
            raise
        self.copy.execute("COMMIT")


def find_table(source: psycopg.Connection[Any], oid: int | None, name: str) -> Table:
    """The table of that object id or, where there is none, of that name, and its columns as they are now."""
    with source.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        found = cursor.execute(TABLE_QUERY, {"oid": oid, "name": quoted(name)}).fetchone()
        if found is None:
            raise LookupError(f"there is no table {name!r}")
        identity, schema, present_name = found
        columns = cursor.execute(COLUMNS_QUERY, [identity]).fetchall()
    return Table(identity, schema, present_name, tuple(Column(*column) for column in columns))


def quoted(name: str) -> str:
    """An identifier, for PostgreSQL and SQLite alike."""
    return '"' + name.replace('"', '""') + '"'


# SQLite knows integers, floats, texts and bytes. Everything else is kept as text, and converted back by the
# first word of the type that its column was declared with.

sqlite3.register_adapter(Decimal, str)
sqlite3.register_adapter(UUID, str)
sqlite3.register_adapter(date, date.isoformat)
sqlite3.register_adapter(datetime, datetime.isoformat)
sqlite3.register_converter("numeric", lambda text: Decimal(text.decode()))
sqlite3.register_converter("uuid", lambda text: UUID(text.decode()))
sqlite3.register_converter("date", lambda text: date.fromisoformat(text.decode()))
sqlite3.register_converter("timestamp", lambda text: datetime.fromisoformat(text.decode()))
sqlite3.register_converter("boolean", lambda text: text == b"1")
