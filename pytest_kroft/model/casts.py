"""The closed table of casts whose results the state computes exactly.

The state holds each cell as the server casts it to text (``TimeZone`` UTC, ``DateStyle`` ISO,
``IntervalStyle`` postgres, ``extra_float_digits`` 1, ``bytea_output`` hex). A cast has two halves that
agree: a function from the old text to the new one, and the SQL after ``USING``. What is not in
the table, or does not fit, is refused before anything is sent.

``ALTER TABLE ... TYPE ... USING`` assigns the expression's value to the new type: a length is checked,
not cut (PostgreSQL's documentation, 10.4 "Value Storage"), so no expression casts to a length itself.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from functools import cache

from pytest_kroft.errors import OperationError, listing
from pytest_kroft.model.spellings import decimal_text, float8_text
from pytest_kroft.model.types import SqlType, parse_type

_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_STRINGS = ("text", "varchar", "char")
_FITTED = ("varchar", "char", "numeric", "timestamp", "timestamptz")
_SPECIAL = ("NaN", "Infinity", "-Infinity")
_LONGEST_NUMBER = 1000
"""Texts of more digits, or with a greater exponent, are not read as numbers."""

_LAST_TIMESTAMP_YEAR = 294276
"""The last year of a timestamp (PostgreSQL's documentation, table 8.9); dates go further."""

_EXACT = Context(prec=200_000, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_UP)
"""PostgreSQL rounds numerics half away from zero, which Python calls HALF_UP."""

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


class CastRefused(OperationError):
    """A value, or where ``value`` is None any value, that cannot be cast exactly."""

    def __init__(self, value: str | None, source: SqlType, target: SqlType, reason: str) -> None:
        self.value, self.source, self.target, self.reason = value, source, target, reason
        shown = "values" if value is None else repr(value if len(value) <= 60 else value[:57] + "...")
        super().__init__(f"{shown} of type {source} cannot become {target}: {reason}")


class _Unfit(Exception):
    """The reason why a text has no exact result; ``cast_text`` makes a CastRefused of it."""


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
        return text if source == target else _fit(cast.convert(text), target)
    except _Unfit as error:
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
    """Whether values of one type and other modifiers can be computed: more room, or a rule in ``_fit``."""
    return _has_room(source, target) or target.name in _FITTED


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


# What assignment to a type with modifiers does to a value


def _fit(text: str, target: SqlType) -> str:
    if target.array or not target.modifiers:
        return text
    if target.name in ("varchar", "char"):
        return _fit_length(text, target)
    if target.name == "numeric":
        return _fit_numeric(text, *target.modifiers)
    if target.name in ("timestamp", "timestamptz"):
        return _round_seconds(text, target.modifiers[0])
    return text


def _fit_length(text: str, target: SqlType) -> str:
    """Blanks beyond the length are cut, as the SQL standard demands; anything else is refused."""
    size = target.modifiers[0]
    if text[size:].strip(" "):
        raise _Unfit(f"it has {len(text)} characters, and {size} are allowed")
    # What a char is padded with is not part of its text.
    return text[:size].rstrip(" ") if target.name == "char" else text[:size]


def _fit_numeric(text: str, precision: int, scale: int) -> str:
    if text == "NaN":
        return text
    if text in _SPECIAL:
        raise _Unfit("only a numeric without a precision holds infinity")
    value = Decimal(text).quantize(Decimal(1).scaleb(-scale, _EXACT), context=_EXACT)
    if value and value.adjusted() >= precision - scale:
        raise _Unfit(f"it must be less than 10^{precision - scale}")
    return decimal_text(value)


def _round_seconds(text: str, places: int) -> str:
    """A timestamp to some places of a second: half away from 2000-01-01, where PostgreSQL counts from."""
    fraction = re.search(r"\.(\d+)", text)
    if not fraction or len(fraction[1]) <= places:
        return text
    zone = "+00" if text.endswith("+00") else ""
    since = (_timestamp(text.removesuffix("+00")) - _EPOCH) // timedelta(microseconds=1)
    unit = 10 ** (6 - places)
    rounded = (abs(since) + unit // 2) // unit * unit
    try:
        return _timestamp_text(_EPOCH + timedelta(microseconds=rounded if since > 0 else -rounded)) + zone
    except OverflowError:
        raise _Unfit("rounded it is later than the year 9999") from None


# Numbers


def _numeric(text: str) -> str:
    """A string read as a numeric, with the digits after the point that its exponent leaves."""
    match = re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,6}))?", text)
    if not match or len(text) > _LONGEST_NUMBER or abs(int(match[1] or 0)) > _LONGEST_NUMBER:
        raise _Unfit(f"it must be a decimal number of at most {_LONGEST_NUMBER} digits")
    return decimal_text(Decimal(text))


