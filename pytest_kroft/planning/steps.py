"""One step of any kind: a change of rows, a change of the schema, a moment to sync, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from pytest_kroft.errors import OperationError
from pytest_kroft.model.check import all_apply
from pytest_kroft.model.choices import Choices, SeededChoices
from pytest_kroft.model.operations import Operation, Sync
from pytest_kroft.model.timeline import Evolving
from pytest_kroft.planning.changes import PLANS
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy

ROWS = {
    "insert": 7, "update": 7, "delete": 4, "truncate": 2, "delete_reinsert": 2, "key_change": 2,
    "late_commit": 4, "rollback": 2,
}  # fmt: skip
"""How often each change of rows is drawn, relative to the others; the simplest first."""

SCHEMA = {**dict.fromkeys(PLANS, 1), "readd_column": 12}
"""The same for changes of the schema; adding and dropping a column have the weights of the policy."""

SYNC = 10
"""The same for a moment to sync."""

ALWAYS = frozenset({"insert", "update"})
"""The changes that any policy allows."""

FEW_ROWS = 4
"""The most rows that one step changes, but for large ones."""

LARGE = 0.1
"""How likely a step is a large one."""


SUBSETS = 64
"""How many subsets of a policy's hazards there are to draw from."""

MANY_HAZARDS = 4
"""A policy of fewer is small enough as it is."""


def drawn_policy(policy: EvolutionPolicy, choices: Choices) -> EvolutionPolicy:
    """The policy, or one with about half of its hazards: one number decides, and 0 is the whole policy.

    One hazard may hide what another would show: a reader that begins anew when a column changes never meets
    the tie before it. So each example leaves some out. See A. Groce, C. Zhang, E. Eide, Y. Chen, J. Regehr,
    "Swarm Testing", ISSTA 2012.
    """
    if len(policy.hazards) < MANY_HAZARDS:
        return policy
    drawn = choices.integer(0, SUBSETS)
    coins = SeededChoices(drawn)
    kept = frozenset(name for name in sorted(policy.hazards) if coins.chance(0.5))
    # With what they imply: of three that only come together, all would seldom be left.
    return replace(policy, hazards=kept) if drawn else policy


class StepPlanner:
    """Plans steps one at a time, each an index over all kinds, of which 0 is no step at all.

    The index means the same whatever came before; what does not apply now is no step. So a search
    that leaves steps out does not change what the others mean.

    Args:
        database: The state to plan on, and its history.
        choices: Answers the decisions.
        mutations: Plans the changes of rows.
        evolution: Plans the changes of the schema; its policy says what may happen.
        kinds: The kinds of change that are drawn; all that the policy allows by default.
        most_rows: The most rows that one step changes; seldom more than a few.
        sync_points: Whether moments to sync are drawn.
    """

    def __init__(
        self,
        database: Evolving,
        choices: Choices,
        mutations: MutationEngine,
        evolution: EvolutionController,
        *,
        kinds: Collection[str] = (*ROWS, *SCHEMA),
        most_rows: int = FEW_ROWS,
        sync_points: bool = True,
    ) -> None:
        self._database, self._choices, self._most_rows = database, choices, most_rows
        self._mutations, self._evolution = mutations, evolution
        self._kinds = weighted(evolution.policy, kinds, sync_points=sync_points)

    def plan(self) -> Sequence[Operation]:
        """The operations of one drawn step: none where it is no step, or does not apply."""
        drawn = self._choices.integer(0, len(self._kinds))
        if not drawn:
            return ()
        kind = self._kinds[drawn - 1]
        if kind == "sync":
            return (Sync(),)
        tables = tuple(self._database.state.tables)
        return self.plan_kind(kind, tables[0] if len(tables) == 1 else self._choices.one_of(tables))

    def plan_end(self) -> Iterable[Operation]:
        """The operations that end every transaction that is open."""
        return self._mutations.plan_end()

    def plan_kind(self, kind: str, table: str) -> Sequence[Operation]:
        """The operations of one change of a given kind: none where it does not apply."""
        state = self._database.state
        try:
            if kind in ROWS:
                planned = self._mutations.plan_kind(kind, table, self._size())
            else:
                planned = self._evolution.plan_kind(kind, table)
        except OperationError:
            return ()
        return planned if all_apply(state, planned) else ()

    def _size(self) -> int:
        """How many rows a step changes at most: a few, which shrinks better; seldom as many as allowed."""
        many = self._choices.chance(LARGE)
        return self._choices.integer(1, self._most_rows if many else min(self._most_rows, FEW_ROWS))


def weighted(policy: EvolutionPolicy, kinds: Collection[str], *, sync_points: bool) -> list[str]:
    """The kinds that a policy allows, each as often as its weight says; the same for any state."""
    weights = {
        "sync": SYNC if sync_points else 0,
        **{kind: weight for kind, weight in (ROWS | SCHEMA | _of_policy(policy)).items() if kind in kinds},
    }
    allowed = policy.hazards | ALWAYS | {"sync"}
    return [kind for kind, weight in weights.items() if kind in allowed for _ in range(weight)]


def _of_policy(policy: EvolutionPolicy) -> dict[str, int]:
    return {"add_column": policy.add_weight, "drop_column": 2 * policy.drop_weight}
