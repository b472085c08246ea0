"""What the database holds at one moment: tables, columns, rows and types, immutable.

A state is made by ``model.fold`` from operations and from nothing else. A cell is the text that the
server prints for it under kroft's settings, or None for NULL; it is computed when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytest_kroft.errors import NotApplicable, UnknownColumn, UnknownTable, UnknownType
from pytest_kroft.model.clauses import is_check, mentions
from pytest_kroft.model.clock import stamp_text
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.expressions import Computed
from pytest_kroft.model.foreign_keys import ForeignKey
from pytest_kroft.model.operations import RowWrite
from pytest_kroft.model.rows import Address, Row, Rows
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition
from pytest_kroft.model.types import SqlType
from pytest_kroft.model.values import Birth, ColumnValues, column_values

Text = str | None
Reader = Callable[[Row], Text]
"""Reads one column's cell of a row."""

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A column that was dropped: its name and type then, and the schema version that dropped it."""

    name: str
    sql_type: str
    version: int
    stamp: int | None
    definition: ColumnDefinition


@dataclass(frozen=True, slots=True)
class ColumnState:
    """One active column.

    ``id`` is its place among all columns that the table ever had, from 1, as ``attnum`` on the server.
    Rows with a number below ``since`` were there before the column and hold ``backfill``. In a
    ``unique`` column generated cells differ by construction, unless it is ``free``: a user's generator
    makes them, or they were cast; ``given`` holds the cells that were given on purpose. ``highest`` is
    the highest number an identity column held.
    """

    id: int
    birth: Birth
    name: str
    definition: ColumnDefinition
    type: SqlType
    nullable: bool
    default: str | None
    since: int = 0
    backfill: Text = None
    free: bool = False
    given: frozenset[Text] = frozenset()
    unique: bool = False
    computed: Computed | None = None
    highest: int = 0


@dataclass(frozen=True, slots=True)
class ForeignKeyState:
    """A foreign key whose columns, named by their ids, are all there."""

    definition: ForeignKey
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TableState:
    """One table: its definition, its present name and columns, its rows.

    An ``adopted`` one was on the server before kroft, which does not know all of its rules.
    """

    definition: TableDefinition
    birth: Birth
    name: str
    seed: int
    columns: tuple[ColumnState, ...]
    uniques: tuple[tuple[int, ...], ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    births: Mapping[str, int] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    next_row: int = 1
    next_revision: int = 1
    next_column: int = 1
    foreign_keys: tuple[ForeignKeyState, ...] = ()
    adopted: bool = False

    @property
    def key(self) -> tuple[ColumnState, ...]:
        """The columns of the primary key; empty without one."""
        by_birth = {column.birth.name: column for column in self.columns if column.birth.count == 1}
        return tuple(by_birth[name] for name in self.definition.key)

    @property
    def updated_at(self) -> ColumnState | None:
        """The column that carries the stamps, if the table has one."""
        birth = Birth(self.definition.updated_at) if self.definition.updated_at else None
        return next((column for column in self.columns if column.birth == birth), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The present names of the active columns."""
        return tuple(column.name for column in self.columns)

    def by_id(self, number: int) -> ColumnState:
        """The active column of that id."""
        return next(column for column in self.columns if column.id == number)

    def column(self, name: str) -> ColumnState:
        """The active column of that name; raises UnknownColumn."""
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownColumn(self.definition.name, name, self.names)

    def has(self, name: str) -> bool:
        """Whether there is an active column of that name."""
        return any(column.name == name for column in self.columns)

    def label(self, key: ForeignKeyState) -> str:
        """What operations call a foreign key: the present names of its columns."""
        names = {column.id: column.name for column in self.columns}
        label = ", ".join(names[number] for number in key.columns)
        first = next(other for other in self.foreign_keys if other.columns == key.columns)
        # The same columns may refer to several tables.
        return label if first == key else f"{label} -> {key.definition.table}"

    def foreign_key(self, label: str) -> ForeignKeyState:
        """The foreign key that operations call so; raises UnknownColumn."""
        for key in self.foreign_keys:
            if self.label(key) == label:
                return key
        raise UnknownColumn(self.definition.name, label, self.names)

    def keys_of(self, column: ColumnState) -> tuple[ForeignKeyState, ...]:
        """The foreign keys that a column is part of."""
        return tuple(key for key in self.foreign_keys if column.id in key.columns)

    def rivals(self, key: ForeignKeyState) -> tuple[ForeignKeyState, ...]:
        """The other foreign keys to the same table that a check names with this one: it may want two rows."""
        others = [
            other
            for other in self.foreign_keys
            if other != key and other.definition.table == key.definition.table
        ]
        if not others:
            return ()
        checks = [text for text in self.definition.constraints if is_check(text)]
        named = [{c.id for c in self.columns if mentions(text, c.birth.name)} for text in checks]
        return tuple(
            other
            for other in others
            if any(ids.intersection(key.columns) and ids.intersection(other.columns) for ids in named)
        )

    def partners(self, column: ColumnState) -> tuple[ColumnState, ...]:
        """The columns that change together with one, itself among them, in the table's order.

        They share a foreign key with it, or samples, or one of them does with another.
        """
        found, waiting = {column.id}, [column]
        while waiting:
            one = waiting.pop()
            keys = [other for key in self.keys_of(one) for other in (key, *self.rivals(key))]
            joined = {number for key in keys for number in key.columns}
            for other in self.columns:
                together = one.definition.together and one.definition.together == other.definition.together
                if other.id not in found and (together or other.id in joined):
                    found.add(other.id)
                    waiting.append(other)
        return tuple(other for other in self.columns if other.id in found)

    def protection(self, column: ColumnState) -> str | None:
        """Why a column is never mutated nor dropped, or None."""
        if column in self.key:
            return "it is part of the primary key"
        if column == self.updated_at:
            return "it is the updated_at column"
        return "it is defined as protected" if column.definition.protected else None

    def unwritable(self, column: ColumnState) -> str | None:
        """Why no update may name a column, or None: PostgreSQL refuses it, or the definition does.

        https://www.postgresql.org/docs/current/ddl-identity-columns.html and ddl-generated-columns.html
        """
        if column.computed or column.definition.identity == "always":
            return "the server computes it"
        return "it is defined as protected" if column.definition.protected else None

    def with_column(self, column: ColumnState) -> TableState:
        """The table with the column of that id replaced."""
        columns = tuple(column if old.id == column.id else old for old in self.columns)
        return replace(self, columns=columns)

    def dependents(self, column: ColumnState) -> tuple[ColumnState, ...]:
        """The generated columns that are computed from a column."""
        return tuple(
            other for other in self.columns if other.computed and column.id in other.computed.sources
        )

    def values(self, column: ColumnState, labels: tuple[str, ...] = ()) -> ColumnValues:
        """The values of a column by address, under its present type."""
        return column_values(
            self.seed, self.birth, column.birth, column.definition, column.type, labels, column.unique
        )

    def texts(self, row: Row, readers: Iterable[Reader]) -> tuple[Text, ...]:
        """The cells of a row, read by the given readers."""
        return tuple(reader(row) for reader in readers)


