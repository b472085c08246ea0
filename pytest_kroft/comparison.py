"""Expected and actual rows -> differences as data, and their rendering.

Values are compared as ``equality`` says, and ``copies`` reads what may be given as a copy.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import zip_longest
from uuid import UUID

from pytest_kroft.copies import Row, column_names, read_copy
from pytest_kroft.equality import ABSENT, equal, normal_row
from pytest_kroft.errors import Mismatch, UnknownColumn, listing

LONGEST_VALUE = 60
"""How many characters of one value a rendering shows."""


@dataclass(frozen=True)
class Difference:
    """One row that both sides have, with the columns in which they differ: (expected, actual)."""

    key: Row
    columns: Mapping[str, tuple[object, object]]


@dataclass(frozen=True)
class Repetition:
    """A key, or without a key a whole row, and how often each side has it where that differs."""

    key: Row
    expected: int
    actual: int


@dataclass(frozen=True)
class Comparison:
    """What a copy lacks, has too many, and has wrong; truthy when that is nothing.

    ``missing`` holds rows of the source and ``extra`` rows of the copy, each in its own order; the second and
    every later row of one key is extra, and ``repeated`` says how often such a key occurs. Columns
    in ``lacking_columns`` and ``surplus_columns`` took no part in the comparison of rows. If the copy lacks a
    column of the key, no row could be matched and only the columns are compared. ``tolerating`` names the
    tolerances whose differences were taken out; see ``tolerance``.
    """

    table: str
    key: tuple[str, ...]
    missing: tuple[Row, ...] = ()
    extra: tuple[Row, ...] = ()
    different: tuple[Difference, ...] = ()
    repeated: tuple[Repetition, ...] = ()
    lacking_columns: tuple[str, ...] = ()
    surplus_columns: tuple[str, ...] = ()
    expected_count: int = 0
    actual_count: int = 0
    tolerating: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the copy holds exactly what the source holds."""
        columns_differ = self.lacking_columns or self.surplus_columns
        return not (self.missing or self.extra or self.different or columns_differ)

    def __bool__(self) -> bool:
        return self.same

    def render(self, limit: int = 5) -> str:
        """The differences as text: a headline, the columns, and the first ``limit`` rows of all kinds."""
        tolerating = f", tolerating {listing(self.tolerating)}" if self.tolerating else ""
        if self.same:
            return f"{self.table}: the copy is the same ({_rows(self.expected_count)}){tolerating}"
        missing = self._row_lines(self.missing, "not in the copy")
        extra = self._row_lines(self.extra, "in the copy, but not in the source")
        kinds = [missing, extra, self._different_lines()]
        shown = _share([len(lines) for lines in kinds], limit)
        lines = [line for kind, count in zip(kinds, shown, strict=True) for line in kind[:count]]
        left = sum(map(len, kinds)) - len(lines)
        more = [f"... and {left} more"] if left else []
        headline = f"{self.table}: {self._headline()}{tolerating}"
        return "\n  ".join([headline, *self._column_lines(), *lines, *more])

    def raise_if_different(self) -> None:
        """Raises errors.Mismatch, with the rendering as its text, unless both sides are the same."""
        __tracebackhide__ = True
        if not self.same:
            raise Mismatch(self.render(), self)

    def _headline(self) -> str:
        of_rows = f"of {_rows(self.expected_count)}"
        parts = [f"lacks {len(self.missing)} {of_rows}"] if self.missing else []
        parts += [f"has {_rows(len(self.extra))} too many"] if self.extra else []
        count = len(self.different)
        verb = "differs" if count == 1 else "differ"
        if not parts:
            return f"{count} {of_rows} {verb}" if count else "the copy has other columns than the source"
        if not count:
            return "the copy " + " and ".join(parts)
        comma = ", and" if len(parts) == 2 else " and"
        return f"the copy {', '.join(parts)}{comma} {_rows(count)} {verb}"

    def _row_lines(self, rows: tuple[Row, ...], what: str) -> list[str]:
        """One line a key; for a key that is there more than once, how often instead."""
        repeated = {normal_row(r.key, self.key or tuple(r.key)): _times(r) for r in self.repeated}
        lines = {}
        for row in rows:
            normal = normal_row(row, self.key or tuple(row))
            lines[normal] = f"{self._name(row)}: {repeated.get(normal, what)}"
        return list(lines.values())

    def _different_lines(self) -> list[str]:
        lines = []
        for row in self.different:
            changes = ", ".join(_changed(name, *pair) for name, pair in row.columns.items())
            lines.append(f"{self._name(row.key)}: {changes}")
        return lines

    def _column_lines(self) -> list[str]:
        lines = [f"the copy lacks the column {name}" for name in self.lacking_columns]
        if set(self.key) & set(self.lacking_columns):
            lines.append("without the whole key no rows could be matched")
        surplus = (
            f"the copy has a column {name} that the source does not have" for name in self.surplus_columns
        )
        return [*lines, *surplus]

    def _name(self, row: Row) -> str:
        named = ", ".join(f"{name} {_shorten(show(row[name]))}" for name in self.key or row)
        return named if self.key else f"row with {named}"


