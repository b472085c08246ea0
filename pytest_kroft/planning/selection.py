"""Which rows a change may touch: those that no session holds, or those that a caller names by their keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.consequences import key_tokens
from pytest_kroft.model.sessions import locked
from pytest_kroft.model.state import ForeignKeyState, State, TableState
from pytest_kroft.model.uniqueness import tokens
from pytest_kroft.planning.batches import Spell, spelled


def free(state: State, table: TableState) -> Sequence[int]:
    """The rows that no open session has locked."""
    taken = locked(state, table.definition.name)
    return [number for number in table.rows.numbers if number not in taken] if taken else table.rows.numbers


def deletable(state: State, table: TableState) -> Sequence[int]:
    """The rows that no foreign key keeps from being deleted, and that no open session has locked."""
    if table.definition.kept:
        return ()
    unlocked = free(state, table)
    kept = _kept(state, table.definition.name, frozenset())
    return [number for number in unlocked if number not in kept] if kept else unlocked


def _kept(state: State, name: str, above: frozenset[str]) -> frozenset[int]:
    """The rows of a table that other rows keep from being deleted.

    ``above`` are the tables that wait for the answer: where foreign keys go in a circle, rows are kept.
    """
    kept: set[int] = set()
    for child, key in state.references_to(name):
        holders = _holders(state, child, key)
        child_name, action = child.definition.name, key.definition.on_delete
        if action in ("set null", "set default") and not state.sessions:
            if not _lets_go(child, key):
                kept.update(holders)
        elif action == "cascade" and child_name not in {*above, name} and not state.sessions:
            below = _kept(state, child_name, above | {name})
            kept.update(number for number, rows in holders.items() if below.intersection(rows))
        else:
            own = child_name == name
            kept.update(number for number, rows in holders.items() if not own or rows - {number})
    return frozenset(kept)


def _holders(state: State, child: TableState, key: ForeignKeyState) -> dict[int, set[int]]:
    """The rows that are referred to, each with the rows that refer to it."""
    parent, targets = state.target(key)
    own = state.readers(child, [child.by_id(number) for number in key.columns])
    rows: dict[object, set[int]] = {}
    for row in child.rows:
        if (held := key_tokens(child.texts(row, own), targets)) is not None:
            rows.setdefault(held, set()).add(row.number)
    readers = state.readers(parent, targets)
    found = (
        ((row.number, key_tokens(parent.texts(row, readers), targets)) for row in parent.rows) if rows else ()
    )
    return {number: rows[held] for number, held in found if held in rows}


def _lets_go(child: TableState, key: ForeignKeyState) -> bool:
    """Whether the rows that refer to one may stay without it; a cautious guess."""
    columns = [child.by_id(number) for number in key.columns]
    return all(
        column.nullable and not (column.definition.check or column.definition.together) for column in columns
    )


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
