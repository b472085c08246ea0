"""From the server's text to the Python value that psycopg reads, and to the text where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import postgres, pq
from psycopg.adapt import Transformer

from pytest_kroft.model.types import SqlType

Load = Callable[[str], Any]


@lru_cache(maxsize=1024)
def loader(sql_type: SqlType) -> Load:
    """A function from the text of a cell of that type to the value that a psycopg cursor returns for it.

    The text itself stays where psycopg has no such value (infinity, a date BC, 24:00), would lose
    something (an interval of months), or does not know the type (an enum: its label).
    """
    # psycopg lists "char" under its quoted name.
    names = (sql_type.element.catalog_name, sql_type.element.name) if sql_type.builtin else ()
    info = next(filter(None, map(postgres.types.get, names)), None)
    if info is None:
        return str
    oid = info.array_oid if sql_type.array else info.oid
    load = Transformer().get_loader(oid, pq.Format.TEXT).load
    element = sql_type.element
    if element.name == "boolean" and not sql_type.array:
        # A cast to text prints true and false; the output function, which the loader reads, t and f.
        return lambda text: text == "true"
    if element.name == "char" and not sql_type.array:
        # A cast to text strips the padding, which a cursor returns.
        return lambda text: text.ljust(element.modifiers[0])
    if element.name == "inet" and not sql_type.array:
        # A cast to text names the mask of a single address, which a cursor leaves out.
        return lambda text: _or_text(load, text.removesuffix("/128" if ":" in text else "/32"))
    if element.name == "interval":
        return lambda text: text if _has_months(text) else _or_text(load, text)
    return lambda text: _or_text(load, text)


def _has_months(text: str) -> bool:
    return "mon" in text or "year" in text


def _or_text(load: Callable[[bytes], Any], text: str) -> Any:
    try:
        return load(text.encode())
    except (psycopg.DataError, psycopg.NotSupportedError, ValueError, OverflowError):
        return text
