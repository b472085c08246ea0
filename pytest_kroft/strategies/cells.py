"""Strategies for the values of one column, drawn explicitly so that each shrinks to the plainest."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.clock import START
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.limits import LIMITS
from pytest_kroft.model.special import extreme_values, unrepresentable_values
from pytest_kroft.model.spellings import scaled_text
from pytest_kroft.model.tables import EnumDefinition
from pytest_kroft.model.types import SqlType
from pytest_kroft.model.values import Birth, column_values

Values = SearchStrategy[Any]

LONGEST = 30
"""The most characters or bytes of a value that has no shorter limit."""
DIGITS = 45
"""The most digits of a numeric without a precision."""
ADDRESSES = 10_000
"""From how many rows the values of a column are taken that only kroft knows how to make."""
_MICROS = 6
_PLAINLY = 6
"""How many times more likely a plain value is than one of the others."""
_NAME_CHARACTERS = 15
"""Of up to four bytes each, they fit into the 63 bytes of a name."""


def values(
    column: ColumnDefinition, enum: EnumDefinition | None = None, *, unrepresentable: bool = False
) -> SearchStrategy[Any]:
    """Values that a column accepts, as ``db.mutations.insert(rows=...)`` takes them.

    Numbers in the range and precision of the type (40 digits and more, NaN, infinity), texts (empty, with
    quotes, white space, any letters), documents, dates, arrays; None where the column may be NULL. Where a
    user's generator, a CHECK or another rule decides what fits, or the type is one of the rarer ones, they
    are the values that kroft itself generates, as the server's text where Python has no plain form.

    Args:
        column: The definition of the column; what its foreign key refers to is not looked at.
        enum: The definition of the enum, for a column of one.
        unrepresentable: Also values that have no Python value, as the server's text: ``"infinity"``,
            ``"0044-03-15 BC"``.

    Raises:
        DefinitionError: for a generated column, and for an enum that is not the column's type.
    """
    if column.generated:
        raise DefinitionError(
            "the server computes a generated column; it has no values to give", column=column.name
        )
    if not column.type.builtin and not column.generator and (enum is None or not _is_of(column, enum)):
        raise DefinitionError(
            f"the type {column.sql_type} is not built in; give its EnumDefinition: values(column, enum)",
            column=column.name,
        )
    found = from_addresses(column, enum) if _ruled(column) else _of_type(column.type, enum)
    if unrepresentable and not _ruled(column):
        found |= _sampled(unrepresentable_values(column.type))
    return _or_rarely(found, None) if column.nullable else found


def from_addresses(column: ColumnDefinition, enum: EnumDefinition | None = None) -> Values:
    """The values that kroft generates for a column, drawn by the number of a row; none of them NULL."""
    made = column_values(
        0, Birth("values"), Birth(column.name), column, column.type, tuple(enum.labels) if enum else (),
        column.unique or column.primary_key,
    )  # fmt: skip
    rows = st.integers(1, min(ADDRESSES, made.capacity or ADDRESSES))
    texts = rows.map(lambda row: made.text(row, 0, START))
    return texts.filter(lambda text: text is not None).map(partial(_plain, column.type))


def _or_rarely(plain: Values, *others: object) -> Values:
    """The plain values, and rarely one of the others.

    A plain value is drawn in any case, so that the others are no shorter, and nothing shrinks to them.
    """

    def chosen(number: int, value: object) -> object:
        return value if number < _PLAINLY else others[number - _PLAINLY]

    return st.builds(chosen, st.integers(0, _PLAINLY - 1 + len(others)), plain)


def _is_of(column: ColumnDefinition, enum: EnumDefinition) -> bool:
    wanted = column.type
    return (enum.name, enum.schema) == (wanted.name, wanted.schema or "public")


def _ruled(column: ColumnDefinition) -> bool:
    """Whether more than the type decides what the column accepts."""
    return bool(column.generator or column.check or column.constraints)


def _plain(sql_type: SqlType, text: str | None) -> Any:
    """A Python value of a server's text, where there is a plain one."""
    read = None if text is None or sql_type.array else _PLAIN.get(sql_type.name)
    return read(text) if read and text is not None else text


_PLAIN: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("smallint", "integer", "bigint", "oid", "xid", "cid", "xid8"), int),
    **dict.fromkeys(("real", "double precision"), float),
    "numeric": Decimal,
    "boolean": lambda text: text == "true",
    "date": date.fromisoformat,
}


def _of_type(sql_type: SqlType, enum: EnumDefinition | None) -> Values:
    if sql_type.array:
        return _arrays(sql_type, enum)
    if enum is not None:
        return st.sampled_from(enum.labels)
    make = _MAKERS.get(sql_type.name)
    column = ColumnDefinition("value", str(sql_type), nullable=False)
    found = make(sql_type) if make else from_addresses(column)
    edges = extreme_values(sql_type) if sql_type.name in _WITH_EDGES else ()
    return found | _sampled(edges) if edges else found


