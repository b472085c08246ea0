"""Whether an operation applies beside the transactions that are open: sessions, savepoints, locks.

A schedule that would make one session wait for another is refused, so that none of them ever waits. Where
it is not plain what PostgreSQL would lock, more is refused than would have to wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_kroft.errors import NotApplicable, listing
from pytest_kroft.model.check_references import check_deferred
from pytest_kroft.model.check_rows import check_stamps
from pytest_kroft.model.fold_rows import write
from pytest_kroft.model.operations import (
    SCHEMA_KINDS,
    Begin,
    Commit,
    Observed,
    Operation,
    RollbackTo,
    RowWrite,
    Savepoint,
    SessionOperation,
    Truncate,
    kind,
)
from pytest_kroft.model.sessions import WHOLE, Locks, Place, held, locks, prefixes, seen
from pytest_kroft.model.state import Session, State
from pytest_kroft.model.types import check_identifier

CheckWrite = Callable[[State, RowWrite], None]
"""Raises an OperationError where a write does not apply to a state."""

MOST_SESSIONS = 2
"""How many transactions may be open at once, beside the work that is committed at once."""

_EXCLUDE = re.compile(r"\bEXCLUDE\b", re.IGNORECASE)


def check_session(state: State, op: SessionOperation) -> None:
    """Whether a transaction can begin or end, or a savepoint be set or gone back to."""
    if isinstance(op, Begin):
        _check_begin(state, op)
        return
    session = _open_session(state, op.session)
    if isinstance(op, Commit):
        check_deferred(seen(state, op.session), session.operations)
    if isinstance(op, Savepoint):
        check_identifier(op.name, "a savepoint")
    known = dict(session.savepoints)
    if isinstance(op, RollbackTo) and op.name not in known:
        raise NotApplicable(f"session {op.session} has no savepoint {op.name!r}; it has: {listing(known)}")


def check_write(state: State, op: RowWrite, check_one: CheckWrite) -> None:
    """Whether rows can be written: on what the session sees, and whatever the other sessions come to.

    A unique value that another session has written would make it wait, also one that the session has taken
    back since: so the other's work is added to what it sees, operation by operation.
    """
    if op.session:
        _open_session(state, op.session)
        _check_plain(state, op)
    elif state.table(op.table).definition.triggers:
        what = f"table {op.table!r} cannot be written, whose triggers may write other tables"
        _check_nothing_written(state, what)
    own = seen(state, op.session)
    check_one(own, op)
    for number in state.sessions:
        if number != op.session:
            _check_free(locks(write(own, op), op), state, number)
            for world in prefixes(state, number, own):
                check_one(world, op)


def check_waits(state: State, op: Operation) -> None:
    """Whether an operation that is no plain write needs no lock that an open session holds."""
    match op:
        case Observed():
            places = frozenset((op.table, number) for number in (*op.rows, *op.removed))
            for number in state.sessions:
                _check_free(Locks(places), state, number)
        case Truncate():
            _check_nothing_written(state, f"table {op.table!r} cannot be truncated")
        case _ if kind(op) in SCHEMA_KINDS:
            _check_nothing_written(state, "the schema cannot change")
        case _:
            pass


def _check_begin(state: State, op: Begin) -> None:
    if op.session < 1:
        raise NotApplicable(f"sessions are numbered from 1, not {op.session}; 0 commits at once")
    if op.session in state.sessions:
        raise NotApplicable(f"session {op.session} has begun a transaction already; end that first")
    if len(state.sessions) >= MOST_SESSIONS:
        raise NotApplicable(
            f"session {op.session} cannot begin: {MOST_SESSIONS} sessions are open, which is the most; "
            f"end one of {listing(map(str, state.sessions))} first"
        )
    check_stamps(op.stamp)


def _open_session(state: State, number: int) -> Session:
    if number not in state.sessions:
        open_ones = listing(map(str, state.sessions)) if state.sessions else "none"
        raise NotApplicable(f"session {number} has begun no transaction; open sessions: {open_ones}")
    return state.sessions[number]


def _check_plain(state: State, op: RowWrite) -> None:
    """What is written in a session has to be known before it commits, and to wait for nothing unknown."""
    table = state.table(op.table)
    if triggers := table.definition.triggers:
        raise NotApplicable(
            f"table {op.table!r} cannot be written in session {op.session}: what its trigger {triggers[0]!r} "
            "changes is known when it is done, and not before; write it in no session"
        )
    if table.definition.closed:
        raise NotApplicable(
            f"table {op.table!r} cannot be written in session {op.session}: {table.definition.closed}"
        )
    for column in table.columns:
        if column.computed and column.computed.function is None:
            raise NotApplicable(
                f"table {op.table!r} cannot be written in session {op.session}: only the server computes "
                f"its column {column.name!r}; write it in no session"
            )
    if any(_EXCLUDE.search(text) for text in table.definition.constraints):
        raise NotApplicable(
            f"table {op.table!r} cannot be written in session {op.session}: it has an EXCLUDE constraint, "
            "which may make another session wait; write it in no session"
        )


def _check_free(wanted: Locks, state: State, number: int) -> None:
    if met := wanted.conflicts(held(state, number)):
        raise NotApplicable(_waiting(min(met), number))


def _waiting(place: Place, number: int) -> str:
    table, row = place
    what = f"table {table!r}" if row == WHOLE else f"row number {row} of {table!r}"
    done = "written it" if row == WHOLE else "written it or refers to it"
    return (
        f"{what} is locked: session {number} has {done} and is open, and the operation would wait for it; "
        f"commit session {number} or roll it back first"
    )


def _check_nothing_written(state: State, what: str) -> None:
    for number, session in state.sessions.items():
        if session.wrote:
            raise NotApplicable(
                f"{what}: session {number} has written and is open, and the operation would wait for it; "
                f"commit session {number} or roll it back first"
            )
