"""An incremental sync that asks PostgreSQL which transactions it has not seen, and no column of the table.

Each row has a system column `xmin`: the transaction that wrote it. Each snapshot has a number too: that of
the oldest transaction that has not ended yet. A sync reads the rows that this one or a later one wrote,
counted from the snapshot before. So it misses no row that commits late, is stamped wrongly, or shares its
stamp with others. Some rows are read twice, which does no harm: they are merged by key.

PostgreSQL's documentation, 5.6 ("System Columns") and 9.27.9 ("Transaction ID and Snapshot Information").
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

COLUMNS_QUERY = """
    SELECT attrelid, attnum, attname, atttypid, atttypmod
    FROM pg_attribute
    WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""
EPOCH = 2**32
"""`xmin` has the lower 32 bits of a transaction's number."""


class Sync:
    """Keeps a copy of a table in memory.

    A row that is deleted stays in the copy, as does a row whose key has changed, under the old one: neither
    is written by anybody. When the number of transactions passes a multiple of 2**32, rows look older than
    they are: read the whole table then.

    Args:
        dsn: The PostgreSQL database.
        table: The table's name.
        key: Its primary key.
    """

    def __init__(self, dsn: str, table: str, key: str = "id") -> None:
        self.dsn, self.key = dsn, key
        self.copy: dict[Any, dict[str, Any]] = {}
        self._name, self._oid = table, 0
        self._columns: list[dict[str, Any]] = []
        self._seen = 0

    def run(self) -> None:
        """Bring the copy up to date."""
        with psycopg.connect(self.dsn, row_factory=dict_row) as source:
            # The catalog, the snapshot and the rows of one moment.
            source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            table = self._find(source)
            columns = source.execute(COLUMNS_QUERY, [self._oid]).fetchall()
            if columns != self._columns:
                # A new column may have a default in every row, and a new type a new value: read all of it.
                self.copy, self._columns, self._seen = {}, columns, 0
            self._merge(source, table)

    def _find(self, source: psycopg.Connection[dict[str, Any]]) -> sql.Identifier:
        """The table's present name: that of its object id or, where that is gone, the one it began with."""
        query = "SELECT oid, relname FROM pg_class WHERE oid = %s OR relname = %s ORDER BY oid = %s DESC"
        found = source.execute(query, [self._oid, self._name, self._oid]).fetchone()
        if found is None:
            raise LookupError(f"there is no table {self._name!r}")
        self._oid = found["oid"]
        return sql.Identifier(found["relname"])

    def _merge(self, source: psycopg.Connection[dict[str, Any]], table: sql.Identifier) -> None:
        query = sql.SQL("SELECT * FROM {table} WHERE xmin::text::bigint >= %s").format(table=table)
        for row in source.execute(query, [self._seen % EPOCH]):
            self.copy[row[self.key]] = row
        now = source.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest")
        self._seen = now.fetchone()["oldest"]  # type: ignore[index]
