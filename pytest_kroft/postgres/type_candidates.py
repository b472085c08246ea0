"""Texts that a type may accept, to be tried where kroft does not know how to make its values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from pytest_kroft.model.generators.catalog import POOLS
from pytest_kroft.postgres.regexes import texts_of

MANY = 64
"""How many texts a template makes at most."""

_TEMPLATES = {
    # psycopg has no value for months.
    "interval": ("{d} days", "{d}:30:15.5"),
    **dict.fromkeys(("interval year", "interval month", "interval year to month"), ("{n} years {d} mons",)),
    "hstore": ('k=>"{n}"', 'a=>"1", "b c"=>"{n}"', '"{n}"=>NULL'),
    "ltree": ("top.node{n}", "node{n}"),
    "lquery": ("top.node{n}.*", "*.node{n}"),
    "ltxtquery": ("top & node{n}*",),
    # The last ones are places on the earth of earthdistance.
    "cube": ("({n}, 1.5, -2)", "({n}),({m})", "(6378168, 0, 0)", "(0, 6378168, 0)", "(0, 0, -6378168)"),
    "seg": ("{n}", "{n} .. {m}"),
    "query_int": ("{n}&({m}|1)",),
    "lo": ("{n}",),
    "regoper": POOLS["regoper"],
    "regproc": POOLS["regproc"],
    "vector": ("[{vector}]",),
    "halfvec": ("[{vector}]",),
    "sparsevec": ("{{1:{n}}}/{dimensions}",),
    "geometry": (
        "SRID={srid};POINT({n} {n})", "SRID={srid};LINESTRING(0 0,{n} {n})",
        "SRID={srid};POLYGON((0 0,{n} 0,{n} {n},0 0))", "SRID={srid};MULTIPOINT({n} {n})",
        "SRID={srid};MULTILINESTRING((0 0,{n} {n}))",
        "SRID={srid};MULTIPOLYGON(((0 0,{n} 0,{n} {n},0 0)))", "SRID={srid};POINT Z({n} {n} 1)",
    ),
    "ean13": ("{ean:401*}",),
    "upc": ("{ean:012*}",),
    "isbn": ("{ean:978*}",),
    "isbn13": ("{ean:978*}",),
    "issn": ("{ean:977*00}",),
    "issn13": ("{ean:977*00}",),
    "ismn": ("{ean:9790*}",),
    "ismn13": ("{ean:9790*}",),
}  # fmt: skip
_TEMPLATES["geography"] = _TEMPLATES["geometry"]

_GENERAL = (
    "{n}", "{n}.5", "word {n}", "word{n}", "w{l}", "2020-01-{d:02}", "2020-01-{d:02} 12:30:00+00",
    "{d:02}:30:00", "{d} days", "true", "false", "00000000-0000-4000-8000-{n:012}", '{{"n": {n}}}',
    "({n},{m})", "[{n},{m})", "{{{n},{m}}}", "10.0.0.{n}", "08:00:2b:01:02:{n:02x}", "1.{n}.0", "a.b{n}",
    "<a>{n}</a>", "\\x{n:04x}", "({n},{n}),({m},{m})", "<({n},{n}),1>", "{{{n},{m},1}}",
    "[({n},{n}),({m},{m})]",
    "user{n}@example.org", "https://example.org/{n}", "A{n:03}", "{u}{u}{u}", "+1555{n:07}", "0.{n:02}",
    "-{n}", "101", "[{vector}]", "$.a{n}", "{n}/{m}", "{n} USD", "a=>{n}", "pg_class", "int4", "",
)  # fmt: skip


_STRING = re.compile(r"'((?:[^']|'')*)'")


def constants(rules: str) -> Iterator[str]:
    """The string constants of a domain's rules, and texts that each would match as a pattern."""
    found = [constant.replace("''", "'") for constant in dict.fromkeys(_STRING.findall(rules))]
    yield from found
    for constant in found:
        yield from texts_of(constant, MANY)


def candidates(name: str, declared: str) -> Iterator[Iterator[str]]:
    """Families of texts for a type: of each the first says whether the others are worth a try.

    Args:
        name: The name of the type.
        declared: As a column has it, with modifiers such as ``vector(3)``.
    """
    numbers = [int(number) for number in re.findall(r"\d+", declared.partition("(")[2])]
    for template in _TEMPLATES.get(name) or _TEMPLATES.get(name.partition(" ")[0], _GENERAL):
        varied = "{" in template.replace("{{", "")
        yield _family(template, MANY if varied else 1, numbers)


def _family(template: str, count: int, modifiers: list[int]) -> Iterator[str]:
    return (_filled(template, n, modifiers) for n in range(1, count + 1))


def _filled(template: str, n: int, modifiers: list[int]) -> str:
    if template.startswith("{ean:"):
        prefix, _, suffix = template[5:-1].partition("*")
        return _ean(prefix, n, suffix)
    dimensions = modifiers[0] if modifiers else 3
    return template.format(
        n=n,
        m=n + 1,
        d=(n - 1) % 28 + 1,
        l=chr(ord("a") + n % 26),
        u=chr(ord("A") + n % 26),
        srid=modifiers[-1] if modifiers else 4326,
        dimensions=dimensions,
        vector=",".join(map(str, chain([n], range(1, dimensions)))),
    )


def _ean(prefix: str, n: int, suffix: str) -> str:
    """A number of 13 digits with its check digit (GS1 General Specifications, 7.9)."""
    digits = f"{prefix}{n:0{12 - len(prefix) - len(suffix)}}{suffix}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"
