"""The only code that writes to the server: carries out the statements of an operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import psycopg
from psycopg import sql

from pytest_kroft.errors import ExecutionError
from pytest_kroft.model.describe import describe
from pytest_kroft.model.expressions import is_constant
from pytest_kroft.model.operations import AddColumn, Insert, Observed, Operation, Update
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.postgres.statements import (
    Command,
    DeleteAll,
    DeleteRows,
    Field,
    InsertRows,
    MoveSequence,
    Statement,
    UpdateAll,
    UpdateRows,
    statements,
    table_name,
)

COPY_FROM = 200
"""From so many rows on, COPY is faster than one INSERT (see the benchmarks)."""

Connection = psycopg.Connection[Any]


class Executor:
    """Carries operations out on one connection, which must be in autocommit mode.

    An operation is one transaction. Each statement's row count is compared with the one that the
    state predicted; a difference rolls the operation back.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, before: State, operation: Operation, after: State) -> None:
        """Carry one operation out; raises ExecutionError, and then the server holds what it held before."""
        todo = statements(before, operation, after)
        try:
            if todo:
                with self._connection.transaction():
                    self._run_all(todo)
        except psycopg.Error as error:
            raise self._refused(operation, before, error) from error
        except _WrongCount as error:
            raise ExecutionError(
                describe(operation, before),
                f"the server changed {error.actual} rows, and {error.expected} were expected; "
                "something else wrote to the table (adopt_rows() takes such rows over)",
            ) from None

    def _run_all(self, todo: Sequence[Statement]) -> None:
        for statement in todo:
            self._run(statement)

    def _run(self, statement: Statement) -> None:
        match statement:
            case Command(text):
                self._connection.execute(text)
            case InsertRows(_, _, rows) if len(rows) >= COPY_FROM:
                self._copy(statement)
            case InsertRows(table, fields, rows):
                self._counted(insert_query(table, fields), _transposed(rows, len(fields)), len(rows))
            case UpdateRows(table, keys, fields, rows):
                self._counted(
                    update_query(table, keys, fields), _transposed(rows, len(keys) + len(fields)), len(rows)
                )
            case DeleteRows(table, keys, rows):
                self._counted(delete_query(table, keys), _transposed(rows, len(keys)), len(rows))
            case UpdateAll(table, fields, texts, count):
                self._counted(update_all_query(table, fields), list(texts), count)
            case DeleteAll(table, count):
                self._counted(sql.SQL("DELETE FROM {}").format(table), [], count)
            case MoveSequence(table, column, highest):
                name = table.as_string(self._connection)
                psycopg.RawCursor(self._connection).execute(SEQUENCE_QUERY, [name, column, highest])
            case _:
                assert_never(statement)

    def _counted(self, query: sql.Composed, parameters: list[Any], expected: int) -> None:
        # A raw cursor takes $1 and leaves the percent sign alone, which names may hold.
        cursor = psycopg.RawCursor(self._connection).execute(query, parameters)
        if cursor.rowcount != expected:
            raise _WrongCount(expected, cursor.rowcount)

    def _copy(self, statement: InsertRows) -> None:
        names = sql.SQL(", ").join(sql.Identifier(field.name) for field in statement.fields)
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(statement.table, names)
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in statement.rows:
                copy.write_row(row)

    def observe(self, operation: Operation, after: State) -> Observed | None:
        """The cells that only the server could know after an operation, or None where there are none."""
        columns = observed_columns(operation, after)
        if not columns or not isinstance(operation, Insert | Update | AddColumn):
            return None
        table = after.table(operation.table)
        numbers = _touched(table, operation)
        if not numbers:
            return None
        cells = self._read(after, table, columns, numbers)
        return Observed(operation.table, "server", numbers, cells)

    def _read(
        self, state: State, table: TableState, columns: Sequence[ColumnState], numbers: Sequence[int]
    ) -> dict[str, tuple[str | None, ...]]:
        if not table.key:
            name, column = table.definition.name, columns[0].name
            raise ExecutionError(
                f"reading column {column!r} of {name!r}",
                "the server computes it, and without a primary key its rows cannot be told apart",
            )
        keys = state.readers(table, table.key)
        wanted = sql.SQL(", ").join(_as_text(column.name) for column in (*table.key, *columns))
        found = self._connection.execute(
            sql.SQL("SELECT {} FROM {}").format(wanted, table_name(table))
        ).fetchall()
        size = len(table.key)
        by_key = {tuple(row[:size]): tuple(row[size:]) for row in found}
        rows = [by_key[table.texts(table.rows[number], keys)] for number in numbers]
        return {column.name: tuple(row[index] for row in rows) for index, column in enumerate(columns)}

    def _refused(self, operation: Operation, before: State, error: psycopg.Error) -> ExecutionError:
        words = error.diag.message_primary or str(error).strip() or type(error).__name__
        if error.diag.message_detail:
            words += f" ({error.diag.message_detail})"
        if isinstance(error, psycopg.errors.LockNotAvailable):
            words += "; " + self._blockers()
        if isinstance(error, psycopg.errors.IntegrityConstraintViolation):
            words += "; give the column a generator whose values the constraint allows"
        return ExecutionError(describe(operation, before), words, sqlstate=error.sqlstate)

    def _blockers(self) -> str:
        sessions = self._connection.execute(BLOCKERS_QUERY).fetchall()
        named = [
            f"session {pid} ({state}) whose last statement was: {query}" for pid, state, query in sessions
        ]
        return "the table is locked by " + ("; ".join(named) or "a session that is gone by now")


