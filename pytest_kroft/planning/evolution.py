"""The evolution of the schema: which change happens when, within the limits of a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from pytest_kroft.errors import LimitReached, NotApplicable
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.operations import AddColumn, DropColumn, Operation
from pytest_kroft.model.timeline import Evolving
from pytest_kroft.planning import arguments
from pytest_kroft.planning.audit import LogEntry, audit_log, summarise
from pytest_kroft.planning.changes import PLANS
from pytest_kroft.planning.policy import EvolutionPolicy

ADDING = ("add_column", "add_column_default", "add_column_not_null")


class EvolutionController:
    """Lets the schema evolve as an ``EvolutionPolicy`` says, and keeps the audit log.

    Args:
        database: The state, its history, and the function that applies an operation.
        choices: Answers whether something changes, and what.
        policy: The hazards that may happen, how often, and the limits.
    """

    def __init__(self, database: Evolving, choices: Choices, policy: EvolutionPolicy | None = None) -> None:
        self._database, self._choices = database, choices
        self.policy = policy or EvolutionPolicy()

    def under(self, policy: EvolutionPolicy) -> EvolutionController:
        """The same under another policy."""
        return EvolutionController(self._database, self._choices, policy)

    @property
    def log(self) -> list[LogEntry]:
        """Every change of the schema so far: version, operation, table, column, batch, time."""
        return audit_log(self._database.history)

    def summary(self) -> dict[str, int]:
        """How many changes of each kind there were."""
        return summarise(self.log)

    def step(self, batch: int) -> tuple[Operation, ...]:
        """After a batch, perhaps a change: at every ``interval`` batches, with the policy's probability.

        Returns the operations that were applied, none where nothing changes.
        """
        call = arguments.call("evolution.step", batch=batch)
        return self._perform(call, lambda: self.plan_step(batch))

    def plan_step(self, batch: int) -> Sequence[Operation]:
        """The operations of ``step``, planned and not applied."""
        # A search is not bound to a rhythm.
        due = self._choices.searches or batch % self.policy.interval == 0
        return self._plan(None) if due and self._choices.chance(self.policy.probability) else ()

    def evolve(self, table: str | None = None) -> tuple[Operation, ...]:
        """One drawn change of a kind that the policy allows; returns the operations that were applied.

        None where the policy allows no change of the schema, or the drawn kind does not apply now.
        """
        named = None if table is None else self._database.state.only_table(table)
        return self._perform(arguments.call("evolution.evolve", named), lambda: self._plan(named))

    def _perform(self, call: str, plan: Callable[[], Sequence[Operation]]) -> tuple[Operation, ...]:
        return tuple(operation for _, operation in self._database.perform(call, plan, drawn=True))

    def _plan(self, table: str | None) -> Sequence[Operation]:
        """One drawn change of a table, or of a drawn one."""
        state = self._database.state
        if not state.tables:
            return ()
        name = self._choices.one_of(tuple(state.tables)) if table is None else table
        kinds = self._weighted_kinds()
        drawn = self._choices.integer(0, len(kinds))
        if not drawn:
            return ()
        return self.plan_kind(kinds[drawn - 1], name)

    def plan_kind(self, kind: str, table: str) -> Sequence[Operation]:
        """The operations of one change of a kind; none where it does not apply, or a limit is reached."""
        state = self._database.state
        planned = tuple(PLANS[kind](state, state.table(table), self._choices))
        return () if any(self._limit_reached(operation) for operation in planned) else planned

    def add_column(self, table: str | None = None) -> str:
        """Add a reserved column that is drawn, and return its name.

        Raises LimitReached where ``max_additions`` are made, NotApplicable where none can be added.
        """
        return self._change("evolution.add_column", table, ADDING, "added")

    def drop_column(self, table: str | None = None) -> str:
        """Drop a column that is drawn, and return its name.

        Raises LimitReached where ``max_drops`` are made, NotApplicable where none can be dropped.
        """
        return self._change("evolution.drop_column", table, ("drop_column",), "dropped")

    def _change(self, call: str, table: str | None, kinds: tuple[str, ...], what: str) -> str:
        name = self._database.state.only_table(table)
        plan = partial(self._plan_change, name, kinds, what)
        done = [operation for _, operation in self._database.perform(arguments.call(call, name), plan)]
        return done[0].column.name if isinstance(done[0], AddColumn) else str(getattr(done[0], "column", ""))

    def _plan_change(self, name: str, kinds: tuple[str, ...], what: str) -> Sequence[Operation]:
        state = self._database.state
        for kind in kinds:
            for operation in PLANS[kind](state, state.table(name), self._choices):
                if limit := self._limit_reached(operation):
                    raise limit
                return [operation]
        raise NotApplicable(f"table {name!r} has no column that could be {what}")

    def _weighted_kinds(self) -> list[str]:
        """The kinds that the policy allows, each as often as its weight says; the same for any state."""
        weights = {"add_column": self.policy.add_weight, "drop_column": self.policy.drop_weight}
        return [kind for kind in PLANS if kind in self.policy.hazards for _ in range(weights.get(kind, 1))]

    def _limit_reached(self, operation: Operation) -> LimitReached | None:
        limits = {
            AddColumn: ("additions of a column", self.policy.max_additions, "max_additions", "add_column"),
            DropColumn: ("drops of a column", self.policy.max_drops, "max_drops", "drop_column"),
        }
        if type(operation) not in limits:
            return None
        what, limit, setting, kind = limits[type(operation)]
        if limit is None or self.summary().get(kind, 0) < limit:
            return None
        return LimitReached(what, limit, setting)
