"""What kroft spells from Python values and literals is what the server prints for them."""

from __future__ import annotations

import enum
import ipaddress
import math
import random
import struct
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model.literals import canonical, is_opaque
from pytest_kroft.model.types import parse_type

PINNED = {
    "TimeZone": "UTC", "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "extra_float_digits": "1",
    "bytea_output": "hex", "lc_monetary": "C",
}  # fmt: skip
INDIA = timezone(timedelta(hours=5, minutes=30))


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


@pytest.fixture
def connection(swept_connection: psycopg.Connection) -> psycopg.Connection:
    return swept_connection


@pytest.fixture(autouse=True, scope="module")
def pinned(module_connection: psycopg.Connection) -> None:
    for name, value in PINNED.items():
        module_connection.execute("SELECT set_config(%s, %s, false)", [name, value])


def server_text(connection: psycopg.Connection, sql_type: str, literal: str) -> str:
    """What the server prints for a literal once it is in a column of the type."""
    connection.execute("DROP TABLE IF EXISTS kept")
    connection.execute(f"CREATE TABLE kept (value {sql_type})")
    connection.execute(f"INSERT INTO kept VALUES ({psycopg.sql.Literal(literal).as_string(connection)})")
    row = connection.execute("SELECT value::text FROM kept").fetchone()
    assert row is not None
    return str(row[0])


