"""The fold of operations on rows: inserts, updates, deletes, and what was observed. Pure, without checks.

Here every write is one on the state that it is given; which session it belongs to is ``model.sessions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from pytest_kroft.model.columns import Reference
from pytest_kroft.model.operations import Cells, Delete, Insert, Observed, Parents, RowWrite, Update
from pytest_kroft.model.rows import Address, Cell, Row, Rows
from pytest_kroft.model.state import ColumnState, State, TableState, Text
from pytest_kroft.model.values import Birth


def write(state: State, operation: RowWrite) -> State:
    """The state after rows were inserted, updated or deleted in it, by whichever session."""
    match operation:
        case Insert():
            return _insert(state, operation)
        case Update():
            return _update(state, operation)
        case Delete(table, rows):
            return _with_rows(state, table, state.table(table).rows.remove(rows))
        case _:
            assert_never(operation)


def truncated(state: State, table: str) -> State:
    """The state with a table emptied."""
    return _with_rows(state, table, Rows())


def _with_rows(state: State, name: str, rows: Rows) -> State:
    return state.with_table(replace(state.table(name), rows=rows))


def _insert(state: State, op: Insert) -> State:
    table = state.table(op.table)
    given = given_cells(state, table, op.cells, op.parents)
    rows = [
        Row(
            op.first + index,
            op.stamp + index * op.step,
            {number: texts[index] for number, texts in given.items()},
        )
        for index in range(op.count)
    ]
    table = replace(
        _remember(table, given), rows=table.rows.put(rows), next_row=max(table.next_row, op.first + op.count)
    )
    return advance(_raise_identities(state, table, rows), op.stamp + max(op.count - 1, 0) * op.step)


def _update(state: State, op: Update) -> State:
    table = state.table(op.table)
    given = given_cells(state, table, op.cells, op.parents)
    columns = [table.column(name) for name in op.columns if table.column(name).id not in given]
    stamped = [table.updated_at] if table.updated_at and table.updated_at.id not in given else []
    rows = []
    for index, number in enumerate(op.rows):
        stamp = op.stamp + index * op.step
        fresh = Address((op.fresh or 0) + index, 0, stamp)
        plain = Address(number, op.revision, stamp)
        cells: dict[int, Cell] = {column.id: fresh if column.unique else plain for column in columns}
        cells |= {column.id: plain for column in stamped}
        cells |= {column: texts[index] for column, texts in given.items()}
        rows.append(table.rows[number].with_cells(cells))
    spent = 0 if op.fresh is None else op.fresh + len(op.rows)
    table = replace(
        _remember(table, given),
        rows=table.rows.put(rows),
        next_row=max(table.next_row, spent),
        next_revision=max(table.next_revision, op.revision + 1),
    )
    return advance(_raise_identities(state, table, rows), op.stamp + max(len(op.rows) - 1, 0) * op.step)


def given_cells(
    state: State, table: TableState, cells: Cells, parents: Parents
) -> dict[int, tuple[Text, ...]]:
    """The cells that an operation gives on purpose, by column id; foreign keys read from their parents."""
    given = {table.column(name).id: tuple(texts) for name, texts in cells.items()}
    for name, numbers in parents.items():
        column = table.column(name)
        parent, target = referenced(state, column)
        read = state.reader(parent, target)
        given[column.id] = tuple(None if number is None else read(parent.rows[number]) for number in numbers)
    return given


def referenced(state: State, column: ColumnState) -> tuple[TableState, ColumnState]:
    """The table and column that a foreign key leads to."""
    reference = column.definition.reference
    assert reference is not None, f"{column.name} is no foreign key"
    return reference_target(state, reference)


def reference_target(state: State, reference: Reference) -> tuple[TableState, ColumnState]:
    """The table and column that a reference means, whatever they are called now."""
    parent = state.table(reference.table)
    if reference.column is None:
        return parent, parent.key[0]
    birth = Birth(reference.column)
    return parent, next(target for target in parent.columns if target.birth == birth)


def _remember(table: TableState, given: Mapping[int, tuple[Text, ...]]) -> TableState:
    """The table with the cells noted that were given on purpose to unique columns."""
    for column in table.columns:
        if column.unique and column.id in given:
            table = table.with_column(replace(column, given=column.given.union(given[column.id])))
    return table


def _raise_identities(state: State, table: TableState, rows: Iterable[Row]) -> State:
    """Remember the highest number of each identity column: its sequence is moved past it."""
    for column in table.columns:
        if column.definition.identity:
            read = state.reader(table, column)
            highest = max((int(text) for row in rows if (text := read(row))), default=0)
            table = table.with_column(replace(column, highest=max(column.highest, highest)))
    return state.with_table(table)


def advance(state: State, stamp: int) -> State:
    """The state with its clock at a stamp, if it was not later already."""
    return replace(state, now=stamp if state.now is None else max(state.now, stamp))


def observe(state: State, op: Observed) -> State:
    """The state with the cells that the server computed, or the rows that the test wrote itself."""
    table = state.table(op.table)
    given = {table.column(name).id: texts for name, texts in op.cells.items()}
    rows = []
    for index, number in enumerate(op.rows):
        cells: Mapping[int, Cell] = {column: texts[index] for column, texts in given.items()}
        rows.append(
            table.rows[number].with_cells(cells)
            if number in table.rows
            else Row(number, op.stamp or 0, cells)
        )
    if op.by == "test":
        table = _remember(table, given)
    highest = max(op.rows, default=0) + 1
    table = replace(
        table, rows=table.rows.remove(op.removed).put(rows), next_row=max(table.next_row, highest)
    )
    return _raise_identities(state, table, rows)
