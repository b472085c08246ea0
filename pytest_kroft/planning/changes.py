"""How each hazard of columns and tables is planned: (state, table, choices) -> operations. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_kroft.model.casts import retypings, widenings
from pytest_kroft.model.check import all_apply, applies
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.expressions import generated_forms, literal
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    CreateTable,
    DropColumn,
    DropTable,
    Operation,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
)
from pytest_kroft.model.state import ColumnState, State, TableState
from pytest_kroft.model.types import MAX_IDENTIFIER_BYTES, SqlType, parse_type
from pytest_kroft.model.values import Birth, column_values
from pytest_kroft.planning.inventions import invented

Plan = Callable[[State, TableState, Choices], Sequence[Operation]]
LONGEST_NUMBER = 4
"""Of a name that ends in a longer number somebody else is the author."""
NOTHING: Sequence[Operation] = ()


def reserved_columns(table: TableState) -> list[ColumnDefinition]:
    """The reserved columns that were never added: evolution may add them under any adding hazard."""
    return [c for c in table.definition.reserved if not table.births.get(c.name) and not table.has(c.name)]


def addable_columns(table: TableState) -> list[ColumnDefinition]:
    """The columns that evolution may add: reserved ones, or what a person might add to an adopted table."""
    return reserved_columns(table) or (invented(table) if table.adopted else [])


def fresh_name(base: str, taken: Sequence[str]) -> str:
    """A name like ``base`` that is not taken: ``base_v2``, ``base_v3``, ..., cut to what PostgreSQL keeps."""
    for number in range(2, len(taken) + 3):
        suffix = f"_v{number}"
        cut = base.encode()[: MAX_IDENTIFIER_BYTES - len(suffix)].decode(errors="ignore")
        if f"{cut}{suffix}" not in taken:
            return f"{cut}{suffix}"
    raise AssertionError("one of more names than are taken is free")


def constant_default(state: State, table: TableState, column: ColumnDefinition) -> str:
    """A constant default for a column that is to be added: a value of the column, as SQL."""
    enum = state.enum(column.type)
    birth = Birth(column.name, table.births.get(column.name, 0) + 1)
    definite = _definite(column)
    # Row number 0 is no row's, so that the default is a value of its own.
    values = column_values(
        state.seed, table.birth, birth, definite, column.type, tuple(enum.labels) if enum else ()
    )
    return literal(values.text(0), column.type)


def _unprotected(table: TableState) -> list[ColumnState]:
    return [column for column in table.columns if table.protection(column) is None]


def _first_fit(state: State, choices: Choices, candidates: Sequence[Operation]) -> Sequence[Operation]:
    """One of the candidates that apply, drawn."""
    fit = [operation for operation in candidates if applies(state, operation)]
    return [choices.one_of(fit)] if fit else NOTHING


def add_column(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column that may be NULL and has no default: a reserved one, or one that is invented."""
    plain = [c for c in addable_columns(table) if c.nullable and c.default is None and not c.generated]
    return _first_fit(state, choices, [AddColumn(table.definition.name, column) for column in plain])


