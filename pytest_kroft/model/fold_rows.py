"""The fold of operations on rows: inserts, updates, deletes, and what was observed. Pure, without checks.

Here every write is one on the state that it is given; which session it belongs to is ``model.sessions``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from pytest_kroft.model.consequences import follow, held_as
from pytest_kroft.model.operations import Cells, Delete, Insert, Observed, Parents, RowWrite, Update
from pytest_kroft.model.rows import Address, Cell, Row, Rows
from pytest_kroft.model.state import ForeignKeyState, State, TableState, Text


def write(state: State, operation: RowWrite) -> State:
    """The state after rows were inserted, updated or deleted in it, by whichever session.

    Foreign keys may change other rows then; raises NotApplicable where one of them refuses.
    """
    after = write_alone(state, operation)
    match operation:
        case Insert():
            return after
        case Update():
            columns = frozenset(state.table(operation.table).column(name).id for name in operation.columns)
            return follow(state, after, operation.table, operation.rows, columns)
        case Delete():
            return follow(state, after, operation.table, operation.rows)
        case _:
            assert_never(operation)


def write_alone(state: State, operation: RowWrite) -> State:
    """The same without what foreign keys do to other rows."""
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
    literal = {table.column(name).id: texts for name, texts in op.cells.items()}
    plain = [
        Row(
            op.first + index,
            op.stamp + index * op.step,
            {number: texts[index] for number, texts in literal.items()},
        )
        for index in range(op.count)
    ]
    given = given_cells(state, table, op.cells, op.parents, plain)
    foreign = {number: texts for number, texts in given.items() if number not in literal}
    rows = (
        [
            row.with_cells({number: texts[index] for number, texts in foreign.items()})
            for index, row in enumerate(plain)
        ]
        if foreign
        else plain
    )
    table = replace(
        _remember(table, given), rows=table.rows.put(rows), next_row=max(table.next_row, op.first + op.count)
    )
    return advance(_raise_identities(state, table, rows), op.stamp + max(op.count - 1, 0) * op.step)


def _update(state: State, op: Update) -> State:
    table = state.table(op.table)
    given = given_cells(state, table, op.cells, op.parents, [table.rows[number] for number in op.rows])
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
    state: State, table: TableState, cells: Cells, parents: Parents, rows: Sequence[Row]
) -> dict[int, tuple[Text, ...]]:
    """The cells that an operation gives on purpose, by column id; foreign keys read from their parents.

    ``rows`` are those that it writes, without what it says of foreign keys.
    """
    given = {table.column(name).id: tuple(texts) for name, texts in cells.items()}
    if not parents:
        return given
    keys = [(table.foreign_key(label), numbers) for label, numbers in parents.items()]
    # What a row refers to in its own table may be what its other parents say.
    keys.sort(key=lambda item: item[0].definition.table == table.definition.name)
    found: dict[int, list[Any]] = {}
    for key, numbers in keys:
        _read_parents(state, table, key, numbers, rows, found)
    for key, numbers in keys:
        _read_nulls(state, table, key, numbers, rows, found)
    return {**{number: tuple(texts) for number, texts in found.items()}, **given}


_UNSAID = object()


def _read_parents(
    state: State,
    table: TableState,
    key: ForeignKeyState,
    numbers: Sequence[int | None],
    rows: Sequence[Row],
    found: dict[int, list[Any]],
) -> None:
    """Read the cells of a foreign key where there is a parent."""
    parent, targets = state.target(key)
    own: dict[int, Row] = {}
    if parent.birth == table.birth:
        # A row may refer to itself, or to another one that the same operation writes.
        own = {row.number: row.with_cells(_said(found, index)) for index, row in enumerate(rows)}
    readers = state.readers(parent, targets)
    for number, target, read in zip(key.columns, targets, readers, strict=True):
        column, texts = table.by_id(number), found.setdefault(number, [_UNSAID] * len(rows))
        for index, place in enumerate(numbers):
            if place is not None:
                text = read(parent.rows[place] if place in parent.rows else own[place])
                texts[index] = held_as(text, target, column)


def _said(found: Mapping[int, Sequence[Any]], index: int) -> dict[int, Text]:
    return {number: texts[index] for number, texts in found.items() if texts[index] is not _UNSAID}


def _read_nulls(
    state: State,
    table: TableState,
    key: ForeignKeyState,
    numbers: Sequence[int | None],
    rows: Sequence[Row],
    found: dict[int, list[Any]],
) -> None:
    """NULL where there is no parent, in the columns that may be NULL and that no other parent decides."""
    for number in key.columns:
        column, texts = table.by_id(number), found[number]
        for index, place in enumerate(numbers):
            if place is None and texts[index] is _UNSAID:
                single = len(key.columns) == 1
                texts[index] = None if column.nullable or single else state.reader(table, column)(rows[index])


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
    table = _remember(table, given)
    highest = max(op.rows, default=0) + 1
    table = replace(
        table, rows=table.rows.remove(op.removed).put(rows), next_row=max(table.next_row, highest)
    )
    after = _raise_identities(state, table, rows)
    return after if op.stamp is None else advance(after, op.stamp)
