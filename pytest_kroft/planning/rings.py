"""First rows of tables that need each other: in one transaction, whose end foreign keys wait for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pytest_kroft.errors import OperationError
from pytest_kroft.model.check import all_apply
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.fold_rows import write
from pytest_kroft.model.operations import Begin, Commit, Operation
from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import ForeignKeyState, State, TableState
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.batches import BatchGenerator, Craft

SESSION = 1


def plan_rings(
    state: State, names: Collection[str], count: int, choices: Choices, craft: Craft
) -> Iterator[Operation]:
    """The first ``count`` rows of each of some tables, as far as rings of deferred foreign keys allow it.

    Args:
        state: The state to plan on; the tables have no rows.
        names: The tables, which cannot be filled one after the other.
        count: How many rows each gets.
        choices: Answers who refers to whom outside of the rings.
        craft: What time it is.
    """
    for ring in _rings(state, names):
        planned = _plan_ring(state, ring, count, choices, craft)
        if planned:
            yield from planned
            return


def _rings(state: State, names: Collection[str]) -> Iterator[Sequence[str]]:
    """The sets of tables that need each other, each in an order in which only deferred keys lead forward."""
    needed = {name: _needed(state, state.table(name), names) for name in names}
    for name in names:
        below = _reached(needed, name)
        ring = [other for other in names if other in below and name in _reached(needed, other)]
        if name not in ring or ring[0] != name:
            continue
        ordered = _ordered(state, ring)
        if ordered:
            yield ordered


def _needed(state: State, table: TableState, names: Collection[str]) -> frozenset[str]:
    """The tables that a first row of a table needs a row of."""
    return frozenset(
        key.definition.table
        for key in table.foreign_keys
        if key.definition.table in names
        and not state.table(key.definition.table).rows
        and not any(table.by_id(number).nullable for number in key.columns)
    )


def _reached(needed: dict[str, frozenset[str]], name: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(needed[name])
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(needed[one])
    return frozenset(found)


def _ordered(state: State, ring: Sequence[str]) -> list[str]:
    """The tables of a ring, each after those that it needs by keys which do not wait; none if that fails."""
    waits = {
        name: {
            key.definition.table
            for key in state.table(name).foreign_keys
            if key.definition.table in ring and key.definition.table != name and not key.definition.deferred
            if not any(state.table(name).by_id(number).nullable for number in key.columns)
        }
        for name in ring
    }
    ordered: list[str] = []
    while len(ordered) < len(ring):
        ready = [name for name in ring if name not in ordered and waits[name] <= set(ordered)]
        if not ready:
            return []
        ordered.append(ready[0])
    return ordered


def _plan_ring(
    state: State, ring: Sequence[str], count: int, choices: Choices, craft: Craft
) -> list[Operation]:
    """The transaction that fills a ring; nothing where it cannot be."""
    stamp = craft.stamps(state, choices)
    view = Timeline(state.seed)
    view.state = state
    planned: list[Operation] = [Begin(SESSION, stamp)]
    try:
        for place, name in enumerate(ring):
            given = _coming(view.state, name, ring[place + 1 :], count, stamp)
            inserts = BatchGenerator(view, choices, craft).plan(name, count, stamp=stamp, given=given)
            for insert in inserts:
                planned.append(replace(insert, session=SESSION, stamp=stamp))
                view.state = write(view.state, insert)
    except OperationError:
        return []
    planned.append(Commit(SESSION))
    return planned if all_apply(state, planned) else []


def _coming(
    state: State, name: str, later: Collection[str], count: int, stamp: int
) -> dict[str, tuple[str | None, ...]]:
    """The cells of foreign keys that lead to rows which come later in the transaction."""
    table = state.table(name)
    given: dict[str, tuple[str | None, ...]] = {}
    for key in table.foreign_keys:
        if key.definition.deferred and key.definition.table in later:
            given |= _keys(state, table, key, count, stamp)
    return given


def _keys(
    state: State, table: TableState, key: ForeignKeyState, count: int, stamp: int
) -> dict[str, tuple[str | None, ...]]:
    parent, targets = state.target(key)
    rows = [Row(parent.next_row + index, stamp) for index in range(count)]
    return {
        table.by_id(number).name: tuple(map(state.reader(parent, target), rows))
        for number, target in zip(key.columns, targets, strict=True)
    }
