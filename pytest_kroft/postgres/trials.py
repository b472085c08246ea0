"""Rows tried on the server, many in one round trip: which of them it refuses, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.rules import Rejection

Row = Sequence[str | None]

_SECONDS = "3s"
"""Longer than this no batch of rows takes, unless a trigger of the user's waits or runs for ever."""


@contextmanager
def laboratory(connection: psycopg.Connection[Any], tables: Sequence[TableDefinition]) -> Iterator[None]:
    """A transaction for trials that is rolled back at the end; raises psycopg.Error.

    Its tables have no foreign keys, so that rows need no parents, and nothing is deferred. The session must
    not be in a transaction.
    """
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [_SECONDS])
        # Where a consumer holds a table, in a database that is no clone, it is not waited for.
        connection.execute("SET LOCAL lock_timeout = '1s'")
        for name, constraint in _foreign_keys(connection, [table_sql(table) for table in tables]):
            # Only its owner may: for others rows without parents are refused, and told so.
            with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT {constraint}")
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.execute(_FUNCTION)
        yield


def table_sql(table: TableDefinition) -> str:
    """The table's name as SQL, quoted."""
    return sql.Identifier(table.schema, table.server_name).as_string(None)


def try_rows(
    connection: psycopg.Connection[Any],
    table: TableDefinition,
    columns: Sequence[ColumnDefinition],
    rows: Sequence[Row],
    *,
    keep: bool,
) -> list[Rejection]:
    """What the server refuses of these rows; none of them is there afterwards.

    With ``keep``, each row meets those before it that were accepted, and otherwise an empty place. Raises
    psycopg.Error for what no row can be blamed for, such as a statement that takes too long.
    """
    if not rows or not columns:
        return []
    cells = [list(row) for row in rows]
    found = connection.execute(_CALL, [_insert(table, columns), cells, keep]).fetchall()
    rejections = [Rejection(*row) for row in found]
    if rejections and rejections[-1].state == psycopg.errors.QueryCanceled.sqlstate:
        raise psycopg.errors.QueryCanceled(rejections[-1].said)
    return rejections


def _insert(table: TableDefinition, columns: Sequence[ColumnDefinition]) -> str:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns).as_string(None)
    cells = ", ".join(f"$1[{place}]::{column.type}" for place, column in enumerate(columns, start=1))
    return f"INSERT INTO {table_sql(table)} ({names}) OVERRIDING SYSTEM VALUE SELECT {cells}"


def _foreign_keys(connection: psycopg.Connection[Any], tables: list[str]) -> list[tuple[str, str]]:
    return connection.execute(_FOREIGN_KEYS, [tables]).fetchall()


_FOREIGN_KEYS = """
    SELECT c.conrelid::regclass::text, quote_ident(c.conname) FROM pg_constraint c
    WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY (%s::text[]::regclass[])
    ORDER BY 1, 2
"""
_CALL = "SELECT * FROM pg_temp.kroft_try_rows(%s, %s::text[], %s)"
# A block with a handler is a subtransaction: what fails in it, or is made to fail, leaves nothing behind. The
# outer one undoes all rows at the end, or what a statement that takes too long has done.
# Row by row, because to find one cell in an array of many rows the server walks through all before it.
_FUNCTION = """
    CREATE FUNCTION pg_temp.kroft_try_rows(statement text, cells text[], keep boolean)
    RETURNS TABLE (place int, state text, rule text, named text, domain text, said text, origin text)
    LANGUAGE plpgsql AS $kroft$
    DECLARE
        number int := 0;
        changed bigint;
        one text[];
    BEGIN
        FOREACH one SLICE 1 IN ARRAY cells LOOP
            number := number + 1;
            BEGIN
                EXECUTE statement USING one;
                GET DIAGNOSTICS changed = ROW_COUNT;
                IF changed = 0 THEN
                    RAISE EXCEPTION USING ERRCODE = 'KR000', MESSAGE = 'a trigger left the row out';
                ELSIF NOT keep THEN
                    RAISE EXCEPTION USING ERRCODE = 'KR001';
                END IF;
            EXCEPTION WHEN assert_failure OR others THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, rule = CONSTRAINT_NAME,
                    named = COLUMN_NAME, domain = PG_DATATYPE_NAME, said = MESSAGE_TEXT,
                    origin = PG_EXCEPTION_CONTEXT;
                IF state <> 'KR001' THEN
                    place := number - 1;
                    RETURN NEXT;
                END IF;
            END;
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'KR002';
    EXCEPTION
        WHEN SQLSTATE 'KR002' THEN
            RETURN;
        WHEN query_canceled THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
            place := number - 1;
            RETURN NEXT;
    END
    $kroft$
"""