def compare(
    expected: Iterable[Row],
    actual: object,
    *,
    table: str,
    key: Sequence[str],
    columns: Sequence[str] | None = None,
    known: Sequence[str] | None = None,
) -> Comparison:
    """Compare a source's rows with a consumer's copy.

    Args:
        expected: The rows that the copy should hold.
        actual: The rows it holds, as anything that ``copies.read_copy`` takes.
        table: The table's name, for the rendering.
        key: The columns by which rows are matched; empty: whole rows are counted.
        columns: Compare these and the key only, whatever else either side has; by default all
            columns, and those that only one side has are a difference.
        known: The columns that the source has; used only where there are no expected rows to say so.

    Raises:
        RowsRefused: if ``actual`` is not rows with named columns.
        UnknownColumn: if the source lacks a column that ``key`` or ``columns`` names, as far as it is known.
    """
    source, copy = list(expected), read_copy(actual)
    if source:
        known = column_names(source)
    wanted, present = _wanted(known, table, key, columns), copy.columns or ()
    lacking = () if copy.columns is None else _without(wanted, present)
    surplus = () if known is None or columns is not None else _without(present, wanted)
    found = Comparison(
        table, tuple(key), lacking_columns=lacking, surplus_columns=surplus,
        expected_count=len(source), actual_count=len(copy.rows),
    )  # fmt: skip
    if set(key) & set(lacking):
        return found
    everything = wanted if known is not None else tuple(dict.fromkeys([*wanted, *present]))
    return _compare_rows(found, source, copy.rows, _without(everything, lacking))


def _wanted(
    known: Sequence[str] | None, table: str, key: Sequence[str], columns: Sequence[str] | None
) -> tuple[str, ...]:
    """The columns that a copy should have; ``known`` are those of the source, None where nothing says."""
    named = tuple(dict.fromkeys([*key, *(columns or ())]))
    if known is None:
        return named
    for name in named:
        if name not in known:
            raise UnknownColumn(table, name, known)
    return tuple(known) if columns is None else named