def _sampled(texts: tuple[str, ...]) -> Values:
    return st.sampled_from(texts) if texts else st.nothing()


def _arrays(sql_type: SqlType, enum: EnumDefinition | None) -> Values:
    """Lists of up to four elements, NULL among them; an array of documents holds their text."""
    element = sql_type.element
    if element.name in _TEXT_ONLY or (element.name not in _MAKERS and enum is None):
        return from_addresses(ColumnDefinition("value", str(sql_type), nullable=False))
    items = _of_type(element, enum)
    plain = items.map(json.dumps) if element.name in ("json", "jsonb") else items
    return st.lists(_or_rarely(plain, None), max_size=4)


# One function for each family of types


def _integers(sql_type: SqlType) -> Values:
    return st.integers(*LIMITS[sql_type.name])


def _numerics(sql_type: SqlType) -> Values:
    if not sql_type.modifiers:
        units = st.integers(-(10**DIGITS), 10**DIGITS)
        plain = st.builds(_scaled, units, st.integers(0, 20))
        return _or_rarely(plain, *map(Decimal, ("NaN", "Infinity", "-Infinity")))
    precision, scale = sql_type.modifiers
    units = st.integers(-(10**precision) + 1, 10**precision - 1)
    return _or_rarely(st.builds(_scaled, units, st.just(scale)), Decimal("NaN"))


def _scaled(units: int, scale: int) -> Decimal:
    # A text is read exactly, whatever the precision of the present context.
    return Decimal(scaled_text(units, scale))


def _money(_: SqlType) -> Values:
    return st.builds(_scaled, st.integers(*LIMITS["money"]), st.just(2))


def _floats(sql_type: SqlType) -> Values:
    return st.floats(width=32 if sql_type.name == "real" else 64)


def _texts(sql_type: SqlType) -> Values:
    longest = _NAME_CHARACTERS if sql_type.name == "name" else (sql_type.modifiers or (LONGEST,))[0]
    return st.text(_CHARACTERS, max_size=min(longest, LONGEST))


_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")


def _documents(_: SqlType) -> Values:
    """Documents without a text at the top: a string given for json is read as JSON."""
    text = st.text(_CHARACTERS, max_size=LONGEST)
    numbers = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
    leaves = st.none() | st.booleans() | numbers | text
    inner = st.recursive(
        leaves,
        lambda items: st.lists(items, max_size=3) | st.dictionaries(text, items, max_size=3),
        max_leaves=5,
    )
    return st.dictionaries(text, inner, max_size=3) | st.lists(inner, max_size=3) | numbers | st.booleans()


def _dates(_: SqlType) -> Values:
    return st.dates()


def _timestamps(sql_type: SqlType) -> Values:
    zones = st.just(UTC) if sql_type.name == "timestamptz" else st.none()
    return st.datetimes(timezones=zones).map(partial(_cut, sql_type))


def _times(sql_type: SqlType) -> Values:
    zones = st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    moments = st.times(timezones=zones if sql_type.name == "timetz" else st.none())
    return moments.map(partial(_cut, sql_type))


def _cut(sql_type: SqlType, moment: datetime | time) -> datetime | time:
    """Without what the precision cannot hold: the server rounds, up to a moment that Python does not have."""
    unit = _unit(sql_type)
    return moment.replace(microsecond=moment.microsecond // unit * unit)


def _unit(sql_type: SqlType) -> int:
    return int(10 ** (_MICROS - (sql_type.modifiers or (_MICROS,))[0]))


def _intervals(sql_type: SqlType) -> Values:
    unit = _unit(sql_type)
    return st.timedeltas().map(lambda span: span - timedelta(microseconds=span.microseconds % unit))


def _bits(sql_type: SqlType) -> Values:
    longest = (sql_type.modifiers or (LONGEST,))[0]
    return st.text("01", min_size=longest if sql_type.name == "bit" else 0, max_size=longest)


_MAKERS: dict[str, Callable[[SqlType], Values]] = {
    **dict.fromkeys(("smallint", "integer", "bigint", "oid", "xid", "cid", "xid8"), _integers),
    **dict.fromkeys(("real", "double precision"), _floats),
    **dict.fromkeys(("text", "varchar", "char", "bpchar", "name"), _texts),
    **dict.fromkeys(("json", "jsonb"), _documents),
    **dict.fromkeys(("timestamp", "timestamptz"), _timestamps),
    **dict.fromkeys(("time", "timetz"), _times),
    **dict.fromkeys(("bit", "bit varying"), _bits),
    "numeric": _numerics,
    "money": _money,
    "boolean": lambda _: st.booleans(),
    "date": _dates,
    "interval": _intervals,
    "uuid": lambda _: st.uuids(),
    "bytea": lambda _: st.binary(max_size=LONGEST),
    "inet": lambda _: st.ip_addresses(),
}

_WITH_EDGES = frozenset({"text", "varchar", "char", "bpchar", "name", "bit varying"})
"""The types whose edges are plain texts, which are drawn among the others."""
_TEXT_ONLY = frozenset({"money"})
