"""Every cast of the table, over plain and extreme values, against the server."""

from __future__ import annotations

import contextlib
import random
import struct

import psycopg
import pytest
from psycopg import sql

from pytest_kroft.errors import CastRefused
from pytest_kroft.model.casts import can_cast, cast_text, retypings, using, widenings
from pytest_kroft.model.special import extreme_values, unrepresentable_values
from pytest_kroft.model.types import SqlType, parse_type

INTEGERS = [
    "0", "1", "-1", "7", "10", "42", "99", "-100", "12345", "32767", "-32768",
]  # fmt: skip
GREATER = [
    *INTEGERS, "32768", "-32769", "2147483647", "-2147483648", "16777217",
]  # fmt: skip
GREATEST = [
    *GREATER, "2147483648", "9223372036854775807", "-9223372036854775808", "9007199254740993",
    "100000000000000", "1000000000000000", "999999999999999", "144115188075855873",
]  # fmt: skip
DECIMALS = [
    "0.5", "-0.5", "1.5", "2.5", "-2.5", "0.49999999999999999999", "0.004", "-0.004", "0.005", "9.995",
    "99.5", "12345.678", "0.00", "1.10", "32767.5", "2147483647.4999", "2147483647.5", "-2147483648.5",
    "-32768.5",
]  # fmt: skip
NUMERICS = [
    *GREATEST, *DECIMALS, "NaN", "Infinity", "-Infinity", "1" + "0" * 30, "1" * 40 + "." + "9" * 40,
    "-1" + "0" * 308, "1" + "0" * 309, "0." + "0" * 323 + "5", "0." + "0" * 400 + "1", "1" * 5000, "1e23",
    "2e23", "9223372036854775807.5", "1e1000",
    "179769313486231580793728971405303415079934132710037826936173778980",
]  # fmt: skip
FLOATS = [
    "0", "-0", "0.1", "-0.1", "0.5", "1.5", "2.5", "-2.5", "1e-5", "0.0001", "123456.7", "1234567", "1e6",
    "1e14", "1e15", "1e20", "1e-30", "3.4028235e38", "1e-45", "1.17549435e-38", "16777216", "32767.5",
    "2147483520", "NaN", "Infinity", "-Infinity", "8388608.5", "33554432", "0.3333333333", "7.0385307e-26",
    "9.2233715e18", "9.223372e18", "1e-42",
]  # fmt: skip
DOUBLES = [
    *FLOATS, "1e23", "2e23", "8.41e21", "5e-324", "1.7976931348623157e308", "2.2250738585072014e-308",
    "1e22", "9007199254740993", "123456789012345678", "0.1234567890123456", "2147483647.5", "2147483646.5",
    "-2147483648.5", "1e16", "9223372036854774784", "9223372036854775807", "4503599627370496.5", "5e-05",
    "1e-300", "5.684341886080802e-14",
]  # fmt: skip
STRINGS = [
    "", " ", "a", "abc", "abc   ", "  abc", "é", "ß漢字", "😀😀😀😀😀", "a\tb\n",
    "x" * 50, "x" * 11 + " " * 30,
    "'\"\\", "0", "-0", "+7", "007", " 7", "7 ", "2147483648", "99999999999999999999", "0x1F", "1_000",
    "1.50", ".5", "5.", "-.5e1", "1e5", "1.25e-3", "1e400", "1e-400", "1e1000", "1e1001", "1e20",
    "12345678901234567890.5", "NaN", "Infinity", "-inf", "0e10", "0e-5", "-0.00", "t", "true", "f", "false",
    "TRUE", "yes", "1e23", "null", "NULL", "2020-02-29", "2021-02-29", "0001-01-01", "9999-12-31",
    "0000-01-01", "10000-01-01", "infinity", "0044-03-15 BC", "2020-01-01 12:30:00",
    "2020-01-01 12:30:00.120", "2020-01-01 24:00:00", "2020-01-01 23:59:60", "2020-01-01 12:30:00.1234567",
    "2020-01-01 12:30:00+00", "2020-01-01 12:30:00.5+00", "2020-01-01 12:30:00+02",
    "1999-12-31 23:59:59.999999", "00000000-0000-0000-0000-000000000000",
    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
]  # fmt: skip
DATES = [
    "2020-02-29", "0001-01-01", "9999-12-31", "10000-01-01", "294276-12-31", "294277-01-01",
    "5874897-12-31", "4714-11-24 BC", "0044-03-15 BC", "infinity", "-infinity", "1969-12-31", "2000-01-01",
]  # fmt: skip
INSTANTS = [
    "2020-01-01 12:30:00", "2020-01-01 12:30:00.5", "2020-01-01 12:30:00.123456",
    "2020-01-01 23:59:59.999999", "1999-12-31 23:59:59.5", "1999-12-31 23:59:59.499999",
    "1999-12-31 23:59:59.9995", "1900-01-01 00:00:00.0005", "0001-01-01 00:00:00", "0001-01-01 00:00:00.4",
    "0001-01-01 00:00:00.6", "9999-12-31 23:59:59.999999", "2000-01-01 00:00:00.5", "10000-01-01 00:00:00",
    "294276-12-31 23:59:59.999999", "4714-11-24 00:00:00 BC", "0044-03-15 12:00:00.25 BC", "infinity",
    "-infinity", "2020-06-15 00:00:00.000001", "2001-01-01 00:00:00.1235",
]  # fmt: skip
# The server rounds the last of all timestamps to one that it writes, but does not read again.
ROUNDED = [text for text in INSTANTS if not text.startswith("294276-")]
TIMES = [
    "00:00:00", "12:30:00", "12:30:00.123456", "23:59:59.999999", "24:00:00", "00:00:00.000001",
]  # fmt: skip
JSON = [
    "{}", "[]", "null", "true", '"a"', "1", "1.0", "1.10", "-0", "-0.0", "1e5", "1.5e-3", "1E400",
    ' {"b" : 1,\n"a":[1,2 , {}] } ', '{"aa":1,"b":2,"":0,"é":3,"zz":4}', '{"a":1,"a":2}',
    r'"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"', r'"\u0000"', r'"\ud800"', r'"\u001f"', '"\x7f"',
    r'"\u007f\u0085\u2028"', "[[[[1]]]]", "12345678901234567890.123", '{"\\u0061":1,"a":2}', "1e2000",
    "0.0e3", "[" * 500 + "]" * 500,
]  # fmt: skip
ADDRESSES = [
    "192.168.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "::ffff:1.2.3.4", "1.2.3.4/32", "0.0.0.0/0",
    "::/0", "::1/128",
]  # fmt: skip
NETWORKS = [
    "10.0.0.0/8", "1.2.3.4/32", "2001:db8::/32", "::1/128", "0.0.0.0/0", "::/0",
]  # fmt: skip

