"""What became of one table: the operations so far, and the states around them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property

from pytest_kroft.model.operations import SCHEMA_KINDS, Observed, Operation, kind
from pytest_kroft.model.rows import Row
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.types import SqlType

Values = Mapping[str, object]
"""One row's values by the present names of their columns."""

Load = Callable[[SqlType], Callable[[str], object]]
"""From a type to a function that reads its texts as values."""

Step = tuple[int, Operation, TableState | None, TableState | None]
"""An operation's place, the operation, and one table before and after it."""


class Past:
    """What became of one table, operation by operation.

    Args:
        table: The name of the table's definition; the last state must have the table.
        operations: Everything that was done.
        states: The states around the operations: one more than there are operations.
        load: How values are read from the state's texts.
    """

    def __init__(
        self, table: str, operations: Sequence[Operation], states: Sequence[State], load: Load
    ) -> None:
        self._name, self._operations, self._states, self._load = table, operations, states, load
        self.table = states[-1].table(table)

    @cached_property
    def steps(self) -> list[Step]:
        """The operations that changed the table, or an earlier one of its name, in order."""
        around = zip(self._operations, self._states, self._states[1:], strict=False)
        found = (
            (place, operation, before.tables.get(self._name), after.tables.get(self._name))
            for place, (operation, before, after) in enumerate(around)
        )
        return [step for step in found if step[2] is not step[3]]

    @cached_property
    def written(self) -> Mapping[int, int]:
        """For each row that is there, by number: the place of the operation that last wrote it.

        What a change of the schema does to rows is no write, nor is what the server computes.
        """
        last: dict[int, int] = {}
        for place, operation, before, after in self._of_this_birth():
            if not (kind(operation) in SCHEMA_KINDS or _computed(operation)):
                last |= {row.number: place for row in _changed(before, after)}
        return last

    @cached_property
    def named(self) -> Mapping[str, int]:
        """For each column by its present name: the place of the operation that gave it that name."""
        return self._since(lambda column: (column.id, column.name))

    @cached_property
    def born(self) -> Mapping[str, int]:
        """For each column by its present name: the place of the operation that added it."""
        return self._since(lambda column: column.id)

    def _since(self, what: Callable[[ColumnState], Hashable]) -> Mapping[str, int]:
        since: dict[Hashable, int] = {}
        for place, _, _, after in self._of_this_birth():
            now = [what(column) for column in after.columns]
            since = {one: since.get(one, place) for one in now}
        return {column.name: since[what(column)] for column in self.table.columns}

    def added(self, column: str) -> bool:
        """Whether the column came after the table was made."""
        return self.born[column] > next(self._of_this_birth())[0]

    def renamed(self, column: str) -> bool:
        """Whether the column once had another name."""
        return self.named[column] > self.born[column]

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that a column of the table, or of an earlier one of its name, ever had."""
        return frozenset(name for _, _, _, after in self.steps if after for name in after.names)

    @cached_property
    def former_names(self) -> frozenset[str]:
        """The former names of the columns that are there."""
        ids = {column.id for column in self.table.columns}
        return frozenset(
            column.name
            for _, _, _, after in self._of_this_birth()
            for column in after.columns
            if column.id in ids
        )

    def rows(self, columns: Sequence[str]) -> list[tuple[Values, int]]:
        """The present rows, as the values of some columns, and where each was last written."""
        read = self._reader(self._states[-1], self.table, columns)
        return [(read(row), self.written[row.number]) for row in self.table.rows]

    def held(self, columns: Sequence[str]) -> Iterator[tuple[Hashable, Values]]:
        """Every row that the source ever held, as the values of some columns by their present names.

        With each comes whose content it is; a row comes again when it was written, or the schema changed.
        A column that was not there then has NULL.
        """
        for place, operation, before, after in self.steps:
            if after is None:
                continue
            read = self._reader(self._states[place + 1], after, columns)
            for row in after.rows if kind(operation) in SCHEMA_KINDS else _changed(before, after):
                yield (after.birth, row.number), read(row)

    def _of_this_birth(self) -> Iterator[tuple[int, Operation, TableState | None, TableState]]:
        for place, operation, before, after in self.steps:
            if after and after.birth == self.table.birth:
                yield place, operation, before if before and before.birth == after.birth else None, after

    def _reader(self, state: State, table: TableState, columns: Sequence[str]) -> Callable[[Row], Values]:
        readers = {name: self._column_reader(state, table, name) for name in columns}
        return lambda row: {name: read(row) for name, read in readers.items()}

    def _column_reader(self, state: State, table: TableState, name: str) -> Callable[[Row], object]:
        wanted, same_table = self.table.column(name), table.birth == self.table.birth
        column = next(
            (c for c in table.columns if (c.id == wanted.id if same_table else c.name == name)), None
        )
        if column is None:
            return lambda _row: None
        read, load = state.reader(table, column), self._load(column.type)
        return lambda row: None if (text := read(row)) is None else load(text)


def _computed(operation: Operation) -> bool:
    return isinstance(operation, Observed) and operation.by == "server"


def _changed(before: TableState | None, after: TableState) -> Iterator[Row]:
    """The rows that an operation wrote anew; rows that it left alone stay the same objects."""
    old = {row.number: row for row in before.rows} if before else {}
    return (row for row in after.rows if old.get(row.number) is not row)
