"""Batches of new rows: which numbers they get, who their parents are, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pytest_kroft.errors import NotApplicable, UnknownColumn, ValueRefused
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.clock import SECOND, next_stamp
from pytest_kroft.model.fold import apply
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.operations import Cells, Insert, Text
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.timeline import Evolving
from pytest_kroft.model.types import SqlType
from pytest_kroft.model.uniqueness import duplicates, may_repeat, sets_at_risk
from pytest_kroft.planning import arguments
from pytest_kroft.planning.parents import draw_parents

Row = Mapping[str, object]
Spell = Callable[[SqlType, object], str]
"""Spells a value given on purpose as the server prints it."""

Present = Callable[[SqlType, str], object]
"""Makes the Python value that a reader gets from the server's text."""

Stamps = Callable[[State, Choices], int]
"""Makes the stamp of the next transaction."""

SPARE_NUMBERS = 100
"""How many row numbers more than twice the rows wanted are tried where values of a generator repeat."""


def logical_stamps(state: State, choices: Choices) -> int:
    """Stamps of the logical clock."""
    return next_stamp(state.now, choices)


def _as_text(sql_type: SqlType, text: str) -> object:
    del sql_type
    return text


@dataclass(frozen=True)
class Craft:
    """What planners need from outside: how values are spelled and shown, and what time it is."""

    spell: Spell = canonical
    present: Present = _as_text
    stamps: Stamps = logical_stamps


class BatchGenerator:
    """Makes batches of rows that a table accepts.

    Args:
        database: The state to plan on.
        choices: Answers the decisions: the parents of foreign keys, the time.
        craft: How values are spelled and shown.
    """

    def __init__(self, database: Evolving, choices: Choices, craft: Craft | None = None) -> None:
        self._database, self._choices, self._craft = database, choices, craft or Craft()

    def generate(self, table: str | None = None, count: int = 10) -> list[dict[str, object]]:
        """The next ``count`` rows of a table as dicts of Python values; nothing is inserted.

        Generated columns are left out, so that the rows can be given to ``insert(rows=...)``.
        Raises UnknownTable, or NotApplicable where the table takes no such rows.
        """
        state = self._database.state
        name = state.only_table(table)
        rows: list[dict[str, object]] = []
        for insert in self.plan(name, count):
            state = apply(state, insert)
            rows.extend(self._shown(state, state.table(name), insert))
        return rows

    def modifiable_columns(self, table: str | None = None) -> tuple[str, ...]:
        """The columns that an update may change: no key, no protected column, none that the server fills."""
        state = self._database.state
        found = state.table(state.only_table(table))
        return tuple(column.name for column in modifiable(found))

    def plan(
        self, table: str, count: int, *, stamp: int | None = None, given: Cells | None = None
    ) -> tuple[Insert, ...]:
        """The inserts of ``count`` new rows: one, or several where row numbers are skipped."""
        count = arguments.whole(count, f"the number of rows to insert into {table!r}")
        if count < 1:
            raise NotApplicable(f"the number of rows to insert into {table!r} must be 1 or more, not {count}")
        state = self._database.state
        found = state.table(table)
        stamp = self._craft.stamps(state, self._choices) if stamp is None else stamp
        given = dict(given or {})
        planned = Insert(
            table,
            found.next_row,
            count,
            stamp,
            0,
            given,
            draw_parents(state, found, _numbers(found, count), self._choices, given),
        )
        return self._spread(state, planned) if _repeated(state, planned) else (planned,)

    def plan_rows(self, table: str, rows: Sequence[Row]) -> Insert:
        """The insert of rows given on purpose; what a row does not say is generated."""
        state = self._database.state
        found = state.table(table)
        for row in rows:
            if unknown := [name for name in row if not found.has(name)]:
                raise UnknownColumn(table, str(unknown[0]), found.names)
        stamp = self._craft.stamps(state, self._choices)
        first = found.next_row
        for _ in range(SPARE_NUMBERS):
            planned = self._plan_given(state, found, rows, Insert(table, first, len(rows), stamp))
            repeated = _repeated(state, planned)
            if not repeated:
                return planned
            # A value that is generated may meet one that was given before: take later row numbers.
            first = max(repeated) + 1
        # Then it is a given value that repeats, and checking the plan says which.
        return self._plan_given(state, found, rows, Insert(table, found.next_row, len(rows), stamp))

    def _plan_given(self, state: State, table: TableState, rows: Sequence[Row], plain: Insert) -> Insert:
        """The plain insert with the cells that rows give; in their columns the other rows' are generated."""
        generated = self._generated(state, table, rows, plain)
        cells = {
            column.name: tuple(
                spelled(column, row[column.name], self._craft.spell)
                if column.name in row
                else generated[column.name][index]
                for index, row in enumerate(rows)
            )
            for column in table.columns
            if any(column.name in row for row in rows)
        }
        parents = draw_parents(
            state, table, range(plain.first, plain.first + plain.count), self._choices, cells
        )
        return replace(plain, cells=cells, parents=parents)

    def _generated(
        self, state: State, table: TableState, given: Sequence[Row], plain: Insert
    ) -> dict[str, tuple[Text, ...]]:
        """What rows would hold if nothing were given, in the columns that only some of the rows say."""
        partly = [name for name in table.names if {name in row for row in given} == {True, False}]
        if not partly:
            return {}
        numbers = range(plain.first, plain.first + plain.count)
        parents = draw_parents(state, table, numbers, self._choices, {}, only=partly)
        after = apply(state, replace(plain, parents=parents))
        made = after.table(plain.table)
        rows = [made.rows[number] for number in range(plain.first, plain.first + plain.count)]
        return {name: tuple(map(after.reader(made, made.column(name)), rows)) for name in partly}

    def _spread(self, state: State, planned: Insert) -> tuple[Insert, ...]:
        """The planned rows without the numbers that would repeat a unique value."""
        wide = self._widened(state, planned)
        numbers = range(wide.first, wide.first + wide.count)
        repeated = _repeated(state, wide)
        fit = [number for number in numbers if number not in repeated][: planned.count]
        if not fit or (len(fit) < planned.count and not wide.parents):
            what = next(iter(repeated.values()))
            raise NotApplicable(
                f"{planned.count} rows of {planned.table!r} cannot be made: "
                f"values of a unique column repeat ({what}); give it a generator whose values differ"
            )
        return tuple(_runs(wide, fit))

    def _widened(self, state: State, planned: Insert) -> Insert:
        """The same insert over more numbers; cells given on purpose are of exactly these rows."""
        table = state.table(planned.table)
        if planned.cells:
            return planned
        room = [
            c for column in table.columns if column.unique and (c := state.values(table, column).capacity)
        ]
        most = min([planned.count * 2 + SPARE_NUMBERS, *(limit - planned.first + 1 for limit in room)])
        count = max(planned.count, most)
        parents = draw_parents(state, table, _numbers(table, count), self._choices, {})
        return Insert(planned.table, planned.first, count, planned.stamp, 0, {}, parents)

    def _shown(self, state: State, table: TableState, insert: Insert) -> Iterator[dict[str, object]]:
        columns = [column for column in table.columns if not column.computed]
        readers = state.readers(table, columns)
        for number in range(insert.first, insert.first + insert.count):
            texts = table.texts(table.rows[number], readers)
            yield {
                column.name: None if text is None else self._craft.present(column.type, text)
                for column, text in zip(columns, texts, strict=True)
            }