@dataclass(frozen=True, slots=True)
class Session:
    """A transaction that is open: the stamp of its beginning, and what it did and has not committed.

    ``savepoints`` are names with the number of operations before each. ``wrote`` says whether it ever
    wrote; it stays true where all of that was rolled back to a savepoint.
    """

    stamp: int
    operations: tuple[RowWrite, ...] = ()
    savepoints: tuple[tuple[str, int], ...] = ()
    wrote: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The whole database: tables by their definition's name, enums by name, time and version.

    Rows are the committed ones. ``sessions`` are the open transactions by number, the oldest first; the
    numbers, revisions and values that they took are taken in the tables already, also if they roll back.
    """

    seed: int
    tables: Mapping[str, TableState] = field(default_factory=dict)
    types: Mapping[str, EnumDefinition | SampledDefinition] = field(default_factory=dict)
    births: Mapping[str, int] = field(default_factory=dict)
    now: int | None = None
    version: int = 0
    sessions: Mapping[int, Session] = field(default_factory=dict)

    def table(self, name: str) -> TableState:
        """The table of that definition; raises UnknownTable."""
        if name not in self.tables:
            raise UnknownTable(name, self.tables)
        return self.tables[name]

    def only_table(self, name: str | None) -> str:
        """The name itself or, where none is given, that of the only table.

        Raises UnknownTable, or NotApplicable for what is no name, or for none where there are several.
        """
        if name is not None and not isinstance(name, str):
            raise NotApplicable(f"a table is called by its name, a text, not {name!r}")
        if name is not None:
            return self.table(name).definition.name
        if len(self.tables) != 1:
            raise NotApplicable(
                f"say which table: there are {len(self.tables)}: {', '.join(self.tables) or 'none'}"
            )
        return next(iter(self.tables))

    def user_type(self, sql_type: SqlType) -> EnumDefinition | SampledDefinition | None:
        """The type of the user's own that a type names (for an array: its elements' type), or None."""
        if sql_type.builtin:
            return None
        wanted = replace(sql_type.element, schema=sql_type.schema or "public")
        for definition in self.types.values():
            if (definition.name, definition.schema) == (wanted.name, wanted.schema):
                return definition
        return None

    def enum(self, sql_type: SqlType) -> EnumDefinition | None:
        """The enum that a type names (for an array: its elements' type), or None."""
        found = self.user_type(sql_type)
        return found if isinstance(found, EnumDefinition) else None

    def type_name(self, definition: EnumDefinition | SampledDefinition) -> str:
        """What a type is called: its name or, where another schema's type is called so, its schema too."""
        holder = self.types.get(definition.name)
        if holder is None or holder.schema == definition.schema:
            return definition.name
        return f"{definition.schema}.{definition.name}"

    @property
    def enums(self) -> tuple[EnumDefinition, ...]:
        """The enums among the types."""
        return tuple(found for found in self.types.values() if isinstance(found, EnumDefinition))

    def enum_named(self, name: str) -> EnumDefinition:
        """The enum of that name; raises UnknownType."""
        found = self.types.get(name)
        if not isinstance(found, EnumDefinition):
            raise UnknownType(name, [enum.name for enum in self.enums])
        return found

    def labels(self, column: ColumnState) -> tuple[str, ...]:
        """The labels of a column's enum, or the samples of its type; empty for a built-in one."""
        definition = self.user_type(column.type)
        return tuple(definition.labels) if definition else ()

    def values(self, table: TableState, column: ColumnState) -> ColumnValues:
        """The values of a column by address."""
        return table.values(column, self.labels(column))

    def reader(self, table: TableState, column: ColumnState) -> Reader:
        """A function that reads the column's cell of a row."""
        if column.computed:
            return self._computed_reader(table, column, column.computed)
        if column == table.updated_at:
            at = _stamp_reader(column.type)
        else:
            values = self.values(table, column)
            at = values.text

        def read(row: Row) -> Text:
            cell = row.cells.get(column.id, _MISSING)
            if cell is _MISSING:
                return column.backfill if row.number < column.since else at(row.number, 0, row.stamp)
            return at(*cell) if isinstance(cell, Address) else cell  # type: ignore[return-value]

        return read

    def _computed_reader(self, table: TableState, column: ColumnState, computed: Computed) -> Reader:
        if computed.function is None:
            return lambda row: row.cells.get(column.id)  # type: ignore[return-value]
        by_id = {other.id: other for other in table.columns}
        (source,) = computed.sources
        read, function = self.reader(table, by_id[source]), computed.function
        return lambda row: function(read(row))

    def readers(self, table: TableState, columns: Iterable[ColumnState] | None = None) -> list[Reader]:
        """One reader for each column, for all active ones by default."""
        return [self.reader(table, column) for column in (table.columns if columns is None else columns)]

    def contents(self, name: str) -> Iterator[tuple[Text, ...]]:
        """The cells of every row of a table, in the order of its active columns."""
        table = self.table(name)
        readers = self.readers(table)
        return (tuple(read(row) for read in readers) for row in table.rows)

    def with_table(self, table: TableState) -> State:
        """The state with one table replaced or added."""
        return replace(self, tables={**self.tables, table.definition.name: table})

    def references_to(self, name: str) -> list[tuple[TableState, ForeignKeyState]]:
        """The foreign keys of any table that lead to the table of that definition."""
        return [
            (table, key)
            for table in self.tables.values()
            for key in table.foreign_keys
            if key.definition.table == name
        ]

    def target(self, key: ForeignKeyState) -> tuple[TableState, tuple[ColumnState, ...]]:
        """The table and the columns that a foreign key leads to, whatever they are called now."""
        parent, names = self.table(key.definition.table), key.definition.targets
        if not names:
            return parent, parent.key
        by_birth = {column.birth: column for column in parent.columns}
        return parent, tuple(by_birth[Birth(name)] for name in names)


def _stamp_reader(sql_type: SqlType) -> Callable[[int, int, int], Text]:
    return lambda _row, _revision, stamp: stamp_text(stamp, sql_type)