VALUES = [
    ("boolean", True, "t"), ("integer", 7, "7"), ("integer", Decimal("7.0"), "7"), ("bigint", -(2**63),
    str(-(2**63))),
    ("smallint", 3.0, "3"), ("numeric", Decimal("1.50"), "1.50"), ("numeric", Decimal("1E+5"), "1E+5"),
    ("numeric", 5, "5"),
    ("numeric", 0.1, "0.1"), ("numeric", Decimal("-0.00"), "-0.00"), ("numeric(6,2)", Decimal("2.675"),
    "2.675"),
    ("numeric(6,2)", Decimal("-2.675"), "-2.675"), ("numeric(6,2)", 1, "1"), ("numeric(4,-2)", 12350,
    "12350"),
    ("numeric(3,5)", Decimal("0.001235"), "0.001235"), ("numeric", float("nan"), "NaN"), ("numeric",
    Decimal("-Infinity"), "-Infinity"),
    ("numeric(60,40)", Decimal("12345678901234567890." + "123456789" * 5),
    "12345678901234567890." + "123456789" * 5),
    ("double precision", 1, "1"), ("double precision", Decimal("0.1"), "0.1"), ("real", 0.1, "0.1"), ("real",
    16777217, "16777217"),
    ("money", Decimal("1234.505"), "1234.505"), ("money", -3, "-3"), ("text", "é'\\", "é'\\"), ("varchar(3)",
    "abc  ", "abc  "),
    ("char(5)", "ab  ", "ab"), ("bpchar", "ab  ", "ab  "), ("uuid", uuid.UUID(int=7), str(uuid.UUID(int=7))),
    ("bytea", b"\x00\xffa", "\\x00ff61"), ("bytea", bytearray(b""), ""), ("date", date(1, 1, 1),
    "0001-01-01"),
    ("date", datetime(2020, 2, 29, 23, tzinfo=INDIA), "2020-02-29 17:30"), ("timestamp", date(2020, 1, 1),
    "2020-01-01"),
    ("timestamp", datetime(1999, 12, 31, 23, 59, 59, 500000), "1999-12-31 23:59:59.5"),
    ("timestamp(0)", datetime(1999, 12, 31, 23, 59, 59, 500000), "1999-12-31 23:59:59.5"),
    ("timestamp(0)", datetime(2000, 1, 1, 0, 0, 0, 500000), "2000-01-01 00:00:00.5"),
    ("timestamptz", datetime(2020, 1, 1, tzinfo=INDIA), "2020-01-01 00:00:00+05:30"),
    ("timestamptz(3)", datetime(1980, 1, 1, 0, 0, 0, 1500, UTC), "1980-01-01 00:00:00.0015+00"),
    ("time", time(23, 59, 59, 999999), "23:59:59.999999"), ("time(0)", time(23, 59, 59, 500000),
    "23:59:59.5"),
    ("timetz", time(12, tzinfo=INDIA), "12:00+05:30"), ("timetz", time(12), "12:00+00"),
    ("timetz", time(1, tzinfo=timezone(timedelta(hours=-3, minutes=-30, seconds=-5))), "01:00-03:30:05"),
    ("interval", timedelta(days=-1, seconds=3600), "-23:00:00"), ("interval", timedelta(days=400,
    microseconds=5), "400 days 0.000005 s"),
    ("interval(2)", timedelta(microseconds=-15000), "-0.015 s"), ("interval", timedelta(days=-2, hours=-3),
    "-2 days -3 hours"),
    ("jsonb", {"bb": 1, "a": [True, None, 1.5, 1e16, "é\n\x01"], "c": {}},
    '{"bb":1,"a":[true,null,1.5,1e16,"é\\n\\u0001"],"c":{}}'),
    ("json", {"b": 1, "a": [True, None]}, '{"b": 1, "a": [true, null]}'), ("jsonb", [], "[]"), ("jsonb", 5,
    "5"),
    ("inet", ipaddress.ip_address("10.0.0.1"), "10.0.0.1"), ("inet", ipaddress.ip_interface("10.0.0.1/8"),
    "10.0.0.1/8"),
    ("cidr", ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"), ("inet",
    ipaddress.ip_address("::ffff:1.2.3.4"), "::ffff:1.2.3.4"),
    ("inet", ipaddress.ip_address("::1.2.3.4"), "::1.2.3.4"), ("inet", ipaddress.ip_address("1:0:0:2::"),
    "1:0:0:2::"),
    ("integer[]", [1, None, 3], "{1,NULL,3}"), ("integer[]", [], "{}"), ("integer[]", [[1, 2], [3, 4]],
    "{{1,2},{3,4}}"),
    ("text[]", ["", "a,b", 'q"\\', "null", "{x}", " "], '{"","a,b","q\\"\\\\","null","{x}"," "}'),
    ("boolean[]", [True, False], "{t,f}"), ("inet[]", [ipaddress.ip_address("10.0.0.1")], "{10.0.0.1}"),
    ("char(4)[]", ["ab"], "{ab}"),
    ("jsonb[]", [{"a": 1}], '{"{\\"a\\": 1}"}'), ("bytea[]", [b"\x01"], '{"\\\\x01"}'),
    ("int4range", Range(1, 5, "[]"), "[1,5]"), ("int4range", Range(1, 1, "[)"), "[1,1)"), ("int8range",
    Range(1, 2, "()"), "(1,2)"),
    ("int4range", Range(None, 5, "(]"), "(,5]"), ("int4range", Range(None, None), "(,)"), ("int4range",
    Range(empty=True), "empty"),
    ("numrange", Range(Decimal("1.0"), Decimal("2.50"), "(]"), "(1.0,2.50]"), ("numrange", Range(Decimal(1),
    Decimal(1), "[]"), "[1,1]"),
    ("daterange", Range(date(2020, 1, 1), date(2020, 1, 31), "[]"), "[2020-01-01,2020-01-31]"),
    ("tsrange", Range(datetime(2020, 1, 1), None, "[)"), "[2020-01-01 00:00:00,)"),
    ("int4multirange", Multirange([Range(5, 7), Range(1, 3), Range(3, 4), Range(9, 9)]),
    "{[5,7),[1,3),[3,4),[9,9)}"),
    ("nummultirange", [Range(Decimal(1), Decimal(2), "()"), Range(Decimal(2), Decimal(3), "()")],
    "{(1,2),(2,3)}"),
    ("nummultirange", [Range(None, Decimal(2), "(]"), Range(Decimal(2), None, "()")], "{(,2],(2,)}"),
    ("int4multirange", [], "{}"), ("text", Colour.RED, "red"), ("integer", Colour.BLUE, "2"), ('"char"', "x",
    "x"),
    ("bit(3)", "101", "101"), ("bit varying(3)", "", ""), ("name", "n", "n"), ("xid8", 2**64 - 1,
    str(2**64 - 1)),
]  # fmt: skip


@pytest.mark.parametrize("sql_type, value, literal", VALUES)
def test_a_python_value_is_spelled_as_the_server_does(
    connection: psycopg.Connection, sql_type: str, value: object, literal: str
) -> None:
    assert canonical(parse_type(sql_type), value) == server_text(connection, sql_type, literal)


