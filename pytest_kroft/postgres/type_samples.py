"""Values of types that kroft cannot make: texts that the server accepted, as it prints them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import Any

import psycopg
from psycopg import sql

from pytest_kroft.postgres.catalog import Catalog, CatalogType, Oid
from pytest_kroft.postgres.type_candidates import MANY, candidates, constants

_A_FIELD = 8
"""How many values of a field are enough for those of a composite."""
_FAMILIES = 6
"""How many families of texts are enough, of a type that nothing is known of."""


class TypeSamples:
    """Asks the server for values of types, each type once.

    Every candidate is tried in a savepoint of its own; nothing is written.
    """

    def __init__(self, connection: psycopg.Connection[Any], catalog: Catalog) -> None:
        self._connection, self._catalog = connection, catalog
        self._known: dict[tuple[Oid, str], tuple[str, ...]] = {}

    def of(self, oid: Oid, declared: str, *, array: bool = False) -> tuple[str, ...]:
        """Values of a type, or of an array of it where ``declared`` names that; empty if none was found.

        Raises psycopg.Error where the connection fails.
        """
        key = (oid, declared)
        if key not in self._known:
            found = self._catalog.types.get(oid)
            self._known[key] = tuple(islice(_distinct(self._values(oid, found, declared, array=array)), MANY))
        return self._known[key]

    def _values(
        self, oid: Oid, found: CatalogType | None, declared: str, *, array: bool
    ) -> Iterator[str | None]:
        if array:
            return self._arrays(oid, declared)
        match found.kind if found else "b":
            case "e":
                assert found is not None
                return iter(found.labels)
            case "c":
                assert found is not None
                return self._rows(found)
            case "r":
                assert found is not None
                return self._ranges(found)
            case "m":
                assert found is not None
                return self._multiranges(found)
            case "d":
                assert found is not None
                return self._domain(found)
            case _:
                return self._tried(found.name if found else declared, declared, declared)

    def _arrays(self, oid: Oid, declared: str) -> Iterator[str | None]:
        texts = self.of(oid, declared.removesuffix("[]"))
        query = sql.SQL("SELECT concat(%s::text[]::{})").format(_type(declared))
        # A domain may demand some elements, or refuse NULL among them.
        for first, second in zip(texts, [*texts[1:], *texts[:1]], strict=True):
            for elements in ([first], [first, second], [first, None], []):
                yield self._ask(query, [elements])

    def _tried(self, name: str, declared: str, wanted: str) -> Iterator[str | None]:
        """Candidates for a type that one accepts which may be a domain over it."""
        query, families = _cast(wanted), []
        for family in candidates(name, declared):
            first = self._ask(query, [next(family)])
            if first is not None:
                yield first
                families.append(family)
            if len(families) == _FAMILIES:
                break
        # By turns, so that none of the families fills the list.
        for texts in zip_longest(*families):
            for text in filter(None, texts):
                yield self._ask(query, [text])

    def _rows(self, found: CatalogType) -> Iterator[str | None]:
        fields = self._catalog.attributes.get(found.relation, ())
        values = [self.of(f.type, f.declared, array=f.array)[:_A_FIELD] or (None,) for f in fields]
        casts = sql.SQL(", ").join(sql.SQL("%s::{}").format(_type(field.declared)) for field in fields)
        query = sql.SQL("SELECT ROW({})::{}::text").format(casts, _type(found.declared))
        for number in range(2 * _A_FIELD):
            # The second round shifts every other field, so that its rows are new ones.
            shifts = [number // _A_FIELD * (place % 2) for place in range(len(values))]
            row = [texts[(number + s) % len(texts)] for texts, s in zip(values, shifts, strict=True)]
            yield self._ask(query, row)

    def _ranges(self, found: CatalogType) -> Iterator[str | None]:
        assert found.part is not None
        assert found.part_type is not None
        bounds = self.of(found.part_type, found.part)[:_A_FIELD]
        made = sql.SQL("{}(%s::{}, %s::{}, '[)')").format(
            sql.Identifier(found.schema, found.name), _type(found.part), _type(found.part)
        )
        query = sql.SQL("SELECT nullif({}::text, 'empty')").format(made)
        return (self._ask(query, [low, high]) for low in bounds for high in bounds if low != high)

    def _multiranges(self, found: CatalogType) -> Iterator[str | None]:
        assert found.part is not None
        assert found.part_type is not None
        query = _cast(found.declared)
        return (self._ask(query, [f"{{{text}}}"]) for text in self.of(found.part_type, found.part))

    def _domain(self, found: CatalogType) -> Iterator[str | None]:
        assert found.base is not None
        assert found.base_declared is not None
        base, query = self._catalog.types.get(found.base), _cast(found.declared)
        texts = self.of(found.base, found.base_declared, array=found.base_array)
        accepted = (self._ask(query, [text]) for text in texts)
        if found.base_array or (base and base.kind != "b"):
            return accepted
        name = base.name if base else found.base_declared
        rules = [check.condition or "" for check in self._catalog.domain_checks.get(found.oid, ())]
        named = (self._ask(query, [text]) for text in constants("\n".join(rules)))
        return chain(accepted, named, self._tried(name, found.base_declared, found.declared))

    def _ask(self, query: sql.Composed, values: Sequence[Any]) -> str | None:
        """What the server prints of a value, or None where it refuses it."""
        try:
            with self._connection.transaction():
                row = self._connection.execute(query, values).fetchone()
        except (
            psycopg.DataError,
            psycopg.ProgrammingError,
            psycopg.IntegrityError,
            psycopg.NotSupportedError,
        ):
            return None
        except psycopg.InternalError:
            # An extension's input function may raise anything.
            return None
        return row[0] if row else None


def _cast(declared: str) -> sql.Composed:
    # As arrays and composites hold it: a cast to text strips the padding of char, and spells out booleans.
    return sql.SQL("SELECT concat(%s::text::{})").format(_type(declared))


def _type(declared: str) -> sql.SQL:
    """A type as the server prints it; psycopg takes a percent sign for a place."""
    return sql.SQL(declared.replace("%", "%%"))


def _distinct(texts: Iterable[str | None]) -> Iterator[str]:
    seen: set[str] = set()
    for text in texts:
        if text is not None and text not in seen:
            seen.add(text)
            yield text
