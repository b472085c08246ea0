"""Whether an operation on rows applies: rows, columns, cells, keys and references."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pytest_kroft.errors import NotApplicable, Protected, ValueRefused
from pytest_kroft.model.check_references import (
    check_computed_keys,
    check_consequences,
    check_parents_exist,
    check_parents_given,
    given_names,
    stamped,
)
from pytest_kroft.model.clock import EARLIEST, LATEST
from pytest_kroft.model.fold_rows import write
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.operations import Delete, Insert, Observed, Truncate, Update
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.uniqueness import UniqueSet, duplicates, may_repeat, sets_at_risk, tokens


def check_insert(state: State, op: Insert) -> None:
    """Whether rows can be inserted."""
    table = state.table(op.table)
    if table.definition.closed:
        raise NotApplicable(f"no row can be inserted into {op.table!r}: {table.definition.closed}")
    if op.count < 1:
        raise NotApplicable(f"an insert into {op.table!r} needs at least one row, not {op.count}")
    if op.first < table.next_row:
        raise NotApplicable(
            f"row number {op.first} of {op.table!r} was used before; the next is {table.next_row}"
        )
    _check_given(state, table, op, op.count)
    check_parents_given(table, table.foreign_keys, op, "insert into")
    _check_capacity(state, table, table.columns, op.first + op.count - 1, given_names(table, op))
    written = [column.id for column in table.columns]
    _check_unique(state, op, range(op.first, op.first + op.count), written)


def check_update(state: State, op: Update) -> None:
    """Whether rows can be updated."""
    table = state.table(op.table)
    _check_rows(table, op.rows, "updated")
    columns = [table.column(name) for name in op.columns]
    for column in columns:
        if reason := table.unwritable(column):
            raise Protected(op.table, column.name, reason)
    if unsaid := given_names(table, op).difference(op.columns, stamped(table)):
        raise NotApplicable(
            f"the update of {op.table!r} gives values for {sorted(unsaid)}, which it does not name"
        )
    if op.revision < table.next_revision:
        raise NotApplicable(
            f"revision {op.revision} of {op.table!r} was used before; the next is {table.next_revision}"
        )
    _check_given(state, table, op, len(op.rows))
    keys = [key for column in columns for key in table.keys_of(column)]
    check_parents_given(table, list(dict.fromkeys(keys)), op, "update of")
    _check_whole(table, columns, op)
    _check_fresh(state, table, op, columns)
    check_computed_keys(state, table, op)
    check_consequences(state, op)
    if not table.key:
        _check_same_for_all(op)
    _check_unique(state, op, op.rows, [column.id for column in columns])


def check_delete(state: State, op: Delete) -> None:
    """Whether rows can be deleted."""
    table = state.table(op.table)
    _check_not_kept(table, "deleted")
    _check_rows(table, op.rows, "deleted")
    check_consequences(state, op)


def check_truncate(state: State, op: Truncate) -> None:
    """Whether a table can be truncated: PostgreSQL refuses it where another table references it."""
    table = state.table(op.table)
    _check_not_kept(table, "truncated")
    for child, key in state.references_to(op.table):
        if child.definition.name != table.definition.name:
            raise NotApplicable(
                f"table {op.table!r} cannot be truncated: "
                f"column {child.label(key)!r} of {child.definition.name!r} references it"
            )


def _check_not_kept(table: TableState, what: str) -> None:
    if table.definition.kept:
        raise NotApplicable(f"rows of {table.definition.name!r} cannot be {what}: {table.definition.kept}")


def check_observed(state: State, op: Observed) -> None:
    """Whether an observation fits the tables, rows and columns of the state."""
    table = state.table(op.table)
    for name, texts in op.cells.items():
        table.column(name)
        if len(texts) != len(op.rows):
            raise NotApplicable(
                f"observed {len(texts)} cells of {name!r} for {len(op.rows)} rows of {op.table!r}"
            )
    check_stamps(op.stamp)
    mentioned = [*op.rows, *op.removed]
    if len(set(mentioned)) != len(mentioned):
        raise NotApplicable(f"a row of {op.table!r} is named twice in what was observed")
    unknown = [number for number in op.rows if number not in table.rows and number < table.next_row]
    if unknown or any(number not in table.rows for number in op.removed):
        raise NotApplicable(f"observed rows of {op.table!r} that are not there: {unknown or op.removed}")


def check_stamps(first: int | None, step: int = 0, count: int = 1) -> None:
    """Whether the stamps of rows are instants of the years that kroft can tell, 1 to 9999."""
    for stamp in (first, first + step * (count - 1)) if first is not None else ():
        if not EARLIEST <= stamp <= LATEST:
            raise NotApplicable(
                f"the stamp {stamp}, in microseconds since 1970, is outside the years 1 to 9999; "
                "give an earlier or later one, or a smaller step"
            )


def _check_rows(table: TableState, numbers: tuple[int, ...], what: str) -> None:
    name = table.definition.name
    if not numbers:
        raise NotApplicable(f"no row of {name!r} is named to be {what}")
    if len(set(numbers)) != len(numbers):
        raise NotApplicable(f"a row of {name!r} is named twice to be {what}")
    if missing := [number for number in numbers if number not in table.rows]:
        raise NotApplicable(f"row number {missing[0]} of {name!r} cannot be {what}: there is no such row")
    if not table.key and len(numbers) != len(table.rows):
        raise NotApplicable(
            f"table {name!r} has no primary key, so its rows cannot be told apart: "
            f"all of them can be {what}, or none"
        )


def _check_given(state: State, table: TableState, op: Insert | Update, count: int) -> None:
    check_stamps(op.stamp, op.step, count)
    given: Mapping[str, tuple[object, ...]] = {**op.cells, **op.parents}
    for name, values in given.items():
        if len(values) != count:
            raise NotApplicable(
                f"{len(values)} values are given for {name!r} of {table.definition.name!r}, for {count} rows"
            )
        for column in _called(table, name, op):
            _check_takes(table, column, values)
    for name, texts in op.cells.items():
        _check_spelled(table, table.column(name), texts)
        _check_labels(state, table.column(name), texts)
    own = range(op.first, op.first + op.count) if isinstance(op, Insert) else ()
    for name, numbers in op.parents.items():
        parent, _ = state.target(table.foreign_key(name))
        born = own if parent.birth == table.birth else ()
        if gone := [n for n in numbers if n is not None and n not in parent.rows and n not in born]:
            raise NotApplicable(
                f"row number {gone[0]} of {parent.definition.name!r}, a parent for {name!r}, is not there"
            )
    check_parents_exist(state, table, op)


def _called(table: TableState, name: str, op: Insert | Update) -> list[ColumnState]:
    """The columns that an operation means by a name: one, or those of a foreign key that may be NULL."""
    if name in op.cells:
        return [table.column(name)]
    columns = [table.by_id(number) for number in table.foreign_key(name).columns]
    # Of several columns those stay as they are that cannot be NULL.
    return columns if len(columns) == 1 else [column for column in columns if column.nullable]


def _check_takes(table: TableState, column: ColumnState, values: Iterable[object]) -> None:
    name = table.definition.name
    if column.computed:
        raise Protected(name, column.name, "the server computes it")
    if None not in values:
        return
    if not column.nullable:
        raise NotApplicable(f"column {column.name!r} of {name!r} is NOT NULL, and a NULL is given for it")
    if column.definition.filled:
        raise NotApplicable(f"column {column.name!r} of {name!r} has a rule against NULL, which is given")


def _check_spelled(table: TableState, column: ColumnState, texts: Iterable[str | None]) -> None:
    """Whether texts are values of the column's type, as far as kroft can tell without the server."""
    for text in set(texts) - {None}:
        where = f"a cell given for {column.name!r} of {table.definition.name!r}"
        try:
            spelled = canonical(column.type, text)
        except ValueRefused as error:
            raise NotApplicable(f"{where} is wrong: {error}") from None
        if spelled != text:
            raise NotApplicable(f"{where} is spelled {text!r}, and the server prints it as {spelled!r}")


