"""Whether the rows of a table keep their unique sets of columns apart.

Generated values of unique columns differ by construction, so that nothing need be compared for them.
Only where a cell was given, cast or made by a user's generator are the sets looked through.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from pytest_kroft.model.state import State, TableState, Text
from pytest_kroft.model.types import SqlType

_NUMBERS = frozenset({"numeric", "real", "double precision", "money"})


def token(text: str, sql_type: SqlType) -> object:
    """Something that is equal for two texts of a type exactly where the server calls the values equal."""
    if sql_type.array or sql_type.name not in _NUMBERS:
        return text
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def sets_to_compare(table: TableState) -> list[tuple[int, ...]]:
    """The unique sets that do not differ by construction."""
    sure = {column.id for column in table.columns if column.unique and not column.free}
    return [ids for ids in table.uniques if not sure.intersection(ids)]


def duplicates(state: State, table: TableState, among: Iterable[int] | None = None) -> dict[int, str]:
    """The rows whose unique values another row before them holds: row number -> the columns and values.

    With ``among``, rows outside it count as holders but are never reported: they were there before.
    """
    found: dict[int, str] = {}
    watched = None if among is None else set(among)
    for ids in sets_to_compare(table):
        columns = [column for column in table.columns if column.id in ids]
        readers = state.readers(table, columns)
        holders: set[tuple[object, ...]] = set()
        rows = (
            sorted(table.rows, key=lambda row: (row.number in watched, row.number)) if watched else table.rows
        )
        for row in rows:
            texts = table.texts(row, readers)
            if None in texts:
                continue
            tokens = tuple(
                token(text, column.type)
                for text, column in zip(texts, columns, strict=True)
                if text is not None
            )
            if tokens in holders and (watched is None or row.number in watched):
                found.setdefault(row.number, _named(columns, texts))
            holders.add(tokens)
    return found


def _named(columns: Iterable[object], texts: Iterable[Text]) -> str:
    return ", ".join(
        f"{getattr(column, 'name', '')} {text}" for column, text in zip(columns, texts, strict=True)
    )
