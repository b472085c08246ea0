"""Whether the rows of a table keep their unique sets of columns apart.

Generated values of unique columns differ by construction, so that nothing need be compared for them.
Rows are compared only where that is not so: a cell of the set was given on purpose or cast, a user's
generator makes it, or it holds parents alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal, InvalidOperation

from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import ColumnState, State, TableState, Text
from pytest_kroft.model.types import SqlType

_NUMBERS = frozenset({"numeric", "real", "double precision", "money"})
_PADDED = frozenset({"char", "bpchar"})

UniqueSet = tuple[int, ...]
"""The ids of columns in which no two rows are equal."""


def token(text: str, sql_type: SqlType) -> object:
    """Something that is equal for two texts of a type exactly where the server calls the values equal."""
    if sql_type.name in _PADDED and not sql_type.array:
        return text.rstrip(" ")
    if sql_type.array or sql_type.name not in _NUMBERS:
        return text
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
            tokens = _tokens(texts, columns)
            if tokens in holders and (among is None or row.number in among):
                found.setdefault(row.number, _named(columns, texts))
            holders.add(tokens)
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
    return column.given.isdisjoint(read(table.rows[number]) for number in numbers)


def _holders_first(table: TableState, among: Collection[int] | None) -> Iterable[Row]:
    if among is None:
        return table.rows
    watched = set(among)
    old = [row for row in table.rows if row.number not in watched]
    return [*old, *(table.rows[number] for number in among)]


def _tokens(texts: Sequence[Text], columns: Sequence[ColumnState]) -> tuple[object, ...]:
    pairs = zip(texts, columns, strict=True)
    return tuple(token(text, column.type) for text, column in pairs if text is not None)


def _named(columns: Iterable[ColumnState], texts: Iterable[Text]) -> str:
    return ", ".join(f"{column.name} {text}" for column, text in zip(columns, texts, strict=True))
