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


@dataclass
class Wire:
    """What went over the wire, in order: statements as text, and ``BEGIN``, ``COMMIT``, ``ROLLBACK``.

    ``rowcount`` is what the server says it changed; by default as many rows as it was given.
    """

    sent: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    binary: list[bool] = field(default_factory=list)
    copied: list[Any] = field(default_factory=list)
    rowcount: int | None = None
    answers: list[list[tuple[Any, ...]]] = field(default_factory=list)
    refusals: list[psycopg.Error] = field(default_factory=list)

    @property
    def statements(self) -> list[str]:
        """What was sent, without the ends of transactions."""
        return [text for text in self.sent if text not in ("BEGIN", "COMMIT", "ROLLBACK")]

    def execute(self, query: Any, parameters: Any = None, *, binary: bool = False) -> MagicMock:
        """Note a statement and answer it; the parameters must be those that it asks for."""
        text = query.as_string(None) if isinstance(query, sql.Composable) else str(query)
        check_parameters(text, parameters or [])
        self.sent.append(text)
        self.parameters.append(parameters)
        self.binary.append(binary)
        if self.refusals:
            raise self.refusals.pop(0)
        given = parameters[0] if parameters and isinstance(parameters[0], list) else ()
        cursor = MagicMock(rowcount=len(given) if self.rowcount is None else self.rowcount)
        cursor.fetchall.return_value = self.answers.pop(0) if self.answers else []
        return cursor

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
        self.sent.append(query.as_string(None))
        yield MagicMock(write_row=self.copied.append)


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
    connection = MagicMock(spec=psycopg.Connection, execute=wire.execute, transaction=wire.transaction)
    connection.connection = None  # identifiers are then quoted without asking a server
    cursor = connection.cursor.return_value.__enter__.return_value
    connection.cursor.return_value.__exit__.return_value = False
    cursor.copy = wire.copy
    type(cursor).rowcount = property(
        lambda self: len(wire.copied) if wire.rowcount is None else wire.rowcount
    )
    with patch.object(psycopg, "RawCursor", lambda opened: MagicMock(execute=wire.execute)):
        yield connection, wire
