"""CHECK conditions of a simple form, read so that generated values satisfy them.

Understood are comparisons of the column or of its length with constants, ``BETWEEN``, ``[NOT] IN``,
``= ANY (ARRAY[...])`` and ``<> ALL (ARRAY[...])``, with ``AND`` between them, parentheses and casts: what
people write, and how ``pg_get_constraintdef`` prints it. Anything else is left out: the server still
checks it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from pytest_kroft.model.clauses import unquote


@dataclass(frozen=True, slots=True)
class Condition:
    """What a check demands of one column; constants are the text of their literals.

    ``lower`` and ``upper`` are (constant, is it itself allowed) pairs, all of which hold;
    ``allowed`` is None where nothing lists the values.
    """

    lower: tuple[tuple[str, bool], ...] = ()
    upper: tuple[tuple[str, bool], ...] = ()
    allowed: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()
    min_length: int = 0
    max_length: int | None = None

    def also(self, operator: str, constant: str) -> Condition:
        """The condition, and ``column operator constant`` too."""
        if operator in (">", ">="):
            return replace(self, lower=(*self.lower, (constant, operator == ">=")))
        if operator in ("<", "<="):
            return replace(self, upper=(*self.upper, (constant, operator == "<=")))
        if operator in ("<>", "!="):
            return replace(self, excluded=(*self.excluded, constant))
        return self.among((constant,))

    def among(self, constants: tuple[str, ...]) -> Condition:
        """The condition, and the value is one of ``constants``."""
        kept = constants if self.allowed is None else tuple(c for c in self.allowed if c in constants)
        return replace(self, allowed=tuple(dict.fromkeys(kept)))

    def also_length(self, operator: str, constant: int) -> Condition:
        """The condition, and ``length(column) operator constant`` too."""
        low, high = self.min_length, self.max_length
        if operator in (">", ">=", "="):
            low = max(low, constant + (operator == ">"))
        if operator in ("<", "<=", "="):
            limit = constant - (operator == "<")
            high = limit if high is None else min(high, limit)
        return replace(self, min_length=low, max_length=high)


NO_CONDITION = Condition()

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>E?'(?:[^']|'')*')
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<name>"(?:[^"]|"")+"|[^\W\d][\w$]*)
      | (?P<symbol>::|<>|!=|>=|<=|[-+()\[\],<>=.])
    )""",
    re.VERBOSE,
)
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>", "!=": "!="}
_LENGTHS = ("char_length", "character_length", "length")


class _NotUnderstood(Exception):
    pass


@lru_cache(maxsize=1024)
def parse_condition(check: str | None, column: str) -> Condition:
    """What ``check`` demands of ``column``; the empty condition where it is not understood."""
    if not check:
        return NO_CONDITION
    try:
        parts = _conjuncts(_tokens(check))
    except _NotUnderstood:
        return NO_CONDITION
    condition = NO_CONDITION
    for part in parts:
        try:
            condition = _Part(part, column).read(condition)
        except _NotUnderstood:
            continue
    return condition


def _tokens(text: str) -> list[str]:
    """The tokens, key words in lower case, string literals kept with a leading quote."""
    tokens, position = [], 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match or match.group().strip().startswith("E'"):
            raise _NotUnderstood
        token = match[match.lastgroup or 0]
        tokens.append(token.lower() if match.lastgroup == "name" and not token.startswith('"') else token)
        position = match.end()
    return tokens


def _conjuncts(tokens: list[str]) -> list[list[str]]:
    """The parts between the ANDs outside parentheses, with the parentheses around each taken off."""
    tokens = _bare(tokens)
    parts: list[list[str]] = [[]]
    depth, between = 0, False
    for token in tokens:
        depth += (token in "([") - (token in ")]")
        if depth == 0 and token == "or":
            return []
        if depth == 0 and token == "and" and not between:
            parts.append([])
            continue
        if depth == 0:
            between = token == "between" or (between and token != "and")
        parts[-1].append(token)
    return [tokens] if len(parts) == 1 else [inner for part in parts for inner in _conjuncts(part)]


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
    raise _NotUnderstood


