"""One evolving database: what a test holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Literal, Self

from pytest_kroft.adopting import Adopted, Columns, Scratch, find, operations, undone
from pytest_kroft.comparison import Comparison, compare
from pytest_kroft.errors import DefinitionError, Mismatch, NotApplicable, listing
from pytest_kroft.migrating import Migrated, migrate
from pytest_kroft.model.choices import Choices, SeededChoices, TurnableChoices
from pytest_kroft.model.describe import describe
from pytest_kroft.model.history import History
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.operations import CreateTable, CreateType, Migrate, Observed, Operation
from pytest_kroft.model.registry import Definition, default_registry
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.timeline import Plan, Prompt, Step, Timeline
from pytest_kroft.model.types import SqlType
from pytest_kroft.past import Past
from pytest_kroft.planning.arguments import call
from pytest_kroft.planning.batches import BatchGenerator, Craft, logical_stamps
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.filling import Filler
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy, as_policy
from pytest_kroft.planning.schema import SchemaManager
from pytest_kroft.postgres.asking import needs_server, server_stamp, spelled_by_server
from pytest_kroft.postgres.connections import Connection, Connections
from pytest_kroft.postgres.executor import Executor
from pytest_kroft.postgres.introspection import asking
from pytest_kroft.postgres.loading import loader
from pytest_kroft.postgres.migrations import Migration
from pytest_kroft.postgres.script import script
from pytest_kroft.replay import play
from pytest_kroft.simulation import BatchReport, SimulationReport, SimulationRunner
from pytest_kroft.tolerance import tolerated
from pytest_kroft.verification import content_difference, observe_tests_writes, structure_differences

Clock = Literal["logical", "server"]
CLOCKS = ("logical", "server")


@dataclass(frozen=True)
class Beginning:
    """What was done to a database before the examples of a search, each of which begins with it again."""

    timeline: Timeline
    counters: Counter[str]


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
        prompt: Takes the place of what calls plan: a ``replay.Recording``.

    Raises:
        DefinitionError: for an unknown name, policy or clock, and for a seed or rows below 0.
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
        prompt: Prompt | None = None,
    ) -> None:
        if clock not in CLOCKS:
            raise DefinitionError(f"clock must be 'logical' or 'server', not {clock!r}")
        if type(seed) is not int or seed < 0:
            raise DefinitionError(f"seed must be a whole number from 0, not {seed!r}")
        if rows < 0:
            raise DefinitionError(f"rows must be 0 or more, not {rows!r}")
        self.dsn, self.policy, self._clock = dsn, as_policy(policy), clock
        items = default_registry.resolve(*definitions) if definitions else ()
        self.scratch: Callable[[], Scratch] | None = None
        """Opens a session in a clone of the database, for what ``adopt`` tries.

        Without it that is tried here, in a transaction that is rolled back: sequences move on, and the tables
        are locked meanwhile.
        """
        self.template: str | None = None
        """The database that this one is a clone of."""
        self._choices = TurnableChoices(choices or SeededChoices(seed))
        self._connections, self._folders = Connections(dsn), ExitStack()
        try:
            self._name = self._own.info.dbname
            self._executor = Executor(self._own, self._connections.session)
            self._timeline = Timeline(seed, self._executor, test, prompt)
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
        try:
            self._folders.close()
        finally:
            self._connections.close()

    def adopt(self, *patterns: str, columns: Columns | None = None) -> Adopted:
        """Take over tables that the database has: ``adopt()`` all of them, ``adopt("orders", "billing.*")``.

        Their definitions are read from the catalog, and what else decides which rows they accept is tried
        once, in a clone of the database where there is one. Their rows become part of ``expected``. Tables
        that others refer to come with them.

        Args:
            patterns: Names of tables, with a schema or without, which may hold ``*`` and ``?``.
            columns: By a table's name, ``ColumnDefinition``s: of a new name for columns that evolution may
                add; of the name of a column that is there to give it a generator, or to protect it.

        Returns:
            What was adopted; ``print`` it, or its ``code()``.

        Raises:
            DefinitionError: for a pattern that means no table, and where there is none.
            NotApplicable: where all of the tables are known already.
            KroftError: where the session fails.
        """
        self._timeline.settle()
        scratch = self.scratch() if self.scratch else undone(self._own)
        adopted = find(self._own, patterns, scratch, columns, self.template)
        known = [table.name for table in adopted.tables if table.name in self.state.tables]
        if known and len(known) == len(adopted.tables):
            raise NotApplicable(f"all of these are adopted or created already: {listing(known)}")
        with asking(self._name):
            taken = list(operations(self._own, self.state, adopted))
        before = self.state
        self._timeline.take_over(call("adopt", ", ".join(patterns) or None), taken)
        for table in (one.table for one in taken if isinstance(one, Observed)):
            with asking(self._name):
                self._executor.move_sequences(before, self.state, table)
        return adopted

    def fill(self, rows: int = 10) -> dict[str, str]:
        """Insert until every table has so many rows, parents first; why a table has fewer, by its name.

        Raises NotApplicable for no whole number from 1, and ExecutionError where the server refuses rows.
        """
        return Filler(self, self._choices, self._craft).fill(rows)

    def evolve_with(self, migration: Migration, *arguments: str) -> Migrated:
        """Run a migration of your own on the rows that are there, and go on with what it made of them.

        Afterwards the catalog is read again, the rows are compared, and what the migration did becomes one
        step of the history. Tables and columns that it renamed are known by the server's own numbers; a
        renamed table is still called by its definition's name. Tables that it made are adopted, but for
        those in which tools note what was run.

        Args:
            migration: A function, or ``"module:function"``, called with a psycopg connection of its own in
                autocommit mode; or the path of an SQL file.
            arguments: Texts that the function gets after the connection: ``"head"``.

        Returns:
            What changed; ``print`` it.

        Raises:
            Mismatch: where the server does not hold what kroft knows, before or afterwards.
            LoadError: where there is no such function.
            NotApplicable: while a session is open.
            ExecutionError: where the migration fails; says what it left behind, if anything.
        """
        self._timeline.settle()
        self.verify()
        before = {op.source for op in self.history if isinstance(op, Migrate)}
        known = {name: one for name, one in self._executor.migrations.items() if name in before}
        taken = migrate(self._own, self.state, migration, arguments, known)
        self._executor.migrations[taken.source.name] = taken.source
        made = call("evolve_with", ", ".join([taken.source.name, *arguments]))
        self._timeline.take_over(made, [taken.step, *taken.observed])
        after = self._timeline.states[-1 - len(taken.observed)]
        for one in taken.observed:
            with asking(self._name):
                self._executor.move_sequences(after, self.state, one.table)
        self.verify()
        return taken.report

    def _create(self, items: Sequence[Definition], rows: int) -> None:
        enums = [item for item in items if isinstance(item, EnumDefinition)]
        tables = [item for item in items if isinstance(item, TableDefinition)]
        for enum in enums:
            self.apply(CreateType(enum))
        for table in tables:
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

    @property
    def connection(self) -> Connection:
        """The test's own connection, in autocommit mode."""
        return self._connections.test

    def connect(self) -> Connection:
        """Another connection in autocommit mode, closed with this object, or with the example of a search."""
        return self._connections.another()

    @cached_property
    def tmp_path(self) -> Path:
        """A folder of this database's own: a fresh one for each example of a search, removed after it."""
        return Path(self._folders.enter_context(TemporaryDirectory(prefix="kroft-files-")))

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
        for _ in self.perform(f"apply({describe(operation)})", lambda: [operation]):
            pass

    def perform(self, call: str, plan: Plan, *, drawn: bool = False) -> Iterator[Step]:
        """Apply what a call plans, operation by operation; yields each with the state before it."""
        return self._timeline.perform(call, plan, drawn=drawn)

    def replay(self, history: History) -> None:
        """Do everything that a history says, at once; see ``play``."""
        for _ in self.play(history):
            pass

    def play(self, history: History) -> Iterator[Operation | None]:
        """Do everything that a history says; yields at each sync, and with None at the end.

        What a database holds already, because it was made with the same tables, is not done twice.
        Raises ExecutionError where the server computes other values than the history observed.
        """
        return play(self, history)

    def sql(self) -> str:
        """The history as an SQL script: ``psql -f`` of it builds the same content."""
        return script(self.history)

    def save(self, path: str | Path) -> Path:
        """Save the history as JSON lines and return the file's path."""
        return self.history.save(path)

    # Examples of a search

    def begun(self) -> Beginning:
        """What was done so far, for ``rewind``; what was opened so far stays open over all examples."""
        self._connections.keep()
        begun, self._timeline = self._timeline, self._timeline.fork()
        begun.end()
        return Beginning(begun, Counter(self.mutations.counters))

    def end_example(self) -> None:
        """End an example, before the database is emptied: close what it opened, roll back what it began.

        What is left of its calls applies nothing any more. Raises OSError where its folder cannot be removed,
        after all else was done, and KroftError where the server cannot be reached.
        """
        self._timeline.end()
        try:
            self._folders.close()
        finally:
            self.__dict__.pop("tmp_path", None)
            self._connections.end_example()
            self._executor.reset()
            if not self._connections.answer():
                self._reconnect()

    def _reconnect(self) -> None:
        self._connections.close_ours()
        known = self._executor.migrations
        self._executor = Executor(self._own, self._connections.session)
        self._executor.migrations.update(known)

    def rewind(
        self, begun: Beginning, choices: Choices, prompt: Prompt | None = None, *, anew: bool = False
    ) -> None:
        """Begin an example: in a database that was emptied, do again what was done at first.

        Who holds this object, or its parts, goes on with it.

        Args:
            begun: What ``begun()`` gave.
            choices: Answers the planners from now on.
            prompt: Takes the place of what calls plan.
            anew: Whether the database was made anew, so that no connection is left.
        """
        if anew:
            self._reconnect()
        self._choices.turn_to(choices)
        self.mutations.counters.clear()
        self.mutations.counters.update(begun.counters)
        self._timeline = Timeline(self.seed, self._executor, self.history.test, prompt)
        self._timeline.redo(begun.timeline)

    @property
    def pids(self) -> list[int]:
        """The process ids of kroft's own sessions on the server."""
        return self._connections.pids

    # Comparing

    def expected(self, table: str | None = None, *, at: int | None = None) -> list[dict[str, Any]]:
        """The rows that a table should hold, as dicts of the values that psycopg reads.

        Where psycopg has no such value (infinity, a date BC, an interval of months): the server's text.

        Args:
            table: The name of its definition; may be left out where there is only one.
            at: The rows that it should have held after the first so many operations of ``history``: what
                ``len(db.history)`` was then. A negative one counts from the end, as in a list.

        Raises:
            UnknownTable: if there is no such table, or was none then.
            NotApplicable: if no table is named and there are several, or there were never so many operations.
        """
        state = self.state if at is None else self._state_at(at)
        name = state.only_table(table if state.tables else self.state.only_table(table))
        found = state.table(name)
        loaders = [loader(column.type) for column in found.columns]
        return [
            {
                column: None if text is None else load(text)
                for column, load, text in zip(found.names, loaders, texts, strict=True)
            }
            for texts in state.contents(name)
        ]

    def _state_at(self, at: int) -> State:
        done = len(self.history)
        if type(at) is not int or not -done <= at <= done:
            raise NotApplicable(
                f"at must count operations: from 0 to {done}, as {done} were done so far, or back from the "
                f"end, to {-done}; it is {at!r}"
            )
        return self._timeline.states[at + done if at < 0 else at]

    def verify(self) -> Literal[True]:
        """True if the server holds what the state says; raises Mismatch naming what differs.

        A row that the test wrote itself differs too; ``adopt_rows`` accepts such rows.
        Raises KroftError where the server ends the session.
        """
        self._verify_structure()
        for name in self.state.tables:
            with asking(self._name):
                difference = content_difference(self._own, self.state, name)
            if not difference.same:
                raise Mismatch(
                    "the server does not hold what kroft wrote; adopt_rows() accepts rows that the test "
                    "wrote itself (below, the source is kroft's state, and the copy the server)\n"
                    + difference.render(),
                    difference,
                )
        return True

    def adopt_rows(self, table: str | None = None) -> int:
        """Accept what the test wrote to a table, or to all of them, by itself; how many rows differed.

        Raises Mismatch where the tables themselves differ, KroftError where the server ends the session.
        """
        self._verify_structure()
        names = list(self.state.tables) if table is None else [self.state.only_table(table)]
        with asking(self._name):
            observed, differing = observe_tests_writes(self._own, self.state, names)
        before = self.state
        self._timeline.take_over("adopt_rows()", observed)
        for one in observed:
            # The rows are there already: the server has only the sequences to move.
            with asking(self._name):
                self._executor.move_sequences(before, self.state, one.table)
        return differing

    def _verify_structure(self) -> None:
        with asking(self._name):
            structure = list(structure_differences(self._own, self.state))
        if structure:
            raise Mismatch(
                "the server does not have the tables of the state\n"
                + "\n".join(f"  {line}" for line in structure)
            )

    def compare(self, *table_and_rows: object, tolerate: Iterable[str] | str = ()) -> Comparison:
        """The differences between what a table should hold and a copy of it: ``compare([table,] rows)``.

        The table is called by its definition's name, and may be left out where there is only one. The rows
        of the copy are mappings, named tuples, dataclasses, a cursor, or a mapping from keys to rows.
        ``tolerate`` takes out what a consumer is known not to do: names of ``tolerance.TOLERANCES``.
        Raises UnknownTable, RowsRefused for rows whose columns have no names, and NotApplicable for an
        unknown tolerance.
        """
        *named, rows = table_and_rows or ((),)
        if not table_and_rows or len(named) > 1 or not all(isinstance(name, str) for name in named):
            raise NotApplicable(
                "compare and assert_same take a table's name, unless there is only one, and rows"
            )
        name = self.state.only_table(*map(str, named) if named else (None,))
        found = self.state.table(name)
        key = [column.name for column in found.key]
        past = Past(name, self.history.operations, self._timeline.states, loader)
        comparison = compare(self.expected(name), rows, table=name, key=key, known=found.names)
        return tolerated(comparison, past, tolerate)

    def assert_same(self, *table_and_rows: object, tolerate: Iterable[str] | str = ()) -> None:
        """Raise Mismatch, an AssertionError that says what differs, unless a copy holds the same rows.

        ``assert_same([table,] rows)``: the arguments are those of ``compare``.
        """
        __tracebackhide__ = True
        self.compare(*table_and_rows, tolerate=tolerate).raise_if_different()

    # Inside

    @cached_property
    def _craft(self) -> Craft:
        stamps = logical_stamps if self._clock == "logical" else self._server_stamp
        return Craft(self._spell, lambda sql_type, text: loader(sql_type)(text), stamps)

    @property
    def _own(self) -> Connection:
        return self._connections.own

    def _spell(self, sql_type: SqlType, value: object) -> str:
        """A value given on purpose as the server prints it: by kroft or, for odd types, by the server."""
        if not needs_server(sql_type, value):
            return canonical(sql_type, value)
        # A type that was made in the same call may not be on the server yet.
        self._timeline.settle()
        return spelled_by_server(self._own, sql_type, value)

    def _server_stamp(self, state: State, choices: Choices) -> int:
        """The server's time in microseconds; it travels in the operation, so that a replay has the same."""
        del state, choices
        self._timeline.settle()
        return server_stamp(self._own)
