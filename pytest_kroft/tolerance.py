"""What a consumer documents that it does not do, taken out of a comparison: names -> fewer differences.

Pure: it works on the comparison as data, and on the states of the database so far. A tolerance takes out
exactly what its definition says; everything else stays a difference. What a consumer never sees because of
when things happen (late commits, ties) is no tolerance but a hazard: ``policy.without("late_commit")``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_kroft.comparison import Comparison, Difference
from pytest_kroft.copies import Row
from pytest_kroft.equality import ABSENT, equal, normal_row
from pytest_kroft.errors import NotApplicable, listing
from pytest_kroft.nearness import near
from pytest_kroft.past import Past

Value = Callable[[object, object], bool]
Unread = Callable[[Past, str, int], bool]
Column = Callable[[Past, str], bool]


@dataclass(frozen=True)
class Tolerance:
    """One thing that a consumer does not do, and what its copy may therefore hold.

    Args:
        name: What tests call it.
        definition: What exactly is tolerated.
        ghosts: Whether the copy may keep rows that are gone.
        value: Whether the copy may hold the second value for the first one.
        unread: Whether the copy may have NULL, or nothing, in that column of a row that was last written by
            the operation of that place.
        lacking: Whether the copy may lack that column of the source.
        surplus: Whether the copy may have a column of that name, which the source does not have.
    """

    name: str
    definition: str
    ghosts: bool = False
    value: Value | None = None
    unread: Unread | None = None
    lacking: Column | None = None
    surplus: Column | None = None


def _backfilled(past: Past, column: str, written: int) -> bool:
    return past.born[column] > written


def _renamed_since(past: Past, column: str, written: int) -> bool:
    return past.renamed(column) and past.named[column] > written


def _unread_or_null(past: Past, column: str, unread: Unread) -> bool:
    return all(row[column] is None or unread(past, column, written) for row, written in past.rows([column]))


def _empty(source: object, copy: object) -> bool:
    return copy is None and isinstance(source, str) and source == ""


_TOLERANCES = (
    Tolerance(
        "deletes",
        "A row in the copy whose key the source once held and holds no more, once for each such key. "
        "Without a primary key the whole row is the key, and may be there once for each row that held it.",
        ghosts=True,
    ),
    Tolerance(
        "backfill",
        "NULL or nothing in a column that was added after the row was last written; and the lack of an added "
        "column in which every row has such a cell, or NULL.",
        unread=_backfilled,
        lacking=lambda past, name: past.added(name) and _unread_or_null(past, name, _backfilled),
    ),
    Tolerance(
        "added_columns",
        "The lack, in all rows of the copy, of a column that was added after the table was made.",
        lacking=Past.added,
    ),
    Tolerance(
        "dropped_columns",
        "A column of the copy whose name a column of the source once had, and none has any more.",
        surplus=lambda past, name: name in past.names,
    ),
    Tolerance(
        "renamed_columns",
        "A column of the copy under a former name of a column that is there; NULL or nothing in a column "
        "that got its present name after the row was last written; and the lack of a renamed column in which "
        "every row has such a cell, or NULL.",
        unread=_renamed_since,
        lacking=lambda past, name: past.renamed(name) and _unread_or_null(past, name, _renamed_since),
        surplus=lambda past, name: name in past.former_names,
    ),
    Tolerance(
        "precision",
        "A number that differs from the source's by less than one unit of its fifteenth significant digit, "
        "or that is the same as a double; a timestamp, time or interval that differs by less than a "
        "millisecond, cut or rounded. In arrays and JSON this goes for every element.",
        value=near,
    ),
    Tolerance("empty_text", "NULL where the source holds ''.", value=_empty),
)
TOLERANCES: Mapping[str, Tolerance] = {tolerance.name: tolerance for tolerance in _TOLERANCES}
"""Every tolerance by its name."""


def chosen(names: Iterable[str] | str) -> tuple[Tolerance, ...]:
    """The tolerances of those names; raises NotApplicable, naming the known ones, for any other name."""
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in TOLERANCES:
            raise NotApplicable(f"there is no tolerance {name!r}; the tolerances are: {listing(TOLERANCES)}")
    return tuple(tolerance for name, tolerance in TOLERANCES.items() if name in wanted)


def tolerated(comparison: Comparison, past: Past, names: Iterable[str] | str) -> Comparison:
    """A comparison of all columns of a table's present rows with a copy, without what is tolerated.

    ``past`` must be that of the comparison's table. The counts of rows stay those of the comparison. Raises
    NotApplicable, naming the known tolerances, for an unknown name.
    """
    kinds = chosen(names)
    if not kinds:
        return comparison
    found = replace(comparison, tolerating=tuple(one.name for one in kinds))
    if found.missing or found.extra or found.different:
        found = _Rows(found, past, kinds).left()
    return replace(
        found,
        lacking_columns=tuple(
            name
            for name in found.lacking_columns
            if name in found.key or not any(one.lacking and one.lacking(past, name) for one in kinds)
        ),
        surplus_columns=tuple(
            name
            for name in found.surplus_columns
            if not any(one.surplus and one.surplus(past, name) for one in kinds)
        ),
    )


class _Rows:
    """The rows of a comparison, and what is left of their differences."""

    def __init__(self, found: Comparison, past: Past, kinds: Sequence[Tolerance]) -> None:
        self._found, self._past, self._kinds = found, past, kinds
        compared = [name for name in past.table.names if name not in found.lacking_columns]
        self._identity = found.key or tuple(compared)
        self._present = past.rows(self._identity)
        self._written: dict[Hashable, list[int]] = {}
        for row, place in sorted(self._present, key=lambda pair: pair[1]):
            self._written.setdefault(self._normal(row), []).append(place)

    def left(self) -> Comparison:
        """The comparison without the rows and cells that are tolerated."""
        missing, extra = list(self._found.missing), list(self._found.extra)
        different: list[Difference] = []
        if any(one.value or one.unread for one in self._kinds):
            missing, extra, different = self._paired()
        if any(one.ghosts for one in self._kinds):
            extra = self._without_ghosts(extra)
        for known in self._found.different:
            different += self._differing(known.key, known.columns, self._last_write(known.key))
        odd = {self._normal(row) for row in (*missing, *extra)}
        return replace(
            self._found,
            missing=tuple(missing),
            extra=tuple(extra),
            different=tuple(different),
            repeated=tuple(one for one in self._found.repeated if self._normal(one.key) in odd),
        )

    def _normal(self, row: Row) -> Hashable:
        return normal_row(row, self._identity)

    def _last_write(self, row: Row) -> int:
        """Where a row of the source was last written; of rows that are all alike, each one's in turn."""
        places = self._written[self._normal(row)]
        return places.pop(0) if len(places) > 1 else places[0]

    # Cells

    def _tolerates(self, column: str, pair: tuple[object, object], written: int) -> bool:
        unread = pair[1] is None or pair[1] is ABSENT
        return self._alike(*pair) or (
            unread and any(one.unread and one.unread(self._past, column, written) for one in self._kinds)
        )

    def _alike(self, source: object, copy: object) -> bool:
        return equal(source, copy) or any(one.value and one.value(source, copy) for one in self._kinds)

    def _differing(
        self, key: Row, columns: Mapping[str, tuple[object, object]], written: int
    ) -> list[Difference]:
        """What is left of the differences of one row, if anything."""
        left = {name: pair for name, pair in columns.items() if not self._tolerates(name, pair, written)}
        return [Difference(key, left)] if left else []

    def _paired(self) -> tuple[list[Row], list[Row], list[Difference]]:
        """What is left of missing and extra rows once their likes are paired, and how the pairs differ."""
        missing, extra, different = [], list(self._found.extra), list[Difference]()
        for row in self._found.missing:
            written = self._last_write(row)
            match = next((n for n, copy in enumerate(extra) if self._is(row, copy, written)), None)
            if match is None:
                missing.append(row)
                continue
            copy = extra.pop(match)
            others = {name: (row[name], copy[name]) for name in row if name not in self._identity}
            different += self._differing({n: row[n] for n in self._identity}, others, written)
        return missing, extra, different

    def _is(self, row: Row, copy: Row, written: int) -> bool:
        """Whether a row of the copy stands for a row of the source."""
        # A key is known to the copy from the first; only where the whole row is the key can a part be unread.
        if self._found.key:
            return all(self._alike(row[name], copy[name]) for name in self._identity)
        return all(self._tolerates(name, (row[name], copy[name]), written) for name in self._identity)

    # Rows that are gone

    def _without_ghosts(self, extra: Iterable[Row]) -> list[Row]:
        shown, count = self._ghosts()
        left = []
        for row in extra:
            ghost = self._normal({n: None if row[n] is ABSENT else row[n] for n in self._identity})
            if count[ghost] <= 0:
                likes = (one for one in count if count[one] > 0 and self._is_like(shown[one], row))
                ghost = next(likes, None)
            if ghost is None:
                left.append(row)
            else:
                count[ghost] -= 1
        return left

    def _is_like(self, ghost: Row, row: Row) -> bool:
        return any(one.value for one in self._kinds) and all(
            self._alike(ghost[name], row[name]) for name in self._identity
        )

    def _ghosts(self) -> tuple[dict[Hashable, Row], Counter[Hashable]]:
        """What the source once held and holds no more, and how often the copy may hold it."""
        shown: dict[Hashable, Row] = {}
        owners: dict[Hashable, set[Hashable]] = {}
        for owner, row in self._past.held(self._identity):
            shown.setdefault(self._normal(row), row)
            owners.setdefault(self._normal(row), set()).add(owner)
        now = Counter(self._normal(row) for row, _ in self._present)
        allowed = {one: 1 if self._found.key else len(who) for one, who in owners.items()}
        return shown, Counter({one: count - now[one] for one, count in allowed.items()})
