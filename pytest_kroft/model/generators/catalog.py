"""Names of objects that every PostgreSQL server has, for the reg* types, and access rights."""

from __future__ import annotations

from pytest_kroft.model.generators.bits import Maker, Request, numerals, pool_maker
from pytest_kroft.model.generators.names import WORDS

POOLS: dict[str, tuple[str, ...]] = {
    "regclass": ("pg_class", "pg_attribute", "pg_type", "pg_proc", "pg_index", "pg_namespace",
    "pg_constraint"),
    "regcollation": ('"C"', '"POSIX"', '"default"'),
    "regconfig": ("simple", "english", "german", "french", "spanish", "russian", "swedish"),
    "regdictionary": ("simple", "english_stem", "german_stem", "french_stem", "spanish_stem"),
    "regnamespace": ("pg_catalog", "information_schema", "pg_toast"),
    "regoper": ("!!", "||/", "|/", "^@", "<<="),
    "regoperator": ("+(integer,integer)", "-(integer,integer)", "=(text,text)", "*(integer,integer)",
    "||(text,text)"),
    "regproc": ("now", "pg_backend_pid", "array_agg_transfn", "version", "pi", "clock_timestamp",
    "unknownin"),
    "regprocedure": ("lower(text)", "upper(text)", "abs(integer)", "now()", "md5(text)", "pi()"),
    "regrole": ("pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_signal_backend"),
    "regtype": (
        "integer", "text", "boolean", "numeric", "bigint", "uuid", "jsonb", "date",
        "timestamp with time zone",
        "character varying", '"char"', "integer[]",
    ),
}  # fmt: skip
"""Names that print as they are written, on every server and in every schema path."""

_RIGHTS = ("r", "w", "a", "d", "rw", "arw", "arwd", "r*", "arwdDxt")
_BASE = 10_000
_ROLES = ("", "pg_monitor", "pg_read_all_settings", "pg_read_all_stats")


def names(request: Request) -> Maker:
    """The reg* types."""
    return pool_maker(POOLS[request.type.name])


def access(request: Request) -> Maker:
    """aclitem: rights that a role of every server grants."""
    return pool_maker([f"{role}={rights}/pg_monitor" for role in _ROLES for rights in _RIGHTS])


def cursor(request: Request) -> Maker:
    """refcursor: the name of a portal."""
    size = len(WORDS)
    return Maker(
        lambda bits: f"{WORDS[bits % size]} {bits // size % 1000}", lambda number, _: f"cursor {number + 1}"
    )


def document(request: Request) -> Maker:
    """xml: a small element."""
    size = len(WORDS)
    return Maker(
        lambda bits: f'<item id="{bits // size % 10_000}">{WORDS[bits % size]}</item>',
        lambda number, bits: f'<item id="{number + 1}">{WORDS[bits % size]}</item>',
    )


def vector(request: Request) -> Maker:
    """int2vector and oidvector: up to three numbers."""

    def draw(bits: int) -> str:
        return " ".join(str(bits >> 16 * place & 0x3FFF) for place in range(bits % 4))

    return Maker(draw, lambda number, _: " ".join(map(str, numerals(number, _BASE))))
