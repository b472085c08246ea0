"""Smaller and plainer histories than a given one: what a search tries once one has made a test fail. Pure.

A candidate always applies: ``check`` is asked again for each operation, and an operation that no longer
applies goes too. Only operations of ``drawn`` calls are left out. What else the test calls it calls again,
and where that depends on what is gone it plans anew.
First operations go, many at once and then one by one; then rows, columns and given cells; then what is left
is numbered and stamped from the beginning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from pytest_kroft.model.check import applies
from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    AddColumn,
    Begin,
    Commit,
    CreateTable,
    Delete,
    DropColumn,
    DropTable,
    Insert,
    Observed,
    Operation,
    RenameColumn,
    Update,
)
from pytest_kroft.model.rewriting import (
    Change,
    joined,
    parts,
    recolumned,
    renumbered,
    restamped,
    rows_left_out,
    session_left_out,
    simpler,
)
from pytest_kroft.model.state import State

PAIRS_UPTO = 14
"""Pairs of operations are tried in histories of no more operations than that."""


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
        yield from _merged(history, place, start)
        yield from _by_another_column(history, place, start)
        yield from _tied_without(history, place, start)
    # A value may depend on what is gone, such as how often its table was made: then it is written down.
    literal = replace(history, operations=[*history[:start], *history.literal()[start:]])
    for place in reversed(drawn):
        yield from _without(literal, [place], start)
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
        for operation in simpler(history[place]):
            yield from _changed(history, start, _at(history[place], operation))
        operation = history[place]
        if isinstance(operation, Insert) and operation.count > 1:
            first, count, life = operation.first, operation.count, _life(history, place, operation.table)
            for part in parts(count):
                numbers = range(first + count)[first + part.start : first + part.stop]
                change = rows_left_out(operation.table, numbers)
                yield from _changed(history, start, change, life)
        if isinstance(operation, Begin):
            yield from _changed(history, start, session_left_out(operation.session))
            yield from _at_its_commit(history, place, operation.session, start)


def tidied(history: History, start: int = 0) -> Iterator[History]:
    """The history with its rows numbered and its stamps counted from the beginning, ties kept.

    Args:
        history: The history.
        start: How many operations at the beginning stay as they are.
    """
    numbered = renumbered(history, start)
    if numbered != history.operations:
        yield from _kept(history, numbered, start)
    yield from _changed(history, start, restamped(history, start))


def size(history: History) -> tuple[int, ...]:
    """How large a history is: operations, rows, columns, given cells, then the numbers and the stamps."""
    writes = [op for op in history if isinstance(op, Insert | Update)]
    deletes = [op for op in history if isinstance(op, Delete)]
    rows = sum(op.count if isinstance(op, Insert) else len(op.rows) for op in (*writes, *deletes))
    columns = sum(len(op.columns) for op in writes if isinstance(op, Update))
    numbers = sum(op.first if isinstance(op, Insert) else sum(op.rows) for op in (*writes, *deletes))
    stamps = sum(stamp - START for stamp in map(_stamp, history) if stamp is not None)
    return len(history), rows, columns, sum(len(op.cells) for op in writes), numbers, stamps


def _at_its_commit(history: History, place: int, session: int, start: int) -> Iterator[History]:
    """The history with the one write of a session done where it commits, as a transaction of its own."""
    ends = range(place + 1, len(history))
    end = next((n for n in ends if history[n] == Commit(session)), place)
    inside = {n: op for n in range(place + 1, end) if getattr(op := history[n], "session", 0) == session}
    writes = [(n, op) for n, op in inside.items() if isinstance(op, Insert | Update | Delete)]
    if len(writes) != 1:
        return
    ((_, write),) = writes
    stamps = [stamp for stamp in map(_stamp, history[:end]) if stamp is not None]
    plain: list[Operation] = [replace(write, session=0)]
    if isinstance(write, Insert | Update):
        plain.append(replace(write, session=0, stamp=max(stamps) + SECOND))
    for moved in plain:
        yield from _kept(history, _with(history, {**dict.fromkeys(inside), place: None, end: moved}), start)


def _drawn(history: History, start: int) -> list[int]:
    return sorted(place for call in history.calls if call.drawn for place in call.places if place >= start)


def _without(history: History, places: Collection[int], start: int) -> Iterator[History]:
    """The history without some operations, the rows that they made, and what does not apply without them."""
    places = {*places, *(place + 1 for place in places if _belongs_before(history, place + 1))}
    inserts = [(place, op) for place in places if isinstance(op := history[place], Insert)]
    changes = [
        (_life(history, place, op.table), rows_left_out(op.table, range(op.first, op.first + op.count)))
        for place, op in inserts
    ]

    def left(place: int, operation: Operation | None) -> Operation | None:
        for life, change in changes:
            operation = change(operation) if operation is not None and place in life else operation
        return None if place in places else operation

    yield from _kept(history, [left(place, op) for place, op in enumerate(history)], start)


def _life(history: History, place: int, table: str) -> range:
    """The places from one on, up to where the table that it is about is dropped, and its numbers end."""
    later = range(place, len(history))
    return range(place, next((n for n in later if history[n] == DropTable(table)), len(history)))


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


def _merged(history: History, place: int, start: int) -> Iterator[History]:
    """The history with two operations as one: an insert with the next, or an update's cells given at once."""
    operation = history[place]
    if isinstance(operation, Insert) and place + 1 < len(history):
        two = history[place + 1]
        if isinstance(two, Insert) and _continues(operation, two):
            yield from _kept(history, _with(history, {place: joined(operation, two), place + 1: None}), start)
    if isinstance(operation, Update):
        for earlier in range(start, place):
            one = history[earlier]
            if isinstance(one, Insert) and _made_alone(one, operation):
                whole = replace(one, cells={**one.cells, **operation.cells})
                yield from _kept(history, _with(history, {earlier: whole, place: None}), start)


