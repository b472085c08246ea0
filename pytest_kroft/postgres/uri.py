"""Connection strings: read in either of libpq's forms, written as the URI that any client takes.

Both forms are described in PostgreSQL's documentation, section 34.1.1 ("Connection Strings").
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pytest_kroft.errors import ServerNotFound

SCHEMES = ("postgresql", "postgres")


def parameters(dsn: str) -> dict[str, str]:
    """The parameters of a connection string, by libpq's names (``dbname``, ``host``, ...).

    Raises :class:`ServerNotFound` for another scheme and for what libpq cannot read.
    """
    scheme, separator, _ = dsn.partition("://")
    if separator and scheme not in SCHEMES and "=" not in scheme:
        raise ServerNotFound(
            f"a URI of scheme {scheme!r} names no PostgreSQL server that kroft can use;"
            " write it as postgresql://user:password@host:port/database"
        )
    try:
        read = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ServerNotFound(f"the connection string cannot be read: {str(error).strip()}") from error
    return {key: str(value) for key, value in read.items() if value is not None}


def uri(given: Mapping[str, str | None]) -> str:
    """Parameters as a URI: user, password, a TCP host, its port and the database in their places.

    A socket's directory and everything else follow as a query, as libpq and SQLAlchemy read it.
    """
    rest = {key: value for key, value in given.items() if value}
    user, password = rest.pop("user", ""), rest.pop("password", "")
    login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
    address = _address(rest)
    database = quote(rest.pop("dbname", ""), safe="")
    query = urlencode(rest, safe="/", quote_via=quote)
    return f"postgresql://{login}{'@' if login else ''}{address}/{database}{'?' if query else ''}{query}"


def _address(rest: dict[str, str]) -> str:
    """Take host and port out of the parameters, where they are one TCP address."""
    host = rest.get("host", "")
    if not host or host.startswith(("/", "@")) or "," in host:
        return ""
    del rest["host"]
    port = rest.pop("port", "")
    shown = f"[{host}]" if ":" in host else quote(host, safe="")
    return f"{shown}:{port}" if port else shown


def with_database(dsn: str, database: str) -> str:
    """The same server and user, another database."""
    return uri({**parameters(dsn), "dbname": database})


def without_password(dsn: str) -> str:
    """A connection string fit for a message."""
    return uri({**parameters(dsn), "password": ""})
