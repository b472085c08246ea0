"""Fixtures of kroft's own tests: one server for the run, an empty database for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pytest_kroft.database import KroftDB
from pytest_kroft.model.registry import Definition
from pytest_kroft.postgres.databases import Database, Databases
from pytest_kroft.postgres.embedded import EmbeddedServer


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL server that lives as long as the test run."""
    embedded = EmbeddedServer()
    yield embedded
    embedded.close()


@pytest.fixture(scope="session")
def databases(server: EmbeddedServer) -> Iterator[Databases]:
    """The databases on the server that the tests take and give back."""
    pool = Databases(server)
    yield pool
    pool.close()


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """An empty database of the test's own."""
    taken = databases.acquire()
    yield taken
    databases.release(taken)


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    """An autocommit connection to an empty database of the test's own."""
    with psycopg.connect(database.dsn, autocommit=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_connection(databases: Databases) -> Iterator[psycopg.Connection]:
    """An autocommit connection to a database that the tests of a module share."""
    taken = databases.acquire()
    with psycopg.connect(taken.dsn, autocommit=True, prepare_threshold=None) as opened:
        yield opened
    databases.release(taken)


@pytest.fixture
def swept_connection(module_connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The module's connection, for many small tests: their tables are dropped, and nothing else is."""
    yield module_connection
    names = [
        name
        for (name,) in module_connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
    ]
    if names:
        dropped = sql.SQL(", ").join(map(sql.Identifier, names))
        module_connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(dropped))


MakeDB = Callable[..., KroftDB]


@pytest.fixture
def make_db(databases: Databases) -> Iterator[MakeDB]:
    """Makes a ``KroftDB`` in an empty database of its own, as often as it is called."""
    with ExitStack() as opened:

        def make(*definitions: Definition | str, **options: Any) -> KroftDB:
            taken = databases.acquire()
            opened.callback(databases.release, taken)
            return opened.enter_context(KroftDB(taken.dsn, *definitions, **options))

        yield make
