"""Which rows a change may touch: those that no session holds, or those that a caller names by their keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.check import applies
from pytest_kroft.model.operations import Delete
from pytest_kroft.model.sessions import locked
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.uniqueness import tokens
from pytest_kroft.planning.batches import Spell, spelled


def free(state: State, table: TableState) -> Sequence[int]:
    """The rows that no open session has locked."""
    taken = locked(state, table.definition.name)
    return [number for number in table.rows.numbers if number not in taken] if taken else table.rows.numbers


def deletable(state: State, table: TableState) -> Sequence[int]:
    """The rows that no other row references, and that no open session has locked."""
    name, unlocked = table.definition.name, free(state, table)
    if not state.references_to(name):
        return unlocked
    return [number for number in unlocked if applies(state, Delete(name, (number,)))]


def rows_with_keys(state: State, table: TableState, keys: Iterable[object], spell: Spell) -> tuple[int, ...]:
    """The numbers of the rows with these primary keys, each a value or a tuple of them.

    Raises NotApplicable for a key that no row has, or of another number of columns; ValueRefused.
    """
    if not table.key:
        raise NotApplicable(f"table {table.definition.name!r} has no primary key to find rows by")
    readers = state.readers(table, table.key)
    # By the server's equality: a numeric key 1.50 is found as 1.5 too.
    by_key = {tokens(table.texts(row, readers), table.key): row.number for row in table.rows}
    numbers = []
    for key in keys:
        parts = tuple(key) if len(table.key) > 1 and isinstance(key, list | tuple) else (key,)
        if len(parts) != len(table.key):
            raise NotApplicable(
                f"a key of {table.definition.name!r} has {len(table.key)} columns, "
                f"and {key!r} has {len(parts)}"
            )
        wanted = tokens(
            [spelled(column, part, spell) for column, part in zip(table.key, parts, strict=True)],
            table.key,
        )
        if wanted not in by_key:
            raise NotApplicable(f"table {table.definition.name!r} has no row with the key {key!r}")
        numbers.append(by_key[wanted])
    return tuple(numbers)
