"""Which hazards a history holds, operation by operation: from the operations and the states alone.

A write in a session counts when it is committed, and not at all where it was rolled back. What one
transaction does is compared with what was committed before it: the rows of one transaction may share
a stamp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from pytest_kroft.model.casts import widenings
from pytest_kroft.model.clock import as_stamp, stamp_text
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.describe import row_name
from pytest_kroft.model.given import Write, numbers, special_values
from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.model.history import History
from pytest_kroft.model.migration_steps import migration_steps
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    Begin,
    Commit,
    CreateTable,
    Delete,
    DropColumn,
    DropTable,
    Insert,
    Migrate,
    Observed,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Truncate,
    Update,
)
from pytest_kroft.model.state import ColumnState, State, TableState, Text
from pytest_kroft.model.transactions import Step, steps
from pytest_kroft.model.types import SqlType, parse_type
from pytest_kroft.model.uniqueness import tokens

Key = tuple[object, ...]

_ALONE = {
    SetNullable: "nullability",
    SetDefault: "default_change",
    AddEnumValue: "enum_value",
    RenameTable: "rename_table",
    DropColumn: "drop_column",
}
"""Operations that are a hazard of their own, whatever the state."""


@dataclass(frozen=True, slots=True)
class Found:
    """A hazard that the operation at an index of a history brings about, and a few words on how."""

    place: int
    hazard: str
    note: str = ""


def hazards_in(history: History) -> list[Found]:
    """Every hazard of a history, in the order of its operations; each at most once an operation.

    Raises HistoryError where the operations do not apply one after the other.
    """
    return diagnose(steps(history))


def diagnose(taken: Iterable[Step]) -> list[Found]:
    """Every hazard that steps bring about, in their order."""
    diagnosis = _Diagnosis()
    for step in taken:
        diagnosis.take(step)
    first = {(found.place, found.hazard): found for found in reversed(diagnosis.found)}
    order = list(HAZARDS)
    return sorted(first.values(), key=lambda found: (found.place, order.index(found.hazard)))


def hazard_names(found: Iterable[Found]) -> list[str]:
    """The hazards that were found, each once, in the order in which hazards are reported."""
    held = {one.hazard for one in found}
    return [name for name in HAZARDS if name in held]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A row as it was written with a stamp: by which operation, and in which state it can be named."""

    stamp: int
    step: Step
    table: str
    number: int

    def name(self, other: _Mark | None = None) -> str:
        """The row by its key, or the step that wrote it where that says more."""
        table = self.step.after.table(self.table)
        if not table.key or (other and other.number == self.number):
            return f"step {self.step.place + 1}"
        return row_name(self.step.after, table, self.number)


