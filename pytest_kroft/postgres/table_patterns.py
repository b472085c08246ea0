"""Which tables a user means by ``"orders"`` and ``"billing.*"``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pytest_kroft.errors import DefinitionError, listing
from pytest_kroft.postgres.catalog import CatalogRelation

_PART = r'"(?:[^"]|"")+"|[^."]+'
_PATTERN = re.compile(rf"(?:({_PART})\.)?({_PART})")
_SHOWN = 20
BOOKKEEPING = frozenset({
    "alembic_version", "django_migrations", "flyway_schema_history", "schema_migrations",
    "ar_internal_metadata", "databasechangelog", "databasechangeloglock", "goose_db_version",
    "_yoyo_migration", "_yoyo_version", "_yoyo_log", "yoyo_lock", "aerich", "_sqlx_migrations",
    "__diesel_schema_migrations", "_prisma_migrations",
})  # fmt: skip
"""The tables in which tools note the migrations that were run; a row more, and they no longer work."""
_WORDS = {
    "v": "a view, and views are left alone",
    "m": "a materialized view, and views are left alone",
    "f": "a foreign table, whose rows another server holds",
}


@dataclass(frozen=True, slots=True)
class TablePattern:
    """A name with an optional schema, in which ``*`` and ``?`` stand for other letters unless quoted."""

    text: str
    schema: re.Pattern[str] | None
    name: re.Pattern[str]

    def matches(self, relation: CatalogRelation) -> bool:
        """Whether it means that table."""
        in_schema = self.schema is None or self.schema.fullmatch(relation.schema)
        return bool(in_schema and self.name.fullmatch(relation.name))


def parse_table_pattern(text: str) -> TablePattern:
    """Read a pattern; raises DefinitionError for a text that is none."""
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise DefinitionError(
            f"{text!r} names no table; give a name such as 'orders' or 'billing.*', with double quotes "
            "around a name that holds dots, quotes, * or ?"
        )
    return TablePattern(text, _compiled(match[1]) if match[1] else None, _compiled(match[2]))


def _compiled(part: str) -> re.Pattern[str]:
    if part.startswith('"'):
        return re.compile(re.escape(part[1:-1].replace('""', '"')), re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(letter) or re.escape(letter) for letter in part), re.DOTALL)


def matching_tables(relations: Iterable[CatalogRelation], patterns: Sequence[str]) -> list[CatalogRelation]:
    """The tables that are meant; without a pattern all but partitions, an extension's and ``BOOKKEEPING``.

    Foreign tables are among them, where others are. Raises DefinitionError for a pattern that means no
    table: it names what is near, or what is there.
    """
    everything = list(relations)
    tables = [one for one in everything if one.kind in "rpf" and one.root is None]
    if not patterns:
        return _own(tables)
    wanted: dict[int, CatalogRelation] = {}
    for pattern in map(parse_table_pattern, patterns):
        found = [one for one in tables if pattern.matches(one)]
        if all(one.kind == "f" for one in found):
            raise _nothing(pattern, everything, tables)
        wanted.update((one.oid, one) for one in found)
    return sorted(wanted.values(), key=lambda one: (one.schema, one.name))


def _own(tables: list[CatalogRelation]) -> list[CatalogRelation]:
    found = [one for one in tables if not one.extension and one.name.lower() not in BOOKKEEPING]
    if not found:
        raise DefinitionError("there is no table to adopt: the database has none; load a schema first")
    return found


def _nothing(
    pattern: TablePattern, everything: list[CatalogRelation], tables: list[CatalogRelation]
) -> DefinitionError:
    others = [one for one in everything if pattern.matches(one)]
    if others:
        return DefinitionError(f"{pattern.text!r} cannot be adopted: {_what(others[0], everything)}")
    names = [one.name for one in tables] + [f"{one.schema}.{one.name}" for one in tables]
    near = list(dict.fromkeys(get_close_matches(pattern.text, names, n=3, cutoff=0.6)))
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    own = sorted({f"{one.schema}.{one.name}" for one in tables if not one.extension})
    more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
    return DefinitionError(
        f"no table matches {pattern.text!r}; {hint}the tables are: {listing(own[:_SHOWN])}{more}"
    )


def _what(relation: CatalogRelation, everything: list[CatalogRelation]) -> str:
    name = f"{relation.schema}.{relation.name}"
    if relation.root is not None:
        root = next(one for one in everything if one.oid == relation.root)
        return f"{name} is a partition; adopt the table that it is part of, {root.schema}.{root.name}"
    return f"{name} is {_WORDS[relation.kind]}; give the name of a table"
