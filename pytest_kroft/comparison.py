"""Expected and actual rows -> differences as data, and their rendering.

Two values are equal when PostgreSQL would call them the same value of one type: numbers by
what they count (``1``, ``1.0`` and ``Decimal("1.00")``, and NaN equals NaN, but ``True`` is no
number), timestamps by instant (one without an offset is read as UTC), bytes by content, arrays
and JSON element by element, an enum's member by its value, and everything else by its own ``==``.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import zip_longest
from numbers import Number
from typing import Any, Final
from uuid import UUID

from pytest_kroft.errors import KroftError, Mismatch, UnknownColumn

Row = Mapping[str, object]

LONGEST_VALUE = 60
"""How many characters of one value a rendering shows."""

_ALLOWED = (
    "give rows whose columns have names: dicts, named tuples, dataclass instances, a dict of such rows "
    "by key, or a cursor that has run its query"
)


class _Absent(enum.Enum):
    ABSENT = "missing"

    def __repr__(self) -> str:
        return "missing"


ABSENT: Final = _Absent.ABSENT
"""Stands for the value of a column that one row lacks and other rows have."""


class RowsRefused(KroftError, TypeError):
    """What was given as the copy is not rows with named columns."""

    def __init__(self, given: object, reason: str) -> None:
        self.given, self.reason = given, reason
        super().__init__(f"cannot compare {_shorten(repr(given))}: {reason}; {_ALLOWED}")


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
    column of the key, no row could be matched and only the columns are compared.
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

    @property
    def same(self) -> bool:
        """Whether the copy holds exactly what the source holds."""
        columns_differ = self.lacking_columns or self.surplus_columns
        return not (self.missing or self.extra or self.different or columns_differ)

    def __bool__(self) -> bool:
        return self.same

    def render(self, limit: int = 5) -> str:
        """The differences as text: a headline, the first ``limit`` rows of all kinds, and the columns."""
        if self.same:
            return f"{self.table}: the copy is the same ({_rows(self.expected_count)})"
        missing = self._row_lines(self.missing, "not in the copy")
        extra = self._row_lines(self.extra, "in the copy, but not in the source")
        kinds = [missing, extra, self._different_lines()]
        shown = _share([len(lines) for lines in kinds], limit)
        lines = [line for kind, count in zip(kinds, shown, strict=True) for line in kind[:count]]
        left = sum(map(len, kinds)) - len(lines)
        more = [f"... and {left} more"] if left else []
        return "\n  ".join([f"{self.table}: {self._headline()}", *lines, *more, *self._column_lines()])

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
) -> Comparison:
    """Compare a source's rows with a consumer's copy.

    Args:
        expected: The rows that the copy should hold.
        actual: The rows it holds: dicts, named tuples, dataclass instances, objects with ``_asdict``, a
            dict of such rows by key, any iterable of them, or a DB-API cursor.
        table: The table's name, for the rendering.
        key: The columns by which rows are matched; empty: whole rows are counted.
        columns: Compare these and the key only, whatever else either side has; by default all
            columns, and those that only one side has are a difference.

    Raises:
        RowsRefused: if ``actual`` is not rows with named columns.
        UnknownColumn: if no expected row has a column that ``key`` or ``columns`` names.
    """
    source, copy = list(expected), list(_named_rows(actual))
    wanted = _wanted(source, table, key, columns)
    present = dict.fromkeys(name for row in copy for name in row)
    lacking = tuple(name for name in wanted if copy and name not in present)
    surplus = tuple(name for name in present if name not in wanted) if source and columns is None else ()
    found = Comparison(
        table, tuple(key), lacking_columns=lacking, surplus_columns=surplus,
        expected_count=len(source), actual_count=len(copy),
    )  # fmt: skip
    if set(key) & set(lacking):
        return found
    compared = [name for name in (wanted if source else {**wanted, **present}) if name not in lacking]
    return _compare_rows(found, source, copy, compared)


def _wanted(
    source: list[Row], table: str, key: Sequence[str], columns: Sequence[str] | None
) -> dict[str, None]:
    known = dict.fromkeys(name for row in source for name in row)
    named = dict.fromkeys([*key, *(columns or ())])
    for name in named:
        if source and name not in known:
            raise UnknownColumn(table, name, known)
    return known if source and columns is None else named


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


# What may be given as a copy


def _named_rows(actual: Any) -> Iterator[Row]:
    """The rows of anything that ``compare`` takes as a copy, as mappings."""
    if hasattr(actual, "description") and callable(getattr(actual, "fetchall", None)):
        return _cursor_rows(actual)
    rows = actual.values() if isinstance(actual, Mapping) else actual
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Iterable):
        raise RowsRefused(actual, "it is not a collection of rows")
    return (_named_row(row) for row in rows)


def _cursor_rows(cursor: Any) -> Iterator[Row]:
    if cursor.description is None:
        raise RowsRefused(cursor, "the cursor has no result, as it has not run a query that returns rows")
    names = [column[0] for column in cursor.description]
    if len(set(names)) < len(names):
        raise RowsRefused(cursor, f"the query returns several columns of one name ({', '.join(names)})")
    rows = cursor.fetchall()
    if not isinstance(rows, Iterable):
        raise RowsRefused(cursor, "the cursor is asynchronous; await its fetchall() and give the rows")
    # A named tuple goes by the description, as its own field names may be mangled.
    return (
        dict(zip(names, row, strict=True)) if isinstance(row, Sequence) else _named_row(row) for row in rows
    )


def _named_row(row: Any) -> Row:
    if isinstance(row, Mapping):
        return row
    if is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    if callable(getattr(row, "_asdict", None)):
        return dict(row._asdict())
    if callable(getattr(row, "keys", None)):
        return {name: row[name] for name in row.keys()}  # noqa: SIM118
    raise RowsRefused(row, "its values have no names" if isinstance(row, Sequence) else "it is no row")


# When two values are the same

_EPOCH = datetime(1970, 1, 1)
_PLAIN = frozenset({int, str, bool, bytes, UUID, date, float, type(None)})
"""Exact types whose ``==`` is right between two values of that type, save NaN."""


class _ByEquality:
    """A value that cannot be hashed: equal by its own ``==``."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByEquality) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(type(self.value))


