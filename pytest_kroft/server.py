"""A PostgreSQL server that hands out evolving databases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import psycopg

from pytest_kroft.database import Clock, KroftDB
from pytest_kroft.errors import KroftError, ServerNotFound
from pytest_kroft.model.registry import Definition
from pytest_kroft.model.timeline import Prompt
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.postgres.databases import Database, Databases
from pytest_kroft.postgres.server import AUTO, EMBEDDED, Server, find_server
from pytest_kroft.postgres.sources import Loadable, load_of
from pytest_kroft.postgres.templates import Templates

RECENT = 5
"""How many databases of one test are remembered after they were given back, the latest ones."""


@dataclass(eq=False, slots=True)
class _Loan:
    taken: Database
    database: KroftDB
    returned: bool = False


class KroftServer:
    """A server, and the databases that kroft makes on it; it touches no others.

    Args:
        server: Where the databases are made.
        keep_failed: Whether databases wait for the end of the test, so that a failed test's can be kept.
        load: What each database holds at first: SQL files and functions, as in ``database``.
        root: The folder that relative paths begin at; the working directory if left out.
    """

    def __init__(
        self, server: Server, *, keep_failed: bool = False, load: Loadable = None,
        root: Path | None = None,
    ) -> None:  # fmt: skip
        self._server, self.keep_failed = server, keep_failed
        self._given, self._root = load, root
        self._databases, self._templates = Databases(server), Templates(server)
        self._loans: list[_Loan] = []
        self._closed = False
        self.seed = 0
        """The seed of a database that is asked for without one: under pytest the running test's."""
        self.test: str | None = None
        """The test that a new database's history belongs to: under pytest the running one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

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

    @property
    def opened(self) -> tuple[KroftDB, ...]:
        """The databases in use, and the latest that the running test has given back."""
        return tuple(loan.database for loan in self._loans)

    @contextmanager
    def database(
        self,
        *definitions: Definition | str,
        seed: int | None = None,
        rows: int = 0,
        policy: EvolutionPolicy | str | Iterable[str] | None = None,
        clock: Clock = "logical",
        prompt: Prompt | None = None,
        load: Loadable = None,
    ) -> Iterator[KroftDB]:
        """A context manager: a ``KroftDB`` in a database of its own, which is taken back at the end.

        ``load`` is what the database holds at first: the path of an SQL file, ``"module:function"``, a
        function that is called with a connection, or a list of these; without it what the server loads, and
        an empty list for nothing. The other arguments are those of ``KroftDB``; without a seed it is the
        running test's. Raises LoadError where the load is not there or fails.
        """
        chosen = self.seed if seed is None else seed
        taken = self._databases.acquire(self._usual_template if load is None else self._template(load))
        with _at_a_failure(lambda: self._databases.release(taken)):
            made = KroftDB(
                taken.dsn, *definitions, seed=chosen, rows=rows, policy=policy, clock=clock, test=self.test,
                prompt=prompt,
            )  # fmt: skip
        if taken.template is not None:
            made.template, made.scratch = taken.template, partial(self._scratch, taken.template)
        loan = _Loan(taken, made)
        self._loans.append(loan)
        with _at_a_failure(lambda: self._take_back(loan)), made:
            yield made
        self._take_back(loan)

    @cached_property
    def _usual_template(self) -> str | None:
        """That of the server's own load, which is read once: it may be long."""
        return self._template(self._given)

    def _template(self, given: Loadable) -> str | None:
        """The database to clone, made if need be; None where nothing is loaded."""
        load = load_of(given, self._root)
        return self._templates.ready(load) if load.sources else None

    @contextmanager
    def _scratch(self, template: str) -> Iterator[psycopg.Connection[Any]]:
        """A session in a clone of a template that is dropped afterwards."""
        taken = self._databases.acquire(template)
        try:
            with psycopg.connect(taken.dsn, autocommit=True) as connection:
                yield connection
        finally:
            self._databases.release(taken)

    def sessions(self, database: KroftDB) -> list[int]:
        """The process ids of all sessions on a database, whoever opened them."""
        return self._databases.sessions(self._loan_of(database).taken)

    def empty(self, database: KroftDB, spare: Collection[int] = ()) -> bool:
        """Empty a database in use, under its name; whether that was done in place.

        Sessions end, but for kroft's own and the idle ones among ``spare``, process ids. Where emptying in
        place is not enough, or something was loaded, the database is made anew, and all sessions end.
        """
        return self._databases.reset(self._loan_of(database).taken, [*spare, *database.pids])

    def _loan_of(self, database: KroftDB) -> _Loan:
        loan = next((loan for loan in self._loans if loan.database is database and not loan.returned), None)
        if loan is None:
            raise KroftError("the database is not in use, so it is left alone")
        return loan

    def _take_back(self, loan: _Loan) -> None:
        loan.returned = True
        returned = [known for known in self._loans if known.returned]
        with ExitStack() as giving:
            if len(returned) > RECENT:
                giving.callback(self._forget, returned[0])
            if not self.keep_failed and not self._closed:
                giving.callback(self._databases.release, loan.taken)

    def _forget(self, loan: _Loan) -> None:
        self._loans.remove(loan)
        # With keep_failed it waited until here; a kept database is not touched.
        if self.keep_failed and not self._closed:
            self._databases.release(loan.taken)

    def end_test(self) -> None:
        """Forget the databases that were given back; those that wider fixtures hold stay in use.

        Raises the error of one that cannot be emptied or dropped, after all were tried.
        """
        with ExitStack() as forgetting:
            for loan in self._loans:
                if loan.returned:
                    forgetting.callback(self._forget, loan)

    def keep(self, database: KroftDB) -> bool:
        """Leave one of the ``opened`` databases as it is, and the server running if it is kroft's own.

        False where it is gone already.
        """
        loan = next((loan for loan in self._loans if loan.database is database), None)
        if loan is None or self._closed or (loan.returned and not self.keep_failed):
            return False
        self._databases.keep(loan.taken)
        self._server.keep()
        return True

    def how_to_stop(self) -> str:
        """The shell command that ends a server which was left running; empty for one that is not kroft's."""
        return self._server.how_to_stop()

    def close(self) -> None:
        """Drop the databases and stop the server if it is kroft's own, except for what is kept.

        Raises the error of a database that cannot be dropped, after all else is done.
        """
        self._closed = True
        with ExitStack() as closing:
            closing.callback(self._server.close)
            closing.callback(self._databases.close)


@contextmanager
def _at_a_failure(undo: Callable[[], None]) -> Iterator[None]:
    """Undo something if the block fails; the block's error goes on, with a note if undoing fails too."""
    try:
        yield
    except BaseException as error:
        try:
            undo()
        except (KroftError, psycopg.Error) as another:
            error.add_note(f"kroft: {another}")
        raise


def start_server(dsn: str | None = None, *, source: str = AUTO, load: Loadable = None) -> KroftServer:
    """A server for a script, stopped at the end of a ``with`` block.

    ``server.database(orders)`` then gives a ``KroftDB``, in a ``with`` block too.

    Args:
        dsn: The libpq URI of a server that runs already; without it the embedded one is started.
        source: ``"auto"`` or ``"embedded"``.
        load: What each database holds at first, as in ``database``.

    Raises:
        ServerNotFound: where there is none; says what was looked for and what helps.
    """
    if source not in (AUTO, EMBEDDED):
        raise ServerNotFound(
            f"source must be {AUTO!r} or {EMBEDDED!r}, not {source!r}; a fixture has no place in a script"
        )
    return KroftServer(find_server(dsn=dsn, source=source), load=load)
