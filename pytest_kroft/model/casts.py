"""The closed table of casts whose results the state computes exactly.

The state holds each cell as the server casts it to text (``TimeZone`` UTC, ``DateStyle`` ISO,
``IntervalStyle`` postgres, ``extra_float_digits`` 1, ``bytea_output`` hex). A cast has two halves that
agree: a function of ``conversions`` from the old text to the new one, and the SQL after ``USING``. What
is not in the table, or does not fit, is refused before anything is sent.

``ALTER TABLE ... TYPE ... USING`` assigns the expression's value to the new type: a length is checked,
not cut (PostgreSQL's documentation, 10.4 "Value Storage"), so no expression casts to a length itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from pytest_kroft.errors import CastRefused, listing
from pytest_kroft.model import conversions
from pytest_kroft.model.conversions import FITTED, LIMITS
from pytest_kroft.model.types import SqlType, parse_type

_STRINGS = ("text", "varchar", "char")
_TO_TEXT = frozenset("""
    smallint integer bigint numeric real bit boolean box bytea char cidr circle date inet interval json jsonb
    jsonpath line lseg
    macaddr macaddr8 path pg_lsn point polygon text time timestamp timestamptz timetz tsquery tsvector
    uuid varchar xid8 datemultirange daterange int4multirange int4range int8multirange int8range
    nummultirange numrange tsmultirange tsrange tstzmultirange tstzrange
