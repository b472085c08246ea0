"""Changes of rows: inserts, updates and deletes by count, by fraction, by key, or drawn as a mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_kroft.errors import ExecutionError, NotApplicable, OperationError, Protected
from pytest_kroft.model.check import check
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.describe import describe
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import Commit, Delete, Insert, Operation, RowWrite, Truncate, Update
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.timeline import Evolving
from pytest_kroft.planning import arguments, transactions
from pytest_kroft.planning.batches import BatchGenerator, Craft, Row, modifiable, spelled
from pytest_kroft.planning.parents import draw_parents
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.planning.row_hazards import disturb, plan_delete_reinsert, plan_key_change
from pytest_kroft.planning.selection import deletable, free, rows_with_keys
from pytest_kroft.planning.transactions import TransactionPlanner

FEW = 10
"""The most rows that a mutation without a count touches."""

WEIGHTS = {
    "insert": 4,
    "update": 4,
    "delete": 2,
    "delete_reinsert": 1,
    "key_change": 1,
    "truncate": 1,
    "late_commit": 4,
    "rollback": 3,
}
"""How often each kind is drawn in a mix, relative to the others; a transaction takes several draws."""


_COUNTED: dict[type[Operation], str] = {Insert: "inserted", Update: "updated", Delete: "deleted"}


class MutationEngine:
    """Inserts, updates and deletes rows, stamping ``updated_at`` as an application would.

    Args:
        database: The state, and the function that applies an operation to it.
        choices: Answers the decisions: how many rows, which rows, which columns.
        policy: What ``mutate`` may do.
        craft: How values are spelled, and what time it is.
    """

    def __init__(
        self,
        database: Evolving,
        choices: Choices,
        policy: EvolutionPolicy | None = None,
        craft: Craft | None = None,
    ) -> None:
        self._database, self._choices = database, choices
        self._policy, self._craft = policy or EvolutionPolicy(), craft or Craft()
        self._batches = BatchGenerator(database, choices, self._craft)
        self._transactions = TransactionPlanner(choices, self._policy, self._craft)
        self.counters: Counter[str] = Counter()
        """How many rows were ``inserted``, ``updated``, ``deleted``, and how many ``transactions`` did it."""

    def under(self, policy: EvolutionPolicy) -> MutationEngine:
        """The same under another policy, with counters of its own."""
        return MutationEngine(self._database, self._choices, policy, self._craft)

    def insert(
        self, table: str | None = None, count: int | None = None, *, rows: Iterable[Row] | None = None
    ) -> int:
        """Insert ``count`` generated rows, or the given ones, and return how many.

        ``rows`` are mappings from column to value; columns that a row leaves out are generated.
        Raises an OperationError or ValueRefused, and then nothing has changed. Where row numbers are
        skipped, because a generator repeats unique values, there are several transactions, all of them
        checked before the first; the ExecutionError of a later one says what was written before it.
        """
        name = self._database.state.only_table(table)
        if count is not None:
            count = arguments.whole(count, f"the number of rows to insert into {name!r}")
        if rows is not None:
            given = arguments.rows(rows)
            if count is not None and count != len(given):
                raise NotApplicable(f"count is {count} and {len(given)} rows are given; leave the count out")
            call = arguments.call("mutations.insert", name, rows=len(given))
            return self._perform(call, lambda: [self._batches.plan_rows(name, given)] if given else [])
        call = arguments.call("mutations.insert", name, count=count)
        return self._perform(call, lambda: self._batches.plan(name, self._count(count)))

    def update(
        self,
        table: str | None = None,
        count: int | None = None,
        *,
        fraction: float | None = None,
        keys: Iterable[object] | None = None,
        columns: str | Iterable[str] | None = None,
        values: Mapping[str, object] | None = None,
    ) -> int:
        """Update rows and return how many.

        Which rows: ``count`` drawn ones, a ``fraction`` of all (0 to 1), or those of the given primary
        ``keys`` (a value each, a tuple for a composite key). What: the given ``values``, the named
        ``columns`` (or a single one), or some drawn ones. An empty table has nothing to update: 0.
        Raises an OperationError or ValueRefused, and then nothing has changed.
        """
        name = self._database.state.only_table(table)
        wanted = None if columns is None else arguments.names(columns)
        given = {} if values is None else arguments.mapping(values, "values")

        def plan() -> Sequence[Operation]:
            state = self._database.state
            found = state.table(name)
            numbers = self._rows(state, found, count, fraction, keys)
            return [self._plan_update(state, found, numbers, wanted, given)] if numbers else []

        named = {"columns": ", ".join(wanted or ()) or None, "values": ", ".join(map(str, given)) or None}
        which = {"count": count, "fraction": fraction, "keys": None if keys is None else "given"}
        return self._perform(arguments.call("mutations.update", name, **which, **named), plan)

    def delete(
        self,
        table: str | None = None,
        count: int | None = None,
        *,
        fraction: float | None = None,
        keys: Iterable[object] | None = None,
    ) -> int:
        """Delete rows and return how many; which rows is said as for ``update``.

        Rows that others reference are not drawn. Raises an OperationError, and then nothing has changed.
        """
        name = self._database.state.only_table(table)

        def plan() -> Sequence[Operation]:
            state = self._database.state
            numbers = self._rows(state, state.table(name), count, fraction, keys, deleting=True)
            return [Delete(name, numbers)] if numbers else []

        which = {"count": count, "fraction": fraction, "keys": None if keys is None else "given"}
        return self._perform(arguments.call("mutations.delete", name, **which), plan)

    def mutate(self, table: str | None = None, count: int | None = None) -> int:
        """One drawn change of at most ``count`` rows, of a kind that the policy allows.

        Returns how many rows changed: zero where the drawn kind does not apply to what the table holds.
        Raises ExecutionError where the server refuses; a change of several transactions (a delete and an
        insert) is checked as a whole first, and the error says what was written before the refusal.
        """
        state = self._database.state
        named = None if table is None and state.tables else state.only_table(table)
        if count is not None and arguments.whole(count, "the count") < 1:
            raise NotApplicable(f"the count must be 1 or more, not {count!r}")
        call = arguments.call("mutations.mutate", named, count=count)
        return self._perform(call, lambda: self.plan_mix(named, count), drawn=True)

    def plan_mix(self, table: str | None = None, count: int | None = None) -> Sequence[Operation]:
        """The operations of one drawn change, as ``mutate`` makes it; none where it does not apply."""
        name = self._choices.one_of(tuple(self._database.state.tables)) if table is None else table
        size = self._choices.integer(1, FEW if count is None else count)
        allowed = {"insert", "update", *self._policy.hazards}
        kinds = [kind for kind, weight in WEIGHTS.items() if kind in allowed for _ in range(weight)]
        drawn = self._choices.integer(0, len(kinds))
        if not drawn:
            return ()
        try:
            planned = self.plan_kind(kinds[drawn - 1], name, size)
            _check_all(self._database.state, planned)
        except OperationError:
            # The draw means the same whatever came before; what cannot happen now is left out.
            return ()
        return planned

    def plan_end(self) -> Iterator[Operation]:
        """The operations that end every transaction that is open, as the policy allows it."""
        return self._transactions.closing(self._database.state)

    def plan_kind(self, kind: str, name: str, size: int) -> Sequence[Operation]:
        """One change of a kind: in a transaction of its own, or in a session's."""
        state = self._database.state

        def plan(database: Evolving, plain: str) -> Sequence[Operation]:
            engine = MutationEngine(database, self._choices, self._policy, self._craft)
            return engine.plan_change(plain, name, size)

        if kind in transactions.KINDS:
            return self._transactions.plan(state, kind, plan)
        session = self._transactions.place(state) if kind in ("insert", "update", "delete") else 0
        return self._transactions.write(state, session, kind, plan) if session else plan(self._database, kind)

    def plan_change(self, kind: str, name: str, size: int) -> Sequence[Operation]:
        """The operations of a change of at most ``size`` rows, each a transaction of its own.

        None where the kind does not apply to what the table holds; raises an OperationError too.
        """
        state = self._database.state
        table = state.table(name)
        match kind:
            case "insert":
                return disturb(state, self._batches.plan(name, size), self._policy, self._choices)
            case "update":
                numbers = self._rows(state, table, size, None, None)
                planned = (
                    [self._plan_update(state, table, numbers, None, {})]
                    if numbers and modifiable(table)
                    else []
                )
                return disturb(state, planned, self._policy, self._choices)
            case "delete":
                numbers = self._rows(state, table, size, None, None, deleting=True)
                return [Delete(name, numbers)] if numbers else ()
            case "delete_reinsert":
                return plan_delete_reinsert(state, table, self._choices, self._craft)
            case "key_change":
                return plan_key_change(state, table, self._choices, self._craft)
            case "truncate":
                return [Truncate(name)] if table.rows else ()
            case _:
                raise AssertionError(f"{kind} has a weight and no plan")

    def _plan_update(
        self,
        state: State,
        table: TableState,
        numbers: tuple[int, ...],
        columns: Sequence[str] | None,
        values: Mapping[str, object],
    ) -> Update:
        for name in (*(columns or ()), *values):
            if table.column(name).definition.protected:
                raise Protected(table.definition.name, name, "it is defined as protected")
        drawn = [] if values and columns is None else self._columns(table, columns)
        chosen = tuple(dict.fromkeys([*drawn, *values]))
        cells = {
            name: (spelled(table.column(name), value, self._craft.spell),) * len(numbers)
            for name, value in values.items()
        }
        chosen = _whole(table, chosen, cells)
        revision = table.next_revision
        parents = draw_parents(state, table, numbers, self._choices, cells, chosen, revision)
        unique = any(table.column(name).unique for name in chosen if name not in cells)
        update = Update(
            table.definition.name,
            numbers,
            chosen,
            revision=revision,
            stamp=self._craft.stamps(state, self._choices),
            fresh=table.next_row if unique or not table.key else None,
            cells=cells,
            parents=parents,
        )
        return update if table.key else _same_for_all(state, table, update)

    def _columns(self, table: TableState, columns: Sequence[str] | None) -> tuple[str, ...]:
        if columns is not None:
            return tuple(columns)
        names = [column.name for column in modifiable(table)]
        if not names and table.updated_at is None:
            raise NotApplicable(f"table {table.definition.name!r} has no column that may be updated")
        return self._choices.sample(names, self._choices.integer(1, len(names))) if names else ()

    def _count(self, count: int | None) -> int:
        return self._choices.integer(1, FEW) if count is None else count

    def _rows(
        self,
        state: State,
        table: TableState,
        count: int | None,
        fraction: float | None,
        keys: Iterable[object] | None,
        *,
        deleting: bool = False,
    ) -> tuple[int, ...]:
        """The numbers of the rows that a call means."""
        if sum(given is not None for given in (count, fraction, keys)) > 1:
            raise NotApplicable(
                "say which rows by count, by fraction or by keys, not by more than one of them"
            )
        if keys is not None:
            return rows_with_keys(state, table, arguments.keys(keys), self._craft.spell)
        if fraction is not None:
            fraction = arguments.share(fraction)
        if count is not None and arguments.whole(count, "the count") < 0:
            raise NotApplicable(f"the count must be 0 or more, not {count!r}")
        if not table.key:
            return () if count == 0 or fraction == 0 else tuple(table.rows.numbers)
        wanted = self._count(count) if fraction is None else round(len(table.rows) * fraction)
        return self._choices.sample(deletable(state, table) if deleting else free(state, table), wanted)

    def _perform(self, call: str, plan: Callable[[], Sequence[Operation]], *, drawn: bool = False) -> int:
        """Apply what a call plans and return how many rows it touched.

        Raises an OperationError before the first is applied, where one of them does not apply; a later
        refusal, which only the server can have caused, is an ExecutionError that says what was done.
        """

        def checked() -> Sequence[Operation]:
            planned = plan()
            if len(planned) > 1:
                _check_all(self._database.state, planned)
            return planned

        changed, transactions_before = 0, self.counters["transactions"]
        last = None
        try:
            for before, operation in self._database.perform(call, checked, drawn=drawn):
                changed += self.count(operation, before)
                last = operation
        except (OperationError, ExecutionError) as error:
            done = self.counters["transactions"] - transactions_before
            if last is None or not done:
                raise
            raise _after_others(error, last, done, changed) from error
        return changed

    def count(self, operation: Operation, before: State) -> int:
        """Count the rows that an operation changes for everyone in ``counters``; returns how many.

        What a session writes is counted where it commits, and never where it is rolled back.
        """
        match operation:
            case Insert(session=0) | Update(session=0) | Delete(session=0):
                return self._counted([operation])
            case Truncate(table=table):
                return self._counted([Delete(table, tuple(before.table(table).rows.numbers))])
            case Commit(session):
                return self._counted(before.sessions[session].operations)
            case _:
                return 0

    def _counted(self, writes: Sequence[RowWrite]) -> int:
        """Count what one transaction wrote."""
        self.counters["transactions"] += bool(writes)
        for write in writes:
            size = write.count if isinstance(write, Insert) else len(write.rows)
            self.counters[_COUNTED[type(write)]] += size
        return sum(write.count if isinstance(write, Insert) else len(write.rows) for write in writes)