def _made_alone(one: Insert, update: Update) -> bool:
    """Whether an insert made the rows that are updated, and no others."""
    return one.table == update.table and update.rows == tuple(range(one.first, one.first + one.count))


def _with(history: History, changed: Mapping[int, Operation | None]) -> list[Operation | None]:
    return [changed.get(place, operation) for place, operation in enumerate(history)]


def _continues(one: Insert, two: Insert) -> bool:
    same = (one.table, one.session, one.cells.keys(), one.parents.keys())
    follows = one.first + one.count == two.first
    return follows and same == (two.table, two.session, two.cells.keys(), two.parents.keys())


def _by_another_column(history: History, place: int, start: int) -> Iterator[History]:
    """The history without a rename, an added column, or a return: another column takes its part."""
    operation = history[place]
    if isinstance(operation, RenameColumn):
        change = recolumned(operation.table, operation.new_name, operation.column)
        yield from _replaced(history, start, {place}, operation.table, change)
    if not isinstance(operation, AddColumn):
        return
    returned = history[place - 1] == DropColumn(operation.table, operation.column.name)
    before = _state_at(history, place - returned)
    table, name = before.tables[operation.table], operation.column.name
    for column in table.columns:
        if (returned or column.name != name) and not (table.protection(column) or column.computed):
            change = recolumned(operation.table, name, column.name, str(column.type))
            yield from _replaced(history, start, {place - returned, place}, operation.table, change)


def _state_at(history: History, place: int) -> State:
    """The state before the operation at a place."""
    return next(before for number, (before, _, _) in enumerate(history.states()) if number == place)


def _replaced(
    history: History, start: int, gone: Collection[int], table: str, change: Change
) -> Iterator[History]:
    """The history without some operations, with those changed that come after and are about their table."""
    life = _life(history, min(gone), table)
    again = [None if n in gone else change(op) if n in life else op for n, op in enumerate(history)]
    yield from _kept(history, again, start)


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


def _changed(history: History, start: int, change: Change, within: range | None = None) -> Iterator[History]:
    """The history with its operations changed, all or those of some places, if that makes it another one."""
    places = range(start, len(history)) if within is None else within
    operations = [change(op) if place in places else op for place, op in enumerate(history)]
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
        # What the server computed belongs to the operation before it as it was, and is observed anew.
        changed = place > 0 and (place - 1 in gone or operations[place - 1] is not history[place - 1])
        orphan = isinstance(operation, Observed) and operation.by == "server" and changed
        if place < start and operation is history[place]:
            state = apply(state, history[place])
        elif operation is not None and not orphan and applies(state, operation):
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
