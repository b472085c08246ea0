"""The tables that a database has, as definitions: what ``adopt()`` reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg

from pytest_kroft.errors import DefinitionError, listing
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition
from pytest_kroft.postgres.adopted_tables import AdoptedTables
from pytest_kroft.postgres.catalog import (
    Catalog,
    CatalogConstraint,
    CatalogRelation,
    CatalogType,
    Oid,
    read_catalog,
)
from pytest_kroft.postgres.catalog_types import ColumnTypes
from pytest_kroft.postgres.suspects import Rule, suspects
from pytest_kroft.postgres.table_patterns import matching_tables
from pytest_kroft.postgres.type_samples import TypeSamples
from pytest_kroft.postgres.usage import named_by, used_by


@dataclass(frozen=True)
class Found:
    """What a database holds.

    Args:
        types: The types that the tables need, in an order in which each could be created.
        tables: The tables, each after those that it refers to where that is possible.
        left_out: The tables that were asked for and cannot be adopted, and why.
        suspects: By the name of a definition, the rules that have to be tried.
        added: The tables that were not asked for, but that others refer to.
        inherited: The tables from which others inherit: a query of theirs also shows the others' rows.
    """

    types: tuple[EnumDefinition | SampledDefinition, ...]
    tables: tuple[TableDefinition, ...]
    left_out: Mapping[str, str]
    suspects: Mapping[str, tuple[Rule, ...]]
    added: tuple[str, ...] = ()
    inherited: frozenset[str] = frozenset()


def read_definitions(connection: psycopg.Connection[Any], patterns: Sequence[str] = ()) -> Found:
    """The tables that the patterns mean, and those that they refer to; without a pattern all.

    Raises DefinitionError for a pattern that means no table, and psycopg.Error.
    """
    catalog = read_catalog(connection)
    asked = matching_tables(catalog.relations.values(), patterns)
    return _Adoption(connection, catalog, asked).found()


def definitions_of(
    connection: psycopg.Connection[Any], catalog: Catalog, oids: Collection[Oid], names: Mapping[Oid, str]
) -> Found:
    """The tables of these oids in a catalog, and those that they refer to; ``names`` are given to some.

    Raises psycopg.Error.
    """
    asked = [relation for oid, relation in catalog.relations.items() if oid in oids]
    return _Adoption(connection, catalog, asked, names).found()


class _Adoption:
    """Takes tables into the definitions until none of them refers to one that is left out."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        catalog: Catalog,
        asked: Sequence[CatalogRelation],
        names: Mapping[Oid, str] = MappingProxyType({}),
    ) -> None:
        self._names = names
        row = connection.execute("SELECT current_user").fetchone()
        self._catalog, self._role = catalog, row[0] if row else ""
        self._samples, self._types = TypeSamples(connection, catalog), ColumnTypes(catalog)
        self._asked = {relation.oid for relation in asked}
        self._refused: dict[Oid, str] = {}
        self._given_up: dict[Oid, frozenset[str]] = {}

    def found(self) -> Found:
        wanted = self._with_parents()
        made: dict[Oid, TableDefinition] = {}
        while len(made) < len(wanted):
            # A table that is left out changes what the others may refer to, and perhaps their names.
            wanted = self._settled(wanted)
            made = self._made(wanted)
        ordered = [made[oid] for oid in self._ordered(wanted)]
        names = {oid: made[oid].name for oid in wanted}
        return Found(
            self._definitions(wanted),
            tuple(ordered),
            {self._shown(oid): why for oid, why in self._refused.items()},
            {
                names[oid]: rules
                for oid in wanted
                if (rules := tuple(suspects(self._catalog, self._types, oid, made[oid])))
            },
            tuple(made[oid].name for oid in wanted if oid not in self._asked),
            frozenset(names[oid] for oid in wanted if self._catalog.children.get(oid)),
        )

    def _shown(self, oid: Oid) -> str:
        relation = self._catalog.relations[oid]
        return relation.name if relation.schema == "public" else f"{relation.schema}.{relation.name}"

    def _with_parents(self) -> list[Oid]:
        """The tables that can be adopted by themselves, those asked for and all that they refer to."""
        wanted, waiting = [], sorted(self._asked)
        seen = set(waiting)
        while waiting:
            oid = waiting.pop(0)
            if why := _unusable(self._catalog, self._catalog.relations[oid], self._role):
                self._refused[oid] = why
                continue
            wanted.append(oid)
            targets = [key.target for key in self._foreign_keys(oid) if key.target not in seen]
            seen.update(targets)
            waiting += dict.fromkeys(targets)
        return wanted

    def _foreign_keys(self, oid: Oid) -> list[CatalogConstraint]:
        return [key for key in self._catalog.constraints.get(oid, ()) if key.kind == "f"]

    def _settled(self, wanted: Sequence[Oid]) -> list[Oid]:
        """The tables whose foreign keys lead to one another, or can be left NULL."""
        kept = [oid for oid in wanted if oid not in self._refused]
        while True:
            self._given_up.clear()
            for oid in kept:
                if why := self._orphaned(oid, set(kept)):
                    self._refused[oid] = why
            left = [oid for oid in kept if oid not in self._refused]
            if left == kept:
                return kept
            kept = left

    def _orphaned(self, oid: Oid, kept: set[Oid]) -> str | None:
        """Why a table cannot have rows, if a foreign key must be given up whose columns take no NULL."""
        nullable = {column.name for column in self._catalog.attributes[oid] if column.nullable}
        followed: dict[tuple[int, ...], Oid] = {}
        for key in self._foreign_keys(oid):
            first = followed.setdefault(tuple(key.columns), key.target)
            if key.target in kept and not key.period and (len(key.columns) > 1 or first == key.target):
                continue
            names = self._catalog.names(oid, key.columns)
            free = [name for name in names if name in nullable]
            if not free or (key.full and len(free) < len(names)):
                return self._lacking(key)
            given_up = free if key.full else free[:1]
            self._given_up[oid] = self._given_up.get(oid, frozenset()) | frozenset(given_up)
        return None

    def _lacking(self, key: CatalogConstraint) -> str:
        if key.target in self._refused:
            parent, why = self._shown(key.target), self._refused[key.target]
            return f'its foreign key "{key.name}" needs rows of {parent}, which is left out: {why}'
        if key.period:
            return f'its foreign key "{key.name}" is over periods of time, which kroft does not follow'
        return f'its foreign key "{key.name}" is the second of one column, and kroft follows one'

    def _made(self, wanted: Sequence[Oid]) -> dict[Oid, TableDefinition]:
        names = _names([self._catalog.relations[oid] for oid in wanted], self._names)
        used, named = used_by(self._catalog, set(wanted)), named_by(self._catalog, set(wanted))
        tables = AdoptedTables(self._catalog, self._types, self._samples, names, used, named, self._given_up)
        made = {}
        for oid in wanted:
            try:
                definition = tables.definition(self._catalog.relations[oid])
                self._need_types(oid)
                made[oid] = definition
            except DefinitionError as error:
                where = f"column {error.column!r}: " if error.column else ""
                self._refused[oid] = f"{where}{error.reason}"
        return made

    def _need_types(self, oid: Oid) -> None:
        for column in self._catalog.attributes[oid]:
            found = self._types.of(column).needs
            if found and found.kind != "e" and not self._samples.of(found.oid, found.declared):
                raise DefinitionError(f"kroft knows no value of type {found.declared}", column=column.name)

    def _definitions(self, wanted: Iterable[Oid]) -> tuple[EnumDefinition | SampledDefinition, ...]:
        needed = {
            found.oid: found
            for oid in wanted
            for column in self._catalog.attributes[oid]
            if (found := self._types.of(column).needs)
        }
        ordered = sorted(needed.values(), key=lambda one: (one.kind != "e", one.schema, one.name))
        return tuple(map(self._type, ordered))

    def _type(self, found: CatalogType) -> EnumDefinition | SampledDefinition:
        if found.kind == "e":
            return EnumDefinition(found.name, found.labels, schema=found.schema)
        return SampledDefinition(found.name, self._samples.of(found.oid, found.declared), schema=found.schema)

    def _ordered(self, wanted: Sequence[Oid]) -> list[Oid]:
        """Parents before children; where a cycle leaves no choice, by name."""
        parents = {
            oid: {key.target for key in self._foreign_keys(oid)} & set(wanted) - {oid} for oid in wanted
        }
        waiting = sorted(wanted, key=self._shown)
        ordered: dict[Oid, None] = {}
        while waiting:
            ready = [oid for oid in waiting if parents[oid] <= ordered.keys()] or waiting[:1]
            ordered.update(dict.fromkeys(ready))
            waiting = [oid for oid in waiting if oid not in ordered]
        return list(ordered)


