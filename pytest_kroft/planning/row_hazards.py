"""What can go wrong with rows: keys that change or come back, stamps that tie, skew or lack, odd values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_kroft.model.check import all_apply, applies
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.clauses import names_in
from pytest_kroft.model.clock import SECOND
from pytest_kroft.model.operations import Delete, Insert, Operation, Update
from pytest_kroft.model.rows import Address, Row
from pytest_kroft.model.special import extreme_values, large_values, unrepresentable_values
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.types import SqlType
from pytest_kroft.planning.batches import Craft, modifiable
from pytest_kroft.planning.parents import draw_parents
from pytest_kroft.planning.policy import EvolutionPolicy

CHANCE = 0.2
"""How likely an insert or update is disturbed by each hazard that the policy allows."""

SEARCHED = 0.4
"""The same for special values in a search, where a history is short and leaves half of the hazards out."""

MORE = 0.3
"""How likely each further column of a row gets a special value, in a search."""

LONGEST_SKEW = 3600
"""By how many seconds a skewed clock is behind, at most."""

Write = Insert | Update

_SPECIAL: dict[str, Callable[[SqlType], Sequence[str]]] = {
    "extreme_value": extreme_values,
    "large_value": large_values,
    "unrepresentable_value": unrepresentable_values,
}


def disturb(
    state: State, planned: Sequence[Write], policy: EvolutionPolicy, choices: Choices
) -> tuple[Write, ...]:
    """The planned writes, some of them made hazardous in the ways that the policy allows."""
    return tuple(_disturbed(state, write, policy, choices) for write in planned)


def _disturbed(state: State, write: Write, policy: EvolutionPolicy, choices: Choices) -> Write:
    table = state.table(write.table)
    if table.updated_at is not None:
        write = _disturb_stamp(state, table, write, policy, choices)
    if choices.searches and isinstance(write, Insert) and len(table.key) > 1 and choices.chance(CHANCE):
        shared = _sharing_a_key(state, table, write, choices)
        write = shared if applies(state, shared) else write
    for hazard, values in _SPECIAL.items():
        if policy.allows(hazard) and choices.chance(SEARCHED if choices.searches else CHANCE):
            changed = _with_value(table, write, values, choices)
            write = changed if applies(state, changed) else write
    return write


def _disturb_stamp(
    state: State, table: TableState, write: Write, policy: EvolutionPolicy, choices: Choices
) -> Write:
    column = table.updated_at
    assert column is not None
    if policy.allows("tied_timestamp") and choices.chance(CHANCE) and state.now is not None:
        write = replace(write, stamp=state.now)
    if policy.allows("clock_skew") and choices.chance(CHANCE) and state.now is not None:
        behind = state.now - choices.integer(1, LONGEST_SKEW) * SECOND
        write = replace(write, stamp=_untied(table, behind))
    if (
        policy.allows("null_cursor")
        and column.nullable
        and not column.definition.filled
        and choices.chance(CHANCE)
    ):
        write = replace(write, cells={**write.cells, column.name: (None,) * _size(write)})
    return write


def _untied(table: TableState, stamp: int) -> int:
    """The stamp or, where rows of the table have it, the next earlier second that none has."""
    column = table.updated_at
    assert column is not None
    cells = (row.cells.get(column.id, row) for row in table.rows)
    taken = {cell.stamp for cell in cells if isinstance(cell, Address | Row)}
    while stamp in taken:
        stamp -= SECOND
    return stamp


def _size(write: Write) -> int:
    return write.count if isinstance(write, Insert) else len(write.rows)


def _with_value(
    table: TableState, write: Write, values: Callable[[SqlType], Sequence[str]], choices: Choices
) -> Write:
    """The write of one row with one cell given: a special value of a column that takes any of its type."""
    names = set(write.columns) if isinstance(write, Update) else {column.name for column in table.columns}
    extreme = choices.searches and values is extreme_values
    free = [*_unruled(table), *(_text_keys(table) if extreme and isinstance(write, Insert) else ())]
    columns = [c for c in free if c.name in names and c.name not in write.cells and values(c.type)]
    if values is large_values:
        columns = [c for c in columns if not (c.definition.indexed or c.definition.indexed_by)]
    single = _single(table, write)
    if not columns or single is None:
        return write
    first = choices.one_of(columns)
    # In a wide table one special cell at a time would seldom be the one that matters.
    more = [c for c in columns if c is not first and extreme and choices.chance(MORE)]
    given = {c.name: (_drawn_value(values(c.type), choices),) for c in (first, *more)}
    return replace(single, cells={**single.cells, **given})


def _drawn_value(special: Sequence[str], choices: Choices) -> str:
    """A special value: the first is the most telling one, and among thirty would hardly ever be drawn."""
    return special[0] if not choices.integer(0, 2) else choices.one_of(special)


def _text_keys(table: TableState) -> list[ColumnState]:
    """The columns of a key that hold any text; numbers in keys stay as an application makes them, rising."""
    return [
        c
        for c in table.key
        if c.type.name in ("text", "varchar") and not c.type.array and table.unwritable(c) is None
        if not (_ruled(c) or table.keys_of(c) or c.definition.generator)
    ]


def _sharing_a_key(state: State, table: TableState, write: Insert, choices: Choices) -> Write:
    """The insert of one row that shares a part of its key with another row, as rows of such tables do."""
    parts = [c for c in table.key if not (table.keys_of(c) or c.computed or c.name in write.cells)]
    if not parts or not table.rows:
        return write
    column = choices.one_of(parts)
    text = state.reader(table, column)(table.rows[choices.one_of(table.rows.numbers)])
    single = _single(table, write) or write
    return replace(single, cells={**single.cells, column.name: (text,)})


def _single(table: TableState, write: Write) -> Write | None:
    """The write of its first row alone, enough to break a consumer; None where all must be written."""
    cells = {name: texts[:1] for name, texts in write.cells.items()}
    parents = {name: numbers[:1] for name, numbers in write.parents.items()}
    if isinstance(write, Insert):
        return replace(write, count=1, cells=cells, parents=parents)
    whole = not table.key and len(write.rows) > 1
    return None if whole else replace(write, rows=write.rows[:1], cells=cells, parents=parents)


def _unruled(table: TableState) -> list[ColumnState]:
    """The columns that no rule restricts beyond their type."""
    if any(
        not (names_in(text, "UNIQUE") or names_in(text, r"PRIMARY\s+KEY"))
        for text in table.definition.constraints
    ):
        return []
    # What the code of a trigger, or an expression, makes of an odd value is not known.
    if table.definition.triggers:
        return []
    ruled = {number for ids in table.uniques for number in ids}
    ruled |= {n for c in table.columns if c.computed and not c.computed.function for n in c.computed.sources}
    free = [column for column in modifiable(table) if column.id not in ruled]
    return [c for c in free if not (_ruled(c) or table.keys_of(c) or c.definition.constraints)]


def _ruled(column: ColumnState) -> bool:
    """Whether a rule says which values of its type the column may hold."""
    definition = column.definition
    return bool(definition.check or definition.samples or definition.style or definition.domain)


def plan_delete_reinsert(
    state: State, table: TableState, choices: Choices, craft: Craft
) -> Sequence[Operation]:
    """A row is deleted, and another one comes back under its key."""
    name = table.definition.name
    if not table.key or not table.rows:
        return ()
    number = choices.one_of(table.rows.numbers)
    row = table.rows[number]
    key = {column.name: (state.reader(table, column)(row),) for column in table.key}
    stamp = craft.stamps(state, choices)
    parents = draw_parents(state, table, [table.next_row], choices, key)
    operations: list[Operation] = [
        Delete(name, (number,)),
        Insert(name, table.next_row, 1, stamp, 0, key, parents),
    ]
    return operations if all_apply(state, operations) else ()


def plan_key_change(state: State, table: TableState, choices: Choices, craft: Craft) -> Sequence[Operation]:
    """A row gets another primary key."""
    changeable = [
        c
        for c in table.key
        if table.unwritable(c) is None and not c.definition.generator and table.partners(c) == (c,)
    ]
    carrier = next((column for column in changeable if column.unique), None)
    if carrier is None or not table.rows:
        return ()
    number = choices.one_of(table.rows.numbers)
    update = Update(
        table.definition.name,
        (number,),
        (carrier.name,),
        revision=table.next_revision,
        stamp=craft.stamps(state, choices),
        fresh=table.next_row,
    )
    return [update] if applies(state, update) else ()