STRINGS = {
    "boolean": ["t", "YES", " off ", "0", "tru"],
    "integer": [" 7 ", "+7", "-0", "007"],
    "oid": ["0", "4294967295"],
    "numeric": ["1e5", "-0.00", " 1.50 ", ".5", "5.", "1E-10", "nan", "inf", "-Infinity", "0001.10"],
    "numeric(5,2)": ["999.994", "-1.005", "1.005", "0", "NaN"],
    "double precision": ["1e15", "1e16", "123456789012345", "1e14", "1e-4", "1e-5", "0.00012345", "-0",
    "NaN", "-inf", "5e-324",
                         "123456789012345680.0", "1.7976931348623157e308", "0.1", "100", "1e22", "1e23",
                         "9007199254740993"],
    "real": ["1e5", "1e6", "123456", "1234567", "0.1", "1e-4", "1e-5", "3.4028235e38", "1e-45", "16777217",
    "0.3", "1.17549435e-38"],
    "money": ["1,234.5", "$5", "-7.005", "92233720368547758.07"],
    "uuid": ["A0EEBC999C0B4EF8BB6D6BB9BD380A11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"],
    "bytea": ["\\xDEAD", "\\x de ad"],
    "date": ["2020-02-29", "infinity", "-INFINITY", "0044-03-15 BC", "10000-01-01", "2020-01-01 23:00:00",
    "0001-01-01"],
    "timestamp": ["2020-01-01", "2020-01-01T10:00", "2020-01-01 10:00:00.120", "2020-01-01 10:00:00+02",
    "infinity",
                  "0044-03-15 12:00:00 BC", "10000-01-01 00:00:00.5"],
    "timestamp(2)": ["2020-01-01 10:00:00.125", "1999-01-01 10:00:00.125", "2020-12-31 23:59:59.999"],
    "timestamptz": ["2020-01-01 10:00:00+02", "2020-01-01T10:00:00Z", "2020-01-01 10:00:00-05:30",
    "2020-01-01 00:00:00",
                    "2020-01-01 10:00:00.5+00", "10000-01-01 00:00:00+00", "2020-01-01 10:00:00+0530"],
    "time": ["10:00", "10:00:00.10", "24:00:00", "24:00"],
    "time(0)": ["23:59:59.5", "10:00:00.4"],
    "timetz": ["10:00+02", "10:00:00.5-05:30", "24:00:00+00", "10:00", "10:00Z"],
    "interval": ["1 day", "2 days 03:04:05", "-1 days +02:03:04", "1 year 2 mons 3 days 04:05:06.7",
    "00:00:00", "-00:00:01",
                 "1 year -2 mons", "-1 years -2 mons +3 days", "14 mons", "100:00:00", "0 days",
                 "-1 days -02:03:04", "1 mon -00:00:01"],
    "interval(1)": ["00:00:00.25", "-00:00:00.25"],
    "json": ['{"a":1,  "a":2}', " 1 ", '"\\u00e9"'],
    "jsonb": ['{"bb":1,"a":2,"é":3,"ab":4,"a":5}', "1E5", "-0", "-0.0", "1.50", "1.5e-3",
    '"\\u00e9\\n\\/\\u007f"', "[]", "{}", " null "],
    "inet": ["10.0.0.1", "10.0.0.1/24", "::1", "2001:DB8::1:0:0:1/64", "0.0.0.0/0"],
    "cidr": ["10.0.0.0/8", "2001:db8::/32", "10.0.0.1"],
    "macaddr": ["08-00-2B-01-02-03", "08:00:2b:01:02:03"],
    "macaddr8": ["08-00-2B-01-02-03-04-05"],
    "bit(3)": ["101"],
    "bit varying": ["", "0101"],
    "char(3)": ["a", "a  ", "a     ", "é"],
    "varchar(3)": ["abc", "abc   ", "日本語"],
    '"char"': ["a", "", "\\377", "\\"],
    "name": ["a b"],
}  # fmt: skip


@pytest.mark.parametrize(
    "sql_type, literal", [(name, text) for name, texts in STRINGS.items() for text in texts]
)
def test_a_literal_is_read_as_the_server_reads_it(
    connection: psycopg.Connection, sql_type: str, literal: str
) -> None:
    assert not is_opaque(parse_type(sql_type), literal)
    text = canonical(parse_type(sql_type), literal)
    assert text == server_text(connection, sql_type, literal)
    assert text == canonical(parse_type(sql_type), text)


