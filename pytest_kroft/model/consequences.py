"""What foreign keys do to other rows where a row goes or gets another key. Pure.

The server does it by triggers at the end of the statement; see PostgreSQL's documentation, chapter 5.5.5.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.clauses import is_check, mentions
from pytest_kroft.model.expressions import constant, is_constant
from pytest_kroft.model.foreign_keys import Action
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import ColumnState, ForeignKeyState, State, TableState, Text
from pytest_kroft.model.uniqueness import duplicates, token

Tokens = tuple[object, ...]
Texts = tuple[Text, ...]
Changes = Mapping[str, tuple[Sequence[int], Collection[int] | None]]
"""The rows of tables that changed or went, and the ids of their columns that did so, None for any."""

_PATIENT: tuple[Action, ...] = ("no action",)
_PASSIVE: tuple[Action, ...] = ("restrict", *_PATIENT)
_ACTING: tuple[Action, ...] = ("cascade", "set null", "set default")


@dataclass(frozen=True, slots=True)
class _Moved:
    """A foreign key, and the keys of its parents that went (None) or became others, by their tokens."""

    child: str
    key: ForeignKeyState
    keys: Mapping[Tokens, Texts | None]

    def action(self, held: Tokens) -> Action:
        gone = self.keys[held] is None
        return self.key.definition.on_delete if gone else self.key.definition.on_update


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a foreign key does to a row that holds a key: other cells, or None where the row goes."""

    key: ForeignKeyState
    held: Tokens
    cells: Mapping[int, Text] | None


def follow(
    before: State, after: State, name: str, numbers: Iterable[int], columns: Collection[int] | None = None
) -> State:
    """The state with what foreign keys do to other rows.

    The server works in rounds: what one round changed, the triggers of the next one see and act upon.
    Within a round their order is the server's own, so that whatever depends on it is refused.

    Args:
        before: The state before an operation.
        after: The state in which rows of a table were changed or deleted, and no other ones.
        name: The table.
        numbers: The rows.
        columns: The ids of the columns that changed; None where the rows were deleted.

    Raises:
        NotApplicable: where a foreign key, or another rule of the rows that it changes, refuses.
    """
    old, new = before, after
    changes: Changes = {name: (tuple(numbers), columns)}
    deferred: list[_Moved] = []
    touched: list[tuple[str, Sequence[int]]] = []
    while changes:
        events = list(_events(old, new, changes))
        for moved in events:
            waits = moved.key.definition.deferred
            _refuse(new, moved, ("restrict",) if waits else _PASSIVE)
            deferred += [moved] if waits else []
        old, (new, changes) = new, _act(new, events)
        touched += [(table, rows) for table, (rows, _) in changes.items()]
        _check_lead_somewhere(new, [(table, rows) for table, (rows, _) in changes.items()], deferred=False)
    for moved in deferred:
        _refuse(new, moved, _PATIENT)
    _check_lead_somewhere(new, touched, deferred=True)
    return new


def _events(old: State, new: State, changes: Changes) -> Iterator[_Moved]:
    """The foreign keys to which it matters what changed."""
    for name, (rows, columns) in changes.items():
        for child, key in old.references_to(name):
            keys = _moved(old, new, key, rows, columns)
            if keys:
                yield _Moved(child.definition.name, key, keys)


def _moved(
    before: State, after: State, key: ForeignKeyState, rows: Sequence[int], changed: Collection[int] | None
) -> Mapping[Tokens, Texts | None]:
    """The keys that rows of the parent had, and have no more."""
    parent, targets = before.target(key)
    if changed is not None and not any(target.id in changed for target in targets):
        return {}
    now = after.table(parent.definition.name)
    old_readers, new_readers = before.readers(parent, targets), after.readers(now, targets)
    old: dict[Tokens, Texts | None] = {}
    held: set[Tokens] = set()
    for number in rows:
        tokens = key_tokens(parent.texts(parent.rows[number], old_readers), targets)
        texts = now.texts(now.rows[number], new_readers) if number in now.rows else None
        if tokens is not None:
            old[tokens] = texts
        if texts is not None and (new := key_tokens(texts, targets)) is not None:
            held.add(new)
    return {tokens: texts for tokens, texts in old.items() if tokens not in held}


def key_tokens(texts: Sequence[Text], columns: Sequence[ColumnState]) -> Tokens | None:
    """What equal keys have in common; None where a part is NULL, which refers to nothing."""
    if None in texts:
        return None
    return tuple(token(str(text), column.type) for text, column in zip(texts, columns, strict=True))


