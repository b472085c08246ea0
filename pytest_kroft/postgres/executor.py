"""The only code that writes to the server: carries out the statements of an operation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, assert_never

import psycopg
from psycopg import sql

from pytest_kroft.errors import ExecutionError, listing
from pytest_kroft.model.clauses import mentions
from pytest_kroft.model.describe import describe
from pytest_kroft.model.expressions import is_constant, literal
from pytest_kroft.model.literals import is_opaque
from pytest_kroft.model.operations import (
    AddColumn,
    CreateTable,
    CreateType,
    Insert,
    Observed,
    Operation,
    Update,
)
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.postgres.queries import (
    BLOCKERS_QUERY,
    SEQUENCE_QUERY,
    delete_query,
    insert_query,
    update_all_query,
    update_query,
)
from pytest_kroft.postgres.statements import (
    Command,
    DeleteAll,
    DeleteRows,
    InsertRows,
    MoveSequence,
    Statement,
    UpdateAll,
    UpdateRows,
    moved_sequences,
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

    def __call__(self, before: State, operation: Operation, after: State) -> Observed | None:
        """Carry one operation out and return what only the server could know after it, if anything.

        Raises ExecutionError, and then the server holds what it held before.
        """
        todo = statements(before, operation, after)
        if not todo:
            return None
        try:
            with self._connection.transaction():
                self._run_all(todo)
                # Read before the commit: what cannot be observed is not done.
                return self.observe(operation, after)
        except psycopg.Error as error:
            raise self._refused(before, operation, after, error) from error
        except _Unexpected as error:
            raise ExecutionError(
                _words(before, operation, after),
                f"{error}; {_suspects(operation, error)}",
            ) from None

    def move_sequences(self, before: State, after: State, name: str) -> None:
        """Move a table's sequences past the rows that the state took over."""
        self._run_all(moved_sequences(before, after, name))

    def _run_all(self, todo: Sequence[Statement]) -> None:
        for statement in todo:
            self._run(statement)

    def _run(self, statement: Statement) -> None:
        match statement:
            case Command(text):
                # The extended protocol, which asking for binary results is the way to: a default or a
                # constraint is a user's SQL, and there the server refuses a second command in it.
                self._connection.execute(text, binary=True)
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
            raise _wrong_count(expected, cursor.rowcount)

    def _copy(self, statement: InsertRows) -> None:
        names = sql.SQL(", ").join(sql.Identifier(field.name) for field in statement.fields)
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(statement.table, names)
        with self._connection.cursor() as cursor:
            with cursor.copy(query) as copy:
                for row in statement.rows:
                    copy.write_row(row)
            if cursor.rowcount != len(statement.rows):
                raise _wrong_count(len(statement.rows), cursor.rowcount)

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
        # Without a key, rows that agree in all other columns are as good as one another.
        known = table.key or [column for column in table.columns if column not in columns]
        wanted = sql.SQL(", ").join(_as_text(column.name) for column in (*known, *columns))
        query = sql.SQL("SELECT {} FROM {}").format(wanted, table_name(table))
        found: dict[tuple[str | None, ...], list[tuple[str | None, ...]]] = {}
        for row in self._connection.execute(query).fetchall():
            found.setdefault(tuple(row[: len(known)]), []).append(tuple(row[len(known) :]))
        readers = state.readers(table, known)
        rows = []
        for number in numbers:
            texts = table.texts(table.rows[number], readers)
            if not found.get(texts):
                row = " ".join(map(str, texts))
                raise _Unexpected(f"the server has no row {row} of {table.definition.name!r}")
            rows.append(found[texts].pop())
        return {column.name: tuple(row[index] for row in rows) for index, column in enumerate(columns)}

    def _refused(
        self, before: State, operation: Operation, after: State, error: psycopg.Error
    ) -> ExecutionError:
        reason = error.diag.message_primary or str(error).strip() or type(error).__name__
        if error.diag.message_detail:
            reason += f" ({error.diag.message_detail})"
        reason += self._hint(before, operation, after, error)
        return ExecutionError(_words(before, operation, after), reason, sqlstate=error.sqlstate)

    def _hint(self, before: State, operation: Operation, after: State, error: psycopg.Error) -> str:
        match error:
            case psycopg.errors.LockNotAvailable():
                return "; " + self._blockers(_locked(operation, before))
            case psycopg.errors.DuplicateTable() | psycopg.errors.DuplicateObject() if isinstance(
                operation, CreateTable | CreateType
            ):
                return "; kroft makes its tables and types itself, in a database without them"
            case psycopg.errors.UniqueViolation() if names := _computed_keys(operation, after, error):
                return (
                    f"; the server computes {names}: give the columns that it is computed from "
                    "a generator whose results differ"
                )
            case psycopg.errors.UniqueViolation() | psycopg.errors.ForeignKeyViolation():
                return (
                    "; if something else wrote to the table, adopt_rows() takes such rows over, "
                    "and else give the column a generator whose values the constraint allows"
                )
            case psycopg.IntegrityError():
                return "; give the column a generator whose values the constraint allows"
            case _:
                return ""

    def _blockers(self, tables: Sequence[sql.Identifier]) -> str:
        names = [table.as_string(self._connection) for table in tables]
        try:
            sessions = self._connection.execute(BLOCKERS_QUERY, [names]).fetchall()
        except psycopg.Error as error:
            return f"the table is locked by a session that cannot be named: {' '.join(str(error).split())}"
        named = [
            f"session {pid} ({state}) whose last statement was: {query}" for pid, state, query in sessions
        ]
        return "the table is locked by " + ("; ".join(named) or "a session that is gone by now")