def _without(names: Iterable[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)


def _compare_rows(
    found: Comparison, source: list[Row], copy: list[Row], columns: Sequence[str]
) -> Comparison:
    """The comparison filled in: each row of the source takes the first row of its key that is left."""
    identity = found.key or tuple(columns)
    others = [name for name in columns if name not in identity]
    in_copy, in_source = _by_key(copy, identity), _by_key(source, identity)
    taken: set[int] = set()
    missing, different = [], []
    for normalised, numbers in in_source.items():
        matches = in_copy.get(normalised, [])[: len(numbers)]
        taken.update(matches)
        missing += [_part(source[number], columns) for number in numbers[len(matches) :]]
        for number, match in zip(numbers, matches, strict=False):
            if changed := _changes(source[number], copy[match], others):
                different.append(Difference(_part(source[number], identity), changed))
    extra = [_part(row, columns) for number, row in enumerate(copy) if number not in taken]
    repeated = [
        Repetition(_part(source[have[0]] if have else copy[got[0]], identity), len(have), len(got))
        for have, got in ((in_source.get(n, []), in_copy.get(n, [])) for n in {**in_copy, **in_source})
        if len(have) != len(got) and max(len(have), len(got)) > 1
    ]
    return replace(
        found,
        missing=tuple(missing),
        extra=tuple(extra),
        different=tuple(different),
        repeated=tuple(repeated),
    )


def _by_key(rows: list[Row], identity: Sequence[str]) -> dict[Hashable, list[int]]:
    """For each key the numbers of its rows, all in order."""
    found: dict[Hashable, list[int]] = {}
    for number, row in enumerate(rows):
        found.setdefault(normal_row(row, identity), []).append(number)
    return found


def _part(row: Row, columns: Iterable[str]) -> dict[str, object]:
    return {name: row.get(name, ABSENT) for name in columns}


def _changes(expected: Row, actual: Row, columns: Sequence[str]) -> dict[str, tuple[object, object]]:
    changed = {}
    for name in columns:
        one, other = expected.get(name, ABSENT), actual.get(name, ABSENT)
        if not equal(one, other):
            changed[name] = one, other
    return changed


# How values read


def _changed(column: str, expected: object, actual: object) -> str:
    one, other = _distinct(expected, actual)
    source = "missing from the source" if expected is ABSENT else f"{one} in the source"
    copy = "missing from the copy" if actual is ABSENT else f"{other} in the copy"
    return f"{column} is {source}, {copy}"


def _distinct(one: object, other: object) -> tuple[str, str]:
    """Both values as short texts that can be told apart."""
    left, right = show(one), show(other)
    for shown in (repr, ascii, lambda value: f"{value!r} ({type(value).__name__})"):
        if unicodedata.normalize("NFKC", left) != unicodedata.normalize("NFKC", right):
            break
        left, right = shown(one), shown(other)
    if _shorten(left) != _shorten(right):
        return _shorten(left), _shorten(right)
    start = next((n for n, (a, b) in enumerate(zip_longest(left, right)) if a != b), 0)
    return _shorten(left, start), _shorten(right, start)


def show(value: object) -> str:
    """A value as a reader of SQL knows it: ``NULL``, ``5.00``, ``'text'``, ``2020-01-01 00:00:00``."""
    if value is None:
        return "NULL"
    if isinstance(value, enum.Enum):
        return repr(value) if value is ABSENT else show(value.value)
    if isinstance(value, memoryview):
        return repr(bytes(value))
    return str(value) if isinstance(value, (Decimal, date, time, timedelta, UUID)) else repr(value)


def _shorten(text: str, start: int = 0) -> str:
    """A part of the text, around ``start``, of no more characters than a reader takes in."""
    if len(text) <= LONGEST_VALUE:
        return text
    first = max(0, start - LONGEST_VALUE // 2)
    part = text[first : first + LONGEST_VALUE - 6]
    return ("..." if first else "") + part + ("..." if first + len(part) < len(text) else "")


def _share(counts: list[int], limit: int) -> list[int]:
    """How many of each kind are shown, in turn, so that no kind hides another."""
    shown = [0] * len(counts)
    while sum(shown) < min(limit, sum(counts)):
        for kind, count in enumerate(counts):
            if shown[kind] < count and sum(shown) < limit:
                shown[kind] += 1
    return shown


def _times(repetition: Repetition) -> str:
    expected, actual = repetition.expected, repetition.actual
    copy = f"{_counted(actual, 'time')} in the copy" if actual else "not in the copy"
    if not expected:
        return f"not in the source, but {copy}"
    return copy if expected == 1 else f"{_counted(expected, 'time')} in the source, {copy}"


def _rows(count: int) -> str:
    return _counted(count, "row")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
