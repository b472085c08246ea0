"""The catalog as it is: every table of a database, and what the server keeps about it.

Nothing is decided here; ``pytest_kroft.postgres.adoption`` makes definitions of it. The queries are as
many for one table as for a thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from pytest_kroft.postgres import catalog_queries as queries
from pytest_kroft.postgres.catalog_queries import query

Item = TypeVar("Item")
Oid = int


@dataclass(frozen=True, slots=True)
class CatalogRelation:
    """A table, view or foreign table (``pg_class``); of a partition ``root`` is the table it is part of.

    ``lacking`` are the privileges that the role does not have, ``secured`` says whether row security
    holds for it, ``partition_columns`` has a 0 for each expression.
    """

    oid: Oid
    schema: str
    name: str
    kind: str
    root: Oid | None
    secured: bool
    owned: bool
    extension: bool
    reachable: bool
    lacking: list[str]
    partition_columns: list[int]
    partition_key: str | None


@dataclass(frozen=True, slots=True)
class CatalogAttribute:
    """A column of a table, or a field of a composite type (``pg_attribute``).

    ``type`` is the type's oid, the element's where ``array``; ``declared`` its name with modifiers, which
    ``modified`` says are there; ``serial`` is whether a sequence belongs to the column.
    """

    relation: Oid
    number: int
    name: str
    type: Oid
    array: bool
    declared: str
    modified: bool
    nullable: bool
    default: str | None
    identity: str | None
    generated: bool
    inherited: bool
    serial: bool
    collation: str | None
    indexed: bool

    @property
    def counts(self) -> bool:
        """Whether it is what ``serial`` makes: NOT NULL, by default the next number of its sequence."""
        return self.serial and not self.nullable and (self.default or "").startswith("nextval(")


@dataclass(frozen=True, slots=True)
class CatalogType:
    """A type of the user's or an extension's (``pg_type``).

    ``kind`` is b(ase), c(omposite), d(omain), e(num), r(ange) or m(ultirange). A domain has a base, and
    ``required`` says that it is NOT NULL; a range's ``part`` is its subtype, a multirange's its range.
    """

    oid: Oid
    schema: str
    name: str
    kind: str
    extension: str | None
    relation: Oid
    base: Oid | None
    base_array: bool
    base_declared: str | None
    base_modified: bool
    required: bool
    declared: str
    labels: list[str]
    part: str | None
    part_type: Oid | None


@dataclass(frozen=True, slots=True)
class CatalogConstraint:
    """A constraint of a table or domain (``pg_constraint``); columns by number, 0 for an expression.

    ``kind`` is p(rimary key), u(nique), f(oreign key), c(heck) or x (exclude).
    """

    relation: Oid
    type: Oid
    name: str
    kind: str
    columns: list[int]
    target: Oid
    target_columns: list[int]
    definition: str | None
    condition: str | None
    deferrable: bool
    deferred: bool
    on_update: str
    on_delete: str
    full: bool
    nulled: list[int]
    period: bool
    operators: list[str]


@dataclass(frozen=True, slots=True)
class CatalogIndex:
    """An index that is unique, partial, over an expression or ``particular`` (``pg_index``).

    ``columns`` are the key's, by number, 0 for an expression; ``parts`` the key's texts where it has an
    expression; ``mentioned`` the columns that it depends on; ``included`` those that it holds beside its
    key. A ``particular`` one is no B-tree with the usual order of its types.
    """

    relation: Oid
    name: str
    distinct: bool
    primary: bool
    exclusion: bool
    nulls_equal: bool
    columns: list[int]
    partial: bool
    computed: bool
    definition: str
    parts: list[str]
    mentioned: list[int]
    included: list[int]
    particular: bool


@dataclass(frozen=True, slots=True)
class CatalogTrigger:
    """A trigger (``pg_trigger``) or a rule (``pg_rewrite``) of a table, and its function's source."""

    relation: Oid
    name: str
    kind: str
    definition: str
    source: str


@dataclass(frozen=True, slots=True)
class CatalogDependent:
    """What depends on a column (``pg_depend``): ``kind`` is a word such as ``view``."""

    relation: Oid
    number: int
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class CatalogChild:
    """A table that inherits from another one (``pg_inherits``)."""

    relation: Oid
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class CatalogPartition:
    """A partition that holds rows, its root and what the rows must satisfy."""

    relation: Oid
    schema: str
    name: str
    bound: str
    condition: str | None


