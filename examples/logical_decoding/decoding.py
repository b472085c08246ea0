"""Reads what the output plugin test_decoding prints: one line of text for each change.

    table public.orders: INSERT: id[bigint]:1 note[text]:'it''s' amount[numeric]:4.50
    table public.orders: UPDATE: old-key: id[bigint]:1 new-tuple: id[bigint]:2 note[text]:null
    table public.orders: DELETE: id[bigint]:2
    table public.orders, public.items: TRUNCATE: restart_seqs cascade

Names are quoted where SQL would quote them, and may then hold anything. Texts are quoted, with quotes
doubled and nothing else escaped: a "line" may hold line breaks. `unchanged-toast-datum` stands for a large
value that the change did not touch, and of which the log therefore does not hold a copy. Columns that are
NULL are left out of the old row.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field


class Unchanged(enum.Enum):
    UNCHANGED = "unchanged-toast-datum"


UNCHANGED = Unchanged.UNCHANGED


@dataclass(frozen=True)
class Value:
    type: str
    text: str | Unchanged | None


Tuple = dict[str, Value]


@dataclass(frozen=True)
class Change:
    tables: tuple[str, ...]
    action: str
    old: Tuple = field(default_factory=dict)
    new: Tuple = field(default_factory=dict)


_NAME = r'(?:"(?:[^"]|"")+"|[^\s".,:\[\]]+)'
_TABLE = rf"{_NAME}\.{_NAME}"
_CHANGE = re.compile(rf"table ({_TABLE}(?:, {_TABLE})*): (INSERT|UPDATE|DELETE|TRUNCATE): (.*)", re.DOTALL)
_CELL = re.compile(
    rf"""
    (?P<name>{_NAME})
    \[(?P<type>(?:"(?:[^"]|"")+"|\[\]|[^"\[\]])+)\]
    :(?P<value>B?'(?:[^']|'')*'|[^\s']+)
    (?:\ |$)
    """,
    re.VERBOSE,
)
_OLD, _NEW = "old-key: ", "new-tuple: "


def parse(line: str) -> Change | None:
    """The change that a line says, or None for one that says where a transaction begins or ends."""
    if re.fullmatch(r"(BEGIN|COMMIT)( \d+)?", line):
        return None
    found = _CHANGE.fullmatch(line)
    if found is None:
        raise ValueError(f"test_decoding does not print such a line: {line!r}")
    tables, action, rest = found.groups()
    names = tuple(re.findall(_TABLE, tables))
    if action == "TRUNCATE" or rest == "(no-tuple-data)":
        return Change(names, action)
    if rest.startswith(_OLD):
        old, end = _cells(rest, len(_OLD))
        new, end = _cells(rest, end + len(_NEW))
    else:
        cells, end = _cells(rest, 0)
        old, new = (cells, {}) if action == "DELETE" else ({}, cells)
    if end != len(rest):
        raise ValueError(f"test_decoding does not print such columns: {rest[end:]!r}")
    return Change(names, action, old, new)


def _cells(text: str, start: int) -> tuple[Tuple, int]:
    """The columns that stand one after the other from there on, and where they end."""
    cells: Tuple = {}
    while found := _CELL.match(text, start):
        cells[_unquoted(found["name"])] = Value(found["type"], _text(found["value"]))
        start = found.end()
    return cells, start


def _text(printed: str) -> str | Unchanged | None:
    if printed.endswith("'"):
        return printed[printed.index("'") + 1 : -1].replace("''", "'")
    return {"null": None, "unchanged-toast-datum": UNCHANGED}.get(printed, printed)


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
