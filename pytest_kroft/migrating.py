"""A migration of the user's own as one step: it runs, and what it made of tables and rows is taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from pytest_kroft.adopting import learnt, undone
from pytest_kroft.errors import DefinitionError, ExecutionError, KroftError, LoadError, listing
from pytest_kroft.model.carrying import carried
from pytest_kroft.model.check_migration import check_no_sessions
from pytest_kroft.model.describe import migration_changes, migration_name
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import Migrate, Observed
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition
from pytest_kroft.postgres.adoption import Found, definitions_of
from pytest_kroft.postgres.catalog import Catalog, CatalogRelation, Oid, read_catalog
from pytest_kroft.postgres.introspection import asking
from pytest_kroft.postgres.migrations import Known, Migration, migration, named_apart, observe_migrated, run
from pytest_kroft.postgres.sources import Source
from pytest_kroft.postgres.table_patterns import BOOKKEEPING
from pytest_kroft.verification import content_difference, structure_differences

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Migrated:
    """What a migration did; ``print`` it.

    Args:
        name: What was called, with its arguments.
        changes: What changed in the schema, each change in words.
        rows: By a table's name, what was done to its rows: ``"4 changed, 1 removed"``.
        left_out: The tables that it made, or changed, and that cannot be adopted, with the reason.
        closed: The tables that accept no row as far as kroft found, with the reason.
    """

    name: str
    changes: tuple[str, ...] = ()
    rows: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"migrated with {self.name}"]
        lines += [f"  {change}" for change in self.changes]
        lines += [f"  rows of {name}: {done}" for name, done in self.rows.items()]
        lines += [f"  left out: {name}: {why}" for name, why in self.left_out.items()]
        lines += [f"  takes no rows: {name}: {why}" for name, why in self.closed.items()]
        return "\n".join(lines if len(lines) > 1 else [f"{lines[0]}: nothing changed"])


@dataclass(frozen=True)
class Taken:
    """What is taken over: the step, what was observed of the rows, and the report."""

    source: Source
    step: Migrate
    observed: Sequence[Observed]
    report: Migrated


@dataclass(frozen=True)
class _Snapshot:
    """The catalog at one moment, what it says of the tables that kroft knows, and their oids."""

    catalog: Catalog
    found: Found
    oids: Mapping[str, Oid]

    def table(self, name: str) -> TableDefinition | None:
        """The definition of that name."""
        return next((table for table in self.found.tables if table.name == name), None)

    def numbers(self, name: str) -> dict[int, str]:
        """The names of a table's columns by the numbers that the server keeps."""
        return {one.number: one.name for one in self.catalog.attributes.get(self.oids[name], ())}


def migrate(
    connection: Connection, state: State, given: Migration, arguments: Sequence[str], known: Known
) -> Taken:
    """Run a migration, and find what it made of a state that the server held before.

    Args:
        connection: kroft's own session; the migration gets another one.
        state: What the database holds.
        given: ``"module:function"``, a function, or the path of an SQL file.
        arguments: What a function gets besides its connection.
        known: The migrations that the history has, by name: another one of the same name gets a number.

    Raises:
        LoadError: where there is no such function or file.
        NotApplicable: while a session is open.
        DefinitionError: for an argument that is no text.
        ExecutionError: where the migration fails; says whether it left something behind.
        KroftError: where the session fails.
    """
    check_no_sessions(state)
    if wrong := [value for value in arguments if not isinstance(value, str)]:
        raise DefinitionError(
            f"an argument of a migration must be a text, as histories hold it, not {wrong[0]!r}"
        )
    source, database = named_apart(migration(given), known), connection.info.dbname
    with asking(database):
        before = _snapshot(connection, _known(read_catalog(connection), state), None)
    step = Migrate(source.name, tuple(arguments))
    try:
        run(connection, source, step.arguments)
    except LoadError as error:
        raise _failed(connection, state, before, step, error) from error
    with asking(database):
        after = _snapshot(connection, before.oids, before.catalog.relations)
    step = _step(connection, state, step, before, after)
    with asking(database):
        observed = observe_migrated(connection, apply(state, step))
    report = Migrated(
        migration_name(step),
        tuple(migration_changes(step, state)),
        {one.table: _done(one, apply(state, step)) for one in observed},
        after.found.left_out,
        {table.name: table.closed for table in step.tables if table.closed},
    )
    return Taken(source, step, observed, report)


def _known(catalog: Catalog, state: State) -> dict[str, Oid]:
    """The oids of the state's tables."""
    by_name = {(one.schema, one.name): oid for oid, one in catalog.relations.items()}
    return {name: by_name[table.definition.schema, table.name] for name, table in state.tables.items()}


def _snapshot(
    connection: Connection, known: Mapping[str, Oid], earlier: Mapping[Oid, Any] | None
) -> _Snapshot:
    """What there is of the known tables, and of those that were not there earlier if that is given."""
    catalog = read_catalog(connection)
    names = {oid: name for name, oid in known.items() if oid in catalog.relations}
    new = [one.oid for one in catalog.relations.values() if earlier is not None and _is_new(one, earlier)]
    found = definitions_of(connection, catalog, {*names, *new}, names)
    tables = tuple(replace(table, inherited=table.name in found.inherited) for table in found.tables)
    by_name = {(one.schema, one.name): oid for oid, one in catalog.relations.items()}
    oids = {table.name: by_name[table.schema, table.server_name] for table in tables}
    return _Snapshot(catalog, replace(found, tables=tables), oids)


