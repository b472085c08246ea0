"""Whether the generators of plain values really honour what a CHECK demands, type by type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from struct import pack, unpack

from pytest_kroft.errors import KroftError, ValueRefused
from pytest_kroft.model.conditions import NO_CONDITION, Condition, read_check, understood
from pytest_kroft.model.generators import make
from pytest_kroft.model.generators.bits import Maker, Request, scramble
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.types import SqlType

_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_TIMES = frozenset({"date", "timestamp", "timestamptz"})
_TEXTS = frozenset({"text", "varchar", "char", "bpchar"})
_SAMPLE = 64
_SHORT = 8
"""Up to this length a unique text is a bare counter, which meets every text in the end."""


def honours(check: str, column: str, sql_type: SqlType, labels: tuple[str, ...] = ()) -> bool:
    """Whether every value that kroft makes for a column satisfies a CHECK of it alone.

    Args:
        check: The condition as SQL.
        column: The name of the column.
        sql_type: The type that its values are made for.
        labels: The labels of an enum.

    False where the check was not read as a whole, and where it cannot be told.
    """
    if not understood(check, column):
        return False
    reading = read_check(check, column)
    condition = reading.condition
    if condition == NO_CONDITION:
        return True
    if sql_type.array or (reading.as_text and not _is_textual(sql_type, labels)):
        return False
    if reading.as_number and sql_type.name not in _NUMBERS:
        return False
    satisfied = _judge(condition, sql_type, labels)
    try:
        return satisfied is not None and all(
            map(satisfied, _some(_maker(column, sql_type, condition, labels)))
        )
    except KroftError:
        return False


def _is_textual(sql_type: SqlType, labels: tuple[str, ...]) -> bool:
    return sql_type.name in _TEXTS or bool(labels)


def _maker(column: str, sql_type: SqlType, condition: Condition, labels: tuple[str, ...]) -> Maker:
    return make(Request(sql_type, column, condition, labels))


def _some(maker: Maker) -> list[str]:
    """Some values that a maker draws, the first that it counts, and the last where there is one."""
    drawn = [maker.draw(scramble(number)) for number in range(_SAMPLE)]
    capacity = min(maker.capacity or 2**62, 2**62)
    numbers = {*range(min(_SAMPLE, capacity)), capacity - 1}
    return drawn + [maker.count(number, scramble(number)) for number in sorted(numbers)]


def _judge(condition: Condition, sql_type: SqlType, labels: tuple[str, ...]) -> Callable[[str], bool] | None:
    """Says whether a value satisfies a condition; None for a condition that a type's values may miss."""
    ordered = bool(condition.lower or condition.upper)
    sized = condition.min_length > 0 or condition.max_length is not None
    if condition.allowed is not None:
        return None if ordered and sql_type.name not in _NUMBERS else _listed(condition, sql_type)
    if sql_type.name in _NUMBERS:
        return None if sized or not _exact(condition, sql_type) else _bounded(condition, _number)
    if sql_type.name in _TIMES:
        return None if sized or not _whole(condition, sql_type) else _bounded(condition, _moment)
    if sql_type.name in _TEXTS:
        return None if ordered or not _avoided(condition, sql_type) else _measured(condition, sql_type)
    if labels and not (ordered or sized):
        return lambda text: text not in condition.excluded
    if sql_type.name == "bytea" and not (ordered or condition.excluded):
        return lambda text: _has_length(condition, len(text) // 2 - 1)
    return None


def _listed(condition: Condition, sql_type: SqlType) -> Callable[[str], bool] | None:
    try:
        allowed = {canonical(sql_type, text) for text in condition.allowed or ()}
        excluded = {canonical(sql_type, text) for text in condition.excluded}
    except ValueRefused:
        return None
    if not _exact(condition, sql_type):
        return None
    within = _bounded(condition, _number) if condition.lower or condition.upper else None
    size = _measured(condition, sql_type)
    return lambda text: (
        text in allowed and text not in excluded and size(text) and (within is None or within(text))
    )


def _bounded(
    condition: Condition, read: Callable[[str], Decimal | datetime | None]
) -> Callable[[str], bool] | None:
    """Within all bounds and none of what is excluded; None where a constant of them is not read."""
    lower = [(read(text), within) for text, within in condition.lower]
    upper = [(read(text), within) for text, within in condition.upper]
    excluded = [read(text) for text in condition.excluded]
    if None in excluded or any(bound is None for bound, _ in (*lower, *upper)):
        return None

    def satisfied(text: str) -> bool:
        value: object = read(text)
        if value is None or value in excluded:
            return False
        above = all(value > bound or (within and value == bound) for bound, within in lower)  # type: ignore[operator]
        return above and all(value < bound or (within and value == bound) for bound, within in upper)  # type: ignore[operator]

    return satisfied


def _exact(condition: Condition, sql_type: SqlType) -> bool:
    """Whether the constants are the same in single precision, where the server compares a real in double."""
    if sql_type.name != "real":
        return True
    bounds = (text for text, _ in (*condition.lower, *condition.upper))
    numbers = [_number(text) for text in (*bounds, *condition.excluded, *(condition.allowed or ()))]
    return all(number is not None and _single(number) == number for number in numbers)


def _single(number: Decimal) -> Decimal:
    return Decimal(unpack("f", pack("f", float(number)))[0])


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) < 100 else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=None) - (moment.utcoffset() or date.resolution * 0)


def _whole(condition: Condition, sql_type: SqlType) -> bool:
    """Whether the bounds are whole days of a date or whole seconds of a timestamp, with or without a zone."""
    if condition.excluded and sql_type.name != "date":
        return False
    for text, _ in (*condition.lower, *condition.upper, *((text, True) for text in condition.excluded)):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return False
        zoned = moment.tzinfo is not None
        day = not (moment.hour or moment.minute or moment.second)
        if (
            moment.microsecond
            or zoned != (sql_type.name == "timestamptz")
            or (sql_type.name == "date" and not day)
        ):
            return False
    return True


def _avoided(condition: Condition, sql_type: SqlType) -> bool:
    """Whether the counted texts of a unique column never meet an excluded one: they end in a number."""
    texts = [text for text in condition.excluded if text]
    limits = [condition.max_length, *sql_type.modifiers]
    short = any(limit is not None and limit <= _SHORT for limit in limits)
    return not texts or (not short and not any(letter.isdigit() for text in texts for letter in text))


def _measured(condition: Condition, sql_type: SqlType) -> Callable[[str], bool]:
    padded = sql_type.name in ("char", "bpchar")

    def satisfied(text: str) -> bool:
        value = text.rstrip(" ") if padded else text
        return _has_length(condition, len(value)) and value not in condition.excluded

    return satisfied


def _has_length(condition: Condition, length: int) -> bool:
    return (
        condition.min_length <= length <= (length if condition.max_length is None else condition.max_length)
    )
