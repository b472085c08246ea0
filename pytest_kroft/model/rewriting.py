"""Operations rewritten so that a history says the same with less. Pure, and without checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    AddColumn,
    AlterType,
    Begin,
    CreateTable,
    Delete,
    DropColumn,
    Insert,
    Observed,
    Operation,
    RenameColumn,
    SetDefault,
    SetNullable,
    Update,
)

T = TypeVar("T")
Change = Callable[[Operation], Operation | None]
"""Makes another operation of one, or None to leave it out."""


def recolumned(table: str, name: str, other: str, sql_type: str | None = None) -> Change:
    """Lets two columns of a table change their parts; where the one is added, perhaps with another type."""
    swapped = {name: other, other: name}

    def named(column: str) -> str:
        return swapped.get(column, column)

    def change(operation: Operation) -> Operation:
        if getattr(operation, "table", None) != table:
            return operation
        match operation:
            case Insert(cells=cells, parents=parents):
                return replace(operation, cells=_keys(cells, named), parents=_keys(parents, named))
            case Update(columns=columns, cells=cells, parents=parents):
                columns, cells = tuple(map(named, columns)), _keys(cells, named)
                return replace(operation, columns=columns, cells=cells, parents=_keys(parents, named))
            case AddColumn(column=column) if column.name == name:
                column = replace(column, name=other, sql_type=sql_type or column.sql_type)
                return replace(operation, column=column)
            case DropColumn() | RenameColumn() | AlterType() | SetDefault() | SetNullable():
                return replace(operation, column=named(operation.column))
            case _:
                return operation

    return change


def _keys(cells: Mapping[str, T], named: Callable[[str], str]) -> dict[str, T]:
    return {named(name): values for name, values in cells.items()}


def joined(one: Insert, two: Insert) -> Insert:
    """Two inserts as one, where the second goes on with the first one's row numbers."""
    cells = {name: (*texts, *two.cells[name]) for name, texts in one.cells.items()}
    parents = {name: (*numbers, *two.parents[name]) for name, numbers in one.parents.items()}
    return replace(one, count=one.count + two.count, cells=cells, parents=parents)


def _of_rows(update: Update, part: slice) -> Update:
    """An update of some of its rows."""
    cells = {name: texts[part] for name, texts in update.cells.items()}
    parents = {name: numbers[part] for name, numbers in update.parents.items()}
    return replace(update, rows=update.rows[part], cells=cells, parents=parents)


def _less(cells: Mapping[str, T], name: str) -> dict[str, T]:
    return {key: values for key, values in cells.items() if key != name}


def parts(count: int) -> list[slice]:
    """What is tried of so many rows: to leave out each half, then the first and the last one alone."""
    if count < 2:
        return []
    half = count // 2
    return [
        slice(half, count),
        slice(0, half),
        *([slice(0, 1), slice(count - 1, count)] if count > 2 else []),
    ]


def _others(count: int) -> list[slice]:
    """What is left of so many rows when such a part is left out."""
    return [slice(part.stop, count) if not part.start else slice(part.start) for part in parts(count)]


def simpler(operation: Operation) -> Iterator[Operation]:
    """An operation on rows with fewer rows, fewer columns, or a given cell less."""
    match operation:
        case Update(rows=rows, columns=columns, cells=cells):
            yield from (_of_rows(operation, part) for part in _others(len(rows)))
            for name in columns if len(columns) > 1 else ():
                left = tuple(column for column in columns if column != name)
                parents = _less(operation.parents, name)
                yield replace(operation, columns=left, cells=_less(cells, name), parents=parents)
            yield from (replace(operation, cells=_less(cells, name)) for name in cells)
        case Insert(cells=cells):
            yield from (replace(operation, cells=_less(cells, name)) for name in cells)
        case Delete(rows=rows):
            yield from (replace(operation, rows=rows[part]) for part in _others(len(rows)))
        case _:
            return


