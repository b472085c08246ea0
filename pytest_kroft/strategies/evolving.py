"""Strategies for histories: the planners themselves, asked by Hypothesis."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.choices import AskingChoices, SeededChoices
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import CreateTable, CreateType, Operation, Sync
from pytest_kroft.model.registry import Definition, default_registry
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.batches import BatchGenerator
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy, as_policy
from pytest_kroft.planning.steps import ROWS, SCHEMA, StepPlanner, drawn_policy

Policy = EvolutionPolicy | str | Iterable[str] | None

MAX_STEPS = 50
"""How many steps a history has at most, by default."""
SEEDS = 1 << 16
"""From how many seeds the values of a history are drawn."""
ROWS_TO_EVOLVE = 3


def histories(
    *tables: Definition | str,
    policy: Policy = "everything",
    hazards: str | Iterable[str] | None = None,
    max_steps: int = MAX_STEPS,
    rows: int = 0,
    sync_points: bool = True,
) -> SearchStrategy[History]:
    """Histories of a database with these tables: changes of rows and of the schema, and moments to sync.

    Each applies, and is played with ``db.play(history)`` on a database that was made with the same tables.
    A history shrinks to fewer steps, then to fewer rows, and its seed, which decides the plain values, to 0.

    Args:
        tables: ``TableDefinition``s and ``EnumDefinition``s, or names of registered tables.
        policy: What may happen: an ``EvolutionPolicy``, its name, or a set of hazards.
        hazards: Names of hazards in place of a policy: these, what they imply, and no others.
        max_steps: How many steps a history has at most. A step may need two operations, or none.
        rows: How many rows each table gets at first, at most; they are part of the history.
        sync_points: Whether there are moments to sync, one of them at the end.

    Raises:
        DefinitionError: for no table, an unknown name or policy, and for numbers below 0.
    """
    chosen = as_policy(policy if hazards is None else _names(hazards))
    return _strategy(tables, chosen, (*ROWS, *SCHEMA), max_steps, rows, sync_points)


def mutations(
    *tables: Definition | str,
    policy: Policy = "everything",
    max_steps: int = MAX_STEPS,
    rows: int = 0,
    sync_points: bool = True,
) -> SearchStrategy[History]:
    """Histories in which rows change and columns stay; the arguments are those of ``histories``."""
    return _strategy(tables, as_policy(policy), tuple(ROWS), max_steps, rows, sync_points)


def evolutions(
    *tables: Definition | str,
    policy: Policy = "everything",
    max_steps: int = MAX_STEPS,
    rows: int = ROWS_TO_EVOLVE,
    sync_points: bool = True,
) -> SearchStrategy[History]:
    """Histories in which the schema changes, and a few rows at most are there from the start.

    The arguments are those of ``histories``.
    """
    return _strategy(tables, as_policy(policy), tuple(SCHEMA), max_steps, rows, sync_points)


def _names(hazards: str | Iterable[str]) -> frozenset[str]:
    return frozenset([hazards] if isinstance(hazards, str) else hazards)


def _strategy(
    tables: tuple[Definition | str, ...],
    policy: EvolutionPolicy,
    kinds: Collection[str],
    max_steps: int,
    rows: int,
    sync_points: bool,  # noqa: FBT001
) -> SearchStrategy[History]:
    definitions = default_registry.resolve(*tables) if tables else ()
    if not any(isinstance(item, TableDefinition) for item in definitions):
        raise DefinitionError("a history needs at least one table: histories(orders)")
    for name, value in {"max_steps": max_steps, "rows": rows}.items():
        if type(value) is not int or value < 0:
            raise DefinitionError(f"{name} must be a whole number from 0, not {value!r}")
    return _histories(definitions, policy, kinds, max_steps, rows, sync_points)


@st.composite
def _histories(
    draw: DrawFn,
    definitions: tuple[Definition, ...],
    policy: EvolutionPolicy,
    kinds: Collection[str],
    max_steps: int,
    rows: int,
    sync_points: bool,  # noqa: FBT001
) -> History:
    choices = AskingChoices(lambda low, high: draw(st.integers(low, high)))
    steps = choices.integer(0, max_steps)
    timeline = Timeline(draw(st.integers(0, SEEDS - 1)))
    for definition in definitions:
        created = isinstance(definition, TableDefinition)
        timeline.apply(CreateTable(definition) if created else CreateType(definition))  # type: ignore[arg-type]
    allowed = drawn_policy(policy, choices)
    mutations = MutationEngine(timeline, choices, allowed)
    evolution = EvolutionController(timeline, choices, allowed)
    planner = StepPlanner(timeline, choices, mutations, evolution, kinds=kinds, sync_points=sync_points)

    step = st.builds(planner.plan)

    def plan() -> Iterator[Operation]:
        yield from _first_rows(timeline, choices.integer(0, rows))
        for _ in range(steps):
            # Drawn as a whole, so that shrinking can leave it out as a whole.
            yield from draw(step)
        yield from planner.plan_end()
        if sync_points and not isinstance(timeline.history[-1], Sync):
            yield Sync()

    for _ in timeline.perform("histories", plan, drawn=True):
        pass
    return timeline.history


def _first_rows(timeline: Timeline, count: int) -> Iterator[Operation]:
    """The first rows of each table; decided by the seed, since a search has only so many numbers."""
    batches = BatchGenerator(timeline, SeededChoices(timeline.state.seed))
    for name in timeline.state.tables if count else ():
        yield from batches.plan(name, count)
