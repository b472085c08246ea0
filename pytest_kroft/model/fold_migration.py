"""The fold of a migration of the user's own: what the tables are after it. Pure, without checks.

A column that was there keeps its number and its cells, which are written down: nothing says what the
migration did to them, so that what differs comes as ``Observed`` records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_kroft.model.operations import Migrate
from pytest_kroft.model.state import ColumnState, State, TableState, Tombstone
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition


def migrated(state: State, op: Migrate, made: Sequence[TableState]) -> State:
    """The state after a migration; ``made`` are its tables as if each had just been created."""
    after = replace(state, types=types_after(state, op))
    fresh = {table.definition.name: table for table in made}
    tables = {
        name: _written_down(state, after, table)
        for name, table in state.tables.items()
        if name not in op.dropped
    }
    for name, table in fresh.items():
        known = name in op.kept
        tables[name] = _changed(state, state.table(name), table, op.kept[name]) if known else table
    births = {name: table.birth.count for name, table in fresh.items() if name not in op.kept}
    return replace(after, tables=tables, births={**state.births, **births})


def types_after(state: State, op: Migrate) -> Mapping[str, EnumDefinition | SampledDefinition]:
    """The types that there are after a migration."""
    left = {name: known for name, known in state.types.items() if name not in op.dropped_types}
    return {**left, **{state.type_name(known): known for known in op.types}}


def _written_down(state: State, after: State, table: TableState) -> TableState:
    """A table that is as it was, with the cells of a type written down whose values are others now."""
    turned = [c for c in table.columns if state.user_type(c.type) != after.user_type(c.type)]
    for column in turned:
        table = table.with_column(replace(column, free=True))
    return _with_cells(state, table, turned, table) if turned else table


def _with_cells(
    state: State, old: TableState, columns: Iterable[ColumnState], table: TableState
) -> TableState:
    """A table with the rows of an old one, of which these columns are written down."""
    readers = [(column.id, state.reader(old, column)) for column in columns]
    rows = [row.with_cells({number: read(row) for number, read in readers}) for row in old.rows]
    return replace(table, rows=old.rows.put(rows))


def _changed(state: State, old: TableState, made: TableState, kept: Mapping[str, str]) -> TableState:
    """A table that the migration changed: as it was made, with the rows and the numbers of the old one."""
    ids = _ids(old, made, kept)
    before = {name: old.column(was) for name, was in kept.items()}
    columns = [_carried(old, column, before.get(column.name), made) for column in made.columns]
    survivors = {column.id for column in before.values()}
    gone = [column for column in old.columns if column.id not in survivors]
    table = replace(
        made,
        birth=old.birth,
        columns=tuple(_renumbered(column, ids) for column in columns),
        uniques=tuple(tuple(ids[number] for number in numbers) for numbers in made.uniques),
        foreign_keys=tuple(
            replace(key, columns=tuple(ids[number] for number in key.columns)) for key in made.foreign_keys
        ),
        births={**old.births, **made.births},
        tombstones=(*old.tombstones, *(_tombstone(state, column) for column in gone)),
        next_row=old.next_row,
        next_revision=old.next_revision,
        next_column=max(old.next_column, *(number + 1 for number in ids.values())),
    )
    return _with_cells(state, old, before.values(), table)


def _ids(old: TableState, made: TableState, kept: Mapping[str, str]) -> dict[int, int]:
    """From a column's number in the table as made to the one that it has: its old one, or the next."""
    ids, fresh = {}, old.next_column
    for column in made.columns:
        if column.name in kept:
            ids[column.id] = old.column(kept[column.name]).id
        else:
            ids[column.id], fresh = fresh, fresh + 1
    return ids


def _carried(
    old: TableState, column: ColumnState, before: ColumnState | None, made: TableState
) -> ColumnState:
    """A column as made, with what was known of it; of a new one the rows that are there hold its default."""
    # The migration may have written values that kroft would make, but a key stays as it is.
    same = before is not None and (before.birth, before.type) == (column.birth, column.type)
    free = column.free or (before is not None and before.free) or not (same and column in made.key)
    if before is None:
        return replace(column, since=old.next_row, free=free)
    return replace(column, backfill=None, free=free, highest=before.highest)


def _renumbered(column: ColumnState, ids: Mapping[int, int]) -> ColumnState:
    computed = column.computed
    if computed:
        computed = replace(computed, sources=frozenset(ids[number] for number in computed.sources))
    return replace(column, id=ids[column.id], computed=computed)


def _tombstone(state: State, column: ColumnState) -> Tombstone:
    return Tombstone(column.name, str(column.type), state.version + 1, state.now, column.definition)
