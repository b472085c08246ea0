"""The rows of a table as an immutable collection, in the order in which they were born.

A row holds no values: they are functions of its number (see ``model.values``). It holds what a
value cannot be computed from: its stamp, and the cells that were updated or given on purpose.
Rows lie in chunks, so that a change copies one chunk and the small directory, never the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

CHUNK = 512
"""Rows a chunk; a change costs a copy of one chunk and of the directory of chunks."""


class Address(NamedTuple):
    """Where a cell's value comes from: a row number, a revision, and the stamp it was written at."""

    row: int
    revision: int
    stamp: int


Cell = str | Address | None
"""A cell that differs from its row's first values: a text, NULL, or an address."""

UNTOUCHED: Mapping[int, Cell] = MappingProxyType({})


class Row(NamedTuple):
    """One row: its number, its stamp, and by column id the cells that do not follow from these."""

    number: int
    stamp: int
    cells: Mapping[int, Cell] = UNTOUCHED

    def with_cells(self, cells: Mapping[int, Cell]) -> Row:
        """The row with some cells replaced."""
        return self._replace(cells={**self.cells, **cells})


class Rows:
    """An immutable collection of rows, iterated in the order of their numbers."""

    __slots__ = ("_chunks", "_count")

    def __init__(self) -> None:
        self._chunks: dict[int, dict[int, Row]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        for chunk in self._chunks.values():
            yield from chunk.values()

    def __contains__(self, number: int) -> bool:
        return number in self._chunks.get(number // CHUNK, ())

    def __getitem__(self, number: int) -> Row:
        return self._chunks[number // CHUNK][number]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self._chunks == other._chunks

    __hash__ = None  # type: ignore[assignment]

    @property
    def numbers(self) -> list[int]:
        """The numbers of all rows, in order."""
        return [number for chunk in self._chunks.values() for number in chunk]

    def put(self, rows: Iterable[Row]) -> Rows:
        """A collection with these rows in it, in place of those of their numbers."""
        return self._changed(rows, ())

    def remove(self, numbers: Iterable[int]) -> Rows:
        """A collection without these rows."""
        return self._changed((), numbers)

    def _changed(self, rows: Iterable[Row], removed: Iterable[int]) -> Rows:
        changed = Rows()
        changed._chunks, changed._count = dict(self._chunks), self._count
        fresh: set[int] = set()
        late: set[int] = set()
        for row in rows:
            chunk = changed._own(row.number // CHUNK, fresh)
            if row.number not in chunk:
                changed._count += 1
                if chunk and row.number < next(reversed(chunk)):
                    late.add(row.number // CHUNK)
            chunk[row.number] = row
        for number in removed:
            del changed._own(number // CHUNK, fresh)[number]
            changed._count -= 1
        for place in fresh:
            if not changed._chunks[place]:
                del changed._chunks[place]
        changed._sort(late, fresh.difference(self._chunks))
        return changed

    def _sort(self, late: Iterable[int], new: Collection[int]) -> None:
        """Bring rows into order that came after rows with higher numbers: a late commit has them."""
        for place in late:
            self._chunks[place] = dict(sorted(self._chunks[place].items()))
        if new and min(new) < max(self._chunks, default=0):
            self._chunks = dict(sorted(self._chunks.items()))

    def _own(self, place: int, fresh: set[int]) -> dict[int, Row]:
        """The chunk at a place, copied once before it is changed."""
        if place not in fresh:
            fresh.add(place)
            self._chunks[place] = dict(self._chunks.get(place, ()))
        return self._chunks[place]
