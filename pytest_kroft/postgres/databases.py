"""Databases on a server, each handed out for one test and used again where that is safe."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import psycopg
from psycopg import sql

from pytest_kroft.errors import KroftError, SessionRemains
from pytest_kroft.postgres.recycling import (
    Connection,
    Fingerprint,
    blockers,
    clean,
    end_sessions,
    fingerprint,
    prepare,
    survey,
    tidied,
)
from pytest_kroft.postgres.uri import parameters

PINNED = {
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "lock_timeout": "10s",
}
"""Settings that every session on a database of ours starts with, whoever opens it."""

_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        # Plans hold only while the schemas of the search path stay the same, and we drop those.
        "search_path=pg_catalog",
        # What a test may have set for its database and would hinder us.
        "default_transaction_read_only=off",
        "statement_timeout=0",
        "lock_timeout=10s",
        "client_min_messages=error",
    )
)


class HasDsn(Protocol):
    """A server, as far as databases need one."""

    def dsn(self, database: str = ..., /) -> str:
        """A libpq URI for the named database, or for the one to administer the server from."""


@dataclass(frozen=True)
class Database:
    """A database that a test may do anything to, and a libpq URI that reaches it.

    ``template`` names the one that it is a clone of; without one it is empty at first.
    """

    name: str
    dsn: str
    template: str | None = None


class Databases:
    """The databases made on a server by this object, which touches no others.

    Their names carry a mark drawn for this object alone. A released database is emptied in
    place and given out again if nothing distinguishes it from a new one; otherwise it is dropped.
    So is a clone of a template: nothing tells cheaply what was done to its content.
    """

    def __init__(self, server: HasDsn) -> None:
        self._server = server
        self._mark = secrets.token_hex(4)
        self._made = 0
        self._ours: dict[str, Database] = {}
        self._free: list[Database] = []
        self._kept: set[str] = set()
        self._new: Fingerprint | None = None
        self._admin_connection: Connection | None = None
        self._insiders: dict[str, Connection] = {}

    def acquire(self, template: str | None = None) -> Database:
        """An empty database, used before or new; or a new clone of a template."""
        if self._free and template is None:
            return self._free.pop()
        self._made += 1
        name = f"kroft_{self._mark}_{self._made}"
        database = self._ours[name] = Database(name, self._server.dsn(name), template)
        self._create(database)
        return database

    def release(self, database: Database) -> None:
        """Take a database back: all its sessions end, and it is emptied, or dropped.

        A kept one is left alone. Raises :class:`SessionRemains` where it can be neither emptied nor dropped.
        """
        self._check_ours(database)
        if database.name in self._kept:
            return
        if database.template is None and self._emptied(database):
            self._free.append(database)
        else:
            self._discard(database)

    def sessions(self, database: Database) -> list[int]:
        """The process ids of all sessions on a database but our own."""
        query = "select pid from pg_stat_activity where datname = %s and pid <> %s"
        inside = self._insiders.get(database.name)
        ours = 0 if inside is None or inside.closed else inside.info.backend_pid
        return [row[0] for row in self._admin.execute(query, [database.name, ours])]

    def reset(self, database: Database, spare: Collection[int] = ()) -> bool:
        """Make a database in use empty again, under the same name; whether that was done in place.

        Sessions end, but for those whose process id is in ``spare`` and that are in no
        transaction. Where emptying is not enough the database is made anew, and all sessions end.
        """
        self._check_ours(database)
        if database.template is None and self._emptied(database, spare):
            return True
        self._drop(database)
        self._create(database)
        return False

    def keep(self, database: Database) -> None:
        """Never drop or empty this database."""
        self._check_ours(database)
        self._kept.add(database.name)
        if database.name in self._insiders:
            self._insiders.pop(database.name).close()

    def close(self) -> None:
        """Drop every database made here that is not kept, and close our connections.

        Raises the error of one that cannot be dropped after all others are; closing again tries it again.
        """
        self._free.clear()
        with ExitStack() as closing:
            closing.callback(self._disconnect)
            for database in self._ours.values():
                if database.name not in self._kept:
                    closing.callback(self._discard, database)

    def _discard(self, database: Database) -> None:
        self._drop(database)
        del self._ours[database.name]

    def _disconnect(self) -> None:
        for connection in [*self._insiders.values(), self._admin_connection]:
            if connection is not None:
                connection.close()

    @property
    def _admin(self) -> Connection:
        if self._admin_connection is None or self._admin_connection.closed:
            self._admin_connection = psycopg.connect(self._server.dsn(), autocommit=True)
        return self._admin_connection

    def _inside(self, database: Database) -> Connection:
        """Our connection to the database; kept open, as a new one costs more than all the rest."""
        known = self._insiders.get(database.name)
        if known is None or known.closed:
            options = f"{parameters(database.dsn).get('options', '')} {_OPTIONS}"
            known = psycopg.connect(database.dsn, autocommit=True, options=options)
            prepare(known)
            self._insiders[database.name] = known
        return known

    def _check_ours(self, database: Database) -> None:
        if self._ours.get(database.name) != database:
            raise KroftError(f"database {database.name!r} was not made here, so it is left alone")
        if database in self._free:
            raise KroftError(f"database {database.name!r} has been released already")

    def _create(self, database: Database) -> None:
        create(self._admin, database.name, database.template)
        if self._new is None and database.template is None:
            self._new = fingerprint(self._inside(database))

    def _emptied(self, database: Database, spare: Collection[int] = ()) -> bool:
        """Empty the database; whether it is now as good as new."""
        try:
            inside = self._inside(database)
            remains = survey(inside, spare)
            for statement in remains.blockers:
                inside.execute(statement.encode())
            if tidied(inside, remains.drops) == self._new:
                return True
            clean(inside)
            return fingerprint(inside) == self._new
        except psycopg.OperationalError:
            # What ended our session there may have ended this one too: it is opened again.
            self._admin.close()
            return False
        except (psycopg.Error, SessionRemains):
            return False

    def _unblock(self, database: Database) -> None:
        for statement in blockers(self._admin, database.name):
            self._inside(database).execute(statement.encode())

    def _drop(self, database: Database) -> None:
        self._end_sessions(database)
        name = sql.Identifier(database.name)
        if not self._admin.execute("select from pg_database where datname = %s", [database.name]).rowcount:
            return
        # What a test may have set so that nobody can get in, or drop it.
        opened = sql.SQL("alter database {} allow_connections true connection limit -1 is_template false")
        self._admin.execute(opened.format(name))
        self._unblock(database)
        self._end_sessions(database)
        self._admin.execute(sql.SQL("drop database {} with (force)").format(name))

    def _end_sessions(self, database: Database) -> None:
        if database.name in self._insiders:
            self._insiders.pop(database.name).close()
        end_sessions(self._admin, database.name)


def create(admin: Connection, name: str, template: str | None = None) -> None:
    """Make a database with the pinned settings: an empty one, or a clone of a template."""
    start = sql.SQL("create database {} template {} {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0"), _strategy(admin)
    )
    admin.execute(start if template else start + sql.SQL(" encoding 'UTF8'"))
    pinned = [
        sql.SQL("alter database {} set {} to {}").format(
            sql.Identifier(name), sql.Identifier(key), sql.Literal(value)
        )
        for key, value in PINNED.items()
    ]
    path = sql.SQL('alter database {} set search_path to "$user", public').format(sql.Identifier(name))
    admin.execute(sql.SQL(";").join([*pinned, path]))


def _strategy(admin: Connection) -> sql.SQL:
    # Copying files needs a checkpoint: quick only where nothing is synced to disk.
    unsynced = admin.execute("show fsync").fetchone() == ("off",)
    return sql.SQL("strategy file_copy" if admin.info.server_version >= 150000 and unsynced else "")