def _is_new(relation: CatalogRelation, earlier: Mapping[Oid, Any]) -> bool:
    """Whether a migration made a table that kroft can take over."""
    own = relation.kind in "rp" and relation.root is None and not relation.extension
    return own and relation.oid not in earlier and relation.name.lower() not in BOOKKEEPING


# What it made


def _step(
    connection: Connection, state: State, step: Migrate, before: _Snapshot, after: _Snapshot
) -> Migrate:
    kept: dict[str, dict[str, str]] = {}
    tables: list[TableDefinition] = []
    for table in after.found.tables:
        old = state.tables.get(table.name) if before.oids.get(table.name) == after.oids[table.name] else None
        if old is None:
            tables.append(table)
            continue
        was = _kept(old, before, after)
        if (
            table != before.table(table.name)
            or list(was) != list(was.values())
            or len(was) < len(old.columns)
        ):
            kept[table.name] = was
            tables.append(carried(old, before.table(table.name), table, was))
    changed = _learnt(connection, after.found, tables)
    types, dropped_types = _types(state, after)
    dropped = [name for name in state.tables if name not in after.oids]
    return replace(
        step, tables=changed, types=types, kept=kept, dropped=tuple(dropped), dropped_types=dropped_types
    )


def _kept(old: TableState, before: _Snapshot, after: _Snapshot) -> dict[str, str]:
    """The columns of a table that were there before: the name of each, and its name then."""
    name = old.definition.name
    then = before.numbers(name)
    pairs = {now: then[number] for number, now in after.numbers(name).items() if number in then}
    return {now: was for now, was in pairs.items() if old.has(was)}


def _learnt(
    connection: Connection, found: Found, tables: Sequence[TableDefinition]
) -> tuple[TableDefinition, ...]:
    names = {table.name for table in tables}
    suspects = {name: rules for name, rules in found.suspects.items() if name in names}
    asked = replace(found, tables=tuple(tables), suspects=suspects)
    # Not in a clone, which the migration has not been run in.
    try:
        return learnt(asked, undone(connection))
    except KroftError as error:
        # The migration is done: the state follows it, and nothing is inserted where nothing was learnt.
        why = f"what its rules accept could not be tried: {error}"
        return tuple(replace(table, closed=why) if table.name in suspects else table for table in tables)


def _types(
    state: State, after: _Snapshot
) -> tuple[tuple[EnumDefinition | SampledDefinition, ...], tuple[str, ...]]:
    """The types that are new or have other values, and the names of those that are gone."""
    there = {(one.schema, one.name): one for one in after.catalog.types.values()}
    found = {state.type_name(one): one for one in after.found.types}
    gone = tuple(name for name, one in state.types.items() if (one.schema, one.name) not in there)
    for enum in state.enums:
        known = there.get((enum.schema, enum.name))
        if known and known.kind == "e":
            name = state.type_name(enum)
            found.setdefault(name, EnumDefinition(enum.name, known.labels, schema=enum.schema))
    changed = tuple(one for name, one in found.items() if state.types.get(name) != one)
    return changed, tuple(name for name in gone if name not in found)


# Words


def _done(observed: Observed, after: State) -> str:
    """What happened to the rows of a table."""
    rows = after.table(observed.table).rows
    changed = sum(number in rows for number in observed.rows)
    counts = {"changed": changed, "new": len(observed.rows) - changed, "removed": len(observed.removed)}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _failed(
    connection: Connection, state: State, before: _Snapshot, step: Migrate, error: LoadError
) -> ExecutionError:
    """The error of a migration that failed, with what it left behind."""
    sqlstate, statement = _said_by_server(error)
    code = f" ({sqlstate})" if sqlstate else ""
    line = f", line {error.line}" if error.line is not None else ""
    left: list[str] = []
    with suppress(psycopg.Error):
        left = [*_left(connection, state, before)]
    what = (
        f"; it left changes behind, which kroft does not take over: {'; '.join(left)}"
        if left
        else "; nothing of it is left, and the database is as it was"
    )
    return ExecutionError(
        f"migrate with {migration_name(step)}{line}",
        f"{error.reason}{code}{what}",
        statement=" ".join(statement.split())[:200],
        sqlstate=sqlstate,
    )


def _said_by_server(error: LoadError) -> tuple[str | None, str]:
    """The server's code for why, and the statement where it is known; SQLAlchemy and Django wrap errors."""
    cause = error.__cause__
    wrapped = getattr(cause, "orig", None) or (cause and cause.__cause__)
    server = cause if isinstance(cause, psycopg.Error) else wrapped
    statement = error.statement or getattr(cause, "statement", None)
    return error.sqlstate or getattr(server, "sqlstate", None), statement if isinstance(
        statement, str
    ) else ""


def _left(connection: Connection, state: State, before: _Snapshot) -> Iterator[str]:
    """What differs from a state, and the tables that came."""
    different = [*structure_differences(connection, state)]
    yield from different
    relations = read_catalog(connection).relations
    new = [one.name for one in relations.values() if one.oid not in before.catalog.relations]
    if new:
        yield f"new: {listing(new)}"
    if not different:
        for name in state.tables:
            found = content_difference(connection, state, name)
            if not found.same:
                yield found.render().splitlines()[0]
