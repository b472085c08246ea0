"""Dates, times, timestamps and intervals, given as Python values or in ISO form."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model import spellings
from pytest_kroft.model.spellings import DAY, SECOND
from pytest_kroft.model.types import SqlType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = 946_684_800 * SECOND
"""2000-01-01, from which the server counts and rounds."""
_MAX_YEAR = {"date": 5_874_897, "timestamp": 294_276, "timestamptz": 294_276}
_FIRST_YEAR = 4714
"""BC; the first day is in November of it (PostgreSQL docs, chapter 8.5)."""
_MAX_OFFSET = 16 * 3600

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?"
_ZONE = r"(?P<zone>Z|[-+]\d\d(?::?\d\d(?::?\d\d)?)?)"
_STAMP = re.compile(
    r"\s*(?P<date>(?P<year>\d{4,7})-(?P<month>\d\d)-(?P<day>\d\d))"
    rf"(?:[ T]+{_CLOCK}\s*{_ZONE}?)?(?P<era> BC)?\s*"
)
_TIME = re.compile(rf"\s*{_CLOCK}\s*{_ZONE}?\s*")
_INTERVAL = re.compile(
    r"(?:(?P<years>[-+]?\d+) years?)?\s*(?:(?P<months>[-+]?\d+) mons?)?\s*(?:(?P<days>[-+]?\d+) days?)?\s*"
    r"(?P<time>(?P<sign>[-+]?)(?P<hours>\d{2,10}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)(?:\.(?P<part>\d{1,6}))?)?"
)


def _moment(sql_type: SqlType, value: object) -> str | None:
    """date, timestamp and timestamptz; None for a string in another form."""
    if isinstance(value, str):
        return _moment_text(sql_type, value)
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        return _shown(sql_type, (moment - _EPOCH) // timedelta(microseconds=1), value)
    if isinstance(value, date):
        return _shown(sql_type, (value.toordinal() - _EPOCH.toordinal()) * DAY, value)
    return None


def _moment_text(sql_type: SqlType, text: str) -> str | None:
    if text.strip().lower() in ("infinity", "-infinity"):
        return text.strip().lower()
    match = _STAMP.fullmatch(text)
    if not match:
        return None
    _check_date(sql_type, text, match)
    if match["era"] or int(match["year"]) > 9999:
        return text if _is_canonical(sql_type, match) else None
    micros = _clock_micros(sql_type, text, match) if match["hour"] else 0
    if micros is None:
        return None
    micros += (date.fromisoformat(match["date"]).toordinal() - _EPOCH.toordinal()) * DAY
    if sql_type.name == "timestamptz":
        micros -= _offset(match["zone"]) * SECOND
    # The other types ignore a zone in a literal (docs, chapter 8.5.1.3).
    return _shown(sql_type, micros, text)


def _check_date(sql_type: SqlType, text: str, match: re.Match[str]) -> None:
    year = int(match["year"])
    limit = _FIRST_YEAR if match["era"] else _MAX_YEAR[sql_type.name]
    # The calendar repeats after 400 years; 1 BC is the year 0.
    same = 2000 + (1 - year if match["era"] else year) % 400
    try:
        date(same, int(match["month"]), int(match["day"]))
    except ValueError:
        raise ValueRefused(text, str(sql_type), "there is no such day") from None
    if not 1 <= year <= limit:
        raise ValueRefused(
            text, str(sql_type), f"the year must be from {_FIRST_YEAR} BC to {_MAX_YEAR[sql_type.name]}"
        )


def _is_canonical(sql_type: SqlType, match: re.Match[str]) -> bool:
    """Whether a date beyond Python's years is written as the server writes it."""
    if len(match["year"]) > 4 and match["year"].startswith("0"):
        return False
    head, era = match["date"], match["era"] or ""
    if sql_type.name == "date":
        return match.string == head + era
    if not match["second"] or sql_type.modifiers:
        return False
    clock = f"{match['hour']}:{match['minute']}:{match['second']}"
    fraction = f".{match['fraction']}" if match["fraction"] else ""
    zone = "+00" if sql_type.name == "timestamptz" else ""
    return not fraction.endswith("0") and match.string == f"{head} {clock}{fraction}{zone}{era}"


