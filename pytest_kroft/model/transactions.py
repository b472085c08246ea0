"""What each operation of a history makes visible to others, and what it takes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    Delete,
    Insert,
    Operation,
    Rollback,
    RollbackTo,
    Update,
)
from pytest_kroft.model.sessions import committing
from pytest_kroft.model.state import State


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a history, its place there, and the states around it.

    ``committed`` are the steps that it makes visible: itself for what is a transaction of its own, for a
    Commit the writes of its session, each between the states of the order in which they become visible.
    ``undone`` are the places of the writes that it takes back.
    """

    place: int
    operation: Operation
    before: State
    after: State
    committed: tuple[Step, ...] = ()
    undone: tuple[int, ...] = ()


def steps(history: History) -> Iterator[Step]:
    """The steps of a history.

    Raises HistoryError where they do not apply one after the other.
    """
    written: dict[int, list[int]] = {}
    for place, (before, operation, after) in enumerate(history.states()):
        step = Step(place, operation, before, after)
        match operation:
            case Insert(session=number) | Update(session=number) | Delete(session=number) if number:
                written[number].append(place)
                yield step
            case Begin(number):
                written[number] = []
                yield step
            case Commit(number):
                yield replace(step, committed=_commit(before, number, written.pop(number)))
            case Rollback(number) | RollbackTo(number):
                kept = len(after.sessions[number].operations) if number in after.sessions else 0
                undone, written[number] = written[number][kept:], written[number][:kept]
                yield replace(step, undone=tuple(undone))
            case _:
                yield replace(step, committed=(step,))


def _commit(before: State, session: int, places: list[int]) -> tuple[Step, ...]:
    writes = zip(places, committing(before, session), strict=True)
    return tuple(Step(place, operation, was, now) for place, (was, operation, now) in writes)
