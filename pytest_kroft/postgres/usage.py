"""Why a column cannot be dropped or retyped: what depends on it, as far as the catalog tells."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from pytest_kroft.model.clauses import IDENTIFIER, mentions, unquote
from pytest_kroft.postgres.catalog import Catalog, CatalogRelation, Oid

_SHOWN = 3

_BY_POSITION = re.compile(
    rf"\binsert\s+into\s+({IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})?)\s+(?:values|select)\b|({IDENTIFIER})\s*%\s*rowtype",
    re.IGNORECASE,
)
"""The tables that code writes without naming their columns."""

Reasons = Mapping[Oid, Mapping[str, str]]
"""By table and column, the reason as one clause."""


def used_by(catalog: Catalog, adopted: Collection[Oid]) -> Reasons:
    """Why columns of the adopted tables can be neither dropped nor retyped.

    Not among the reasons is what the state knows by itself: keys, CHECKs, generated columns, and the
    foreign keys of other adopted tables.
    """
    found: dict[Oid, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for oid in adopted:
        for column, reason in _reasons(catalog, catalog.relations[oid], adopted):
            found[oid][column].append(reason)
    return _all_joined(found, _named(catalog, adopted))


def named_by(catalog: Catalog, adopted: Collection[Oid]) -> Reasons:
    """Why columns of the adopted tables cannot be renamed: code names them, or they are inherited."""
    return _all_joined({}, _named(catalog, adopted))


def _named(catalog: Catalog, adopted: Collection[Oid]) -> Iterator[tuple[Oid, str, str]]:
    for oid in adopted:
        for column in catalog.attributes.get(oid, ()):
            if column.inherited:
                yield oid, column.name, "it is inherited from another table"
            for child in catalog.children.get(oid, ()):
                yield oid, column.name, f'table "{child.name}" inherits it'
    yield from _named_in_functions(catalog, adopted)


def _all_joined(
    found: Mapping[Oid, Mapping[str, list[str]]], more: Iterable[tuple[Oid, str, str]]
) -> Reasons:
    """One clause for each column, of the reasons found and some more."""
    every: dict[Oid, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for oid, columns in found.items():
        for name, said in columns.items():
            every[oid][name] += said
    for oid, name, reason in more:
        every[oid][name].append(reason)
    return {oid: {name: _joined(said) for name, said in columns.items()} for oid, columns in every.items()}


def fixed(catalog: Catalog, oid: Oid) -> str | None:
    """Why no column can be added to a table, or None."""
    heirs = [f'table "{child.name}" inherits from it' for child in catalog.children.get(oid, ())]
    # Where columns hold its rows, the server refuses only one with a default, but they would get any.
    others = list(_of_whole_table(catalog, catalog.relations[oid]))
    return _joined([*heirs, *others]) if heirs or others else None


def indexed_by(catalog: Catalog, oid: Oid) -> Mapping[str, str]:
    """Why columns of a table cannot be retyped: an index is over an expression or a part of the rows."""
    found: dict[str, list[str]] = defaultdict(list)
    for index in catalog.indexes.get(oid, ()):
        if index.partial or index.computed:
            expressions = [part for part, n in zip(index.parts, index.columns, strict=False) if not n]
            for name in catalog.names(oid, sorted(index.mentioned)):
                if any(mentions(part, name) for part in expressions):
                    found[name].append(f'index "{index.name}" is over an expression of it')
                elif name not in catalog.names(oid, index.columns):
                    found[name].append(f'index "{index.name}" has a condition on it')
        if index.particular:
            for name in catalog.names(oid, index.columns):
                found[name].append(f'index "{index.name}" compares it in a way of its own')
    for constraint in catalog.constraints.get(oid, ()):
        if constraint.kind == "x" or (constraint.period and constraint.kind != "f"):
            for name in catalog.names(oid, constraint.columns):
                found[name].append(f'constraint "{constraint.name}" compares it by an operator')
    return {name: _joined(said) for name, said in found.items()}


def _joined(reasons: list[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    rest = f" and {len(distinct) - _SHOWN} more" if len(distinct) > _SHOWN else ""
    return ", ".join(distinct[:_SHOWN]) + rest


def _reasons(catalog: Catalog, table: CatalogRelation, adopted: Collection[Oid]) -> Iterator[tuple[str, str]]:
    columns = catalog.attributes.get(table.oid, ())
    numbers = {column.number: column.name for column in columns}
    for dependent in catalog.dependents.get(table.oid, ()):
        if dependent.number in numbers:
            yield numbers[dependent.number], f'{dependent.kind} "{dependent.name}" reads it'
    for key in catalog.referencing.get(table.oid, ()):
        if key.relation not in adopted:
            for name in catalog.names(table.oid, key.target_columns):
                yield name, f'foreign key "{key.name}" of a table that is not adopted refers to it'
    for column in columns:
        for reason in _of_whole_table(catalog, table):
            yield column.name, reason
    for index in catalog.indexes.get(table.oid, ()):
        for name in catalog.names(table.oid, index.included) if index.distinct else ():
            yield name, f'index "{index.name}" includes it'
    yield from _partition_reasons(table, numbers)


def _of_whole_table(catalog: Catalog, table: CatalogRelation) -> Iterator[str]:
    for column in catalog.row_types.get(table.oid, ()):
        yield f'column "{column}" of another table has rows of it'
    if not table.owned:
        yield "another role owns the table"


def _partition_reasons(table: CatalogRelation, numbers: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    words = _words(table.partition_key or "") if 0 in table.partition_columns else set()
    for number, name in numbers.items():
        if number in table.partition_columns or name in words:
            yield name, "the table is partitioned by it"


def _named_in_functions(catalog: Catalog, adopted: Collection[Oid]) -> Iterator[tuple[Oid, str, str]]:
    """Columns whose names stand in the function of a trigger, which the server does not follow."""
    tables = [catalog.relations[oid] for oid in adopted]
    for oid, triggers in catalog.triggers.items():
        for trigger in triggers:
            text = f"{trigger.definition} {trigger.source}"
            words, by_position = _words(text), _words(" ".join(map(" ".join, _BY_POSITION.findall(text))))
            for table in tables:
                if table.oid == oid or table.name in words:
                    for column in catalog.attributes.get(table.oid, ()):
                        if column.name in words or table.name in by_position:
                            yield table.oid, column.name, f'{trigger.kind} "{trigger.name}" names it'


def _words(text: str) -> set[str]:
    return {unquote(word) for word in re.findall(IDENTIFIER, text)}