""".split()) | {"double precision", "bit varying"}  # fmt: skip
"""Types that become text, and so keep the text that the state holds."""

_OTHERWISE_IN_ARRAYS = ("boolean", "char", "cidr", "inet")
"""Types that an array shows in another form than their cast to text: ``t``, padded, without a full mask."""

_WIDER_BY_NAME = {
    "smallint": ("integer", "bigint", "numeric"),
    "integer": ("bigint", "numeric"),
    "bigint": ("numeric",),
    "real": ("double precision",),
    "varchar": ("text",),
    "char": ("text",),
    "cidr": ("inet",),
}

_READ_FROM_STRINGS = (
    "integer", "bigint", "numeric", "double precision", "boolean", "date", "timestamp", "timestamptz", "uuid",
)  # fmt: skip

_RETYPED = {
    "smallint": ("text", "double precision", "boolean"),
    "integer": ("text", "double precision", "smallint", "boolean", "varchar(11)"),
    "bigint": ("text", "double precision", "integer", "boolean"),
    "numeric": ("text", "integer", "bigint", "double precision"),
    "real": ("text", "integer"),
    "double precision": ("text", "numeric", "bigint"),
    "boolean": ("text", "integer"),
    "text": ("varchar(40)", *_READ_FROM_STRINGS),
    "varchar": _READ_FROM_STRINGS,
    "char": ("varchar(40)", "integer", "numeric", "boolean", "date"),
    "date": ("timestamp", "timestamptz", "text"),
    "timestamp": ("date", "timestamptz", "timestamp(0)", "text"),
    "timestamptz": ("timestamp", "date", "timestamptz(0)", "text"),
    "json": ("jsonb", "text"),
    "jsonb": ("json", "text"),
}  # fmt: skip
"""Where a type may go besides a wider one; other types go to text alone, if they go at all."""


@dataclass(frozen=True, slots=True)
class _Cast:
    """The two halves of a cast: SQL with ``{}`` for the expression, and text to text.

    ``keeps_text``: no text changes, within an array neither.
    """

    sql: str
    convert: Callable[[str], str]
    keeps_text: bool = False


def can_cast(source: SqlType, target: SqlType) -> bool:
    """Whether the table has this cast; a single value may still be refused."""
    return _find(source, target) is not None


def cast_text(text: str, source: SqlType, target: SqlType) -> str:
    """The text of a value of ``source`` after the cast to ``target``, as the server's ``::text`` gives it.

    ``text`` is its text before, and NULL is the caller's business: it stays NULL.
    Raises CastRefused where the value does not fit, or the cast is not in the table.
    """
    cast = _find(source, target)
    if cast is None:
        raise _refused_pair(source, target)
    try:
        return text if source == target else conversions.fit(cast.convert(text), target)
    except conversions.Unfit as error:
        raise CastRefused(text, source, target, str(error)) from None


def using(expression: str, source: SqlType, target: SqlType) -> str:
    """The SQL after ``USING`` that gives what ``cast_text`` gives.

    ``expression`` is the quoted column. It is meant for ``ALTER TABLE ... ALTER COLUMN ... TYPE``, whose
    assignment to ``target`` rounds and pads as ``cast_text`` does, and refuses a text that is too long.
    Raises CastRefused where the cast is not in the table.
    """
    cast = _find(source, target)
    if cast is None:
        raise _refused_pair(source, target)
    simple = re.fullmatch(r'"(?:[^"]|"")+"', expression)
    return cast.sql.format(expression if simple or cast.sql == "{}" else f"({expression})")


def widenings(source: SqlType) -> tuple[SqlType, ...]:
    """The types of the same family that hold every value of ``source``, the nearest first."""
    by_name = tuple(parse_type(name) for name in _WIDER_BY_NAME.get(source.name, ()) if source.builtin)
    found = _longer(source) + by_name
    if not source.array:
        return found
    targets = (replace(target, array=True) for target in found)
    return tuple(target for target in targets if can_cast(source, target))


def retypings(source: SqlType) -> tuple[SqlType, ...]:
    """The types of another family, or narrower ones, that values of ``source`` can be cast to."""
    if source.array:
        names: tuple[str, ...] = ("text[]", "text")
    else:
        names = _RETYPED.get(source.name, ("text",)) if source.builtin else ("text", "varchar(63)")
    found = _narrower(source) + tuple(parse_type(name) for name in names)
    wider = widenings(source)
    return tuple(target for target in found if target not in (source, *wider) and can_cast(source, target))


def _longer(source: SqlType) -> tuple[SqlType, ...]:
    """The same type with more room, and without a limit where it may go without."""
    if not source.builtin or not source.modifiers or source.name == "bit":
        return ()
    if source.name == "char":
        return (replace(source, modifiers=(2 * source.modifiers[0],)), replace(source, name="varchar"))
    free = replace(source, modifiers=())
    if source.name == "varchar":
        return (replace(source, modifiers=(2 * source.modifiers[0],)), free)
    if source.name == "numeric" and source.modifiers[0] <= 900:
        precision, scale = source.modifiers
        wider = ((precision + 4, scale), (precision + 6, scale + 4))
        return (*(replace(source, modifiers=modifiers) for modifiers in wider), free)
    return (free,)


def _narrower(source: SqlType) -> tuple[SqlType, ...]:
    if not source.builtin or source.array or not source.modifiers or source.modifiers[0] < 2:
        return ()
    size = source.modifiers[0]
    if source.name in ("varchar", "char"):
        return (replace(source, modifiers=(size // 2,)),)
    if source.name == "numeric" and source.modifiers[1] > 0:
        return (replace(source, modifiers=(size, source.modifiers[1] - 1)),)
    return ()


def _refused_pair(source: SqlType, target: SqlType) -> CastRefused:
    known = listing(dict.fromkeys(str(found) for found in widenings(source) + retypings(source)))
    return CastRefused(None, source, target, f"there is no exact cast; {source} can become: {known}")


# Looking a cast up


@cache
def _find(source: SqlType, target: SqlType) -> _Cast | None:
    if source == target:
        return _Cast("{}", str, keeps_text=True)
    if not target.builtin:
        return None
    if source.array or target.array:
        return _find_array(source, target)
    if not source.builtin:
        return _Cast("{}::text", str) if target.name in _STRINGS else None
    if source.name == target.name:
        return _Cast("{}", str, keeps_text=True) if _modifiers_change(source, target) else None
    return _BY_NAMES.get((source.name, target.name)) or _to_string(source, target)


def _find_array(source: SqlType, target: SqlType) -> _Cast | None:
    """Arrays as a whole become text; element by element only where no text changes and none is refused."""
    if not target.array:
        return _Cast("{}::text", str) if target.name in _STRINGS else None
    element = _find(source.element, target.element) if source.array else None
    keeps = element is not None and element.keeps_text and _has_room(source, target)
    return _Cast(f"{{}}::{target}", str) if keeps else None


def _modifiers_change(source: SqlType, target: SqlType) -> bool:
    """Whether values of one type and other modifiers can be computed: more room, or a rule in ``fit``."""
    return _has_room(source, target) or target.name in FITTED


def _has_room(source: SqlType, target: SqlType) -> bool:
    """Whether the target's modifiers change no text of the source."""
    if not target.modifiers:
        return target.name not in ("bit", "char")
    if not source.modifiers or source.name != target.name or target.name == "char":
        return source.element == target.element
    if target.name == "numeric":
        return source.modifiers[1] == target.modifiers[1] and source.modifiers[0] <= target.modifiers[0]
    return target.name != "bit" and source.modifiers[0] <= target.modifiers[0]