VALUES: dict[str, list[str]] = {
    "smallint": INTEGERS, "integer": GREATER, "bigint": GREATEST, "numeric": NUMERICS,
    "numeric(10,2)": [
        *INTEGERS, "0.5", "-0.5", "1.5", "2.5", "-2.55", "0.05", "99999999.99", "9999999.95", "NaN",
        "-0.04",
    ],
    "numeric(6,0)": ["0", "999999", "-999999", "NaN"], "numeric(4,-2)": ["0", "100", "-999900", "50"],
    "numeric(2,5)": ["0.00012", "0.00099", "-0.00001", "0"], "real": FLOATS, "double precision": DOUBLES,
    "boolean": ["t", "f"], "text": STRINGS, "varchar": STRINGS, "varchar(60)": STRINGS,
    "varchar(5)": ["", "abcde", "é漢😀", "12   ", "7"], "char(60)": STRINGS,
    "char(5)": ["", "abcde", "7", "  7", "漢字"], "char(1)": ["", "7", "t"], "date": DATES,
    "timestamp": INSTANTS, "timestamptz": INSTANTS, "timestamp(3)": ROUNDED, "timestamp(0)": INSTANTS[:5],
    "timestamptz(3)": ROUNDED, "time": TIMES, "time(3)": TIMES, "timetz": [text + "+02" for text in TIMES],
    "interval": ["0", "1 day", "-1 mon 2 days 03:04:05.678", "10000 years", "-00:00:01", "1 year -3 days"],
    "interval(3)": ["1.2345 s"], "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], "json": JSON,
    "jsonb": [value for value in JSON if value not in (r'"\u0000"', r'"\ud800"')],
    "bytea": ["\\x", "\\x00ff", "\\x27225c"], "inet": ADDRESSES, "cidr": NETWORKS,
    "macaddr": ["08:00:2b:01:02:03"], "macaddr8": ["08:00:2b:01:02:03:04:05"], "bit(3)": ["101"],
    "bit varying(5)": ["", "10101"], "bit varying": ["", "1"], "point": ["(1,-0.5)"],
    "box": ["(3,4),(1,2)"], "circle": ["<(1,2),3>"], "line": ["{1,-1,0}"], "lseg": ["[(0,0),(1,1)]"],
    "path": ["((0,0),(1,1))", "[(0,0),(1,1)]"], "polygon": ["((0,0),(1,1),(1,0))"],
    "tsvector": ["'a':1 'it''s':2"], "tsquery": ["'a' & 'b'"], "jsonpath": ['$."a"[*]'],
    "pg_lsn": ["16/B374D848"], "xid8": ["12345678901"], "int4range": ["[1,5)", "empty", "(,)"],
    "int8range": ["[1,5)"], "numrange": ["[1.50,2)"], "daterange": ["[2020-01-01,infinity)"],
    "tsrange": ['["2020-01-01 00:00:00",)'], "tstzrange": ['["2020-01-01 00:00:00+00",)'],
    "int4multirange": ["{[1,3),[5,7)}"], "int8multirange": ["{}"], "nummultirange": ["{[1.0,2.0)}"],
    "datemultirange": ["{[2020-01-01,2020-01-02)}"], "tsmultirange": ["{}"],
    "tstzmultirange": ['{["2020-01-01 00:00:00+00",)}'],
    "smallint[]": ["{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[2:3]={7,8}"], "integer[]": ["{}", "{1,NULL}"],
    "bigint[]": ["{1}"], "numeric(6,2)[]": ["{1.50,NaN,NULL}"], "numeric[]": ["{1.5,Infinity}"],
    "varchar(5)[]": ['{a,"",NULL,"NULL","b c","d\\"e"}'], "varchar[]": ['{"a,b"}'],
    "text[]": ['{"",a,"{"}'], "boolean[]": ["{t,f,NULL}"], "date[]": ['{2020-01-01,"0044-03-15 BC"}'],
    "timestamp(3)[]": ['{"2020-01-01 00:00:00.123"}'], "uuid[]": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"],
    "double precision[]": ["{1e+20,-0,NaN}"], "real[]": ["{0.1}"], "jsonb[]": ['{"{\\"a\\": 1}"}'],
    "char(3)[]": ["{a,b}"], "inet[]": ["{1.2.3.4}"], "cidr[]": ["{1.2.3.4/32}"],
    "time(3)[]": ["{12:00:00.123}"], "bytea[]": ['{"\\\\x00"}'],
}  # fmt: skip
"""Each source type and values of it, extremes included, in any spelling the server reads."""

