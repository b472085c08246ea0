"""Loaded schemas as template databases, of which each test's database is a clone.

A template is named by the hash of what was loaded and of the server that it is on. It is built once, by
whichever process comes first, and is marked complete last: one without the mark was left half-made.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from pytest_kroft.errors import LoadError
from pytest_kroft.postgres.databases import PINNED, HasDsn, create
from pytest_kroft.postgres.psql import CopyData, Statement
from pytest_kroft.postgres.recycling import Connection, end_sessions
from pytest_kroft.postgres.sources import Function, Load, SqlFile
from pytest_kroft.postgres.uri import parameters

PREFIX = "kroft_template_"
MARK = "pytest-kroft: a complete template"
"""The comment on a template that was loaded to its end."""

_UNHINDERED = "-c lock_timeout=0 -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
_LOCK = 0x6B726F6674
"""The number of the advisory lock under which templates are made: "kroft"."""

_MARK_QUERY = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"
_NO_EXTENSION = re.compile(r'extension "([^"]+)" is not available')
_CREATE_EXTENSION = re.compile(r'create\s+extension\s+(?:if\s+not\s+exists\s+)?"?([^\s";]+)', re.IGNORECASE)
_OF_ROLES = re.compile(r"\bowner\s+to\b|\bgrant\b|\brevoke\b|\bauthorization\b|\bfor\s+role\b", re.IGNORECASE)
_COPY_LINE = re.compile(r"^COPY .*?, line (\d+)", re.MULTILINE)


class Templates:
    """The template databases of a server, made when they are first asked for."""

    def __init__(self, server: HasDsn) -> None:
        self._server = server
        self._known: dict[str, LoadError | None] = {}

    def ready(self, load: Load) -> str:
        """The name of the database that holds what is loaded; it is made unless it is there.

        Raises:
            LoadError: says which file, line and statement, or which function, is at fault. Nothing half-made
                stays, and the next call raises the same.
        """
        with _connected(self._server.dsn()) as admin:
            name = PREFIX + load.digest(MARK, *_facts(admin))
            if name not in self._known:
                self._known[name] = _made(self._server, admin, name, load)
        if error := self._known[name]:
            raise error.with_traceback(None)
        return name


def _facts(admin: Connection) -> Iterator[str]:
    """What a template depends on besides what is loaded: only its owner may clone it."""
    yield str(admin.info.server_version)
    yield repr(sorted(PINNED.items()))
    yield str(admin.execute("select current_user").fetchone())


def _made(server: HasDsn, admin: Connection, name: str, load: Load) -> LoadError | None:
    if _is_complete(admin, name):
        return None
    # Held until the connection is closed, so that the other processes wait for the one that builds.
    admin.execute("select pg_advisory_lock(%s)", [_LOCK])
    if _is_complete(admin, name):
        return None
    _drop(admin, name)
    try:
        create(admin, name)
        for source in load.sources:
            with _connected(server.dsn(name)) as connection:
                load_source(connection, source)
        _complete(server, admin, name)
    except LoadError as error:
        _drop(admin, name)
        return error
    except BaseException:
        _drop(admin, name)
        raise
    return None


def _is_complete(admin: Connection, name: str) -> bool:
    return admin.execute(_MARK_QUERY, [name]).fetchone() == (MARK,)


def _complete(server: HasDsn, admin: Connection, name: str) -> None:
    """Close a loaded template, for nobody can clone it while a session is in it; then mark it."""
    # Else autovacuum does so in each clone, and in the template while it is to be cloned. An index may call a
    # function that works only with the search path of an ordinary session: then it has no statistics.
    with _connected(server.dsn(name)) as connection, suppress(psycopg.Error):
        connection.execute("analyze")
    named = sql.Identifier(name)
    admin.execute(sql.SQL("alter database {} allow_connections false").format(named))
    end_sessions(admin, name)
    admin.execute(sql.SQL("comment on database {} is {}").format(named, sql.Literal(MARK)))


def _drop(admin: Connection, name: str) -> None:
    admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    options = f"{parameters(dsn).get('options', '')} {_UNHINDERED}"
    with psycopg.connect(dsn, autocommit=True, options=options, prepare_threshold=None) as connection:
        yield connection


def load_source(connection: Connection, source: SqlFile | Function) -> None:
    """Send a file, or call a function; raises LoadError that says what is at fault."""
    if isinstance(source, Function):
        _call(connection, source)
    else:
        # A file that only psql can read is refused before anything of it is done.
        for name, part in [*source.parts()]:
            _send(connection, name, part)
    if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise LoadError("it ends in a transaction that is still open: end it with COMMIT", source=source.name)


def _send(connection: Connection, name: str, part: Statement | CopyData) -> None:
    try:
        if isinstance(part, CopyData):
            with connection.cursor() as cursor, cursor.copy(_encoded(connection, part.text)) as copy:
                copy.write(_encoded(connection, part.data))
        else:
            connection.execute(_encoded(connection, part.text))
    except psycopg.Error as error:
        raise LoadError(
            _reason(error, part.text), source=name, line=_line(error, part), statement=part.text,
            sqlstate=error.sqlstate,
        ) from error  # fmt: skip
    except UnicodeEncodeError as error:
        reason = f"the file's client_encoding has no {error.object[error.start]!r}: set it to UTF8"
        raise LoadError(reason, source=name, line=part.line, statement=part.text) from None


def _encoded(connection: Connection, text: str) -> bytes:
    encoding = connection.info.encoding
    return text.encode("utf-8" if encoding == "ascii" else encoding)


def _call(connection: Connection, source: Function) -> None:
    try:
        source.call(connection)
    except (Exception, SystemExit) as error:
        if isinstance(error, LoadError):
            raise
        raise LoadError(
            f"the function raised {type(error).__name__}: {_first_line(error)}",
            source=source.name, line=_line_in(source, error), sqlstate=getattr(error, "sqlstate", None),
        ) from error  # fmt: skip


def _first_line(error: BaseException) -> str:
    server = error if isinstance(error, psycopg.Error) else getattr(error, "orig", None) or error.__cause__
    if isinstance(server, psycopg.Error):
        return _reason(server, "")
    return next(iter(str(error).splitlines()), "") or "no reason given"


def _line_in(source: Function, error: BaseException) -> int | None:
    """The latest line of the function's own file on the way to an error."""
    code = getattr(source.call, "__code__", None)
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if code and Path(frame.filename) == Path(code.co_filename)
    ]
    return lines[-1] if lines else None


