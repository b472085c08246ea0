"""Foreign keys: what a REFERENCES clause or a FOREIGN KEY constraint says, read from its SQL.

See PostgreSQL's documentation, chapter 5.5.5 ("Foreign Keys"), and the page of CREATE TABLE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.clauses import IDENTIFIER, NAMED, unquote

Action = Literal["no action", "restrict", "cascade", "set null", "set default"]
"""What happens to the rows that refer to one that goes or gets another key."""

_COLUMNS = rf"\(\s*({IDENTIFIER}(?:\s*,\s*{IDENTIFIER})*)\s*\)"
_TARGET = rf"\s*({IDENTIFIER})\s*(?:{_COLUMNS})?"
_ACTION = r"(CASCADE|RESTRICT|NO\s+ACTION|SET\s+NULL|SET\s+DEFAULT)"
_CLAUSES = (
    ("match", r"MATCH\s+(FULL|SIMPLE)\b"),
    ("on_delete", rf"ON\s+DELETE\s+{_ACTION}\b\s*(?:{_COLUMNS})?"),
    ("on_update", rf"ON\s+UPDATE\s+{_ACTION}\b"),
    ("deferrable", r"((?:NOT\s+)?DEFERRABLE)\b"),
    ("initially", r"INITIALLY\s+(DEFERRED|IMMEDIATE)\b"),
)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that hold the key of a row of another table, or of the same one.

    ``targets`` is empty where the primary key is meant. ``nulled`` are the columns that SET NULL and SET
    DEFAULT set, where not all. ``full`` is MATCH FULL: all columns are NULL, or none. ``deferred`` says
    whether the server looks for the row at the commit only.
    """

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...] = ()
    on_delete: Action = "no action"
    on_update: Action = "no action"
    nulled: tuple[str, ...] = ()
    full: bool = False
    deferred: bool = False


def parse_foreign_key(constraint: str) -> ForeignKey | None:
    """The foreign key that a table constraint is; None for another one.

    Raises DefinitionError for one that is not understood.
    """
    match = re.match(rf"\s*{NAMED}FOREIGN\s+KEY\s*{_COLUMNS}\s*REFERENCES\b", constraint, re.IGNORECASE)
    return parse_reference(constraint[match.end() :], _names(match[1])) if match else None


@lru_cache(maxsize=4096)
def parse_reference(text: str, columns: tuple[str, ...]) -> ForeignKey:
    """What stands behind REFERENCES: ``orders (id) ON DELETE CASCADE``.

    Raises DefinitionError for what is not understood.
    """
    target = re.match(_TARGET, text)
    if not target:
        raise _refuse(text)
    said, rest = _clauses(text[target.end() :].strip(), text)
    names = _names(target[2])
    if names and len(names) != len(columns):
        raise DefinitionError(f"the foreign key of {len(columns)} columns references {len(names)}: {text!r}")
    return ForeignKey(
        columns,
        unquote(target[1]),
        names,
        _action(said.get("on_delete")),
        _action(said.get("on_update")),
        rest,
        said.get("match") == "full",
        said.get("initially") == "deferred",
    )


def _clauses(rest: str, text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the clauses behind the target say, and the columns that ON DELETE SET ... names."""
    said: dict[str, str] = {}
    nulled: tuple[str, ...] = ()
    while rest:
        for clause, pattern in _CLAUSES:
            if match := re.match(pattern, rest, re.IGNORECASE):
                said[clause] = " ".join(match[1].lower().split())
                nulled = _names(match[2]) if clause == "on_delete" else nulled
                rest = rest[match.end() :].strip()
                break
        else:
            raise _refuse(text)
    return said, nulled


def _action(said: str | None) -> Action:
    return cast("Action", said or "no action")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(unquote(name) for name in re.findall(IDENTIFIER, text or ""))


def _refuse(text: str) -> DefinitionError:
    return DefinitionError(
        f"references must be 'table' or 'table(column)', perhaps with actions such as ON DELETE CASCADE, "
        f"not {text.strip()!r}; names with blanks or capitals go in double quotes, without a schema"
    )
