"""Queries that are sent together, without waiting for what the server says of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import psycopg

from pytest_kroft.postgres.queries import Query

Connection: TypeAlias = "psycopg.Connection[Any]"

CANCEL_TIMEOUT = 5.0
"""How many seconds the server has to take a request to cancel."""


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

        Then its transaction is still to be rolled back. What is raised from outside meanwhile, by the user
        or a time limit, is raised here: then that is done, or the connection is closed.
        """
        failure: psycopg.Error | None = None
        pipeline: psycopg.Pipeline | None = None
        try:
            with self._connection.pipeline() as pipeline, _cancelling(self._connection):
                try:
                    self._send(operations)
                except psycopg.Error as error:
                    failure = error
        except psycopg.Error as error:
            if pipeline and pipeline.status and not self._connection.closed:
                # psycopg complains of results that nobody took in, which covers what cut it short.
                self._end(pipeline)
                raise error.__context__ or error from None
            # The end of a pipeline says once more that what came after an error was ignored.
            failure = failure or error
        except BaseException:
            roll_back(self._connection)
            raise
        return failure

    def _end(self, pipeline: psycopg.Pipeline) -> None:
        """Stop what runs, and take in what the server has said of everything that was sent."""
        try:
            cancel(self._connection)
            with pipeline:
                pass
        except psycopg.Error:
            # Also what was cancelled is refused. What could not be taken in closes the connection.
            pass
        finally:
            roll_back(self._connection)

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
    """Roll back what may be open on a connection; where that fails, it is closed."""
    if connection.closed:
        return
    try:
        cancel(connection)
        connection.rollback()
    except psycopg.Error:
        connection.close()
    except BaseException:
        connection.close()
        raise


def cancel(connection: Connection) -> None:
    """Stop the query that runs on a connection, if there is one; raises psycopg.Error."""
    if connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
        connection.cancel_safe(timeout=CANCEL_TIMEOUT)


@contextmanager
def _cancelling(connection: Connection) -> Iterator[None]:
    """Stop what runs where something is raised inside: the end of a pipeline waits for all that was sent."""
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            cancel(connection)
        raise
