"""What a user defines of a column, refused here where PostgreSQL would refuse it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.clauses import split_clauses, without_not_null
from pytest_kroft.model.foreign_keys import ForeignKey, parse_reference
from pytest_kroft.model.types import SERIALS, SqlType, check_identifier, parse_type

Generator = Callable[..., Any]
"""Makes one value: takes a ``Cell``, or nothing."""

Identity = Literal["always", "by default"]

SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
INTEGERS = frozenset({"smallint", "integer", "bigint"})
WITHOUT_ORDER = frozenset({
    "aclitem", "box", "cid", "circle", "int2vector", "json", "jsonpath", "line", "lseg", "path", "point",
    "pg_snapshot", "polygon", "refcursor", "txid_snapshot", "xid", "xml",
})  # fmt: skip
"""Types with no default B-tree operator class (``pg_opclass``): they cannot be unique."""


def has_order(sql_type: SqlType) -> bool:
    """Whether a column of that type can be unique or a key."""
    return sql_type.array or sql_type.name not in WITHOUT_ORDER


@dataclass(frozen=True)
class ColumnDefinition:
    """One column as its user defines it.

    Args:
        name: Its name: any identifier of up to 63 bytes; quoting is kroft's business.
        sql_type: Its type as in CREATE TABLE, for example ``"numeric(10,2)"`` or ``"text[]"``.
        generator: Makes its values: a callable that takes a ``Cell``, or nothing. By default values
            are inferred from name, type and constraints.
        constraints: More constraints as SQL. ``NOT NULL``, ``UNIQUE``, ``PRIMARY KEY``, ``DEFAULT``,
            ``CHECK``, ``REFERENCES`` and ``GENERATED`` are understood and become the fields below,
            without the name of a ``CONSTRAINT``.
        reserved: Not in the table at first; evolution may add it.
        protected: Never mutated, never dropped.
        nullable: Whether it may hold NULL. By default True, and False for a key or an identity.
        primary_key: Part of the primary key; several such columns form a composite key.
        unique: No two rows hold the same value.
        default: An SQL expression.
        check: An SQL condition.
        references: ``"table"`` or ``"table(column)"``, with actions such as ``ON DELETE CASCADE``: a
            foreign key.
        generated: An SQL expression: the server computes the column (``GENERATED ALWAYS AS ... STORED``).
        identity: ``"always"`` or ``"by default"``: an identity column.
        style: The name of a way to make values, such as ``"slug"``, where no generator is given.
        samples: The only cells that it may hold, as the server prints them; None stands for NULL.
        together: The name of the group of columns whose samples belong together, place by place.
        filled: Never made NULL, though it may be.
        domain: The domain that it is declared with; ``sql_type`` is the type below it.
        used_by: Why it can be neither dropped nor retyped, such as ``'view "paid" reads it'``.
        named_by: Why it can be renamed no more than dropped, such as ``'trigger "stamp" names it'``.
        indexed: Whether an index holds its values, so that none may be long.
        indexed_by: Why it cannot be retyped, such as ``'index "by_name" is over an expression of it'``.

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
    style: str | None = None
    samples: tuple[str | None, ...] = ()
    together: str | None = None
    filled: bool = False
    domain: str | None = None
    used_by: str | None = None
    named_by: str | None = None
    indexed: bool = False
    indexed_by: str | None = None

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
    def reference(self) -> ForeignKey | None:
        """The foreign key that the column is, if it is one by itself."""
        return parse_reference(self.references, (self.name,)) if self.references else None

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
        if not self.constraints:
            self._take_check(null=False)
            return
        try:
            found = split_clauses(self.constraints)
        except DefinitionError as error:
            raise self._refuse(error.reason) from None
        key = self.primary_key or found.primary_key or self.identity or found.identity
        if (found.null and (key or found.not_null or self.nullable is False)) or (
            found.not_null and self.nullable
        ):
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
        self._take_check(null=found.null)

    def _take_check(self, *, null: bool) -> None:
        """``CHECK (a IS NOT NULL)`` is NOT NULL in other words, and only those are in the state."""
        if self.check is not None and not isinstance(self.check, str):
            raise self._refuse(f"check must be a string of SQL, not {self.check!r}")
        check, required = without_not_null(self.check, self.name)
        if required and (null or self.nullable):
            raise self._refuse("its check demands IS NOT NULL; it cannot be nullable")
        if required:
            self._set(check=check, nullable=False)

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
            self._check_reference(self.references)

    def _check_reference(self, references: str) -> None:
        try:
            parse_reference(references, (self.name,))
        except DefinitionError as error:
            raise self._refuse(error.reason) from None
