"""Where the PostgreSQL server comes from: given, a fixture's, or one of our own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from pytest_kroft.errors import ServerNotFound
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.postgres.installation import DEFAULT_PACKAGE
from pytest_kroft.postgres.uri import parameters, uri, with_database, without_password

AUTO = "auto"
EMBEDDED = "embedded"
PROCESS_FIXTURE = "postgresql_proc"
"""The fixture of pytest-postgresql that starts a server from an installed PostgreSQL."""

REMEDY = 'pip install "pytest-kroft[embedded]"'
OLDEST = 14
"""The oldest major version that kroft works with."""

_CONNECT_SECONDS = "10"

RequestFixture = Callable[[str], object]


@dataclass(frozen=True)
class Server:
    """A server that databases can be made on.

    ``kind`` is ``"dsn"``, ``"fixture"`` or ``"embedded"``; ``admin`` is the URI to make databases through;
    ``version`` is a number such as 180001; ``found`` is a phrase that says where the server comes from.
    """

    kind: str
    admin: str = field(repr=False)  # may hold a password
    version: int
    found: str
    embedded: EmbeddedServer | None = None

    def dsn(self, database: str = "") -> str:
        """A libpq URI for a database of the server; without a name, the one to administer it from."""
        return with_database(self.admin, database) if database else self.admin

    def keep(self) -> None:
        """Leave an embedded server running; any other is not ours to stop anyway."""
        if self.embedded is not None:
            self.embedded.keep()

    def how_to_stop(self) -> str:
        """A shell command that ends an embedded server for good; empty for a server that is not ours."""
        return self.embedded.how_to_stop() if self.embedded is not None else ""

    def close(self) -> None:
        """Stop an embedded server, unless it is kept; leave any other alone."""
        if self.embedded is not None:
            self.embedded.close()


def find_server(
    *,
    dsn: str | None = None,
    source: str = AUTO,
    request_fixture: RequestFixture | None = None,
    package: str = DEFAULT_PACKAGE,
) -> Server:
    """The server to use: ``dsn`` if given, otherwise what ``source`` names.

    ``source`` is ``"embedded"``, the name of a fixture (looked up by ``request_fixture``), or ``"auto"``: the
    embedded wheel, then ``postgresql_proc``. ``package`` is the import name of the wheel.
    Raises :class:`ServerNotFound`, which says what was looked for and what helps.
    """
    if dsn is not None:
        return _checked("dsn", dsn, "the given connection string")
    if source == EMBEDDED:
        return _or_remedy(package)
    if source == AUTO:
        return _first(request_fixture, package)
    return _of_fixture(source, request_fixture)


def _embedded(package: str) -> Server:
    server = EmbeddedServer(package)
    found = f"started from the package {package.replace('_', '-')}"
    return Server(EMBEDDED, server.dsn(), server.version, found, server)


def _or_remedy(package: str) -> Server:
    try:
        return _embedded(package)
    except ServerNotFound as error:
        raise ServerNotFound(f"no embedded server: {error}\nthis helps: {REMEDY}") from error


def _first(request_fixture: RequestFixture | None, package: str) -> Server:
    places: dict[str, Callable[[], Server]] = {
        "an embedded server": lambda: _embedded(package),
        f"pytest-postgresql's {PROCESS_FIXTURE}": lambda: _of_installed(request_fixture),
    }
    failures = []
    for place, attempt in places.items():
        try:
            return attempt()
        except ServerNotFound as error:
            failures.append(f"  - {place}: {error}")
    looked = "\n".join(failures)
    raise ServerNotFound(f"there is no PostgreSQL server to use; looked for:\n{looked}\nthis helps: {REMEDY}")


def _of_installed(request_fixture: RequestFixture | None) -> Server:
    if os.geteuid() == 0:
        raise ServerNotFound("not tried, as PostgreSQL's pg_ctl refuses to run as root")
    return _of_fixture(PROCESS_FIXTURE, request_fixture)


def _of_fixture(name: str, request_fixture: RequestFixture | None) -> Server:
    if request_fixture is None:
        raise ServerNotFound(f"the fixture {name!r} can only be asked for in a run of pytest")
    try:
        value = request_fixture(name)
    except Exception as error:
        raise ServerNotFound(_fixture_failure(name, error)) from error
    return _checked("fixture", _dsn_of(name, value), f"the fixture {name}")


def _fixture_failure(name: str, error: Exception) -> str:
    # pytest's FixtureLookupError, told by its field, so that pytest need not be imported here.
    if isinstance(error, LookupError) and getattr(error, "argname", None) == name:
        return f"there is no fixture {name!r}; name one that gives a server, or {AUTO!r} or {EMBEDDED!r}"
    lines = str(error).strip().splitlines() or ["it gave no reason"]
    return f"the fixture {name!r} failed: {type(error).__name__}: {lines[0]}"


def _dsn_of(name: str, value: Any) -> str:
    dsn = getattr(value, "dsn", value)
    dsn = dsn() if callable(dsn) else dsn
    if isinstance(dsn, str):
        return dsn
    if hasattr(value, "host") and hasattr(value, "port"):
        return uri(_executor_parameters(value))
    raise ServerNotFound(
        f"the fixture {name!r} gives a {type(value).__name__}, which names no server; it is to give"
        " a connection string, an object with the attribute `dsn`, or a process of pytest-postgresql"
    )


def _executor_parameters(executor: Any) -> dict[str, str | None]:
    names = {"host": "host", "port": "port", "user": "user", "password": "password", "options": "options"}
    found = {key: getattr(executor, name, None) for key, name in names.items()}
    # The executor's own dbname is that of a test's database, which need not exist yet.
    found["dbname"] = getattr(executor, "maintenance_dbname", None) or "postgres"
    return {key: None if value is None else str(value) for key, value in found.items()}


def _checked(kind: str, dsn: str, found: str) -> Server:
    """The server behind a connection string, once it is seen to answer and to let us make databases."""
    given = parameters(dsn)
    admin, shown = uri(given), without_password(dsn)
    patient = uri({"connect_timeout": _CONNECT_SECONDS, **given})
    try:
        with psycopg.connect(patient, autocommit=True) as connection:
            version, (role, may_create) = connection.info.server_version, _role(connection)
    except psycopg.Error as error:
        raise ServerNotFound(f"{found}: {shown} cannot be reached: {str(error).strip()}") from error
    if version < OLDEST * 10000:
        raise ServerNotFound(
            f"{found}: {shown} is PostgreSQL {version // 10000}; kroft needs {OLDEST} or later"
        )
    if not may_create:
        raise ServerNotFound(
            f'{found}: the role "{role}" at {shown} may not create databases;'
            f' allow it with: ALTER ROLE "{role}" CREATEDB'
        )
    return Server(kind, admin, version, found)


def _role(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[str, bool]:
    query = "select rolname, rolcreatedb or rolsuper from pg_roles where rolname = current_user"
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0], row[1]
