"""Which values of a write were given on purpose, and which of them are hazards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from pytest_kroft.errors import KroftError
from pytest_kroft.model.clock import stamp_text
from pytest_kroft.model.operations import Insert, Observed, Update
from pytest_kroft.model.special import extreme_values, large_values, unrepresentable_values
from pytest_kroft.model.state import ColumnState, State, TableState, Text
from pytest_kroft.model.types import SqlType

Write = Insert | Update | Observed

_SPECIAL = {
    "extreme_value": extreme_values,
    "large_value": large_values,
    "unrepresentable_value": unrepresentable_values,
}


def given_on_purpose(state: State, write: Write) -> Mapping[str, tuple[Text, ...]]:
    """The columns of a write with a cell that is not what its address gives, and their cells.

    A saved history has every cell written down, and most of them were generated. Columns of the primary
    key, foreign keys and the stamps are left out: other words of a report name them.
    """
    table = state.table(write.table)
    found = {}
    for column in table.columns:
        texts = write.cells.get(column.name, ())
        named = column in table.key or column == table.updated_at or column.definition.references
        if not named and any(
            text not in _generated(state, table, column, write, index) for index, text in enumerate(texts)
        ):
            found[column.name] = texts
    return found


def special_values(state: State, table: TableState, write: Write) -> Iterator[str]:
    """The hazards of the values that a write was given."""
    for name, texts in write.cells.items():
        column = table.column(name)
        for hazard in () if column.definition.references else _SPECIAL:
            values = _values(hazard, column.type)
            odd = (index for index, text in enumerate(texts) if text in values)
            if any(texts[index] not in _generated(state, table, column, write, index) for index in odd):
                yield hazard


@lru_cache(maxsize=512)
def _values(hazard: str, sql_type: SqlType) -> frozenset[str]:
    return frozenset(_SPECIAL[hazard](sql_type))


def _generated(state: State, table: TableState, column: ColumnState, write: Write, index: int) -> list[Text]:
    """What a cell may hold where nothing is given; nothing where that cannot be told."""
    if isinstance(write, Observed):
        return []
    number, stamp = numbers(write)[index], write.stamp + index * write.step
    if column == table.updated_at:
        return [stamp_text(stamp, column.type)]
    addresses = [(number, 0 if isinstance(write, Insert) else write.revision)]
    if isinstance(write, Update) and write.fresh is not None:
        # A unique column takes a number for each row; without a key all rows take the first.
        addresses += [(write.fresh + index, 0), (write.fresh, 0)]
    values = state.values(table, column)
    try:
        return [values.text(row, revision, stamp) for row, revision in addresses]
    except KroftError:
        # A generator that is another one now, or is missing.
        return []


def numbers(write: Write) -> Sequence[int]:
    """The numbers of the rows that a write writes."""
    return range(write.first, write.first + write.count) if isinstance(write, Insert) else write.rows
