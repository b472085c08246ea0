"""What a user said of columns, and what was learnt of them, taken along through a migration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.state import ColumnState, TableState
from pytest_kroft.model.tables import TIMESTAMPS, TableDefinition


def carried(
    old: TableState, before: TableDefinition | None, table: TableDefinition, kept: Mapping[str, str]
) -> TableDefinition:
    """A definition as the catalog has it, with what was said of the columns that are kept.

    Args:
        old: The table before.
        before: Its definition as the catalog had it then.
        table: Its definition as the catalog has it now.
        kept: The present names of the columns that were there, and their names then.
    """
    now = {was: name for name, was in kept.items()}
    columns = [
        _column(old.column(kept[column.name]), before.column(kept[column.name]) if before else None, column)
        if column.name in kept
        else column
        for column in table.columns
    ]
    there = {column.name for column in columns}
    added = {column.birth.name for column in old.columns} | set(old.births)
    reserved = [c for c in old.definition.reserved if c.name not in there and c.name not in added]
    return replace(
        table,
        columns=(*columns, *reserved),
        updated_at=_updated_at(old, before, table, now),
        distinct=(*table.distinct, *_distinct(old, before, table, now)),
    )


def _column(old: ColumnState, before: ColumnDefinition | None, column: ColumnDefinition) -> ColumnDefinition:
    said = old.definition
    same = before is not None and before.type == column.type
    changed = replace(
        column, protected=said.protected, generator=None if column.generated else said.generator
    )
    if before is not None and before.default == column.default and same:
        changed = replace(changed, default=old.default)
    if not same or column.samples:
        return changed
    return replace(
        changed, style=said.style, samples=said.samples, together=said.together, filled=said.filled
    )


def _updated_at(
    old: TableState, before: TableDefinition | None, table: TableDefinition, now: Mapping[str, str]
) -> str | None:
    """The column that kroft stamps: the same one, unless a new one says better when a row was written."""
    if old.updated_at is None:
        return None if before is not None and before.updated_at else table.updated_at
    column = table.column(now.get(old.updated_at.name, ""))
    if column is None or column.type.name not in TIMESTAMPS or column.type.array:
        return table.updated_at
    ruled = column.generated or column.primary_key or column.unique
    return table.updated_at if ruled else column.name


def _distinct(
    old: TableState, before: TableDefinition | None, table: TableDefinition, now: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    """The sets of columns that were found to be kept apart by trying, under their present names."""
    born = {column.birth.name: column.name for column in old.columns if column.birth.count == 1}
    for names in old.definition.distinct:
        present = [now.get(born.get(name, ""), "") for name in names]
        learnt_once = before is not None and tuple(names) not in {tuple(one) for one in before.distinct}
        if all(present) and learnt_once and tuple(present) not in table.distinct:
            yield tuple(present)