MORE_TARGETS = [
    "varchar(3)", "varchar(20)", "char(3)", "char(20)", "numeric(5,2)", "numeric(38,10)", "numeric(3,-1)",
    "numeric(2,4)", "timestamp(0)", "timestamp(2)", "timestamptz(1)", "numeric(1000,500)",
]  # fmt: skip

MORE_REFUSED_THAN_THE_SERVER = {"text", "varchar", "char", "json"}
"""Sources whose values are read as something else: of all that the server can read, kroft reads less."""


@pytest.fixture
def connection(swept_connection: psycopg.Connection) -> psycopg.Connection:
    return swept_connection


@pytest.mark.parametrize("source", VALUES)
def test_the_server_gives_what_the_text_says(connection: psycopg.Connection, source: str) -> None:
    origin = parse_type(source)
    texts = _texts(connection, origin, _values(source))
    for target in _targets(origin):
        fitting = {text: result for text in texts if (result := _cast(text, origin, target)) is not None}
        assert fitting or target.modifiers or origin.modifiers, (
            f"no value shows what {source} -> {target} does"
        )
        assert _altered(connection, origin, target, list(fitting)) == list(fitting.values()), target


@pytest.mark.parametrize(
    "source", [name for name in VALUES if parse_type(name).name not in MORE_REFUSED_THAN_THE_SERVER]
)
def test_the_server_refuses_what_is_refused(connection: psycopg.Connection, source: str) -> None:
    origin = parse_type(source)
    texts = _texts(connection, origin, _values(source))
    for target in _targets(origin):
        for text in texts:
            if _cast(text, origin, target) is None and not _fraction_out_of_python(text):
                with pytest.raises((psycopg.DataError, psycopg.errors.FeatureNotSupported)):
                    _altered(connection, origin, target, [text])


