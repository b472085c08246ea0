"""The text of a value -> its text after a cast, as the server's ``::text`` gives both.

One function for each way a text can change, and ``fit`` for what a length or precision does to the
result; ``casts`` says which of them a cast is made of. All raise ``Unfit`` where there is no exact result.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from pytest_kroft.model.spellings import decimal_text, float8_text
from pytest_kroft.model.types import SqlType

LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
"""The range of each integer type: from minus this on, and less than this."""

FITTED = ("varchar", "char", "numeric", "timestamp", "timestamptz")
"""The types whose modifiers ``fit`` knows what to do about."""

_SPECIAL = ("NaN", "Infinity", "-Infinity")
_LONGEST_NUMBER = 1000
"""Texts of more digits, or with a greater exponent, are not read as numbers."""

_LAST_TIMESTAMP_YEAR = 294276
"""The last year of a timestamp (PostgreSQL's documentation, table 8.9); dates go further."""

_EXACT = Context(prec=200_000, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_UP)
"""PostgreSQL rounds numerics half away from zero, which Python calls HALF_UP."""


class Unfit(Exception):
    """The reason why a text has no exact result; ``casts.cast_text`` makes a CastRefused of it."""


# What assignment to a type with modifiers does to a value


def fit(text: str, target: SqlType) -> str:
    """The text of a value of the right type once it is assigned to ``target``, with its length or precision.

    Raises Unfit where the value is too long or too great (PostgreSQL's documentation, 10.4 "Value Storage").
    """
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
        raise Unfit(f"it has {len(text)} characters, and {size} are allowed")
    # What a char is padded with is not part of its text.
    return text[:size].rstrip(" ") if target.name == "char" else text[:size]


def _fit_numeric(text: str, precision: int, scale: int) -> str:
    if text == "NaN":
        return text
    if text in _SPECIAL:
        raise Unfit("only a numeric without a precision holds infinity")
    value = Decimal(text).quantize(Decimal(1).scaleb(-scale, _EXACT), context=_EXACT)
    if value and value.adjusted() >= precision - scale:
        raise Unfit(f"it must be less than 10^{precision - scale}")
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
        raise Unfit("rounded it is later than the year 9999") from None


# Numbers


def numeric_from_string(text: str) -> str:
    """A string read as a numeric, with the digits after the point that its exponent leaves."""
    match = re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,6}))?", text)
    if not match or len(text) > _LONGEST_NUMBER or abs(int(match[1] or 0)) > _LONGEST_NUMBER:
        raise Unfit(f"it must be a decimal number of at most {_LONGEST_NUMBER} digits")
    return decimal_text(Decimal(text))


def whole(target: str) -> Callable[[str], str]:
    """From an integer or numeric, rounded half away from zero."""
    return lambda text: _in_range(_finite(text).to_integral_value(context=_EXACT), target)


def whole_from_float(target: str, read: Callable[[str], float] = float) -> Callable[[str], str]:
    """From a floating-point number, which C's rint() rounds half to even."""
    return lambda text: _in_range(
        _EXACT.create_decimal_from_float(read(str(_finite(text)))).to_integral_value(ROUND_HALF_EVEN, _EXACT),
        target,
    )


def whole_from_string(target: str) -> Callable[[str], str]:
    """From a string of decimal digits, with or without a sign."""

    def convert(text: str) -> str:
        if not re.fullmatch(r"[+-]?[0-9]{1,100}", text):
            raise Unfit("it must be decimal digits, with or without a sign")
        return _in_range(Decimal(text), target)

    return convert


def _finite(text: str) -> Decimal:
    if text in _SPECIAL:
        raise Unfit("it must be a finite number")
    return Decimal(text)


def _in_range(value: Decimal, target: str) -> str:
    limit = LIMITS[target]
    if not -limit <= value < limit:
        raise Unfit(f"it must be from {-limit} to {limit - 1}")
    return str(int(value))


def double(text: str) -> str:
    """A decimal number read as double precision; too small for it is an error, as too great is."""
    value = float(text)
    if text not in _SPECIAL and (math.isinf(value) or (not value and Decimal(text))):
        raise Unfit("it is out of the range of double precision")
    return float8_text(value)


def double_from_string(text: str) -> str:
    """A string that is a decimal number, as double precision prints it."""
    numeric_from_string(text)
    return double(text)


def single(text: str) -> float:
    """The single-precision number that a text stands for."""
    value = float(text)
    nearest: float = struct.unpack("f", struct.pack("f", value))[0]
    mirrored = 2 * value - nearest
    if struct.unpack("f", struct.pack("f", mirrored))[0] != mirrored:
        return nearest
    # The double lies halfway between two singles; which one is nearer, only the digits themselves say.
    return min(nearest, mirrored, key=lambda near: abs(Fraction(near) - Fraction(text)))


