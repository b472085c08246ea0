"""One database through time: its state, its history, and the one way to change both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Protocol, runtime_checkable

from pytest_kroft.errors import KroftError
from pytest_kroft.model.check import check
from pytest_kroft.model.fold import apply
from pytest_kroft.model.history import Call, History
from pytest_kroft.model.operations import Observed, Operation, Sync
from pytest_kroft.model.state import State

Execute = Callable[[State, Operation, State], Observed | None]
"""Carries an operation out on the server, given the states before and after it.

Returns what only the server could know, if anything.
"""


@runtime_checkable
class Executes(Protocol):
    """An ``Execute`` that may let operations wait and carry them out together."""

    def __call__(self, before: State, operation: Operation, after: State) -> Observed | None:
        """Take an operation; raises for it, or for one that waited."""

    def settle(self) -> None:
        """Return when all that waited is done; raises for the first that is not."""

    def forget(self) -> int:
        """Give up what waits and is not done; how many operations that were, the latest taken."""


class _AtOnce:
    """A function as an ``Executes`` that lets nothing wait."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def __call__(self, before: State, operation: Operation, after: State) -> Observed | None:
        return self._execute(before, operation, after)

    def settle(self) -> None:
        """Nothing waits."""

    def forget(self) -> int:
        """Nothing waits."""
        return 0


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
        execute: Carries operations out; one that lets them wait is asked to settle before anybody is told
            that they are applied.
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
        self._server = execute if isinstance(execute, Executes) else _AtOnce(execute)
        self._prompt = prompt
        self._ended = False

    def apply(self, operation: Operation) -> None:
        """Check, execute, fold and record one operation, so that the four never disagree.

        Raises an OperationError or DefinitionError where it does not apply, and whatever executing it
        raises; then nothing has changed.
        """
        self._send(operation)
        self.settle()

    def settle(self) -> None:
        """Return when the server has done all that was applied.

        Raises what executing raises; then what the server did not do is taken back, here and in the history.
        """
        # What waited when it ended was taken back, so that a call which is left then has nothing to settle.
        if not self._ended:
            with self._in_step():
                self._server.settle()

    def end(self) -> None:
        """Apply nothing any more, as the database goes on to another timeline; what waits is taken back."""
        if not self._ended:
            self._take_back(self._server.forget())
            self._ended = True

    def _check_goes_on(self) -> None:
        if self._ended:
            raise KroftError(
                "this example is over, and its database belongs to the next one: a call that an example "
                "began, such as stream(), goes on in that example only; call it anew"
            )

    def _send(self, operation: Operation) -> None:
        self._check_goes_on()
        check(self.state, operation)
        after = apply(self.state, operation)
        with self._in_step():
            observed = self._server(self.state, operation, after)
        self._record(operation, after)
        if observed:
            self.adopt(observed)

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """Take back what the server did not do, where it fails."""
        try:
            yield
        except BaseException:
            self._take_back(self._server.forget())
            raise

    def _take_back(self, count: int) -> None:
        """Take back the latest operations, here, in the history, and in the calls that made them."""
        done = len(self.history) - count
        del self.history.operations[done:], self.states[done + 1 :]
        self.state = self.states[done]
        for call in self.history.calls:
            call.places[:] = [place for place in call.places if place < done]

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

        Yields each operation with the state before it, once the server has done it: what was applied up to a
        sync, and at the end. Where a recording is played again, its operations are applied in place of the
        planned ones. Raises what planning, checking and executing raise, after those before were yielded, and
        KroftError where the timeline has ended.
        """
        self._check_goes_on()
        made = Call(call, drawn)
        self.history.calls.append(made)
        recorded = self._prompt(self, made) if self._prompt else None
        applied: list[tuple[int, Step]] = []
        try:
            try:
                for operation in plan() if recorded is None else recorded:
                    self._apply_for(made, operation, applied)
                    if isinstance(operation, Sync):
                        yield from self._done(applied)
                        # Before the plan draws anything of what belongs to another example.
                        self._check_goes_on()
            finally:
                self.settle()
        except Exception:
            yield from self._done(applied)
            raise
        yield from self._done(applied)

    def _apply_for(self, made: Call, operation: Operation, applied: list[tuple[int, Step]]) -> None:
        before, start = self.state, len(self.history)
        applied.append((start, (before, operation)))
        try:
            self._send(operation)
        finally:
            made.places.extend(range(start, len(self.history)))

    def _done(self, applied: list[tuple[int, Step]]) -> list[Step]:
        """The steps that the server has done; the others, if any, were taken back."""
        self.settle()
        steps = [step for place, step in applied if place < len(self.history)]
        applied.clear()
        return steps

    def fork(self) -> Timeline:
        """Another timeline that goes on from here; this one stays as it is if it is left alone."""
        other = copy(self)
        other.states = [*self.states]
        other.history = self.history.without(())
        return other

    def redo(self, begun: Timeline) -> None:
        """Carry out again all that another timeline did, and go on from there.

        Nothing is checked and folded anew: the states are those of the other one.
        """
        pairs = zip(begun.history, begun.states, begun.states[1:], strict=False)
        for operation, before, after in pairs:
            # A volatile default gives other values each time, which the state does not have.
            again = operation if not isinstance(operation, Observed) else replace(operation, by="test")
            self._server(before, again, after)
            self._record(operation, after)
        self.settle()
        self.history.calls.extend(replace(call, places=[*call.places]) for call in begun.history.calls)

    def _record(self, operation: Operation, after: State) -> None:
        self.state = after
        self.states.append(after)
        self.history.append(operation)


Prompt = Callable[[Timeline, Call], Iterable[Operation] | None]
"""Gives the operations that a call made when it was recorded, for a timeline that makes it again.

None where the call is to plan as usual.
"""
