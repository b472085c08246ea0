"""Ranges and multiranges, given as objects with the attributes of psycopg's ``Range``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model.spellings import date_text, range_text
from pytest_kroft.model.types import SqlType

_EPOCH = date(1970, 1, 1).toordinal()
_DISCRETE = ("integer", "bigint", "date")


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a range: how it prints, what it compares as, and whether it belongs to the range."""

    text: str | None
    key: Any = None
    inside: bool = False


_Pair = tuple[_End, _End]


def read_range(sql_type: SqlType, value: Any, bound: SqlType, text: Callable[[object], str]) -> str | None:
    """A range in the server's form, or None where the value is none; ``text`` prints a bound.

    Raises ValueRefused where the lower bound is above the upper one.
    """
    if not _is_range(value):
        return None
    pair = _ends(sql_type, value, bound, text)
    return _show(pair) if pair else "empty"


def read_multirange(
    sql_type: SqlType, value: Any, bound: SqlType, text: Callable[[object], str]
) -> str | None:
    """A multirange in the server's form: sorted, without empty ranges, those that touch made one."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return None
    ranges = list(value)
    if not all(_is_range(item) for item in ranges):
        return None
    found = [pair for item in ranges if (pair := _ends(sql_type, item, bound, text))]
    return "{" + ",".join(map(_show, _merged(found))) + "}"


def _is_range(value: object) -> bool:
    return not isinstance(value, str | bytes) and all(
        hasattr(value, name) for name in ("lower", "upper", "isempty")
    )


def _show(pair: _Pair) -> str:
    lower, upper = pair
    return range_text(lower.text, upper.text, ("[" if lower.inside else "(") + ("]" if upper.inside else ")"))


def _ends(sql_type: SqlType, value: Any, bound: SqlType, text: Callable[[object], str]) -> _Pair | None:
    """The two ends of a range; None where it is empty."""
    if value.isempty:
        return None
    bounds = value.bounds
    lower = _end(sql_type, value, value.lower, bound, text, inside=bounds[0] == "[")
    upper = _end(sql_type, value, value.upper, bound, text, inside=bounds[1] == "]")
    both = lower.text is not None and upper.text is not None
    if both and lower.key > upper.key:
        raise ValueRefused(value, str(sql_type), "the lower bound is above the upper one")
    if bound.name in _DISCRETE:
        lower = _moved(lower, bound, by=not lower.inside, inside=True)
        upper = _moved(upper, bound, by=upper.inside, inside=False)
    if both and (lower.key > upper.key or (lower.key == upper.key and not (lower.inside and upper.inside))):
        return None
    return lower, upper


def _end(
    sql_type: SqlType,
    value: object,
    item: object,
    bound: SqlType,
    text: Callable[[object], str],
    *,
    inside: bool,
) -> _End:
    if item is None:
        return _End(None)
    shown = text(item)
    try:
        return _End(shown, _key(bound.name, shown), inside)
    except (ValueError, ArithmeticError):
        raise ValueRefused(
            value, str(sql_type), f"give a range with the bound {shown!r} as a string"
        ) from None


def _key(name: str, text: str) -> Any:
    if name in ("integer", "bigint"):
        return int(text)
    if name == "numeric":
        return Decimal(text)
    return date.fromisoformat(text).toordinal() - _EPOCH if name == "date" else datetime.fromisoformat(text)


def _moved(end: _End, bound: SqlType, *, by: int, inside: bool) -> _End:
    """The same end of a discrete range in the form ``[a,b)``."""
    if end.text is None:
        return end
    key = end.key + by
    return _End(date_text(key) if bound.name == "date" else str(key), key, inside)


def _merged(pairs: list[_Pair]) -> list[_Pair]:
    found: list[_Pair] = []
    for lower, upper in sorted(pairs, key=_lower_order):
        if found and _touch(found[-1][1], lower):
            last = found[-1]
            found[-1] = (last[0], max(last[1], upper, key=_upper_order))
        else:
            found.append((lower, upper))
    return found


def _lower_order(pair: _Pair) -> tuple[Any, ...]:
    lower = pair[0]
    return (0,) if lower.text is None else (1, lower.key, not lower.inside)


def _upper_order(end: _End) -> tuple[Any, ...]:
    return (1,) if end.text is None else (0, end.key, end.inside)


def _touch(upper: _End, lower: _End) -> bool:
    if upper.text is None or lower.text is None:
        return True
    return bool(lower.key < upper.key or (lower.key == upper.key and (lower.inside or upper.inside)))