def rows_left_out(table: str, gone: range) -> Change:
    """Leaves rows out of the insert that made them, at its beginning or end, and of all done to them."""

    def change(operation: Operation) -> Operation | None:
        if getattr(operation, "table", None) != table:
            return operation
        match operation:
            case Insert(first=first, count=count):
                places = [index for index in range(count) if first + index not in gone]
                return _of_places(operation, places) if places else None
            case Update(rows=rows):
                places = [index for index, number in enumerate(rows) if number not in gone]
                whole = slice(places[0], places[-1] + 1) if places else slice(0)
                return _of_rows(operation, whole) if places else None
            case Delete(rows=rows):
                left = tuple(number for number in rows if number not in gone)
                return replace(operation, rows=left) if left else None
            case _:
                return operation

    return change


def _of_places(insert: Insert, places: Sequence[int]) -> Insert:
    cells = {name: tuple(texts[place] for place in places) for name, texts in insert.cells.items()}
    parents = {name: tuple(numbers[place] for place in places) for name, numbers in insert.parents.items()}
    return replace(insert, first=insert.first + places[0], count=len(places), cells=cells, parents=parents)


def session_left_out(session: int) -> Change:
    """Does what a session did as transactions of their own."""

    def change(operation: Operation) -> Operation | None:
        if getattr(operation, "session", None) != session:
            return operation
        return replace(operation, session=0) if isinstance(operation, Insert | Update | Delete) else None

    return change


def renumbered(history: History, start: int) -> list[Operation]:
    """The operations with the rows of each table numbered without gaps, in the order in which they come.

    A history in which operations name the rows of other tables, or what was observed, keeps its numbers.
    """
    if any(isinstance(op, Observed) or getattr(op, "parents", None) for op in history):
        return history.operations
    numbers: dict[str, dict[int, int]] = {}
    return [_renumbered(op, numbers, tight=place >= start) for place, op in enumerate(history)]


def _renumbered(operation: Operation, numbers: dict[str, dict[int, int]], *, tight: bool) -> Operation:
    """An operation with the numbers that its rows have now; what it makes gets the next ones."""
    match operation:
        case CreateTable(definition):
            # The rows of a table that was made anew begin at 1 again.
            numbers[definition.name] = {}
        case Insert(table, first, count):
            _number(numbers[table], range(first, first + count), tight=tight)
            return replace(operation, first=numbers[table][first])
        case Update(table, rows, fresh=fresh):
            known = numbers[table]
            if fresh is not None:
                _number(known, range(fresh, fresh + len(rows)), tight=tight)
            again = tuple(known.get(number, number) for number in rows)
            return replace(operation, rows=again, fresh=None if fresh is None else known[fresh])
        case Delete(table, rows):
            return replace(operation, rows=tuple(numbers[table].get(n, n) for n in rows))
        case _:
            return operation
    return operation


def _number(known: dict[int, int], fresh: range, *, tight: bool) -> None:
    highest = max(known.values(), default=0)
    for index, number in enumerate(fresh, start=1):
        known[number] = highest + index if tight else number


def restamped(history: History, start: int) -> Change:
    """Stamps transactions one second apart, in the order that they have; equal stamps stay equal."""
    before = [op.stamp for op in history.operations[:start] if isinstance(op, Insert | Update | Begin)]
    after = [op.stamp for op in history.operations[start:] if isinstance(op, Insert | Update | Begin)]
    latest = max(before, default=START - SECOND)
    # Where nothing came before, what is stamped early is stamped earlier than something that follows.
    later = sorted({stamp for stamp in after if stamp > latest or not before})
    stamps = {stamp: latest + SECOND * place for place, stamp in enumerate(later, start=1)}

    def change(operation: Operation) -> Operation:
        if isinstance(operation, Insert | Update | Begin):
            return replace(operation, stamp=stamps.get(operation.stamp, operation.stamp))
        return operation

    return change
