"""Which rows new or changed rows refer to: the parents of their foreign keys. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.consequences import key_tokens
from pytest_kroft.model.operations import Parents
from pytest_kroft.model.sessions import written
from pytest_kroft.model.state import ColumnState, ForeignKeyState, State, TableState

Numbers = tuple[int | None, ...]
_HELD = object()
"""Stands for whatever another parent says."""


def draw_parents(
    state: State,
    table: TableState,
    rows: Sequence[int],
    choices: Choices,
    given: Mapping[str, object],
    only: Collection[str] | None = None,
    revision: int = 0,
) -> Parents:
    """For each foreign key that is not given: the numbers of the parents that rows refer to.

    Args:
        state: The state to plan on.
        table: The table of the rows.
        rows: The numbers of the rows, which may be new ones.
        choices: Answers which parent.
        given: The columns whose cells are given on purpose.
        only: The columns that are written, if not all.
        revision: The revision that the rows get.

    Raises:
        NotApplicable: where a row needs a parent and there is none.
    """
    drawn: list[tuple[ForeignKeyState, Numbers]] = []
    waiting = [key for key in table.foreign_keys if _is_drawn(table, key, given, only)]
    while waiting:
        key, *waiting = waiting
        columns = [table.by_id(number) for number in key.columns]
        wanted = _wanted(state, table, columns, rows, revision)
        drawn.append((key, _draw(state, table, key, rows, wanted, drawn, waiting, choices)))
    return {table.label(key): numbers for key, numbers in drawn}


def _is_drawn(
    table: TableState, key: ForeignKeyState, given: Collection[str], only: Collection[str] | None
) -> bool:
    names = [table.by_id(number).name for number in key.columns]
    return not any(name in given for name in names) and (only is None or any(name in only for name in names))


def _wanted(
    state: State, table: TableState, columns: Sequence[ColumnState], rows: Sequence[int], revision: int
) -> list[bool]:
    """Whether each row is to have a parent: the samples of a foreign key say where it is NULL."""
    ruled = next((column for column in columns if column.definition.samples), None)
    if ruled is None:
        return [True] * len(rows)
    values = state.values(table, ruled)
    return [values.text(row, 0 if ruled.unique else revision) is not None for row in rows]


def _draw(
    state: State,
    table: TableState,
    key: ForeignKeyState,
    rows: Sequence[int],
    wanted: Sequence[bool],
    drawn: Sequence[tuple[ForeignKeyState, Numbers]],
    waiting: Sequence[ForeignKeyState],
    choices: Choices,
) -> Numbers:
    numbers = _agreeing(state, table, key, _candidates(state, table, key), waiting)
    overlapping = [(other, chosen) for other, chosen in drawn if set(other.columns).intersection(key.columns)]
    own = key.definition.table == table.definition.name
    if not numbers and any(wanted) and (own or not overlapping):
        return _without_parents(state, table, key, rows, wanted)
    if overlapping:
        return _fitting(state, table, key, numbers, wanted, overlapping, choices)
    rivals = [chosen for other, chosen in drawn if other in table.rivals(key)]
    if rivals:
        return _others(table, key, numbers, wanted, rivals, choices)
    if _alone(table, key):
        return _apart(numbers, wanted, choices)
    return tuple(choices.one_of(numbers) if want else None for want in wanted)


def _candidates(state: State, table: TableState, key: ForeignKeyState) -> list[int]:
    """The rows that can be referred to; where each can be so by one row only, those that are free."""
    parent, targets = state.target(key)
    taken = written(state, parent.definition.name)
    alone = _alone(table, key)
    if not alone and not any(target.nullable for target in targets):
        return [number for number in parent.rows.numbers if number not in taken]
    readers = state.readers(parent, targets)
    found = {
        row.number: texts
        for row in parent.rows
        if row.number not in taken and None not in (texts := parent.texts(row, readers))
    }
    if not alone:
        return list(found)
    columns = [table.by_id(number) for number in key.columns]
    own = state.readers(table, columns)
    held = {key_tokens(table.texts(row, own), targets) for row in table.rows}
    free = [number for number, texts in found.items() if key_tokens(texts, targets) not in held]
    return free or list(found)


def _agreeing(
    state: State,
    table: TableState,
    key: ForeignKeyState,
    numbers: list[int],
    waiting: Sequence[ForeignKeyState],
) -> list[int]:
    """Those rows with which foreign keys that share columns and are drawn later find a parent, if any do."""
    for other in waiting:
        shared = [number for number in key.columns if number in other.columns]
        if not shared or _can_be_null(table, other, dict.fromkeys(shared, _HELD)):
            continue
        held = [_key_of(state, other, number) for number in _candidates(state, table, other)]
        allowed = {tuple(cells[number] for number in shared) for cells in held}
        found = [(number, _key_of(state, key, number)) for number in numbers]
        fit = [number for number, cells in found if tuple(cells[n] for n in shared) in allowed]
        numbers = fit or numbers
    return numbers


def _alone(table: TableState, key: ForeignKeyState) -> bool:
    """Whether no two rows may have the same parent."""
    return any(set(ids) <= set(key.columns) for ids in table.uniques)


def _others(
    table: TableState,
    key: ForeignKeyState,
    numbers: Sequence[int],
    wanted: Sequence[bool],
    rivals: Sequence[Numbers],
    choices: Choices,
) -> Numbers:
    """Parents that are not those of the foreign keys which a check names with this one."""
    found: list[int | None] = []
    for index, want in enumerate(wanted):
        taken = {chosen[index] for chosen in rivals}
        free = [number for number in numbers if number not in taken]
        if want and not free and not _can_be_null(table, key):
            raise NotApplicable(
                f"{table.label(key)!r} of {table.definition.name!r} needs another row of "
                f"{key.definition.table!r} than its other foreign keys; insert one there first"
            )
        found.append(choices.one_of(free) if want and free else None)
    return tuple(found)


def _apart(numbers: Sequence[int], wanted: Sequence[bool], choices: Choices) -> Numbers:
    """Another parent for each row, as far as there are enough."""
    picked = list(choices.sample(numbers, min(sum(wanted), len(numbers))))
    return tuple((picked.pop(0) if picked else choices.one_of(numbers)) if want else None for want in wanted)


def _fitting(
    state: State,
    table: TableState,
    key: ForeignKeyState,
    numbers: Sequence[int],
    wanted: Sequence[bool],
    overlapping: Sequence[tuple[ForeignKeyState, Numbers]],
    choices: Choices,
) -> Numbers:
    """Parents that agree with those of foreign keys which share columns with this one."""
    found: list[int | None] = []
    taken: set[int | None] = set()
    keys = {number: _key_of(state, key, number) for number in numbers}
    alone = _alone(table, key)
    for index, want in enumerate(wanted):
        said = _said(state, key, [(other, chosen[index]) for other, chosen in overlapping])
        wished = said.items()
        fit = [number for number, held in keys.items() if held.items() >= wished]
        if alone:
            fit = [number for number in fit if number not in taken] or fit
        if not fit and not _can_be_null(table, key, said):
            raise NotApplicable(
                f"{table.label(key)!r} of {table.definition.name!r} needs a row of "
                f"{key.definition.table!r} that agrees with its other foreign keys; insert one there first"
            )
        found.append(choices.one_of(fit) if fit and want else None)
        taken.add(found[-1])
    return tuple(found)


def _key_of(state: State, key: ForeignKeyState, number: int) -> dict[int, object]:
    """What the columns of a foreign key would hold with a parent, by their ids."""
    parent, targets = state.target(key)
    texts = parent.texts(parent.rows[number], state.readers(parent, targets))
    tokens = key_tokens(texts, targets) or (None,) * len(targets)
    return dict(zip(key.columns, tokens, strict=True))


def _said(
    state: State, key: ForeignKeyState, chosen: Sequence[tuple[ForeignKeyState, int | None]]
) -> dict[int, object]:
    """What the parents of other foreign keys say of this one's columns, by their ids; None is NULL."""
    said: dict[int, object] = {}
    for other, place in chosen:
        if place is None:
            said |= dict.fromkeys(other.columns) if other.definition.full else {}
        elif place in state.target(other)[0].rows:
            # A new row that refers to itself says nothing.
            said |= _key_of(state, other, place)
    return {number: held for number, held in said.items() if number in key.columns}


