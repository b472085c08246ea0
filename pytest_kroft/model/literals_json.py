"""json and jsonb: documents given as Python values or as text."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model.spellings import decimal_text
from pytest_kroft.model.types import SqlType


def read_json(sql_type: SqlType, value: object) -> str:
    """The text of a document; a string is JSON text, not a JSON string.

    json keeps such a text as it is. jsonb prints its own form: keys without repetition, the shorter first and
    then by bytes; numbers as numeric prints them (PostgreSQL docs, chapter 8.14).

    Raises ValueRefused for what is no JSON.
    """
    binary = sql_type.name == "jsonb"
    try:
        if isinstance(value, str):
            parsed = json.loads(value, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant)
            return _write(parsed, binary=True) if binary else value
        return _write(value, binary=binary)
    except (ValueError, TypeError) as error:
        raise ValueRefused(value, str(sql_type), f"it is no JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _write(value: object, *, binary: bool) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float | Decimal):
        return _number(value, binary=binary)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_write(item, binary=binary) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(_members(value, binary=binary)) + "}"
    raise TypeError(f"a value of the Python type {type(value).__name__} has no form in it")


def _members(value: dict[Any, Any], *, binary: bool) -> list[str]:
    if not all(isinstance(key, str) for key in value):
        raise TypeError("the keys of an object must be strings")
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode())) if binary else list(value)
    return [f"{_string(key)}: {_write(value[key], binary=binary)}" for key in keys]


def _string(value: str) -> str:
    if "\0" in value:
        raise ValueError("PostgreSQL holds no NUL character in a text")
    value.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
    return json.dumps(value, ensure_ascii=False)


def _number(value: float | Decimal, *, binary: bool) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number in it")
    if isinstance(value, float) and not binary:
        return repr(value)
    return decimal_text(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
