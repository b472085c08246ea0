"""When two values are the same.

Two values are equal when PostgreSQL would call them the same value of one type: numbers by
what they count (``1``, ``1.0`` and ``Decimal("1.00")``, and NaN equals NaN, but ``True`` is no
number), timestamps by instant (one without an offset is read as UTC), bytes by content, arrays
and JSON element by element, an enum's member by its value, and everything else by its own ``==``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from numbers import Number
from typing import Any, Final
from uuid import UUID

_EPOCH = datetime(1970, 1, 1)
_PLAIN = frozenset({int, str, bool, bytes, UUID, date, float, type(None)})
"""Exact types whose ``==`` is right between two values of that type, save NaN."""


class _Absent(enum.Enum):
    ABSENT = "missing"

    def __repr__(self) -> str:
        return "missing"


ABSENT: Final = _Absent.ABSENT
"""Stands for the value of a column that one row lacks and other rows have."""


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


def normal_row(row: Mapping[str, object], columns: Iterable[str]) -> Hashable:
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
