"""Taking over the tables that a database has: their definitions, what their rules accept, and their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.errors import DefinitionError, listing
from pytest_kroft.model.clock import as_stamp
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import CreateTable, CreateType, Observed, Operation
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition
from pytest_kroft.postgres.adoption import Found, read_definitions
from pytest_kroft.postgres.introspection import asking
from pytest_kroft.postgres.learning import Learnt, learn
from pytest_kroft.postgres.observing import difference

Connection = psycopg.Connection[Any]
Scratch = AbstractContextManager[Connection]
"""A session in a database where anything may be tried."""

Columns = Mapping[str, Iterable[ColumnDefinition]]
"""By a table's name: columns that evolution may add, and generators for columns that are there."""


@dataclass(frozen=True)
class Adopted:
    """What was adopted.

    Args:
        types: The enums, and the types that are known by samples of their values.
        tables: The tables, each after those that it refers to where that is possible.
        left_out: The tables that were asked for and cannot be adopted, with the reason.
    """

    types: tuple[EnumDefinition | SampledDefinition, ...] = ()
    tables: tuple[TableDefinition, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def closed(self) -> dict[str, str]:
        """The tables that accept no row as far as kroft found, with the reason."""
        return {table.name: table.closed for table in self.tables if table.closed}

    def code(self) -> str:
        """The definitions as Python code, to keep and to edit."""
        from pytest_kroft.model.code import as_python

        return as_python([*self.types, *self.tables])

    def __str__(self) -> str:
        count = f"{len(self.tables)} {'table' if len(self.tables) == 1 else 'tables'}"
        lines = [f"adopted {count}: {listing(table.name for table in self.tables)}"]
        lines += [f"  left out: {name}: {why}" for name, why in self.left_out.items()]
        lines += [f"  takes no rows: {name}: {why}" for name, why in self.closed.items()]
        return "\n".join(lines)


def find(
    connection: Connection,
    patterns: Sequence[str],
    scratch: Scratch,
    columns: Columns | None = None,
    template: str | None = None,
) -> Adopted:
    """What the patterns mean, with what its rules accept.

    Args:
        connection: A session in the database.
        patterns: Names of tables, with a schema or without, which may hold ``*`` and ``?``; none means all.
        scratch: Opened only where rules have to be tried.
        columns: What the user says of columns.
        template: The database that this one is a clone of: what is learnt is remembered for others of it.

    Raises:
        DefinitionError: for a pattern that means no table, or columns of a table that is not adopted.
        KroftError: where the session fails.
    """
    with asking(connection.info.dbname):
        found = read_definitions(connection, patterns)
    read = [replace(table, inherited=table.name in found.inherited) for table in found.tables]
    given = _with_columns(read, columns or {})
    tables = learnt(replace(found, tables=given), scratch, template)
    return Adopted(found.types, tables, dict(found.left_out))


def learnt(found: Found, scratch: Scratch, template: str | None = None) -> tuple[TableDefinition, ...]:
    """The tables of what was found with what their rules accept, which is tried; why one accepts no row.

    What was learnt is remembered for other clones of the template. Raises KroftError.
    """
    known = _tried(found, scratch) if template is None else _remembered(found, scratch, template)
    why = {refusal.table: str(refusal) for refusal in known.refused}
    return tuple(replace(table, closed=why.get(table.name)) for table in known.definitions)


_FAR = as_stamp(datetime(3000, 1, 1, tzinfo=UTC))
_REMEMBERED: dict[Any, Learnt] = {}
"""What was learnt in this process: every clone of a template has the same rules, and the same functions."""


def _remembered(found: Found, scratch: Scratch, template: str) -> Learnt:
    known = (template, found.types, found.tables, tuple(sorted(found.suspects.items())))
    if known not in _REMEMBERED:
        _REMEMBERED[known] = _tried(found, scratch)
    return _REMEMBERED[known]


def _tried(found: Found, scratch: Scratch) -> Learnt:
    if not found.suspects:
        return Learnt(found.tables)
    suspected = [table for table in found.tables if table.name in found.suspects]
    with scratch as connection, asking(connection.info.dbname), _emptied(connection, suspected):
        return learn(connection, found.tables, found.suspects, _labels(found))


@contextmanager
def _emptied(connection: Connection, tables: Sequence[TableDefinition]) -> Iterator[None]:
    """Tables without rows, until the end: a row that is tried meets no other one."""
    held = [table for table in tables if table.name in _with_rows(connection, tables)]
    names = sql.SQL(", ").join(sql.Identifier(table.schema, table.server_name) for table in held)
    with undone(connection):
        # Somebody may hold a row of them, or a trigger forbid it: then rows are tried beside those there.
        if held:
            with suppress(psycopg.Error), connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '1s'")
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        yield


def _labels(found: Found) -> dict[str, tuple[str, ...]]:
    """The labels and samples of types, by each name that a column has them by, also as arrays."""
    types = reduce(apply, (CreateType(one, adopted=True) for one in found.types), State(0))
    columns = {column.sql_type: column.type for table in found.tables for column in table.columns}
    known = {name: types.user_type(sql_type) for name, sql_type in columns.items()}
    return {name: tuple(one.labels) for name, one in known.items() if one}


@contextmanager
def undone(connection: Connection) -> Iterator[Connection]:
    """A session whose work is undone, for a database that cannot be cloned; sequences move on in it."""
    with connection.transaction(force_rollback=True):
        yield connection


def _with_columns(tables: Sequence[TableDefinition], columns: Columns) -> tuple[TableDefinition, ...]:
    """The definitions with what the user says of columns."""
    if unknown := [name for name in columns if name not in {table.name for table in tables}]:
        raise DefinitionError(
            f"columns are given for {unknown[0]!r}, which is not adopted; "
            f"adopted are: {listing(table.name for table in tables)}"
        )
    return tuple(_with_own(table, columns.get(table.name, ())) for table in tables)


def _with_own(table: TableDefinition, columns: Iterable[ColumnDefinition]) -> TableDefinition:
    own = {column.name: column for column in columns}
    there = [_edited(column, own.pop(column.name, None)) for column in table.columns]
    return replace(table, columns=(*there, *(replace(column, reserved=True) for column in own.values())))


def _edited(column: ColumnDefinition, said: ColumnDefinition | None) -> ColumnDefinition:
    """A column that is there, with the generator and the protection that the user gives it."""
    if said is None:
        return column
    return replace(
        column, generator=said.generator, protected=said.protected, style=said.style, samples=said.samples
    )


def operations(connection: Connection, state: State, adopted: Adopted) -> Iterator[Operation]:
    """What brings adopted definitions into a state that lacks them: types, tables, and their rows."""
    for definition in adopted.types:
        if state.type_name(definition) not in state.types:
            create = CreateType(definition, adopted=True)
            state = apply(state, create)
            yield create
    new = [table for table in adopted.tables if table.name not in state.tables]
    held = _with_rows(connection, new)
    for table in new:
        operation = CreateTable(table, adopted=True)
        state = apply(state, operation)
        yield operation
        if table.name in held:
            yield _observed(connection, state, table.name)


def _with_rows(connection: Connection, tables: Sequence[TableDefinition]) -> frozenset[str]:
    """The tables that hold rows."""
    if not tables:
        return frozenset()
    asked = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {}{})").format(
            sql.Literal(table.name),
            sql.SQL("ONLY " if table.inherited else ""),
            sql.Identifier(table.schema, table.server_name),
        )
        for table in tables
    )
    return frozenset(row[0] for row in connection.execute(asked).fetchall())


def _observed(connection: Connection, state: State, name: str) -> Observed:
    """The rows of a table; the clock goes on from the latest of their stamps."""
    found = difference(connection, state, name, "server")
    assert found is not None, f"{name} was seen to hold rows"
    column = state.table(name).updated_at
    read = [] if column is None else [_stamp(text) for text in found.cells[column.name]]
    # The end of time, as some write it, is no time that goes on.
    stamps = [stamp for stamp in read if stamp is not None and stamp < _FAR]
    return replace(found, stamp=max(stamps, default=state.now))


def _stamp(text: str | None) -> int | None:
    """The instant that a cell of an ``updated_at`` column tells; None for one that Python cannot hold."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return as_stamp(read if read.tzinfo else read.replace(tzinfo=UTC))