def _clock_micros(sql_type: SqlType, text: str, match: re.Match[str]) -> int | None:
    """Microseconds after midnight; None for 24:00 and leap seconds, which the server carries over."""
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if minute > 59 or second > 60 or hour > 24:
        raise ValueRefused(text, str(sql_type), "there is no such time of day")
    if second == 60 or hour == 24:
        return None
    return ((hour * 60 + minute) * 60 + second) * SECOND + int((match["fraction"] or "").ljust(6, "0"))


def _offset(zone: str | None) -> int:
    """Seconds east of UTC."""
    if not zone or zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
    return -seconds if zone[0] == "-" else seconds


def _shown(sql_type: SqlType, micros: int, value: object) -> str:
    try:
        if sql_type.name == "date":
            return spellings.date_text(micros // DAY)
        show = spellings.timestamptz_text if sql_type.name == "timestamptz" else spellings.timestamp_text
        return show(_ZERO + _kept(sql_type, micros - _ZERO))
    except (OverflowError, ValueError):
        raise ValueRefused(value, str(sql_type), "in UTC it is beyond the years 1 to 9999") from None


def _kept(sql_type: SqlType, micros: int) -> int:
    """Rounded to the precision of the type, half away from zero as the server counts."""
    unit = 10 ** (6 - (sql_type.modifiers or (6,))[0])
    size = (abs(micros) + unit // 2) // unit * unit
    return int(-size if micros < 0 else size)


def _time(sql_type: SqlType, value: object) -> str | None:
    """time and timetz; without a zone it is UTC, and time drops one."""
    if isinstance(value, time):
        micros = (value.hour * 60 + value.minute) * 60 * SECOND + value.second * SECOND + value.microsecond
        zone = value.utcoffset()
        return _clock_shown(sql_type, micros, zone.days * 86_400 + zone.seconds if zone else 0)
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not match or (match["zone"] and sql_type.name == "time"):
        return None
    micros_read = _clock_micros(sql_type, match.string, match)
    if micros_read is None:
        return _midnight(sql_type, match)
    seconds = _offset(match["zone"])
    if abs(seconds) >= _MAX_OFFSET:
        raise ValueRefused(value, str(sql_type), "its zone is 16 hours or more from UTC")
    return _clock_shown(sql_type, micros_read, seconds)


def _midnight(sql_type: SqlType, match: re.Match[str]) -> str | None:
    """24:00:00, which is a time of its own."""
    whole = (
        match["hour"] == "24"
        and int(match["minute"] + (match["second"] or "0") + (match["fraction"] or "0")) == 0
    )
    return _clock_shown(sql_type, DAY, _offset(match["zone"])) if whole else None


def _clock_shown(sql_type: SqlType, micros: int, zone: int) -> str:
    text = spellings.time_text(_kept(sql_type, micros))
    return text + spellings.offset_text(zone) if sql_type.name == "timetz" else text


def _interval(sql_type: SqlType, value: object) -> str | None:
    if isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
        sign = -1 if micros < 0 else 1
        days, rest = divmod(abs(micros), DAY)
        return spellings.interval_text(0, sign * days, _kept(sql_type, sign * rest))
    match = _INTERVAL.fullmatch(value) if isinstance(value, str) else None
    if not match or not any(match.groups()):
        return None
    months = int(match["years"] or 0) * 12 + int(match["months"] or 0)
    rest = 0
    if match["time"]:
        seconds = (int(match["hours"]) * 60 + int(match["minutes"])) * 60 + int(match["seconds"])
        rest = seconds * SECOND + int((match["part"] or "").ljust(6, "0"))
    return spellings.interval_text(
        months, int(match["days"] or 0), _kept(sql_type, -rest if match["sign"] == "-" else rest)
    )


TIME_READERS: dict[str, Callable[[SqlType, Any], str | None]] = {
    **dict.fromkeys(("date", "timestamp", "timestamptz"), _moment),
    **dict.fromkeys(("time", "timetz"), _time),
    "interval": _interval,
}
"""For each type of dates and times: what turns a value into the server's text."""