def _referring(state: State, moved: _Moved, actions: Collection[Action]) -> dict[int, Tokens]:
    """The rows that refer to keys which moved, with their keys: those for which an action of these is due."""
    if not {moved.key.definition.on_delete, moved.key.definition.on_update}.intersection(actions):
        return {}
    child = state.table(moved.child)
    found = {row.number: tokens for row, tokens in held_keys(state, child, moved.key) if tokens in moved.keys}
    return {number: tokens for number, tokens in found.items() if moved.action(tokens) in actions}


def held_keys(state: State, child: TableState, key: ForeignKeyState) -> Iterator[tuple[Row, Tokens]]:
    """The rows that refer to a parent, with its key."""
    read = _key_reader(state, child, key)
    return ((row, tokens) for row in child.rows if (tokens := read(row)) is not None)


def _key_reader(state: State, child: TableState, key: ForeignKeyState) -> Callable[[Row], Tokens | None]:
    readers = state.readers(child, [child.by_id(number) for number in key.columns])
    _, targets = state.target(key)
    return lambda row: key_tokens(child.texts(row, readers), targets)


def _refuse(state: State, moved: _Moved, actions: Collection[Action]) -> None:
    referring = _referring(state, moved, actions)
    if not referring:
        return
    number, tokens = next(iter(referring.items()))
    child = state.table(moved.child)
    texts = child.texts(child.rows[number], state.readers(child, map(child.by_id, moved.key.columns)))
    what = "deleted" if moved.keys[tokens] is None else "changed"
    said = repr(texts[0]) if len(texts) == 1 else repr(texts)
    raise NotApplicable(
        f"row {said} of {moved.key.definition.table!r} cannot be {what}: "
        f"{child.label(moved.key)!r} of {moved.child!r} references it"
    )


def _act(state: State, events: Iterable[_Moved]) -> tuple[State, Changes]:
    """Do to the referring rows what their foreign keys say; the state after it, and what changed."""
    effects: dict[str, dict[int, list[_Effect]]] = {}
    for moved in events:
        child = state.table(moved.child)
        read = _key_reader(state, child, moved.key)
        for number, held in _referring(state, moved, _ACTING).items():
            effect = _Effect(moved.key, held, _cells(state, child, moved, held))
            if effect.cells and read(child.rows[number].with_cells(effect.cells)) in moved.keys:
                # The server looks at once whether a default is that of the row that went.
                raise _gone(child, moved.key)
            effects.setdefault(moved.child, {}).setdefault(number, []).append(effect)
    before = state
    for name, by_row in effects.items():
        state = _act_on(state, before, name, by_row)
    return state, {name: (tuple(by_row), None) for name, by_row in effects.items()}


def _act_on(state: State, before: State, name: str, effects: Mapping[int, Sequence[_Effect]]) -> State:
    """The state after one round did something to rows of one table."""
    child = before.table(name)
    _check_allowed(child, effects)
    outcomes = {number: _outcome(before, child, child.rows[number], done) for number, done in effects.items()}
    kept = [row for row in outcomes.values() if row is not None]
    removed = [number for number, row in outcomes.items() if row is None]
    after = state.with_table(replace(child, rows=child.rows.remove(removed).put(kept)))
    columns = {number for done in effects.values() for effect in done for number in effect.cells or ()}
    _check_kept_apart(after, after.table(name), columns, [row.number for row in kept])
    return after


def _outcome(state: State, child: TableState, row: Row, effects: Sequence[_Effect]) -> Row | None:
    """The row after all that foreign keys do to it in one round, None where it goes."""
    if len(effects) == 1:
        cells = effects[0].cells
        return None if cells is None else row.with_cells(cells)
    orders = [effects] if _commute(effects) else permutations(effects)
    first, *others = [_in_order(state, child, row, order) for order in orders]
    changed = {number for effect in effects for number in effect.cells or ()}
    keys = [key for _, key in state.references_to(child.definition.name)]
    referred = {target.id for key in keys for target in state.target(key)[1]}
    if any(other != first for other in others) or (first is None and changed & referred):
        column = child.by_id(effects[0].key.columns[0])
        raise _ruled(child, column, "another one would change the row at the same time")
    return first


def _commute(effects: Sequence[_Effect]) -> bool:
    """Whether the order of effects does not matter: all delete the row, or each has columns of its own."""
    if all(effect.cells is None for effect in effects):
        return True
    columns = [number for effect in effects for number in effect.key.columns]
    return len(columns) == len(set(columns))


