"""One table of the catalog as a ``TableDefinition``: its columns and what keeps its rows in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.clauses import both, mentions, without_not_null
from pytest_kroft.model.columns import INTEGERS, ColumnDefinition, has_order
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import parse_type, quote
from pytest_kroft.postgres.catalog import (
    Catalog,
    CatalogAttribute,
    CatalogConstraint,
    CatalogIndex,
    CatalogRelation,
    Oid,
)
from pytest_kroft.postgres.catalog_types import ColumnTypes, Resolved, condition_of
from pytest_kroft.postgres.type_samples import TypeSamples
from pytest_kroft.postgres.usage import fixed, indexed_by

UPDATED_AT = (
    "updated_at", "modified_at", "last_updated_at", "last_modified_at", "last_updated", "last_modified",
    "updated", "modified", "updated_on", "modified_on", "changed_at", "update_time", "updated_date",
    "modified_date", "date_updated", "date_modified", "updatedat", "modifiedat", "mtime",
)  # fmt: skip
"""Names of columns that say when a row was last written, the likeliest first."""

_ACTIONS = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


@dataclass(frozen=True)
class AdoptedTables:
    """Makes the definitions of tables.

    ``names`` are the definitions' names of all adopted tables, ``used_by`` the reasons that keep a
    column as it is, ``given_up`` the columns that must stay NULL since kroft cannot follow their keys.
    """

    catalog: Catalog
    types: ColumnTypes
    samples: TypeSamples
    names: Mapping[Oid, str]
    used_by: Mapping[Oid, Mapping[str, str]]
    named_by: Mapping[Oid, Mapping[str, str]]
    given_up: Mapping[Oid, frozenset[str]] = field(default_factory=dict)

    def definition(self, relation: CatalogRelation) -> TableDefinition:
        """A table's definition; raises DefinitionError where kroft cannot take it."""
        rules = TableRules(self.catalog, relation, self.names)
        columns = [self._column(rules, column) for column in rules.columns]
        name = self.names[relation.oid]
        return TableDefinition(
            name,
            columns,
            schema=relation.schema,
            updated_at=_updated_at(columns, rules.tied),
            constraints=rules.constraints,
            table=relation.name if name != relation.name else None,
            distinct=[names for names in rules.distinct if _all_ordered(columns, names)],
            triggers=[trigger.name for trigger in self.catalog.triggers.get(relation.oid, ())],
            fixed=fixed(self.catalog, relation.oid),
            kept=self._kept(relation.oid),
        )

    def _kept(self, oid: Oid) -> str | None:
        """Why its rows cannot be deleted: rows that kroft does not know of may refer to them."""
        for key in self.catalog.referencing.get(oid, ()):
            child = self.catalog.relations[key.relation]
            if (child.root or child.oid) not in self.names:
                return f'table "{child.name}" refers to them and is not adopted'
        return None

    def _column(self, rules: TableRules, column: CatalogAttribute) -> ColumnDefinition:
        try:
            return self._understood(rules, column)
        except DefinitionError as error:
            raise DefinitionError(error.reason, column=column.name) from None

    def _understood(self, rules: TableRules, column: CatalogAttribute) -> ColumnDefinition:
        resolved = self.types.of(column)
        checks = (*resolved.check(column.name), *rules.checks.get(column.name, ()))
        check, demanded = without_not_null(both(*checks) if checks else None, column.name)
        filled = resolved.required or demanded or column.name in rules.filled
        identity = _identity(column, resolved)
        relation = rules.relation.oid
        return ColumnDefinition(
            column.name,
            resolved.sql_type,
            constraints=f"COLLATE {column.collation}" if column.collation else "",
            nullable=column.nullable,
            primary_key=column.name in rules.key,
            unique=column.name in rules.single,
            default=None if identity or column.generated else column.default,
            generated=column.default if column.generated else None,
            check=check,
            references=rules.references.get(column.name),
            identity=identity,  # type: ignore[arg-type]
            samples=self._samples(column, resolved, relation),
            filled=filled and column.nullable,
            domain=resolved.domain,
            used_by=self.used_by.get(relation, {}).get(column.name) or rules.excluding.get(column.name),
            named_by=self.named_by.get(relation, {}).get(column.name),
            indexed=column.indexed,
            indexed_by=rules.indexed_by.get(column.name),
        )

    def _samples(self, column: CatalogAttribute, resolved: Resolved, oid: Oid) -> tuple[str | None, ...]:
        if column.name in self.given_up.get(oid, ()):
            return (None,)
        if not resolved.sampled or column.generated:
            return ()
        found = self.samples.of(column.type, column.declared, array=column.array)
        if not found:
            raise DefinitionError(f"kroft knows no value of type {column.declared}")
        return found


def _identity(column: CatalogAttribute, resolved: Resolved) -> str | None:
    if column.identity or not column.counts:
        return column.identity
    return "by default" if resolved.sql_type in INTEGERS and not resolved.domain else None


def _all_ordered(columns: Iterable[ColumnDefinition], names: Sequence[str]) -> bool:
    return all(has_order(column.type) for column in columns if column.name in names)