@pytest.mark.parametrize("source", ["text", "varchar(60)", "char(60)"])
@pytest.mark.parametrize("target", ["varchar(3)", "char(3)", "varchar(20)"])
def test_the_server_refuses_a_text_that_is_too_long(
    connection: psycopg.Connection, source: str, target: str
) -> None:
    origin, goal = parse_type(source), parse_type(target)
    refused = [text for text in _texts(connection, origin, STRINGS) if _cast(text, origin, goal) is None]
    assert len(refused) > 3
    for text in refused:
        with pytest.raises(psycopg.errors.StringDataRightTruncation):
            _altered(connection, origin, goal, [text])


@pytest.mark.parametrize("source", VALUES)
def test_a_wider_type_refuses_no_value(connection: psycopg.Connection, source: str) -> None:
    origin = parse_type(source)
    texts = _texts(connection, origin, _values(source))
    for target in widenings(origin):
        assert all(_cast(text, origin, target) is not None for text in texts), f"{source} -> {target}"


def test_many_numbers_and_instants(connection: psycopg.Connection) -> None:
    chance = random.Random(20)
    whole = [chance.getrandbits(64) >> chance.randrange(63) for _ in range(800)]
    doubles = [repr(struct.unpack("d", chance.randbytes(8))[0]) for _ in range(800)]
    doubles += [repr(float(f"{digits % 1000}e{chance.randrange(-300, 300)}")) for digits in whole]
    singles = [repr(struct.unpack("f", chance.randbytes(4))[0]) for _ in range(800)]
    singles += [f"{digits % 10**9}e{chance.randrange(-40, 25)}" for digits in whole]
    instants = [f"{1 + n % 9999:04}-{1 + n % 12:02}-{1 + n % 28:02} 23:59:59.{n % 10**6:06}" for n in whole]
    numerics = [f"{n % 10**12 - 5 * 10**11}e-{n % 9}" for n in whole]
    bigints = [str(n - 2**63) for n in whole]
    drawn = {"double precision": doubles, "real": singles, "timestamp": instants, "numeric": numerics}
    for source, values in {**drawn, "bigint": bigints}.items():
        origin = parse_type(source)
        texts = _texts(connection, origin, values)
        for target in _targets(origin):
            fitting = {text: result for text in texts if (result := _cast(text, origin, target)) is not None}
            assert _altered(connection, origin, target, list(fitting)) == list(fitting.values())


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_casts_between_times_do_not_depend_on_the_session(connection: psycopg.Connection, zone: str) -> None:
    connection.execute("CREATE TABLE moments (day date, plain timestamp)")
    connection.execute("INSERT INTO moments VALUES ('2020-07-01', '2020-07-01 12:00:00')")
    connection.execute(sql.SQL("SET TimeZone TO {}").format(zone))
    for column, source in (("day", "date"), ("plain", "timestamp")):
        _alter(connection, "moments", column, parse_type(source), parse_type("timestamptz"))
    connection.execute("SET TimeZone TO 'UTC'")
    assert _rows(connection, "SELECT day::text FROM moments") == ["2020-07-01 00:00:00+00"]
    assert _rows(connection, "SELECT plain::text FROM moments") == ["2020-07-01 12:00:00+00"]


