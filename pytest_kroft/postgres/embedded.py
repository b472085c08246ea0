"""A PostgreSQL server of our own, started from the programs in a wheel and gone without a trace."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import psycopg

from pytest_kroft.errors import ServerFailed
from pytest_kroft.postgres.installation import (
    DEFAULT_PACKAGE,
    Account,
    Installation,
    clean_environment,
    find_installation,
    give,
    server_account,
)
from pytest_kroft.postgres.uri import uri

SUPERUSER = "postgres"
PORT = 5432
"""The number in the socket's name; nothing listens on TCP."""

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    # synchronous_commit stays on: a replication slot returns only what has been flushed.
    "wal_level": "logical",
    "max_connections": "300",
    "max_wal_senders": "100",
    "max_replication_slots": "100",
    "max_prepared_transactions": "50",
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "listen_addresses": "",
}
"""What an embedded server is started with (PostgreSQL documentation, chapter 19 "Server Configuration")."""

_SOCKET_PATH_LIMIT = 100
"""Bytes that the socket's path may take; the system's limit is 103 on macOS and 107 on Linux."""

_START_SECONDS = 60
_STOP_SECONDS = ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
"""Fast shutdown, then immediate shutdown, then none (documentation, section 18.5)."""

_STOP_SCRIPT = (
    "if pid=$(head -n 1 {data}/postmaster.pid 2>/dev/null); then"
    " kill -INT $pid; n=0;"
    " while [ -e {data}/postmaster.pid ] && [ $n -lt 300 ]; do"
    " sleep 0.1; n=$((n+1)); [ $n = 200 ] && kill -QUIT $pid; [ $n = 250 ] && kill -KILL $pid;"
    " done; fi; rm -rf {directory}"
)
"""The same for a shell, in one line to paste; the server removes its pid file when it has stopped."""

_WATCH_SCRIPT = "if read -r dismissed; then exit 0; fi\n"
"""The watcher waits at a pipe: a line sends it away; the end of the pipe means that we died."""


