"""Named styles of values, for columns whose rules were learnt.

A style narrows what a column holds: texts of one form, numbers or moments within bounds, ranges that do
not overlap. Like any maker it is a function of a cell's bits, and distinct by number where it counts.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from pytest_kroft.errors import DefinitionError, listing
from pytest_kroft.model.conditions import Condition
from pytest_kroft.model.generators import network, times
from pytest_kroft.model.generators.bits import Maker, Request, letters, pool_maker, scramble, strings_up_to
from pytest_kroft.model.generators.names import WORDS
from pytest_kroft.model.generators.structures import RANGES
from pytest_kroft.model.spellings import date_text, range_text
from pytest_kroft.model.types import SqlType

TextStyle = Callable[[int | None], Maker | None]
"""Makes texts of one form, of at most so many characters; None where none of them is so short."""

_TEXTS = frozenset({"text", "varchar", "char", "bpchar", "name"})
_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision", "money"})
_MOMENTS = frozenset({"date", "timestamp", "timestamptz"})
_PLAIN = tuple(sorted({word.lower() for word in WORDS if word.isascii()}))
_DIGITS_AS_LETTERS = "abcdefghij"
_DAYS = times.LAST_DAY - times.COUNT_FROM
_NAME_BYTES = 63


def slug(room: int | None) -> Maker | None:
    """``amber-lamp-7``: lower case letters, digits and single hyphens, a letter first."""
    return _worded(room, "-")


def identifier(room: int | None) -> Maker | None:
    """``amber_lamp_7``: lower case letters, digits and underscores, a letter first."""
    return _worded(room, "_")


def lower_letters(room: int | None) -> Maker | None:
    """``amberlampxb``: letters of lower case alone."""
    return _worded(room, "x", _DIGITS_AS_LETTERS, between="")


def upper_letters(room: int | None) -> Maker | None:
    """``AMBERLAMPXB``: letters of upper case alone."""
    plain = _worded(room, "x", _DIGITS_AS_LETTERS, between="")
    return plain and Maker(
        lambda bits: plain.draw(bits).upper(), lambda n, bits: plain.count(n, bits).upper(), plain.capacity
    )


def lower_words(room: int | None) -> Maker | None:
    """``amber lamp b``: words of lower case letters with single blanks between them."""
    return _worded(room, " ", _DIGITS_AS_LETTERS)


def email(room: int | None) -> Maker | None:
    """``amber.lamp.7@example.com``."""
    return _worded(room, ".", tail="@example.com" if room is None or room >= 20 else "@b.co")


def url(room: int | None) -> Maker | None:
    """``https://example.com/amber-lamp-7``."""
    return _worded(room, "-", head="https://example.com/")


def path(room: int | None) -> Maker | None:
    """``/amber/lamp/7``."""
    return _worded(room, "/", head="/")


def digits(room: int | None) -> Maker | None:
    """``4711``: digits alone."""
    return _numbered(room, 1, 18, lambda number: str(number + 1), lambda room: 10**room - 1, drawn=10**6)


