"""What a user defines: columns, tables and enums, refused here where PostgreSQL would refuse them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from pytest_kroft.errors import DefinitionError, listing
from pytest_kroft.model.clauses import IDENTIFIER, names_in, split_clauses, unquote
from pytest_kroft.model.types import SERIALS, SqlType, check_identifier, parse_type, quote

Generator = Callable[..., Any]
"""Makes one value: takes a ``Cell``, or nothing."""

Identity = Literal["always", "by default"]

SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
INTEGERS = frozenset({"smallint", "integer", "bigint"})
TIMESTAMPS = frozenset({"timestamp", "timestamptz", "date"})
MAX_COLUMNS = 1600
WITHOUT_ORDER = frozenset({
    "aclitem", "box", "cid", "circle", "int2vector", "json", "jsonpath", "line", "lseg", "path", "point",
    "pg_snapshot", "polygon", "refcursor", "txid_snapshot", "xid", "xml",
})  # fmt: skip
"""Types with no default B-tree operator class (``pg_opclass``): they cannot be unique."""


def has_order(sql_type: SqlType) -> bool:
    """Whether a column of that type can be unique or a key."""
    return sql_type.array or sql_type.name not in WITHOUT_ORDER


@dataclass(frozen=True, slots=True)
class Reference:
    """The target of a foreign key: a table and a column, or its primary key where that is None."""

    table: str
    column: str | None = None


@dataclass(frozen=True)
class ColumnDefinition:
    """One column as its user defines it.

    Args:
        name: Its name: any identifier of up to 63 bytes; quoting is kroft's business.
        sql_type: Its type as in CREATE TABLE, for example ``"numeric(10,2)"`` or ``"text[]"``.
        generator: Makes its values: a callable that takes a ``Cell``, or nothing. By default values
            are inferred from name, type and constraints.
        constraints: More constraints as SQL. ``NOT NULL``, ``UNIQUE``, ``PRIMARY KEY``, ``DEFAULT``,
            ``CHECK``, ``REFERENCES`` and ``GENERATED`` are understood and become the fields below.
        reserved: Not in the table at first; evolution may add it.
        protected: Never mutated, never dropped.
        nullable: Whether it may hold NULL. By default True, and False for a key or an identity.
        primary_key: Part of the primary key; several such columns form a composite key.
        unique: No two rows hold the same value.
        default: An SQL expression.
        check: An SQL condition.
        references: ``"table"`` or ``"table(column)"``: a foreign key.
        generated: An SQL expression: the server computes the column (``GENERATED ALWAYS AS ... STORED``).
        identity: ``"always"`` or ``"by default"``: an identity column.

    Raises:
        DefinitionError: where PostgreSQL would refuse the column; names it.
    """

    name: str
    sql_type: str
    generator: Generator | None = None
    constraints: str = ""
    reserved: bool = False
    protected: bool = False
    # None means "not said": then a key or identity column is NOT NULL and any other may be NULL.
    nullable: bool = cast("bool", None)
    primary_key: bool = False
    unique: bool = False
    default: str | None = None
    check: str | None = None
    references: str | None = None
    generated: str | None = None
    identity: Identity | None = None

    def __post_init__(self) -> None:
        check_identifier(self.name, "a column")
        try:
            self._take_serial()
            parse_type(self.sql_type)
        except DefinitionError as error:
            raise self._refuse(error.reason) from None
        self._take_constraints()
        self._check()

    def __init_subclass__(cls) -> None:
        raise TypeError("ColumnDefinition is data and cannot be subclassed; give a generator instead")

    @property
    def type(self) -> SqlType:
        """The parsed type."""
        return parse_type(self.sql_type)

    @property
    def reference(self) -> Reference | None:
        """The target of the foreign key, if the column is one."""
        return _parse_reference(self.references) if self.references else None

    def _refuse(self, reason: str) -> DefinitionError:
        return DefinitionError(reason, column=self.name)

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _take_serial(self) -> None:
        """A serial is an integer with a sequence: the same as an identity column ``by default``."""
        integer = SERIALS.get(str(self.sql_type).strip().lower())
        if integer:
            self._set(sql_type=integer, identity=self.identity or "by default")

    def _take_constraints(self) -> None:
        if not isinstance(self.constraints, str):
            raise self._refuse(f"constraints must be a string of SQL, not {self.constraints!r}")
        found = split_clauses(self.constraints)
        never = self.primary_key or found.primary_key or self.identity or found.identity or found.not_null
        if (found.null and (never or self.nullable is False)) or (found.not_null and self.nullable):
            raise self._refuse(
                "cannot be NULL and NOT NULL at once; a primary key or an identity is never NULL"
            )
        for field in ("identity", "generated", "check", "references", "default", "primary_key", "unique"):
            said, given = getattr(found, field), getattr(self, field)
            if said and given and said != given:
                raise self._refuse(f"{field} is given twice: {given!r} and, in constraints, {said!r}")
            self._set(**{field: given or said})
        if found.not_null:
            self._set(nullable=False)
        self._set(constraints=found.rest)

    def _check(self) -> None:
        if self.name in SYSTEM_COLUMNS:
            raise self._refuse("this is the name of a system column of PostgreSQL; choose another name")
        if self.primary_key and self.reserved:
            raise self._refuse("a primary key cannot be reserved: the table would have no key at first")
        if self.primary_key and self.nullable:
            raise self._refuse("a primary key cannot be nullable")
        if self.identity and self.nullable:
            raise self._refuse("an identity column cannot be nullable")
        if self.nullable is None:
            self._set(nullable=not (self.primary_key or self.identity))
        if self.identity not in (None, "always", "by default"):
            raise self._refuse(f"identity must be 'always' or 'by default', not {self.identity!r}")
        if self.identity and (self.type.name not in INTEGERS or self.type.array):
            raise self._refuse(f"an identity column must be smallint, integer or bigint, not {self.sql_type}")
        if sum(value is not None for value in (self.default, self.generated, self.identity)) > 1:
            raise self._refuse("only one of default, generated and identity can be given")
        if self.generated and (self.generator or self.references or self.primary_key):
            raise self._refuse(
                "the server computes a generated column; it takes no generator, reference or key"
            )
        if (self.primary_key or self.unique) and not has_order(self.type):
            raise self._refuse(
                f"a column of type {self.sql_type} cannot be unique or a key: the type has no order"
            )
        if self.generator is not None and not callable(self.generator):
            raise self._refuse(f"the generator must be callable, not {self.generator!r}")
        if self.references:
            _parse_reference(self.references, self.name)


def _parse_reference(text: str, column: str | None = None) -> Reference:
    match = re.fullmatch(rf"\s*({IDENTIFIER})\s*(?:\(\s*({IDENTIFIER})\s*\))?\s*", text)
    if not match:
        raise DefinitionError(
            f"references must be 'table' or 'table(column)', not {text!r}; "
            "actions such as ON DELETE are not supported yet",
            column=column,
        )
    return Reference(unquote(match[1]), unquote(match[2]) if match[2] else None)


@dataclass(frozen=True)
class TableDefinition:
    """One table as its user defines it.

    Args:
        name: Its name, which is also what it is called by after a rename.
        columns: Its ``ColumnDefinition``s, at least one of them not reserved.
        schema: The schema it lives in; created where it is missing.
        updated_at: The name of the column (timestamptz, timestamp or date) that kroft stamps at each
            insert and update, as an application would.
        constraints: Table constraints as SQL, for example ``"UNIQUE (a, b)"``.

    Raises:
        DefinitionError: where PostgreSQL would refuse the table; names it and the column.
    """

    name: str
    columns: Sequence[ColumnDefinition]
    schema: str = "public"
    updated_at: str | None = None
    constraints: Sequence[str] = ()

    def __init__(
        self,
        name: str,
        columns: Iterable[ColumnDefinition],
        *,
        schema: str = "public",
        updated_at: str | None = None,
        constraints: Iterable[str] = (),
    ) -> None:
        check_identifier(name, "a table")
        _check_schema(schema)
        given = (constraints,) if isinstance(constraints, str) else tuple(constraints)
        fields = {
            "name": name,
            "columns": tuple(columns),
            "schema": schema,
            "updated_at": updated_at,
            "constraints": given,
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        self._check_columns()
        self._check_constraints()
        # PostgreSQL makes the columns of a PRIMARY KEY constraint NOT NULL by itself.
        object.__setattr__(
            self,
            "columns",
            tuple(
                replace(column, nullable=False) if column.name in self.key else column
                for column in self.columns
            ),
        )
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
        """The column sets in which no two rows are equal, the primary key first."""
        declared = (names_in(text, "UNIQUE") for text in self.constraints)
        single = ((column.name,) for column in self.columns if column.unique)
        return tuple(names for names in (self.key, *single, *declared) if names)

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
        for names in self.uniques:
            for name in names:
                if names.count(name) > 1:
                    raise self._refuse("a constraint names this column twice", name)
                self._check_key_column(name, is_key=name in self.key)

    def _check_constraints(self) -> None:
        for text in self.constraints:
            if not isinstance(text, str) or not text.strip():
                raise self._refuse(f"a table constraint must be SQL such as 'UNIQUE (a, b)', not {text!r}")

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
