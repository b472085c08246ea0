"""Whether what is said of a migration fits the state: a history may have been edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_kroft.errors import NotApplicable, UnknownColumn, UnknownTable, UnknownType
from pytest_kroft.model.check_columns import check_type
from pytest_kroft.model.fold_migration import types_after
from pytest_kroft.model.operations import Migrate
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.tables import TableDefinition


def check_no_sessions(state: State) -> None:
    """Raise NotApplicable while a session is open: a migration would wait for it."""
    if state.sessions:
        raise NotApplicable(
            f"a migration cannot run while session {next(iter(state.sessions))} is open; end it first"
        )


def check_migrate(state: State, op: Migrate) -> None:
    """Whether the tables, columns and types that a migration mentions are there, and fit together."""
    check_no_sessions(state)
    definitions = {definition.name: definition for definition in op.tables}
    if len(definitions) != len(op.tables):
        raise NotApplicable(f"the migration {op.source} has a table twice")
    for name in (*op.dropped, *op.kept):
        state.table(name)
    for name in op.dropped_types:
        if name not in state.types:
            raise UnknownType(name, state.types)
    if astray := (set(op.kept) - set(definitions)) | (set(op.dropped) & set(definitions)):
        raise NotApplicable(f"the migration {op.source} does not say what it made of {min(astray)!r}")
    for name, kept in op.kept.items():
        _check_kept(state.table(name), definitions[name], kept)
    _check_together(replace(state, types=types_after(state, op)), op, definitions)


def _check_together(after: State, op: Migrate, definitions: Mapping[str, TableDefinition]) -> None:
    """Whether types and foreign keys lead to what is there after the migration."""
    left = [t for name, t in after.tables.items() if name not in definitions and name not in op.dropped]
    there = {name: {column.name for column in one.active} for name, one in definitions.items()}
    there |= {t.definition.name: {c.birth.name for c in t.columns if c.birth.count == 1} for t in left}
    for name, definition in definitions.items():
        for column in definition.active:
            check_type(after, name, column.name, column.type)
    for table in left:
        for known in table.columns:
            check_type(after, table.definition.name, known.name, known.type)
    keys = [key for one in definitions.values() for key in one.foreign_keys]
    for key in (*keys, *(found.definition for table in left for found in table.foreign_keys)):
        if key.table not in there:
            raise UnknownTable(key.table, there, "which a foreign key references")
        if lacking := set(key.targets) - there[key.table]:
            raise UnknownColumn(key.table, min(lacking), there[key.table])


def _check_kept(table: TableState, definition: TableDefinition, kept: Mapping[str, str]) -> None:
    active = [column.name for column in definition.active]
    for name, was in kept.items():
        table.column(was)
        if name not in active:
            raise UnknownColumn(definition.name, name, active)
    if len(set(kept.values())) != len(kept):
        raise NotApplicable(f"two columns of {definition.name!r} were one before")
