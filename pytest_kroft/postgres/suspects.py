"""The rules of a table that generated rows may break: those that kroft does not fully understand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from pytest_kroft.model.clauses import mentions
from pytest_kroft.model.honouring import honours
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.catalog import Catalog, CatalogAttribute, Oid
from pytest_kroft.postgres.catalog_types import ColumnTypes, condition_of

_honours = lru_cache(maxsize=4096)(honours)
"""Tables often repeat a rule, under one name and of one type."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a table that generated rows may break, since kroft does not fully understand it.

    ``kind`` is check, unique, exclude, trigger, rule, partition or policy; ``name`` is the server's;
    ``text`` is SQL: the condition of a check, partition or policy, the whole definition otherwise.
    ``columns`` are those that it is known to look at.
    """

    kind: str
    name: str
    text: str
    columns: tuple[str, ...] = ()


def suspects(catalog: Catalog, types: ColumnTypes, oid: Oid, table: TableDefinition) -> Iterator[Rule]:
    """The rules of a table that have to be tried, in a fixed order."""
    yield from _doubtful_checks(catalog, types, oid, table)
    yield from _doubtful_domains(catalog, types, oid, table)
    yield from _apart(catalog, oid)
    for trigger in catalog.triggers.get(oid, ()):
        yield Rule(trigger.kind, trigger.name, trigger.definition)
    relation = catalog.relations[oid]
    if bounds := _bounds(catalog, oid):
        yield Rule("partition", relation.name, bounds, _mentioned(table, relation.partition_key or ""))
    for policy in catalog.policies.get(oid, ()) if relation.secured else ():
        text = " AND ".join(filter(None, [policy.visible, policy.accepted])) or "true"
        yield Rule("policy", policy.name, text, _mentioned(table, text))


def _doubtful_checks(
    catalog: Catalog, types: ColumnTypes, oid: Oid, table: TableDefinition
) -> Iterator[Rule]:
    columns = {column.name: column for column in catalog.attributes[oid]}
    for constraint in catalog.constraints.get(oid, ()):
        if constraint.kind == "c":
            names = catalog.names(oid, constraint.columns)
            condition = condition_of(constraint)
            if len(names) != 1 or not _honoured(types, table, columns[names[0]], condition):
                yield Rule("check", constraint.name, condition, names)


def _doubtful_domains(
    catalog: Catalog, types: ColumnTypes, oid: Oid, table: TableDefinition
) -> Iterator[Rule]:
    for column in catalog.attributes[oid]:
        resolved = types.of(column)
        for condition in resolved.check(column.name):
            if not _honoured(types, table, column, condition):
                yield Rule("check", resolved.domain or "", condition, (column.name,))


def _honoured(types: ColumnTypes, table: TableDefinition, found: CatalogAttribute, condition: str) -> bool:
    column = table.column(found.name)
    assert column is not None
    if column.generated:
        # A rule of its own result binds the columns that it is computed from.
        return False
    enum = types.of(found).needs
    return _honours(condition, column.name, column.type, tuple(enum.labels) if enum else ())


def _apart(catalog: Catalog, oid: Oid) -> Iterator[Rule]:
    for index in catalog.indexes.get(oid, ()):
        if index.distinct and (index.partial or index.computed):
            yield Rule("unique", index.name, index.definition, catalog.names(oid, sorted(index.mentioned)))
    for constraint in catalog.constraints.get(oid, ()):
        if constraint.kind == "x" or (constraint.period and constraint.kind != "f"):
            names = catalog.names(oid, constraint.columns)
            yield Rule("exclude", constraint.name, constraint.definition or "", names)


def _mentioned(table: TableDefinition, text: str) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if mentions(text, column.name))


def _bounds(catalog: Catalog, oid: Oid) -> str | None:
    """What a row must satisfy to fit into one of the partitions; None where every row does."""
    conditions = [partition.condition for partition in catalog.partitions.get(oid, ())]
    if not conditions or None in conditions:
        return None
    return " OR ".join(filter(None, conditions))