def hexadecimal(room: int | None) -> Maker | None:
    """``00beef00cafe0007``: an even number of hexadecimal digits in lower case."""
    size = 16 if room is None else min(room // 2 * 2, 16)
    return _hex(size) if size else None


def md5(room: int | None) -> Maker | None:
    """32 hexadecimal digits."""
    return _hex(32) if room is None or room >= 32 else None


def sha1(room: int | None) -> Maker | None:
    """40 hexadecimal digits."""
    return _hex(40) if room is None or room >= 40 else None


def sha256(room: int | None) -> Maker | None:
    """64 hexadecimal digits."""
    return _hex(64) if room is None or room >= 64 else None


def uuid(room: int | None) -> Maker | None:
    """A random UUID as text."""
    return network.uuids(Request(SqlType("uuid"))) if room is None or room >= 36 else None


def phone(room: int | None) -> Maker | None:
    """``+12025550100``: a number as E.164 writes it."""
    return _numbered(room, 12, 12, lambda number: f"+1{2_000_000_000 + number}", lambda _: 8 * 10**9)


def date(room: int | None) -> Maker | None:
    """``2000-01-01`` and the days after it."""
    return _numbered(room, 10, 10, lambda n: date_text(times.COUNT_FROM + n), lambda _: _DAYS, drawn=9000)


def timestamp(room: int | None) -> Maker | None:
    """``2000-01-01T00:00:00Z`` and the minutes after it."""

    def show(number: int) -> str:
        day, minute = divmod(number, 1440)
        return f"{date_text(times.COUNT_FROM + day)}T{minute // 60:02d}:{minute % 60:02d}:00Z"

    return _numbered(room, 20, 20, show, lambda _: _DAYS * 1440, drawn=9000 * 1440)


def json(room: int | None) -> Maker | None:
    """``{"id": 7}``."""
    return _numbered(room, 9, 26, lambda n: f'{{"id": {n}}}', lambda room: 10 ** (room - 8), drawn=10**6)


def semver(room: int | None) -> Maker | None:
    """``1.20.3``: three numbers with points between them."""
    base = 10 ** (6 if room is None else min((room - 2) // 3, 6))

    def show(number: int) -> str:
        return f"{number // base // base}.{number // base % base}.{number % base}"

    return _numbered(room, 5, 20, show, lambda _: base**3)


def two_letters(room: int | None) -> Maker | None:
    """``AB``: a code of two capitals."""
    return _code(room, 2)


def three_letters(room: int | None) -> Maker | None:
    """``ABC``: a code of three capitals."""
    return _code(room, 3)


TEXT_STYLES: dict[str, TextStyle] = {
    "slug": slug,
    "identifier": identifier,
    "letters": lower_letters,
    "upper": upper_letters,
    "digits": digits,
    "hex": hexadecimal,
    "lower words": lower_words,
    "email": email,
    "url": url,
    "path": path,
    "uuid": uuid,
    "phone": phone,
    "date": date,
    "timestamp": timestamp,
    "json": json,
    "semver": semver,
    "two letters": two_letters,
    "three letters": three_letters,
    "md5": md5,
    "sha1": sha1,
    "sha256": sha256,
}
"""Forms of texts, in the order in which they are tried."""

_PAST, _FUTURE = (("2020-01-01", False),), (("2100-01-01", True),)

BOUNDED_STYLES: dict[str, tuple[frozenset[str], Condition]] = {
    "positive": (_NUMBERS, Condition(lower=(("0", False),))),
    "small": (_NUMBERS, Condition(lower=(("1", True),), upper=(("100", True),))),
    "percent": (_NUMBERS, Condition(lower=(("0", True),), upper=(("100", True),))),
    "zero to one": (_NUMBERS, Condition(lower=(("0", True),), upper=(("1", True),))),
    "negative": (_NUMBERS, Condition(upper=(("0", False),))),
    "past": (_MOMENTS, Condition(upper=_PAST)),
    "future": (_MOMENTS, Condition(lower=_FUTURE)),
}
"""Numbers and moments within bounds: the types that they are for, and the bounds."""

DISJOINT = "disjoint"
"""Ranges, boxes and circles, each overlapping no other: what EXCLUDE USING gist asks for."""

STYLES = (*TEXT_STYLES, *BOUNDED_STYLES, DISJOINT)
"""The names of all styles."""


@lru_cache(maxsize=256)
def styles_for(sql_type: SqlType) -> tuple[str, ...]:
    """The names of the styles that a type has values of."""
    return tuple(name for name in STYLES if _fits(name, sql_type))


def made(request: Request) -> Maker | None:
    """The maker of a style that makes its values itself; None for another style, or an unfit type."""
    if request.type.array or request.style is None:
        return None
    if request.style == DISJOINT:
        return _disjoint(request.type)
    style = TEXT_STYLES.get(request.style)
    return style(_room(request)) if style and request.type.name in _TEXTS else None


def narrowed(request: Request) -> Request:
    """The request without its style, but with the bounds of it where the type is one that they are for.

    Raises DefinitionError for a style that does not exist. A column may be retyped: a style that its new
    type has no values of says nothing.
    """
    if request.style not in STYLES:
        raise DefinitionError(
            f"there is no style {request.style!r}; the styles are: {listing(STYLES)}", column=request.name
        )
    types, bounds = BOUNDED_STYLES.get(request.style, (frozenset(), Condition()))
    if request.type.array or request.type.name not in types:
        return replace(request, style=None)
    lower, upper = request.condition.lower + bounds.lower, request.condition.upper + bounds.upper
    return replace(request, style=None, condition=replace(request.condition, lower=lower, upper=upper))


def _fits(style: str, sql_type: SqlType) -> bool:
    if style in BOUNDED_STYLES:
        return not sql_type.array and sql_type.name in BOUNDED_STYLES[style][0]
    return made(Request(sql_type, style=style)) is not None


def _room(request: Request) -> int | None:
    limits = [request.condition.max_length, *request.type.modifiers]
    limits.append(_NAME_BYTES if request.type.name == "name" else None)
    return min((limit for limit in limits if limit is not None), default=None)


def _worded(
    room: int | None,
    separator: str,
    numerals: str = string.digits,
    *,
    head: str = "",
    tail: str = "",
    between: str | None = None,
) -> Maker | None:
    """Two words, or what fits of them, and a number after the last separator, which tells rows apart."""
    inner = None if room is None else room - len(head) - len(tail)
    if inner is not None and inner < 3:
        return None
    joint, size = separator if between is None else between, len(_PLAIN)

    def core(bits: int, left: int | None) -> str:
        return f"{_PLAIN[bits % size]}{joint}{_PLAIN[bits // size % size]}"[:left].rstrip(separator)

    def count(number: int, bits: int) -> str:
        suffix = separator + letters(number + 1, numerals)
        return head + core(bits, None if inner is None else inner - len(suffix)) + suffix + tail

    capacity = None if inner is None or inner > 20 else strings_up_to(len(numerals), inner - 2, 1)
    return Maker(lambda bits: head + core(bits, inner) + tail, count, capacity)


def _numbered(
    room: int | None,
    least: int,
    most: int,
    show: Callable[[int], str],
    capacity: Callable[[int], int],
    *,
    drawn: int | None = None,
) -> Maker | None:
    """Texts that show a number; of ``least`` to ``most`` characters, so many as there is room for."""
    if room is not None and room < least:
        return None
    size = capacity(most if room is None else min(room, most))
    some = min(size, drawn or size)
    return Maker(lambda bits: show(bits % some), lambda number, _: show(number), size)


def _hex(size: int) -> Maker:
    """So many hexadecimal digits; the first 16 are the cell's bits, which no other row has."""

    def draw(bits: int) -> str:
        text = f"{bits:016x}"
        while len(text) < size:
            bits = scramble(bits)
            text += f"{bits:016x}"
        return text[:size]

    if size < 16:
        return Maker(draw, lambda number, _: f"{number:0{size}x}", 16**size)
    return Maker(draw, lambda _, bits: draw(bits))


def _code(room: int | None, size: int) -> Maker | None:
    if room is not None and room < size:
        return None
    return pool_maker(_codes(size))


@lru_cache
def _codes(size: int) -> list[str]:
    capitals = string.ascii_uppercase
    first = strings_up_to(len(capitals), size - 1)
    return [letters(first + number, capitals) for number in range(len(capitals) ** size)]


_SLOTS = {"int4": 8, "int8": 1000, "num": 1000, "date": 2, "ts": 3600, "tstz": 3600}
"""For each kind of range: the room that each of them has."""


def _disjoint(sql_type: SqlType) -> Maker | None:
    if sql_type.name == "box":
        return _apart(lambda number, _: f"({2 * number + 1},1),({2 * number},0)", 10**9)
    if sql_type.name == "circle":
        return _apart(lambda number, _: f"<({3 * number},0),1>", 10**9)
    kind = sql_type.name.removesuffix("range").removesuffix("multi")
    if kind not in RANGES or not sql_type.name.endswith("range"):
        return None
    show, first, last = RANGES[kind]
    slot, several = _SLOTS[kind], sql_type.name.endswith("multirange")

    def between(number: int, bits: int) -> str:
        low = first + number * slot
        text = range_text(show(low), show(low + 1 + bits % (slot - 1)))
        return f"{{{text}}}" if several else text

    return _apart(between, (last - first) // slot)


def _apart(show: Callable[[int, int], str], capacity: int) -> Maker:
    return Maker(lambda bits: show(bits % capacity, scramble(bits)), show, capacity)
