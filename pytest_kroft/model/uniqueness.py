"""Whether the rows of a table keep their unique sets of columns apart.

Generated values of unique columns differ by construction, so that nothing need be compared for them.
Rows are compared only where that is not so: a cell of the set was given on purpose or cast, a user's
generator makes it, or it holds parents alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation

from pytest_kroft.model.clock import SECOND
from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import ColumnState, State, TableState, Text
from pytest_kroft.model.types import SqlType

_NUMBERS = frozenset({"numeric", "real", "double precision", "money"})
_PADDED = frozenset({"char", "bpchar"})
_SPELLED = _NUMBERS | _PADDED | {"interval"}
"""The types of which the server calls values equal that it prints otherwise, as far as tokens know."""

_INTERVAL = re.compile(
    r"(?:([+-]?\d+) years? ?)?(?:([+-]?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?"
    r"(?:([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
)
_PARTS = re.compile(r'"((?:[^"\\]|\\.)*)"|([^{},"]+)|([{},])', re.DOTALL)
"""The parts of an array's text: a quoted element, a plain one (or the bounds), a brace or a comma."""

UniqueSet = tuple[int, ...]
"""The ids of columns in which no two rows are equal."""


def token(text: str, sql_type: SqlType) -> object:
    """Something that is equal for two texts of a type where the server calls the values equal.

    It knows numbers (1.0 is 1.00), char(n) (trailing blanks), intervals (a month of 30 days, a day of 24
    hours; https://www.postgresql.org/docs/current/datatype-datetime.html) and arrays of them. All else is
    equal where its text is: numbers within jsonb and ranges, and texts under a collation of the user's
    that is not deterministic, are left to the server, which then refuses what repeats.
    """
    if _equal_as_printed(sql_type):
        return text
    if sql_type.array:
        return tuple(_array_tokens(text, sql_type.element))
    if sql_type.name in _PADDED:
        return text.rstrip(" ")
    return _micros(text) if sql_type.name == "interval" else _number(text)


def tokens(texts: Sequence[Text], columns: Sequence[ColumnState]) -> tuple[object, ...]:
    """The token of each cell, None for NULL."""
    pairs = zip(texts, columns, strict=True)
    return tuple(None if text is None else token(text, column.type) for text, column in pairs)


def _equal_as_printed(sql_type: SqlType) -> bool:
    return sql_type.name not in _SPELLED


def _array_tokens(text: str, element: SqlType) -> Iterator[object]:
    for quoted, plain, mark in _PARTS.findall(text):
        if mark or plain == "NULL":
            yield mark or None
        else:
            yield token(plain or re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL), element)


def _micros(text: str) -> object:
    match = _INTERVAL.fullmatch(text)
    if not match:
        return text
    years, months, days, sign, hours, minutes, seconds, part = match.groups(default="")
    whole_days = (int(years or 0) * 12 + int(months or 0)) * 30 + int(days or 0)
    clock = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    rest = clock * SECOND + int(part.ljust(6, "0"))
    return whole_days * 24 * 3600 * SECOND + (-rest if sign == "-" else rest)


def _number(text: str) -> object:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    # To Python no NaN equals another, to PostgreSQL all do.
    return text if number.is_nan() else number


def duplicates(
    state: State, table: TableState, sets: Iterable[UniqueSet], among: Collection[int] | None = None
) -> dict[int, str]:
    """The rows whose unique values another row holds too: row number -> the columns and values.

    With ``among``, rows outside it count as holders but are never reported: they were there before.
    """
    found: dict[int, str] = {}
    for ids in sets:
        columns = [column for column in table.columns if column.id in ids]
        readers = state.readers(table, columns)
        holders: set[tuple[object, ...]] = set()
        for row in _holders_first(table, among):
            texts = table.texts(row, readers)
            if None in texts:
                continue
            held = tokens(texts, columns)
            if held in holders and (among is None or row.number in among):
                found.setdefault(row.number, _named(columns, texts))
            holders.add(held)
    return found


def may_repeat(table: TableState, written: Collection[int], given: Collection[str]) -> bool:
    """Whether an operation on columns of these ids has to be looked at more closely; never wrongly no."""
    by_id = {column.id: column for column in table.columns}
    touched = [ids for ids in table.uniques if set(ids).intersection(written)]
    return any(not any(_is_clear(by_id[i], given) for i in ids) for ids in touched)


def _is_clear(column: ColumnState, given: Collection[str]) -> bool:
    return _is_sure(column) and not column.given and column.name not in given


def sets_at_risk(
    after: State, table: TableState, written: Collection[int], given: Collection[str], rows: Iterable[int]
) -> list[UniqueSet]:
    """The unique sets that an operation may have made unequal values in.

    Args:
        after: The state after the operation.
        table: The table in that state.
        written: The ids of the columns that the operation wrote.
        given: The names of the columns whose cells it gave on purpose.
        rows: The numbers of the rows that it wrote.
    """
    touched = [ids for ids in table.uniques if set(ids).intersection(written)]
    by_id = {column.id: column for column in table.columns}
    numbers = list(rows)
    risky = []
    for ids in touched:
        sure = [by_id[i] for i in ids if _is_sure(by_id[i]) and by_id[i].name not in given]
        if not any(_keep_clear(after, table, column, numbers) for column in sure):
            risky.append(ids)
    return risky


def _is_sure(column: ColumnState) -> bool:
    return column.unique and not column.free


def _keep_clear(after: State, table: TableState, column: ColumnState, numbers: Iterable[int]) -> bool:
    """Whether generated values of these rows are none of those that were given on purpose."""
    if not column.given:
        return True
    read = after.reader(table, column)
    texts = (read(table.rows[number]) for number in numbers)
    if _equal_as_printed(column.type):
        return column.given.isdisjoint(texts)
    given = {token(text, column.type) for text in column.given if text is not None}
    return given.isdisjoint(token(text, column.type) for text in texts if text is not None)


def _holders_first(table: TableState, among: Collection[int] | None) -> Iterable[Row]:
    if among is None:
        return table.rows
    watched = set(among)
    old = [row for row in table.rows if row.number not in watched]
    return [*old, *(table.rows[number] for number in among)]


def _named(columns: Iterable[ColumnState], texts: Iterable[Text]) -> str:
    return ", ".join(f"{column.name} {text}" for column, text in zip(columns, texts, strict=True))