def equal(one: object, other: object) -> bool:
    """Whether two values are the same, by the rules at the top of this module."""
    kind = type(one)
    if kind is type(other) and kind in _PLAIN and one == other:
        return True
    return normal(one) == normal(other)


def normal_row(row: Row, columns: Iterable[str]) -> Hashable:
    """The values of some columns in a form that is hashable, and equal where they are the same."""
    return tuple([normal(row.get(name, ABSENT)) for name in columns])


def normal(value: Any) -> Hashable:
    """A value in a form that is hashable, and equal for two values that are the same."""
    normalise = _NORMAL_BY_TYPE.get(type(value))
    if normalise is None:
        normalise = next((found for kinds, found in _NORMAL if isinstance(value, kinds)), _normal_other)
        if normalise is not _normal_other:
            _NORMAL_BY_TYPE[type(value)] = normalise
    return normalise(value)


def _normal_other(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return _ByEquality(value)
    return value  # type: ignore[no-any-return]


def _normal_number(value: Any) -> Hashable:
    # Python's == and hash of numbers are exact across int, float and Decimal; NaN is tested by itself.
    is_nan = value.is_nan() if isinstance(value, Decimal) else value != value  # noqa: PLR0124
    return ("number", "NaN" if is_nan else value)


def _normal_instant(value: datetime) -> Hashable:
    # Not astimezone(): that overflows next to the years 1 and 9999.
    return ("instant", value.replace(tzinfo=None, fold=0) - _EPOCH - (value.utcoffset() or timedelta()))


_NORMAL: tuple[tuple[Any, Callable[[Any], Hashable]], ...] = (
    (_Absent, lambda value: value),
    (enum.Enum, lambda value: normal(value.value)),
    (str, lambda value: ("text", str(value))),
    (bool, lambda value: ("boolean", value)),
    (Number, _normal_number),
    (datetime, _normal_instant),
    (date, lambda value: ("date", value)),
    # PostgreSQL tells 12:00+00 from 13:00+01, though Python does not.
    (time, lambda value: ("time", value.replace(tzinfo=None, fold=0), value.utcoffset())),
    ((bytes, bytearray, memoryview), lambda value: ("bytes", bytes(value))),
    ((list, tuple), lambda value: ("array", tuple(map(normal, value)))),
    (Mapping, lambda value: ("object", frozenset((normal(k), normal(v)) for k, v in value.items()))),
)
"""The kinds of values in the order they are asked for, as bool is an int and datetime a date."""

_NORMAL_BY_TYPE: dict[type, Callable[[Any], Hashable]] = {type(None): lambda value: value}
"""The rule of each exact type that was met: a look-up where many rows would ask for every kind."""


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