class _WrongCount(Exception):
    def __init__(self, expected: int, actual: int) -> None:
        self.expected, self.actual = expected, actual
        super().__init__()


SEQUENCE_QUERY = "SELECT setval(pg_get_serial_sequence($1, $2), greatest($3::bigint, 1))"
BLOCKERS_QUERY = """
    SELECT pid, state, left(query, 200) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    ORDER BY xact_start
"""


def observed_columns(operation: Operation, after: State) -> list[ColumnState]:
    """The columns whose cells an operation makes the server compute in a way that kroft cannot."""
    if isinstance(operation, Insert | Update):
        table = after.table(operation.table)
        return [column for column in table.columns if column.computed and column.computed.function is None]
    if isinstance(operation, AddColumn):
        column = after.table(operation.table).column(operation.column.name)
        volatile = column.default is not None and not is_constant(column.default)
        opaque = column.computed is not None and column.computed.function is None
        return [column] if volatile or opaque or column.definition.identity else []
    return []


def _touched(table: TableState, operation: Insert | Update | AddColumn) -> tuple[int, ...]:
    if isinstance(operation, Insert):
        return tuple(range(operation.first, operation.first + operation.count))
    return operation.rows if isinstance(operation, Update) else tuple(table.rows.numbers)


def _transposed(rows: Sequence[Sequence[str | None]], width: int) -> list[list[str | None]]:
    return [[row[index] for row in rows] for index in range(width)]


def _as_text(name: str) -> sql.Composed:
    return sql.SQL("{}::text").format(sql.Identifier(name))


def _cast(field: Field, alias: str) -> sql.Composed:
    return sql.Composed([sql.Identifier("v", alias), sql.SQL(f"::{field.type}")])


def _values(count: int) -> tuple[sql.Composable, list[str]]:
    """``unnest(...) AS v(c0, c1, ...)`` over one array of texts for each column."""
    names = [f"c{index}" for index in range(count)]
    arrays = sql.SQL(", ").join(sql.SQL(f"${index + 1}::text[]") for index in range(count))
    return sql.SQL("unnest({}) AS v({})").format(
        arrays, sql.SQL(", ").join(map(sql.Identifier, names))
    ), names


def insert_query(table: sql.Identifier, fields: Sequence[Field]) -> sql.Composed:
    """An INSERT of rows that are given as one array of texts for each field."""
    values, aliases = _values(len(fields))
    return sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
        table,
        sql.SQL(", ").join(sql.Identifier(field.name) for field in fields),
        sql.SQL(", ").join(map(_cast, fields, aliases)),
        values,
    )


def _matching(keys: Sequence[Field], aliases: Sequence[str]) -> sql.Composed:
    conditions = [
        sql.SQL("t.{} = {}").format(sql.Identifier(key.name), _cast(key, alias))
        for key, alias in zip(keys, aliases, strict=False)
    ]
    return sql.SQL(" AND ").join(conditions)


def update_query(table: sql.Identifier, keys: Sequence[Field], fields: Sequence[Field]) -> sql.Composed:
    """An UPDATE of rows found by key, given as one array of texts for each key and each field."""
    values, aliases = _values(len(keys) + len(fields))
    changes = [
        sql.SQL("{} = {}").format(sql.Identifier(field.name), _cast(field, alias))
        for field, alias in zip(fields, aliases[len(keys) :], strict=True)
    ]
    return sql.SQL("UPDATE {} AS t SET {} FROM {} WHERE {}").format(
        table, sql.SQL(", ").join(changes), values, _matching(keys, aliases)
    )


def delete_query(table: sql.Identifier, keys: Sequence[Field]) -> sql.Composed:
    """A DELETE of rows found by key, given as one array of texts for each key."""
    values, aliases = _values(len(keys))
    return sql.SQL("DELETE FROM {} AS t USING {} WHERE {}").format(table, values, _matching(keys, aliases))


def update_all_query(table: sql.Identifier, fields: Sequence[Field]) -> sql.Composed:
    """An UPDATE of every row, given one text for each field."""
    changes = [
        sql.SQL("{} = ${}::text::{}").format(
            sql.Identifier(field.name), sql.SQL(str(index)), sql.SQL(str(field.type))
        )
        for index, field in enumerate(fields, start=1)
    ]
    return sql.SQL("UPDATE {} SET {}").format(table, sql.SQL(", ").join(changes))
