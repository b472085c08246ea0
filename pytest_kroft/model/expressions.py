"""SQL expressions that kroft can evaluate itself: constants, and a closed set of generated columns.

An expression outside this set is not refused: the server's results are then read back after the
operation and kept as ``Observed`` records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_kroft.errors import DefinitionError, ValueRefused
from pytest_kroft.model.clauses import IDENTIFIER, unquote
from pytest_kroft.model.literals import canonical, is_opaque
from pytest_kroft.model.types import SqlType, parse_type, quote

_CAST = r"""(?:\s*::\s*(?P<cast>(?:"(?:[^"]|"")+"|[\w. ])+(?:\([\d\s,]+\)[\w ]*)?(?:\s*\[\s*\])*))?"""
_STRING = re.compile(rf"(?P<escaped>E?)'(?P<text>(?:[^']|'')*)'{_CAST}", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(rf"(?P<text>[-+]?\d[\d.]*(?:e[-+]?\d+)?|true|false|null){_CAST}", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)

Function = Callable[[str | None], str | None]


@dataclass(frozen=True, slots=True)
class Computed:
    """How a generated column is computed: from the columns of these ids, by kroft or by the server.

    ``function`` is None where only the server can tell.
    """

    sources: frozenset[int]
    function: Function | None = None


def is_null(text: str | None) -> str:
    """``column IS NULL`` as the server prints it."""
    return "true" if text is None else "false"


def char_length(text: str | None) -> str | None:
    """``char_length(column)`` of a text column."""
    return None if text is None else str(len(text))


_FORMS: tuple[tuple[str, Function], ...] = (
    (rf"^\(?\s*({IDENTIFIER})\s+IS\s+NULL\s*\)?$", is_null),
    (rf"^\(?\s*char_length\(\s*({IDENTIFIER})\s*\)\s*\)?$", char_length),
)


def computed(expression: str, columns: Mapping[str, tuple[int, SqlType]]) -> Computed:
    """How a generated column's expression is computed, given the ids and types of the table's columns."""
    for pattern, function in _FORMS:
        match = re.match(pattern, expression.strip(), re.IGNORECASE)
        if match and (source := columns.get(unquote(match[1]))) and _exact(function, source[1]):
            return Computed(frozenset({source[0]}), function)
    mentioned = {unquote(name) for name in re.findall(IDENTIFIER, expression)}
    return Computed(frozenset(number for name, (number, _) in columns.items() if name in mentioned))


def _exact(function: Function, sql_type: SqlType) -> bool:
    return function is is_null or (sql_type.name in ("text", "varchar") and not sql_type.array)


def generated_forms(name: str, sql_type: SqlType) -> tuple[tuple[str, str], ...]:
    """The (type, expression) pairs of generated columns that evolution may add over a column."""
    forms = [("boolean", f"{quote(name)} IS NULL")]
    if _exact(char_length, sql_type):
        forms.append(("integer", f"char_length({quote(name)})"))
    return tuple(forms)


def is_constant(expression: str) -> bool:
    """Whether a default is a literal, perhaps cast once: a quoted string, a number, true, false or NULL."""
    return _read(expression) is not None


def constant(expression: str, sql_type: SqlType) -> str | None:
    """The cell that a constant default leaves in a column of that type.

    Raises ValueRefused where the constant is no value of the type or kroft cannot tell its spelling.
    """
    found = _read(expression)
    if found is None:
        raise ValueRefused(expression, str(sql_type), "only a literal can be evaluated")
    text, cast = found
    if text is None:
        return None
    for step in (cast, sql_type) if cast and cast != sql_type else (sql_type,):
        text = text if is_opaque(step, text) else canonical(step, text)
    return text


def _read(expression: str) -> tuple[str | None, SqlType | None] | None:
    """The text of a literal, None for NULL, and the type that it is cast to; None for another expression."""
    string = _STRING.fullmatch(expression.strip())
    match = string or _PLAIN.fullmatch(expression.strip())
    if match is None:
        return None
    try:
        cast = parse_type(match["cast"]) if match["cast"] else None
    except DefinitionError:
        return None
    text: str | None = match["text"]
    if string:
        text = match["text"].replace("''", "'")
        escapes = set(_ESCAPE.findall(text)) if match["escaped"] else set()
        # Of the escapes that PostgreSQL knows only the doubled backslash is one that `literal` writes.
        return (_ESCAPE.sub(r"\1", text) if escapes else text, cast) if escapes <= {"\\"} else None
    if match["text"].lower() == "null":
        return None, cast
    # A bare number is read as a number, a bare word as a truth, whatever the column's type is.
    return text, cast or parse_type("boolean" if match["text"].isalpha() else "numeric")


def literal(text: str | None, sql_type: SqlType) -> str:
    """A cell as an SQL literal: ``'1.50'::numeric(10,2)``, NULL."""
    if text is None:
        return "NULL"
    quoted = "'" + text.replace("'", "''") + "'"
    if "\\" in text:
        quoted = "E" + quoted.replace("\\", "\\\\")
    if sql_type.name == "regrole" and not sql_type.array:
        # A default may not hold a constant of this type; cast from text it is no constant.
        return f"{quoted}::text::{sql_type}"
    return f"{quoted}::{sql_type}"
