"""One database through time: its state, its history, and the one way to change both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Protocol, runtime_checkable

from pytest_kroft.errors import ExecutionError, KroftError
from pytest_kroft.model.check import check
from pytest_kroft.model.fold import apply
from pytest_kroft.model.history import Call, History
from pytest_kroft.model.operations import Observed, Operation, Sync
from pytest_kroft.model.state import State

Execute = Callable[[State, Operation, State], Sequence[Observed]]
"""Carries an operation out on the server, given the states before and after it.

Returns what only the server could know: one record for each table that it is about.
"""


@runtime_checkable
class Executes(Protocol):
    """An ``Execute`` that may let operations wait and carry them out together."""

    def __call__(self, before: State, operation: Operation, after: State) -> Sequence[Observed]:
        """Take an operation; raises for it, or for one that waited."""

    def settle(self) -> None:
        """Return when all that waited is done; raises for the first that is not."""

    def forget(self) -> int:
        """Give up what waits and is not done; how many operations that were, the latest taken."""

    def restore(self, state: State, tables: Collection[str]) -> None:
        """Make the server hold what a state says of some tables, whatever it made of them itself."""


class _AtOnce:
    """A function as an ``Executes`` that lets nothing wait."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def __call__(self, before: State, operation: Operation, after: State) -> Sequence[Observed]:
        return self._execute(before, operation, after)

    def settle(self) -> None:
        """Nothing waits."""

    def forget(self) -> int:
        """Nothing waits."""
        return 0

    def restore(self, state: State, tables: Collection[str]) -> None:
        """A function makes nothing of a table but what an operation says."""


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


def _nothing(before: State, operation: Operation, after: State) -> Sequence[Observed]:
    """Carries nothing out: for planning without a server."""
    del before, operation, after
    return ()


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
        if isinstance(operation, Observed) and operation.by == "server":
            self._observe_again(operation)
            return
        check(self.state, operation)
        after = apply(self.state, operation)
        with self._in_step():
            observed = self._server(self.state, operation, after)
        self._record(operation, after)
        for one in observed:
            self.adopt(one)

    def _observe_again(self, recorded: Observed) -> None:
        """Let what was observed once stand for what was observed now, of the same table and operation.

        The server is made to hold it. Raises ExecutionError where it cannot be: the server computes it.
        """
        start = len(self.history)
        while start and _by_server(self.history[start - 1]):
            start -= 1
        seen = [op for op in self.history[start:] if isinstance(op, Observed)]
        if recorded in seen:
            return
        for one in seen:
            if one.table == recorded.table:
                _check_computed(self.state, recorded, one)
        observed = [*(one for one in seen if one.table != recorded.table), recorded]
        self.settle()
        kept, states = self.history.operations[start:], self.states[start + 1 :]
        self._cut(start)
        try:
            for one in observed:
                self.adopt(one)
            self._server.restore(self.state, {recorded.table})
        except BaseException:
            self._cut(start)
            for operation, after in zip(kept, states, strict=True):
                self._record(operation, after)
            raise

    def _cut(self, done: int) -> None:
        """Go back to the state after so many operations."""
        del self.history.operations[done:], self.states[done + 1 :]
        self.state = self.states[done]

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
        self._cut(done)
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
        recorded: list[Observed] = []
        seen: Sequence[Observed] = ()
        for operation, before, after in zip(begun.history, begun.states, begun.states[1:], strict=False):
            if isinstance(operation, Observed) and _by_server(operation):
                recorded.append(operation)
            else:
                self._restore(recorded, seen)
                recorded, seen = [], self._server(before, operation, after)
            self._record(operation, after)
        self._restore(recorded, seen)
        self.settle()
        self.history.calls.extend(replace(call, places=[*call.places]) for call in begun.history.calls)

    def _restore(self, recorded: Sequence[Observed], seen: Sequence[Observed]) -> None:
        """Make the server hold what it did at first, as now() and the like are others each time."""
        if recorded != [*seen]:
            self._server.restore(self.state, {one.table for one in (*recorded, *seen)})

    def _record(self, operation: Operation, after: State) -> None:
        self.state = after
        self.states.append(after)
        self.history.append(operation)


def _by_server(operation: Operation) -> bool:
    return isinstance(operation, Observed) and operation.by == "server"


def _check_computed(state: State, recorded: Observed, seen: Observed) -> None:
    """Raise ExecutionError where the server computed other cells of a generated column than once."""
    table = state.table(recorded.table)
    for name in recorded.cells:
        if not (table.has(name) and table.column(name).computed and name in seen.cells):
            continue
        now = dict(zip(seen.rows, seen.cells[name], strict=True))
        once = zip(recorded.rows, recorded.cells[name], strict=True)
        if any(now.get(number, text) != text for number, text in once):
            raise ExecutionError(
                f"replaying on {recorded.table!r}",
                f"the server computed other values of {name} than the history observed",
            )


Prompt = Callable[[Timeline, Call], Iterable[Operation] | None]
"""Gives the operations that a call made when it was recorded, for a timeline that makes it again.

None where the call is to plan as usual.
"""
