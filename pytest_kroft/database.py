"""One evolving database: what a test holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import psycopg

from pytest_kroft.comparison import Comparison, compare
from pytest_kroft.errors import DefinitionError, ExecutionError, KroftError, Mismatch, ValueRefused
from pytest_kroft.model.choices import Choices, SeededChoices
from pytest_kroft.model.codec import encode
from pytest_kroft.model.columns import EnumDefinition, TableDefinition
from pytest_kroft.model.history import History
from pytest_kroft.model.literals import canonical, is_opaque
from pytest_kroft.model.operations import CreateTable, CreateType, Observed, Operation, Sync
from pytest_kroft.model.registry import Definition, default_registry
from pytest_kroft.model.state import State
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.model.types import SqlType
from pytest_kroft.planning.batches import BatchGenerator, Craft, logical_stamps
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy, as_policy
from pytest_kroft.planning.schema import SchemaManager
from pytest_kroft.postgres.executor import Executor
from pytest_kroft.postgres.loading import loader
from pytest_kroft.postgres.script import SETTINGS, script
from pytest_kroft.postgres.uri import parameters
from pytest_kroft.simulation import BatchReport, SimulationReport, SimulationRunner
from pytest_kroft.verification import content_difference, observe_test, structure_differences

Connection = psycopg.Connection[Any]
Clock = Literal["logical", "server"]
CLOCKS = ("logical", "server")
_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', '10s', false) WHERE current_setting('lock_timeout') = '0'"
"""A session that holds a lock for ever is named by an error; the database's own limit goes before."""