class TableRules:
    """What the constraints and indexes of one table say, by the names of its columns."""

    def __init__(self, catalog: Catalog, relation: CatalogRelation, names: Mapping[Oid, str]) -> None:
        self._catalog, self.relation, self._names = catalog, relation, names
        self.columns = catalog.attributes.get(relation.oid, ())
        self._order = [column.name for column in self.columns]
        self.indexed_by = indexed_by(catalog, relation.oid)
        self.checks: dict[str, list[str]] = {}
        self.references: dict[str, str] = {}
        self.key: tuple[str, ...] = ()
        self.single: set[str] = set()
        self.filled: set[str] = set()
        self.distinct: list[tuple[str, ...]] = []
        self.constraints: list[str] = []
        self.excluding: dict[str, str] = {}
        """By column, the EXCLUDE that has it in an expression or its condition, and so keeps it."""
        self.tied = set(catalog.names(relation.oid, relation.partition_columns))
        """The columns whose values follow from more than what they are themselves."""
        for index in catalog.indexes.get(relation.oid, ()):
            if index.distinct:
                self._take_unique(index)
            if index.exclusion:
                reason = f'constraint "{index.name}" needs it'
                self.excluding |= dict.fromkeys(catalog.names(relation.oid, index.mentioned), reason)
        for constraint in catalog.constraints.get(relation.oid, ()):
            self._take(constraint)
        # A set that is unique anyway need not be kept apart once more.
        self.distinct = list(dict.fromkeys(self.distinct))

    def _take_unique(self, index: CatalogIndex) -> None:
        names = self._catalog.names(self.relation.oid, index.columns)
        if index.partial or index.computed:
            self._take_distinct(self._mentioned(index))
        elif index.primary:
            self._take_key(names)
        elif len(names) == 1:
            self.single.add(names[0])
        else:
            self.tied.update(names)
            text = f"UNIQUE ({_listed(names)})"
            self.constraints += [text] if text not in self.constraints else []
        if index.nulls_equal:
            self.filled.update(names)

    def _take_key(self, names: tuple[str, ...]) -> None:
        in_order = sorted(names, key=self._order.index) == list(names)
        if in_order:
            self.key = names
        else:
            self.constraints.insert(0, f"PRIMARY KEY ({_listed(names)})")

    def _take_distinct(self, names: Iterable[str]) -> None:
        if found := tuple(dict.fromkeys(names)):
            self.distinct.append(found)
            self.tied.update(found)

    def _mentioned(self, index: CatalogIndex) -> Iterator[str]:
        for place, number in enumerate(index.columns):
            if number:
                yield from self._catalog.names(self.relation.oid, [number])
            else:
                yield from (name for name in self._order if mentions(index.parts[place], name))

    def _take(self, constraint: CatalogConstraint) -> None:
        names = self._catalog.names(self.relation.oid, constraint.columns)
        match constraint.kind:
            case "c":
                self._take_check(constraint, names)
            case "f" if constraint.target in self._names and not constraint.period:
                self._take_foreign_key(constraint, names)
            case "x":
                assert constraint.definition is not None
                self.constraints.append(constraint.definition)
                self._take_distinct(_compared(constraint, names))
            case "p" | "u" if constraint.period:
                # Equal keys may follow each other in time; kroft keeps them apart for good.
                self._take_distinct(names[:-1])

    def _take_check(self, constraint: CatalogConstraint, names: tuple[str, ...]) -> None:
        condition = condition_of(constraint)
        if len(names) == 1 == len(constraint.columns):
            self.checks.setdefault(names[0], []).append(condition)
        else:
            self.constraints.append(f"CHECK ({condition})")
            self.tied.update(names)

    def _take_foreign_key(self, key: CatalogConstraint, names: tuple[str, ...]) -> None:
        targets = self._catalog.names(key.target, key.target_columns)
        said = f"{quote(self._names[key.target])} ({_listed(targets)}){self._actions(key)}"
        if len(names) == 1 and names[0] not in self.references:
            self.references[names[0]] = said
        else:
            # A column that refers to two tables has one of them here.
            self.tied.update(names)
            self.constraints.append(f"FOREIGN KEY ({_listed(names)}) REFERENCES {said}")

    def _actions(self, key: CatalogConstraint) -> str:
        nulled = self._catalog.names(key.relation, key.nulled)
        on_delete, on_update = _ACTIONS.get(key.on_delete), _ACTIONS.get(key.on_update)
        words = [
            "MATCH FULL" if key.full else "",
            f"ON DELETE {on_delete}" if on_delete else "",
            f"({_listed(nulled)})" if nulled else "",
            f"ON UPDATE {on_update}" if on_update else "",
            "DEFERRABLE" if key.deferrable else "",
            "INITIALLY DEFERRED" if key.deferred else "",
        ]
        return "".join(f" {word}" for word in words if word)


def _compared(constraint: CatalogConstraint, names: tuple[str, ...]) -> Sequence[str]:
    """The columns that must differ: those compared by ``=`` if there are such, else all."""
    if 0 in constraint.columns:
        return names
    pairs = zip(names, constraint.operators, strict=True)
    return [name for name, operator in pairs if operator == "="] or names


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quote, names))


def _updated_at(columns: Iterable[ColumnDefinition], tied: Collection[str]) -> str | None:
    """The column that says when a row was last written, if there is one."""
    stamps = {column.name for column in columns if column.name not in tied and _is_stamp(column)}
    likely = {name.lower(): name for name in sorted(stamps)}
    return next((likely[name] for name in UPDATED_AT if name in likely), None)


def _is_stamp(column: ColumnDefinition) -> bool:
    ruled = column.generated or column.primary_key or column.unique or column.references or column.check
    parsed = parse_type(column.sql_type)
    return parsed.name in ("timestamp", "timestamptz") and not parsed.array and not ruled
