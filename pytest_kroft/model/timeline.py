"""One database through time: its state, its history, and the one way to change both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pytest_kroft.model.check import check
from pytest_kroft.model.fold import apply
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Operation
from pytest_kroft.model.state import State

Execute = Callable[[State, Operation, State], None]
"""Carries an operation out on the server, given the states before and after it."""


class Evolving(Protocol):
    """What a planner works on: a state, its history, and the function that applies an operation."""

    @property
    def state(self) -> State:
        """The present state."""

    @property
    def history(self) -> History:
        """Everything that was done so far."""

    def apply(self, operation: Operation) -> None:
        """Check, execute, fold and record one operation."""


def _nothing(before: State, operation: Operation, after: State) -> None:
    """Carries nothing out: for planning without a server."""


class Timeline:
    """A state and its history. Without ``execute`` it lives in memory alone."""

    def __init__(self, seed: int, execute: Execute = _nothing, test: str | None = None) -> None:
        self.state = State(seed)
        self.history = History(seed, test)
        self._execute = execute

    def apply(self, operation: Operation) -> None:
        """Check, execute, fold and record one operation, so that the four never disagree.

        Raises an OperationError or DefinitionError where it does not apply, and whatever executing it
        raises; then nothing has changed.
        """
        check(self.state, operation)
        after = apply(self.state, operation)
        self._execute(self.state, operation, after)
        self.state = after
        self.history.append(operation)

    def adopt(self, operation: Operation) -> None:
        """Check, fold and record an operation whose effect the server has already."""
        check(self.state, operation)
        self.state = apply(self.state, operation)
        self.history.append(operation)
