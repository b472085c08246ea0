"""What callers may give: whole numbers, fractions, names, rows and keys.

Each function takes a public method's argument and returns it in one form, or raises NotApplicable
saying what the argument must be.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from numbers import Real
from typing import SupportsIndex, TypeVar

from pytest_kroft.errors import NotApplicable

T = TypeVar("T")
_TEXTS = (str, bytes, bytearray)


def whole(value: object, what: str) -> int:
    """A whole number; ``what`` names it in the error. True and False are none."""
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        return operator.index(value)
    raise NotApplicable(f"{what} must be a whole number, not {value!r}")


def share(value: object) -> float:
    """A fraction of all rows, from 0 to 1."""
    if isinstance(value, Real | Decimal) and not isinstance(value, bool):
        with suppress(OverflowError, ValueError):
            if 0 <= float(value) <= 1:
                return float(value)
    raise NotApplicable(f"the fraction must be a number from 0 to 1, not {value!r}")


def instance(value: object, kind: type[T], what: str, wanted: str) -> T:
    """A value of one class; ``wanted`` describes it in the error."""
    if isinstance(value, kind):
        return value
    raise NotApplicable(f"{what} must be {wanted}, not {value!r}")


def names(value: object) -> tuple[str, ...]:
    """The names of columns: several, or a single one by itself."""
    if isinstance(value, str):
        return (value,)
    given = tuple(value) if isinstance(value, Iterable) else (value,)
    return tuple(instance(name, str, "columns", "the names of columns") for name in given)


def mapping(value: object, what: str) -> Mapping[str, object]:
    """A mapping from column to value."""
    if isinstance(value, Mapping):
        return value
    raise NotApplicable(f"{what} must be a mapping from column to value, not {value!r}")


def rows(value: object) -> list[Mapping[str, object]]:
    """Rows given on purpose, each a mapping from column to value."""
    if isinstance(value, (Mapping, *_TEXTS)) or not isinstance(value, Iterable):
        raise NotApplicable(f"rows must be a list of mappings from column to value, not {value!r}")
    return [mapping(row, "each of the rows") for row in value]


def keys(value: object) -> list[object]:
    """Primary keys: a list of values, or of tuples where the key has several columns."""
    if isinstance(value, _TEXTS) or not isinstance(value, Iterable):
        raise NotApplicable(f"keys must be a list of primary keys, such as [{value!r}], not {value!r}")
    return list(value)


def call(name: str, table: str | None = None, **given: object) -> str:
    """A call as a history notes it: ``mutations.update(orders, count=3)``, without what was not given."""
    words = [f"{key}={value}" for key, value in given.items() if value is not None]
    return f"{name}({', '.join([table, *words] if table is not None else words)})"