def _reason(error: psycopg.Error, statement: str) -> str:
    """What the server said, or what helps where that is known."""
    said = error.diag.message_primary or str(error).strip() or type(error).__name__
    lacking = _NO_EXTENSION.search(said) or (
        error.sqlstate in ("0A000", "58P01") and _CREATE_EXTENSION.match(statement)
    )
    if lacking:
        return (
            f'the server lacks the extension "{lacking[1]}": install it there, or name a server that has it '
            "with --kroft-dsn"
        )
    if error.sqlstate == "42704" and _OF_ROLES.search(statement):
        return f"{said}: write the dump with --no-owner --no-privileges"
    if error.sqlstate == "42601" and _stands_at(error, statement).startswith(":"):
        return f"{said}: kroft knows no variables of psql; write the value where it is used"
    return said + (f" ({error.diag.message_detail})" if error.diag.message_detail else "")


def _stands_at(error: psycopg.Error, statement: str) -> str:
    return statement[int(error.diag.statement_position or 1) - 1 :]


def _line(error: psycopg.Error, part: Statement | CopyData) -> int:
    """The line of the file that an error of the server is about."""
    if isinstance(part, CopyData) and (found := _COPY_LINE.search(error.diag.context or "")):
        return part.data_line + int(found[1]) - 1
    position = int(error.diag.statement_position or 1) - 1
    return part.line + part.text.count("\n", 0, position)
