"""CHECK conditions of a simple form, read so that generated values satisfy them.

Understood are comparisons (``pytest_kroft.model.comparisons``) with ``AND`` between them, beside
``column IS NULL OR``, and an ``OR`` of lists of constants. Anything else is left out: the server still
checks it, and ``understood`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from pytest_kroft.model.clauses import unquote, without_not_null
from pytest_kroft.model.comparisons import NO_CONDITION, Comparison, Condition, NotUnderstood, tokens

__all__ = ["NO_CONDITION", "Condition", "Reading", "parse_condition", "read_check", "understood"]

_TEXT_CASTS = frozenset({"text", "character varying", "varchar", "bpchar", "character"})
_WIDER_CASTS = frozenset({"numeric", "double precision"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a check.

    ``whole`` says whether nothing was left out; ``as_text`` and ``as_number`` whether the column was cast
    to a text or a number, which means the same for a column of that family only.
    """

    condition: Condition = NO_CONDITION
    whole: bool = True
    as_text: bool = False
    as_number: bool = False

    def also(self, condition: Condition, part: Comparison) -> Reading:
        """The reading, and a comparison that led to ``condition``."""
        plain = part.casts <= _TEXT_CASTS | _WIDER_CASTS
        return Reading(
            condition,
            self.whole and plain and part.exact,
            self.as_text or bool(part.casts & _TEXT_CASTS),
            self.as_number or bool(part.casts & _WIDER_CASTS),
        )


def parse_condition(check: str | None, column: str) -> Condition:
    """What ``check`` demands of ``column``; the empty condition where it is not understood."""
    return read_check(check, column).condition


def understood(check: str, column: str) -> bool:
    """Whether every part of ``check`` was read.

    ``column IS NOT NULL`` counts as read where a ``ColumnDefinition`` takes it for NOT NULL. Whether the
    values of a type honour what was read is for ``pytest_kroft.model.honouring`` to say.
    """
    rest, _ = without_not_null(check, column)
    return read_check(rest, column).whole


@lru_cache(maxsize=1024)
def read_check(check: str | None, column: str) -> Reading:
    """What ``check`` demands of ``column``, and whether that is all of it."""
    if not check:
        return Reading()
    try:
        parts = _joined_by("and", tokens(check))
    except NotUnderstood:
        return Reading(whole=False)
    reading = Reading()
    for part in parts:
        try:
            reading = _read_part(reading, part, column)
        except NotUnderstood:
            reading = replace(reading, whole=False)
    return reading


def _read_part(reading: Reading, part: list[str], column: str) -> Reading:
    """The reading, and one part of it without an AND outside parentheses; raises NotUnderstood."""
    alternatives = list(_alternatives(part, column))
    if len(alternatives) > 1:
        return _among_any(reading, alternatives, column)
    for conjunct in _joined_by("and", alternatives[0]):
        if len(_joined_by("or", conjunct)) > 1:
            raise NotUnderstood
        comparison = Comparison(conjunct, column)
        reading = reading.also(comparison.read(reading.condition), comparison)
    return reading


def _alternatives(part: list[str], column: str) -> Iterator[list[str]]:
    """What an OR joins, but for ``column IS NULL``, of which a CHECK makes nothing."""
    found = _joined_by("or", part)
    left = [tokens for tokens in found if not _is_null(tokens, column)]
    # Where nothing else is said, only NULL is allowed, and that is another rule.
    yield from left or found


def _is_null(part: list[str], column: str) -> bool:
    name, rest = _bare(part[:-2]), part[-2:]
    return rest == ["is", "null"] and len(name) == 1 and unquote(name[0]) == column


def _among_any(reading: Reading, alternatives: list[list[str]], column: str) -> Reading:
    """The reading, and the value is in one of these lists of constants; raises NotUnderstood."""
    allowed: list[str] = []
    for part in alternatives:
        comparison = Comparison(part, column)
        found = comparison.read(NO_CONDITION)
        if found.allowed is None or found != NO_CONDITION.among(found.allowed):
            raise NotUnderstood
        allowed += found.allowed
        reading = reading.also(reading.condition, comparison)
    return replace(reading, condition=reading.condition.among(tuple(allowed)))


def _joined_by(word: str, tokens: list[str]) -> list[list[str]]:
    """What ``word`` joins outside parentheses, also in those that stand around each part.

    An OR binds less than an AND: where there is one, an AND joins nothing but it.
    """
    tokens = _bare(tokens)
    parts: list[list[str]] = [[]]
    depth, between = 0, False
    for token in tokens:
        depth += (token in "([") - (token in ")]")
        if depth == 0 and token == "or" != word:
            return [tokens]
        if depth == 0 and token == word and not between:
            parts.append([])
            continue
        if depth == 0:
            between = token == "between" or (between and token != "and")
        parts[-1].append(token)
    return [tokens] if len(parts) == 1 else [inner for part in parts for inner in _joined_by(word, part)]


def _bare(tokens: list[str]) -> list[str]:
    while len(tokens) > 2 and tokens[0] == "(" and _closing(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _closing(tokens: list[str]) -> int:
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if depth == 0:
            return index
    raise NotUnderstood
