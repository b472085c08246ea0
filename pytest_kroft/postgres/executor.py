"""The only code that writes to the server: carries out the statements of an operation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import TypeGuard

import psycopg

from pytest_kroft.errors import ExecutionError, listing
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import Commit, CreateTable, Migrate, Observed, Operation, Rollback
from pytest_kroft.model.state import State
from pytest_kroft.postgres.migrations import migrate_again
from pytest_kroft.postgres.observing import difference, in_order, observe, observed_columns, undone
from pytest_kroft.postgres.pipeline import Connection, Pipeline, roll_back
from pytest_kroft.postgres.queries import BEGIN, COMMIT, Query, checked, copy_query, query
from pytest_kroft.postgres.refusals import Unexpected, check_count, refused, unexpected
from pytest_kroft.postgres.sources import Source
from pytest_kroft.postgres.statements import (
    InsertRows,
    Statement,
    around,
    moved_sequences,
    observed_writes,
    set_sequences,
    statements,
)
from pytest_kroft.postgres.triggers import acting, marks, observe_acted, observe_adopted, still

COPY_FROM = 200
"""From so many rows on, COPY is faster than one INSERT (see the benchmarks)."""

LONGEST = 50
"""How many operations wait at most to be sent together."""

_BY_THE_CHECK = (
    psycopg.errors.DivisionByZero,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InsufficientPrivilege,
)
"""What the server may say of a checked query alone: another count; a rule of the table; a policy of it."""


@dataclass(slots=True)
class _Session:
    """A connection, and what its open transaction has done since it began."""

    connection: Connection
    transaction: list[Sequence[Statement]] = field(default_factory=list)


@dataclass(frozen=True)
class _Task:
    """One operation, to be carried out."""

    number: int
    before: State
    operation: Operation
    after: State
    statements: Sequence[Statement]

    @property
    def adopts(self) -> bool:
        """Whether it takes over a table that is there, with its rows."""
        return isinstance(self.operation, CreateTable) and self.operation.adopted

    @cached_property
    def triggers(self) -> bool:
        """Whether triggers of the user's may act on it: then the server may change other rows than told."""
        return acting(self.before, self.operation, self.after)

    @property
    def writes_still(self) -> bool:
        """Whether it writes what triggers have made, which they must not do once more."""
        op = self.operation
        return isinstance(op, Observed) and bool(self.before.table(op.table).definition.triggers)

    @property
    def alone(self) -> bool:
        """Whether it cannot wait to be sent with others: it copies rows, or is observed."""
        if self.adopts or (self.statements and (self.triggers or self.writes_still)):
            return True
        copies = any(map(_is_copied, self.statements))
        return copies or bool(self.statements and observed_columns(self.operation, self.after))

    def queries(self) -> Sequence[Query]:
        """What is sent, each query with its check; an operation outside of a session is a transaction."""
        found = [checked(query(statement)) for statement in self.statements]
        return found if self.number or not found else [BEGIN, *found, COMMIT]


