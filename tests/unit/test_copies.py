"""What may be given as a copy, and the columns that it says it has; no server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from pytest_kroft.copies import Copy, column_names, read_copy
from pytest_kroft.errors import KroftError, RowsRefused


class Named(NamedTuple):
    id: int
    price: int


class Mangled(NamedTuple):
    id: int
    f_1: int


@dataclass
class Record:
    id: int
    price: int


class Tupled:
    def _asdict(self) -> dict[str, int]:
        return {"id": 1, "price": 5}


class Cursor:
    """As much of a DB-API cursor as a reader may ask for."""

    def __init__(self, names: list[str] | None, rows: Any) -> None:
        self.description = None if names is None else [(name, None) for name in names]
        self.rows = rows

    def fetchall(self) -> Any:
        return self.rows


def generated() -> Iterator[dict[str, int]]:
    yield {"id": 1, "price": 5}


def sqlite_rows() -> list[sqlite3.Row]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute("SELECT 1 AS id, 5 AS price").fetchall()
    finally:
        connection.close()


COPIES = [
    [{"id": 1, "price": 5}], ({"id": 1, "price": 5},), [Named(1, 5)], [Record(1, 5)], [Tupled()],
    {1: {"id": 1, "price": 5}}, {1: Record(1, 5)}, generated(), {1: {"id": 1, "price": 5}}.values(),
    Cursor(["id", "price"], [(1, 5)]), Cursor(["id", "price"], [[1, 5]]),
    Cursor(["id", "price"], [{"id": 1, "price": 5}]), Cursor(["id", "price"], [Record(1, 5)]),
    Cursor(["id", "price"], [Named(1, 5)]), sqlite_rows(), Cursor(["id", "price"], sqlite_rows()),
]  # fmt: skip


@pytest.mark.parametrize("actual", COPIES)
def test_what_a_copy_may_be(actual: object) -> None:
    found = read_copy(actual)
    assert [dict(row) for row in found.rows] == [{"id": 1, "price": 5}]
    assert found.columns == ("id", "price")


NO_COPIES = [
    ([(1, 5)], "no names"), ([[1, 5]], "no names"), ({1: (1, 5)}, "no names"), (["ab"], "no names"),
    ({"id": 1}, "no row"), ([1], "no row"), ("ab", "not a collection"), (None, "not a collection"),
    (5, "not a collection"), ([None], "no row"), (Cursor(None, []), "no result"),
    (Cursor(["id", "id"], [(1, 1)]), "one name"), (Cursor(["id"], 5), "asynchronous"), ([Record], "no row"),
]  # fmt: skip


@pytest.mark.parametrize(("actual", "reason"), NO_COPIES)
def test_what_a_copy_may_not_be(actual: object, reason: str) -> None:
    with pytest.raises(RowsRefused, match=reason) as caught:
        read_copy(actual)
    assert isinstance(caught.value, KroftError)
    assert isinstance(caught.value, TypeError)
    assert "dicts, named tuples, dataclass instances" in str(caught.value)


def test_a_refusal_shows_the_beginning_of_what_was_given() -> None:
    with pytest.raises(RowsRefused, match=r"^cannot compare 'x{53}[.]{3}: it is not a collection of rows"):
        read_copy("x" * 5000)


def test_a_cursor_s_names_come_from_its_description() -> None:
    assert read_copy(Cursor(["id", "a b"], [Mangled(1, 2)])) == Copy([{"id": 1, "a b": 2}], ("id", "a b"))


def test_a_cursor_without_rows_has_columns() -> None:
    assert read_copy(Cursor(["id", "price"], [])) == Copy([], ("id", "price"))
    assert read_copy(Cursor([], [])) == Copy([], ())


def test_a_real_cursor_without_rows_has_columns() -> None:
    connection = sqlite3.connect(":memory:")
    try:
        cursor = connection.execute("SELECT 1 AS id, 5 AS price WHERE false")
        assert read_copy(cursor) == Copy([], ("id", "price"))
    finally:
        connection.close()


@pytest.mark.parametrize("actual", [[], {}, (), iter(())])
def test_no_rows_say_nothing_of_their_columns(actual: object) -> None:
    assert read_copy(actual) == Copy([], None)


def test_the_rows_of_a_cursor_go_by_names_of_their_own() -> None:
    assert read_copy(Cursor(["n", "p"], [Record(1, 5)])).columns == ("id", "price")


def test_the_columns_are_those_of_all_rows() -> None:
    assert column_names([{"b": 1}, {"a": 1, "b": 2}, {"c": None}]) == ("b", "a", "c")
    assert read_copy([{}]) == Copy([{}], ())
