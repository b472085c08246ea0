"""What all generators are made of: 64 random bits, spans of integers, and the pair of functions of a type.

SplitMix64 is Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd

from pytest_kroft.model.conditions import NO_CONDITION, Condition
from pytest_kroft.model.types import SqlType

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
"""The odd step of SplitMix64."""


def scramble(bits: int) -> int:
    """The next 64 bits after these: one step of SplitMix64, a bijection of the 64-bit integers."""
    z = (bits + GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def bits_of(first: int, count: int) -> list[int]:
    """``first`` and the bits that follow from it, ``count`` in all."""
    found = [first]
    while len(found) < count:
        found.append(scramble(found[-1]))
    return found


@dataclass(frozen=True, slots=True)
class Maker:
    """How to make values of one column.

    ``draw`` turns 64 random bits into a text. ``count`` turns a number from 0 on, with bits for
    decoration, into a text, and never two numbers below ``capacity`` into the same value;
    ``capacity`` None means that 64-bit numbers are no limit.
    """

    draw: Callable[[int], str]
    count: Callable[[int, int], str]
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a generator is asked for: a type, and what is known of the column.

    ``style`` is the name of one of ``pytest_kroft.model.generators.styles``.
    """

    type: SqlType
    name: str = ""
    condition: Condition = NO_CONDITION
    labels: tuple[str, ...] = ()
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The integers ``low`` to ``high`` but for ``without``, counted from ``start`` on in steps of ``stride``.

    The count wraps at the end, so that it reaches each of them once.
    """

    low: int
    high: int
    start: int
    stride: int
    skipped: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many integers it holds."""
        return self.high - self.low + 1 - len(self.skipped)

    def at(self, number: int) -> int:
        """The integer of that number, from 0 to ``size`` - 1."""
        for skipped in self.skipped:
            number += number >= skipped
        return self.low + (self.start - self.low + number * self.stride) % (self.high - self.low + 1)


def span(
    low: int, high: int, *, start: int | None = None, stride: int = 1, without: Sequence[int] = ()
) -> Span:
    """The span of ``low`` to ``high``; the stride is raised until it meets every integer of the span."""
    size = high - low + 1
    start = low if start is None or not low <= start <= high else start
    while gcd(stride, size) != 1:
        stride += 1
    back = pow(stride, -1, size)
    inside = {value for value in without if low <= value <= high}
    return Span(low, high, start, stride, tuple(sorted((value - start) * back % size for value in inside)))


def span_maker(plain: Span, every: Span, show: Callable[[int], str]) -> Maker:
    """Draws from the plausible values, counts through all of them."""
    size, at, count_at = plain.size, plain.at, every.at
    if plain.stride == 1 and not plain.skipped and plain.start == plain.low:
        low = plain.low
        return Maker(
            lambda bits: show(low + bits % size), lambda number, _: show(count_at(number)), every.size
        )
    return Maker(lambda bits: show(at(bits % size)), lambda number, _: show(count_at(number)), every.size)


def pool_maker(pool: Sequence[str]) -> Maker:
    """Values out of a fixed list without repetitions."""
    texts = tuple(pool)
    size = len(texts)
    return Maker(lambda bits: texts[bits % size], lambda number, _: texts[number], size)


def numerals(number: int, base: int) -> list[int]:
    """Bijective numeration: 0 is the empty list, then come the lists of digits below ``base``, by length."""
    found = []
    while number:
        number, digit = divmod(number - 1, base)
        found.append(digit)
    return found[::-1]


def letters(number: int, alphabet: str) -> str:
    """The string over ``alphabet`` of that number, in the order of ``numerals``."""
    return "".join(alphabet[digit] for digit in numerals(number, len(alphabet)))


def strings_up_to(size: int, length: int, shortest: int = 0) -> int:
    """How many strings of ``shortest`` to ``length`` letters an alphabet of ``size`` letters has."""
    return int(sum(size**n for n in range(shortest, length + 1)))
