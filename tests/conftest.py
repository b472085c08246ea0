"""Fixtures of kroft's own tests: one server for the run, an empty database for each test."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

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
