"""Triggers and rules of the user's: where they may act, what they wrote, and how they are kept still."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.model.operations import Delete, Insert, Observed, Operation, Truncate, Update
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.clauses import table_name
from pytest_kroft.postgres.observing import difference, difference_since

Connection = psycopg.Connection[Any]
Name = tuple[str, str]
Marks = Mapping[Name, tuple[int, ...]]
"""How much was written to each table; another file means that it was truncated."""

DEFERRED = b"SET CONSTRAINTS ALL IMMEDIATE"
"""What a deferred constraint trigger does at the commit, it does here."""

# A partition's rows are those of the tables that it is part of. The counts are those of the statistics,
# which are the transaction's own: chapter 28.2 of PostgreSQL's manual, "The Statistics Collector".
_MARKS = """
    SELECT n.nspname, c.relname, sum(pg_stat_get_xact_tuples_inserted(leaf.oid))::int8,
        sum(pg_stat_get_xact_tuples_updated(leaf.oid))::int8,
        sum(pg_stat_get_xact_tuples_deleted(leaf.oid))::int8, sum(pg_relation_filenode(leaf.oid)::int8)::int8
    FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    CROSS JOIN LATERAL (
        SELECT c.oid WHERE c.relkind <> 'p'
        UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE c.relkind = 'p' AND isleaf) AS leaf(oid)
    GROUP BY n.nspname, c.relname
"""

# 'O' acts in a usual session, 'R' in one that replicates, 'A' in both.
_ACTING = """
    WITH tables AS (
        SELECT unnest({}::text[])::regclass::oid AS root
    ), parts AS (
        SELECT root AS oid FROM tables
        UNION SELECT relid FROM tables, pg_partition_tree(root)
    ), found(relation, what, name, enabled) AS (
        SELECT tgrelid, 'TRIGGER', tgname, tgenabled FROM parts JOIN pg_trigger ON tgrelid = parts.oid
        WHERE NOT tgisinternal
        UNION ALL
        SELECT ev_class, 'RULE', rulename, ev_enabled FROM parts JOIN pg_rewrite ON ev_class = parts.oid
        WHERE ev_type <> '1'
    )
    SELECT relation::regclass, what, name,
        CASE enabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END AS how
    FROM found WHERE enabled = 'A' OR enabled = {}::text::"char"
"""
_SWITCH = "format('ALTER TABLE ONLY %s %s %s %I', relation, {}, what, name)"


def acting(before: State, operation: Operation, after: State) -> bool:
    """Whether triggers of the user's may act on what an operation does, or its foreign keys do to others."""
    if not isinstance(operation, Insert | Update | Delete | Truncate):
        return False
    if not any(table.definition.triggers for table in before.tables.values()):
        return False
    return any(before.table(name).definition.triggers for name in _reached(before, operation, after))


def _reached(before: State, operation: Insert | Update | Delete | Truncate, after: State) -> set[str]:
    """The tables whose triggers an operation may set off: also where no row is left to change."""
    found = {name for name, table in after.tables.items() if table is not before.tables.get(name)}
    found.add(operation.table)
    if not isinstance(operation, Delete | Update):
        return found
    waiting = [operation.table]
    while waiting:
        for child, key in before.references_to(waiting.pop()):
            acts = {key.definition.on_delete, key.definition.on_update} - {"no action", "restrict"}
            if acts and child.definition.name not in found:
                found.add(child.definition.name)
                waiting.append(child.definition.name)
    return found


def marks(connection: Connection, state: State) -> Marks | None:
    """How much this session has written to the tables of a state; None where the server does not count."""
    if connection.execute("SHOW track_counts").fetchone() != ("on",):
        return None
    names = [_named(table) for table in state.tables.values()]
    schemas, tables = [schema for schema, _ in names], [name for _, name in names]
    found = connection.execute(_MARKS, [schemas, tables]).fetchall()
    return {(schema, name): tuple(counts) for schema, name, *counts in found}


def observe_acted(
    connection: Connection, before: State, after: State, earlier: Marks | None
) -> list[Observed]:
    """What triggers made of the tables since ``earlier``, one record for each that they changed.

    To be asked within the transaction of the operation between the two states.
    """
    connection.execute(DEFERRED)
    later = marks(connection, after)
    observed = []
    for name, table in after.tables.items():
        key = _named(table)
        written = later is None or earlier is None or later.get(key) != earlier.get(key)
        if written or table is not before.tables.get(name):
            observed.append(difference_since(connection, before, after, name))
    return [one for one in observed if one]


def observe_adopted(connection: Connection, after: State, name: str) -> list[Observed]:
    """The rows that a table holds which kroft takes as it is."""
    found = difference(connection, after, name, "server")
    return [found] if found else []


def _named(table: TableState) -> Name:
    return table.definition.schema, table.name


@contextmanager
def still(connection: Connection, tables: Iterable[TableState]) -> Iterator[None]:
    """Let no trigger or rule of these tables act on what is written inside, in an open transaction.

    A session that may replicate sets none off, and no action of a foreign key either; else the tables' owner
    disables them one by one.
    """
    replicates = _replicate(connection)
    names = [_written(table) for table in tables if table.definition.triggers]
    asked = sql.SQL(_ACTING).format(sql.Literal(names), sql.Literal("R" if replicates else "O"))
    connection.execute(sql.SQL("CREATE TEMP TABLE kroft_still ON COMMIT DROP AS {}").format(asked))
    _switch(connection, "'DISABLE'")
    yield
    # What is deferred is checked now: a table with events that wait cannot be altered.
    connection.execute(DEFERRED)
    _switch(connection, "how")
    connection.execute(b"DROP TABLE kroft_still")
    if replicates:
        connection.execute(b"SET LOCAL session_replication_role = origin")


def _switch(connection: Connection, how: str) -> None:
    asked = f"SELECT {_SWITCH.format(how)} FROM kroft_still"  # noqa: S608  (one of two words of ours)
    commands = connection.execute(asked.encode()).fetchall()
    for (command,) in commands:
        connection.execute(command.encode())


def _written(table: TableState) -> str:
    return table_name(table).as_string(None)


def still_script(tables: Iterable[TableDefinition]) -> tuple[list[str], list[str]]:
    """The lines that keep the triggers of tables still in a script for psql, and those that end it."""
    names = [
        sql.Identifier(table.schema, table.server_name).as_string(None) for table in tables if table.triggers
    ]
    if not names:
        return [], []
    asked = sql.SQL(_ACTING).format(sql.Literal(names), sql.Literal("O")).as_string(None)
    lines = [
        "-- What triggers did is written here, so that they have to be still.",
        f"CREATE TEMP TABLE kroft_still AS {asked.strip()};",
    ]
    there = "FROM kroft_still WHERE EXISTS (SELECT FROM pg_class WHERE oid = relation)"
    off, on = (f"SELECT {_SWITCH.format(how)} {there} \\gexec" for how in ("'DISABLE'", "how"))
    return [*lines, off], [on, "DROP TABLE kroft_still;"]


def _replicate(connection: Connection) -> bool:
    try:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True
