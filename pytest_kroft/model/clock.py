"""Logical time: stamps that kroft hands out, in microseconds since the Unix epoch.

The clock is part of the state: the latest stamp of any operation. A planner asks it for the
next one; the stamp then travels in the operation, so that a replay has the same time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pytest_kroft.model.choices import Choices
from pytest_kroft.model.types import SqlType

SECOND = 1_000_000
START = 1_577_836_800 * SECOND
"""The first stamp: 2020-01-01 00:00:00 UTC."""

LONGEST_STEP = 60
EARLIEST = -62_135_596_800 * SECOND
"""The earliest stamp: 0001-01-01 00:00:00 UTC."""
LATEST = 253_402_300_799 * SECOND
"""The latest stamp: 9999-12-31 23:59:59 UTC."""
_DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_datetime(stamp: int) -> datetime:
    """The instant of a stamp, in UTC."""
    return _EPOCH + timedelta(microseconds=stamp)


def as_stamp(instant: datetime) -> int:
    """The stamp of an instant; one without a zone is taken as UTC."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def next_stamp(now: int | None, choices: Choices) -> int:
    """The stamp of the next transaction: the start, or some whole seconds after ``now``."""
    return START if now is None else now + choices.integer(1, LONGEST_STEP) * SECOND


def stamp_text(stamp: int, sql_type: SqlType) -> str:
    """A stamp as the server prints it in a column of type timestamptz, timestamp or date, in UTC.

    A precision of fewer than six digits rounds half up, as the server does for dates after 2000.
    """
    if sql_type.name == "date":
        return _date_text(stamp // _DAY)
    unit = 10 ** (6 - sql_type.modifiers[0]) if sql_type.modifiers else 1
    days, rest = divmod((stamp + unit // 2) // unit * unit, _DAY)
    seconds, micros = divmod(rest, SECOND)
    minutes, second = divmod(seconds, 60)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    zone = "+00" if sql_type.name == "timestamptz" else ""
    return f"{_date_text(days)} {minutes // 60:02d}:{minutes % 60:02d}:{second:02d}{fraction}{zone}"


@lru_cache(maxsize=4096)
def _date_text(days: int) -> str:
    """A day, counted from the Unix epoch, as the server prints it."""
    # Not strftime, which pads the years before 1000 on some systems only.
    return (_EPOCH + timedelta(days=days)).date().isoformat()
