"""When two values are the same to double precision and to the millisecond.

Numbers are near when they differ by less than one unit of the first one's fifteenth significant digit, or
are the same as doubles. Timestamps, times and intervals are near when they differ by less than a
millisecond. Arrays and JSON are near when they have the same shape and every element is the same or near.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pytest_kroft.equality import equal

DIGITS = 15
"""How many significant digits every number keeps that goes through double precision."""
MILLISECOND = timedelta(milliseconds=1)


def near(source: object, copy: object) -> bool:
    """Whether two values are the same, number by number and time by time, as the top of this module says."""
    if isinstance(source, (list, tuple)) and isinstance(copy, (list, tuple)):
        return len(source) == len(copy) and all(map(_same_or_near, source, copy))
    if isinstance(source, Mapping) and isinstance(copy, Mapping):
        return source.keys() == copy.keys() and all(_same_or_near(source[n], copy[n]) for n in source)
    if _is_number(source) and _is_number(copy):
        return _close(source, copy)
    gap = _gap(source, copy)
    return gap is not None and abs(gap) < MILLISECOND


def _same_or_near(source: object, copy: object) -> bool:
    return equal(source, copy) or near(source, copy)


def _is_number(value: object) -> bool:
    # decimal.Decimal tells of its infinity itself; math.isfinite would overflow with a long int.
    if isinstance(value, Decimal):
        return value.is_finite()
    return (isinstance(value, float) and math.isfinite(value)) or type(value) is int


def _close(source: Any, copy: Any) -> bool:
    if source == 0 or abs(Fraction(source) - Fraction(copy)) >= _unit(source):
        return _as_double(source) == _as_double(copy)
    return True


def _unit(number: Any) -> Fraction:
    """One unit of the fifteenth significant digit."""
    return Fraction(10) ** (Decimal(number).adjusted() - DIGITS + 1)


def _as_double(number: Any) -> object:
    """The number as a double, or itself where doubles do not reach."""
    try:
        double = float(number)
    except OverflowError:
        return number
    return double if math.isfinite(double) else number


def _gap(source: object, copy: object) -> timedelta | None:
    """The time between two values of one kind; None where they are no times."""
    if isinstance(source, timedelta) and isinstance(copy, timedelta):
        return source - copy
    if isinstance(source, datetime) and isinstance(copy, datetime):
        return _instant(source) - _instant(copy)
    if isinstance(source, time) and isinstance(copy, time) and source.utcoffset() == copy.utcoffset():
        return datetime.combine(date.min, _plain(source)) - datetime.combine(date.min, _plain(copy))
    return None


def _plain(value: time) -> time:
    return value.replace(tzinfo=None, fold=0)


def _instant(value: datetime) -> timedelta:
    """The moment as comparisons take it: one without an offset is read as UTC."""
    # Not astimezone(): that overflows next to the years 1 and 9999.
    return value.replace(tzinfo=None, fold=0) - datetime(1970, 1, 1) - (value.utcoffset() or timedelta())