def _whole(table: TableState, names: Sequence[str], given: Mapping[str, object]) -> tuple[str, ...]:
    """The columns, each that is not given with those that change together with it."""
    drawn = [name for name in names if name not in given]
    partners = {one.name for name in drawn for one in table.partners(table.column(name))}
    return tuple(dict.fromkeys([*names, *(name for name in table.names if name in partners)]))


def _check_all(state: State, operations: Sequence[Operation]) -> None:
    """Raise the OperationError of the first operation that would not apply after those before it."""
    for operation in operations:
        check(state, operation)
        state = apply(state, operation)


def _after_others(
    error: OperationError | ExecutionError, last: Operation, transactions: int, rows: int
) -> ExecutionError:
    """The error of an operation that came after others, which stay; how many rows they wrote."""
    done = f"{rows} {'row' if rows == 1 else 'rows'} of {transactions} "
    done += "transaction" if transactions == 1 else "transactions"
    stays = "was written and stays" if rows == 1 else "were written and stay"
    refused = error if isinstance(error, ExecutionError) else ExecutionError(describe(last), str(error))
    return ExecutionError(
        refused.operation,
        f"{refused.reason}; {done} before it {stays}",
        statement=refused.statement,
        sqlstate=refused.sqlstate,
    )


def _same_for_all(state: State, table: TableState, update: Update) -> Update:
    """The update of a table without a key: its rows cannot be told apart, so that all get the same values."""
    size = len(update.rows)
    cells = dict(update.cells)
    for name in update.columns:
        column = table.column(name)
        if name not in cells and name not in update.parents:
            cells[name] = (state.values(table, column).text(table.next_row, 0, update.stamp),) * size
    parents = {name: (numbers[0],) * size for name, numbers in update.parents.items()}
    return replace(update, cells=cells, parents=parents)
