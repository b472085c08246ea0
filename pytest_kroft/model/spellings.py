"""How PostgreSQL prints values: the text that ``value::text`` gives under the settings that kroft pins.

Those are TimeZone=UTC, DateStyle='ISO, MDY', IntervalStyle=postgres, extra_float_digits=1,
bytea_output=hex and lc_monetary=C (PostgreSQL docs, chapter 8, "Data Types"). An element of an array is
printed by its type's output function, which for a few types differs from the cast to text.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

from pytest_kroft.model.types import SqlType

SECOND = 1_000_000
"""Microseconds in a second."""
DAY = 86_400 * SECOND
"""Microseconds in a day."""

_EPOCH = datetime(1970, 1, 1)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FLOAT8_DIGITS, _FLOAT4_DIGITS = 15, 6
_MOST_DIGITS = 17
"""So many digits tell any two doubles apart."""
_EXACT = Context(prec=800, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""The caller's context must not matter. No double has more than 767 digits: nothing is rounded."""
# The server's white space is that of ASCII alone.
_ARRAY_QUOTED = re.compile(r'["\\{} \t-\r]|\A\Z|\Anull\Z', re.IGNORECASE)
_RANGE_QUOTED = re.compile(r'["\\()\[\], \t-\r]|\A\Z')


def scaled_text(units: int, scale: int) -> str:
    """``units`` / 10**``scale`` with exactly ``scale`` decimals, as numeric prints it."""
    if scale <= 0:
        return str(units * 10**-scale)
    digits = str(abs(units)).zfill(scale + 1)
    return f"{'-' if units < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def decimal_text(value: Decimal) -> str:
    """A finite decimal without exponent and with its own scale; numeric knows no negative zero."""
    text = format(value, "f")
    return text.removeprefix("-") if not value else text


def float8_text(value: float) -> str:
    """A double in the shortest digits that read back as the same value."""
    if not math.isfinite(value):
        return _not_finite(value)
    if 1e-4 <= abs(value) < 1e15:  # here Python spells it alike
        return repr(value).removesuffix(".0")
    size = abs(value)
    return _float_text(value, _FLOAT8_DIGITS, math.nextafter(size, 0), math.nextafter(size, math.inf))


def float4_text(value: float) -> str:
    """A double rounded to single precision, in the shortest digits that read back as the same value.

    Raises OverflowError where the value is beyond single precision.
    """
    if not math.isfinite(value):
        return _not_finite(value)
    single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    (bits,) = struct.unpack("<i", struct.pack("<f", abs(single)))
    below, above = (struct.unpack("<f", struct.pack("<i", max(bits + step, 0)))[0] for step in (-1, 1))
    return _float_text(single, _FLOAT4_DIGITS, below, above)


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _float_text(value: float, exponent_from: int, below: float, above: float) -> str:
    """With an exponent where PostgreSQL writes one: below 1e-4, and from 10**``exponent_from`` on.

    ``below`` and ``above`` are the neighbours of the value's size.
    """
    sign = "-" if math.copysign(1, value) < 0 else ""
    if value == 0:
        return f"{sign}0"
    number = _shortest(abs(value), below, above).normalize(_EXACT)
    exponent = number.adjusted()
    if -4 <= exponent < exponent_from:
        return sign + format(number, "f")
    first, *rest = map(str, number.as_tuple().digits)
    fraction = "." + "".join(rest) if rest else ""
    return f"{sign}{first}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _shortest(value: float, below: float, above: float) -> Decimal:
    """The shortest decimal nearer to the value than to its neighbours.

    Unlike Python's ``repr``, PostgreSQL takes none that lies just between two values: 1e23 prints as
    9.999999999999999e+22 (docs, chapter 8.1.3).
    """
    exact, under = Fraction(value), Fraction(below)
    over = Fraction(above) if math.isfinite(above) else 2 * exact - under
    low, high = (exact + under) / 2, (exact + over) / 2
    exponent = _EXACT.create_decimal_from_float(value).adjusted()
    for digits in range(1, _MOST_DIGITS + 1):
        places = digits - 1 - exponent
        step = Fraction(10) ** -places
        units = exact // step
        found = [n for n in (units, units + 1) if low < n * step < high]
        if found:
            nearest = min(found, key=lambda n: (abs(n * step - exact), n % 2))
            return Decimal(nearest).scaleb(-places, _EXACT)
    return Decimal(repr(value))


