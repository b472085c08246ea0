"""The kinds of situation that break consumers, by name, each with one sentence on what it breaks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_kroft.errors import DefinitionError, listing


@dataclass(frozen=True, slots=True)
class Hazard:
    """One kind of situation: its name, what it breaks in consumers, and the hazards that it implies."""

    name: str
    breaks: str
    implies: frozenset[str] = field(default_factory=frozenset)


def _hazard(name: str, breaks: str, *implies: str) -> Hazard:
    return Hazard(name, breaks, frozenset(implies))


_ALL = (
    _hazard(
        "tied_timestamp",
        "Rows of two transactions share an updated_at; a reader that resumes after the last one "
        "it saw never sees the others.",
    ),
    _hazard(
        "late_commit",
        "A transaction commits after others with later stamps; a reader whose cursor has passed "
        "them never sees its rows.",
    ),
    _hazard(
        "clock_skew",
        "A row is stamped earlier than rows that are already there; a reader whose cursor has "
        "passed that time never sees it.",
    ),
    _hazard(
        "null_cursor",
        "A row's updated_at is NULL; a reader that compares it with a cursor skips the row.",
    ),
    _hazard(
        "delete",
        "Rows are deleted; a reader that only asks for new and changed rows keeps them.",
    ),
    _hazard(
        "delete_reinsert",
        "A row is deleted and its key comes back with other values; a reader that asks for either"
        " alone mixes the two.",
        "delete",
    ),
    _hazard(
        "truncate",
        "A table is emptied at once; a reader that takes an empty result for no change keeps the old rows.",
    ),
    _hazard(
        "key_change",
        "A row's primary key changes; a reader that merges by key keeps the old row beside the new one.",
    ),
    _hazard(
        "rollback",
        "A transaction is rolled back; a reader of uncommitted work has seen rows that never were.",
    ),
    _hazard(
        "extreme_value",
        "Values lie at the edges of their types; a reader that converts them loses or refuses some.",
    ),
    _hazard(
        "large_value",
        "Values are so large that the server stores them out of line; a change that leaves them "
        "alone may not carry them.",
    ),
    _hazard(
        "unrepresentable_value",
        "Values exist that the client's language cannot hold, such as infinity or a date BC.",
    ),
    _hazard(
        "add_column",
        "A column appears; a reader with a cached list of columns never reads it.",
    ),
    _hazard(
        "add_column_default",
        "A column appears with a default that every existing row has without being updated; a "
        "reader of changes never sees these values.",
        "add_column",
    ),
    _hazard(
        "add_column_not_null",
        "A NOT NULL column appears; a copy that holds rows already cannot add it as it is.",
        "add_column",
        "add_column_default",
    ),
    _hazard(
        "drop_column",
        "A column disappears; a reader that names it fails, and a copy that keeps it goes stale.",
    ),
    _hazard(
        "rename_column",
        "A column gets another name; a reader sees one column end and another begin.",
    ),
    _hazard(
        "readd_column",
        "A dropped column's name comes back, perhaps with another type; a copy that kept the old "
        "values mixes the two.",
        "drop_column",
        "add_column",
    ),
    _hazard(
        "retype_column",
        "A column's type changes to one of another kind; a copy that keeps the old type fails or "
        "converts wrongly.",
    ),
    _hazard(
        "widen_type",
        "A column's type grows; a copy that keeps the narrow type overflows or rounds.",
    ),
    _hazard(
        "enum_value",
        "An enum gets a new label; a reader with a fixed list of labels refuses it.",
    ),
    _hazard(
        "nullability",
        "A column begins to allow NULL, or stops; a copy with the old rule refuses rows.",
    ),
    _hazard(
        "default_change",
        "A column's default changes; a copy that recreates the old default fills in wrong values.",
    ),
    _hazard(
        "rename_table",
        "A table gets another name; a reader that asks for the old one fails or reads nothing.",
    ),
    _hazard(
        "recreate_table",
        "A table is dropped and created anew; a reader keeps the old rows or a cursor that no "
        "longer applies.",
    ),
    _hazard(
        "generated_column",
        "A column that the server computes appears; a reader that writes it, or waits for changes"
        " of it, fails.",
        "add_column",
    ),
)

HAZARDS: dict[str, Hazard] = {hazard.name: hazard for hazard in _ALL}
"""All hazards by name, in the order in which they are reported."""


def with_implied(names: frozenset[str]) -> frozenset[str]:
    """The hazards and all that they imply."""
    implied = names.union(*(HAZARDS[name].implies for name in names))
    return implied if implied == names else with_implied(implied)


def check_hazards(names: str | Iterable[str]) -> frozenset[str]:
    """The names as a set, if all are hazards; raises DefinitionError naming the known ones."""
    found: frozenset[str] = frozenset([names] if isinstance(names, str) else names)
    unknown = sorted(str(name) for name in found if name not in HAZARDS)
    if unknown:
        raise DefinitionError(
            f"there is no hazard {listing(map(repr, unknown))}; the hazards are: {listing(HAZARDS)}"
        )
    return found