def _locked(operation: Operation, before: State) -> list[sql.Identifier]:
    """The tables that an operation locks: its own and those that a foreign key ties to it."""
    definition = operation.definition if isinstance(operation, CreateTable) else None
    name = definition.name if definition else getattr(operation, "table", "")
    columns = [*(definition.active if definition else ())]
    if isinstance(operation, AddColumn):
        columns.append(operation.column)
    if name in before.tables:
        columns.extend(column.definition for column in before.tables[name].columns)
    tied = {column.reference.table for column in columns if column.reference}
    tied.update(child.definition.name for child, _ in before.references_to(name))
    return [table_name(table) for key, table in before.tables.items() if key in {name, *tied}]


class _Unexpected(Exception):
    """The server did or holds something else than the state predicted; says what."""

    fewer = False
    """Whether the server changed fewer rows than expected."""


def _wrong_count(expected: int, actual: int) -> _Unexpected:
    error = _Unexpected(f"the server changed {actual} rows, and {expected} were expected")
    error.fewer = actual < expected
    return error


def _suspects(operation: Operation, error: _Unexpected) -> str:
    """What may have made the server do something else, and what helps."""
    keeper = "a trigger, a rule or a policy of the table"
    if isinstance(operation, Insert) and error.fewer:
        # Whatever else is in the table, a row that is not refused is inserted.
        return f"{keeper} keeps rows out, which kroft does not know of: disable or drop it"
    other = "something else wrote to the table (adopt_rows() takes such rows over)"
    return f"{other}, or {keeper} kept rows from being changed" if error.fewer else other


def _computed_keys(operation: Operation, after: State, error: psycopg.Error) -> str:
    """The columns of a violated unique set that the server computes, for a sentence; empty for none."""
    # The server prints "Key (a, b)=(1, 2) already exists.", in any language with the same brackets.
    found = re.search(r"\((.*?)\)=\(", error.diag.message_detail or "")
    table = after.tables.get(getattr(operation, "table", ""))
    if found is None or table is None:
        return ""
    return listing((repr(c.name) for c in table.columns if c.computed and mentions(found[1], c.name)), "")


def _words(before: State, operation: Operation, after: State) -> str:
    return describe(operation, after if isinstance(operation, Insert) else before)


def observed_columns(operation: Operation, after: State) -> list[ColumnState]:
    """The columns whose cells an operation makes the server compute in a way that kroft cannot."""
    if isinstance(operation, Insert | Update):
        table = after.table(operation.table)
        return [column for column in table.columns if column.computed and column.computed.function is None]
    if isinstance(operation, AddColumn):
        column = after.table(operation.table).column(operation.column.name)
        opaque = column.computed is not None and column.computed.function is None
        return [column] if _default_is_unsure(column) or opaque or column.definition.identity else []
    return []


def _default_is_unsure(column: ColumnState) -> bool:
    """Whether only the server can tell what cell a column's default makes."""
    if column.default is None:
        return False
    if not is_constant(column.default):
        return True
    text = column.backfill
    spelled_by_kroft = text is None or column.default == literal(text, column.type)
    return not spelled_by_kroft and column.type.builtin and is_opaque(column.type, text)


def _touched(table: TableState, operation: Insert | Update | AddColumn) -> tuple[int, ...]:
    if isinstance(operation, Insert):
        return tuple(range(operation.first, operation.first + operation.count))
    return operation.rows if isinstance(operation, Update) else tuple(table.rows.numbers)


def _transposed(rows: Sequence[Sequence[str | None]], width: int) -> list[list[str | None]]:
    return [[row[index] for row in rows] for index in range(width)]


def _as_text(name: str) -> sql.Composed:
    return sql.SQL("{}::text").format(sql.Identifier(name))
