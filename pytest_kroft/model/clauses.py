"""Column constraints written as SQL (``"NOT NULL UNIQUE"``), taken apart into the fields of a definition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pytest_kroft.errors import DefinitionError

IDENTIFIER = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_QUALIFIED = rf"{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})?"
_ACTION = (
    r"\s+(?:ON\s+(?:DELETE|UPDATE)\s+(?:CASCADE|RESTRICT|NO\s+ACTION|SET\s+(?:NULL|DEFAULT)(?:\s*\(x*\))?)"
    r"|MATCH\s+(?:FULL|PARTIAL|SIMPLE)|(?:NOT\s+)?DEFERRABLE|INITIALLY\s+(?:DEFERRED|IMMEDIATE))(?!\w)"
)
_TAKEN = "\0"
"""Stands where a clause was taken out; SQL cannot hold it."""
_FOLLOWING = (
    rf"\s*(?:$|{_TAKEN}|\b(?:NOT|NULL|UNIQUE|PRIMARY|CHECK|REFERENCES|GENERATED|DEFAULT|COLLATE|DEFERRABLE"
    r"|INITIALLY|STORAGE|COMPRESSION|CONSTRAINT)\b)"
)
NAMED = rf"(?:CONSTRAINT\s+{IDENTIFIER}\s+)?"

# All are matched against the masked text, in which what parentheses hold is a row of x.
_CLAUSES = {
    "identity": r"GENERATED\s+(?P<identity>ALWAYS|BY\s+DEFAULT)\s+AS\s+IDENTITY\b",
    "generated": r"GENERATED\s+ALWAYS\s+AS\s*\((?P<generated>x*)\)\s*STORED\b",
    "check": r"CHECK\s*\((?P<check>x*)\)(?!\s*(?:NO\s+INHERIT|(?:NOT\s+)?ENFORCED))",
    "references": rf"REFERENCES\s+(?P<references>{_QUALIFIED}(?:\s*\(x*\))?(?:{_ACTION})*)",
    "default": rf"DEFAULT\s+(?P<default>[^\s{_TAKEN}][^{_TAKEN}]*?)(?={_FOLLOWING})",
    "primary_key": r"PRIMARY\s+KEY\b",
    "unique": r"UNIQUE\b(?!\s+NULLS)",
    "not_null": r"NOT\s+NULL\b",
    "null": r"NULL\b",
}
_REFUSED = {
    r"\bNULLS\s+NOT\s+DISTINCT\b": "UNIQUE NULLS NOT DISTINCT is not supported; make it UNIQUE and NOT NULL",
    r"\bGENERATED\b": "only GENERATED ALWAYS AS (...) STORED and AS IDENTITY are supported, not {!r}",
    r"\b(?:UNIQUE|PRIMARY|REFERENCES|FOREIGN|EXCLUDE|DEFAULT)\b": "{!r} is not understood or not supported",
}
"""What would contradict the state if it stayed SQL, and what is said then."""
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
    """Take a text of column constraints apart; a constraint that is understood loses its name.

    Of several CHECKs all hold. Raises DefinitionError for a clause that is given twice, and for one
    that kroft does not understand although it decides which values the column holds.
    """
    text = text.strip()
    if not text:
        return Clauses()
    masked = _masked(text)
    found: dict[str, str | bool] = {}
    for clause, pattern in _CLAUSES.items():
        values, text, masked = _taken(clause, rf"\b{NAMED}{pattern}", text, masked)
        if values:
            found[clause] = _one(clause, values)
    rest = " ".join(text[slice(*word.span())] for word in re.finditer(rf"[^\s{_TAKEN}]+", masked))
    _refuse_rest(rest)
    return Clauses(**found, rest=rest)  # type: ignore[arg-type]


def _taken(clause: str, pattern: str, text: str, masked: str) -> tuple[list[str], str, str]:
    """Every value that a clause is given, and both texts without them."""
    values = []
    while match := re.search(pattern, masked, re.IGNORECASE | re.DOTALL):
        values.append(text[slice(*match.span(clause))].strip() if clause in match.groupdict() else "")
        text = f"{text[: match.start()]} {_TAKEN} {text[match.end() :]}"
        masked = f"{masked[: match.start()]} {_TAKEN} {masked[match.end() :]}"
    return values, text, masked


def _one(clause: str, values: list[str]) -> str | bool:
    """What a clause says that is given once or more; a clause without a value is True."""
    if clause == "identity":
        values = [" ".join(value.lower().split()) for value in values]
    if clause == "check":
        return both(*values)
    if len(set(values)) > 1:
        raise DefinitionError(f"{clause} is given twice in constraints: {values[0]!r} and {values[1]!r}")
    return values[0] or True


def _refuse_rest(rest: str) -> None:
    for pattern, reason in _REFUSED.items():
        if re.search(pattern, _masked(rest), re.IGNORECASE):
            raise DefinitionError(reason.format(rest))


def both(*checks: str | None) -> str:
    """The condition that all of these hold; as for several CHECKs, NULL is as good as true."""
    given = list(dict.fromkeys(check for check in checks if check))
    return given[0] if len(given) == 1 else " AND ".join(f"({check})" for check in given)


@lru_cache(maxsize=1024)
def without_not_null(check: str | None, column: str) -> tuple[str | None, bool]:
    """A condition without ``column IS NOT NULL`` among what it demands, and whether that was there."""
    if not check:
        return check, False
    parts = _conjuncts(check)
    pattern = rf"\s*({IDENTIFIER})\s+(?:IS\s+NOT\s+NULL|NOTNULL)\s*"
    matches = [re.fullmatch(pattern, part, re.IGNORECASE) for part in parts]
    kept = [p for p, m in zip(parts, matches, strict=True) if not m or unquote(m[1]) != column]
    return (check, False) if len(kept) == len(parts) else (both(*kept) or None, True)


def _conjuncts(condition: str) -> list[str]:
    """What an AND outside parentheses joins; the condition alone where it has an OR there."""
    condition = condition.strip()
    masked = _masked(condition)
    if re.fullmatch(r"\(x*\)", masked):
        return _conjuncts(condition[1:-1])
    if re.search(r"\bOR\b", masked, re.IGNORECASE):
        return [condition]
    # The first AND after a BETWEEN belongs to it.
    ands = re.finditer(r"\bBETWEEN\b.*?\bAND\b|\b(AND)\b", masked, re.IGNORECASE | re.DOTALL)
    cuts = [0, *(end for match in ands if match[1] for end in match.span()), len(condition)]
    parts = [condition[start:end] for start, end in zip(cuts[::2], cuts[1::2], strict=True)]
    return parts if len(parts) == 1 else [inner for part in parts for inner in _conjuncts(part)]


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
    pattern = rf"\s*{NAMED}{kind}\s*\(\s*({IDENTIFIER}(?:\s*,\s*{IDENTIFIER})*)\s*\)\s*"
    match = re.fullmatch(pattern, constraint, re.IGNORECASE)
    if not match:
        return None
    return tuple(unquote(name) for name in re.findall(IDENTIFIER, match[1]))


@dataclass(frozen=True, slots=True)
class OneColumn:
    """A table constraint that a column could have: the column, and what it says of it."""

    column: str
    not_null: bool = False
    references: str | None = None


def one_column(constraint: str) -> OneColumn | None:
    """What ``NOT NULL a`` or ``FOREIGN KEY (a) REFERENCES ...`` says; None for other table constraints."""
    required = re.fullmatch(rf"\s*{NAMED}NOT\s+NULL\s+({IDENTIFIER})\s*", constraint, re.IGNORECASE)
    if required:
        return OneColumn(unquote(required[1]), not_null=True)
    pattern = rf"\s*{NAMED}FOREIGN\s+KEY\s*\(\s*({IDENTIFIER})\s*\)\s*REFERENCES\b(.*)"
    foreign = re.fullmatch(pattern, constraint, re.IGNORECASE | re.DOTALL)
    return OneColumn(unquote(foreign[1]), references=foreign[2].strip()) if foreign else None


def is_check(constraint: str) -> bool:
    """Whether a table constraint is a CHECK or an EXCLUDE: a rule that kroft may not understand."""
    return re.match(rf"\s*{NAMED}(?:CHECK|EXCLUDE)\b", constraint, re.IGNORECASE) is not None


def table_check(constraint: str) -> str | None:
    """The condition of a table constraint ``CHECK (...)`` without more, or None where it is another."""
    match = re.fullmatch(rf"\s*{NAMED}CHECK\s*\((x*)\)\s*", _masked(constraint), re.IGNORECASE)
    return constraint[slice(*match.span(1))].strip() if match else None


def check_table_constraint(constraint: str) -> None:
    """Refuse a table constraint whose meaning for the rows would be unknown to the state.

    Raises DefinitionError for a text that is not one constraint, and for a NOT NULL, UNIQUE or PRIMARY
    KEY of another form than the plain one.
    """
    masked = _masked(constraint)
    if re.search(r"[,;]", masked):
        raise DefinitionError(f"give each table constraint as a string of its own, not {constraint!r}")
    if re.search(r"\bNULLS\s+NOT\s+DISTINCT\b", masked, re.IGNORECASE):
        raise DefinitionError(
            f"UNIQUE NULLS NOT DISTINCT is not supported: {constraint!r}; use UNIQUE and NOT NULL"
        )
    checked = re.match(rf"\s*{NAMED}(?:CHECK|EXCLUDE)\b", masked, re.IGNORECASE)
    keys = names_in(constraint, "UNIQUE") or names_in(constraint, r"PRIMARY\s+KEY")
    foreign = re.match(rf"\s*{NAMED}FOREIGN\s+KEY\s*\(", masked, re.IGNORECASE)
    if not (checked or keys or foreign or one_column(constraint)):
        raise DefinitionError(
            f"the table constraint {constraint!r} is not supported; allowed are UNIQUE (a, b), "
            "PRIMARY KEY (a, b), FOREIGN KEY (a, b) REFERENCES t (c, d), NOT NULL a, CHECK and EXCLUDE"
        )


def mentions(sql: str, column: str) -> bool:
    """Whether SQL that kroft does not understand has a word that could be the column's name."""
    return column in map(unquote, re.findall(IDENTIFIER, sql))


def unquote(identifier: str) -> str:
    """The name that an SQL identifier stands for: folded to lower case unless quoted."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()