def _can_be_null(table: TableState, key: ForeignKeyState, said: Mapping[int, object] | None = None) -> bool:
    """Whether the foreign key can refer to nothing, where other ones have decided some of its columns."""
    said = said or {}
    columns = [table.by_id(number) for number in key.columns if number not in said]
    free = [_may_be_null(column) for column in columns]
    if key.definition.full:
        return all(free) and all(held is None for held in said.values())
    return any(free) or None in said.values()


def _may_be_null(column: ColumnState) -> bool:
    return column.nullable and not column.definition.filled


def _without_parents(
    state: State, table: TableState, key: ForeignKeyState, rows: Sequence[int], wanted: Sequence[bool]
) -> Numbers:
    """No row is there to refer to: the rows refer to nothing, or to themselves."""
    if _can_be_null(table, key) and not any(table.by_id(n).definition.samples for n in key.columns):
        return (None,) * len(rows)
    own = key.definition.table == table.definition.name
    if own and not any(_may_be_null(target) for target in state.target(key)[1]):
        return tuple(row if want else None for row, want in zip(rows, wanted, strict=True))
    taken = written(state, key.definition.table)
    why = "open sessions have written all of them; end these" if taken else "it is empty; insert there"
    raise NotApplicable(
        f"{table.label(key)!r} of {table.definition.name!r} needs a row of {key.definition.table!r}: "
        f"{why} first"
    )
