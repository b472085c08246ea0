"""What only the server knows and planners need: how a value is spelled, and what time it is."""

from __future__ import annotations

from typing import Any

import psycopg

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model.literals import canonical, is_opaque
from pytest_kroft.model.types import SqlType
from pytest_kroft.postgres.introspection import asking

Connection = psycopg.Connection[Any]


def needs_server(sql_type: SqlType, value: object) -> bool:
    """Whether only the server can tell how it prints a value of a type."""
    return is_opaque(sql_type, value)


def spelled_by_server(connection: Connection, sql_type: SqlType, value: object) -> str:
    """A value as the server prints it; raises ValueRefused, and KroftError where the session ends."""
    query = f"SELECT $1::text::{sql_type}::text"
    with asking(connection.info.dbname):
        try:
            row = psycopg.RawCursor(connection).execute(query, [canonical(sql_type, value)]).fetchone()
        except psycopg.Error as error:
            if connection.closed:
                raise
            raise ValueRefused(value, str(sql_type), error.diag.message_primary or str(error)) from None
    assert row is not None
    return str(row[0])


def server_stamp(connection: Connection) -> int:
    """The server's time in microseconds since 1970; raises KroftError where the session ends."""
    query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    with asking(connection.info.dbname):
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