class _Part:
    """Reads one comparison from left to right; raises _NotUnderstood at the first surprise."""

    def __init__(self, tokens: list[str], column: str) -> None:
        self._tokens, self._column, self._at = tokens, column, 0

    def read(self, condition: Condition) -> Condition:
        if self._peek() is not None and self._is_constant():
            constant, operator = self._constant(), self._operator()
            return self._end(self._compare(condition, self._subject(), _FLIPPED[operator], constant))
        subject = self._subject()
        if self._take("between"):
            low = self._constant()
            self._expect("and")
            condition = self._compare(condition, subject, ">=", low)
            return self._end(self._compare(condition, subject, "<=", self._constant()))
        if self._take("in"):
            return self._end(self._among(condition, subject, self._list("(", ")")))
        if self._take("not"):
            self._expect("in")
            return self._end(self._without(condition, subject, self._list("(", ")")))
        operator = self._operator()
        if operator == "=" and self._take("any"):
            return self._end(self._among(condition, subject, self._array()))
        if operator in ("<>", "!=") and self._take("all"):
            return self._end(self._without(condition, subject, self._array()))
        return self._end(self._compare(condition, subject, operator, self._constant()))

    def _compare(self, condition: Condition, subject: str, operator: str, constant: str) -> Condition:
        if subject == "value":
            return condition.also(operator, constant)
        if operator in ("<>", "!=") or not constant.lstrip("-").isdigit():
            raise _NotUnderstood
        return condition.also_length(operator, int(constant))

    def _among(self, condition: Condition, subject: str, constants: tuple[str, ...]) -> Condition:
        if subject != "value":
            raise _NotUnderstood
        return condition.among(constants)

    def _without(self, condition: Condition, subject: str, constants: tuple[str, ...]) -> Condition:
        for constant in constants:
            condition = self._compare(condition, subject, "<>", constant)
        return condition

    def _subject(self) -> str:
        """``value`` or ``length``: the column itself, or its length, maybe in parentheses and cast."""
        token = self._next()
        if token in _LENGTHS and self._peek() == "(":
            self._expect("(")
            if self._subject() != "value":
                raise _NotUnderstood
            self._expect(")")
            subject = "length"
        elif token == "(":
            subject = self._subject()
            self._expect(")")
        elif self._names_column(token):
            subject = "value"
        else:
            raise _NotUnderstood
        self._casts()
        return subject

    def _names_column(self, token: str) -> bool:
        return (token[0] == '"' or token[0].isalpha() or token[0] == "_") and unquote(token) == self._column

    def _is_constant(self) -> bool:
        rest = [token for token in self._tokens[self._at :] if token not in ("(", "-", "+")]
        return bool(rest) and (rest[0][0] in "'." or rest[0][0].isdigit())

    def _constant(self) -> str:
        token = self._next()
        if token == "(":
            constant = self._constant()
            self._expect(")")
        elif token in ("-", "+"):
            number = self._constant()
            constant = number if token == "+" else "-" + number
        elif token[0] == "'":
            constant = token[1:-1].replace("''", "'")
        elif token[0].isdigit() or token[0] == "." or token in ("true", "false"):
            constant = token
        elif self._peek() and self._peek()[0] == "'":  # type: ignore[index]
            constant = self._constant()
        else:
            raise _NotUnderstood
        self._casts()
        return constant

    def _list(self, opening: str, closing: str) -> tuple[str, ...]:
        self._expect(opening)
        constants = [self._constant()]
        while self._take(","):
            constants.append(self._constant())
        self._expect(closing)
        return tuple(constants)

    def _array(self) -> tuple[str, ...]:
        """``(ARRAY['a', 'b'])`` with any parentheses and casts that the server prints around it."""
        if self._take("array"):
            constants = self._list("[", "]")
        else:
            self._expect("(")
            constants = self._array()
            self._expect(")")
        self._casts()
        return constants

    def _casts(self) -> None:
        while self._take("::"):
            self._next()
            while (token := self._peek()) and (token[0].isalpha() and token not in ("and", "in", "between")):
                self._at += 1
            if self._peek() == "(":
                self._list("(", ")")
            if self._take("["):
                self._expect("]")

    def _operator(self) -> str:
        token = self._next()
        if token not in _FLIPPED:
            raise _NotUnderstood
        return token

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        token = self._peek()
        if token is None:
            raise _NotUnderstood
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        taken = self._peek() == token
        self._at += taken
        return taken

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _NotUnderstood

    def _end(self, condition: Condition) -> Condition:
        if self._peek() is not None:
            raise _NotUnderstood
        return condition
