"""What a user defines of tables and enums, refused here where PostgreSQL would refuse it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_kroft.errors import DefinitionError, listing
from pytest_kroft.model.clauses import (
    both,
    check_table_constraint,
    mentions,
    names_in,
    one_column,
    table_check,
    without_not_null,
)
from pytest_kroft.model.columns import ColumnDefinition, has_order
from pytest_kroft.model.foreign_keys import ForeignKey, parse_foreign_key, parse_reference
from pytest_kroft.model.types import SqlType, check_identifier, quote

TIMESTAMPS = frozenset({"timestamp", "timestamptz", "date"})
MAX_COLUMNS = 1600


@dataclass(frozen=True)
class TableDefinition:
    """One table as its user defines it.

    Args:
        name: Its name, which is also what it is called by after a rename.
        columns: Its ``ColumnDefinition``s, at least one of them not reserved.
        schema: The schema it lives in; created where it is missing.
        updated_at: The name of the column (timestamptz, timestamp or date) that kroft stamps at each
            insert and update, as an application would.
        constraints: Table constraints as SQL, for example ``"UNIQUE (a, b)"``. What a NOT NULL, a
            FOREIGN KEY or a CHECK says of one column becomes part of that column.
        table: Its name on the server, where that is another one: of two tables of one name in two schemas
            one is called otherwise.
        distinct: More sets of columns in which no two rows are to be equal, though no plain UNIQUE says so:
            an index over some rows or an expression does, or an EXCLUDE.
        triggers: The names of the triggers that may change rows: what they did is observed after each write.
        closed: Why no row can be inserted, such as ``'constraint "never" accepts none'``.
        kept: Why no row can be deleted, such as ``"a trigger says 'rows of the ledger stay'"``.
        inherited: Whether other tables inherit from it: then its own rows are those that ONLY names.
        fixed: Why no column can be added, such as ``'another role owns the table'``.

    Raises:
        DefinitionError: where PostgreSQL would refuse the table; names it and the column.
    """

    name: str
    columns: Sequence[ColumnDefinition]
    schema: str = "public"
    updated_at: str | None = None
    constraints: Sequence[str] = ()
    table: str | None = None
    distinct: Sequence[Sequence[str]] = ()
    triggers: Sequence[str] = ()
    closed: str | None = None
    kept: str | None = None
    inherited: bool = False
    fixed: str | None = None

    def __init__(  # noqa: PLR0913  (each is a fact of its own)
        self,
        name: str,
        columns: Iterable[ColumnDefinition],
        *,
        schema: str = "public",
        updated_at: str | None = None,
        constraints: Iterable[str] = (),
        table: str | None = None,
        distinct: Iterable[Iterable[str]] = (),
        triggers: Iterable[str] = (),
        closed: str | None = None,
        kept: str | None = None,
        inherited: bool = False,
        fixed: str | None = None,
    ) -> None:
        check_identifier(name if table is None else table, "a table")
        _check_schema(schema)
        given = (constraints,) if isinstance(constraints, str) else tuple(constraints)
        fields = {
            "name": name,
            "columns": tuple(columns),
            "schema": schema,
            "updated_at": updated_at,
            "constraints": given,
            "table": table,
            "distinct": tuple(tuple(names) for names in distinct),
            "triggers": tuple(triggers),
            "closed": closed,
            "kept": kept,
            "inherited": inherited,
            "fixed": fixed,
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        self._check_columns()
        self._check_constraints()
        self._take_constraints()
        # PostgreSQL makes the columns of a PRIMARY KEY constraint NOT NULL by itself.
        key = self.key
        columns = tuple(
            replace(column, nullable=False) if column.name in key and column.nullable else column
            for column in self.columns
        )
        object.__setattr__(self, "columns", columns)
        self._check_updated_at()
        self._check_key()

    @property
    def active(self) -> tuple[ColumnDefinition, ...]:
        """The columns that the table has from the start."""
        return tuple(column for column in self.columns if not column.reserved)

    @property
    def reserved(self) -> tuple[ColumnDefinition, ...]:
        """The columns that evolution may add."""
        return tuple(column for column in self.columns if column.reserved)

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the primary key's columns; empty without a key."""
        declared = [names_in(text, r"PRIMARY\s+KEY") for text in self.constraints]
        return next(
            (names for names in declared if names), tuple(c.name for c in self.columns if c.primary_key)
        )

    @property
    def uniques(self) -> tuple[tuple[str, ...], ...]:
        """The column sets that a key or a UNIQUE keeps apart, the primary key first."""
        declared = (names_in(text, "UNIQUE") for text in self.constraints)
        single = ((column.name,) for column in self.columns if column.unique)
        return tuple(names for names in (self.key, *single, *declared) if names)

    @property
    def apart(self) -> tuple[tuple[str, ...], ...]:
        """The column sets in which no two rows are equal, for whatever reason."""
        return (*self.uniques, *(tuple(names) for names in self.distinct))

    @property
    def foreign_keys(self) -> tuple[ForeignKey, ...]:
        """The foreign keys: those of single columns first, then those of the table."""
        single = [
            parse_reference(column.references, (column.name,)) for column in self.columns if column.references
        ]
        return (*single, *(key for text in self.constraints if (key := parse_foreign_key(text))))

    @property
    def server_name(self) -> str:
        """Its name on the server when it was made."""
        return self.name if self.table is None else self.table

    def column(self, name: str) -> ColumnDefinition | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def _refuse(self, reason: str, column: str | None = None) -> DefinitionError:
        return DefinitionError(reason, table=self.name, column=column)

    def _check_columns(self) -> None:
        for column in self.columns:
            if not isinstance(column, ColumnDefinition):
                raise self._refuse(f"columns must be ColumnDefinitions, not {column!r}")
        if not self.active:
            raise self._refuse("a table needs at least one column that is not reserved")
        if len(self.columns) > MAX_COLUMNS:
            raise self._refuse(f"PostgreSQL takes {MAX_COLUMNS} columns at most, not {len(self.columns)}")
        for name, count in Counter(column.name for column in self.columns).items():
            if count > 1:
                raise self._refuse(f"the name is used by {count} columns", name)

    def _check_updated_at(self) -> None:
        if self.updated_at is None:
            return
        column = self.column(self.updated_at)
        if column is None:
            names = listing(column.name for column in self.columns)
            raise self._refuse(f"updated_at names no column: {self.updated_at!r}; the columns are: {names}")
        if column.reserved:
            raise self._refuse("the updated_at column cannot be reserved", column.name)
        if column.type.name not in TIMESTAMPS or column.type.array:
            raise self._refuse(
                f"updated_at must be timestamptz, timestamp or date, not {column.sql_type}", column.name
            )
        if column.generated or column.primary_key or column.unique:
            raise self._refuse("the updated_at column cannot be generated, unique or a key", column.name)

    def _check_key(self) -> None:
        declared = [names for text in self.constraints if (names := names_in(text, r"PRIMARY\s+KEY"))]
        if len(declared) > 1 or (declared and any(column.primary_key for column in self.columns)):
            raise self._refuse("the primary key is given more than once")
        for names in self.apart:
            for name in names:
                if names.count(name) > 1:
                    raise self._refuse("a constraint names this column twice", name)
                self._check_key_column(name, is_key=name in self.key)

    def _check_constraints(self) -> None:
        for text in self.constraints:
            if not isinstance(text, str) or not text.strip():
                raise self._refuse(f"a table constraint must be SQL such as 'UNIQUE (a, b)', not {text!r}")
            try:
                check_table_constraint(text)
            except DefinitionError as error:
                named = [column.name for column in self.columns if mentions(text, column.name)]
                raise self._refuse(error.reason, named[0] if named else None) from None

    def _take_constraints(self) -> None:
        """Give each constraint that is about one column to that column, where the values are made."""
        columns, left = {column.name: column for column in self.columns}, []
        for text in self.constraints:
            name = self._only_column(text)
            if name is None:
                left.append(text)
            else:
                columns[name] = self._with_constraint(columns[name], text)
        object.__setattr__(self, "columns", tuple(columns.values()))
        object.__setattr__(self, "constraints", tuple(left))

    def _only_column(self, text: str) -> str | None:
        """The column that a table constraint is about, if it is one that the column can have."""
        found = one_column(text)
        named_column = self.column(found.column) if found else None
        if found and named_column is None:
            raise self._refuse(f"{text!r} names this column, which the table does not have", found.column)
        if found and named_column and found.references and named_column.references:
            # It may refer to two tables at once.
            return None
        if found or table_check(text) is None:
            return found.column if found else None
        named = [column.name for column in self.columns if mentions(text, column.name)]
        return named[0] if len(named) == 1 else None

    def _with_constraint(self, column: ColumnDefinition, text: str) -> ColumnDefinition:
        found = one_column(text)
        try:
            if found and found.not_null:
                return replace(column, nullable=False)
            if found:
                # As a clause, so that a reference which the column has already is noticed.
                return replace(column, constraints=f"{column.constraints} REFERENCES {found.references}")
            check, required = without_not_null(both(column.check, table_check(text)), column.name)
            return replace(column, check=check, nullable=column.nullable and not required)
        except DefinitionError as error:
            raise self._refuse(error.reason, column.name) from None

    def _check_key_column(self, name: str, *, is_key: bool) -> None:
        column = self.column(name)
        if column is None:
            raise self._refuse("a constraint names this column, which the table does not have", name)
        if column.reserved and (is_key or not column.unique):
            raise self._refuse("a column that a table constraint names cannot be reserved", name)
        if is_key and column.generated:
            raise self._refuse("the server computes a generated column; it cannot be part of the key", name)
        if not has_order(column.type):
            raise self._refuse(f"the type {column.sql_type} has no order; it cannot be unique or a key", name)


