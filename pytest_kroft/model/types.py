"""SQL types: their names, spellings and modifiers, parsed once and compared by value.

The names and aliases are those of PostgreSQL's documentation, chapter 8 ("Data Types"),
and of the system catalog ``pg_type``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.clauses import unquote

MAX_IDENTIFIER_BYTES = 63
"""The length PostgreSQL cuts identifiers to (NAMEDATALEN - 1)."""

_CATALOG_NAMES = {
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "real": "float4",
    "double precision": "float8",
    "boolean": "bool",
    "char": "bpchar",
    '"char"': "char",
    "bit varying": "varbit",
}
"""Standard name -> name in ``pg_type``, where the two differ."""

_SAME_NAMES = """
    aclitem bit box bpchar bytea cid cidr circle date datemultirange daterange inet int2vector
    int4multirange int4range int8multirange int8range interval json jsonb jsonpath line lseg macaddr
    macaddr8 money name numeric nummultirange numrange oid oidvector path pg_lsn pg_snapshot point
    polygon refcursor regclass regcollation regconfig regdictionary regnamespace regoper regoperator
    regproc regprocedure regrole regtype text tid time timestamp timestamptz timetz tsmultirange
    tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot uuid varbit varchar xid xid8 xml
""".split()

CATALOG_NAMES = {**{name: name for name in _SAME_NAMES if name != "varbit"}, **_CATALOG_NAMES}
"""Every built-in type that accepts input: the name kroft uses -> the name in ``pg_type``."""

_ALIASES = {
    **{catalog: name for name, catalog in _CATALOG_NAMES.items() if catalog not in ("bpchar", "char")},
    "int": "integer",
    "float": "double precision",
    "decimal": "numeric",
    "dec": "numeric",
    "character varying": "varchar",
    "char varying": "varchar",
    "national character varying": "varchar",
    "national char varying": "varchar",
    "nchar varying": "varchar",
    "character": "char",
    "national character": "char",
    "national char": "char",
    "nchar": "char",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}

SERIALS = {
    "serial": "integer", "serial4": "integer", "bigserial": "bigint", "serial8": "bigint",
    "smallserial": "smallint", "serial2": "smallint",
}  # fmt: skip
"""The pseudo-types that stand for an integer with a sequence of its own."""

_MODIFIERS = {
    "varchar": 1, "char": 1, "bpchar": 1, "bit": 1, "bit varying": 1, "numeric": 2,
    "time": 1, "timetz": 1, "timestamp": 1, "timestamptz": 1, "interval": 1,
}  # fmt: skip
"""How many modifiers a type takes at most; the others take none."""

_TIMES = ("time", "timetz", "timestamp", "timestamptz", "interval")
_INTERVAL_FIELDS = re.compile(r"^interval\b.*\b(year|month|day|hour|minute|second)\b")
_QUOTED = r'"(?:[^"]|"")+"'
_NAME = re.compile(rf"^(?:({_QUOTED}|[^\W\d][\w$]*)\s*\.\s*)?({_QUOTED}|[^\W\d][\w$]*)$")
_ARRAY = re.compile(
    r"^(.*?)\s*((?:\[\s*\d*\s*\]\s*)+|\barray(?:\s*\[\s*\d+\s*\])?)$", re.IGNORECASE | re.DOTALL
)
_PARENTHESES = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class SqlType:
    """One SQL type.

    ``name`` is the standard name of a built-in type (``integer``, ``timestamptz``, ``"char"``)
    or the bare name of a user's type; ``modifiers`` are the numbers in parentheses; ``array``
    says that values are arrays of it (PostgreSQL ignores the declared number of dimensions).
    """

    name: str
    modifiers: tuple[int, ...] = ()
    array: bool = False
    schema: str | None = None
    builtin: bool = True

    @property
    def element(self) -> SqlType:
        """The type of one element, for an array; the type itself otherwise."""
        return replace(self, array=False)

    @property
    def catalog_name(self) -> str:
        """The name in ``pg_type``, without modifiers: ``int4``, ``_int4`` for an array."""
        name = CATALOG_NAMES[self.name] if self.builtin else self.name
        return f"_{name}" if self.array else name

    def __str__(self) -> str:
        """The type as SQL, quoted where it must be: ``numeric(10,2)[]``, ``"My mood"``."""
        name = self.name if self.builtin else quote(self.name)
        schema = f"{quote(self.schema)}." if self.schema else ""
        modifiers = f"({','.join(map(str, self.modifiers))})" if self.modifiers else ""
        return f"{schema}{name}{modifiers}{'[]' if self.array else ''}"


def quote(name: str) -> str:
    """A name as an SQL identifier, always quoted."""
    return '"' + name.replace('"', '""') + '"'


def check_identifier(name: object, what: str) -> str:
    """The name itself, if PostgreSQL can hold it as an identifier.

    Raises DefinitionError for a name that is empty, no string, longer than 63 bytes in
    UTF-8, or that holds a NUL or a lone surrogate.
    """
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"the name of {what} must be a string of at least one character, not {name!r}")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise DefinitionError(f"the name {name!r} of {what} cannot be written in UTF-8") from None
    if "\0" in name:
        raise DefinitionError(f"the name {name!r} of {what} holds a NUL character, which PostgreSQL refuses")
    if size > MAX_IDENTIFIER_BYTES:
        raise DefinitionError(
            f"the name {name!r} of {what} has {size} bytes, and PostgreSQL keeps {MAX_IDENTIFIER_BYTES}"
        )
    return name


@lru_cache(maxsize=4096)
def parse_type(text: str) -> SqlType:
    """Read a type as it stands in a CREATE TABLE.

    Raises DefinitionError for an empty text, a text that is no type name, and modifiers
    that PostgreSQL refuses. A name that is not built in is taken as a user's type.
    """
    if not isinstance(text, str) or not text.strip():
        raise DefinitionError(
            f"the type must be an SQL type such as 'integer' or 'numeric(10,2)', not {text!r}"
        )
    match = _ARRAY.match(text.strip())
    if match:
        return replace(parse_type(match[1]), array=True)
    found = _PARENTHESES.findall(text) if '"' not in text else []
    modifiers = _parse_modifiers(text, found)
    return _check_modifiers(
        text, replace(_parse_name(_PARENTHESES.sub(" ", text) if found else text), modifiers=modifiers)
    )


def _parse_modifiers(text: str, found: list[str]) -> tuple[int, ...]:
    if len(found) > 1:
        raise DefinitionError(f"{text!r} is no SQL type: it has more than one pair of parentheses")
    try:
        return tuple(int(part) for part in found[0].split(",")) if found else ()
    except ValueError:
        raise DefinitionError(
            f"{text!r} is no SQL type: the modifiers in parentheses must be whole numbers"
        ) from None


def _parse_name(text: str) -> SqlType:
    # Blanks inside quotes are part of a name.
    words = text.strip() if '"' in text else " ".join(text.split())
    name = words.lower().removeprefix("pg_catalog.")
    if words in ('"char"', 'pg_catalog."char"'):
        return SqlType('"char"')
    if _INTERVAL_FIELDS.match(name):
        raise DefinitionError(f"{text!r}: intervals restricted to fields are not supported; use 'interval'")
    name = _ALIASES.get(name, name)
    if name in CATALOG_NAMES:
        return SqlType(name)
    match = _NAME.match(words)
    if not match:
        raise DefinitionError(
            f"{text!r} is no SQL type; quote the name of a type of your own that holds such characters"
        )
    schema, bare = (unquote(part) if part else None for part in match.groups())
    assert bare is not None
    return SqlType(check_identifier(bare, "a type"), schema=schema, builtin=False)


def _check_modifiers(text: str, parsed: SqlType) -> SqlType:
    """The parsed type with default modifiers filled in, if PostgreSQL takes them."""
    count, modifiers = len(parsed.modifiers), parsed.modifiers
    if count > _MODIFIERS.get(parsed.name, 0):
        raise DefinitionError(
            f"{text!r}: {parsed.name} takes {_MODIFIERS.get(parsed.name, 0) or 'no'} modifiers"
        )
    if not count:
        return replace(parsed, modifiers=(1,)) if parsed.name in ("char", "bit") else parsed
    if parsed.name == "bpchar":
        # With a length it is but another name of char.
        return _check_modifiers(text, replace(parsed, name="char"))
    if parsed.name == "numeric":
        scale = modifiers[1] if count == 2 else 0
        if not (1 <= modifiers[0] <= 1000 and -1000 <= scale <= 1000):
            raise DefinitionError(f"{text!r}: precision must be 1 to 1000 and scale -1000 to 1000")
        return replace(parsed, modifiers=(modifiers[0], scale))
    if parsed.name in _TIMES:
        if not 0 <= modifiers[0] <= 6:
            raise DefinitionError(f"{text!r}: the precision of seconds must be 0 to 6")
        return parsed
    if not 1 <= modifiers[0] <= 10_485_760:
        raise DefinitionError(f"{text!r}: the length must be 1 to 10485760")
    return parsed
