"""A state machine of Hypothesis whose rules are the changes of an evolving database."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial, wraps
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import DefinitionError, NotApplicable, listing
from pytest_kroft.model.choices import AskingChoices
from pytest_kroft.model.operations import Operation, Sync
from pytest_kroft.model.registry import Definition, default_registry
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.planning.arguments import call
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy, as_policy
from pytest_kroft.planning.steps import ALWAYS, ROWS, SCHEMA, StepPlanner
from pytest_kroft.server import KroftServer, start_server

PICKS = st.lists(st.integers(0, 255), max_size=12)
"""The numbers that answer the questions of a step: how many rows, which, which column."""
TABLES = st.runner().flatmap(lambda machine: st.sampled_from(machine._names))  # noqa: SLF001
OFTEN = 3
"""How many times more often than a change of one kind there is a sync."""


class EvolvingDatabaseMachine(RuleBasedStateMachine):
    """A database that Hypothesis changes step by step, and the user's code that follows it.

    A subclass names the tables and says how its copy is brought up to date::

        class Follow(EvolvingDatabaseMachine):
            tables = (orders,)

            def sync(self):
                self.copy = read_all(self.db.dsn)
                return self.copy

        TestFollow = Follow.TestCase

    What ``sync`` returns is compared with what the tables should hold. Each step of a failing run is printed
    as a line of code; the lines, pasted after the class, fail again.

    Attributes:
        tables: ``TableDefinition``s and ``EnumDefinition``s, or names of registered tables.
        policy: What may happen: an ``EvolutionPolicy``, its name, or a set of hazards.
        rows: How many rows each table gets at first.
        seed: Decides the values.
        server: Where the databases are; by default one server for the process, stopped at its end.
        db: The ``KroftDB`` of the present run, in a database of its own.

    Args:
        server: In place of the class's.

    Raises:
        DefinitionError: for a class without tables or without ``sync``, and for an unknown table or policy;
            and for a class, as it is defined, that has an attribute named like one of the changes.
    """

    tables: ClassVar[Sequence[Definition | str]] = ()
    policy: ClassVar[EvolutionPolicy | str | Iterable[str] | None] = "everything"
    rows: ClassVar[int] = 3
    seed: ClassVar[int] = 0
    server: ClassVar[KroftServer | None] = None
    db: KroftDB

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        written = _written_by_the_user(cls)
        allowed = ALWAYS | as_policy(cls.policy).hazards
        for kind in (*ROWS, *SCHEMA):
            if any(kind in vars(one) for one in written):
                raise DefinitionError(
                    f"{cls.__name__}.{kind}: {kind!r} is the name of one of kroft's rules under some policy; "
                    f"choose another name, such as 'my_{kind}'"
                )
            # What the policy does not have is no rule: Hypothesis would wait for it in vain.
            setattr(cls, kind, getattr(EvolvingDatabaseMachine, kind) if kind in allowed else None)
        if next(one for one in cls.__mro__ if "sync" in vars(one)) in written:
            cls.sync = rule()(_compared(cls.sync))  # type: ignore[method-assign]
            for number in range(OFTEN):
                # The rules of a class are its attributes, and each is as likely as the others.
                setattr(cls, f"_sync_{number}", cls.sync)

    def __init__(self, server: KroftServer | None = None) -> None:
        super().__init__()
        cls = type(self)
        if cls.sync is EvolvingDatabaseMachine.sync:
            raise DefinitionError(
                f"{cls.__name__} needs a method sync(self) that returns the rows of its copy"
            )
        definitions = default_registry.resolve(*self.tables) if self.tables else ()
        self._names = tuple(item.name for item in definitions if isinstance(item, TableDefinition))
        if not self._names:
            raise DefinitionError(f"{cls.__name__} names no table; set tables = (orders,) in it")
        self._policy = as_policy(self.policy)
        self._opened = ExitStack()
        lent = (server or self.server or shared_server()).database(
            *definitions, seed=self.seed, rows=self.rows, policy=self._policy
        )
        self.db = self._opened.enter_context(lent)

    def sync(self) -> Any:
        """The user's method: bring the copy up to date and return its rows.

        With several tables: a mapping from the table's name to its rows.
        """
        raise NotImplementedError

    def teardown(self) -> None:
        """Give the database back."""
        self._opened.close()

    def _allows(self, kind: str) -> bool:
        """Whether there are rows for a kind of change, where it needs some."""
        needs_rows = kind in ROWS and kind not in ("insert", "late_commit", "rollback")
        return not needs_rows or any(len(table.rows) for table in self.db.state.tables.values())

    def _copies(self, copy: Any) -> Iterator[tuple[str, Any]]:
        """The rows that ``sync`` returned for each table."""
        if len(self._names) == 1:
            yield self._names[0], copy
            return
        if not isinstance(copy, Mapping) or set(copy) != set(self._names):
            raise NotApplicable(
                f"sync has to return a mapping from each table's name ({listing(self._names)}) to its rows"
            )
        yield from copy.items()

    def _change(self, kind: str, table: str, picks: Sequence[int]) -> None:
        """One change of a table, as the numbers decide; nothing where it does not apply now."""
        numbers = iter(picks)

        def ask(low: int, high: int) -> int:
            return low + next(numbers, 0) % (high - low + 1)

        choices = AskingChoices(ask)
        mutations = MutationEngine(self.db, choices, self._policy)
        evolution = EvolutionController(self.db, choices, self._policy)
        planner = StepPlanner(self.db, choices, mutations, evolution)
        self._perform(call(kind, table), partial(planner.plan_kind, kind, table))

    def _perform(self, name: str, plan: Callable[[], Iterable[Operation]]) -> None:
        for _ in self.db.perform(f"state.{name}", plan, drawn=True):
            pass


def _change(kind: str) -> Callable[..., None]:
    """The rule of one kind of change: a method that is named like it."""

    def change(self: EvolvingDatabaseMachine, table: str, picks: list[int]) -> None:
        self._change(kind, table, picks)

    change.__name__, change.__qualname__ = kind, f"{EvolvingDatabaseMachine.__name__}.{kind}"
    change.__doc__ = f"One {kind.replace('_', ' ')}, as the numbers decide; nothing where none applies now."
    return precondition(lambda self: self._allows(kind))(rule(table=TABLES, picks=PICKS)(change))


# Not written out: what a policy may hold and what a machine may do cannot differ so.
for _kind in (*ROWS, *SCHEMA):
    setattr(EvolvingDatabaseMachine, _kind, _change(_kind))


def _written_by_the_user(cls: type[EvolvingDatabaseMachine]) -> list[type]:
    """A new machine and its mixins: of its parents that are machines the rules are already made."""
    return [one for one in cls.__mro__ if one is cls or not issubclass(one, EvolvingDatabaseMachine)]


def _compared(sync: Callable[[Any], Any]) -> Callable[[Any], None]:
    """The user's sync, and then the comparison of what it returns."""

    @wraps(sync)
    def compared(self: EvolvingDatabaseMachine) -> None:
        __tracebackhide__ = True
        self._perform("sync()", lambda: [Sync()])
        copy = sync(self)
        for table, rows in self._copies(copy):
            self.db.assert_same(table, rows)

    return compared


@cache
def shared_server() -> KroftServer:
    """The server of the machines that are given none: started once, and stopped when Python ends."""
    server = start_server()
    atexit.register(server.close)
    return server