def _check_schema(schema: object) -> None:
    name = check_identifier(schema, "a schema")
    if name.startswith("pg_") or name == "information_schema":
        raise DefinitionError(f"the schema {name!r} belongs to PostgreSQL; choose another")


@dataclass(frozen=True)
class SampledDefinition:
    """A type of the user's own that kroft knows by some of its values: a composite, an extension's type.

    Args:
        name: Its name.
        samples: Texts that it accepts, as the server prints them.
        schema: The schema it lives in.

    Raises:
        DefinitionError: for no samples, or a name that is no identifier.
    """

    name: str
    samples: Sequence[str]
    schema: str = "public"

    def __init__(self, name: str, samples: Iterable[str], *, schema: str = "public") -> None:
        check_identifier(name, "a type")
        check_identifier(schema, "a schema")
        for field, value in {"name": name, "samples": tuple(samples), "schema": schema}.items():
            object.__setattr__(self, field, value)
        if isinstance(samples, str) or not self.samples:
            raise DefinitionError(f"type {name!r} needs samples of its values, not {samples!r}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The samples, under the name that the labels of an enum have."""
        return tuple(self.samples)


@dataclass(frozen=True)
class EnumDefinition:
    """An enum type: its name and its labels in order.

    Raises:
        DefinitionError: for no labels, a label given twice, or one of no or more than 63 bytes.
    """

    name: str
    labels: Sequence[str]
    schema: str = "public"

    def __init__(self, name: str, labels: Iterable[str], *, schema: str = "public") -> None:
        check_identifier(name, "an enum")
        _check_schema(schema)
        for field, value in {"name": name, "labels": tuple(labels), "schema": schema}.items():
            object.__setattr__(self, field, value)
        if isinstance(labels, str) or not self.labels:
            raise DefinitionError(f"enum {name!r} needs labels, such as ('new', 'paid'), not {labels!r}")
        for label, count in Counter(self.labels).items():
            check_identifier(label, f"a label of enum {name!r}")
            if count > 1:
                raise DefinitionError(f"enum {name!r} has the label {label!r} {count} times")

    @property
    def type(self) -> SqlType:
        """The type that a column of this enum has."""
        return SqlType(self.name, schema=None if self.schema == "public" else self.schema, builtin=False)

    @property
    def sql_type(self) -> str:
        """The type's name as a column definition takes it, quoted."""
        return str(self.type) if self.schema != "public" else quote(self.name)