def add_column_default(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column with a constant default, its own or one that kroft adds."""
    return _first_fit(state, choices, _with_default(state, table, nullable=True))


def add_column_not_null(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column that is NOT NULL, with a constant default."""
    return _first_fit(state, choices, _with_default(state, table, nullable=False))


def _with_default(state: State, table: TableState, *, nullable: bool) -> list[Operation]:
    added: list[Operation] = []
    for column in addable_columns(table):
        computed_or_ruled = column.generated or column.identity or column.unique or column.references
        if (
            computed_or_ruled
            or (nullable and not column.nullable)
            or (not nullable and may_make_null(column))
        ):
            continue
        default = column.default if column.default is not None else constant_default(state, table, column)
        added.append(AddColumn(table.definition.name, replace(column, default=default, nullable=nullable)))
    return added


def _definite(column: ColumnDefinition) -> ColumnDefinition:
    """The column as one whose inferred values are never NULL, for a default that says something."""
    return column if may_make_null(column) else replace(column, nullable=False)


def may_make_null(column: ColumnDefinition) -> bool:
    """Whether a user's generator may give NULL: its column is not made NOT NULL."""
    return column.generator is not None and column.nullable


def drop_column(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column that is not protected and that nothing depends on."""
    return _first_fit(
        state, choices, [DropColumn(table.definition.name, c.name) for c in _unprotected(table)]
    )


def rename_column(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column gets a name that the table never had."""
    taken = [*table.births, *table.names]
    renamed = [
        RenameColumn(table.definition.name, c.name, fresh_name(c.birth.name, taken))
        for c in _unprotected(table)
    ]
    return _first_fit(state, choices, renamed)


def readd_column(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A dropped column comes back under its name, as it was or with another type.

    Or a column goes and comes back in one step: a consumer that looks between steps sees none missing.
    """
    # The latest first: so the first means the same, whatever was dropped before it.
    gone = {stone.name: stone for stone in reversed(table.tombstones) if not table.has(stone.name)}
    returns: list[list[Operation]] = [
        [AddColumn(table.definition.name, _reborn(stone.definition, stone.name, sql_type))]
        for stone in gone.values()
        for sql_type in (stone.sql_type, *map(str, _types_after(parse_type(stone.sql_type))))
        if not stone.definition.generated
    ]
    at_once: list[list[Operation]] = [
        [DropColumn(table.definition.name, column.name), _again(table, column, sql_type)]
        for column in _unprotected(table)
        for sql_type in (column.type, *_types_after(column.type))
        if not column.computed
    ]
    fit = [operations for operations in [*returns, *at_once] if all_apply(state, operations)]
    if not fit:
        return NOTHING
    same = [operations for operations in fit if _is_as_it_was(table, operations[-1])]
    # Of another type it is the more often the more types there are.
    return choices.one_of(same if same and choices.chance(0.5) else fit)


def _is_as_it_was(table: TableState, operation: Operation) -> bool:
    """Whether a column comes back with the type that it had."""
    assert isinstance(operation, AddColumn)
    types = {stone.name: stone.sql_type for stone in table.tombstones}
    types |= {column.name: str(column.type) for column in table.columns}
    return types.get(operation.column.name) == str(operation.column.type)


def _types_after(sql_type: SqlType) -> Sequence[SqlType]:
    return retypings(sql_type)[:3]


def _again(table: TableState, column: ColumnState, sql_type: SqlType) -> Operation:
    return AddColumn(table.definition.name, _reborn(column.definition, column.name, str(sql_type)))


def _reborn(definition: ColumnDefinition, name: str, sql_type: str) -> ColumnDefinition:
    """A column that may be NULL, has no default and no rules: whatever rows there are, it can be added."""
    same = sql_type == str(definition.type)
    return ColumnDefinition(name, sql_type, definition.generator if same else None)


def retype_column(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column's type changes to one of another kind, where every value can be cast exactly."""
    return _alter_type(state, table, choices, retypings)


def widen_type(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column's type grows."""
    return _alter_type(state, table, choices, widenings)


def _alter_type(
    state: State, table: TableState, choices: Choices, targets: Callable[[SqlType], Sequence[SqlType]]
) -> Sequence[Operation]:
    candidates = [(column, target) for column in _unprotected(table) for target in targets(column.type)]
    while candidates:
        # One candidate at a time: to check a change of type is to cast the whole column.
        column, target = candidates.pop(choices.integer(0, len(candidates) - 1))
        operation = AlterType(table.definition.name, column.name, str(target))
        if applies(state, operation):
            return [operation]
    return NOTHING


def nullability(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column begins to allow NULL, or to forbid it."""
    toggled = [
        SetNullable(table.definition.name, c.name, not c.nullable)
        for c in _unprotected(table)
        if not may_make_null(c.definition)
    ]
    return _first_fit(state, choices, toggled)


def default_change(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column's default changes to another constant, or is dropped."""
    changed: list[Operation] = []
    for column in _unprotected(table):
        if column.computed or column.definition.identity:
            continue
        values = _definite(column.definition)
        text = column_values(
            state.seed, table.birth, column.birth, values, column.type, state.labels(column)
        ).text(0, state.version)
        default = literal(text, column.type)
        changed.append(
            SetDefault(table.definition.name, column.name, None if column.default is not None else default)
        )
    return _first_fit(state, choices, changed)


def enum_value(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """An enum that a column of the table has gets a label."""
    enums = {state.type_name(enum): enum for column in table.columns if (enum := state.enum(column.type))}
    added = [AddEnumValue(name, fresh_name(enum.labels[0], enum.labels)) for name, enum in enums.items()]
    return _first_fit(state, choices, added)


def rename_table(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A table gets another name."""
    if any(other.definition.triggers for other in state.tables.values()):
        # Their code may name the table.
        return NOTHING
    if table.birth.count > 1:
        # With neither its identity nor its name left, a reader could not find it again by any means.
        return NOTHING
    names = {other.name for other in state.tables.values()}
    taken = [*names, *_former_names(table)]
    name = fresh_name(table.definition.name, taken)
    return _first_fit(state, choices, [RenameTable(table.definition.name, name)])


def _former_names(table: TableState) -> list[str]:
    """The names that a table had before, as far as it got them here: none of them comes back."""
    base, separator, number = table.name.rpartition("_v")
    if not separator or not number.isdecimal() or len(number) > LONGEST_NUMBER:
        return []
    return [f"{base}_v{former}" for former in range(2, int(number) + 1)]


def recreate_table(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A table is dropped and created anew, as it was defined."""
    del choices
    if table.adopted:
        # There is more to it than its definition says.
        return NOTHING
    operations: list[Operation] = [DropTable(table.definition.name), CreateTable(table.definition)]
    return operations if all_apply(state, operations) else NOTHING


def generated_column(state: State, table: TableState, choices: Choices) -> Sequence[Operation]:
    """A column appears that the server computes from another one."""
    candidates: list[Operation] = []
    taken = [*table.births, *table.names]
    for column in table.columns:
        if column.computed or table.protection(column):
            continue
        for sql_type, expression in generated_forms(column.name, column.type):
            name = fresh_name("computed", taken)
            candidates.append(
                AddColumn(table.definition.name, ColumnDefinition(name, sql_type, generated=expression))
            )
    return _first_fit(state, choices, candidates)


PLANS: dict[str, Plan] = {
    plan.__name__: plan
    for plan in (
        add_column, add_column_default, add_column_not_null, drop_column, rename_column, readd_column,
        retype_column, widen_type, enum_value, nullability, default_change, rename_table, recreate_table,
        generated_column,
    )
}  # fmt: skip
"""The planner of each hazard of columns and tables, by the hazard's name."""