class EmbeddedServer:
    """A running server in a private directory, reached through a Unix socket by user ``postgres``.

    ``package`` is the import name of the wheel to start it from (see
    :func:`~pytest_kroft.postgres.installation.find_installation`), ``settings`` are
    configuration parameters besides :data:`SETTINGS`.
    Raises :class:`ServerNotFound` without the wheel, :class:`ServerFailed` when the server does not come up.
    A watching process stops the server and removes its directory even when ours is killed.
    """

    kind = "embedded"

    def __init__(self, package: str = DEFAULT_PACKAGE, settings: Mapping[str, str] | None = None) -> None:
        installation = find_installation(package)
        self._owner_pid = os.getpid()
        self._kept = self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        account = server_account()
        self.directory = private_directory(account)
        atexit.register(self.close)
        try:
            self._start(installation, account, {**SETTINGS, **(settings or {})})
            self.version = self._await_ready()
        except BaseException:
            self.close()
            raise

    @property
    def found(self) -> str:
        """How the server was found: a phrase for pytest's header."""
        return "embedded, started for this run"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def dsn(self, database: str = SUPERUSER) -> str:
        """A libpq URI for a database of the server (documentation, section 34.1.1.2)."""
        return uri({"user": SUPERUSER, "dbname": database, "host": str(self.directory), "port": str(PORT)})

    def how_to_stop(self) -> str:
        """A shell command that stops the server and removes its directory."""
        return f"sh -c {shlex.quote(self._stop_script())}"

    def keep(self) -> None:
        """Leave the server running after this process ends; :meth:`how_to_stop` says how to end it."""
        self._kept = True
        self._dismiss_watcher()

    def close(self) -> None:
        """Stop the server and remove its directory, unless it is kept; in a forked child, do nothing."""
        if self._closed or os.getpid() != self._owner_pid:
            return
        self._closed = True
        atexit.unregister(self.close)
        if self._kept:
            self._let_go()
            return
        self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        self._dismiss_watcher()

    def _start(self, installation: Installation, account: Account, settings: Mapping[str, str]) -> None:
        self._watcher = self._watch()
        if not installation.usable_by(account):
            installation = installation.copy_to(self.directory / "programs", account)
        with self._log().open("wb") as log:
            self._initdb(installation, account, log)
            self._process = subprocess.Popen(  # noqa: S603
                self._command(installation, settings), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd="/", env=clean_environment(os.environ), start_new_session=True,
                **account.run_as,
            )  # fmt: skip

    def _watch(self) -> subprocess.Popen[bytes]:
        script = _WATCH_SCRIPT + self._stop_script()
        return subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd="/", start_new_session=True, bufsize=0,
        )  # fmt: skip

    def _initdb(self, installation: Installation, account: Account, log: IO[bytes]) -> None:
        command = [
            installation.program("initdb"), "--pgdata", str(self.data), "--username", SUPERUSER,
            "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions", *_locale(installation.major),
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603
            command, check=False, stdout=log, stderr=log, cwd="/",
            env=clean_environment(os.environ), **account.run_as,
        )  # fmt: skip
        if done.returncode:
            raise ServerFailed(f"initdb failed with status {done.returncode}", self._last_lines())

    def _command(self, installation: Installation, settings: Mapping[str, str]) -> list[str]:
        # The parameter is a list of directories: one in double quotes may hold any character.
        sockets = '"{}"'.format(str(self.directory).replace('"', '""'))
        pairs = {**settings, "unix_socket_directories": sockets, "port": str(PORT)}
        options = [text for key, value in pairs.items() for text in ("-c", f"{key}={value}")]
        return [installation.program("postgres"), "-D", str(self.data), *options]

    def _await_ready(self) -> int:
        """Wait until the server answers a query; gives its version as a number, such as 180001."""
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                return _answering_version(self.dsn())
            status = self._process.poll()
            if status is not None:
                raise ServerFailed(f"the server ended with status {status}", self._last_lines())
            time.sleep(0.01)
        raise ServerFailed(f"the server gave no answer in {_START_SECONDS} seconds", self._last_lines())

    def _stop(self) -> None:
        if self._process is None:
            return
        for number, seconds in _STOP_SECONDS:
            self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return

    def _let_go(self) -> None:
        # A process that lives on by intent is no leak for Popen to warn of.
        if self._process is not None and self._process.poll() is None:
            self._process.returncode = 0

    def _dismiss_watcher(self) -> None:
        if self._watcher is None:
            return
        with suppress(BrokenPipeError):
            self._watcher.communicate(b"dismissed\n")
        self._watcher = None

    def _stop_script(self) -> str:
        data, directory = shlex.quote(str(self.data)), shlex.quote(str(self.directory))
        return _STOP_SCRIPT.format(data=data, directory=directory)

    def _log(self) -> Path:
        return self.directory / "log"

    def _last_lines(self, count: int = 10) -> str:
        lines = self._log().read_text(errors="replace").splitlines()
        return "\n".join(lines[-count:])


def _answering_version(dsn: str) -> int:
    """The version of the server, once it answers a query: one that only listens is not yet ready."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select 1")
        return connection.info.server_version


def private_directory(account: Account) -> Path:
    """A new directory that only the account (and root) may enter, where a socket's path can be short enough.

    It lies in the usual place for temporary files, or in ``/tmp`` where that one does not serve.
    """
    usual = Path(tempfile.gettempdir())
    parent = usual if _serves(usual, account) else Path("/tmp")  # noqa: S108
    directory = Path(tempfile.mkdtemp(prefix="kroft-", dir=parent))
    give(directory, account)
    return directory


def _serves(parent: Path, account: Account) -> bool:
    socket = parent / "kroft-12345678" / f".s.PGSQL.{PORT}"
    short = len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT
    # libpq takes a comma in a host for the start of the next host.
    return short and "," not in str(parent) and (account.is_ours or account.can_enter(parent))


def _locale(major: int) -> list[str]:
    # The provider built into PostgreSQL 17 and later needs no locale of the system's.
    if major >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]