class Executor:
    """Carries operations out, on connections which must be in autocommit mode.

    An operation is one transaction, unless a session has begun one. Operations wait until ``settle`` sends
    them together, in one round trip. So COMMIT is on its way before it is known how many rows a statement
    changes, and the server itself has to refuse another number than the state predicted. What it refuses so
    is done again alone, where the count is read: that tells what is wrong, and does without a check where a
    rule of the table forbids it.

    Args:
        connection: The one for operations outside of a session.
        connect: Gives the connection of a session, by its number; without it there are no sessions.
    """

    def __init__(self, connection: Connection, connect: Callable[[int], Connection] | None = None) -> None:
        self._sessions = {0: _Session(connection)}
        self._connect = connect
        self._queue: deque[_Task] = deque()
        self.migrations: dict[str, Source] = {}
        """The migrations that were called, by name: a function in a test cannot be imported again."""

    def __call__(self, before: State, operation: Operation, after: State) -> list[Observed]:
        """Take one operation, and return what only the server could know after it, if anything.

        It is done when ``settle`` has returned, or at once where something is observed.
        Raises ExecutionError for this one or for one that waited; see ``forget``.
        """
        if isinstance(operation, Migrate):
            self.settle()
            return migrate_again(self._sessions[0].connection, operation, after, self.migrations)
        number = getattr(operation, "session", 0)
        before, after = around(before, operation, after)
        task = _Task(number, before, operation, after, statements(before, operation, after))
        alone = task.alone
        if self._queue and (alone or len(self._queue) >= LONGEST or self._queue[-1].number != number):
            self.settle()
        if alone:
            return self._carry_out(task)
        self._queue.append(task)
        return []

    def settle(self) -> None:
        """Send what waits, and return when it is done.

        Raises ExecutionError for the first that is refused. It and those behind it are not done, the server
        holds what it held before, and ``forget`` tells how many they are.
        """
        while self._queue:
            error = self._send()
            if error and self._queue:
                self._recover(self._queue[0], error)
                self._queue.popleft()

    def forget(self) -> int:
        """Give up what waits or was refused; how many operations that were."""
        count = len(self._queue)
        self._queue.clear()
        return count

    def reset(self) -> None:
        """Give up what is not done, and roll back the transaction of every session."""
        self._queue.clear()
        for session in self._sessions.values():
            session.transaction.clear()
            roll_back(session.connection)

    def move_sequences(self, before: State, after: State, name: str) -> None:
        """Move a table's sequences past the rows that the state took over."""
        self.settle()
        self._run(self._sessions[0].connection, moved_sequences(before, after, name))

    def restore(self, state: State, tables: Collection[str]) -> None:
        """Make the server hold what a state says of some tables; no trigger acts on that.

        Raises ExecutionError where it does not take that.
        """
        self.settle()
        try:
            self._restore(self._sessions[0].connection, state, tables)
        except (psycopg.Error, Unexpected) as error:
            words = f"the server does not take what was observed once: {' '.join(str(error).split())}"
            raise ExecutionError(f"restoring {listing(map(repr, tables))}", words) from error

    def _restore(self, connection: Connection, state: State, tables: Collection[str]) -> None:
        with connection.transaction():
            found = [difference(connection, state, name, "server") for name in tables]
            wrong = in_order(state, [undone(one, state) for one in found if one])
            if not wrong:
                return
            # The server holds something else than the state, as those records say.
            held = reduce(apply, filter(None, found), state)
            with still(connection, [state.table(one.table) for one in wrong]):
                for one in wrong:
                    after = apply(held, one)
                    # What the server numbers next has to follow what it is made to hold.
                    sequences = set_sequences(state, one.table)
                    self._run(connection, [*observed_writes(held, one, after), *sequences])
                    held = after
            if any(difference(connection, state, name, "server") for name in tables):
                raise Unexpected("it computes other values")

    # Together

    def _send(self) -> psycopg.Error | None:
        """Send all that waits and take off what is done; returns the error of the first that is not."""
        number = self._queue[0].number
        pipeline = Pipeline(self._session(number).connection)
        try:
            error = pipeline.run(task.queries() for task in self._queue)
        except BaseException:
            self._take_off(pipeline.done)
            self._undo(number)
            raise
        self._take_off(pipeline.done)
        return error

    def _take_off(self, count: int) -> None:
        """Take off the first that wait, which are done."""
        for _ in range(count):
            self._done(self._queue.popleft())

    def _done(self, task: _Task) -> None:
        """Remember what a session's transaction has done, until it ends."""
        if task.number and task.statements:
            log = self._sessions[task.number].transaction
            log.append(task.statements)
            if isinstance(task.operation, Commit | Rollback):
                log.clear()

    # Alone

    def _carry_out(self, task: _Task) -> list[Observed]:
        """Carry out one operation by itself; the row counts are read before it is committed."""
        connection = self._session(task.number).connection
        try:
            with self._transaction(task, connection):
                # Read before the commit: what cannot be observed is not done.
                observed = self._run_alone(task, connection)
        except psycopg.Error as error:
            raise self._refused(task, error) from error
        except Unexpected as error:
            raise unexpected(task.before, task.operation, task.after, error) from None
        self._done(task)
        return observed

    def _run_alone(self, task: _Task, connection: Connection) -> list[Observed]:
        """Carry out one operation in the transaction that is open, and observe what the server made of it."""
        if isinstance(task.operation, CreateTable) and task.adopts:
            return observe_adopted(connection, task.after, task.operation.definition.name)
        if task.triggers:
            earlier = marks(connection, task.before)
            for statement in task.statements:
                # Triggers may leave rows out: nothing is counted, and COPY would know of no rule.
                _execute(connection, query(statement))
            return observe_acted(connection, task.before, task.after, earlier)
        silence = still(connection, task.before.tables.values()) if task.writes_still else nullcontext()
        with silence:
            self._run(connection, task.statements)
        found = observe(connection, task.operation, task.after)
        return [found] if found else []

    @contextmanager
    def _transaction(self, task: _Task, connection: Connection) -> Iterator[None]:
        """A transaction of the task's own, or what its session has begun; an error undoes the task alone."""
        try:
            with nullcontext() if task.number else connection.transaction():
                yield
        except BaseException:
            self._undo(task.number)
            raise

    def _run(self, connection: Connection, todo: Iterable[Statement]) -> None:
        for statement in todo:
            if _is_copied(statement):
                check_count(len(statement.rows), _copy(connection, statement))
            else:
                _ask(connection, query(statement))

    # Where it fails

    def _recover(self, task: _Task, error: psycopg.Error) -> None:
        """Bring its session back to where it was, and do the task alone if only its check was refused."""
        self._undo(task.number)
        if not isinstance(error, _BY_THE_CHECK):
            raise self._refused(task, error) from error
        self._carry_out(task)

    def _undo(self, number: int) -> None:
        """Bring a session back to where it was before the operation that failed.

        The error has ended the transaction, so that a session does anew what it had done since it began. Not
        by a savepoint around each operation: that would give each its own transaction id. Where it cannot,
        the connection is closed: nothing may be done outside of the transaction that the state has.
        """
        session = self._sessions[number]
        roll_back(session.connection)
        if session.connection.closed:
            return
        try:
            for done in session.transaction:
                self._run(session.connection, done)
        except (psycopg.Error, Unexpected):
            session.connection.close()
        except BaseException:
            session.connection.close()
            raise

    def _refused(self, task: _Task, error: psycopg.Error) -> Exception:
        # A session's own transaction goes on, so the one outside is asked who holds a lock.
        asked = self._sessions[0].connection
        return refused(asked, task.before, task.operation, task.after, error)

    def _session(self, number: int) -> _Session:
        if number not in self._sessions:
            if self._connect is None:
                raise ValueError(f"session {number} needs a connection of its own, and none can be made")
            self._sessions[number] = _Session(self._connect(number))
        return self._sessions[number]


def _ask(connection: Connection, asked: Query) -> None:
    check_count(asked.count, _execute(connection, asked))


def _execute(connection: Connection, asked: Query) -> int:
    """Run a query; returns how many rows it changed."""
    # The extended protocol, which asking for binary results is the way to: a default or a constraint
    # is a user's SQL, and there the server refuses a second command in it. A raw cursor takes $1 and
    # leaves the percent sign alone, which names may hold.
    return psycopg.RawCursor(connection).execute(asked.text, asked.values, binary=True).rowcount


def _is_copied(statement: Statement) -> TypeGuard[InsertRows]:
    # A COPY of no columns is a syntax error.
    return isinstance(statement, InsertRows) and len(statement.rows) >= COPY_FROM and bool(statement.fields)


def _copy(connection: Connection, statement: InsertRows) -> int:
    """Copy rows; returns how many the server took."""
    with connection.cursor() as cursor:
        with cursor.copy(copy_query(statement.table.as_string(None), statement.fields)) as copy:
            for row in statement.rows:
                copy.write_row(row)
        return cursor.rowcount
