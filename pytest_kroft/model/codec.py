"""Operations as JSON and back, strictly: unknown, missing and wrongly typed fields are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any

from pytest_kroft.errors import DefinitionError, HistoryError, listing
from pytest_kroft.model.clock import as_datetime, as_stamp
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.operations import KINDS, Operation, kind
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition

Json = Any
Definition = TableDefinition | ColumnDefinition | EnumDefinition | SampledDefinition


def encode(operation: Operation) -> dict[str, Json]:
    """An operation as a JSON object; fields that hold their default are left out."""
    return {"op": kind(operation), **_encode_fields(operation)}


def decode(data: Json) -> Operation:
    """The operation that a JSON object stands for.

    Raises HistoryError, without a line, naming the field that is unknown, missing or of a wrong type,
    or the rule that a definition in it breaks.
    """
    if not isinstance(data, dict):
        raise HistoryError(f"an operation must be a JSON object, not {data!r}")
    name = data.get("op")
    if not isinstance(name, str) or name not in KINDS:
        raise HistoryError(f"there is no operation {name!r}; the operations are: {listing(KINDS)}")
    return _decode_fields(KINDS[name], {key: value for key, value in data.items() if key != "op"}, name)  # type: ignore[no-any-return]


def _encode_fields(item: Any) -> dict[str, Json]:
    encoded = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if value != _default(field) or field.name == "first":
            encoded[field.name] = _encode_value(field.name, value)
    return encoded


def _default(field: Any) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _encode_value(name: str, value: Any) -> Json:
    if name == "stamp" and value is not None:
        return as_datetime(value).isoformat()
    if name == "generator" and value is not None:
        return f"{getattr(value, '__module__', '?')}:{getattr(value, '__qualname__', repr(value))}"
    if isinstance(value, Definition):
        return _encode_fields(value)
    if isinstance(value, Mapping):
        return {key: _encode_value("", cells) for key, cells in value.items()}
    if isinstance(value, list | tuple):
        return [_encode_value("", item) for item in value]
    return value


def _decode_fields(target: type[Any], data: dict[str, Json], what: str) -> Any:
    known = {field.name: field for field in fields(target)}
    if unknown := [name for name in data if name not in known]:
        raise HistoryError(f"{what} has no field {unknown[0]!r}; its fields are: {listing(known)}")
    values = {name: _decode_value(str(known[name].type), name, value, what) for name, value in data.items()}
    for name, field in known.items():
        required = field.default is MISSING and field.default_factory is MISSING
        if required and name not in values:
            raise HistoryError(f"{what} lacks the field {name!r}")
    try:
        return target(**values)
    except DefinitionError as error:
        raise HistoryError(f"{what}: {error}") from None


def _decode_value(annotation: str, name: str, value: Json, what: str) -> Any:
    decoder = _DECODERS.get("stamp" if name == "stamp" else annotation)
    assert decoder is not None, f"no decoder for {annotation}"
    if value is None and "None" in annotation:
        return None
    decoded = decoder(value)
    if decoded is _WRONG:
        raise HistoryError(f"{what}: the field {name!r} cannot be {value!r}")
    return decoded


_WRONG = object()
"""What a decoder answers for a value of a wrong type; None is a value."""


def _instance_of(*types: type) -> Callable[[Json], Any]:
    # bool is a subclass of int, and `true` is no number in a history.
    return lambda value: (
        value if isinstance(value, types) and (bool in types or not isinstance(value, bool)) else _WRONG
    )


def _decode_stamp(value: Json) -> Any:
    try:
        return as_stamp(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return _WRONG


def _tuple_of(decode_item: Callable[[Json], Any], *, null: bool = False) -> Callable[[Json], Any]:
    def decode_list(value: Json) -> Any:
        if not isinstance(value, list):
            return _WRONG
        items = [None if item is None and null else decode_item(item) for item in value]
        return _WRONG if any(item is _WRONG for item in items) else tuple(items)

    return decode_list


def _mapping_of(decode_item: Callable[[Json], Any]) -> Callable[[Json], Any]:
    def decode_object(value: Json) -> Any:
        if not isinstance(value, dict):
            return _WRONG
        items = {key: decode_item(item) for key, item in value.items()}
        return _WRONG if any(item is _WRONG for item in items.values()) else items

    return decode_object


def _definition(target: type[Any], what: str) -> Callable[[Json], Any]:
    return lambda value: _decode_fields(target, value, what) if isinstance(value, dict) else _WRONG


def _decode_column(value: Json) -> Any:
    # A generator is a function; a history names it for its reader, and holds its values literally.
    kept = (
        {key: item for key, item in value.items() if key != "generator"} if isinstance(value, dict) else value
    )
    return _definition(ColumnDefinition, "a column")(kept)


def _decode_type(value: Json) -> Any:
    sampled = isinstance(value, dict) and "samples" in value
    return _definition(SampledDefinition if sampled else EnumDefinition, "a type")(value)


_text, _whole, _flag = _instance_of(str), _instance_of(int), _instance_of(bool)
_DECODERS: dict[str, Callable[[Json], Any]] = {
    "str": _text,
    "int": _whole,
    "bool": _flag,
    "stamp": _decode_stamp,
    "int | None": _whole,
    "str | None": _text,
    "Identity | None": _text,
    "tuple[int, ...]": _tuple_of(_whole),
    "tuple[str, ...]": _tuple_of(_text),
    "Sequence[str]": _tuple_of(_text),
    "Cells": _mapping_of(_tuple_of(_text, null=True)),
    "Kept": _mapping_of(_mapping_of(_text)),
    "Parents": _mapping_of(_tuple_of(_whole, null=True)),
    "ColumnDefinition": _decode_column,
    "Sequence[ColumnDefinition]": _tuple_of(_decode_column),
    "TableDefinition": _definition(TableDefinition, "a table"),
    "tuple[TableDefinition, ...]": _tuple_of(_definition(TableDefinition, "a table")),
    "EnumDefinition | SampledDefinition": _decode_type,
    "tuple[EnumDefinition | SampledDefinition, ...]": _tuple_of(_decode_type),
    "Sequence[Sequence[str]]": _tuple_of(_tuple_of(_text)),
    "tuple[str | None, ...]": _tuple_of(_text, null=True),
    "Literal['server', 'test']": lambda value: value if value in ("server", "test") else _WRONG,
}
"""How a field is read, by its annotation as it is written in the dataclass."""