def _numbers(table: TableState, count: int) -> range:
    """The numbers of the next rows."""
    return range(table.next_row, table.next_row + count)


def modifiable(table: TableState) -> tuple[ColumnState, ...]:
    """The columns that an update may change, each with all that change together with it."""
    free = [c for c in table.columns if table.protection(c) is None and table.unwritable(c) is None]
    ids = {column.id for column in free}
    return tuple(column for column in free if all(one.id in ids for one in table.partners(column)))


def spelled(column: ColumnState, value: object, spell: Spell) -> Text:
    """A value given on purpose as the server prints it; raises ValueRefused naming the column."""
    if value is None:
        return None
    try:
        return spell(column.type, value)
    except ValueRefused as error:
        raise ValueRefused(value, f"{column.type} (column {column.name!r})", error.reason) from None


def _repeated(state: State, planned: Insert) -> dict[int, str]:
    """The planned rows that would repeat a unique value."""
    table = state.table(planned.table)
    given, written = {*planned.cells, *planned.parents}, [column.id for column in table.columns]
    if not may_repeat(table, written, given):
        return {}
    after = apply(state, planned)
    made = after.table(planned.table)
    numbers = range(planned.first, planned.first + planned.count)
    return duplicates(after, made, sets_at_risk(after, made, written, given, numbers), numbers)


def _runs(wide: Insert, fit: Sequence[int]) -> Iterator[Insert]:
    """One insert for each run of numbers that follow each other, each with a stamp of its own."""
    starts = [
        0,
        *(index + 1 for index, (one, two) in enumerate(pairwise(fit)) if two != one + 1),
        len(fit),
    ]
    stamp = wide.stamp
    for start, end in pairwise(starts):
        offset = fit[start] - wide.first
        part = slice(offset, offset + end - start)
        cells = {name: texts[part] for name, texts in wide.cells.items()}
        parents = {name: numbers[part] for name, numbers in wide.parents.items()}
        yield Insert(wide.table, fit[start], end - start, stamp, 0, cells, parents)
        stamp += SECOND
