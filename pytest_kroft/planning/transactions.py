"""Scripted transactions: which begin, what is written in them, and how they end, out of order or not at all.

A step of a kind means the same whatever came before it; where it does not apply now, nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pytest_kroft.model.check_sessions import MOST_SESSIONS
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    Delete,
    Insert,
    Operation,
    Rollback,
    RollbackTo,
    RowWrite,
    Savepoint,
    Update,
)
from pytest_kroft.model.rows import Address
from pytest_kroft.model.sessions import alone
from pytest_kroft.model.state import State
from pytest_kroft.model.timeline import Evolving, Timeline
from pytest_kroft.planning.batches import Craft
from pytest_kroft.planning.policy import EvolutionPolicy

KINDS = ("late_commit", "rollback")
"""The hazards that are transactions of several steps."""

SAVEPOINT = "before"
"""The name of every savepoint; where there are several, the latest is meant."""

PlanWrite = Callable[[Evolving, str], Sequence[Operation]]
"""Plans one write of a kind (``insert``, ``update`` or ``delete``) on the state of a database."""


class TransactionPlanner:
    """Plans the steps of transactions that other work comes between.

    Args:
        choices: Answers the decisions.
        policy: What may happen.
        craft: What time it is.
    """

    def __init__(self, choices: Choices, policy: EvolutionPolicy, craft: Craft) -> None:
        self._choices, self._policy, self._craft = choices, policy, craft

    def plan(self, state: State, kind: str, plan: PlanWrite) -> Sequence[Operation]:
        """The operations of one step of ``late_commit`` or ``rollback``."""
        turn = self._choices.integer(0, 3)
        oldest = next(iter(state.sessions), 0)
        newest = next(reversed(tuple(state.sessions)), 0)
        match kind, turn:
            case _, 0:
                return () if state.sessions else self._begun(state, plan)
            case _, 1:
                return self._begun(state, plan)
            case "late_commit", _:
                session = oldest if turn == 2 else newest
                return [Commit(session)] if session else ()
            case _, 2:
                return [Rollback(newest)] if newest else ()
            case _:
                return self._undone(state, oldest, plan) if oldest else ()

    def place(self, state: State) -> int:
        """The session that a write goes to: 0, which is none, or one of those that are open."""
        if self._policy.hazards.isdisjoint(KINDS):
            return 0
        # Drawn also where no session is open: else the draws behind it would mean something else.
        place = self._choices.integer(0, 4) - 2
        numbers = tuple(state.sessions)
        return numbers[min(place, len(numbers)) - 1] if numbers and place > 0 else 0

    def write(self, state: State, session: int, kind: str, plan: PlanWrite) -> Sequence[RowWrite]:
        """A write of a kind in a session: planned on what the session sees, stamped as it began."""
        planned = plan(_view(state, session), kind)
        return [
            fit
            for operation in planned
            if isinstance(operation, Insert | Update | Delete)
            and (fit := self._stamped(state, session, operation))
        ]

    def closing(self, state: State) -> Iterator[Operation]:
        """The end of all that is open: commits where the policy allows late ones, else rollbacks."""
        for session in state.sessions:
            yield Commit(session) if self._policy.allows("late_commit") else Rollback(session)

    def _begun(self, state: State, plan: PlanWrite) -> Sequence[Operation]:
        stamp = self._craft.stamps(state, self._choices)
        kind = self._kind()
        if len(state.sessions) >= MOST_SESSIONS:
            return ()
        session = next(number for number in range(1, MOST_SESSIONS + 1) if number not in state.sessions)
        begin = Begin(session, stamp)
        written = self.write(apply(state, begin), session, kind, plan)
        return [begin, *written] if written else ()

    def _undone(self, state: State, session: int, plan: PlanWrite) -> Sequence[Operation]:
        written = self.write(state, session, self._kind(), plan)
        return [Savepoint(session, SAVEPOINT), *written, RollbackTo(session, SAVEPOINT)] if written else ()

    def _kind(self) -> str:
        kinds = ("insert", "update", "delete") if self._policy.allows("delete") else ("insert", "update")
        return kinds[self._choices.integer(0, len(kinds) - 1)]

    def _stamped(self, state: State, session: int, operation: RowWrite) -> RowWrite | None:
        """The operation as the session does it; None where nothing is left of it."""
        if isinstance(operation, Delete):
            return replace(operation, session=session)
        stamp = state.sessions[session].stamp
        rows = operation.rows if isinstance(operation, Update) else ()
        if not self._policy.allows("clock_skew") and any(
            newer(state, operation.table, number, stamp) for number in rows
        ):
            return None
        return replace(operation, session=session, stamp=stamp, step=0)


def newer(state: State, table: str, number: int, stamp: int) -> bool:
    """Whether a committed row has a later stamp than a given one."""
    found = state.table(table)
    if found.updated_at is None or number not in found.rows:
        return False
    row = found.rows[number]
    cell = row.cells.get(found.updated_at.id, Address(number, 0, row.stamp))
    return isinstance(cell, Address) and cell.stamp > stamp


def _view(state: State, session: int) -> Timeline:
    """What a session sees, as a database in memory to plan on."""
    view = Timeline(state.seed)
    view.state = alone(state, session)
    return view
