"""Texts: text, varchar, char, name, "char" and refcursor, by the column's name or in plain words."""

from __future__ import annotations

import string
from collections.abc import Callable

from pytest_kroft.model.generators.bits import (
    Maker,
    Request,
    letters,
    pool_maker,
    scramble,
    strings_up_to,
)
from pytest_kroft.model.generators.names import WORDS, pool, text_kind

_ALPHABET = string.ascii_lowercase + string.digits
_SHORT = 8
"""Up to this length a unique text is a bare counter: there is no room for words."""
_NAME_BYTES = 63
_SINGLE = tuple(string.ascii_letters + string.digits)
_SEPARATORS = {
    "email": ".",
    "url": "/",
    "user_name": "_",
    "slug": "-",
    "code": "-",
    "token": "-",
    "phone": "x",
}
"""What stands before the number of a unique text; never a digit, so that the number can be read back."""
_PHRASES = 1024
_TRIES = 32


def text(request: Request) -> Maker:
    """text, varchar(n), char(n), name and refcursor within their length and that of a check."""
    longest = _longest(request)
    shortest = request.condition.min_length
    if longest is not None:
        shortest = min(shortest, longest)
    draw = _longer(_without(_drawer(request, longest), request.condition.excluded), shortest)
    if longest is not None and longest <= _SHORT:
        size, shortest = len(_ALPHABET), max(shortest, 1)
        first, strings = strings_up_to(size, shortest - 1), strings_up_to(size, longest, shortest)
        return Maker(draw, lambda number, _: letters(first + number, _ALPHABET), strings)
    capacity = None if longest is None or longest > 19 else 10**longest - 1
    counter = _counter(text_kind(request.name) or "", draw, longest)
    return Maker(draw, _padded(counter, shortest), capacity)


def single(request: Request) -> Maker:
    """The internal one-byte type ``"char"``."""
    return pool_maker(_SINGLE)


def words(bits: int, count: int) -> str:
    """So many plain words."""
    found = []
    for _ in range(count):
        bits, index = divmod(bits, len(WORDS))
        found.append(WORDS[index])
    return " ".join(found)


def _longest(request: Request) -> int | None:
    limits: list[int | None] = [request.condition.max_length]
    if request.type.name == "name":
        limits.append(_NAME_BYTES)
    elif request.type.modifiers:
        limits.append(request.type.modifiers[0])
    known = [limit for limit in limits if limit is not None]
    return max(min(known), 0) if known else None


def _drawer(request: Request, longest: int | None) -> Callable[[int], str]:
    kind = text_kind(request.name)
    if kind == "token":
        return lambda bits: f"{bits:016x}{scramble(bits):016x}"[:longest]
    if kind == "code":
        return lambda bits: (
            f"{_ALPHABET[bits % 26].upper()}{_ALPHABET[bits // 26 % 26].upper()}-{bits // 676 % 10_000:04d}"[
                :longest
            ]
        )
    texts = _fitting(pool(kind), longest) if kind else ()
    if len(texts) < (8 if longest is not None else 1):
        texts = _fitting(_phrases(), longest) or tuple(dict.fromkeys(word[:longest] for word in WORDS))
    size = len(texts)
    return lambda bits: texts[bits % size]


def _fitting(texts: tuple[str, ...], longest: int | None) -> tuple[str, ...]:
    return tuple(text for text in texts if longest is None or len(text.encode()) <= longest)


def _phrases() -> tuple[str, ...]:
    return tuple(words(scramble(number), 1 + number % 3) for number in range(_PHRASES))


def _without(draw: Callable[[int], str], excluded: tuple[str, ...]) -> Callable[[int], str]:
    if not excluded:
        return draw

    def other(bits: int) -> str:
        text = draw(bits)
        for _ in range(_TRIES):
            if text not in excluded:
                break
            bits = scramble(bits)
            text = draw(bits)
        return text

    return other


def _longer(draw: Callable[[int], str], shortest: int) -> Callable[[int], str]:
    """Texts of at least ``shortest`` characters: letters are added to those that are too short."""
    if shortest <= 1:
        return draw
    return lambda bits: draw(bits).ljust(shortest, _ALPHABET[bits % 26])


def _counter(kind: str, draw: Callable[[int], str], longest: int | None) -> Callable[[int, int], str]:
    """A plausible text that ends in the number, or, for an e-mail address, has it before the ``@``."""
    if kind == "token" and (longest is None or longest >= 32):
        return lambda number, bits: f"{scramble(bits):016x}{number + 1:016x}"
    separator = _SEPARATORS.get(kind, " ")

    def count(number: int, bits: int) -> str:
        base, suffix = draw(bits).rstrip("/"), f"{separator}{number + 1}"
        local, at, domain = base.partition("@")
        if kind == "email" and (longest is None or len(base) + len(suffix) <= longest):
            return f"{local}{suffix}{at}{domain}"
        return _joined(local, suffix, longest)

    return count


def _joined(base: str, suffix: str, longest: int | None) -> str:
    if longest is None:
        return base + suffix
    room = longest - len(suffix)
    if room <= 0:
        return suffix[1:]
    return _cut(base, room) + suffix


def _cut(text: str, size: int) -> str:
    """At most so many bytes: ``name`` counts them, and for the others it does no harm."""
    return text.encode()[:size].decode(errors="ignore").rstrip()


def _padded(count: Callable[[int, int], str], shortest: int) -> Callable[[int, int], str]:
    """At least so many characters, by letters in front, where they leave the number alone."""
    if shortest <= 1:
        return count
    return lambda number, bits: count(number, bits).rjust(shortest, "x")
