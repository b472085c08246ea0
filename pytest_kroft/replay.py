"""Doing again what a history says: at once, or call by call as a test makes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pytest_kroft.errors import HistoryDiverged, NotApplicable
from pytest_kroft.model.codec import encode
from pytest_kroft.model.history import Call, History
from pytest_kroft.model.operations import CreateTable, DropTable, Operation, Sync
from pytest_kroft.model.timeline import Evolving


def play(database: Evolving, history: History) -> Iterator[Operation | None]:
    """Apply a history's operations; yields at each sync, and with None at the end.

    What the database did already, because it was made with the same tables, is not done twice.
    Raises ExecutionError where the server computes other values than the history observed, and whatever
    applying an operation raises.
    """

    def plan() -> Iterator[Operation]:
        _check_beginning(database, history)
        # Under another seed the cells of another history are no function of an address.
        todo = history if history.seed == database.state.seed else history.literal()
        return iter(todo.operations[_done_already(database.history, history) :])

    for _, operation in database.perform(f"play({len(history)} operations)", plan):
        if isinstance(operation, Sync):
            yield operation
    yield None


class Recording:
    """A recorded history that feeds each call of a test the operations which the call made then.

    A prompt of ``model.timeline.Timeline``. Where the test makes more calls than were recorded, because it
    no longer fails where it did, they plan as usual.

    Args:
        history: The history, whose calls are those of the test.
        start: How many of its calls were made already.
    """

    def __init__(self, history: History, start: int = 0) -> None:
        self._history, self._made = history, start

    def __call__(self, timeline: Evolving, call: Call) -> Iterable[Operation] | None:
        """The operations of the next call, or None where it has to plan; raises HistoryDiverged."""
        del timeline
        if self._made >= len(self._history.calls):
            return None
        recorded = self._history.calls[self._made]
        self._made += 1
        if recorded.name != call.name:
            raise HistoryDiverged(self._made, len(self._history.calls), recorded.name, call.name)
        if not recorded.places and not recorded.drawn:
            # It was refused, and will be again.
            return None
        return [self._history[place] for place in recorded.places]


def _check_beginning(database: Evolving, history: History) -> None:
    """Raise NotApplicable where the history makes a table that the database has with other rows."""
    made = {op.definition.name for op in history if isinstance(op, CreateTable)}
    if _done_already(database.history, history) or not made & set(database.state.tables):
        return
    dropped = {op.table for op in history if isinstance(op, DropTable)}
    if there := sorted(made & set(database.state.tables) - dropped):
        raise NotApplicable(
            f"the history makes the table {there[0]!r} itself, and the database has one that was made in "
            "another way; play it without rows= in the marker, or on kroft_server.database()"
        )


def _done_already(mine: History, other: History) -> int:
    """How many operations of the other history made what is there, be they saved with their cells or not."""
    done = len(mine)
    begun = replace(other, operations=other.operations[:done])
    pairs = zip(mine.literal(), begun.literal(), strict=False)
    same = [_comparable(one) == _comparable(two) for one, two in pairs]
    return done if len(same) == done and all(same) else 0


def _comparable(operation: Operation) -> Any:
    """Something equal for operations that differ in their generators alone, which no saved history holds."""
    return _without_generators(encode(operation))


def _without_generators(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_generators(value) for key, value in data.items() if key != "generator"}
    return [_without_generators(item) for item in data] if isinstance(data, list) else data
