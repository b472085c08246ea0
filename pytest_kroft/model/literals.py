"""A Python value given on purpose -> the text that the server prints for it."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any
from uuid import UUID

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model import spellings
from pytest_kroft.model.limits import LIMITS
from pytest_kroft.model.literals_json import read_json
from pytest_kroft.model.literals_network import read_address, read_hardware_address
from pytest_kroft.model.literals_ranges import read_multirange, read_range
from pytest_kroft.model.literals_times import TIME_READERS
from pytest_kroft.model.types import SqlType

Reader = Callable[[SqlType, Any], str | None]
"""Turns a value into text; None where it is of a form, or of a kind, that the reader does not know."""

_WHOLE = re.compile(r"\s*[-+]?\d+\s*")
_HEX = re.compile(r"\\x(?:\s*[0-9a-fA-F]{2})*\s*")
_BITS = re.compile(r"[01]*")
_TRUTHS = {
    **dict.fromkeys(("t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"), "true"),
    **dict.fromkeys(("f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"), "false"),
}
_NAME_BYTES = 63
_MAX_INTEGER_DIGITS = 131_072


def canonical(sql_type: SqlType, value: object) -> str:
    """The server's text of ``value`` as a value of ``sql_type``.

    A string is read as the server reads a literal where kroft knows its form (numbers, booleans, dates
    and times in ISO form, uuid, bytea, network addresses, json ...) and returned as it is otherwise: see
    ``is_opaque``. Whether a label belongs to an enum is for the caller to check.

    Raises ValueRefused, with the reason, for a value that does not fit; NULL is no value.
    """
    value = _plain(sql_type, value)
    if value is None:
        raise ValueRefused(value, str(sql_type), "None stands for NULL, which has no text")
    if isinstance(value, str):
        _check_text(sql_type, value)
    text = _read(sql_type, value)
    if text is not None:
        return text
    if isinstance(value, str):
        return value
    raise ValueRefused(
        value, str(sql_type), f"a value of the Python type {type(value).__name__} does not fit"
    )


def is_opaque(sql_type: SqlType, value: object) -> bool:
    """Whether ``canonical`` returns this string as it is, so that only the server knows how it prints.

    So it is for strings of arrays, ranges, geometric, text search and reg* types, of types that are not
    built in (a label of an enum prints as it is), and for other than ISO forms of dates and times.
    """
    value = _plain(sql_type, value)
    if not isinstance(value, str):
        return False
    try:
        return _read(sql_type, value) is None
    except ValueRefused:
        return False


def _plain(sql_type: SqlType, value: object) -> object:
    """A member of an enum is its value, or its name where the value is no label."""
    if not isinstance(value, enum.Enum):
        return value
    if not sql_type.builtin and not isinstance(value.value, str):
        return value.name
    return value.value


def _read(sql_type: SqlType, value: object) -> str | None:
    if sql_type.array:
        return _array(sql_type, value) if isinstance(value, list | tuple) else None
    reader = _READERS.get(sql_type.name) if sql_type.builtin else None
    return reader(sql_type, value) if reader else None


def _check_text(sql_type: SqlType, value: str) -> None:
    if "\0" in value:
        raise ValueRefused(value, str(sql_type), "PostgreSQL holds no NUL character in a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueRefused(value, str(sql_type), "it cannot be written in UTF-8") from None


def _array(sql_type: SqlType, value: list[object] | tuple[object, ...]) -> str:
    """A list of elements, or of lists that are all of one shape: then it has more dimensions."""
    show = spellings.element_printer(sql_type)
    delimiter = ";" if sql_type.name == "box" else ","

    def dimension(items: object) -> tuple[str, tuple[int, ...]]:
        if not isinstance(items, list | tuple) or (not items and items is not value):
            return ("NULL" if items is None else show(canonical(sql_type.element, items))), ()
        parts = [dimension(item) for item in items]
        if len({shape for _, shape in parts}) > 1:
            raise ValueRefused(value, str(sql_type), "the lists in an array must all have the same length")
        return "{" + delimiter.join(text for text, _ in parts) + "}", (
            len(items),
            *(parts[0][1] if parts else ()),
        )

    return dimension(value)[0]


def _boolean(sql_type: SqlType, value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = _TRUTHS.get(value.strip().lower())
        if text is None:
            raise ValueRefused(value, str(sql_type), "use True or False")
        return text
    return None


def _integer(sql_type: SqlType, value: object) -> str | None:
    number = _whole(sql_type, value)
    if number is None:
        return None
    low, high = LIMITS[sql_type.name]
    if not low <= number <= high:
        raise ValueRefused(value, str(sql_type), f"it must be from {low} to {high}")
    return str(number)


def _whole(sql_type: SqlType, value: object) -> int | None:
    if isinstance(value, bool):
        raise ValueRefused(value, str(sql_type), "PostgreSQL does not take a boolean for a number")
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise ValueRefused(value, str(sql_type), "it is no whole number")
        return int(value)
    if isinstance(value, float | Decimal):
        if not math.isfinite(value) or value != int(value):
            raise ValueRefused(value, str(sql_type), "it is no whole number")
        return int(value)
    return value if isinstance(value, int) else None


def _decimal(sql_type: SqlType, value: object) -> Decimal | None:
    if isinstance(value, bool):
        raise ValueRefused(value, str(sql_type), "PostgreSQL does not take a boolean for a number")
    if isinstance(value, float):
        return Decimal(repr(value))
    if not isinstance(value, str | int | Decimal):
        return None
    try:
        return Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise ValueRefused(value, str(sql_type), "it is no number") from None


def _numeric(sql_type: SqlType, value: object) -> str | None:
    number = _decimal(sql_type, value)
    if number is None:
        return None
    if number.is_nan():
        return "NaN"
    if number.is_infinite():
        if sql_type.modifiers:
            raise ValueRefused(value, str(sql_type), "a numeric with a precision holds no infinity")
        return "Infinity" if number > 0 else "-Infinity"
    if sql_type.modifiers:
        number = _rounded(sql_type, number, value)
    elif number.adjusted() >= _MAX_INTEGER_DIGITS:
        raise ValueRefused(
            value, str(sql_type), f"it has more than {_MAX_INTEGER_DIGITS} digits before the point"
        )
    return spellings.decimal_text(number)


def _rounded(sql_type: SqlType, number: Decimal, value: object) -> Decimal:
    """Half away from zero to the scale; what then has too many digits is refused (docs, chapter 8.1.2)."""
    precision, scale = sql_type.modifiers
    with localcontext() as context:
        context.prec = max(number.adjusted() + abs(scale), precision, 0) + 10
        units = number.scaleb(scale).to_integral_value(rounding=ROUND_HALF_UP)
        if abs(units) >= 10**precision:
            raise ValueRefused(
                value, str(sql_type), f"it has more than {precision - scale} digits before the point"
            )
        return Decimal(spellings.scaled_text(int(units), scale))


def _float(sql_type: SqlType, value: object) -> str | None:
    exact = _decimal(sql_type, value)
    if exact is None:
        return None
    single = sql_type.name == "real"
    try:
        number = float(exact)
        text = spellings.float4_text(number) if single else spellings.float8_text(number)
    except OverflowError:
        raise ValueRefused(value, str(sql_type), "it is too large") from None
    if exact.is_finite() and ((text in ("0", "-0") and exact != 0) or "Inf" in text):
        raise ValueRefused(value, str(sql_type), "it is too large" if "Inf" in text else "it is too small")
    return text


def _money(sql_type: SqlType, value: object) -> str | None:
    if isinstance(value, str):
        value = value.strip().replace("$", "", 1).replace(",", "")
    number = _decimal(sql_type, value)
    if number is None:
        return None
    low, high = LIMITS["money"]
    if number.is_finite() and number.adjusted() < 20:
        cents = int(number.scaleb(2).to_integral_value(rounding=ROUND_HALF_UP))
        if low <= cents <= high:
            return spellings.money_text(cents)
    raise ValueRefused(value, str(sql_type), f"it must be from {low} to {high} cents")


def _text(sql_type: SqlType, value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if sql_type.name in ("char", "bpchar"):
        value = value.rstrip(" ")
    limit = sql_type.modifiers[0] if sql_type.modifiers else None
    if limit is not None and len(value) > limit:
        # Blanks beyond the length are cut off without an error (docs, chapter 8.3).
        if value[limit:].strip(" "):
            raise ValueRefused(value, str(sql_type), f"it has {len(value)} characters")
        value = value[:limit]
    return value


def _name(sql_type: SqlType, value: object) -> str | None:
    if isinstance(value, str) and len(value.encode()) > _NAME_BYTES:
        raise ValueRefused(
            value, str(sql_type), f"it has {len(value.encode())} bytes; the most are {_NAME_BYTES}"
        )
    return value if isinstance(value, str) else None


def _single(sql_type: SqlType, value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if re.fullmatch(r"\\[2-3][0-7]{2}", value) or (len(value) <= 1 and value.isascii()):
        return value
    raise ValueRefused(
        value, str(sql_type), r"it holds one ASCII character, or one byte written as \ooo in octal"
    )


def _uuid(sql_type: SqlType, value: object) -> str | None:
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        return None
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueRefused(value, str(sql_type), "it must be 32 hexadecimal digits") from None


def _bytea(_: SqlType, value: object) -> str | None:
    if isinstance(value, bytes | bytearray | memoryview):
        return spellings.bytea_text(bytes(value))
    if isinstance(value, str) and _HEX.fullmatch(value):
        return "\\x" + "".join(value[2:].lower().split())
    return None


def _bits(sql_type: SqlType, value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if not _BITS.fullmatch(value):
        raise ValueRefused(value, str(sql_type), "it must be of the digits 0 and 1")
    limit = sql_type.modifiers[0] if sql_type.modifiers else len(value)
    if len(value) > limit or (sql_type.name == "bit" and len(value) != limit):
        raise ValueRefused(value, str(sql_type), f"it has {len(value)} bits")
    return value


_READERS: dict[str, Reader] = {
    **dict.fromkeys(("smallint", "integer", "bigint", "oid", "xid", "cid", "xid8"), _integer),
    **dict.fromkeys(("real", "double precision"), _float),
    **dict.fromkeys(("text", "varchar", "char", "bpchar", "refcursor"), _text),
    **dict.fromkeys(("bit", "bit varying"), _bits),
    **dict.fromkeys(("inet", "cidr"), read_address),
    **dict.fromkeys(("macaddr", "macaddr8"), read_hardware_address),
    **dict.fromkeys(("json", "jsonb"), read_json),
    "boolean": _boolean, "numeric": _numeric, "money": _money, "name": _name, '"char"': _single,
    "uuid": _uuid, "bytea": _bytea,
    **TIME_READERS,
}  # fmt: skip


def _ranges() -> dict[str, Reader]:
    bounds = {
        "int4": "integer",
        "int8": "bigint",
        "num": "numeric",
        "date": "date",
        "ts": "timestamp",
        "tstz": "timestamptz",
    }
    found: dict[str, Reader] = {}
    for kind, name in bounds.items():
        found[f"{kind}range"] = _with_bounds(read_range, SqlType(name))
        found[f"{kind}multirange"] = _with_bounds(read_multirange, SqlType(name))
    return found


def _with_bounds(read: Callable[..., str | None], bound: SqlType) -> Reader:
    return lambda sql_type, value: read(sql_type, value, bound, lambda item: canonical(bound, item))


_READERS.update(_ranges())
