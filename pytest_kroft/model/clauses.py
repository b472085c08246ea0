"""Column constraints written as SQL (``"NOT NULL UNIQUE"``), taken apart into the fields of a definition."""

from __future__ import annotations

import re
from dataclasses import dataclass

IDENTIFIER = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_QUALIFIED = rf"{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})?"
_ACTION = (
    r"\s+(?:ON\s+(?:DELETE|UPDATE)\s+(?:CASCADE|RESTRICT|NO\s+ACTION|SET\s+NULL|SET\s+DEFAULT)"
    r"|MATCH\s+(?:FULL|PARTIAL|SIMPLE))\b"
)
_TAKEN = "\0"
"""Stands where a clause was taken out; SQL cannot hold it."""
_FOLLOWING = (
    rf"\s*(?:$|{_TAKEN}|\b(?:NOT|NULL|UNIQUE|PRIMARY|CHECK|REFERENCES|GENERATED|DEFAULT|COLLATE|DEFERRABLE"
    r"|INITIALLY|STORAGE|COMPRESSION)\b)"
)

# All are matched against the masked text, in which what parentheses hold is a row of x.
_CLAUSES = {
    "identity": r"\bGENERATED\s+(?P<identity>ALWAYS|BY\s+DEFAULT)\s+AS\s+IDENTITY\b",
    "generated": r"\bGENERATED\s+ALWAYS\s+AS\s*\((?P<generated>x*)\)\s*STORED\b",
    "check": r"\bCHECK\s*\((?P<check>x*)\)(?!\s*NO\s+INHERIT)",
    "references": rf"\bREFERENCES\s+(?P<references>{_QUALIFIED}(?:\s*\(x*\))?(?:{_ACTION})*)",
    "default": rf"\bDEFAULT\s+(?P<default>[^\s{_TAKEN}][^{_TAKEN}]*?)(?={_FOLLOWING})",
    "primary_key": r"\bPRIMARY\s+KEY\b",
    "unique": r"\bUNIQUE\b(?!\s+NULLS)",
    "not_null": r"\bNOT\s+NULL\b",
    "null": r"\bNULL\b",
}
_TOKEN = re.compile(r"""E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|.""", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Clauses:
    """What a text of column constraints says; ``rest`` is what was not understood and stays SQL."""

    identity: str | None = None
    generated: str | None = None
    check: str | None = None
    references: str | None = None
    default: str | None = None
    primary_key: bool = False
    unique: bool = False
    not_null: bool = False
    null: bool = False
    rest: str = ""


def split_clauses(text: str) -> Clauses:
    """Take a text of column constraints apart; from a named constraint on it stays whole, with the name."""
    text = text.strip()
    masked = _masked(text)
    named = re.search(r"\bCONSTRAINT\b", masked, re.IGNORECASE)
    end = named.start() if named else len(text)
    text, masked, kept = text[:end], masked[:end], text[end:]
    found: dict[str, str | bool] = {}
    for clause, pattern in _CLAUSES.items():
        match = re.search(pattern, masked, re.IGNORECASE | re.DOTALL)
        if match:
            value = text[slice(*match.span(clause))] if clause in match.groupdict() else True
            found[clause] = value.strip() if isinstance(value, str) else value
            text = f"{text[: match.start()]} {_TAKEN} {text[match.end() :]}"
            masked = f"{masked[: match.start()]} {_TAKEN} {masked[match.end() :]}"
    if isinstance(found.get("identity"), str):
        found["identity"] = " ".join(str(found["identity"]).lower().split())
    rest = [text[slice(*word.span())] for word in re.finditer(rf"[^\s{_TAKEN}]+", masked)]
    return Clauses(**found, rest=" ".join(filter(None, [*rest, kept])))  # type: ignore[arg-type]


def _masked(text: str) -> str:
    """The text, just as long, with x for all that quotes and parentheses hold: no clause is there."""
    parts, depth = [], 0
    for token in _TOKEN.findall(text):
        depth -= token in ")]"
        if depth > 0:
            parts.append("x" * len(token))
        elif len(token) > 1:
            quote = token[-1]
            parts.append(token[: token.index(quote) + 1] + "x" * (len(token.partition(quote)[2]) - 1) + quote)
        else:
            parts.append(token)
        depth += token in "(["
    return "".join(parts)


def names_in(constraint: str, kind: str) -> tuple[str, ...] | None:
    """The columns of a table constraint ``kind (a, b)``, or None where it is another kind."""
    pattern = (
        rf"^\s*(?:CONSTRAINT\s+{IDENTIFIER}\s+)?{kind}\s*\(\s*({IDENTIFIER}(?:\s*,\s*{IDENTIFIER})*)\s*\)\s*$"
    )
    match = re.match(pattern, constraint, re.IGNORECASE)
    if not match:
        return None
    return tuple(unquote(name) for name in re.findall(IDENTIFIER, match[1]))


def mentions(sql: str, column: str) -> bool:
    """Whether SQL that kroft does not understand has a word that could be the column's name."""
    return column in map(unquote, re.findall(IDENTIFIER, sql))


def unquote(identifier: str) -> str:
    """The name that an SQL identifier stands for: folded to lower case unless quoted."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()
