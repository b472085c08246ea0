"""Checks between runs of a consumer: a correct one passes, and each kind of wrong one fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from pytest_kroft.errors import Mismatch, NotApplicable, RowsRefused, UnknownColumn
from pytest_kroft.metamorphic import (
    Consumer,
    assert_incremental_equals_full,
    assert_one_sync_equals_many,
    assert_second_sync_changes_nothing,
)


class Table:
    """A source: rows by key, each with the moment at which it was written."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.now = 0

    def write(self, number: int, name: str) -> None:
        self.now += 1
        self.rows[number] = {"id": number, "name": name, "at": self.now}

    def points(self) -> Iterator[None]:
        for number, name in ((1, "a"), (2, "b"), (1, "c")):
            self.write(number, name)
            yield


class Full:
    """Reads everything, and offers its copy as an attribute."""

    def __init__(self, source: Table) -> None:
        self.source = source
        self.rows: list[dict[str, Any]] = []

    def sync(self) -> None:
        self.rows = [dict(row) for row in self.source.rows.values()]


class Incremental:
    """Reads what was written since, and offers its copy by a method; ``step`` and ``append`` are its bugs."""

    def __init__(self, source: Table, *, step: int = 0, append: bool = False) -> None:
        self.source, self.step, self.append = source, step, append
        self.seen, self.held = 0, dict[Any, dict[str, Any]]()

    def sync(self) -> None:
        for row in self.source.rows.values():
            if row["at"] > self.seen:
                key = (len(self.held), row["id"]) if self.append else row["id"]
                self.held[key] = dict(row)
        self.seen = self.source.now - 1 if self.append else self.source.now + self.step

    def rows(self) -> list[dict[str, Any]]:
        return list(self.held.values())


class Counting:
    """Changes a row in place with every sync."""

    def __init__(self) -> None:
        self.row = {"id": 1, "syncs": 0}

    def sync(self) -> None:
        self.row["syncs"] += 1

    @property
    def rows(self) -> list[dict[str, int]]:
        return [self.row]


def table() -> Table:
    made = Table()
    for _ in made.points():
        pass
    return made


@pytest.mark.parametrize("consumer", [Full(table()), Incremental(table())])
def test_a_correct_consumer_is_the_same_after_a_second_sync(consumer: Consumer) -> None:
    assert_second_sync_changes_nothing(consumer)
    assert_second_sync_changes_nothing(consumer, key="id")


def test_a_sync_that_adds_its_rows_again_is_found() -> None:
    with pytest.raises(Mismatch) as caught:
        assert_second_sync_changes_nothing(Incremental(table(), append=True), key=["id"])
    assert "the copy after the second is not the copy after the first sync" in str(caught.value)
    assert "id 1: 2 times in the copy" in str(caught.value)


def test_a_row_that_is_changed_in_place_is_found() -> None:
    with pytest.raises(Mismatch, match="id 1: syncs is 1 in the source, 2 in the copy"):
        assert_second_sync_changes_nothing(Counting(), key="id")


def test_one_sync_equals_many() -> None:
    source = Table()
    assert_one_sync_equals_many(source.points(), Incremental(source), Incremental(source), key="id")


def test_a_sync_that_passes_over_rows_is_found() -> None:
    source = Table()
    often, once = Incremental(source, step=1), Incremental(source, step=1)
    with pytest.raises(Mismatch) as caught:
        assert_one_sync_equals_many(source.points(), often, once, key="id")
    assert "the copy of many syncs is not the copy of one sync at the end" in str(caught.value)
    assert caught.value.comparison.missing == ({"id": 2, "name": "b", "at": 2},)  # type: ignore[attr-defined]


def test_each_consumer_syncs_when_it_should() -> None:
    log: list[str] = []

    class Noting(NamedTuple):
        name: str
        rows: list[dict[str, Any]] = []  # noqa: RUF012

        def sync(self) -> None:
            log.append(self.name)

    def points() -> Iterator[int]:
        for number in range(2):
            log.append("point")
            yield number
        log.append("end")

    assert_one_sync_equals_many(points(), Noting("often"), Noting("once"))
    assert log == ["point", "often", "point", "often", "end", "once"]


def test_where_there_is_no_point_nothing_is_taken_for_checked() -> None:
    with pytest.raises(NotApplicable, match="there was no point to sync at"):
        assert_one_sync_equals_many([], Full(table()), Full(table()))


def test_incremental_equals_full() -> None:
    source = table()
    assert_incremental_equals_full(Incremental(source), Full(source), key="id")


def test_a_row_that_only_the_full_sync_reads_is_found() -> None:
    source = table()
    incremental = Incremental(source)
    assert_incremental_equals_full(incremental, Full(source), key="id")
    source.rows[2] = {**source.rows[2], "name": "changed without a stamp"}
    with pytest.raises(Mismatch) as caught:
        assert_incremental_equals_full(incremental, Full(source), key="id")
    assert "the copy of an incremental one is not the copy of a full sync" in str(caught.value)
    assert "id 2: name is 'changed without a stamp' in the source, 'b' in the copy" in str(caught.value)


def test_without_a_key_whole_rows_are_counted() -> None:
    source = table()
    full = Full(source)
    incremental = Incremental(source)
    incremental.sync()
    source.rows[1] = {**source.rows[1], "name": "other"}
    with pytest.raises(Mismatch) as caught:
        assert_incremental_equals_full(incremental, full)
    assert not caught.value.comparison.different  # type: ignore[attr-defined]


def test_rows_that_cannot_be_compared_are_refused() -> None:
    odd = Full(table())
    odd.sync = lambda: setattr(odd, "rows", [(1, 2)])  # type: ignore[method-assign]
    with pytest.raises(RowsRefused):
        assert_second_sync_changes_nothing(odd)
    with pytest.raises(UnknownColumn, match="has no column 'key'"):
        assert_second_sync_changes_nothing(Full(table()), key="key")
