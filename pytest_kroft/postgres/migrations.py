"""A migration of the user's own: it is called, and what it made of the rows is observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import make_conninfo

from pytest_kroft.errors import ExecutionError, LoadError
from pytest_kroft.model.describe import migration_name
from pytest_kroft.model.operations import Migrate, Observed
from pytest_kroft.model.state import State
from pytest_kroft.postgres.observing import difference
from pytest_kroft.postgres.sources import Function, Source, load_of
from pytest_kroft.postgres.templates import load_source

Connection = psycopg.Connection[Any]
Migration: TypeAlias = str | PathLike[str] | Callable[..., object]
"""``"module:function"``, the path of an SQL file, or a function: it gets a connection, and texts."""

Known = Mapping[str, Source]
"""Migrations by their names that cannot be imported again, as they are functions in a test."""

_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', '10s', false) WHERE current_setting('lock_timeout') = '0'"


def migration(given: Migration) -> Source:
    """The function or SQL file that a user names; raises LoadError where it is not there."""
    (source,) = load_of(given).sources
    return source


def named_apart(source: Source, known: Known) -> Source:
    """A migration under a name that no other one has: functions in a test may share theirs."""
    name, number = source.name, 1
    while known.get(name, replace(source, name=name)) != replace(source, name=name):
        number += 1
        name = f"{source.name} ({number})"
    return replace(source, name=name)


def run(connection: Connection, source: Source, arguments: Sequence[str]) -> None:
    """Run a migration on a connection of its own to the database that another one is open on.

    Raises LoadError for what it raises, and where it leaves a transaction open.
    """
    if arguments and not isinstance(source, Function):
        raise LoadError("an SQL file takes no arguments", source=source.name)
    if isinstance(source, Function) and arguments:
        source = replace(source, call=_with_arguments(source.call, arguments))
    at = connection.info
    parameters = {**at.get_parameters(), "password": at.password, "application_name": "kroft migration"}
    with psycopg.connect(make_conninfo(**parameters), autocommit=True, prepare_threshold=None) as own:
        # A test that holds a lock is named by an error, in place of waiting for it without end.
        own.execute(_LOCK_TIMEOUT)
        try:
            load_source(own, source)
        finally:
            # What is open is undone before anybody looks at it; psycopg would commit it.
            own.close()


def _with_arguments(function: Any, arguments: Sequence[str]) -> Any:
    # Its code tells the line of an error.
    called = partial(_called, function, tuple(arguments))
    if hasattr(function, "__code__"):
        called.__code__ = function.__code__  # type: ignore[attr-defined]
    return called


def _called(function: Any, arguments: tuple[str, ...], connection: Connection) -> object:
    return function(connection, *arguments)


def observe_migrated(connection: Connection, after: State) -> list[Observed]:
    """What the tables hold otherwise than the state after a migration says; raises psycopg.Error."""
    return [found for name in after.tables if (found := difference(connection, after, name, "server"))]


def migrate_again(connection: Connection, op: Migrate, after: State, known: Known) -> list[Observed]:
    """Run the migration of a history once more, and observe it.

    Raises ExecutionError where it cannot be imported, fails, or makes other tables than it did.
    """
    name = f"migrate with {migration_name(op)}"
    try:
        source = known.get(op.source) or migration(op.source)
    except LoadError as error:
        reason = f"{error.reason}; a history calls its migrations again, so name one that can be imported"
        raise ExecutionError(name, reason) from error
    try:
        run(connection, source, op.arguments)
        return observe_migrated(connection, after)
    except LoadError as error:
        raise ExecutionError(name, str(error), sqlstate=error.sqlstate) from error
    except psycopg.Error as error:
        reason = f"it made other tables than the history has: {' '.join(str(error).split())}"
        raise ExecutionError(name, reason, sqlstate=error.sqlstate) from error
