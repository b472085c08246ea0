"""Changes of tables and columns, one call each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_kroft.errors import AlreadyExists, NotApplicable, listing
from pytest_kroft.model.choices import Choices
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.describe import describe
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    CreateTable,
    CreateType,
    DropColumn,
    DropTable,
    DropType,
    Operation,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Truncate,
)
from pytest_kroft.model.state import TableState, Tombstone
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.timeline import Evolving
from pytest_kroft.planning.arguments import call, instance
from pytest_kroft.planning.audit import LogEntry, audit_log
from pytest_kroft.planning.changes import constant_default, reserved_columns
from pytest_kroft.planning.policy import EvolutionPolicy


class SchemaManager:
    """Creates, changes and drops tables and columns.

    The table comes first in every call, ``drop_column("orders", "note")``, and may be left out where the
    database has only one, ``drop_column("note")``. Every method raises an OperationError that names what
    is in the way, and then neither the database nor the state has changed.

    Args:
        database: The state, and the function that applies an operation to it.
        choices: Answers which reserved column is added where none is named.
        policy: Says whether a dropped column's name may come back.
    """

    def __init__(self, database: Evolving, choices: Choices, policy: EvolutionPolicy | None = None) -> None:
        self._database, self._choices, self._policy = database, choices, policy or EvolutionPolicy()

    @property
    def version(self) -> int:
        """How many changes the schema has seen."""
        return self._database.state.version

    @property
    def versions(self) -> list[LogEntry]:
        """The change that made each version, the first one first."""
        return audit_log(self._database.history)

    def active(self, table: str | None = None) -> tuple[str, ...]:
        """The names of the columns that the table has now."""
        return self._table(table).names

    def reserved(self, table: str | None = None) -> tuple[str, ...]:
        """The names of the reserved columns that were never added."""
        return tuple(column.name for column in reserved_columns(self._table(table)))

    def protected(self, table: str | None = None) -> tuple[str, ...]:
        """The names of the columns that are never mutated and never dropped."""
        found = self._table(table)
        return tuple(column.name for column in found.columns if found.protection(column))

    def tombstones(self, table: str | None = None) -> tuple[Tombstone, ...]:
        """The columns that were dropped, the first one first."""
        return self._table(table).tombstones

    def create_table(self, definition: TableDefinition) -> None:
        """Create a table with its active columns."""
        definition = instance(definition, TableDefinition, "the table", "a TableDefinition")
        self._apply(CreateTable(definition))

    def drop_table(self, table: str | None = None) -> None:
        """Drop a table."""
        self._apply(DropTable(self._name(table)))

    def rename_table(self, *names: str) -> None:
        """Give a table another name on the server: ``rename_table([table,] new_name)``.

        kroft still calls it by its definition's name.
        """
        self._apply(RenameTable(*self._split(names, "new_name")))

    def truncate(self, table: str | None = None) -> None:
        """Empty a table with TRUNCATE."""
        self._apply(Truncate(self._name(table)))

    def add_column(self, *column: str | ColumnDefinition, sql_type: str | None = None) -> str:
        """Add a column and return its name: ``add_column([table,] [column])``.

        ``column`` is the name of a reserved or a dropped column, a new name together with ``sql_type=``,
        or a ``ColumnDefinition``; without it a reserved column is drawn by seed. A NOT NULL column
        without a default gets a constant one where the table has rows.
        """
        table, wanted = self._split_column(column)
        definition = self._definition(table, wanted, sql_type)
        operation = AddColumn(table, self._with_default(table, definition))
        done = self._perform(call("schema.add_column", table), operation)
        return done.column.name if isinstance(done, AddColumn) else definition.name

    def drop_column(self, *column: str) -> None:
        """Drop a column and leave a tombstone: ``drop_column([table,] column)``."""
        self._apply(DropColumn(*self._split(column, "column")))

    def rename_column(self, *names: str) -> None:
        """Give a column another name; its values stay: ``rename_column([table,] column, new_name)``."""
        self._apply(RenameColumn(*self._split(names, "column", "new_name")))

    def alter_type(self, *names: str) -> None:
        """Give a column another type and cast its values: ``alter_type([table,] column, sql_type)``."""
        self._apply(AlterType(*self._split(names, "column", "sql_type")))

    def set_nullable(self, *column: str, nullable: bool = True) -> None:
        """Allow NULL in a column, or forbid it: ``set_nullable([table,] column, nullable=False)``."""
        table, name = self._split(column, "column")
        nullable = instance(nullable, bool, "nullable", "True or False")
        self._apply(SetNullable(table, name, nullable))

    def set_default(self, *column: str, default: str | None) -> None:
        """Set a column's default, or drop it with None: ``set_default([table,] column, default="0")``."""
        table, name = self._split(column, "column")
        if default is not None:
            wanted = "an SQL expression as text, such as '5', or None"
            default = instance(default, str, "a default", wanted)
        self._apply(SetDefault(table, name, default))

    def create_type(self, definition: EnumDefinition) -> None:
        """Create an enum type."""
        definition = instance(definition, EnumDefinition, "the type", "an EnumDefinition")
        self._apply(CreateType(definition))

    def drop_type(self, name: str) -> None:
        """Drop an enum type."""
        self._apply(DropType(instance(name, str, "a type's name", "a text")))

    def add_enum_value(self, name: str, label: str, after: str | None = None) -> None:
        """Add a label to an enum, after another one or at the end."""
        name, label = (
            instance(name, str, "a type's name", "a text"),
            instance(label, str, "a label", "a text"),
        )
        self._apply(AddEnumValue(name, label, after))

    def _apply(self, operation: Operation) -> None:
        """Apply one operation that the caller has named in full."""
        self._perform(describe(operation), operation)

    def _perform(self, name: str, operation: Operation) -> Operation:
        """Apply one operation; returns what was applied, which a replay may differ in."""
        done = [applied for _, applied in self._database.perform(name, lambda: [operation])]
        return done[0]

    def _name(self, table: str | None) -> str:
        return self._database.state.only_table(table)

    def _table(self, table: str | None) -> TableState:
        return self._database.state.table(self._name(table))

    def _split(self, given: Sequence[str], *wanted: str) -> tuple[str, ...]:
        """The table and the other names of a call, the table filled in where it was left out."""
        for name in given[-len(wanted) :]:
            instance(name, str, "each name", "a text")
        if len(given) == len(wanted):
            return (self._name(None), *given)
        if len(given) != len(wanted) + 1:
            raise NotApplicable(
                f"this call takes {' and '.join(wanted)}, with the table before; {len(given)} are given"
            )
        return (self._name(given[0]), *given[1:])

    def _split_column(
        self, given: Sequence[str | ColumnDefinition]
    ) -> tuple[str, str | ColumnDefinition | None]:
        """The table and the column that ``add_column`` was called with."""
        match given:
            case ():
                return self._name(None), None
            case (str() as table,) if table in self._database.state.tables:
                return table, None
            case (column,):
                return self._name(None), column
            case (str() as table, column):
                return self._name(table), column
            case _:
                raise NotApplicable("add_column takes a table and a column at most, the table first")

    def _definition(
        self, table: str, column: str | ColumnDefinition | None, sql_type: str | None
    ) -> ColumnDefinition:
        if not isinstance(column, str | ColumnDefinition | None):
            raise NotApplicable(f"a column must be a name or a ColumnDefinition, not {column!r}")
        if sql_type is not None:
            instance(sql_type, str, "sql_type", "the name of a type")
        if isinstance(column, ColumnDefinition):
            self._check_return(table, column.name)
            return column
        reserved = {definition.name: definition for definition in reserved_columns(self._table(table))}
        if column is None:
            if not reserved:
                raise NotApplicable(
                    f"table {table!r} has no reserved column left to add; name one, with its type"
                )
            return self._choices.one_of(list(reserved.values()))
        self._check_return(table, column)
        if sql_type is not None:
            return ColumnDefinition(column, sql_type)
        dropped = {stone.name: stone.definition for stone in self.tombstones(table)}
        if column in reserved or column in dropped:
            return reserved[column] if column in reserved else replace(dropped[column], name=column)
        if self._table(table).has(column):
            raise AlreadyExists("column", column, f" in table {table!r}")
        raise NotApplicable(
            f"{column!r} is no reserved column of table {table!r} (reserved: {listing(reserved)}); "
            "give sql_type= to add a new column"
        )

    def _check_return(self, table: str, column: str) -> None:
        stones = {stone.name for stone in self.tombstones(table)}
        if (
            column in stones
            and not self._table(table).has(column)
            and not self._policy.allows("readd_column")
        ):
            raise NotApplicable(
                f"column {column!r} of table {table!r} was dropped, and the policy {self._policy.name!r} "
                "does not let a dropped name come back; use one with the hazard 'readd_column'"
            )

    def _with_default(self, table: str, column: ColumnDefinition) -> ColumnDefinition:
        """The column, with a constant default where the rows that are there need one."""
        filled = column.nullable or column.default is not None or column.generated or column.identity
        if filled or not self._table(table).rows:
            return column
        return replace(column, default=constant_default(self._database.state, self._table(table), column))
