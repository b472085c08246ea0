"""Dates, times of day, timestamps and intervals, in years that Python can hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from pytest_kroft.model import spellings
from pytest_kroft.model.conditions import Condition
from pytest_kroft.model.generators.bits import Maker, Request, Span, span, span_maker
from pytest_kroft.model.spellings import DAY, SECOND

_FIRST, _LAST = date.min.toordinal(), date.max.toordinal()
_EPOCH = date(1970, 1, 1).toordinal()
FIRST_DAY, LAST_DAY = _FIRST - _EPOCH, _LAST - _EPOCH
"""0001-01-01 and 9999-12-31 in days since 1970-01-01."""
PLAIN_DAYS = (date(2015, 1, 1).toordinal() - _EPOCH, date(2024, 12, 31).toordinal() - _EPOCH)
COUNT_FROM = date(2000, 1, 1).toordinal() - _EPOCH
_DAY_SECONDS = 86_400
_ZONES = (0, 0, 0, 0, 3600, 7200, -18000, 19800)
_INTERVAL_DAYS = 60
_MAX_INTERVAL = 10**9
"""The longest counted interval in seconds, which a Python timedelta holds as well."""


def dates(request: Request) -> Maker:
    """date; unique ones are the days from 2000-01-01 on."""
    plain, every = _spans(request.condition, (FIRST_DAY, LAST_DAY), PLAIN_DAYS, COUNT_FROM, _days)
    return span_maker(plain, every, spellings.date_text)


def timestamps(request: Request) -> Maker:
    """timestamp and timestamptz; unique ones are the seconds from 2000-01-01 on."""
    unit = _unit(request)
    zone = "+00" if request.type.name == "timestamptz" else ""

    def show(seconds: int, fraction: int = 0) -> str:
        return spellings.timestamp_text(seconds * SECOND + fraction) + zone

    limits = (FIRST_DAY * _DAY_SECONDS, (LAST_DAY + 1) * _DAY_SECONDS - 1)
    usual = (PLAIN_DAYS[0] * _DAY_SECONDS, (PLAIN_DAYS[1] + 1) * _DAY_SECONDS - 1)
    plain, every = _spans(request.condition, limits, usual, COUNT_FROM * _DAY_SECONDS, _seconds)
    size, at, per_second = plain.size, plain.at, SECOND // unit
    whole = request.condition.upper or per_second == 1

    def draw(bits: int) -> str:
        rest, number = divmod(bits, size)
        return show(at(number), 0 if whole else rest % per_second * unit)

    return Maker(draw, lambda number, _: show(every.at(number)), every.size)


def times(request: Request) -> Maker:
    """time and timetz; unique ones are spread over the day, all in UTC."""
    unit = _unit(request)
    units = DAY // unit
    every = span(0, units - 1, start=9 * 3600 * SECOND // unit, stride=SECOND // unit * 61)
    zoned = request.type.name == "timetz"
    suffixes = tuple(spellings.offset_text(seconds) for seconds in _ZONES) if zoned else ("",)
    show, count_suffix = spellings.time_text, suffixes[0]

    def draw(bits: int) -> str:
        rest, number = divmod(bits, units)
        return show(number * unit) + suffixes[rest % len(suffixes)]

    return Maker(draw, lambda number, _: show(every.at(number) * unit) + count_suffix, every.size)


def intervals(request: Request) -> Maker:
    """interval of days and time, without months, as a Python timedelta is; unique ones are seconds."""
    unit = _unit(request)

    def draw(bits: int) -> str:
        number, days = divmod(bits, _INTERVAL_DAYS)
        seconds, rest = divmod(number, _DAY_SECONDS)
        fraction = rest % (SECOND // unit) * unit if rest & 1 else 0
        return spellings.interval_text(0, days, seconds * SECOND % DAY + fraction)

    def count(number: int, _: int) -> str:
        days, seconds = divmod(number + 1, _DAY_SECONDS)
        return spellings.interval_text(0, days, seconds * SECOND)

    return Maker(draw, count, _MAX_INTERVAL)


def _unit(request: Request) -> int:
    """The smallest step in microseconds that the precision keeps."""
    return int(10 ** (6 - (request.type.modifiers or (6,))[0]))


def _spans(
    condition: Condition,
    limits: tuple[int, int],
    usual: tuple[int, int],
    start: int,
    read: Callable[[str], int | None],
) -> tuple[Span, Span]:
    """The plausible and all values within a check's bounds, which are ignored where they leave nothing."""
    lower = [value + (not allowed) for text, allowed in condition.lower if (value := read(text)) is not None]
    upper = [value - (not allowed) for text, allowed in condition.upper if (value := read(text)) is not None]
    low, high = max([limits[0], *lower]), min([limits[1], *upper])
    if low > high:
        low, high = limits
    without = [value for text in condition.excluded if (value := read(text)) is not None]
    plain_low, plain_high = max(usual[0], low), min(usual[1], high)
    if plain_low > plain_high:
        plain_low, plain_high = low, min(high, low + usual[1] - usual[0])
    plain, every = span(plain_low, plain_high, without=without), span(low, high, start=start, without=without)
    if not plain.size or not every.size:  # nothing else is left than what is excluded
        return span(plain_low, plain_high), span(low, high, start=start)
    return plain, every


def _days(text: str) -> int | None:
    try:
        return date.fromisoformat(text[:10]).toordinal() - _EPOCH
    except ValueError:
        return None


def _seconds(text: str) -> int | None:
    """Whole seconds since 1970; a bound with a fraction moves by less than one, inwards or outwards."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