class _Diagnosis:
    """What was committed so far, as far as later operations are judged by it."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self._latest: dict[str, _Mark] = {}
        self._at_begin: dict[int, dict[str, _Mark]] = {}
        self._gone: dict[str, dict[Key, int]] = {}
        self._dropped: dict[str, int] = {}
        self._dropped_columns: dict[tuple[str, str], int] = {}

    def take(self, step: Step) -> None:
        """Note the hazards of one more step."""
        operation = step.operation
        if isinstance(operation, Begin):
            self._at_begin[operation.session] = dict(self._latest)
        if step.undone:
            self._note(step, "rollback", f"undoes {', '.join(str(place + 1) for place in step.undone)}")
        for write in step.committed:
            self._judge(write)
        self._compare_stamps(step)

    def _note(self, step: Step, hazard: str, note: str = "") -> None:
        self.found.append(Found(step.place, hazard, note))

    def _judge(self, step: Step) -> None:
        operation = step.operation
        if type(operation) in _ALONE:
            self._note(step, _ALONE[type(operation)])
        match operation:
            case Insert() | Update() | Observed():
                self._judge_write(step, operation)
            case Delete(table, rows):
                self._note(step, "delete")
                self._remember_gone(step, table, rows)
            case Truncate(table):
                self._note(step, "truncate")
                self._remember_gone(step, table, step.before.table(table).rows.numbers)
            case CreateTable() | DropTable():
                self._judge_table(step, operation)
            case AddColumn() | DropColumn() | RenameColumn() | AlterType():
                self._judge_column(step, operation)
            case Migrate():
                for change in migration_steps(step.before, operation):
                    self._judge(replace(step, operation=change))
            case _:
                pass

    def _judge_table(self, step: Step, operation: CreateTable | DropTable) -> None:
        if isinstance(operation, DropTable):
            self._dropped[operation.table] = step.place
            # The numbers of rows, and with them keys, begin anew: that is what recreating means.
            self._gone.pop(operation.table, None)
        elif operation.definition.name in self._dropped:
            self._note(step, "recreate_table", f"dropped in {self._dropped[operation.definition.name] + 1}")

    # Columns

    def _judge_column(self, step: Step, operation: AddColumn | DropColumn | RenameColumn | AlterType) -> None:
        match operation:
            case AddColumn(table, column):
                for hazard in _added(column):
                    self._note(step, hazard)
                self._judge_name(step, table, column.name)
            case DropColumn(table, name):
                self._dropped_columns[table, name] = step.place
            case RenameColumn(table, _, name):
                self._note(step, "rename_column")
                self._judge_name(step, table, name)
            case AlterType(table, name, sql_type):
                source, target = step.before.table(table).column(name).type, parse_type(sql_type)
                if source != target:
                    hazard = "widen_type" if target in widenings(source) else "retype_column"
                    self._note(step, hazard, f"was {source}")

    def _judge_name(self, step: Step, table: str, name: str) -> None:
        if any(stone.name == name for stone in step.before.table(table).tombstones):
            dropped = self._dropped_columns[table, name] + 1
            self._note(step, "readd_column", f"back again under the name dropped in {dropped}")

    # Rows

    def _judge_write(self, step: Step, write: Write) -> None:
        if isinstance(write, Observed) and write.by == "server":
            return
        table = step.after.table(write.table)
        if table.updated_at and None in write.cells.get(table.updated_at.name, ()):
            self._note(step, "null_cursor")
        for hazard in special_values(step.after, table, write):
            self._note(step, hazard)
        if isinstance(write, Observed) and write.removed:
            self._note(step, "delete")
            self._remember_gone(step, write.table, write.removed)
        if table.key:
            self._judge_keys(step, table, write)

    def _judge_keys(self, step: Step, table: TableState, write: Write) -> None:
        before = step.before.table(write.table)
        old = [number for number in numbers(write) if number in before.rows]
        if old and any(column.name in _written(write) for column in table.key):
            was, now = _keys(step.before, before, old), _keys(step.after, table, old)
            for number in old:
                if was[number] != now[number]:
                    self._note(step, "key_change", f"becomes {row_name(step.after, table, number)}")
        gone = self._gone.get(write.table)
        for number, key in (_keys(step.after, table, numbers(write)) if gone else {}).items():
            if gone and key in gone:
                name = row_name(step.after, table, number)
                self._note(step, "delete_reinsert", f"{name} was deleted in {gone.pop(key) + 1}")

    def _remember_gone(self, step: Step, name: str, numbers: Iterable[int]) -> None:
        table = step.before.table(name)
        keys = _keys(step.before, table, numbers) if table.key else {}
        self._gone.setdefault(name, {}).update(dict.fromkeys(keys.values(), step.place))

    # Time

    def _compare_stamps(self, step: Step) -> None:
        """Compare the stamps of a transaction with those committed before it, then remember them."""
        session = step.operation.session if isinstance(step.operation, Commit) else 0
        begun = self._at_begin.pop(session, {}) if session else self._latest
        marks = [mark for write in step.committed for mark in _marks(write)]
        for mark in marks:
            self._compare(step, mark, begun.get(mark.table))
        for mark in marks:
            latest = self._latest.get(mark.table)
            if latest is None or latest.stamp < mark.stamp:
                self._latest[mark.table] = mark

    def _compare(self, step: Step, mark: _Mark, begun: _Mark | None) -> None:
        """Judge a stamp by the latest one now, and by the latest one when its transaction began."""
        latest = self._latest.get(mark.table)
        if latest is None or mark.stamp > latest.stamp:
            return
        if mark.stamp == latest.stamp:
            self._note(mark.step, "tied_timestamp", f"tied with {latest.name(mark)}")
        elif begun and mark.stamp < begun.stamp:
            self._note(mark.step, "clock_skew", f"stamped before {begun.name(mark)}")
        else:
            late = f"{mark.name()} appears late: stamped before {latest.name(mark)}"
            self._note(step, "late_commit", late)


def _added(column: ColumnDefinition) -> Iterator[str]:
    """The hazards of adding a column, whatever names there were."""
    yield "add_column"
    if column.default is not None:
        yield "add_column_default"
    if not column.nullable:
        yield "add_column_not_null"
    if column.generated:
        yield "generated_column"


def _written(write: Write) -> set[str]:
    return {*write.cells, *(write.columns if isinstance(write, Update) else ())}


def _keys(state: State, table: TableState, numbers: Iterable[int]) -> dict[int, Key]:
    """The key of each row, equal where the server calls keys equal."""
    readers = state.readers(table, table.key)
    return {number: tokens(table.texts(table.rows[number], readers), table.key) for number in numbers}


def _marks(step: Step) -> Iterator[_Mark]:
    """The stamps that a write gives to its rows, each with the first row that has it."""
    write = step.operation
    if not isinstance(write, Insert | Update | Observed):
        return
    column = step.after.table(write.table).updated_at
    if column is None:
        return
    first: dict[int, int] = {}
    for number, stamp in _stamps(write, column):
        first.setdefault(stamp, number)
    for stamp, number in first.items():
        yield _Mark(stamp, step, write.table, number)


def _stamps(write: Write, column: ColumnState) -> Iterator[tuple[int, int]]:
    """The number and stamp of each row that a write stamps; a given cell is what counts."""
    given = write.cells.get(column.name)
    for index, number in enumerate(numbers(write)):
        plain = None if isinstance(write, Observed) else write.stamp + index * write.step
        stamp = plain if given is None else _stamp_of(given[index], plain, column.type)
        if stamp is not None:
            yield number, stamp


@lru_cache(maxsize=1024)
def _stamp_of(text: Text, plain: int | None, sql_type: SqlType) -> int | None:
    """The stamp that a cell's text stands for; the finer one that it was made of, where there is one."""
    if text is None or (plain is not None and text == stamp_text(plain, sql_type)):
        return None if text is None else plain
    try:
        return as_stamp(datetime.fromisoformat(text))
    except ValueError:
        # Infinity and years that Python cannot hold are hazards of another name.
        return None