def _check_labels(state: State, column: ColumnState, texts: Iterable[str | None]) -> None:
    definition = state.enum(column.type)
    if definition is None or column.type.array:
        return
    for text in texts:
        if text is not None and text not in definition.labels:
            labels = ", ".join(definition.labels)
            raise NotApplicable(f"{text!r} is no label of {definition.name!r}; the labels are: {labels}")


def _check_whole(table: TableState, columns: Iterable[ColumnState], op: Update) -> None:
    """Whether an update names all columns that change together."""
    for column in columns:
        missing = [one.name for one in table.partners(column) if one.name not in op.columns]
        if missing and column.name not in op.cells:
            raise NotApplicable(
                f"the update of {op.table!r} names {column.name!r}, which changes together with "
                f"{missing[0]!r} only; name both, or give values"
            )


def _check_capacity(
    state: State, table: TableState, columns: Iterable[ColumnState], highest: int, given: set[str]
) -> None:
    for column in columns:
        if column.unique and column.name not in given and not column.computed and not table.keys_of(column):
            capacity = state.values(table, column).capacity
            if capacity is not None and highest > capacity:
                raise NotApplicable(
                    f"column {column.name!r} of {table.definition.name!r} is unique, and its type "
                    f"{column.type} has values for {capacity} rows only; row number {highest} needs one more"
                )