def _in_order(state: State, child: TableState, row: Row, effects: Iterable[_Effect]) -> Row | None:
    """The row after several effects; one that finds another key there than it was after does nothing."""
    for effect in effects:
        if _key_reader(state, child, effect.key)(row) != effect.held:
            continue
        if effect.cells is None:
            return None
        row = row.with_cells(effect.cells)
    return row


def _cells(state: State, child: TableState, moved: _Moved, held: Tokens) -> dict[int, Text] | None:
    action, texts, key = moved.action(held), moved.keys[held], moved.key
    if action == "cascade":
        return None if texts is None else _cascaded(state, child, key, texts)
    named = key.definition.nulled if texts is None else ()
    columns = [child.by_id(number) for number in key.columns]
    chosen = [column for column in columns if not named or column.birth.name in named]
    return {column.id: None if action == "set null" else _default(child, column) for column in chosen}


def _cascaded(state: State, child: TableState, key: ForeignKeyState, texts: Texts) -> dict[int, Text]:
    columns, (_, targets) = [child.by_id(number) for number in key.columns], state.target(key)
    places = zip(columns, targets, texts, strict=True)
    return {column.id: held_as(text, target, column) for column, target, text in places}


def held_as(text: Text, target: ColumnState, column: ColumnState) -> Text:
    """What a foreign key's column makes of the text of a key: a numeric(10,2) holds 1.5 as 1.50."""
    return text if text is None or column.type == target.type else canonical(column.type, text)


def _default(child: TableState, column: ColumnState) -> Text:
    if column.default is None:
        return None
    if not is_constant(column.default):
        raise _ruled(child, column, "its default is no constant")
    return constant(column.default, column.type)


def _check_allowed(child: TableState, effects: Mapping[int, Sequence[_Effect]]) -> None:
    """Whether the rules of a child that kroft knows of let its rows get other cells."""
    found: dict[int, set[Text]] = {}
    for done in effects.values():
        for effect in done:
            for number, text in (effect.cells or {}).items():
                found.setdefault(number, set()).add(text)
    for number, texts in found.items():
        column = child.by_id(number)
        if not column.nullable and None in texts:
            raise _ruled(child, column, "it is NOT NULL")
        if column.definition.check or column.definition.together or column.definition.filled:
            raise _ruled(child, column, "a check of it may not allow that")
        if any(is_check(text) and mentions(text, column.birth.name) for text in child.definition.constraints):
            raise _ruled(child, column, "a check of the table may not allow that")
        if child.dependents(column):
            raise _ruled(child, column, "a generated column is computed from it")


def _check_lead_somewhere(
    state: State, places: Iterable[tuple[str, Sequence[int]]], *, deferred: bool
) -> None:
    """Whether rows that foreign keys changed still refer to rows that are there."""
    for name, numbers in places:
        child = state.table(name)
        rows = [child.rows[number] for number in numbers if number in child.rows]
        for key in child.foreign_keys if rows else ():
            if key.definition.deferred == deferred:
                _check_parents(state, child, key, rows)


def _check_parents(state: State, child: TableState, key: ForeignKeyState, rows: Iterable[Row]) -> None:
    columns = [child.by_id(number) for number in key.columns]
    parent, targets = state.target(key)
    own, read = state.readers(child, columns), state.readers(parent, targets)
    held = {key_tokens(parent.texts(row, read), targets) for row in parent.rows}
    for row in rows:
        texts = child.texts(row, own)
        if key.definition.full and None in texts and any(text is not None for text in texts):
            raise _ruled(child, columns[0], "its foreign key is NULL as a whole, or not at all")
        if None not in texts and key_tokens(texts, targets) not in held:
            raise _gone(child, key)


def _check_kept_apart(state: State, child: TableState, columns: Collection[int], numbers: list[int]) -> None:
    risky = [ids for ids in child.uniques if set(ids).intersection(columns)]
    for number, what in duplicates(state, child, risky, numbers).items():
        column = child.by_id(next(iter(columns)))
        raise _ruled(child, column, f"row number {number} would repeat a unique value: {what}")


def _gone(child: TableState, key: ForeignKeyState) -> NotApplicable:
    return _ruled(child, child.by_id(key.columns[0]), f"{key.definition.table!r} has no such row")


def _ruled(child: TableState, column: ColumnState, why: str) -> NotApplicable:
    return NotApplicable(
        f"a foreign key would change {column.name!r} of {child.definition.name!r}, and {why}"
    )