def _to_string(source: SqlType, target: SqlType) -> _Cast | None:
    if source.name not in _TO_TEXT or target.name not in _STRINGS:
        return None
    return _Cast("{}::text", str, keeps_text=source.name not in _OTHERWISE_IN_ARRAYS)


# The table

_SAME_TEXT = {
    **dict.fromkeys((("smallint", "integer"), ("smallint", "bigint"), ("integer", "bigint")), str),
    **{(name, "numeric"): str for name in LIMITS},
    ("jsonb", "json"): str,
}

_FROM_STRING: dict[str, Callable[[str], str]] = {
    **{name: conversions.whole_from_string(name) for name in LIMITS},
    "numeric": conversions.numeric_from_string,
    "double precision": conversions.double_from_string,
    "boolean": conversions.boolean_from_string,
    "date": conversions.date_from_string,
    "timestamp": conversions.timestamp_from_string,
    "timestamptz": conversions.timestamptz_from_string,
    "uuid": conversions.uuid_from_string,
}

_CONVERTED: dict[tuple[str, str], Callable[[str], str]] = {
    **{(source, target): conversions.whole(target) for source in (*LIMITS, "numeric") for target in LIMITS},
    **{("double precision", target): conversions.whole_from_float(target) for target in LIMITS},
    **{("real", target): conversions.whole_from_float(target, conversions.single) for target in LIMITS},
    **{(source, "double precision"): conversions.double for source in (*LIMITS, "numeric")},
    ("real", "double precision"): conversions.double_from_single,
    ("double precision", "numeric"): conversions.numeric_from_double,
    ("boolean", "integer"): lambda text: "1" if text == "true" else "0",
    ("date", "timestamp"): conversions.midnight(""),
    ("timestamp", "date"): conversions.day,
    ("cidr", "inet"): str,
    ("json", "jsonb"): conversions.jsonb_from_json,
}

_IN_UTC = {
    ("date", "timestamptz"): _Cast("timezone('UTC', {}::timestamp)", conversions.midnight("+00")),
    ("timestamp", "timestamptz"): _Cast("timezone('UTC', {})", conversions.with_zone),
    ("timestamptz", "timestamp"): _Cast("timezone('UTC', {})", conversions.without_zone),
    ("timestamptz", "date"): _Cast("timezone('UTC', {})::date", conversions.day),
}
"""Casts that depend on the session's time zone are written so that they do not."""

_BY_NAMES: dict[tuple[str, str], _Cast] = {
    **{pair: _Cast(f"{{}}::{pair[1]}", convert) for pair, convert in _CONVERTED.items()},
    **{pair: _Cast(f"{{}}::{pair[1]}", convert, keeps_text=True) for pair, convert in _SAME_TEXT.items()},
    **{(source, "boolean"): _Cast("{} <> 0", conversions.boolean_from_whole) for source in LIMITS},
    **{(source, target): _Cast(f"{{}}::text::{target}", convert)
       for target, convert in _FROM_STRING.items() for source in _STRINGS},
    **_IN_UTC,
}  # fmt: skip
