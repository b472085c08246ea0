"""One comparison of a CHECK: its tokens, and what it demands of a column.

Understood are comparisons of the column or of its length with constants, ``BETWEEN``, ``[NOT] IN``,
``= ANY (ARRAY[...])`` and ``<> ALL (ARRAY[...])``, with parentheses and casts: what people write, and how
``pg_get_constraintdef`` prints it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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
_AFTER_A_TYPE = ("and", "or", "in", "is", "not", "between")
_INTEGERS = ("smallint", "integer", "bigint")
_LENGTHS = ("char_length", "character_length", "length")


class NotUnderstood(Exception):
    """A part of a CHECK has a form that is not read."""


def tokens(text: str) -> list[str]:
    """The tokens of a condition, names in lower case, strings in their quotes; raises NotUnderstood."""
    found, position = [], 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match or match.group().strip().startswith("E'"):
            raise NotUnderstood
        token = match[match.lastgroup or 0]
        found.append(token.lower() if match.lastgroup == "name" and not token.startswith('"') else token)
        position = match.end()
    return found


class Comparison:
    """Reads one comparison from left to right; raises NotUnderstood at the first surprise.

    Attributes:
        casts: The types that the column itself was cast to, as they are written.
        exact: Whether no constant was cast in a way that may change it, such as ``(1.5)::integer``.
    """

    def __init__(self, tokens: list[str], column: str) -> None:
        self._tokens, self._column, self._at = tokens, column, 0
        self.casts: set[str] = set()
        self.exact = True

    def read(self, condition: Condition) -> Condition:
        """The condition, and what the comparison demands too."""
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
            raise NotUnderstood
        return condition.also_length(operator, int(constant))

    def _among(self, condition: Condition, subject: str, constants: tuple[str, ...]) -> Condition:
        if subject != "value":
            raise NotUnderstood
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
                raise NotUnderstood
            self._expect(")")
            subject = "length"
        elif token == "(":
            subject = self._subject()
            self._expect(")")
        elif self._names_column(token):
            subject = "value"
        else:
            raise NotUnderstood
        self.casts.update(self._casts())
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
            raise NotUnderstood
        self.exact = self.exact and all(_keeps(constant, cast) for cast in self._casts())
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

    def _casts(self) -> list[str]:
        """The types of the casts that stand here, each as it is written."""
        found = []
        while self._take("::"):
            words = [self._next()]
            while (token := self._peek()) and token[0].isalpha() and token not in _AFTER_A_TYPE:
                words.append(self._next())
            if self._peek() == "(":
                words.append(f"({','.join(self._list('(', ')'))})")
            while (token := self._peek()) in ("with", "without", "time", "zone"):
                words.append(self._next())
            if self._take("["):
                self._expect("]")
            found.append(" ".join(words))
        return found

    def _operator(self) -> str:
        token = self._next()
        if token not in _FLIPPED:
            raise NotUnderstood
        return token

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        token = self._peek()
        if token is None:
            raise NotUnderstood
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        taken = self._peek() == token
        self._at += taken
        return taken

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise NotUnderstood

    def _end(self, condition: Condition) -> Condition:
        if self._peek() is not None:
            raise NotUnderstood
        return condition


def _keeps(constant: str, cast: str) -> bool:
    """Whether a constant is the same after a cast: not cut to a length, a scale or whole numbers."""
    if cast in _INTEGERS:
        return constant.lstrip("-").isdigit()
    return "(" not in cast
