"""What the types of the user's columns are to kroft: built in, an enum, or known by samples."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.clauses import table_check
from pytest_kroft.model.types import SqlType, parse_type, quote
from pytest_kroft.postgres.catalog import (
    Catalog,
    CatalogAttribute,
    CatalogConstraint,
    CatalogRelation,
    CatalogType,
    Oid,
)

AS_TEXT = frozenset({"citext"})
"""Types of extensions whose values are made, and written, as texts."""
_NAMES = frozenset({"regoper", "regproc"})
"""Types whose values are names that an extension may make ambiguous."""
_VALUE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\bVALUE\b""")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A column's type as kroft takes it.

    Args:
        sql_type: The type below all domains, as a ``ColumnDefinition`` takes it.
        domain: What it is declared with, where that is another type.
        conditions: What the domains demand, of ``VALUE``.
        required: Whether a domain is NOT NULL.
        needs: The type of the user's that has to be defined before.
        sampled: Whether values of what it is declared with have to be asked for.
    """

    sql_type: str
    domain: str | None = None
    conditions: tuple[str, ...] = ()
    required: bool = False
    needs: CatalogType | None = None
    sampled: bool = False

    def check(self, column: str) -> tuple[str, ...]:
        """The domains' conditions, of the column of that name."""
        name = quote(column)
        found = (_of_column(condition, column) for condition in self.conditions)
        # A domain over a domain is cast to the type below both, which the column has for kroft anyway.
        return tuple(text.replace(f"({name})::{self.sql_type}", name) for text in found)


class ColumnTypes:
    """What the types of columns are to kroft, each looked at once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[tuple[Oid, str], Resolved] = {}

    def of(self, column: CatalogAttribute) -> Resolved:
        """A column's type; raises DefinitionError for a built-in type that kroft does not know."""
        key = (column.type, column.declared)
        if key not in self._known:
            self._known[key] = _resolve(
                self._catalog,
                column.type,
                array=column.array,
                declared=column.declared,
                modified=column.modified,
            )
        return self._known[key]


def _resolve(catalog: Catalog, oid: Oid, *, array: bool, declared: str, modified: bool) -> Resolved:
    found = catalog.types.get(oid)
    if found is None:
        return _built_in(declared)
    if relation := _table_of(catalog, found):
        raise DefinitionError(f'its values are rows of "{relation.name}", and change with its columns')
    brackets = "[]" if array else ""
    if found.name in AS_TEXT and found.kind == "b" and not array:
        return Resolved(f"text{brackets}", domain=f"{type_name(found)}{brackets}")
    if found.kind == "d" and not array:
        return _below(catalog, found)
    resolved = Resolved(f"{_quoted(found)}{brackets}", needs=found)
    if modified:
        return replace(resolved, domain=declared, sampled=True)
    return replace(resolved, sampled=found.kind == "d" and _is_ruled(catalog, found))


def _table_of(catalog: Catalog, found: CatalogType) -> CatalogRelation | None:
    """The table or view whose rows the values of a type are, or hold."""
    if relation := catalog.relations.get(found.relation):
        return relation
    fields = [field.type for field in catalog.attributes.get(found.relation, ())]
    parts = (catalog.types.get(oid) for oid in (found.base, found.part_type, *fields) if oid)
    return next(filter(None, (_table_of(catalog, part) for part in parts if part)), None)


def _is_ruled(catalog: Catalog, domain: CatalogType) -> bool:
    """Whether a domain may refuse values of the type below it, NULL among them."""
    below = catalog.types.get(domain.base or 0)
    ruled = domain.required or domain.oid in catalog.domain_checks
    return ruled or bool(below and below.kind == "d" and _is_ruled(catalog, below))


def _below(catalog: Catalog, domain: CatalogType) -> Resolved:
    assert domain.base is not None
    assert domain.base_declared is not None
    below = _resolve(
        catalog,
        domain.base,
        array=domain.base_array,
        declared=domain.base_declared,
        modified=domain.base_modified,
    )
    own = tuple(map(condition_of, catalog.domain_checks.get(domain.oid, ())))
    conditions = (*below.conditions, *own)
    sampled = below.sampled or bool(conditions and below.needs and below.needs.kind != "e")
    return replace(
        below,
        domain=type_name(domain),
        conditions=conditions,
        required=below.required or domain.required,
        sampled=sampled,
    )


def _built_in(declared: str) -> Resolved:
    if declared.startswith("interval "):
        return Resolved(without_fields(declared), domain=declared, sampled=True)
    parsed = parse_type(declared)
    if not parsed.builtin:
        raise DefinitionError(f"the type {declared} accepts no input, so that kroft cannot make its values")
    return Resolved(str(parsed), sampled=parsed.name in _NAMES)


def condition_of(constraint: CatalogConstraint) -> str:
    """The condition of a CHECK, without the parentheses that the server prints around it."""
    assert constraint.condition is not None
    return table_check(f"CHECK {constraint.condition}") or constraint.condition


def without_fields(declared: str) -> str:
    """``interval day to second(3)`` without the fields it is restricted to: ``interval(3)``."""
    precision = re.search(r"\(\d+\)", declared)
    return f"interval{precision[0] if precision else ''}{'[]' if declared.endswith('[]') else ''}"


def _quoted(found: CatalogType) -> str:
    """A type's name as a column has it, which is that of an ``EnumDefinition``."""
    if found.schema != "public":
        return str(SqlType(found.name, schema=found.schema, builtin=False))
    return quote(found.name)


def type_name(found: CatalogType) -> str:
    """The name of a type of the user's for people to read, quoted where it must be."""
    if found.schema != "public":
        return _quoted(found)
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", found.name)
    same = plain and parse_type(found.name) == SqlType(found.name, builtin=False)
    return found.name if same else quote(found.name)


def _of_column(condition: str, column: str) -> str:
    """A domain's condition with the column in the place of ``VALUE``; quotes are left alone."""
    return _VALUE.sub(lambda match: quote(column) if match[0] == "VALUE" else match[0], condition)
