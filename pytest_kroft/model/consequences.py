"""What foreign keys do to other rows where a row goes or gets another key. Pure.

The server does it by triggers at the end of the statement; see PostgreSQL's documentation, chapter 5.5.5.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.clauses import mentions
from pytest_kroft.model.expressions import constant, is_constant
from pytest_kroft.model.foreign_keys import Action
from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import ColumnState, ForeignKeyState, State, TableState, Text
from pytest_kroft.model.uniqueness import duplicates, token

Tokens = tuple[object, ...]
Texts = tuple[Text, ...]

_PASSIVE = ("no action", "restrict")
_CHECK = re.compile(r"\s*(?:CONSTRAINT\s+\S+\s+)?(?:CHECK|EXCLUDE)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Moved:
    """The keys of a parent that went (None) or became others, by their tokens."""

    keys: Mapping[Tokens, Texts | None]

    def action(self, key: ForeignKeyState, held: Tokens) -> Action:
        gone = self.keys[held] is None
        return key.definition.on_delete if gone else key.definition.on_update


def follow(
    before: State, after: State, name: str, numbers: Iterable[int], columns: Collection[int] | None = None
) -> State:
    """The state with what foreign keys do to other rows.

    Args:
        before: The state before an operation.
        after: The state in which rows of a table were changed or deleted, and no other ones.
        name: The table.
        numbers: The rows.
        columns: The ids of the columns that changed; None where the rows were deleted.

    Raises:
        NotApplicable: where a foreign key, or another rule of the rows that it changes, refuses.
    """
    first = after
    waiting = deque([(name, tuple(numbers), columns)])
    passive: list[tuple[TableState, ForeignKeyState, _Moved]] = []
    while waiting:
        table, rows, changed = waiting.popleft()
        for child, key in before.references_to(table):
            moved = _moved(before, after, key, rows, changed)
            if not moved.keys:
                continue
            if {key.definition.on_delete, key.definition.on_update}.intersection(_PASSIVE):
                passive.append((child, key, moved))
            referring = _referring(after, child, key, moved, acting=True)
            if referring:
                after = _act(after, child, key, moved, referring)
                waiting.append((child.definition.name, tuple(referring), None))
    for child, key, moved in passive:
        # RESTRICT does not wait for what other foreign keys do.
        _refuse(first if "restrict" in (key.definition.on_delete, key.definition.on_update) else after,
                before, child, key, moved)  # fmt: skip
    return after


def _moved(
    before: State, after: State, key: ForeignKeyState, rows: Sequence[int], changed: Collection[int] | None
) -> _Moved:
    """The keys that rows of the parent had, and have no more."""
    parent, targets = before.target(key)
    if changed is not None and not any(target.id in changed for target in targets):
        return _Moved({})
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
    return _Moved({tokens: texts for tokens, texts in old.items() if tokens not in held})


def key_tokens(texts: Sequence[Text], columns: Sequence[ColumnState]) -> Tokens | None:
    """What equal keys have in common; None where a part is NULL, which refers to nothing."""
    if None in texts:
        return None
    return tuple(token(str(text), column.type) for text, column in zip(texts, columns, strict=True))


def _referring(
    state: State, child: TableState, key: ForeignKeyState, moved: _Moved, *, acting: bool
) -> dict[int, Tokens]:
    """The rows of a child that refer to keys which moved, with their keys: those of keys that act, or not."""
    now = state.table(child.definition.name)
    columns = [now.by_id(number) for number in key.columns]
    _, targets = state.target(key)
    readers = state.readers(now, columns)
    found: dict[int, Tokens] = {}
    for row in now.rows:
        tokens = key_tokens(now.texts(row, readers), targets)
        if tokens is None or tokens not in moved.keys:
            continue
        if (moved.action(key, tokens) not in _PASSIVE) == acting:
            found[row.number] = tokens
    return found


def _refuse(state: State, before: State, child: TableState, key: ForeignKeyState, moved: _Moved) -> None:
    referring = _referring(state, child, key, moved, acting=False)
    if not referring:
        return
    number, tokens = next(iter(referring.items()))
    now = state.table(child.definition.name)
    row = now.rows[number]
    texts = now.texts(row, state.readers(now, [now.by_id(place) for place in key.columns]))
    what = "deleted" if moved.keys[tokens] is None else "changed"
    said = repr(texts[0]) if len(texts) == 1 else repr(texts)
    raise NotApplicable(
        f"row {said} of {before.target(key)[0].definition.name!r} cannot be {what}: "
        f"{child.label(key)!r} of {child.definition.name!r} references it"
    )


def _act(
    state: State, child: TableState, key: ForeignKeyState, moved: _Moved, referring: Mapping[int, Tokens]
) -> State:
    """Do to the referring rows what their foreign key says."""
    now = state.table(child.definition.name)
    removed = [
        number
        for number, held in referring.items()
        if moved.keys[held] is None and key.definition.on_delete == "cascade"
    ]
    changed = [
        now.rows[number].with_cells(_cells(now, key, moved, held))
        for number, held in referring.items()
        if number not in removed
    ]
    if changed:
        _check_changed(state, now, key, changed)
    made = replace(now, rows=now.rows.remove(removed).put(changed))
    after = state.with_table(made)
    if changed:
        _check_kept_apart(after, made, key, [row.number for row in changed])
    return after


def _cells(child: TableState, key: ForeignKeyState, moved: _Moved, held: Tokens) -> dict[int, Text]:
    action, texts = moved.action(key, held), moved.keys[held]
    if action == "cascade":
        assert texts is not None, "a row that is gone takes its children with it"
        return dict(zip(key.columns, texts, strict=True))
    named = key.definition.nulled if texts is None else ()
    columns = [child.by_id(number) for number in key.columns]
    chosen = [column for column in columns if not named or column.birth.name in named]
    return {column.id: None if action == "set null" else _default(child, column) for column in chosen}


def _default(child: TableState, column: ColumnState) -> Text:
    if column.default is None:
        return None
    if not is_constant(column.default):
        raise _ruled(child, column, "its default is no constant")
    return constant(column.default, column.type)


def _check_changed(state: State, child: TableState, key: ForeignKeyState, rows: Sequence[Row]) -> None:
    """Whether the rules of a child that kroft knows of let its rows change so."""
    for number in key.columns:
        column = child.by_id(number)
        read = state.reader(child, column)
        if not column.nullable and any(read(row) is None for row in rows):
            raise _ruled(child, column, "it is NOT NULL")
        if column.definition.check or column.definition.together or column.definition.filled:
            raise _ruled(child, column, "a check of it may not allow that")
        if any(_CHECK.match(text) and mentions(text, column.birth.name) for text in _constraints(child)):
            raise _ruled(child, column, "a check of the table may not allow that")
        if any(other.computed and number in other.computed.sources for other in child.columns):
            raise _ruled(child, column, "a generated column is computed from it")
    for row in rows:
        _check_leads_somewhere(state, child, key, row)


def _constraints(child: TableState) -> Sequence[str]:
    return child.definition.constraints


def _check_leads_somewhere(state: State, child: TableState, key: ForeignKeyState, row: Row) -> None:
    """Whether a row still refers to rows that are there, by its other foreign keys and by a default."""
    touched = set(key.columns)
    for other in child.foreign_keys:
        if not touched.intersection(other.columns):
            continue
        columns = [child.by_id(number) for number in other.columns]
        parent, targets = state.target(other)
        texts = child.texts(row, state.readers(child, columns))
        tokens = key_tokens(texts, targets)
        if other.definition.full and tokens is None and any(text is not None for text in texts):
            raise _ruled(child, columns[0], "its foreign key is NULL as a whole, or not at all")
        if tokens is None:
            continue
        readers = state.readers(parent, targets)
        if not any(key_tokens(parent.texts(held, readers), targets) == tokens for held in parent.rows):
            raise _ruled(child, columns[0], f"{parent.definition.name!r} has no such row")


def _check_kept_apart(state: State, child: TableState, key: ForeignKeyState, numbers: list[int]) -> None:
    risky = [ids for ids in child.uniques if set(ids).intersection(key.columns)]
    for number, what in duplicates(state, child, risky, numbers).items():
        column = child.by_id(key.columns[0])
        raise _ruled(child, column, f"row number {number} would repeat a unique value: {what}")


def _ruled(child: TableState, column: ColumnState, why: str) -> NotApplicable:
    return NotApplicable(
        f"a foreign key would change {column.name!r} of {child.definition.name!r}, and {why}"
    )
