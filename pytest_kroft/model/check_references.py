"""Whether the foreign keys of rows lead to rows that are there, and allow what is done to these. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.consequences import held_keys, key_tokens
from pytest_kroft.model.fold_rows import write, write_alone
from pytest_kroft.model.operations import Delete, Insert, RowWrite, Update
from pytest_kroft.model.state import ForeignKeyState, State, TableState


def check_parents_given(
    table: TableState, keys: Iterable[ForeignKeyState], op: Insert | Update, what: str
) -> None:
    """Whether an operation says of each foreign key that it writes who the parents are."""
    for key in keys:
        names = [table.by_id(number).name for number in key.columns]
        if table.label(key) not in op.parents and not all(name in op.cells for name in names):
            raise NotApplicable(
                f"the {what} {op.table!r} says no parent for {table.label(key)!r}, a foreign key; "
                "give a row's number or NULL"
            )


def check_parents_exist(state: State, table: TableState, op: Insert | Update) -> None:
    """Whether foreign keys lead to rows that are there, where their cells do not all come from one parent."""
    given = given_names(table, op)
    for key in table.foreign_keys:
        columns = [table.by_id(number) for number in key.columns]
        mixed = len(columns) > 1 and any(column.name in given for column in columns)
        moving = isinstance(op, Update) and _moves_own(state, table, key, op)
        if not (mixed or moving or any(column.name in op.cells for column in columns)):
            continue
        # Within a transaction the server looks for the rows of a deferred key at its end only.
        if op.session and key.definition.deferred:
            continue
        # The rows themselves may be their parents.
        after = write_alone(state, op)
        _check_key_leads(after, after.table(op.table), key, _numbers(op))


def check_deferred(after: State, writes: Iterable[RowWrite]) -> None:
    """Whether the rows that a transaction wrote have the parents which deferred foreign keys want.

    ``after`` is the state that its commit makes.
    """
    for done in writes:
        if isinstance(done, Delete):
            continue
        table = after.table(done.table)
        there = [number for number in _numbers(done) if number in table.rows]
        for key in table.foreign_keys:
            if key.definition.deferred:
                _check_key_leads(after, table, key, there)


def _check_key_leads(state: State, table: TableState, key: ForeignKeyState, numbers: Iterable[int]) -> None:
    """Whether the cells of a foreign key in some rows are those of rows that are there."""
    parent, targets = state.target(key)
    readers = state.readers(parent, targets)
    held = {key_tokens(parent.texts(row, readers), targets) for row in parent.rows}
    own = state.readers(table, [table.by_id(number) for number in key.columns])
    for number in numbers:
        texts = table.texts(table.rows[number], own)
        if key.definition.full and None in texts and set(texts) != {None}:
            raise NotApplicable(
                f"{table.label(key)!r} of {table.definition.name!r} is NULL as a whole or not at all "
                f"(MATCH FULL), and would be {texts!r}"
            )
        if None not in texts and key_tokens(texts, targets) not in held:
            said = repr(texts[0]) if len(texts) == 1 else repr(texts)
            raise NotApplicable(
                f"{table.label(key)!r} references {parent.definition.name!r}, which has no row {said}"
            )


def check_consequences(state: State, op: Update | Delete) -> None:
    """Whether foreign keys allow an operation; in an open transaction they may change no other row."""
    # To fold the operation costs as much as the operation: not where nothing refers to the table.
    if not state.references_to(op.table):
        return
    after = write(state, op)
    if state.sessions and write_alone(state, op) != after:
        raise NotApplicable(
            f"foreign keys would change other rows with these of {op.table!r}, which would lock them; "
            "end the open sessions first"
        )


def check_computed_keys(state: State, table: TableState, op: Update) -> None:
    """Whether no row that is referred to by a generated column gets another value there: unknown to kroft."""
    changed = {table.column(name).id for name in (*op.columns, *stamped(table))}
    for child, key in state.references_to(op.table):
        parent, targets = state.target(key)
        sources = {number for target in targets if target.computed for number in target.computed.sources}
        if not changed & sources:
            continue
        held = {tokens for _, tokens in held_keys(state, child, key)}
        readers = state.readers(parent, targets)
        for number in op.rows:
            texts = parent.texts(parent.rows[number], readers)
            if key_tokens(texts, targets) in held:
                raise NotApplicable(
                    f"row number {number} of {op.table!r} cannot be changed: {child.label(key)!r} of "
                    f"{child.definition.name!r} references {texts!r}, which the server computes from it"
                )


def given_names(table: TableState, op: Insert | Update) -> set[str]:
    """The names of the columns that an operation gives cells or parents for."""
    keys = [table.foreign_key(label) for label in op.parents]
    return {*op.cells, *(table.by_id(number).name for key in keys for number in key.columns)}


def _numbers(op: Insert | Update) -> Sequence[int]:
    return range(op.first, op.first + op.count) if isinstance(op, Insert) else op.rows


def _moves_own(state: State, table: TableState, key: ForeignKeyState, op: Update) -> bool:
    """Whether an update changes the keys that other rows of the same table get by it."""
    parent, targets = state.target(key)
    return (
        parent.birth == table.birth
        and table.label(key) in op.parents
        and any(target.name in op.columns for target in targets)
    )


def stamped(table: TableState) -> tuple[str, ...]:
    """The column that an update stamps, whatever it names."""
    return (table.updated_at.name,) if table.updated_at else ()
