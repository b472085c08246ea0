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
    parents: dict[str, Numbers] = {}
    drawn: list[tuple[ForeignKeyState, Numbers]] = []
    for key in table.foreign_keys:
        columns = [table.by_id(number) for number in key.columns]
        if any(column.name in given for column in columns):
            continue
        if only is not None and not any(column.name in only for column in columns):
            continue
        wanted = _wanted(state, table, columns, rows, revision)
        numbers = _draw(state, table, key, rows, wanted, drawn, choices)
        drawn.append((key, numbers))
        parents[table.label(key)] = numbers
    return parents


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
    choices: Choices,
) -> Numbers:
    numbers = _candidates(state, table, key)
    if not numbers and any(wanted):
        return _without_parents(state, table, key, rows, wanted)
    overlapping = [(other, chosen) for other, chosen in drawn if set(other.columns).intersection(key.columns)]
    if overlapping:
        return _fitting(state, table, key, numbers, wanted, overlapping, choices)
    if _alone(table, key):
        return _apart(numbers, wanted, choices)
    return tuple(choices.one_of(numbers) if want else None for want in wanted)


def _candidates(state: State, table: TableState, key: ForeignKeyState) -> list[int]:
    """The rows that can be referred to; where each can be so by one row only, those that are free."""
    parent, targets = state.target(key)
    readers = state.readers(parent, targets)
    taken = written(state, parent.definition.name)
    found = {
        row.number: texts
        for row in parent.rows
        if row.number not in taken and None not in (texts := parent.texts(row, readers))
    }
    if not _alone(table, key):
        return list(found)
    columns = [table.by_id(number) for number in key.columns]
    own = state.readers(table, columns)
    held = {key_tokens(table.texts(row, own), targets) for row in table.rows}
    free = [number for number, texts in found.items() if key_tokens(texts, targets) not in held]
    return free or list(found)


def _alone(table: TableState, key: ForeignKeyState) -> bool:
    """Whether no two rows may have the same parent."""
    return any(set(ids) <= set(key.columns) for ids in table.uniques)


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
    found = []
    for index, want in enumerate(wanted):
        said: dict[int, object] = {}
        for other, chosen in overlapping:
            place = chosen[index]
            if place is not None:
                said |= _key_of(state, other, place)
        fit = [
            number
            for number in numbers
            if all(said.get(column, value) == value for column, value in _key_of(state, key, number).items())
        ]
        if not fit and not _can_be_null(table, key, said):
            raise NotApplicable(
                f"{table.label(key)!r} of {table.definition.name!r} needs a row of "
                f"{key.definition.table!r} that agrees with its other foreign keys; insert one there first"
            )
        found.append(choices.one_of(fit) if fit and want else None)
    return tuple(found)


def _key_of(state: State, key: ForeignKeyState, number: int) -> dict[int, object]:
    """What the columns of a foreign key would hold with a parent, by their ids."""
    parent, targets = state.target(key)
    texts = parent.texts(parent.rows[number], state.readers(parent, targets))
    tokens = key_tokens(texts, targets) or (None,) * len(targets)
    return dict(zip(key.columns, tokens, strict=True))


def _can_be_null(table: TableState, key: ForeignKeyState, said: Collection[int] = ()) -> bool:
    """Whether the foreign key can refer to nothing: a column of it that nothing else decides is NULL."""
    columns = [table.by_id(number) for number in key.columns if number not in said]
    if key.definition.full and said:
        return False
    free = [column.nullable and not column.definition.filled for column in columns]
    return all(free) if key.definition.full else any(free)


def _without_parents(
    state: State, table: TableState, key: ForeignKeyState, rows: Sequence[int], wanted: Sequence[bool]
) -> Numbers:
    """No row is there to refer to: the rows refer to nothing, or to themselves."""
    if _can_be_null(table, key) and not any(table.by_id(n).definition.samples for n in key.columns):
        return (None,) * len(rows)
    if key.definition.table == table.definition.name:
        return tuple(row if want else None for row, want in zip(rows, wanted, strict=True))
    taken = written(state, key.definition.table)
    why = "open sessions have written all of them; end these" if taken else "it is empty; insert there"
    raise NotApplicable(
        f"{table.label(key)!r} of {table.definition.name!r} needs a row of {key.definition.table!r}: "
        f"{why} first"
    )
