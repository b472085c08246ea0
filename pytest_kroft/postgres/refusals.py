"""What is said of an operation that the server refuses, or does otherwise than the state predicted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.errors import ExecutionError, listing
from pytest_kroft.model.clauses import mentions
from pytest_kroft.model.describe import describe
from pytest_kroft.model.operations import AddColumn, CreateTable, CreateType, Delete, Insert, Operation
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.postgres.clauses import table_name

Connection = psycopg.Connection[Any]

_BLOCKERS_QUERY = """
    SELECT pid, state, left(query, 200) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND pid IN (
        SELECT pid FROM pg_locks WHERE granted AND relation = ANY (%s::text[]::regclass[])
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY xact_start
"""


# The columns of a constraint, of an index that is none, or of the key that finds a row its partition.
_COLUMNS_QUERY = """
    SELECT a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_constraint r ON r.conrelid = c.oid AND r.conname = %(constraint)s
    LEFT JOIN pg_class ic ON ic.relname = %(constraint)s AND ic.relnamespace = c.relnamespace
    LEFT JOIN pg_index i ON i.indexrelid = ic.oid AND i.indrelid = c.oid
    LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid AND %(constraint)s::text IS NULL
    JOIN pg_attribute a ON a.attrelid = c.oid
        AND a.attnum = ANY (coalesce(r.conkey, i.indkey::int2[], p.partattrs::int2[])) AND a.attnum > 0
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s ORDER BY a.attnum
"""


class Unexpected(Exception):
    """The server did or holds something else than the state predicted; says what.

    ``fewer`` says whether it changed fewer rows than expected.
    """

    def __init__(self, what: str, *, fewer: bool = False) -> None:
        super().__init__(what)
        self.fewer = fewer


def check_count(expected: int | None, actual: int) -> None:
    """Raise Unexpected where the server changed another number of rows; None expects nothing."""
    if expected not in (None, actual):
        assert expected is not None
        words = f"the server changed {actual} rows, and {expected} were expected"
        raise Unexpected(words, fewer=actual < expected)


def unexpected(before: State, operation: Operation, after: State, error: Unexpected) -> ExecutionError:
    """The error of an operation that the server carried out otherwise."""
    return ExecutionError(_words(before, operation, after), f"{error}; {_suspects(operation, error)}")


def refused(
    connection: Connection, before: State, operation: Operation, after: State, error: psycopg.Error
) -> ExecutionError:
    """The error of an operation that the server refused; the connection is asked who holds a lock."""
    reason = error.diag.message_primary or str(error).strip() or type(error).__name__
    if error.diag.message_detail:
        reason += f" ({error.diag.message_detail})"
    reason += _hint(connection, before, operation, after, error)
    return ExecutionError(_words(before, operation, after), reason, sqlstate=error.sqlstate)


def _hint(
    connection: Connection, before: State, operation: Operation, after: State, error: psycopg.Error
) -> str:
    table = after.tables.get(getattr(operation, "table", ""))
    match error:
        case psycopg.errors.LockNotAvailable():
            return "; " + _blockers(connection, _locked(operation, before))
        case psycopg.errors.ForeignKeyViolation() if isinstance(operation, Delete):
            return "; the table that refers to it is not one of kroft's: adopt it too"
        case psycopg.IntegrityError() if table and table.adopted:
            return "; " + _rule(connection, after, table, error)
        case psycopg.errors.RaiseException() if table and table.definition.triggers:
            names, name = listing(map(repr, table.definition.triggers)), table.definition.name
            return f"; that is the word of a trigger ({name!r} has {names}): {_help('the columns')}"
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


def _rule(connection: Connection, after: State, table: TableState, error: psycopg.Error) -> str:
    """What is known of the rule that refuses rows of an adopted table, and what helps."""
    diag = error.diag
    place = diag.schema_name, diag.table_name
    found = next((t for t in after.tables.values() if (t.definition.schema, t.name) == place), None)
    columns = _ruled_columns(connection, found or table, error)
    if diag.datatype_name and not diag.table_name:
        rule = f"domain {diag.datatype_name!r}"
    elif diag.constraint_name:
        rule = f"constraint {diag.constraint_name!r}"
    else:
        rule = "its NOT NULL" if diag.column_name else "its partitions"
    # A trigger may have written to a table that kroft does not have.
    name = found.definition.name if found else diag.table_name or table.definition.name
    what = f"{rule} is a rule of {name!r}" + (f", for {listing(map(repr, columns))}" if columns else "")
    return f"{what}: {_help('the column' if len(columns) == 1 else 'the columns')}"


def _help(columns: str) -> str:
    return f"give {columns} a generator whose values it allows, or give values with rows=[...]"


def _ruled_columns(connection: Connection, table: TableState, error: psycopg.Error) -> list[str]:
    """The columns that a rule is about, by the names that they have now; empty where none is told."""
    diag = error.diag
    if diag.datatype_name and not diag.table_name:
        return [column.name for column in table.columns if _is_domain(column, diag.datatype_name)]
    if diag.column_name:
        return [diag.column_name]
    named = {"schema": diag.schema_name, "table": diag.table_name, "constraint": diag.constraint_name}
    try:
        return [name for (name,) in connection.execute(_COLUMNS_QUERY, named).fetchall()]
    except psycopg.Error:
        return []


def _is_domain(column: ColumnState, name: str) -> bool:
    """Whether a column is of a domain, which may be called with its schema, and quoted."""
    domain = column.definition.domain
    return domain is not None and domain.split(".")[-1].strip('"') == name


def _blockers(connection: Connection, tables: Sequence[sql.Identifier]) -> str:
    names = [table.as_string(None) for table in tables]
    try:
        sessions = connection.execute(_BLOCKERS_QUERY, [names]).fetchall()
    except psycopg.Error as error:
        return f"the table is locked by a session that cannot be named: {' '.join(str(error).split())}"
    named = [f"session {pid} ({state}) whose last statement was: {query}" for pid, state, query in sessions]
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


def _suspects(operation: Operation, error: Unexpected) -> str:
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
