"""Logical time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import (
    EARLIEST,
    LATEST,
    LONGEST_STEP,
    SECOND,
    START,
    as_datetime,
    as_stamp,
    next_stamp,
    stamp_text,
)
from pytest_kroft.model.types import parse_type
from tests.definitions import MODEST


def test_time_begins_in_2020():
    assert as_datetime(START) == datetime(2020, 1, 1, tzinfo=UTC)
    assert next_stamp(None, SeededChoices(1)) == START


@MODEST
@given(st.integers(0, 2**32), st.integers(START - 10**16, START + 10**16))
def test_each_step_is_some_whole_seconds(seed, now):
    step = next_stamp(now, SeededChoices(seed)) - now
    assert SECOND <= step <= LONGEST_STEP * SECOND
    assert step % SECOND == 0


@MODEST
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_stamp_is_an_instant(instant):
    assert as_datetime(as_stamp(instant)) == instant


def test_an_instant_of_any_zone_has_a_stamp():
    assert as_stamp(datetime(2020, 1, 1, 5, tzinfo=timezone(timedelta(hours=5)))) == START
    assert as_stamp(datetime(2020, 1, 1)) == START


@pytest.mark.parametrize(
    "offset, sql_type, text",
    [
        (0, "timestamptz", "2020-01-01 00:00:00+00"),
        (0, "timestamp", "2020-01-01 00:00:00"),
        (0, "date", "2020-01-01"),
        (123_456, "timestamptz", "2020-01-01 00:00:00.123456+00"),
        (120_000, "timestamp", "2020-01-01 00:00:00.12"),
        (123_456, "timestamptz(3)", "2020-01-01 00:00:00.123+00"),
        (123_500, "timestamptz(3)", "2020-01-01 00:00:00.124+00"),
        (500_000, "timestamp(0)", "2020-01-01 00:00:01"),
        (499_999, "timestamp(0)", "2020-01-01 00:00:00"),
        (86_400 * SECOND - 1, "timestamp(0)", "2020-01-02 00:00:00"),
        (86_400 * SECOND - 1, "date", "2020-01-01"),
    ],
)
def test_a_stamp_is_shown_as_the_server_prints_it(offset, sql_type, text):
    assert stamp_text(START + offset, parse_type(sql_type)) == text


@pytest.mark.parametrize(
    "stamp, sql_type, text",
    [
        (EARLIEST, "timestamptz", "0001-01-01 00:00:00+00"),
        (EARLIEST, "date", "0001-01-01"),
        (LATEST, "timestamp(0)", "9999-12-31 23:59:59"),
        (LATEST - 1, "timestamp(0)", "9999-12-31 23:59:59"),
    ],
)
def test_the_earliest_and_the_latest_stamp_are_shown(stamp, sql_type, text):
    assert stamp_text(stamp, parse_type(sql_type)) == text
    assert as_stamp(as_datetime(stamp)) == stamp
