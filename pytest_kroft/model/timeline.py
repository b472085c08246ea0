"""One database through time: its state, its history, and the one way to change both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from pytest_kroft.model.check import check
from pytest_kroft.model.fold import apply
from pytest_kroft.model.history import Call, History
from pytest_kroft.model.operations import Observed, Operation
from pytest_kroft.model.state import State

Execute = Callable[[State, Operation, State], Observed | None]
"""Carries an operation out on the server, given the states before and after it.

Returns what only the server could know, if anything.
"""

Plan = Callable[[], Iterable[Operation]]
"""Plans the operations of one call, each on the state that those before it have left."""

Step = tuple[State, Operation]
"""An operation that was applied, and the state before it."""


class Evolving(Protocol):
    """What a planner works on: a state, its history, and the functions that apply operations."""

    @property
    def state(self) -> State:
        """The present state."""

    @property
    def history(self) -> History:
        """Everything that was done so far."""

    def perform(self, call: str, plan: Plan, *, drawn: bool = False) -> Iterator[Step]:
        """Apply what a call plans, operation by operation; yields each with the state before it."""


def _nothing(before: State, operation: Operation, after: State) -> None:
    """Carries nothing out: for planning without a server."""


class Timeline:
    """A state and its history. Without ``execute`` it lives in memory alone.

    Args:
        seed: The seed of the database's values.
        execute: Carries operations out.
        test: The test that the history belongs to.
        prompt: What is done in place of what calls plan: a recording that is played again.
    """

    def __init__(
        self,
        seed: int,
        execute: Execute = _nothing,
        test: str | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self.state = State(seed)
        self.states: list[State] = [self.state]
        """The states after each operation, the empty one first."""
        self.history = History(seed, test)
        self._execute, self._prompt = execute, prompt

    def apply(self, operation: Operation) -> None:
        """Check, execute, fold and record one operation, so that the four never disagree.

        Raises an OperationError or DefinitionError where it does not apply, and whatever executing it
        raises; then nothing has changed.
        """
        check(self.state, operation)
        after = apply(self.state, operation)
        observed = self._execute(self.state, operation, after)
        self._record(operation, after)
        if observed:
            self.adopt(observed)

    def adopt(self, operation: Operation) -> None:
        """Check, fold and record an operation whose effect the server has already."""
        check(self.state, operation)
        self._record(operation, apply(self.state, operation))

    def take_over(self, call: str, operations: Iterable[Operation]) -> None:
        """Adopt the operations of a call: the test did them itself, and does so again in a replay."""
        made = Call(call)
        self.history.calls.append(made)
        if self._prompt:
            self._prompt(self, made)
        for operation in operations:
            made.places.append(len(self.history))
            self.adopt(operation)

    def perform(self, call: str, plan: Plan, *, drawn: bool = False) -> Iterator[Step]:
        """Apply what a call plans, operation by operation, and record whose operations they are.

        Yields each operation once it is applied, with the state before it. Where a recording is played
        again, its operations are applied in place of the planned ones.
        """
        made = Call(call, drawn)
        self.history.calls.append(made)
        recorded = self._prompt(self, made) if self._prompt else None
        for operation in plan() if recorded is None else recorded:
            before, start = self.state, len(self.history)
            try:
                self.apply(operation)
            finally:
                made.places.extend(range(start, len(self.history)))
            yield before, operation

    def _record(self, operation: Operation, after: State) -> None:
        self.state = after
        self.states.append(after)
        self.history.append(operation)


Prompt = Callable[[Timeline, Call], Iterable[Operation] | None]
"""Gives the operations that a call made when it was recorded, for a timeline that makes it again.

None where the call is to plan as usual.
"""
