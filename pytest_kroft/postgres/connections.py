"""The connections to one database: kroft's own, those of scripted sessions, and the test's."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import Any

import psycopg

from pytest_kroft.errors import KroftError
from pytest_kroft.postgres.introspection import asking
from pytest_kroft.postgres.script import SETTINGS
from pytest_kroft.postgres.uri import parameters

Connection = psycopg.Connection[Any]

_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', '10s', false) WHERE current_setting('lock_timeout') = '0'"
"""A session that holds a lock for ever is named by an error; the database's own limit goes before."""


class Connections:
    """Opens connections to one database, all in autocommit mode, and closes them.

    kroft's own stay open over the examples of a search. The test's are closed with the example that opened
    them, unless ``keep`` was called since.

    Args:
        dsn: Where the database is, as a libpq URI or key words.

    Raises:
        KroftError: where the database cannot be reached.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._ours, self._kept, self._example = ExitStack(), ExitStack(), ExitStack()
        self._sessions: dict[int, Connection] = {}

    @cached_property
    def own(self) -> Connection:
        """The one that operations outside of a session are done on."""
        return self._open_ours("kroft")

    def session(self, number: int) -> Connection:
        """The one of a scripted session."""
        if number not in self._sessions:
            session = self._sessions[number] = self._open_ours(f"kroft session {number}")
            # psycopg forgets what it has prepared at each ROLLBACK, also one to a savepoint.
            session.prepare_threshold = None
        return self._sessions[number]

    @cached_property
    def test(self) -> Connection:
        """The test's own."""
        return self.another()

    def another(self) -> Connection:
        """One more for the test."""
        opened = self._open("kroft test")
        self._example.callback(opened.close)
        return opened

    @property
    def pids(self) -> list[int]:
        """The process ids of kroft's own sessions on the server."""
        return [known.info.backend_pid for known in (self.own, *self._sessions.values())]

    def answer(self) -> bool:
        """Whether the server still answers all of kroft's own; a session that it ended is noticed so only."""
        try:
            for known in (self.own, *self._sessions.values()):
                known.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def keep(self) -> None:
        """Keep what the test has opened so far over the examples of a search."""
        self._kept.push(self._example.pop_all())

    def end_example(self) -> None:
        """Close what the test has opened since."""
        self._example.close()
        if "test" in self.__dict__ and self.test.closed:
            del self.__dict__["test"]

    def close_ours(self) -> None:
        """Close kroft's own; each is opened again when it is needed next."""
        self._ours.close()
        self._sessions.clear()
        self.__dict__.pop("own", None)

    def close(self) -> None:
        """Close all."""
        self._example.close()
        self._kept.close()
        self.close_ours()

    def _open_ours(self, name: str) -> Connection:
        connection = self._open(name)
        self._ours.callback(connection.close)
        with asking(connection.info.dbname):
            # The state's texts are those that the server prints under these settings.
            settings = "; ".join(f"SET {key} = '{value}'" for key, value in SETTINGS.items())
            connection.execute(settings.encode())
            connection.execute(_LOCK_TIMEOUT)
        return connection

    def _open(self, name: str) -> Connection:
        parameters(self._dsn)
        try:
            return psycopg.connect(self._dsn, autocommit=True, application_name=name)
        except psycopg.Error as error:
            raise KroftError(f"the database cannot be reached: {' '.join(str(error).split())}") from None
