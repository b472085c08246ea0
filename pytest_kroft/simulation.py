"""The simulation: batches of mutations, the schema evolving between them, a moment to sync after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.operations import SCHEMA_KINDS, Operation, Sync, kind
from pytest_kroft.model.timeline import Evolving
from pytest_kroft.planning import arguments
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.steps import StepPlanner, drawn_policy

STEPS = 4
"""The most mutations in one batch."""
MOST_STEPS = 60
"""The most steps that a search draws for one stream."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch: its number from 1, how many batches there are, how many rows changed, what evolved."""

    number: int
    batches: int
    rows: int
    evolved: tuple[Operation, ...]
    version: int


@dataclass(slots=True)
class SimulationReport:
    """A whole run: its seed, its batches, and how many rows were inserted, updated and deleted."""

    seed: int
    batches: list[BatchReport] = field(default_factory=list)
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    transactions: int = 0
    schema_changes: dict[str, int] = field(default_factory=dict)
    operations: int = 0

    def __str__(self) -> str:
        """The run in a few lines."""
        changes = ", ".join(f"{count} {name}" for name, count in self.schema_changes.items()) or "none"
        return (
            f"{len(self.batches)} batches, {self.operations} operations (seed {self.seed})\n"
            f"rows: {self.inserted} inserted, {self.updated} updated, {self.deleted} deleted\n"
            f"schema: {changes}"
        )


class SimulationRunner:
    """Plans, checks, executes and records a whole history in batches.

    Args:
        database: The state, its history, and the function that applies an operation.
        choices: Answers how many mutations a batch has.
        mutations: Changes the rows.
        evolution: Changes the schema.
    """

    def __init__(
        self, database: Evolving, choices: Choices, mutations: MutationEngine, evolution: EvolutionController
    ) -> None:
        self._database, self._choices = database, choices
        self._mutations, self._evolution = mutations, evolution

    def run(self, batches: int = 20, rows: int = 50) -> SimulationReport:
        """Run all batches at once and report what was done; the arguments are those of ``stream``."""
        report = SimulationReport(self._database.state.seed)
        before = dict(self._mutations.counters)
        schema_before = Counter(self._evolution.summary())
        start = len(self._database.history)
        report.batches.extend(self.stream(batches, rows))
        for name in ("inserted", "updated", "deleted", "transactions"):
            setattr(report, name, self._mutations.counters[name] - before.get(name, 0))
        report.operations = len(self._database.history) - start
        report.schema_changes = dict(Counter(self._evolution.summary()) - schema_before)
        return report

    def stream(self, batches: int = 20, rows: int = 50) -> Iterator[BatchReport]:
        """Run batch after batch and yield after each: a moment at which a consumer may sync.

        Args:
            batches: How many; in a search, at most.
            rows: The most rows that one batch changes.

        Raises:
            NotApplicable: for no whole numbers, fewer than one batch or row, or where there is no table.
        """
        batches = arguments.whole(batches, "the number of batches")
        rows = arguments.whole(rows, "the number of rows")
        if batches < 1 or rows < 1:
            raise NotApplicable(f"a simulation needs at least 1 batch and 1 row, not {batches} and {rows}")
        if not self._database.state.tables:
            raise NotApplicable("there is no table to change; name one in the marker, or create one")
        return self._batches(batches, rows)

    def _batches(self, batches: int, rows: int) -> Iterator[BatchReport]:
        number = changed = 0
        evolved: list[Operation] = []
        call = arguments.call("stream", batches=batches, rows=rows)
        plan = partial(self._plan_steps if self._choices.searches else self._plan, batches, rows)
        for before, operation in self._database.perform(call, plan, drawn=True):
            if not isinstance(operation, Sync):
                changed += self._mutations.count(operation, before)
                evolved += [operation] if kind(operation) in SCHEMA_KINDS else []
                continue
            number += 1
            yield BatchReport(number, batches, changed, tuple(evolved), self._database.state.version)
            changed, evolved = 0, []

    def _plan(self, batches: int, rows: int) -> Iterator[Operation]:
        """The operations of all batches, each planned on what those before it have left."""
        for number in range(1, batches + 1):
            steps = self._choices.integer(1, STEPS)
            for _ in range(steps):
                yield from self._mutations.plan_mix(count=max(rows // steps, 1))
            yield from self._evolution.plan_step(number)
            if number == batches:
                yield from self._mutations.plan_end()
            yield Sync()

    def _plan_steps(self, batches: int, rows: int) -> Iterator[Operation]:
        """The same for a search: single steps, as many as are drawn first, with up to so many syncs."""
        policy = drawn_policy(self._evolution.policy, self._choices)
        mutations, evolution = self._mutations.under(policy), self._evolution.under(policy)
        planner = StepPlanner(self._database, self._choices, mutations, evolution, most_rows=rows)
        steps, syncs = self._choices.integer(0, min(batches * STEPS, MOST_STEPS)), 0
        for _ in range(steps):
            planned = planner.plan()
            syncs += Sync() in planned
            # The last sync comes at the end.
            yield from planned if syncs < batches else (op for op in planned if not isinstance(op, Sync))
        if steps:
            yield from planner.plan_end()
            yield Sync()
