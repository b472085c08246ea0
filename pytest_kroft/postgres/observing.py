"""What only the server can know of an operation, read back after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import psycopg
from psycopg import sql

from pytest_kroft.model.columns import INTEGERS
from pytest_kroft.model.expressions import is_constant, literal
from pytest_kroft.model.literals import is_opaque
from pytest_kroft.model.operations import AddColumn, Insert, Observed, Operation, Update
from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import ColumnState, State, TableState, Text
from pytest_kroft.postgres.refusals import Unexpected
from pytest_kroft.postgres.statements import own_rows

Connection = psycopg.Connection[Any]
Texts = tuple[Text, ...]
Rows = dict[int, Texts]
"""The cells of rows by their numbers."""

By = Literal["server", "test"]

_EVERYWHERE = sql.SQL("")
_WRITTEN_HERE = sql.SQL("WHERE age(xmin) <= 0")
"""The rows that this transaction, or a later one, has written; see chapter 5.5 of PostgreSQL's manual."""


def observe(connection: Connection, operation: Operation, after: State) -> Observed | None:
    """The cells that only the server could know after an operation, or None where there are none.

    Raises Unexpected where the server does not have a row of the state.
    """
    columns = observed_columns(operation, after)
    if not columns or not isinstance(operation, Insert | Update | AddColumn):
        return None
    table = after.table(operation.table)
    numbers = _touched(table, operation)
    if not numbers:
        return None
    cells = _read(connection, after, table, columns, numbers)
    return Observed(operation.table, "server", numbers, cells)


def _read(
    connection: Connection,
    state: State,
    table: TableState,
    columns: Sequence[ColumnState],
    numbers: Sequence[int],
) -> dict[str, Texts]:
    # Without a key, rows that agree in all other columns are as good as one another.
    known = table.key or [column for column in table.columns if column not in columns]
    wanted = sql.SQL(", ").join(_as_text(column.name) for column in (*known, *columns))
    query = sql.SQL("SELECT {} FROM {}").format(wanted, own_rows(table))
    found: dict[Texts, list[Texts]] = {}
    for row in connection.execute(query).fetchall():
        found.setdefault(tuple(row[: len(known)]), []).append(tuple(row[len(known) :]))
    readers = state.readers(table, known)
    rows = []
    for number in numbers:
        texts = table.texts(table.rows[number], readers)
        if not found.get(texts):
            row = " ".join(map(str, texts))
            raise Unexpected(f"the server has no row {row} of {table.definition.name!r}")
        rows.append(found[texts].pop())
    return {column.name: tuple(row[index] for row in rows) for index, column in enumerate(columns)}


def _opaque(column: ColumnState) -> bool:
    """Whether only the server computes a column."""
    return column.computed is not None and column.computed.function is None


def observed_columns(operation: Operation, after: State) -> list[ColumnState]:
    """The columns whose cells an operation makes the server compute in a way that kroft cannot."""
    if isinstance(operation, Insert | Update):
        table = after.table(operation.table)
        return [column for column in table.columns if _opaque(column)]
    if isinstance(operation, AddColumn):
        column = after.table(operation.table).column(operation.column.name)
        return [column] if _default_is_unsure(column) or _opaque(column) or column.definition.identity else []
    return []


def _default_is_unsure(column: ColumnState) -> bool:
    """Whether only the server can tell what cell a column's default makes."""
    if column.default is None:
        return False
    if not is_constant(column.default):
        return True
    text = column.backfill
    spelled_by_kroft = text is None or column.default == literal(text, column.type)
    return not spelled_by_kroft and column.type.builtin and is_opaque(column.type, text)


def _touched(table: TableState, operation: Insert | Update | AddColumn) -> tuple[int, ...]:
    if isinstance(operation, Insert):
        return tuple(range(operation.first, operation.first + operation.count))
    return operation.rows if isinstance(operation, Update) else tuple(table.rows.numbers)


def _as_text(name: str) -> sql.Composed:
    return sql.SQL("{}::text").format(sql.Identifier(name))


# Whole rows


def read_texts(connection: Connection, table: TableState, where: sql.SQL = _EVERYWHERE) -> list[Texts]:
    """The text of every cell of a table on the server."""
    columns = sql.SQL(", ").join(map(_as_text, table.names))
    query = sql.SQL("SELECT {} FROM {} {}").format(columns, own_rows(table), where)
    return [tuple(row) for row in connection.execute(query).fetchall()]


def difference(connection: Connection, state: State, name: str, by: By) -> Observed | None:
    """What a table holds on the server otherwise than in the state, or None where that is nothing.

    Rows are found by the primary key. Without one, a row that differs is taken as a new one.
    """
    table = state.table(name)
    return _differing(state, table, read_texts(connection, table), table.rows, by)


