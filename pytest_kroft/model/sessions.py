"""Transactions that are open: what each has done, what it sees, and what it holds on to. Pure.

What a session writes is buffered and folded at its commit, so that the rows of a state are always the
committed ones. What is never used twice (row numbers, revisions, values given to unique columns, time)
is taken at once, and stays taken where the session rolls back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import assert_never

from pytest_kroft.model.consequences import key_tokens
from pytest_kroft.model.fold_rows import advance, write
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    Delete,
    Insert,
    Rollback,
    RollbackTo,
    RowWrite,
    Savepoint,
    SessionOperation,
)
from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import Session, State, TableState

Place = tuple[str, int]
"""A row, by its table's name and its number."""

WHOLE = 0
"""Stands for all rows of a table without a primary key, which cannot be locked one by one."""


@dataclass(frozen=True, slots=True)
class Locks:
    """What others cannot write before a transaction ends: its rows, and those that its rows refer to."""

    written: frozenset[Place] = frozenset()
    referred: frozenset[Place] = frozenset()

    def __or__(self, other: Locks) -> Locks:
        return Locks(self.written | other.written, self.referred | other.referred)

    def conflicts(self, other: Locks) -> frozenset[Place]:
        """The rows that two transactions cannot both hold."""
        mine, others = self.written | self.referred, other.written | other.referred
        return (self.written & others) | (mine & other.written)


# What a session sees


def seen(state: State, session: int) -> State:
    """What a session sees: the committed state with its own work; the state itself for session 0.

    There the session has nothing left to commit, so that what is seen of that is the same.
    """
    if not session:
        return state
    done = reduce(write, state.sessions[session].operations, state)
    return _with(done, session, replace(state.sessions[session], operations=(), savepoints=()))


def alone(state: State, session: int) -> State:
    """What a session sees, as if that were committed and the session were not there: to plan its work on."""
    return _without(seen(state, session), session)


def prefixes(state: State, session: int, onto: State) -> Iterator[State]:
    """A state with the first operation of a session's work, with the first two, and so on to all of it."""
    for operation in state.sessions[session].operations:
        onto = write(onto, operation)
        yield onto


def committing(state: State, session: int) -> Iterator[tuple[State, RowWrite, State]]:
    """What a session's commit brings, each operation as one of its own between the states around it."""
    before = _without(state, session)
    for operation in state.sessions[session].operations:
        plain = replace(operation, session=0)
        after = write(before, plain)
        yield before, plain, after
        before = after


# What an operation does to the sessions


def in_session(state: State, op: SessionOperation) -> State:
    """The state after a transaction began or ended, or a savepoint was set or gone back to."""
    match op:
        case Begin(number, stamp):
            return advance(_with(state, number, Session(stamp)), stamp)
        case Commit(number):
            return _without(seen(state, number), number)
        case Rollback(number):
            return _without(state, number)
        case Savepoint(number, name):
            session = state.sessions[number]
            marks = (*session.savepoints, (name, len(session.operations)))
            return _with(state, number, replace(session, savepoints=marks))
        case RollbackTo(number, name):
            return _with(state, number, _cut(state.sessions[number], name))
        case _:
            assert_never(op)


def buffered(state: State, op: RowWrite) -> State:
    """The state after a session wrote: its rows are to come, and what can be used only once is used."""
    after = write(seen(state, op.session), op)
    # Writing changes rows and what was used; the rows stay as they are until the commit.
    spent = replace(after.table(op.table), rows=state.table(op.table).rows)
    session = state.sessions[op.session]
    session = replace(session, operations=(*session.operations, op), wrote=True)
    return _with(replace(state.with_table(spent), now=after.now), op.session, session)


def _cut(session: Session, name: str) -> Session:
    """The session as it was at the latest savepoint of a name, which stays."""
    place = max(index for index, (known, _) in enumerate(session.savepoints) if known == name)
    kept = session.savepoints[: place + 1]
    return replace(session, operations=session.operations[: kept[-1][1]], savepoints=kept)


def _with(state: State, number: int, session: Session) -> State:
    return replace(state, sessions={**state.sessions, number: session})


def _without(state: State, number: int) -> State:
    return replace(state, sessions={key: kept for key, kept in state.sessions.items() if key != number})


# What is locked


def held(state: State, session: int) -> Locks:
    """What a session has locked so far."""
    found = Locks()
    for _, operation, after in committing(state, session):
        found |= locks(after, operation)
    return found


def locked(state: State, table: str) -> frozenset[int]:
    """The numbers of a table's rows that sessions have written, or refer to: who writes them waits.

    All of them, where a session has written a table without a primary key.
    """
    if not state.sessions:
        return frozenset()
    every = reduce(or_, (held(state, number) for number in state.sessions))
    numbers = frozenset(number for name, number in every.written | every.referred if name == table)
    return frozenset(state.table(table).rows.numbers) if WHOLE in numbers else numbers


def written(state: State, table: str) -> frozenset[int]:
    """The numbers of a table's rows that sessions have written: who refers to them waits."""
    places = (place for number in state.sessions for place in held(state, number).written)
    return frozenset(number for name, number in places if name == table)


def locks(after: State, op: RowWrite) -> Locks:
    """What an operation locks, given the state after it."""
    table = after.table(op.table)
    numbers = range(op.first, op.first + op.count) if isinstance(op, Insert) else op.rows
    if table.key:
        mine = Locks(frozenset((op.table, number) for number in numbers))
    else:
        # Which rows all rows are depends on who sees them; so a whole table is written by one alone.
        whole = frozenset({(op.table, WHOLE)})
        mine = Locks(referred=whole) if isinstance(op, Insert) else Locks(whole)
    if isinstance(op, Delete):
        return mine
    return mine | Locks(
        referred=frozenset(_parents(after, table, [table.rows[number] for number in numbers]))
    )


def _parents(state: State, table: TableState, rows: Sequence[Row]) -> Iterator[Place]:
    """The rows that some rows refer to, also in columns that an update leaves alone.

    The server looks for the parents of a row again where it changes for the second time in a transaction.
    """
    for key in table.foreign_keys:
        parent, targets = state.target(key)
        readers = state.readers(table, [table.by_id(number) for number in key.columns])
        meant = {key_tokens(table.texts(row, readers), targets) for row in rows} - {None}
        held_by = state.readers(parent, targets)
        for row in parent.rows if meant else ():
            if key_tokens(parent.texts(row, held_by), targets) in meant:
                yield parent.definition.name, row.number
