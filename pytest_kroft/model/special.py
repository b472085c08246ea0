"""Values that plain generators leave out: extreme ones, large ones, and ones that Python cannot hold.

All are the server's own text, and fit the modifiers of the type they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model.generators.bits import bits_of
from pytest_kroft.model.generators.catalog import POOLS
from pytest_kroft.model.limits import LIMITS
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.spellings import array_text, money_text, scaled_text, time_text
from pytest_kroft.model.types import SqlType

_TEXTS = (
    "", " ", "  two  blanks", "O'Reilly", '"quoted"', "back\\slash", "\\N", "\\.", "tab\tand\nnewline\r\n",
    "NULL",
    "null", "%s %d %%", "{a,b}", "';--", "a,b;c|d", "\x01\x1f\x7f", "Grüße", "日本語", "עברית", "e\u0301",
    "\u00e9", "😀",
    "\ufeff", "\u200b", "\ud7ff\U0010ffff", "0", "-0", "true", "infinity",
)  # fmt: skip
_FLOATS = ("NaN", "Infinity", "-Infinity", "-0", "0", "0.1", "-1e+20", "123456.789")
_DOUBLES = (*_FLOATS, "1.7976931348623157e+308", "5e-324", "0.30000000000000004", "9007199254740993")
_SINGLES = (*_FLOATS, "3.4028235e+38", "1e-45", "16777216")
_NUMERICS = (
    "NaN", "Infinity", "-Infinity", "0", "1234567890123456789012345678901234567890",
    "-0.0000000000000000000000000000000000000001", "99999999999999999999.999999999999999999990", "0.00",
)  # fmt: skip
_DATES = (
    "0001-01-01", "9999-12-31", "1970-01-01", "1969-12-31", "2000-02-29", "1900-01-01", "2038-01-20",
    "1582-10-10",
)  # fmt: skip
_DOCUMENTS = (
    "{}", "[]", "null", '""', "0", "true", "[[[[[[[[]]]]]]]]", '{"": ""}', '{"é": "日本語 😀"}',
    '"\\" \\\\ \\n \\u0001"',
    "123456789012345678901234567890.0000000001", '{"a": null, "b": [null]}',
)  # fmt: skip
_EXTREME: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("text", "varchar", "char", "bpchar", "name", "refcursor"), _TEXTS),
    "date": _DATES,
    "timestamp": (*(f"{day} 00:00:00" for day in _DATES), "9999-12-31 23:59:59.999999",
    "2038-01-19 03:14:08"),
    "timestamptz": (*(f"{day} 00:00:00+00" for day in _DATES), "9999-12-31 23:59:59.999999+00"),
    "interval": (
        "00:00:00", "-00:00:00.000001", "-1 days", "1 day -00:00:01", "-999999999 days",
        "999999 days 23:59:59.999999",
    ),
    "json": (*_DOCUMENTS, '{"a":1,  "a":2}', " [1 , 2.50e+3] "),
    "jsonb": _DOCUMENTS,
    "real": _SINGLES,
    "double precision": _DOUBLES,
    "bytea": ("\\x", "\\x00", "\\xff", "\\x5c27220a", "\\x" + bytes(range(256)).hex()),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "inet": ("0.0.0.0/0", "255.255.255.255/32", "10.0.0.1/8", "::/0", "::1/128", "::ffff:1.2.3.4/128",
    "2001:db8::1/64"),
    "cidr": ("0.0.0.0/0", "255.255.255.255/32", "::/0", "::1/128"),
    "macaddr": ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"),
    "macaddr8": ("00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"),
    "bit varying": ("", "0", "1", "0" * 65, "1" * 65),
    '"char"': ("", " ", "\\", "'", '"'),
    "tid": ("(0,0)", "(4294967295,65535)"),
    "pg_lsn": ("FFFFFFFF/FFFFFFFF",),
    "point": ("(0,0)", "(-0,1e-300)", "(1e+300,-1e+300)", "(Infinity,NaN)"),
    "path": ("[(0,0)]", "((0,0))"),
    "circle": ("<(0,0),0>",),
    "box": ("(0,0),(0,0)",),
    "tsvector": ("", "'it''s':1", "'\\\\':1"),
    "tsquery": ("", "!'a'", "'a':*AB"),
    "jsonpath": ("$", 'strict $.**."a"'),
    "int2vector": ("", "-32768 32767"),
    "oidvector": ("", "0 4294967295"),
    # Of no object; regclass has none, because its cast from text looks for a relation of that name.
    **dict.fromkeys(sorted(POOLS.keys() - {"regclass", "regoper", "regoperator"}), ("-",)),
    **dict.fromkeys(("regoper", "regoperator"), ("0",)),
}  # fmt: skip

_RANGE_EDGES = {
    "int4": ("[-2147483648,2147483647)", "[2147483646,2147483647)"),
    "int8": ("[-9223372036854775808,9223372036854775807)",),
    "num": ("(0,0.000000000000000000000000000001]", "[NaN,NaN]"),
    "date": ("[0001-01-01,9999-12-31)",),
    "ts": ('["0001-01-01 00:00:00","9999-12-31 23:59:59.999999"]',),
    "tstz": ('["0001-01-01 00:00:00+00","9999-12-31 23:59:59.999999+00"]',),
}
_BEYOND_DATES = ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01")
_BEYOND: dict[str, tuple[str, ...]] = {
    "date": (*_BEYOND_DATES, "5874897-12-31"),
    "timestamp": ("infinity", "-infinity", "0044-03-15 12:00:00 BC", "10000-01-01 00:00:00",
    "294276-12-31 23:59:59"),
    "timestamptz": (
        "infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "10000-01-01 00:00:00+00",
        "294276-12-31 23:59:59+00",
    ),
    '"char"': ("\\377",),  # a byte that is no text in UTF-8
    "time": ("24:00:00",),
    "timetz": ("24:00:00+00",),
    "interval": ("1 mon", "1 year 2 mons", "-1 mons +3 days", "100000 years", "2000000000 days"),
    "daterange": ("[-infinity,infinity]", "[2020-01-01,10000-01-01)"),
    "tsrange": ("[-infinity,infinity]", '["0044-03-15 12:00:00 BC",)'),
    "tstzrange": ("[-infinity,infinity]", '["2020-01-01 00:00:00+00",infinity)'),
    "datemultirange": ("{[-infinity,infinity]}",),
    "tsmultirange": ("{[-infinity,infinity]}",),
    "tstzmultirange": ("{[-infinity,infinity]}",),
}  # fmt: skip

_LARGE_SIZES = (8_000, 64_000)
_LARGE_LEAST = 1_000
"""A text type of at least this length gets large values."""
_IN_ARRAY = 6


@lru_cache(maxsize=512)
def extreme_values(sql_type: SqlType) -> tuple[str, ...]:
    """Edges that a consumer written for Python can hold: the largest, the empty, the oddly spelled.

    Empty for enums and for types without edges. Each value differs from the others as text.
    """
    return _of_type(sql_type, _extreme, ("{}", "{NULL}"))


@lru_cache(maxsize=512)
def unrepresentable_values(sql_type: SqlType) -> tuple[str, ...]:
    """Values that have no exact Python value: infinite dates, years outside 1 to 9999, 24:00, months."""
    return _of_type(sql_type, lambda given: _BEYOND.get(given.name, ()), ())


@lru_cache(maxsize=64)
def large_values(sql_type: SqlType) -> tuple[str, ...]:
    """Values of 8 to 64 kB, which PostgreSQL compresses or moves out of line (docs, chapter 66.2, "TOAST").

    One of each size repeats itself and one does not. Empty for types that are short, and for arrays of them.
    They are too long for an index, and so for a unique column.
    """
    if not sql_type.builtin:
        return ()
    if sql_type.array:
        elements = large_values(sql_type.element)
        return tuple(array_text(sql_type.element, [text, None]) for text in elements)
    make = _LARGE.get(sql_type.name)
    if make is None or (sql_type.modifiers and sql_type.modifiers[0] < _LARGE_LEAST):
        return ()
    longest = sql_type.modifiers[0] if sql_type.modifiers else max(_LARGE_SIZES)
    return tuple(dict.fromkeys(make(text[:longest]) for text in _long_texts()))


def _of_type(
    sql_type: SqlType, values: Callable[[SqlType], Iterable[str]], of_array: tuple[str, ...]
) -> tuple[str, ...]:
    if not sql_type.builtin:
        return of_array if sql_type.array else ()
    found = _fitting(sql_type.element, values(sql_type.element))
    if not sql_type.array:
        return found
    several = [array_text(sql_type.element, found[:_IN_ARRAY])] if found else []
    return (*of_array, *several)


def _fitting(sql_type: SqlType, values: Iterable[str]) -> tuple[str, ...]:
    """Those that the type can hold, as it holds them."""
    found = []
    for value in values:
        try:
            found.append(canonical(sql_type, value))
        except ValueRefused:
            continue
    return tuple(dict.fromkeys(found))


def _extreme(sql_type: SqlType) -> tuple[str, ...]:
    name = sql_type.name
    if name == "numeric":
        return _numeric_edges(sql_type)
    if name in LIMITS:
        low, high = LIMITS[name]
        show = money_text if name == "money" else str
        return tuple(show(edge) for edge in dict.fromkeys((low, low + 1, -1, 0, high)) if edge >= low)
    if name in ("time", "timetz"):
        return _clock_edges(sql_type)
    if name == "bit":
        return tuple(digit * sql_type.modifiers[0] for digit in "01")
    if name.endswith("multirange"):
        return ("{}", "{(,)}", *("{" + edge + "}" for edge in _RANGE_EDGES[name.removesuffix("multirange")]))
    if name.endswith("range"):
        return ("empty", "(,)", *_RANGE_EDGES[name.removesuffix("range")])
    return (*_EXTREME.get(name, ()), *_longest(sql_type))


def _longest(sql_type: SqlType) -> tuple[str, ...]:
    """A text of the very length that the type allows, where that is a moderate one."""
    if sql_type.name in ("varchar", "char") and sql_type.modifiers and sql_type.modifiers[0] <= _LARGE_LEAST:
        return ("é" * sql_type.modifiers[0],)
    return ("n" * 63,) if sql_type.name == "name" else ()


def _numeric_edges(sql_type: SqlType) -> tuple[str, ...]:
    if not sql_type.modifiers:
        return _NUMERICS
    precision, scale = sql_type.modifiers
    most = 10**precision - 1
    return ("NaN", *(scaled_text(units, scale) for units in (most, -most, 0, 1, -1)))


def _clock_edges(sql_type: SqlType) -> tuple[str, ...]:
    """The first and the last moment of the day that the precision can tell."""
    unit = 10 ** (6 - (sql_type.modifiers or (6,))[0])
    times = tuple(time_text(micros) for micros in (0, unit, 43_200_000_000, 86_400_000_000 - unit))
    if sql_type.name == "time":
        return times
    return tuple(time + zone for time in times for zone in ("+00", "+15:59", "-15:59"))


def _long_texts() -> tuple[str, ...]:
    """Of each size one that compresses and one that does not."""
    found = []
    for size in _LARGE_SIZES:
        found.append(("a plain sentence that repeats itself; " * (size // 30))[:size].rstrip(" ;") + ".")
        found.append("".join(f"{bits:016x}" for bits in bits_of(size, size // 16)))
    return tuple(found)


def _as_is(text: str) -> str:
    return text.rstrip()


_LARGE: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("text", "varchar", "char", "bpchar", "refcursor"), _as_is),
    **dict.fromkeys(("json", "jsonb"), lambda text: f'{{"data": "{text}"}}'),
    "xml": lambda text: f"<data>{text}</data>",
    "bytea": lambda text: "\\x" + text.encode().hex(),
}
