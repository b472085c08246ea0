"""Values out of given samples: the cells that a column was seen to take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_kroft.model.generators.bits import scramble


@dataclass(frozen=True, slots=True)
class Samples:
    """Cells out of given ones, NULL among them, as a ``Maker`` gives texts."""

    draw: Callable[[int], str | None]
    count: Callable[[int, int], str | None]
    capacity: int


def samples(cells: Sequence[str | None], key: int = 0) -> Samples:
    """A maker over given cells, at least one; numbers below the capacity take different places.

    ``key`` turns the places, so that columns and seeds begin elsewhere. Columns that are asked with the
    same key and bits take the same place.
    """
    found = tuple(cells)
    size = len(found)
    start = scramble(key) % size
    return Samples(lambda bits: found[bits % size], lambda number, _: found[(start + number) % size], size)
