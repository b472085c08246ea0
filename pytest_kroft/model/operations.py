"""Everything that can be done to the database: frozen dataclasses in one closed union.

An operation is data. It has two interpreters, ``model.fold`` for the state and
``postgres.statements`` for the server, and says nothing about either. Tables are called by
their definition's name, columns by their present name, rows by the number that they were born with.

An operation is a transaction of its own, unless it names a session that has begun one. Only rows are
written in such a transaction: a change of the schema there would block every reader until it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition

Text = str | None
"""A cell as the server prints it under kroft's settings, None for NULL."""

Cells = Mapping[str, tuple[Text, ...]]
"""Cells given on purpose: column -> one for each row of the operation."""

Kept = Mapping[str, Mapping[str, str]]
"""By table: the columns that were there before, each by its present name, and its name then."""

Parents = Mapping[str, tuple[int | None, ...]]
"""Foreign keys: column -> for each row the number of the parent's row, None for NULL.

A key of several columns is called by all of their names: ``"region, code"``.
"""


@dataclass(frozen=True)
class Insert:
    """Insert ``count`` rows numbered from ``first``, stamped ``stamp``, ``stamp + step``, ..."""

    table: str
    first: int
    count: int
    stamp: int
    step: int = 0
    cells: Cells = field(default_factory=dict)
    parents: Parents = field(default_factory=dict)
    session: int = 0


@dataclass(frozen=True)
class Update:
    """Give the named columns of some rows new values, and the rows a new stamp.

    Values are those of ``revision``; in unique columns those of fresh row numbers from ``fresh`` on.
    """

    table: str
    rows: tuple[int, ...]
    columns: tuple[str, ...]
    revision: int
    stamp: int
    step: int = 0
    fresh: int | None = None
    cells: Cells = field(default_factory=dict)
    parents: Parents = field(default_factory=dict)
    session: int = 0


@dataclass(frozen=True)
class Delete:
    """Delete some rows."""

    table: str
    rows: tuple[int, ...]
    session: int = 0


@dataclass(frozen=True)
class Truncate:
    """Empty a table with TRUNCATE."""

    table: str


@dataclass(frozen=True)
class CreateTable:
    """Create a table with its active columns; an ``adopted`` one is on the server already."""

    definition: TableDefinition
    adopted: bool = False


@dataclass(frozen=True)
class DropTable:
    """Drop a table."""

    table: str


@dataclass(frozen=True)
class RenameTable:
    """Give a table another name on the server; kroft still calls it by its definition's name."""

    table: str
    new_name: str


@dataclass(frozen=True)
class AddColumn:
    """Add a column; rows that are there get its constant default, or NULL."""

    table: str
    column: ColumnDefinition


@dataclass(frozen=True)
class DropColumn:
    """Drop a column and leave a tombstone."""

    table: str
    column: str


@dataclass(frozen=True)
class RenameColumn:
    """Give a column another name; its values stay."""

    table: str
    column: str
    new_name: str


@dataclass(frozen=True)
class AlterType:
    """Give a column another type; its values are cast."""

    table: str
    column: str
    sql_type: str


@dataclass(frozen=True)
class SetDefault:
    """Set a column's default to an SQL expression, or drop it."""

    table: str
    column: str
    default: str | None


@dataclass(frozen=True)
class SetNullable:
    """Allow NULL in a column, or forbid it."""

    table: str
    column: str
    nullable: bool


@dataclass(frozen=True)
class CreateType:
    """Create an enum type; an ``adopted`` one is on the server already, as is any other type."""

    definition: EnumDefinition | SampledDefinition
    adopted: bool = False


@dataclass(frozen=True)
class DropType:
    """Drop an enum type."""

    type: str


@dataclass(frozen=True)
class AddEnumValue:
    """Add a label to an enum: after another one, or at the end."""

    type: str
    label: str
    after: str | None = None


@dataclass(frozen=True)
class Migrate:
    """A migration of the user's own, ``source`` called with ``arguments``, and what it made of the schema.

    ``tables`` are those that it made or changed, as they are now, and ``kept`` names the columns of those
    that it changed. A table that was there and is not in ``kept`` is another one of its name. What it did to
    rows follows as ``Observed`` records.
    """

    source: str
    arguments: tuple[str, ...] = ()
    tables: tuple[TableDefinition, ...] = ()
    types: tuple[EnumDefinition | SampledDefinition, ...] = ()
    kept: Kept = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    dropped_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Begin:
    """Begin a transaction in a session, numbered from 1; ``stamp`` is the time that its rows carry."""

    session: int
    stamp: int


@dataclass(frozen=True)
class Commit:
    """Commit a session's transaction: from here on its rows are there."""

    session: int


@dataclass(frozen=True)
class Rollback:
    """Roll a session's transaction back: its rows never were."""

    session: int


@dataclass(frozen=True)
class Savepoint:
    """Set a savepoint in a session's transaction."""

    session: int
    name: str


@dataclass(frozen=True)
class RollbackTo:
    """Undo what a session's transaction did after a savepoint, which stays."""

    session: int
    name: str


@dataclass(frozen=True)
class Sync:
    """A moment at which the consumer may read."""


@dataclass(frozen=True)
class Observed:
    """What only the server could know: cells it computed, or rows that the test wrote itself.

    ``by="server"``: cells of generated columns and volatile defaults; a replay observes again and
    compares. ``by="test"``: rows that ``adopt_rows`` accepted, which a replay writes. ``rows`` are the
    numbers of the rows that ``cells`` are of (new numbers: new rows), ``removed`` those that are gone.
    """

    table: str
    by: Literal["server", "test"]
    rows: tuple[int, ...]
    cells: Cells
    removed: tuple[int, ...] = ()
    stamp: int | None = None


RowWrite = Insert | Update | Delete
RowOperation = RowWrite | Truncate
ColumnOperation = AddColumn | DropColumn | RenameColumn | AlterType | SetDefault | SetNullable
TableOperation = CreateTable | DropTable | RenameTable
TypeOperation = CreateType | DropType | AddEnumValue
SessionOperation = Begin | Commit | Rollback | Savepoint | RollbackTo
SchemaOperation = ColumnOperation | TableOperation | TypeOperation | Migrate
Operation = RowOperation | SchemaOperation | SessionOperation | Sync | Observed

KINDS: dict[str, type[Operation]] = {
    "insert": Insert,
    "update": Update,
    "delete": Delete,
    "truncate": Truncate,
    "create_table": CreateTable,
    "drop_table": DropTable,
    "rename_table": RenameTable,
    "add_column": AddColumn,
    "drop_column": DropColumn,
    "rename_column": RenameColumn,
    "alter_type": AlterType,
    "set_default": SetDefault,
    "set_nullable": SetNullable,
    "create_type": CreateType,
    "drop_type": DropType,
    "add_enum_value": AddEnumValue,
    "migrate": Migrate,
    "begin": Begin,
    "commit": Commit,
    "rollback": Rollback,
    "savepoint": Savepoint,
    "rollback_to": RollbackTo,
    "sync": Sync,
    "observed": Observed,
}
"""The name of each operation in histories and reports."""


def kind(operation: Operation) -> str:
    """The name of an operation's kind: ``add_column``."""
    return _NAMES[type(operation)]


_NAMES = {operation: name for name, operation in KINDS.items()}
SCHEMA_KINDS = frozenset(_NAMES[operation] for operation in get_args(SchemaOperation))