class KroftDB:
    """One PostgreSQL database that evolves from a seed and knows what it should hold.

    Needs no pytest: ``with KroftDB(dsn, orders, seed=7) as db: ...`` works in a script. The database
    must be there and hold no table of the same name; kroft creates the tables in it.

    Args:
        dsn: Where the database is, as a libpq URI or key words.
        definitions: ``TableDefinition``s and ``EnumDefinition``s, or names of registered tables.
        seed: Decides everything that happens.
        rows: How many rows each table gets at first.
        policy: What may happen: an ``EvolutionPolicy``, its name, or a set of hazards.
        clock: ``"logical"``, or ``"server"`` to stamp rows with the server's time.
        choices: Answers the planners in place of the seed.
        test: The name of the test that the history belongs to.

    Raises:
        DefinitionError: for an unknown name, policy or clock.
        ExecutionError: where the server refuses a table.
        KroftError: where the database cannot be reached.
    """

    def __init__(
        self,
        dsn: str,
        *definitions: Definition | str,
        seed: int = 0,
        rows: int = 0,
        policy: EvolutionPolicy | str | Iterable[str] | None = None,
        clock: Clock = "logical",
        choices: Choices | None = None,
        test: str | None = None,
    ) -> None:
        if clock not in CLOCKS:
            raise DefinitionError(f"clock must be 'logical' or 'server', not {clock!r}")
        if rows < 0:
            raise DefinitionError(f"rows must be 0 or more, not {rows!r}")
        self.dsn, self.policy, self._clock = dsn, as_policy(policy), clock
        items = default_registry.resolve(*definitions) if definitions else ()
        self._choices = choices or SeededChoices(seed)
        self._opened = ExitStack()
        self._own = self._open(dsn, "kroft")
        # The state's texts are those that the server prints under these settings.
        self._own.execute("; ".join(f"SET {name} = '{value}'" for name, value in SETTINGS.items()).encode())
        self._own.execute(_LOCK_TIMEOUT)
        self._executor = Executor(self._own)
        self._timeline = Timeline(seed, self._executor, test)
        try:
            self._create(items, rows)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<KroftDB seed={self.seed} tables={list(self.state.tables)} operations={len(self.history)}>"

    def close(self) -> None:
        """Close every connection that this object opened; the database stays as it is."""
        self._opened.close()

    def _create(self, items: Sequence[Definition], rows: int) -> None:
        enums = [item for item in items if isinstance(item, EnumDefinition)]
        tables = [item for item in items if isinstance(item, TableDefinition)]
        for enum in enums:
            self.apply(CreateType(enum))
        for table in _parents_first(tables):
            self.apply(CreateTable(table))
            if rows:
                self.mutations.insert(table.name, rows)

    # What the test works with

    @property
    def seed(self) -> int:
        """The seed that decides everything that happens to this database."""
        return self._timeline.history.seed

    @property
    def state(self) -> State:
        """What the database should hold now."""
        return self._timeline.state

    @property
    def history(self) -> History:
        """Everything that was done so far."""
        return self._timeline.history

    @cached_property
    def connection(self) -> Connection:
        """The test's own connection, in autocommit mode."""
        return self.connect()

    def connect(self) -> Connection:
        """Another connection in autocommit mode, closed with this object."""
        return self._open(self.dsn, "kroft test")

    @cached_property
    def schema(self) -> SchemaManager:
        """Creates, changes and drops tables and columns."""
        return SchemaManager(self, self._choices, self.policy)

    @cached_property
    def batches(self) -> BatchGenerator:
        """Generates batches of rows."""
        return BatchGenerator(self, self._choices, self._craft)

    @cached_property
    def mutations(self) -> MutationEngine:
        """Inserts, updates and deletes rows."""
        return MutationEngine(self, self._choices, self.policy, self._craft)

    @cached_property
    def evolution(self) -> EvolutionController:
        """Lets the schema evolve, and keeps the audit log."""
        return EvolutionController(self, self._choices, self.policy)

    @cached_property
    def runner(self) -> SimulationRunner:
        """Runs whole simulations."""
        return SimulationRunner(self, self._choices, self.mutations, self.evolution)

    def run(self, batches: int = 20, rows: int = 50) -> SimulationReport:
        """Run a simulation at once; see ``SimulationRunner.run``."""
        return self.runner.run(batches, rows)

    def stream(self, batches: int = 20, rows: int = 50) -> Iterator[BatchReport]:
        """Run a simulation and yield after each batch, so that a consumer can sync between."""
        return self.runner.stream(batches, rows)

    # Operations and histories

    def apply(self, operation: Operation) -> None:
        """Check, execute, fold and record one operation.

        Raises an OperationError where it does not apply and an ExecutionError where the server refuses;
        then nothing has changed.
        """
        self._timeline.apply(operation)
        if self._executor.observed:
            self._timeline.adopt(self._executor.observed)

    def replay(self, history: History) -> None:
        """Do everything that a history says, at once; see ``play``."""
        for _ in self.play(history):
            pass

    def play(self, history: History) -> Iterator[Operation | None]:
        """Do everything that a history says; yields at each sync, and with None at the end.

        What a database holds already, because it was made with the same tables, is not done twice.
        Raises ExecutionError where the server computes other values than the history observed.
        """
        # Under another seed the cells of another history are no function of an address.
        todo = history if history.seed == self.seed else history.literal()
        for operation in todo.operations[self._done_already(history) :]:
            if isinstance(operation, Observed) and operation.by == "server":
                self._follow_observed(operation)
                continue
            self.apply(operation)
            if isinstance(operation, Sync):
                yield operation
        yield None

    def _done_already(self, history: History) -> int:
        """How many operations of a history made what is there, be they saved with their cells or not."""
        done = len(self.history)
        same = [
            _without_generators(mine) == _without_generators(other)
            for mine, other in zip(
                self.history.literal(),
                replace(history, operations=history.operations[:done]).literal(),
                strict=False,
            )
        ]
        return done if len(same) == done and all(same) else 0

    def _follow_observed(self, observed: Observed) -> None:
        """Hold what a history observed: where this server computed something else, it is written."""
        if self.history[-1] == observed:
            return
        table = self.state.table(observed.table)
        computed = [name for name in observed.cells if table.column(name).computed]
        if computed:
            raise ExecutionError(
                f"replaying on {observed.table!r}",
                f"the server computed other values of {', '.join(computed)} than the history observed",
            )
        self._timeline.apply(replace(observed, by="test"))

    def sql(self) -> str:
        """The history as an SQL script: ``psql -f`` of it builds the same content."""
        return script(self.history)

    def save(self, path: str | Path) -> Path:
        """Save the history as JSON lines and return the file's path."""
        return self.history.save(path)

    # Comparing

    def expected(self, table: str | None = None) -> list[dict[str, Any]]:
        """The rows that a table should hold, as dicts of the values that psycopg reads.

        Where psycopg has no such value (infinity, a date BC, an interval of months): the server's text.
        """
        name = self.state.only_table(table)
        found = self.state.table(name)
        loaders = [loader(column.type) for column in found.columns]
        return [
            {
                column: None if text is None else load(text)
                for column, load, text in zip(found.names, loaders, texts, strict=True)
            }
            for texts in self.state.contents(name)
        ]

    def verify(self) -> Literal[True]:
        """True if the server holds what the state says; raises Mismatch naming what differs.

        A row that the test wrote itself differs too; ``adopt_rows`` accepts such rows.
        """
        self._verify_structure()
        for name in self.state.tables:
            difference = content_difference(self._own, self.state, name)
            if not difference.same:
                raise Mismatch(
                    "the server does not hold what kroft wrote; "
                    "adopt_rows() accepts rows that the test wrote itself\n" + difference.render(),
                    difference,
                )
        return True

    def adopt_rows(self, table: str | None = None) -> int:
        """Accept what the test wrote to a table, or to all of them, by itself; how many rows differed."""
        self._verify_structure()
        names = list(self.state.tables) if table is None else [self.state.only_table(table)]
        differing = {
            name: count
            for name in names
            if (count := _count(content_difference(self._own, self.state, name)))
        }
        for observed in self._in_order([observe_test(self._own, self.state, name) for name in differing]):
            before = self.state
            # The rows are there already: the server has only the sequences to move.
            self._timeline.adopt(observed)
            self._executor.move_sequences(before, self.state, observed.table)
        return sum(differing.values())

    def _in_order(self, observed: Sequence[Observed]) -> list[Observed]:
        """Observations in an order in which a replay can write them: a referenced row is removed last."""
        late = [one for one in observed if one.removed and self.state.references_to(one.table)]
        kept = [replace(one, removed=()) if one in late else one for one in observed]
        removals = [replace(one, rows=(), cells={}) for one in reversed(late)]
        return [*(one for one in kept if one.rows or one.removed), *removals]

    def _verify_structure(self) -> None:
        structure = list(structure_differences(self._own, self.state))
        if structure:
            raise Mismatch(
                "the server does not have the tables of the state\n"
                + "\n".join(f"  {line}" for line in structure)
            )

    def compare(self, table: str, rows: object) -> Comparison:
        """The differences between what a table should hold and a copy of it.

        Args:
            table: The table's name in its definition.
            rows: The copy: mappings, named tuples, dataclasses, a cursor, or a mapping from keys to rows.
        """
        found = self.state.table(table)
        key = [column.name for column in found.key]
        return compare(self.expected(table), rows, table=table, key=key, known=found.names)

    def assert_same(self, table: str, rows: object) -> None:
        """Raise Mismatch, an AssertionError that says what differs, unless a copy holds the same rows."""
        __tracebackhide__ = True
        self.compare(table, rows).raise_if_different()

    # Inside

    @cached_property
    def _craft(self) -> Craft:
        stamps = logical_stamps if self._clock == "logical" else self._server_stamp
        return Craft(self._spell, lambda sql_type, text: loader(sql_type)(text), stamps)

    def _open(self, dsn: str, name: str) -> Connection:
        parameters(dsn)
        try:
            connection = psycopg.connect(dsn, autocommit=True, application_name=name)
        except psycopg.Error as error:
            raise KroftError(f"the database cannot be reached: {' '.join(str(error).split())}") from None
        self._opened.callback(connection.close)
        return connection

    def _spell(self, sql_type: SqlType, value: object) -> str:
        """A value given on purpose as the server prints it: by kroft or, for odd types, by the server."""
        text = canonical(sql_type, value)
        if not is_opaque(sql_type, value):
            return text
        try:
            row = (
                psycopg.RawCursor(self._own).execute(f"SELECT $1::text::{sql_type}::text", [text]).fetchone()
            )
        except psycopg.Error as error:
            raise ValueRefused(value, str(sql_type), error.diag.message_primary or str(error)) from None
        assert row is not None
        return str(row[0])

    def _server_stamp(self, state: State, choices: Choices) -> int:
        """The server's time in microseconds; it travels in the operation, so that a replay has the same."""
        del state, choices
        row = self._own.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").fetchone()
        assert row is not None
        return int(row[0])


def _count(difference: Comparison) -> int:
    return len(difference.missing) + len(difference.extra) + len(difference.different)


def _parents_first(tables: Sequence[TableDefinition]) -> list[TableDefinition]:
    """The tables in an order in which each comes after those that it references; else as they were given."""
    waiting, done = list(tables), list[TableDefinition]()
    while waiting:
        names = {table.name for table in waiting}
        ready = [
            t
            for t in waiting
            if not {r for c in t.columns if c.reference and (r := c.reference.table) != t.name} & names
        ]
        if not ready:
            raise DefinitionError(
                f"these tables reference each other in a circle: {', '.join(sorted(names))}"
            )
        done.extend(ready)
        waiting = [table for table in waiting if table not in ready]
    return done


def _without_generators(operation: Operation) -> str:
    """Something equal for operations that differ in their generators alone, which no history holds."""
    return str(encode(operation)) if not isinstance(operation, CreateTable) else str(_bare(encode(operation)))


def _bare(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _bare(value) for key, value in data.items() if key != "generator"}
    return [_bare(item) for item in data] if isinstance(data, list) else data
