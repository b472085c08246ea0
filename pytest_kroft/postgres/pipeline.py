"""Queries that are sent together, without waiting for what the server says of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import psycopg

from pytest_kroft.postgres.queries import Query

Connection: TypeAlias = "psycopg.Connection[Any]"


class Pipeline:
    """Sends the queries of several operations at once, in one round trip.

    After an error the server ignores the rest. See
    https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ends: list[psycopg.Cursor[Any] | None] = []

    def run(self, operations: Iterable[Sequence[Query]]) -> psycopg.Error | None:
        """Send everything and wait; returns the error of the first operation that was refused.

        Then its transaction is still to be rolled back. Where the user interrupts, that is done.
        """
        failure: psycopg.Error | None = None
        try:
            with self._connection.pipeline():
                try:
                    self._send(operations)
                except psycopg.Error as error:
                    failure = error
        except psycopg.Error as error:
            # The end of a pipeline says once more that what came after an error was ignored.
            failure = failure or error
        except BaseException:
            roll_back(self._connection)
            raise
        return failure

    def _send(self, operations: Iterable[Sequence[Query]]) -> None:
        # Nobody asks what this cursor has received, so that one does for many queries.
        sender = psycopg.RawCursor(self._connection)
        for queries in operations:
            end: psycopg.Cursor[Any] | None = None
            for place, query in enumerate(queries, start=1):
                cursor = sender
                if place == len(queries):
                    cursor = end = psycopg.RawCursor(self._connection)
                # A statement with rows comes again; prepared at once, it costs the server less.
                cursor.execute(query.text, query.values or None, prepare=bool(query.values) or None)
            self._ends.append(end)

    @property
    def done(self) -> int:
        """How many operations, of those sent first, the server has done in full."""
        missing = (i for i, end in enumerate(self._ends) if end is not None and end.statusmessage is None)
        return next(missing, len(self._ends))


def roll_back(connection: Connection) -> None:
    """Roll back what may be open on a connection."""
    if not connection.closed:
        connection.rollback()