def _unusable(catalog: Catalog, relation: CatalogRelation, role: str) -> str | None:
    """Why a table cannot be adopted, whatever the others are."""
    if relation.kind == "f":
        return "it is a foreign table, whose rows another server holds"
    if relation.root is not None:
        return "it is a partition of another table"
    if not relation.reachable:
        return f'the role "{role}" may not use the schema "{relation.schema}"; grant it USAGE'
    if relation.lacking:
        rights = listing(relation.lacking)
        return f'the role "{role}" lacks {rights} on it; grant these, or connect as its owner'
    if not catalog.attributes.get(relation.oid):
        return "it has no columns"
    if relation.kind == "p" and not catalog.partitions.get(relation.oid):
        return "it is partitioned and has no partition, so that it accepts no row; create one"
    return None


def _names(relations: Collection[CatalogRelation], given: Mapping[Oid, str]) -> dict[Oid, str]:
    """What the definitions are called: as given, as their tables, or with the schema where two are one."""
    others = [relation for relation in relations if relation.oid not in given]
    bare = [*given.values(), *(relation.name for relation in others)]
    made = {
        relation.oid: relation.name
        if bare.count(relation.name) == 1
        else f"{relation.schema}.{relation.name}"
        for relation in others
    }
    return {relation.oid: given.get(relation.oid) or made[relation.oid] for relation in relations}