def _whole(target: str) -> Callable[[str], str]:
    """From an integer or numeric, rounded half away from zero."""
    return lambda text: _in_range(_finite(text).to_integral_value(context=_EXACT), target)


def _whole_from_float(target: str, read: Callable[[str], float] = float) -> Callable[[str], str]:
    """From a floating-point number, which C's rint() rounds half to even."""
    return lambda text: _in_range(
        Decimal(read(str(_finite(text)))).to_integral_value(ROUND_HALF_EVEN, _EXACT), target
    )


def _whole_from_string(target: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if not re.fullmatch(r"[+-]?[0-9]{1,100}", text):
            raise _Unfit("it must be decimal digits, with or without a sign")
        return _in_range(Decimal(text), target)

    return convert


def _finite(text: str) -> Decimal:
    if text in _SPECIAL:
        raise _Unfit("it must be a finite number")
    return Decimal(text)


def _in_range(value: Decimal, target: str) -> str:
    limit = _LIMITS[target]
    if not -limit <= value < limit:
        raise _Unfit(f"it must be from {-limit} to {limit - 1}")
    return str(int(value))


def _double(text: str) -> str:
    """A decimal number read as double precision; too small for it is an error, as too great is."""
    value = float(text)
    if text not in _SPECIAL and (math.isinf(value) or (not value and Decimal(text))):
        raise _Unfit("it is out of the range of double precision")
    return _double_text(value)


def _double_text(value: float) -> str:
    with localcontext(_EXACT):  # the caller's context must not matter
        return float8_text(value)


def _double_from_string(text: str) -> str:
    _numeric(text)
    return _double(text)


def _single(text: str) -> float:
    """The single-precision number that a text stands for."""
    value = float(text)
    single: float = struct.unpack("f", struct.pack("f", value))[0]
    mirrored = 2 * value - single
    if struct.unpack("f", struct.pack("f", mirrored))[0] != mirrored:
        return single
    # The double lies halfway between two singles; which one is nearer, only the digits themselves say.
    return min(single, mirrored, key=lambda near: abs(Fraction(near) - Fraction(text)))


def _double_from_single(text: str) -> str:
    return text if text in _SPECIAL else _double_text(_single(text))


def _numeric_from_double(text: str) -> str:
    """PostgreSQL takes 15 significant digits of a double (DBL_DIG in its source, float8_numeric)."""
    return text if text in _SPECIAL else decimal_text(Decimal(f"{float(text):.15g}"))


# Booleans and uuids


def _boolean_from_string(text: str) -> str:
    if text not in ("true", "false"):
        raise _Unfit("it must be true or false")
    return text


def _boolean_from_whole(text: str) -> str:
    return "false" if text == "0" else "true"


def _uuid_from_string(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise _Unfit("it must be 32 hexadecimal digits with hyphens after 8, 12, 16 and 20 of them")
    return text.lower()


# Dates and times

_EPOCH = datetime(2000, 1, 1)
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"


def _date_from_string(text: str) -> str:
    if not re.fullmatch(_DATE, text):
        raise _Unfit("it must be a date such as 2020-01-31")
    return _timestamp(f"{text} 00:00:00").date().isoformat()


def _timestamp_from_string(text: str) -> str:
    if not re.fullmatch(f"{_DATE} {_TIME}", text):
        raise _Unfit("it must be a timestamp such as 2020-01-31 12:00:00.5")
    return _timestamp_text(_timestamp(text))


def _timestamptz_from_string(text: str) -> str:
    if not text.endswith("+00"):
        raise _Unfit("it must be a timestamp in UTC such as 2020-01-31 12:00:00+00")
    return _timestamp_from_string(text.removesuffix("+00")) + "+00"


def _timestamp(text: str) -> datetime:
    if not re.fullmatch(f"{_DATE} {_TIME}", text):
        raise _Unfit("fractions of a second are computed in the years 1 to 9999")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise _Unfit(f"there is no such time: {error}") from None


def _timestamp_text(value: datetime) -> str:
    text = value.isoformat(" ")
    return text.rstrip("0") if value.microsecond else text


def _midnight(zone: str) -> Callable[[str], str]:
    """From a date to its first instant, which a timestamp holds up to the year 294276."""

    def convert(text: str) -> str:
        day, era = _without_era(text)
        if text in ("infinity", "-infinity"):
            return text
        if not era and int(day.split("-")[0]) > _LAST_TIMESTAMP_YEAR:
            raise _Unfit(f"timestamps end with the year {_LAST_TIMESTAMP_YEAR}")
        return f"{day} 00:00:00{zone}{era}"

    return convert


def _day(text: str) -> str:
    instant, era = _without_era(text)
    return instant.split(" ")[0] + era


def _with_zone(text: str) -> str:
    instant, era = _without_era(text)
    return text if text in ("infinity", "-infinity") else f"{instant}+00{era}"


def _without_zone(text: str) -> str:
    instant, era = _without_era(text)
    return instant.removesuffix("+00") + era


def _without_era(text: str) -> tuple[str, str]:
    return (text.removesuffix(" BC"), " BC") if text.endswith(" BC") else (text, "")


# JSON


def _jsonb_from_json(text: str) -> str:
    """JSON as jsonb writes it: keys by length and bytes, the last of equal keys, numbers as numerics."""
    try:
        value = json.loads(
            text, parse_int=_json_number, parse_float=_json_number, parse_constant=_refuse_constant
        )
        return _jsonb_text(value)
    except (ValueError, RecursionError) as error:
        raise _Unfit(f"it cannot be read as JSON: {error}") from None


def _json_number(text: str) -> Decimal:
    return Decimal(_numeric(text))


def _refuse_constant(name: str) -> None:
    raise _Unfit(f"JSON has no {name}")


def _jsonb_text(value: object) -> str:
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
        return "{" + ", ".join(f"{_jsonb_text(key)}: {_jsonb_text(item)}" for key, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_jsonb_text, value)) + "]"
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, str) and "\0" in value:
        raise _Unfit("a string of jsonb cannot hold the character NUL")
    text = json.dumps(value, ensure_ascii=False)
    text.encode()  # a lone surrogate, which jsonb refuses as well, is a ValueError here
    return text


