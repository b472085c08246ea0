"""A connection that speaks to no server: it notes what is sent, and answers what the test says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock, patch

import psycopg
from psycopg import sql

ENDS = ("BEGIN", "COMMIT", "ROLLBACK")
CHECK = re.compile(
    r"WITH done AS \((.*) RETURNING 1\) SELECT 1 / \(count\(\*\) = \$\d+::int\)::int FROM done"
)


@dataclass
class Wire:
    """What went over the wire, in order: statements as text, and ``BEGIN``, ``COMMIT``, ``ROLLBACK``.

    A query that checks how many rows it changes is noted without its check, and refused where that fails.
    ``rowcount`` is what the server says it changed; by default as many rows as it was given. ``extended``
    tells of each statement whether it went by the protocol that takes one command.
    """

    sent: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    extended: list[bool] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    copied: list[Any] = field(default_factory=list)
    rowcount: int | None = None
    answers: list[list[tuple[Any, ...]]] = field(default_factory=list)
    refusals: list[psycopg.Error] = field(default_factory=list)
    flushes: int = 0
    _pipelined: bool = False

    @property
    def statements(self) -> list[str]:
        """What was sent, without the ends of transactions."""
        return [text for text in self.sent if text not in ENDS]

    def execute(
        self, query: Any, parameters: Any = None, *, binary: bool = False, prepare: bool | None = None
    ) -> MagicMock:
        """Note a statement and answer it; the parameters must be those that it asks for."""
        text = query.as_string(None) if isinstance(query, sql.Composable) else _decoded(query)
        check_parameters(text, parameters or [])
        check, expected = CHECK.fullmatch(text), None
        if check:
            self.checked.append(check[1])
            text, (*parameters, expected) = check[1], parameters
        self.sent.append(text)
        if text not in ENDS:
            self.parameters.append(parameters)
            self.extended.append(binary or self._pipelined)
            if self.refusals:
                raise self.refusals.pop(0)
        given = parameters[0] if parameters and isinstance(parameters[0], list) else ()
        changed = len(given) if self.rowcount is None else self.rowcount
        if check and changed != expected:
            raise psycopg.errors.DivisionByZero("division by zero")
        cursor = MagicMock(rowcount=changed)
        cursor.fetchall.return_value = self.answers.pop(0) if self.answers and not self._pipelined else []
        return cursor

    def rollback(self) -> None:
        """Note the end of a transaction."""
        self.sent.append("ROLLBACK")

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Note that statements go together."""
        self._pipelined = True
        try:
            yield
        finally:
            self._pipelined = False
            self.flushes += 1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Note the ends of a transaction."""
        self.sent.append("BEGIN")
        try:
            yield
        except BaseException:
            self.sent.append("ROLLBACK")
            raise
        self.sent.append("COMMIT")

    @contextmanager
    def copy(self, query: Any) -> Iterator[MagicMock]:
        """Note a COPY and its rows."""
        self.sent.append(_decoded(query))
        yield MagicMock(write_row=self.copied.append)


def _decoded(query: Any) -> str:
    return query.decode() if isinstance(query, bytes) else str(query)


def check_parameters(text: str, parameters: Sequence[Any]) -> None:
    """Fail unless ``$1`` to the last are the parameters given; arrays must have one length, for unnest."""
    outside_names = re.sub(r'"(?:[^"]|"")*"' + r"|'(?:[^']|'')*'", "", text)
    asked = {int(number) for number in re.findall(r"\$(\d+)", outside_names)}
    if asked or "%s" not in outside_names:
        assert asked == set(range(1, len(parameters) + 1)), (text, parameters)
    lengths = {len(array) for array in parameters if isinstance(array, list)}
    assert len(lengths) <= 1, (text, parameters)


@contextmanager
def connected() -> Iterator[tuple[MagicMock, Wire]]:
    """A mock of a connection, and its wire."""
    wire = Wire()
    connection = MagicMock(
        spec=psycopg.Connection,
        execute=wire.execute,
        transaction=wire.transaction,
        pipeline=wire.pipeline,
        rollback=wire.rollback,
        closed=False,
    )
    connection.connection = None  # identifiers are then quoted without asking a server
    cursor = connection.cursor.return_value.__enter__.return_value
    connection.cursor.return_value.__exit__.return_value = False
    cursor.copy = wire.copy
    type(cursor).rowcount = property(
        lambda self: len(wire.copied) if wire.rowcount is None else wire.rowcount
    )
    with patch.object(psycopg, "RawCursor", lambda opened: MagicMock(execute=wire.execute)):
        yield connection, wire
