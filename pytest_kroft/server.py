"""A PostgreSQL server that hands out evolving databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_kroft.database import Clock, KroftDB
from pytest_kroft.model.registry import Definition
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.postgres.databases import Database, Databases
from pytest_kroft.postgres.server import Server


class KroftServer:
    """A server, and the databases that kroft makes on it; it touches no others.

    Args:
        server: Where the databases are made.
        keep_failed: Whether the database of a failed test is kept.
    """

    def __init__(self, server: Server, *, keep_failed: bool = False) -> None:
        self._server, self._keep_failed = server, keep_failed
        self._databases = Databases(server)
        self._lent: dict[str, Database] = {}
        self.seed = 0
        """The seed of a database that is asked for without one: under pytest the running test's."""
        self.test: str | None = None
        """The test that a new database's history belongs to: under pytest the running one."""
        self.opened: list[KroftDB] = []
        """The databases that were handed out, for reports; the plugin empties it after each test."""

    @property
    def dsn(self) -> str:
        """A libpq URI to administer the server with."""
        return self._server.dsn()

    @property
    def version(self) -> int:
        """The server's version as a number, such as 180001."""
        return self._server.version

    @property
    def found(self) -> str:
        """A phrase that says where the server comes from."""
        return self._server.found

    @contextmanager
    def database(
        self,
        *definitions: Definition | str,
        seed: int | None = None,
        rows: int = 0,
        policy: EvolutionPolicy | str | None = None,
        clock: Clock = "logical",
    ) -> Iterator[KroftDB]:
        """A context manager: a ``KroftDB`` in a database of its own, which is taken back at the end.

        The arguments are those of ``KroftDB``; without a seed it is the running test's. If the block fails
        and failed databases are kept, the database stays.
        """
        taken = self._databases.acquire()
        failed = False
        try:
            chosen = self.seed if seed is None else seed
            with KroftDB(
                taken.dsn, *definitions, seed=chosen, rows=rows, policy=policy, clock=clock, test=self.test
            ) as database:
                self._lent[database.dsn] = taken
                self.opened.append(database)
                yield database
        except BaseException:
            failed = True
            raise
        finally:
            self._take_back(taken, keep=failed and self._keep_failed)

    def keep(self, database: KroftDB) -> None:
        """Leave a database as it is when it is given back, and the server running if it is kroft's own."""
        self._databases.keep(self._lent[database.dsn])
        self._server.keep()

    def how_to_stop(self) -> str:
        """The shell command that ends a server which was left running; empty for one that is not kroft's."""
        return self._server.how_to_stop()

    def _take_back(self, taken: Database, *, keep: bool) -> None:
        if keep:
            self._databases.keep(taken)
            self._server.keep()
        self._databases.release(taken)
        self._lent.pop(taken.dsn, None)

    def close(self) -> None:
        """Drop the databases and stop the server if it is kroft's own, except for what is kept."""
        self._databases.close()
        self._server.close()
