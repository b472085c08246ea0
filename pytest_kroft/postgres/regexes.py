"""Texts that a regular expression matches, made from the expression itself. Pure."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from pytest_kroft.model.generators.bits import scramble

_PRINTABLE = tuple(map(chr, range(33, 127)))
_TRIES = 6
"""How many texts are made for each one that is wanted: a short expression soon repeats itself."""
_CATEGORIES = {
    kinds.CATEGORY_DIGIT: r"\d",
    kinds.CATEGORY_NOT_DIGIT: r"\D",
    kinds.CATEGORY_SPACE: r"\s",
    kinds.CATEGORY_NOT_SPACE: r"\S",
    kinds.CATEGORY_WORD: r"\w",
    kinds.CATEGORY_NOT_WORD: r"\W",
}
_CLASSES = {
    "alpha": "a-zA-Z",
    "alnum": "a-zA-Z0-9",
    "digit": "0-9",
    "xdigit": "0-9a-fA-F",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "punct": "!-/:-@",
}


def texts_of(expression: str, count: int) -> list[str]:
    """Up to so many different texts that the expression matches, the shorter repetitions first.

    None for one that Python does not read as PostgreSQL does, or that looks around or refers back.
    """
    found: dict[str, None] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            spelled = _as_python(expression)
            tree, compiled = parser.parse(spelled), re.compile(spelled, re.ASCII)
        for number in range(count * _TRIES):
            if len(found) == count:
                break
            text = _Sampler(number).text(tree)
            if compiled.search(text):
                found.setdefault(text)
    except (re.error, NotImplementedError, RecursionError, OverflowError, Warning):
        return []
    return list(found)


def _as_python(expression: str) -> str:
    """The expression with the classes of POSIX, ``[[:alpha:]]``, as Python writes them."""
    for name, letters in _CLASSES.items():
        expression = expression.replace(f"[:{name}:]", letters)
    return expression


class _Sampler:
    """Makes one text: every choice is drawn from the text's number."""

    def __init__(self, number: int) -> None:
        self._bits = scramble(number)
        # Early texts repeat as little as they may, later ones more and more.
        self._more = 1 + number % 24

    def text(self, tree: Any) -> str:
        """A text for each part of a parsed expression, one after the other."""
        return "".join(self._part(kind, value) for kind, value in tree)

    def _below(self, count: int) -> int:
        self._bits = scramble(self._bits)
        return (self._bits >> 20) % count

    def _part(self, kind: Any, value: Any) -> str:
        if kind is kinds.LITERAL:
            return chr(value)
        if kind is kinds.AT:
            return ""
        if kind is kinds.ANY:
            return _PRINTABLE[self._below(len(_PRINTABLE))]
        if kind in (kinds.IN, kinds.NOT_LITERAL):
            letters = _letters(kind, value)
            return letters[self._below(len(letters))]
        if kind is kinds.BRANCH:
            return self.text(value[1][self._below(len(value[1]))])
        if kind is kinds.SUBPATTERN:
            return self.text(value[-1])
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            low, high, tree = value
            times = low + self._below(min(int(high) - low, self._more) + 1)
            return "".join(self.text(tree) for _ in range(times))
        raise NotImplementedError(kind)


def _letters(kind: Any, value: Any) -> list[str]:
    """The characters of a class: printable ones, and others where it names them itself."""
    if kind is kinds.NOT_LITERAL:
        return [letter for letter in _PRINTABLE if ord(letter) != value]
    negated = value[0][0] is kinds.NEGATE
    named = [letter for item in value[negated:] for letter in _named(*item)]
    found = [letter for letter in _PRINTABLE if letter not in named] if negated else named
    if not found:
        raise NotImplementedError(value)
    return found


def _named(kind: Any, value: Any) -> Iterator[str]:
    if kind is kinds.LITERAL:
        yield chr(value)
    elif kind is kinds.RANGE:
        yield from map(chr, range(value[0], min(value[1], value[0] + 256) + 1))
    elif kind is kinds.CATEGORY:
        expression = re.compile(_CATEGORIES[value], re.ASCII)
        yield from (letter for letter in (*_PRINTABLE, " ") if expression.match(letter))
    else:
        raise NotImplementedError(kind)