# The table

_SAME_TEXT = {
    **dict.fromkeys((("smallint", "integer"), ("smallint", "bigint"), ("integer", "bigint")), str),
    **{(name, "numeric"): str for name in _LIMITS},
    ("jsonb", "json"): str,
}

_FROM_STRING: dict[str, Callable[[str], str]] = {
    **{name: _whole_from_string(name) for name in _LIMITS},
    "numeric": _numeric,
    "double precision": _double_from_string,
    "boolean": _boolean_from_string,
    "date": _date_from_string,
    "timestamp": _timestamp_from_string,
    "timestamptz": _timestamptz_from_string,
    "uuid": _uuid_from_string,
}

_CONVERTED: dict[tuple[str, str], Callable[[str], str]] = {
    **{(source, target): _whole(target) for source in (*_LIMITS, "numeric") for target in _LIMITS},
    **{("double precision", target): _whole_from_float(target) for target in _LIMITS},
    **{("real", target): _whole_from_float(target, _single) for target in _LIMITS},
    **{(source, "double precision"): _double for source in (*_LIMITS, "numeric")},
    ("real", "double precision"): _double_from_single,
    ("double precision", "numeric"): _numeric_from_double,
    ("boolean", "integer"): lambda text: "1" if text == "true" else "0",
    ("date", "timestamp"): _midnight(""),
    ("timestamp", "date"): _day,
    ("cidr", "inet"): str,
    ("json", "jsonb"): _jsonb_from_json,
}

_IN_UTC = {
    ("date", "timestamptz"): _Cast("timezone('UTC', {}::timestamp)", _midnight("+00")),
    ("timestamp", "timestamptz"): _Cast("timezone('UTC', {})", _with_zone),
    ("timestamptz", "timestamp"): _Cast("timezone('UTC', {})", _without_zone),
    ("timestamptz", "date"): _Cast("timezone('UTC', {})::date", _day),
}
"""Casts that depend on the session's time zone are written so that they do not."""

_BY_NAMES: dict[tuple[str, str], _Cast] = {
    **{pair: _Cast(f"{{}}::{pair[1]}", convert) for pair, convert in _CONVERTED.items()},
    **{pair: _Cast(f"{{}}::{pair[1]}", convert, keeps_text=True) for pair, convert in _SAME_TEXT.items()},
    **{(source, "boolean"): _Cast("{} <> 0", _boolean_from_whole) for source in _LIMITS},
    **{(source, target): _Cast(f"{{}}::text::{target}", convert)
       for target, convert in _FROM_STRING.items() for source in _STRINGS},
    **_IN_UTC,
}  # fmt: skip