WRONG = {
    "smallint": ["32768", "-32769", "x", "", "1.5"], "integer": ["2147483648"],
    "bigint": ["9223372036854775808"], "oid": ["4294967296"],
    "xid8": ["18446744073709551616x"],
    "boolean": ["maybe", "", "o"], "numeric(3,1)": ["100", "99.95", "Infinity"], "numeric": ["x", ""],
    "numeric(3,5)": ["0.01"],
    "double precision": ["1e400", "x", "1e-400"], "real": ["1e39", "1e-50"],
    "money": ["92233720368547758.08", "x"],
    "varchar(3)": ["abcd", "abc d"], "char(2)": ["abc"], "uuid": ["x", "a0eebc99"], "bit(3)": ["10", "1010",
    "102"],
    "bit varying(2)": ["101"], "date": ["2021-02-29", "2020-13-01", "0000-01-01", "5874898-01-01"],
    "time": ["25:00", "10:60"],
    "timestamp": ["2020-01-32 00:00:00", "2020-01-01 25:00", "294277-01-01 00:00:00"], "json": ["{", "",
    "{'a': 1}", "NaN", "01"],
    "jsonb": ["nul", '"\\u0000"', '"\\ud800"'], "cidr": ["10.0.0.1/8"], "timetz": ["10:00+16"],
}  # fmt: skip


@pytest.mark.parametrize(
    "sql_type, literal", [(name, text) for name, texts in WRONG.items() for text in texts]
)
def test_what_the_server_refuses_is_refused(
    connection: psycopg.Connection, sql_type: str, literal: str
) -> None:
    with pytest.raises(ValueRefused):
        canonical(parse_type(sql_type), literal)
    with pytest.raises(psycopg.DataError):
        server_text(connection, sql_type, literal)


def doubles() -> list[float]:
    rng = random.Random(11)
    patterns = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(20_000)]
    powers = [math.ldexp(1, exponent) for exponent in range(-1074, 1024)]
    decimals = [digit * 10.0**exponent for exponent in range(-30, 30) for digit in (1, 9, 1.5)]
    integers = [float(rng.getrandbits(size)) for size in range(40, 70) for _ in range(50)]
    return [value for value in (*patterns, *powers, *decimals, *integers) if math.isfinite(value)]


def singles() -> list[float]:
    rng = random.Random(12)
    patterns = [struct.unpack("<f", rng.randbytes(4))[0] for _ in range(20_000)]
    powers = [math.ldexp(1, exponent) for exponent in range(-149, 128)]
    integers = [float(rng.getrandbits(size)) for size in range(15, 40) for _ in range(50)]
    return [value for value in (*patterns, *powers, *integers) if math.isfinite(value)]


@pytest.mark.parametrize(
    "sql_type, values", [("double precision", doubles()), ("real", singles())], ids=["float8", "float4"]
)
def test_floats_are_spelled_as_the_server_does(
    connection: psycopg.Connection, sql_type: str, values: list[float]
) -> None:
    rows = connection.execute(
        f"SELECT given::{sql_type}::text FROM unnest(%s::float8[]) WITH ORDINALITY u (given, n) ORDER BY n",
        [values],
    ).fetchall()
    ours = [canonical(parse_type(sql_type), value) for value in values]
    assert [
        (value, our, text) for value, our, (text,) in zip(values, ours, rows, strict=True) if our != text
    ] == []


def test_addresses_are_spelled_as_the_server_does(connection: psycopg.Connection) -> None:
    rng = random.Random(13)
    faces = []
    for _ in range(3_000):
        groups = [rng.choice((0, 0, 0, rng.getrandbits(16), rng.getrandbits(4), 0xFFFF)) for _ in range(8)]
        address = ipaddress.IPv6Address(sum(group << 16 * place for place, group in enumerate(groups)))
        faces.append(f"{address}/{rng.randrange(129)}")
    rows = connection.execute(
        "SELECT given::inet::text FROM unnest(%s::text[]) WITH ORDINALITY u (given, n) ORDER BY n", [faces]
    ).fetchall()
    assert [canonical(parse_type("inet"), face) for face in faces] == [text for (text,) in rows]


def test_multiranges_are_merged_as_the_server_does(connection: psycopg.Connection) -> None:
    rng = random.Random(14)
    for kind, make in (("int4", int), ("num", Decimal)):
        for _ in range(150):
            ranges: list[Range[Any]] = []
            for _ in range(rng.randrange(5)):
                low, high = sorted((rng.randrange(12), rng.randrange(12)))
                bounds = rng.choice(("[)", "()", "(]", "[]"))
                ends = [None if rng.random() < 0.08 else make(number) for number in (low, high)]
                ranges.append(Range(ends[0], ends[1], bounds))
            literal = "{" + ",".join(
                "empty" if r.isempty else f"{r.bounds[0]}{'' if r.lower is None else r.lower},"
                f"{'' if r.upper is None else r.upper}{r.bounds[1]}" for r in ranges
            ) + "}"  # fmt: skip
            sql_type = parse_type(f"{kind}multirange")
            assert canonical(sql_type, Multirange(ranges)) == server_text(
                connection, str(sql_type), literal
            ), literal
