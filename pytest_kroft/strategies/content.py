"""Strategies for rows given on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.clauses import mentions, names_in
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.registry import default_registry
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.uniqueness import token
from pytest_kroft.strategies.cells import values

Row = dict[str, Any]

MOST_ROWS = 8
"""The most rows in a batch, by default."""


def rows(
    table: TableDefinition | str, *enums: EnumDefinition, unrepresentable: bool = False
) -> SearchStrategy[Row]:
    """Rows of a table as dicts from column to value, to be given to ``db.mutations.insert(rows=[row])``.

    What is filled in when they are inserted is left out: generated and identity columns, foreign keys, the
    ``updated_at`` column, reserved columns, and columns that a CHECK or EXCLUDE of the table names.

    Args:
        table: Its definition, or the name of a registered one.
        enums: The definitions of the enums that its columns are of; registered ones are known.
        unrepresentable: Also values that have no Python value; see ``values``.

    Raises:
        DefinitionError: for an unknown name, or an enum that is not given.
    """
    definition = default_registry.table(table) if isinstance(table, str) else table
    return st.fixed_dictionaries(
        {
            column.name: values(column, _enum(column, enums), unrepresentable=unrepresentable)
            for column in given_columns(definition)
        }
    )


def batches(
    table: TableDefinition | str,
    *enums: EnumDefinition,
    min_size: int = 0,
    max_size: int = MOST_ROWS,
    unrepresentable: bool = False,
) -> SearchStrategy[list[Row]]:
    """Lists of rows that go into an empty table together: what has to be unique differs by construction.

    The arguments are those of ``rows``, and how many rows there are at least and at most.
    """
    definition = default_registry.table(table) if isinstance(table, str) else table
    drawn = {column.name: column for column in given_columns(definition)}
    keys = tuple(
        _token(columns)
        for names in definition.uniques
        if (columns := [drawn[name] for name in names if name in drawn])
    )
    return st.lists(
        rows(definition, *enums, unrepresentable=unrepresentable),
        min_size=min_size,
        max_size=max_size,
        unique_by=keys or None,
    )


def given_columns(table: TableDefinition) -> tuple[ColumnDefinition, ...]:
    """The columns that a row says: all but those that are filled in when it is inserted."""
    ruled = [text for text in table.constraints if not _is_unique(text)]
    return tuple(
        column
        for column in table.active
        if not (column.generated or column.identity or column.references)
        and column.name != table.updated_at
        and not any(mentions(text, column.name) for text in ruled)
    )


def _is_unique(constraint: str) -> bool:
    return bool(names_in(constraint, "UNIQUE") or names_in(constraint, r"PRIMARY\s+KEY"))


def _token(columns: list[ColumnDefinition]) -> Callable[[Mapping[str, Any]], object]:
    """Something that is equal for two rows which the server would not take both; NULL is like no other."""

    def of(row: Mapping[str, Any]) -> object:
        cells = [row[column.name] for column in columns]
        if any(cell is None for cell in cells):
            return object()
        return tuple(
            token(canonical(column.type, cell), column.type)
            for column, cell in zip(columns, cells, strict=True)
        )

    return of


def _enum(column: ColumnDefinition, given: tuple[EnumDefinition, ...]) -> EnumDefinition | None:
    """The definition of the enum that a column is of, if it is of one."""
    if column.type.builtin:
        return None
    named = (column.type.name, column.type.schema or "public")
    for enum in (*given, *default_registry.enums):
        if (enum.name, enum.schema) == named:
            return enum
    if column.generator:
        return None
    raise DefinitionError(
        f"the type {column.sql_type} is not built in; give its EnumDefinition after the table",
        column=column.name,
    )