def difference_since(connection: Connection, before: State, after: State, name: str) -> Observed | None:
    """The same within the transaction that wrote, where the server held what ``before`` says.

    Then only the rows that it has written need be read, unless rows are gone that the state has.
    """
    table = after.table(name)
    old = before.tables[name].rows if name in before.tables else ()
    held = {row.number: row for row in old}
    touched = [row for row in table.rows if held.get(row.number) is not row]
    if table.key:
        fresh = read_texts(connection, table, _WRITTEN_HERE)
        texts = _texts_of(after, table, touched)
        if _keys(table, fresh) == _keys(table, texts.values()) and (
            _count(connection, table) == len(table.rows)
        ):
            return _differing(after, table, fresh, touched, "server")
    return difference(connection, after, name, "server")


def _count(connection: Connection, table: TableState) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(own_rows(table))).fetchone()
    return int(row[0]) if row else 0


def _texts_of(state: State, table: TableState, rows: Iterable[Row]) -> Rows:
    readers = state.readers(table)
    return {row.number: table.texts(row, readers) for row in rows}


def _known(table: TableState) -> list[int]:
    """The places of the columns that a row is found by on the server."""
    if table.key:
        return [table.names.index(column.name) for column in table.key]
    return [place for place, column in enumerate(table.columns) if not _opaque(column)]


def _keys(table: TableState, rows: Iterable[Texts]) -> set[Texts]:
    known = _known(table)
    return {tuple(texts[place] for place in known) for texts in rows}


def _differing(
    state: State, table: TableState, texts: Iterable[Texts], rows: Iterable[Row], by: By
) -> Observed | None:
    """What the server's rows have otherwise than these rows of the state."""
    known = _known(table)
    held = _texts_of(state, table, rows)
    waiting: dict[Texts, list[int]] = {}
    for number in reversed(held):
        waiting.setdefault(tuple(held[number][place] for place in known), []).append(number)
    changed, new = Rows(), list[Texts]()
    for found in texts:
        numbers = waiting.get(tuple(found[place] for place in known))
        if not numbers:
            new.append(found)
        elif held[number := numbers.pop()] != found:
            changed[number] = found
    removed = sorted(number for numbers in waiting.values() for number in numbers)
    if not (changed or new or removed):
        return None
    return _observed(state, table, held, dict(sorted(changed.items())), new, removed, by)


def _observed(
    state: State,
    table: TableState,
    held: Rows,
    changed: Rows,
    new: Sequence[Texts],
    removed: Collection[int],
    by: By,
) -> Observed:
    written = {**changed, **_numbered(table, new)}
    cells = {
        column.name: tuple(texts[place] for texts in written.values())
        for place, column in enumerate(table.columns)
        if not (column.computed and column.computed.function)
        and (new or any(texts[place] != held[number][place] for number, texts in changed.items()))
    }
    stamp = state.now if new else None
    return Observed(table.definition.name, by, tuple(written), cells, tuple(removed), stamp)


def _numbered(table: TableState, new: Sequence[Texts]) -> Rows:
    """New rows with numbers that were never used."""
    place, fresh = _counting(table), table.next_row
    if place is None:
        # Where rows lie on the server is not what a seed decides.
        ordered = sorted(new, key=lambda texts: [(text is not None, text or "") for text in texts])
        return dict(enumerate(ordered, start=fresh))
    found = Rows()
    for texts in sorted(new, key=lambda texts: int(texts[place] or 0)):
        # Generated keys follow row numbers, so that no later one is equal to a key that the server made.
        fresh = max(fresh, int(texts[place] or 0))
        found[fresh] = texts
        fresh += 1
    return found


def _counting(table: TableState) -> int | None:
    """The place of the whole number that alone keeps rows apart, if there is one."""
    key = table.key
    if len(key) != 1 or key[0].type.array or key[0].type.name not in INTEGERS:
        return None
    # The values of another column may be too few for rows of so high numbers.
    alone = all(ids == (key[0].id,) for ids in table.uniques)
    return table.columns.index(key[0]) if alone and not key[0].free else None


def undone(observed: Observed, state: State) -> Observed:
    """The observation that turns what the server was seen to hold into what the state holds."""
    table = state.table(observed.table)
    rows = tuple(sorted([*(n for n in observed.rows if n in table.rows), *observed.removed]))
    texts = _texts_of(state, table, (table.rows[number] for number in rows))
    cells = {
        column.name: tuple(texts[number][place] for number in rows)
        for place, column in enumerate(table.columns)
        if column.name in observed.cells or observed.removed
    }
    gone = tuple(number for number in observed.rows if number not in table.rows)
    return Observed(observed.table, "test", rows, cells, gone, state.now)


def in_order(state: State, observed: Sequence[Observed]) -> list[Observed]:
    """The same observations, in an order in which they can be written: rows that others reference go last."""
    referenced = {name for name, table in state.tables.items() if state.references_to(name)}
    late = [one for one in observed if one.removed and one.table in referenced]
    # Without a key all rows are written anew, so that none can wait.
    late = [one for one in late if state.table(one.table).key]
    kept = [replace(one, removed=()) if one in late else one for one in observed]
    removals = [replace(one, rows=(), cells={}) for one in reversed(late)]
    return [*(one for one in kept if one.rows or one.removed), *removals]