def double_from_single(text: str) -> str:
    """A single-precision number as double precision prints it: with the digits that it has in binary."""
    return text if text in _SPECIAL else float8_text(single(text))


def numeric_from_double(text: str) -> str:
    """PostgreSQL takes 15 significant digits of a double (DBL_DIG in its source, float8_numeric)."""
    return text if text in _SPECIAL else decimal_text(Decimal(f"{float(text):.15g}"))


# Booleans and uuids


def boolean_from_string(text: str) -> str:
    """``true`` and ``false`` alone, of all that PostgreSQL reads."""
    if text not in ("true", "false"):
        raise Unfit("it must be true or false")
    return text


def boolean_from_whole(text: str) -> str:
    """False for zero, true for any other integer."""
    return "false" if text == "0" else "true"


def uuid_from_string(text: str) -> str:
    """A uuid in its standard form, in either case."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise Unfit("it must be 32 hexadecimal digits with hyphens after 8, 12, 16 and 20 of them")
    return text.lower()


# Dates and times

_EPOCH = datetime(2000, 1, 1)
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"


def date_from_string(text: str) -> str:
    """A date of the years 1 to 9999 in ISO form; raises Unfit for a day that there is not."""
    if not re.fullmatch(_DATE, text):
        raise Unfit("it must be a date such as 2020-01-31")
    return _timestamp(f"{text} 00:00:00").date().isoformat()


def timestamp_from_string(text: str) -> str:
    """A timestamp of the years 1 to 9999 in ISO form, without the zeros at its end."""
    if not re.fullmatch(f"{_DATE} {_TIME}", text):
        raise Unfit("it must be a timestamp such as 2020-01-31 12:00:00.5")
    return _timestamp_text(_timestamp(text))


def timestamptz_from_string(text: str) -> str:
    """The same with the offset ``+00``."""
    if not text.endswith("+00"):
        raise Unfit("it must be a timestamp in UTC such as 2020-01-31 12:00:00+00")
    return timestamp_from_string(text.removesuffix("+00")) + "+00"


def _timestamp(text: str) -> datetime:
    if not re.fullmatch(f"{_DATE} {_TIME}", text):
        raise Unfit("fractions of a second are computed in the years 1 to 9999")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Unfit(f"there is no such time: {error}") from None


def _timestamp_text(value: datetime) -> str:
    text = value.isoformat(" ")
    return text.rstrip("0") if value.microsecond else text


def midnight(zone: str) -> Callable[[str], str]:
    """From a date to its first instant, which a timestamp holds up to the year 294276."""

    def convert(text: str) -> str:
        date, era = _without_era(text)
        if text in ("infinity", "-infinity"):
            return text
        if not era and int(date.split("-")[0]) > _LAST_TIMESTAMP_YEAR:
            raise Unfit(f"timestamps end with the year {_LAST_TIMESTAMP_YEAR}")
        return f"{date} 00:00:00{zone}{era}"

    return convert


def day(text: str) -> str:
    """The day of a timestamp, with or without its zone."""
    instant, era = _without_era(text)
    return instant.split(" ")[0] + era


def with_zone(text: str) -> str:
    """A timestamp read as UTC."""
    instant, era = _without_era(text)
    return text if text in ("infinity", "-infinity") else f"{instant}+00{era}"


def without_zone(text: str) -> str:
    """An instant as the timestamp that it is in UTC."""
    instant, era = _without_era(text)
    return instant.removesuffix("+00") + era


def _without_era(text: str) -> tuple[str, str]:
    return (text.removesuffix(" BC"), " BC") if text.endswith(" BC") else (text, "")


# JSON


def jsonb_from_json(text: str) -> str:
    """JSON as jsonb writes it: keys by length and bytes, the last of equal keys, numbers as numerics."""
    try:
        value = json.loads(
            text, parse_int=_json_number, parse_float=_json_number, parse_constant=_refuse_constant
        )
        return _jsonb_text(value)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"it cannot be read as JSON: {error}") from None


def _json_number(text: str) -> Decimal:
    return Decimal(numeric_from_string(text))


def _refuse_constant(name: str) -> None:
    raise Unfit(f"JSON has no {name}")


def _jsonb_text(value: object) -> str:
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
        return "{" + ", ".join(f"{_jsonb_text(key)}: {_jsonb_text(item)}" for key, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_jsonb_text, value)) + "]"
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, str) and "\0" in value:
        raise Unfit("a string of jsonb cannot hold the character NUL")
    text = json.dumps(value, ensure_ascii=False)
    text.encode()  # a lone surrogate, which jsonb refuses as well, is a ValueError here
    return text
