"""Values made of others: documents, text search, arrays, ranges and multiranges."""

from __future__ import annotations

from collections.abc import Callable

from pytest_kroft.model.generators import times
from pytest_kroft.model.generators.bits import Maker, bits_of, numerals, scramble
from pytest_kroft.model.generators.names import WORDS
from pytest_kroft.model.generators.texts import words
from pytest_kroft.model.spellings import (
    SECOND,
    array_text,
    date_text,
    element_printer,
    range_text,
    scaled_text,
    timestamp_text,
    timestamptz_text,
)  # fmt: skip
from pytest_kroft.model.types import SqlType

_COUNT = len(WORDS)
_ASCII = tuple(sorted(word.lower() for word in WORDS if word.isascii()))
_PER_SECOND = 86_400


def documents(_: object) -> Maker:
    """json and jsonb: small objects, spelled as jsonb prints them."""

    def show(number: int, bits: int) -> str:
        name, kind = WORDS[bits % _COUNT], bits // _COUNT % 4
        parts = [f'"id": {number}', f'"name": "{name}"']
        if kind == 1:
            parts.append(f'"tags": ["{words(bits >> 20, 1)}", "{words(bits >> 30, 1)}"]')
        if kind == 2:
            parts.append(f'"price": {bits % 10_000 / 100:.2f}')
        if kind == 3:
            parts.append(f'"active": {"true" if bits >> 40 & 1 else "null"}')
        return "{" + ", ".join(parts) + "}"

    return Maker(
        lambda bits: show(bits % 10_000, scramble(bits)), lambda number, bits: show(number + 1, bits)
    )


def paths(_: object) -> Maker:
    """jsonpath: a member, an element."""
    return Maker(
        lambda bits: f'$."{WORDS[bits % _COUNT]}"[{bits // _COUNT % 100}]',
        lambda number, bits: f'$."{WORDS[bits % _COUNT]}"[{number % 2**31}]."{number // 2**31}"',
    )


def lexemes(_: object) -> Maker:
    """tsvector: words with their places, sorted by byte."""

    def show(found: list[str]) -> str:
        places = sorted((word, place) for place, word in enumerate(dict.fromkeys(found), 1))
        return " ".join(f"'{word}':{place}" for word, place in places)

    def some(bits: int) -> list[str]:
        return [_ASCII[more % len(_ASCII)] for more in bits_of(bits, 1 + bits % 4)]

    return Maker(
        lambda bits: show(some(scramble(bits))), lambda n, bits: show([*some(scramble(bits)), f"n{n + 1}"])
    )


def queries(_: object) -> Maker:
    """tsquery: one to three words with operators between them."""

    def show(bits: int, last: str) -> str:
        parts = [f"'{_ASCII[more % len(_ASCII)]}'" for more in bits_of(scramble(bits), bits % 3)]
        return (" & " if bits >> 8 & 1 else " <-> ").join([*parts, f"'{last}'"])

    return Maker(
        lambda bits: show(bits, _ASCII[bits % len(_ASCII)]), lambda number, bits: show(bits, f"n{number + 1}")
    )


def arrays(sql_type: SqlType, element: Maker) -> Maker:
    """One-dimensional arrays: of up to four elements, sometimes none, sometimes with a NULL."""
    show = element_printer(sql_type)
    comma = ";" if sql_type.name == "box" else ","

    def some(bits: int) -> list[str]:
        count = (0, 1, 1, 2, 2, 3, 3, 4)[bits >> 61]
        return [
            "NULL" if more >> 60 == 0 else show(element.draw(more)) for more in bits_of(scramble(bits), count)
        ]

    def draw(bits: int) -> str:
        return "{" + comma.join(some(bits)) + "}"

    def count(number: int, bits: int) -> str:
        if element.capacity is None or element.capacity > 2**62:
            return "{" + comma.join([show(element.count(number, bits)), *some(bits)]) + "}"
        digits = numerals(number, element.capacity)
        return array_text(sql_type, [element.count(digit, bits) for digit in digits])

    return Maker(draw, count)


def _exact(value: int) -> str:
    return scaled_text(value, 1)


RANGES: dict[str, tuple[Callable[[int], str], int, int]] = {
    "int4": (str, 1, 2**31 - 2**20),
    "int8": (str, 1, 2**62),
    "num": (_exact, 1, 2**62),
    "date": (date_text, times.COUNT_FROM, times.LAST_DAY - 2**12),
    "ts": (lambda seconds: timestamp_text(seconds * SECOND), times.COUNT_FROM * _PER_SECOND, 250_000_000_000),
    "tstz": (
        lambda seconds: timestamptz_text(seconds * SECOND),
        times.COUNT_FROM * _PER_SECOND,
        250_000_000_000,
    ),
}
"""For each kind of range: how a bound prints, the first counted bound and the last."""

_STEPS = {"ts": 3600, "tstz": 3600}


def ranges(sql_type: SqlType) -> Maker:
    """Ranges in canonical form, rarely empty or without an end; unique ones by their lower bound."""
    kind = sql_type.name.removesuffix("range")
    show, first, last = RANGES[kind]
    step = _STEPS.get(kind, 1)

    def between(low: int, bits: int) -> str:
        return range_text(show(low), show(low + (1 + bits % 100) * step))

    def draw(bits: int) -> str:
        rarely, low = bits >> 58, first + (bits & 0xFFFFF) % 5000 * step
        if rarely < 2:
            return "empty" if rarely else range_text(show(low), None)
        return between(low, bits >> 20)

    return Maker(draw, lambda number, bits: between(first + number, bits), last - first + 1)


def multiranges(sql_type: SqlType) -> Maker:
    """Up to three ranges that do not touch, in order; unique ones by their first lower bound."""
    kind = sql_type.name.removesuffix("multirange")
    show, first, last = RANGES[kind]
    step = _STEPS.get(kind, 1)

    def some(low: int, bits: int, count: int) -> str:
        parts = []
        for more in bits_of(bits, count):
            high = low + (1 + more % 50) * step
            parts.append(range_text(show(low), show(high)))
            low = high + (1 + (more >> 8) % 50) * step
        return "{" + ",".join(parts) + "}"

    def draw(bits: int) -> str:
        return some(first + (bits & 0xFFFFF) % 5000 * step, scramble(bits), (bits >> 32) % 4)

    def count(number: int, bits: int) -> str:
        return some(first + number, bits, 1 + bits % 3)

    return Maker(draw, count, last - first + 1)