def money_text(cents: int) -> str:
    """An amount of money: ``$1,234.50``, ``-$0.05``."""
    return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def date_text(days: int) -> str:
    """The date so many days after 1970-01-01; years 1 to 9999."""
    return date.fromordinal(_EPOCH_ORDINAL + days).isoformat()


def timestamp_text(micros: int) -> str:
    """The timestamp so many microseconds after 1970-01-01; years 1 to 9999."""
    text = (_EPOCH + timedelta(microseconds=micros)).isoformat(" ")
    return text.rstrip("0") if micros % SECOND else text


def timestamptz_text(micros: int) -> str:
    """The same instant as timestamptz prints it in UTC."""
    return timestamp_text(micros) + "+00"


def time_text(micros: int) -> str:
    """A time of day, so many microseconds after midnight; 24:00:00 is one too."""
    seconds, fraction = divmod(micros, SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def offset_text(seconds: int) -> str:
    """A time zone's offset, east positive: ``+00``, ``-05:30``."""
    size = abs(seconds)
    text = f"{'-' if seconds < 0 else '+'}{size // 3600:02d}"
    if size % 3600:
        text += f":{size // 60 % 60:02d}"
    return text + (f":{size % 60:02d}" if size % 60 else "")


def interval_text(months: int, days: int, micros: int) -> str:
    """An interval in the style ``postgres``: ``1 year 2 mons -3 days +04:05:06``."""
    years, months = int(math.copysign(abs(months) // 12, months)), int(math.fmod(months, 12))
    parts: list[str] = []
    negative = False
    for count, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if count:
            parts.append(f"{'+' if negative and count > 0 else ''}{count} {unit}{'' if count == 1 else 's'}")
            negative = count < 0
    if micros or not parts:
        parts.append(("-" if micros < 0 else "+" if negative else "") + time_text(abs(micros)))
    return " ".join(parts)


def bytea_text(value: bytes) -> str:
    r"""Bytes in hexadecimal: ``\x00ff``."""
    return "\\x" + value.hex()


def ipv4_text(address: int) -> str:
    """A 32-bit address with dots."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def mac_text(address: int, size: int) -> str:
    """A hardware address of so many bytes, with colons."""
    return address.to_bytes(size, "big").hex(":")


def element_text(sql_type: SqlType, text: str) -> str:
    """What an array shows of an element whose cast to text is ``text``: the type's output function."""
    if sql_type.name == "boolean":
        return text[0]
    if sql_type.name == "inet":
        return text.removesuffix("/128" if ":" in text else "/32")
    if sql_type.name in ("char", "bpchar") and sql_type.modifiers and sql_type.builtin:
        return text.ljust(sql_type.modifiers[0])
    return text


def element_printer(sql_type: SqlType) -> Callable[[str], str]:
    """The function that prints one element of an array: its output function, then quotes where needed."""
    delimiter = ";" if sql_type.name == "box" else ","

    def show(text: str) -> str:
        text = element_text(sql_type, text)
        if delimiter in text or _ARRAY_QUOTED.search(text):
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return text

    return show


def array_text(sql_type: SqlType, elements: Iterable[str | None]) -> str:
    """A one-dimensional array of elements given as their cast to text; ``sql_type`` is the element's."""
    show = element_printer(sql_type)
    delimiter = ";" if sql_type.name == "box" else ","
    return "{" + delimiter.join("NULL" if text is None else show(text) for text in elements) + "}"


def range_text(lower: str | None, upper: str | None, bounds: str = "[)") -> str:
    """A range of two bounds; None is no bound, which is never inclusive."""
    left = "(" if lower is None else bounds[0]
    right = ")" if upper is None else bounds[1]
    return f"{left}{_bound_text(lower)},{_bound_text(upper)}{right}"


def _bound_text(text: str | None) -> str:
    if text is None:
        return ""
    if _RANGE_QUOTED.search(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'
    return text