def test_an_enum_becomes_text(connection: psycopg.Connection) -> None:
    connection.execute("""CREATE TYPE "My mood" AS ENUM ('sad', 'so so', 'a "label"')""")
    mood = SqlType("My mood", builtin=False)
    labels = ["sad", "so so", 'a "label"']
    for target in retypings(mood):
        assert _altered(connection, mood, target, labels) == [
            cast_text(label, mood, target) for label in labels
        ]
    arrays = ['{sad,"so so"}']
    text = parse_type("text")
    assert _altered(connection, SqlType("My mood", array=True, builtin=False), text, arrays) == arrays


def test_null_stays_null(connection: psycopg.Connection) -> None:
    for source in VALUES:
        origin = parse_type(source)
        for target in widenings(origin) + retypings(origin):
            connection.execute(f"CREATE TEMPORARY TABLE nothing (v {source})".encode())
            connection.execute("INSERT INTO nothing VALUES (NULL)")
            _alter(connection, "nothing", "v", origin, target)
            assert connection.execute("SELECT v IS NULL FROM nothing").fetchone() == (True,)
            connection.execute("DROP TABLE nothing")


def _values(source: str) -> list[str]:
    sql_type = parse_type(source)
    return [*dict.fromkeys([*VALUES[source], *extreme_values(sql_type), *unrepresentable_values(sql_type)])]


def _targets(source: SqlType) -> list[SqlType]:
    """Every type of this file that the source can be cast to."""
    everything = [*widenings(source), *retypings(source), *map(parse_type, [*VALUES, *MORE_TARGETS])]
    return [target for target in dict.fromkeys(everything) if target != source and can_cast(source, target)]


def _cast(text: str, source: SqlType, target: SqlType) -> str | None:
    try:
        return cast_text(text, source, target)
    except CastRefused:
        return None


def _fraction_out_of_python(text: str) -> bool:
    """Whether a timestamp has a fraction that cannot be rounded with Python's datetime."""
    return "." in text and ("BC" in text or text.startswith(("294276-", "9999-12-31")))


def _texts(connection: psycopg.Connection, source: SqlType, values: list[str]) -> list[str]:
    """The values as the server casts them to text; those that the type itself does not hold are left out."""
    _create(connection, source)
    held = 0
    for value in values:
        with contextlib.suppress(psycopg.DataError):
            held += connection.execute(sql.SQL("INSERT INTO cells (v) VALUES ({})").format(value)).rowcount
    assert held * 2 >= len(values), f"most of these are no values of {source}"
    return _rows(connection, "SELECT v::text FROM cells ORDER BY id")


def _altered(connection: psycopg.Connection, source: SqlType, target: SqlType, texts: list[str]) -> list[str]:
    """What the server makes of a column with these values."""
    _create(connection, source)
    if texts:
        rows = sql.SQL(", ").join(sql.SQL("({})").format(text) for text in texts)
        connection.execute(sql.SQL("INSERT INTO cells (v) VALUES {}").format(rows))
    _alter(connection, "cells", "v", source, target)
    return _rows(connection, "SELECT v::text FROM cells ORDER BY id")


def _create(connection: psycopg.Connection, source: SqlType) -> None:
    connection.execute("DROP TABLE IF EXISTS cells")
    connection.execute(f"CREATE TEMPORARY TABLE cells (id serial, v {source})".encode())


def _alter(connection: psycopg.Connection, table: str, column: str, source: SqlType, target: SqlType) -> None:
    change = f"ALTER COLUMN {column} TYPE {target} USING " + using(f'"{column}"', source, target)
    connection.execute(f"ALTER TABLE {table} {change}".encode())


def _rows(connection: psycopg.Connection, query: str) -> list[str]:
    return [text for (text,) in connection.execute(query.encode()).fetchall()]
