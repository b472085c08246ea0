"""What may happen to a database, how often, and within which limits."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from pytest_kroft.errors import DefinitionError, listing
from pytest_kroft.model.hazards import HAZARDS, check_hazards, with_implied

_CHURN = frozenset({"delete", "delete_reinsert"})
_ADDITIVE = frozenset({"add_column", "add_column_default", "add_column_not_null"})
_EVOLVING = _CHURN | _ADDITIVE | {"drop_column"}
_BREAKING = _EVOLVING | {
    "truncate", "key_change", "rename_column", "readd_column", "retype_column", "widen_type", "nullability",
    "default_change", "enum_value",
}  # fmt: skip

_NAMED = {
    "calm": frozenset[str](),
    "churn": _CHURN,
    "additive": _ADDITIVE,
    "evolving": _EVOLVING,
    "breaking": frozenset(_BREAKING),
    "everything": frozenset(HAZARDS),
}

POLICIES = tuple(_NAMED)
"""The names of the policies, from the mildest to the widest."""

DEFAULT = "evolving"


@dataclass(frozen=True)
class EvolutionPolicy:
    """A set of hazards with limits. Rows are inserted and updated under any policy.

    Args:
        hazards: The names of the hazards that may happen.
        interval: Every so many batches the schema may change.
        probability: The probability that it then does.
        add_weight: How likely adding a column is, relative to other changes, each of weight 1.
        drop_weight: The same for dropping one.
        max_additions: How many columns may be added in all; None for no limit.
        max_drops: How many columns may be dropped in all; None for no limit.
        name: What reports call it.

    Raises:
        DefinitionError: for an unknown hazard, an interval below 1, a probability outside 0 to 1, a
            negative weight or limit.
    """

    hazards: AbstractSet[str] = _EVOLVING
    interval: int = 2
    probability: float = 0.5
    add_weight: int = 3
    drop_weight: int = 2
    max_additions: int | None = None
    max_drops: int | None = None
    name: str = "custom"

    def __post_init__(self) -> None:
        if isinstance(self.hazards, str) and self.hazards in _NAMED:
            raise DefinitionError(f"{self.hazards!r} is a policy: EvolutionPolicy.named({self.hazards!r})")
        object.__setattr__(self, "hazards", with_implied(check_hazards(self.hazards)))
        if not isinstance(self.interval, int) or self.interval < 1:
            raise DefinitionError(f"interval counts batches and must be 1 or more, not {self.interval!r}")
        if not isinstance(self.probability, int | float) or not 0 <= self.probability <= 1:
            raise DefinitionError(f"probability must be from 0 to 1, not {self.probability!r}")
        for name in ("add_weight", "drop_weight", "max_additions", "max_drops"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise DefinitionError(f"{name} must be a whole number of 0 or more, not {value!r}")

    @classmethod
    def named(cls, name: str) -> EvolutionPolicy:
        """The policy of that name; raises DefinitionError naming the known ones."""
        if name not in _NAMED:
            raise DefinitionError(f"there is no policy {name!r}; the policies are: {listing(POLICIES)}")
        return cls(_NAMED[name], name=name)

    def without(self, *hazards: str) -> EvolutionPolicy:
        """The policy without some hazards, and without those that imply them."""
        gone = check_hazards(hazards)
        kept = {name for name in self.hazards - gone if not with_implied(frozenset({name})) & gone}
        return replace(self, hazards=frozenset(kept), name=f"{self.name} without {', '.join(sorted(gone))}")

    def including(self, *hazards: str) -> EvolutionPolicy:
        """The policy with some hazards more, and those that they imply."""
        more = check_hazards(hazards)
        return replace(self, hazards=self.hazards | more, name=f"{self.name} with {', '.join(sorted(more))}")

    def only(self, *hazards: str) -> EvolutionPolicy:
        """The policy with these hazards, those that they imply, and no others; they may come at any batch."""
        chosen = check_hazards(hazards)
        name = ", ".join(sorted(chosen)) or "no hazard"
        return replace(self, hazards=chosen, interval=1, name=f"{self.name} with {name} only")

    def allows(self, *hazards: str) -> bool:
        """Whether all of these hazards may happen."""
        return self.hazards >= set(hazards)


def as_policy(policy: EvolutionPolicy | str | Iterable[str] | None) -> EvolutionPolicy:
    """The policy that a name, a policy, a set of hazards or None (the default policy) stands for."""
    if policy is None:
        return EvolutionPolicy.named(DEFAULT)
    if isinstance(policy, EvolutionPolicy):
        return policy
    return EvolutionPolicy.named(policy) if isinstance(policy, str) else EvolutionPolicy(frozenset(policy))
