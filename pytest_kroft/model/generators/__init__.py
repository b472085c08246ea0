"""Generators of plain values: for each built-in type, enum and array, the server's own text of a value.

``make`` is the one door; each family of types has a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_kroft.errors import UnknownType, ValueRefused
from pytest_kroft.model.generators import (
    catalog,
    geometry,
    network,
    numbers,
    structures,
    styles,
    texts,
    times,
)
from pytest_kroft.model.generators.bits import Maker, Request, pool_maker
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.types import SqlType

EXCEPTIONS: dict[str, str] = {
    "xml": "a server that was built without libxml refuses every xml value",
}
"""Types whose generated values a server may refuse, and why."""

_FAMILIES: dict[Callable[[Request], Maker], str] = {
    numbers.integer: "smallint integer bigint oid xid cid xid8",
    numbers.numeric: "numeric",
    numbers.floating: "real|double precision",
    numbers.money: "money",
    numbers.boolean: "boolean",
    texts.text: "text varchar char bpchar name",
    texts.single: '"char"',
    times.dates: "date",
    times.times: "time timetz",
    times.timestamps: "timestamp timestamptz",
    times.intervals: "interval",
    structures.documents: "json jsonb",
    structures.paths: "jsonpath",
    structures.lexemes: "tsvector",
    structures.queries: "tsquery",
    network.uuids: "uuid",
    network.bytea: "bytea",
    network.bits: "bit",
    network.varying_bits: "bit varying|",
    network.inet: "inet cidr",
    network.hardware_address: "macaddr macaddr8",
    network.wal_position: "pg_lsn",
    network.snapshot: "pg_snapshot txid_snapshot",
    network.tuple_id: "tid",
    geometry.point: "point",
    geometry.line: "line",
    geometry.segment: "lseg",
    geometry.box: "box",
    geometry.path: "path",
    geometry.polygon: "polygon",
    geometry.circle: "circle",
    catalog.names: " ".join(catalog.POOLS),
    catalog.access: "aclitem",
    catalog.cursor: "refcursor",
    catalog.document: "xml",
    catalog.vector: "int2vector oidvector",
}

_BY_NAME = {
    name: family
    for family, names in _FAMILIES.items()
    for name in (names.split("|") if "|" in names else names.split())
    if name
}


def make(request: Request) -> Maker:
    """The maker of plain values for a column.

    Values of an array honour the modifiers of its element type, and no check.
    Raises UnknownType for a type that is neither built in nor an enum whose labels are given, and
    DefinitionError for a style that does not exist.
    """
    if request.style:
        return styles.made(request) or make(styles.narrowed(request))
    if request.type.array:
        element = Request(request.type.element, request.name, labels=request.labels)
        return structures.arrays(element.type, make(element))
    allowed = _allowed(request)
    if allowed:
        return pool_maker(allowed)
    if not request.type.builtin:
        return pool_maker(_labels(request))
    return _family(request.type)(request)


def _family(sql_type: SqlType) -> Callable[[Request], Maker]:
    if sql_type.name.endswith("multirange"):
        return lambda request: structures.multiranges(request.type)
    if sql_type.name.endswith("range"):
        return lambda request: structures.ranges(request.type)
    return _BY_NAME[sql_type.name]


def _labels(request: Request) -> list[str]:
    if not request.labels:
        raise UnknownType(str(request.type))
    excluded = request.condition.excluded
    return [label for label in request.labels if label not in excluded] or list(request.labels)


def _allowed(request: Request) -> list[str]:
    """The values that a check lists, as the server prints them, without those it rules out again."""
    condition, sql_type = request.condition, request.type
    if condition.allowed is None:
        return []
    found = _canonical(sql_type, condition.allowed)
    if request.labels:
        found = [label for label in found if label in request.labels]
    excluded = _canonical(sql_type, condition.excluded)
    within = _within(request, [text for text in found if text not in excluded])
    return list(dict.fromkeys(within))


def _within(request: Request, found: list[str]) -> list[str]:
    """Those of the listed values that satisfy the rest of the check: bounds of numbers, and lengths."""
    low, high = request.condition.min_length, request.condition.max_length
    kept = [text for text in found if low <= len(text) and (high is None or len(text) <= high)]
    return [
        text
        for text in kept
        if request.type.name not in numbers.WITH_BOUNDS or numbers.is_within(text, request.condition)
    ]


def _canonical(sql_type: SqlType, constants: tuple[str, ...]) -> list[str]:
    found = []
    for constant in constants:
        try:
            found.append(canonical(sql_type, constant))
        except ValueRefused:
            continue
    return found
