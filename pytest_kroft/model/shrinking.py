"""Smaller and plainer histories than a given one: what a search tries once one has made a test fail. Pure.

A candidate always applies: ``check`` is asked again for each operation, and an operation that no longer
applies goes too. Only operations of ``drawn`` calls are left out. What else the test calls it calls again,
and where that depends on what is gone it plans anew.
First operations go, many at once and then one by one; then rows, columns and given cells; then what is left
is numbered and stamped from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeVar

from pytest_kroft.model.check import applies
from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    Begin,
    CreateTable,
    Delete,
    DropTable,
    Insert,
    Observed,
    Operation,
    Update,
)
from pytest_kroft.model.state import State

PAIRS_UPTO = 14
"""Pairs of operations are tried in histories of no more operations than that."""

T = TypeVar("T")
Change = Callable[[Operation], Operation | None]
"""Makes another operation of one, or None to leave it out."""


def fewer_operations(history: History, start: int = 0) -> Iterator[History]:
    """The history without some of its drawn operations: halves of them, quarters, ..., single ones, pairs.

    Args:
        history: The history.
        start: How many operations at the beginning stay as they are.
    """
    drawn = [place for place in _drawn(history, start) if not _belongs_before(history, place)]
    size = len(drawn) // 2
    while size > 1:
        for first in range(len(drawn) - size, -1, -size):
            yield from _without(history, drawn[first : first + size], start)
        size //= 2
    for place in reversed(drawn):
        yield from _without(history, [place], start)
        yield from _tied_without(history, place, start)
    if len(drawn) <= PAIRS_UPTO:
        for pair in combinations(reversed(drawn), 2):
            yield from _without(history, pair, start)


def plainer(history: History, start: int = 0) -> Iterator[History]:
    """The history with fewer rows, columns and given cells in its operations, or without its transactions.

    Args:
        history: The history.
        start: How many operations at the beginning stay as they are.
    """
    for place in reversed(_drawn(history, start)):
        for operation in _plainer(history[place]):
            yield from _changed(history, start, _at(history[place], operation))
        operation = history[place]
        if isinstance(operation, Insert) and operation.count > 1:
            half = operation.count // 2
            for numbers in (range(operation.first + half, operation.first + operation.count),
                            range(operation.first, operation.first + half)):  # fmt: skip
                yield from _changed(history, start, _rows_left_out(operation.table, numbers))
        if isinstance(operation, Begin):
            yield from _changed(history, start, _session_left_out(operation.session))


def tidied(history: History, start: int = 0) -> Iterator[History]:
    """The history with its rows numbered and its stamps counted from the beginning, ties kept.

    Args:
        history: The history.
        start: How many operations at the beginning stay as they are.
    """
    for change in (_renumbered(history, start), _restamped(history, start)):
        yield from _changed(history, start, change)


def _drawn(history: History, start: int) -> list[int]:
    return sorted(place for call in history.calls if call.drawn for place in call.places if place >= start)


def _without(history: History, places: Collection[int], start: int) -> Iterator[History]:
    """The history without some operations, the rows that they made, and what does not apply without them."""
    places = {*places, *(place + 1 for place in places if _belongs_before(history, place + 1))}
    inserts = [op for place in places if isinstance(op := history[place], Insert)]
    changes = [_rows_left_out(op.table, range(op.first, op.first + op.count)) for op in inserts]

    def left(place: int, operation: Operation | None) -> Operation | None:
        for change in changes:
            operation = change(operation) if operation is not None else None
        return None if place in places else operation

    yield from _kept(history, [left(place, op) for place, op in enumerate(history)], start)


def _belongs_before(history: History, place: int) -> bool:
    """Whether an operation goes with the one before it.

    What is observed does, and the return of a table: one that is gone for good was never to happen.
    """
    if place >= len(history):
        return False
    match history[place - 1], history[place]:
        case _, Observed():
            return True
        case DropTable(table), CreateTable(definition):
            return definition.name == table
        case _:
            return False


def _tied_without(history: History, place: int, start: int) -> Iterator[History]:
    """The history without an operation that others are tied with: they get the stamp before its own."""
    gone = _stamp(history[place])
    stamps = {stamp for stamp in map(_stamp, history) if stamp is not None}
    earlier = max((stamp for stamp in stamps if gone is not None and stamp < gone), default=None)
    if earlier is None or sum(_stamp(operation) == gone for operation in history) < 2:
        return

    def change(operation: Operation) -> Operation | None:
        if operation is history[place]:
            return None
        if isinstance(operation, Insert | Update | Begin) and operation.stamp == gone:
            return replace(operation, stamp=earlier)
        return operation

    yield from _changed(history, start, change)


def _stamp(operation: Operation) -> int | None:
    return operation.stamp if isinstance(operation, Insert | Update | Begin) else None


def _changed(history: History, start: int, change: Change) -> Iterator[History]:
    """The history with its operations changed, if that makes it another one."""
    operations = [op if place < start else change(op) for place, op in enumerate(history)]
    if operations != history.operations:
        yield from _kept(history, operations, start)


def _kept(history: History, operations: Sequence[Operation | None], start: int) -> Iterator[History]:
    """The history of those operations that still apply.

    Where one of a call that is not drawn does not, the call has none left: the test makes it, and it plans
    anew. Nothing where an operation of the beginning is gone.
    """
    mine = {place: call for call in history.calls if not call.drawn for place in call.places}
    gone, anew = set[int](), set[int]()
    state = State(history.seed)
    for place, operation in enumerate(operations):
        # What the server computed belongs to the operation before it, and is observed anew.
        orphan = isinstance(operation, Observed) and operation.by == "server" and place - 1 in gone
        if operation is not None and not orphan and applies(state, operation):
            state = apply(state, operation)
        elif place < start:
            return
        else:
            gone.add(place)
            anew.update(mine[place].places if place in mine and operation is not None else ())
    if not anew <= gone:
        yield from _kept(history, [None if n in anew else op for n, op in enumerate(operations)], start)
        return
    rest = [history[place] if op is None else op for place, op in enumerate(operations)]
    yield replace(history, operations=rest).without(gone)


def _at(old: Operation, new: Operation) -> Change:
    """Changes one operation, which is known by its identity: an equal one may be elsewhere."""
    return lambda operation: new if operation is old else operation


def _plainer(operation: Operation) -> Iterator[Operation]:
    match operation:
        case Update(rows=rows, columns=columns, cells=cells):
            yield from (_of_rows(operation, part) for part in _halves(len(rows)))
            for name in columns if len(columns) > 1 else ():
                left = tuple(column for column in columns if column != name)
                parents = _less(operation.parents, name)
                yield replace(operation, columns=left, cells=_less(cells, name), parents=parents)
            yield from (replace(operation, cells=_less(cells, name)) for name in cells)
        case Insert(cells=cells):
            yield from (replace(operation, cells=_less(cells, name)) for name in cells)
        case Delete(rows=rows):
            yield from (replace(operation, rows=rows[part]) for part in _halves(len(rows)))
        case _:
            return


def _halves(count: int) -> list[slice]:
    return [slice(0, count // 2), slice(count // 2, count)] if count > 1 else []


def _less(cells: Mapping[str, T], name: str) -> dict[str, T]:
    return {key: values for key, values in cells.items() if key != name}


def _of_rows(update: Update, part: slice) -> Update:
    """An update of some of its rows."""
    cells = {name: texts[part] for name, texts in update.cells.items()}
    parents = {name: numbers[part] for name, numbers in update.parents.items()}
    return replace(update, rows=update.rows[part], cells=cells, parents=parents)


def _rows_left_out(table: str, gone: range) -> Change:
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


def _session_left_out(session: int) -> Change:
    """Does what a session did as transactions of their own."""

    def change(operation: Operation) -> Operation | None:
        if getattr(operation, "session", None) != session:
            return operation
        return replace(operation, session=0) if isinstance(operation, Insert | Update | Delete) else None

    return change


def _renumbered(history: History, start: int) -> Change:
    """Numbers the rows of each table without gaps, in the order in which they come."""
    numbers: dict[str, dict[int, int]] = {}
    for place, operation in enumerate(history):
        match operation:
            case CreateTable(definition):
                numbers[definition.name] = {}
            case Insert(table, first, count):
                _number(numbers[table], range(first, first + count), tight=place >= start)
            case Update(table, rows, fresh=int(fresh)):
                _number(numbers[table], range(fresh, fresh + len(rows)), tight=place >= start)

    def change(operation: Operation) -> Operation:
        match operation:
            # Whose number a foreign key holds is not said here: such a history keeps its numbers.
            case Insert(table, first) if not operation.parents:
                return replace(operation, first=numbers[table][first])
            case Update(table, rows, fresh=fresh) if not operation.parents:
                moved = numbers[table]
                again = tuple(moved.get(number, number) for number in rows)
                return replace(operation, rows=again, fresh=None if fresh is None else moved[fresh])
            case Delete(table, rows):
                return replace(operation, rows=tuple(numbers[table].get(n, n) for n in rows))
            case _:
                return operation

    return change


def _number(known: dict[int, int], fresh: range, *, tight: bool) -> None:
    highest = max(known.values(), default=0)
    for index, number in enumerate(fresh, start=1):
        known[number] = highest + index if tight else number


def _restamped(history: History, start: int) -> Change:
    """Stamps transactions one second apart, in the order that they have; equal stamps stay equal."""
    before = [op.stamp for op in history.operations[:start] if isinstance(op, Insert | Update | Begin)]
    after = [op.stamp for op in history.operations[start:] if isinstance(op, Insert | Update | Begin)]
    latest = max(before, default=START - SECOND)
    later = sorted({stamp for stamp in after if stamp > latest})
    stamps = {stamp: latest + SECOND * place for place, stamp in enumerate(later, start=1)}

    def change(operation: Operation) -> Operation:
        if isinstance(operation, Insert | Update | Begin):
            return replace(operation, stamp=stamps.get(operation.stamp, operation.stamp))
        return operation

    return change
