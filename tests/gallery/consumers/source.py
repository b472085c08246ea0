"""What the consumers share: a connection that reads any value, and the table as the catalog has it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

NAME = "orders"
TABLE_QUERY = """
    SELECT c.oid, n.nspname AS schema, c.relname AS name, a.attnum AS number, a.attname AS column,
        format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.oid = coalesce((SELECT oid FROM pg_class WHERE oid = %s), to_regclass(%s))
    ORDER BY a.attnum
"""


class Column(NamedTuple):
    """A column: the number that PostgreSQL gives it for life, its present name and type."""

    number: int
    name: str
    type: str


class Table(NamedTuple):
    """A table: its object id, its present name and columns."""

    oid: int
    schema: str
    name: str
    columns: tuple[Column, ...]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def fields(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns)


class Consumer:
    """Keeps a copy of the table; the connection is never left in a transaction.

    Its families are subclasses. What a family says it does not handle stands in ``documented``, as
    names of hazards.
    """

    documented: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, dsn: str) -> None:
        self.connection = self.connect(dsn)
        self.table: Table | None = None
        self.copy: dict[Any, Row] = {}
        self.oid: int | None = None
        # The table may have another name by the first sync.
        self.find()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def connect(self, dsn: str) -> Connection:
        return connect(dsn)

    def sync(self) -> None:
        """Bring the copy up to date."""
        raise NotImplementedError

    def close(self) -> None:
        self.connection.close()

    @property
    def rows(self) -> Sequence[Row]:
        """What the copy holds."""
        return list(self.copy.values())

    def find(self) -> Table:
        """The table that was known by its object id or, where that is gone, the one of its name."""
        found = self.connection.execute(TABLE_QUERY, [self.oid, NAME]).fetchall()
        if not found:
            raise LookupError(f"there is no table {NAME!r}")
        columns = tuple(Column(row["number"], row["column"], row["type"]) for row in found)
        self.oid = oid = found[0]["oid"]
        return Table(oid, found[0]["schema"], found[0]["name"], columns)


def _or_text(loader: Any) -> Any:
    class OrText(loader):  # type: ignore[misc]
        """A date or time that Python cannot hold (infinity, BC, the year 10000) is read as text."""

        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return OrText


_LOADERS = {
    "date": _or_text(DateLoader),
    "timestamp": _or_text(TimestampLoader),
    "timestamptz": _or_text(TimestamptzLoader),
}


def connect(dsn: str) -> Connection:
    """An autocommit connection that reads any date and prepares nothing."""
    connection = connect_plainly(dsn)
    for name, loader in _LOADERS.items():
        connection.adapters.register_loader(name, loader)
    return connection


def connect_plainly(dsn: str) -> Connection:
    """An autocommit connection with psycopg's own loaders."""
    return psycopg.connect(dsn, autocommit=True, row_factory=dict_row, prepare_threshold=None)