def _check_fresh(state: State, table: TableState, op: Update, columns: list[ColumnState]) -> None:
    given = given_names(table, op)
    need = [c for c in columns if c.unique and c.name not in given]
    if need and op.fresh is None:
        raise NotApplicable(f"the update of the unique column {need[0].name!r} needs fresh row numbers")
    if op.fresh is not None and op.fresh < table.next_row:
        raise NotApplicable(
            f"row number {op.fresh} of {op.table!r} was used before; the next is {table.next_row}"
        )
    if op.fresh is not None:
        _check_capacity(state, table, need, op.fresh + len(op.rows) - 1, given=set())


def _check_same_for_all(op: Update) -> None:
    for name in op.columns:
        if len(set(op.cells.get(name, ("", None)))) != 1:
            raise NotApplicable(
                f"table {op.table!r} has no primary key: "
                f"an update must give one and the same value of {name!r} to all rows"
            )
    if op.step:
        raise NotApplicable(
            f"table {op.table!r} has no primary key: an update must give all rows the same stamp"
        )


def _check_unique(
    state: State, op: Insert | Update, numbers: Sequence[int], written: Collection[int]
) -> None:
    table = state.table(op.table)
    given = given_names(table, op)
    # To fold the operation once more costs as much as the operation: not where every value is a new one.
    if not may_repeat(table, written, given):
        return
    after = write(state, op)
    changed = after.table(op.table)
    risky = sets_at_risk(after, changed, written, given, numbers)
    for number, what in duplicates(after, changed, risky, numbers).items():
        raise NotApplicable(f"row number {number} of {op.table!r} would repeat a unique value: {what}")
    if isinstance(op, Update):
        _check_handed_on(state, after, op, risky)


def _check_handed_on(before: State, after: State, op: Update, sets: Iterable[UniqueSet]) -> None:
    """Whether no row takes the unique value of another one that the same update gives another value.

    The server compares row by row, in an order of its own.
    """
    old, new = before.table(op.table), after.table(op.table)
    for ids in sets:
        held = {values: number for number, values in _held(before, old, ids, op.rows)}
        for number, values in _held(after, new, ids, op.rows):
            if held.get(values, number) != number:
                raise NotApplicable(
                    f"row number {number} of {op.table!r} would get the unique value of row number "
                    f"{held[values]}, which the same update changes; update one after the other"
                )


def _held(
    state: State, table: TableState, ids: UniqueSet, numbers: Iterable[int]
) -> Iterator[tuple[int, tuple[object, ...]]]:
    columns = [column for column in table.columns if column.id in ids]
    readers = state.readers(table, columns)
    for number in numbers:
        texts = table.texts(table.rows[number], readers)
        if None not in texts:
            yield number, tokens(texts, columns)