@dataclass(frozen=True, slots=True)
class CatalogPolicy:
    """A policy of row security (``pg_policy``)."""

    relation: Oid
    name: str
    visible: str | None
    accepted: str | None


@dataclass(frozen=True)
class Catalog:
    """All that was read; everything that belongs to a table is listed by the table's oid."""

    relations: Mapping[Oid, CatalogRelation]
    attributes: Mapping[Oid, Sequence[CatalogAttribute]]
    types: Mapping[Oid, CatalogType]
    constraints: Mapping[Oid, Sequence[CatalogConstraint]]
    domain_checks: Mapping[Oid, Sequence[CatalogConstraint]]
    indexes: Mapping[Oid, Sequence[CatalogIndex]]
    triggers: Mapping[Oid, Sequence[CatalogTrigger]]
    dependents: Mapping[Oid, Sequence[CatalogDependent]]
    children: Mapping[Oid, Sequence[CatalogChild]]
    partitions: Mapping[Oid, Sequence[CatalogPartition]]
    policies: Mapping[Oid, Sequence[CatalogPolicy]]

    @cached_property
    def referencing(self) -> Mapping[Oid, Sequence[CatalogConstraint]]:
        """The foreign keys that refer to a table."""
        keys = (key for found in self.constraints.values() for key in found if key.kind == "f")
        return _grouped(keys, lambda key: key.target)

    @cached_property
    def row_types(self) -> Mapping[Oid, Sequence[str]]:
        """The columns whose values are rows of a table, by the table."""
        columns = (
            (self.types[column.type].relation, column.name)
            for oid, found in self.attributes.items()
            for column in found
            if column.type in self.types
        )
        pairs = _grouped(((relation, name) for relation, name in columns if relation), lambda pair: pair[0])
        return {oid: [name for _, name in found] for oid, found in pairs.items()}

    def names(self, relation: Oid, numbers: Iterable[int]) -> tuple[str, ...]:
        """The names of the columns of these numbers."""
        by_number = {column.number: column.name for column in self.attributes.get(relation, ())}
        return tuple(by_number[number] for number in numbers if number in by_number)


def read_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """Everything that the catalog says of the user's tables and types; raises psycopg.Error."""
    with connection.transaction():
        return _read(connection)


def _read(connection: psycopg.Connection[Any]) -> Catalog:
    def rows(of: type[Item], text: str) -> list[Item]:
        with connection.cursor(row_factory=class_row(of)) as cursor:
            return cursor.execute(query(text, connection.info.server_version).encode()).fetchall()

    relations = {one.oid: one for one in rows(CatalogRelation, queries.RELATIONS)}
    constraints = rows(CatalogConstraint, queries.CONSTRAINTS)
    return Catalog(
        relations,
        _by_relation(rows(CatalogAttribute, queries.COLUMNS)),
        {one.oid: one for one in rows(CatalogType, queries.TYPES)},
        _by_relation(constraints),
        _grouped((one for one in constraints if one.type), lambda one: one.type),
        _by_relation(rows(CatalogIndex, queries.INDEXES)),
        _grouped(rows(CatalogTrigger, queries.TRIGGERS), lambda one: _root(relations, one.relation)),
        _by_relation(rows(CatalogDependent, queries.DEPENDENTS)),
        _by_relation(rows(CatalogChild, queries.CHILDREN)),
        _by_relation(rows(CatalogPartition, queries.PARTITIONS)),
        _by_relation(rows(CatalogPolicy, queries.POLICIES)),
    )


def _root(relations: Mapping[Oid, CatalogRelation], oid: Oid) -> Oid:
    # A row that goes through a partitioned table meets the triggers of its partition.
    found = relations.get(oid)
    return oid if found is None or found.root is None else found.root


def _by_relation(items: Iterable[Item]) -> Mapping[Oid, Sequence[Item]]:
    return _grouped(items, lambda item: item.relation)  # type: ignore[attr-defined]


def _grouped(items: Iterable[Item], key: Callable[[Item], Oid]) -> Mapping[Oid, Sequence[Item]]:
    groups: dict[Oid, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)
