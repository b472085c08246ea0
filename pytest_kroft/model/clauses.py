"""Column constraints written as SQL (``"NOT NULL UNIQUE"``), taken apart into the fields of a definition."""

from __future__ import annotations

import re
from dataclasses import dataclass

IDENTIFIER = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_QUALIFIED = rf"{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})?"
_PARENTHESISED = r"\((?P<{name}>(?:[^()']|'(?:[^']|'')*'|\((?:[^()']|'(?:[^']|'')*'|\([^()]*\))*\))*)\)"

_CAST = r"(?:\s*::\s*[\w\"]+(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])?)?"

_CLAUSES = {
    "identity": r"\bGENERATED\s+(?P<identity>ALWAYS|BY\s+DEFAULT)\s+AS\s+IDENTITY\b",
    "generated": r"\bGENERATED\s+ALWAYS\s+AS\s*" + _PARENTHESISED.format(name="generated") + r"\s*STORED\b",
    "check": r"\bCHECK\s*" + _PARENTHESISED.format(name="check"),
    "references": rf"\bREFERENCES\s+(?P<references>{_QUALIFIED}(?:\s*\(\s*{IDENTIFIER}\s*\))?)"
    r"(?!\s*(?:\(|ON\b|MATCH\b))",
    "default": rf"\bDEFAULT\s+(?P<default>(?:E?'(?:[^']|'')*'|[-+]?[\w.]+(?:\([^()]*\))?){_CAST})",
    "primary_key": r"\bPRIMARY\s+KEY\b",
    "unique": r"\bUNIQUE\b(?!\s+NULLS)",
    "not_null": r"\bNOT\s+NULL\b",
    "null": r"\bNULL\b",
}


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
    """Take a text of column constraints apart; a named constraint stays whole, with its name."""
    if re.search(r"\bCONSTRAINT\b", text, re.IGNORECASE):
        return Clauses(rest=text.strip())
    found: dict[str, str | bool] = {}
    for clause, pattern in _CLAUSES.items():
        match = re.search(pattern, text, re.IGNORECASE | re.DOTALL)
        if match:
            found[clause] = match[clause] if clause in match.groupdict() else True
            text = text[: match.start()] + " " + text[match.end() :]
    if isinstance(found.get("identity"), str):
        found["identity"] = " ".join(str(found["identity"]).lower().split())
    return Clauses(**found, rest=" ".join(text.split()))  # type: ignore[arg-type]


def names_in(constraint: str, kind: str) -> tuple[str, ...] | None:
    """The columns of a table constraint ``kind (a, b)``, or None where it is another kind."""
    pattern = (
        rf"^\s*(?:CONSTRAINT\s+{IDENTIFIER}\s+)?{kind}\s*\(\s*({IDENTIFIER}(?:\s*,\s*{IDENTIFIER})*)\s*\)\s*$"
    )
    match = re.match(pattern, constraint, re.IGNORECASE)
    if not match:
        return None
    return tuple(unquote(name) for name in re.findall(IDENTIFIER, match[1]))


def unquote(identifier: str) -> str:
    """The name that an SQL identifier stands for: folded to lower case unless quoted."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()
