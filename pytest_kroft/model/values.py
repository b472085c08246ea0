"""The value of a cell as a function of its address: seed, table, column, row number and revision."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from pytest_kroft.errors import CapacityReached, GeneratorError, ValueRefused
from pytest_kroft.model import cells
from pytest_kroft.model.cells import Cell
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.conditions import parse_condition
from pytest_kroft.model.generators import make
from pytest_kroft.model.generators.bits import GOLDEN, MASK, Request, scramble
from pytest_kroft.model.generators.samples import samples
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.types import SqlType

__all__ = [
    "Birth",
    "CapacityReached",
    "Cell",
    "ColumnValues",
    "GeneratorError",
    "column_key",
    "column_values",
    "mix",
]

_NULLS = (MASK + 1) // 10
"""Below this, a nullable cell is NULL: one in ten."""
_REVISION_STEP = 0xD1342543DE82EF95
_CACHED_CELLS = 16_384
_ASKED_TWICE = 3
"""How many cells a user's generator must make twice alike, before it is believed."""


class Birth(NamedTuple):
    """Who a table or a column is, whatever it is called now: its first name, and which of that name it is."""

    name: str
    count: int = 1  # type: ignore[assignment]  # hides tuple.count, which nobody needs here


def column_key(seed: int, table: Birth, column: Birth) -> int:
    """The 64-bit key of a column's values, from the seed and the two identities.

    Each part is preceded by its length, so that no two addresses are written alike.
    """
    digest = blake2b(digest_size=8, person=b"kroft column")
    for part in (str(seed), table.name, str(table.count), column.name, str(column.count)):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return int.from_bytes(digest.digest(), "big")


def mix(key: int, row: int, revision: int = 0) -> int:
    """The 64 bits of one cell: for a fixed key and revision, a bijection of the row number modulo 2**64."""
    # This is SplitMix64 at its ``row``-th step from ``key``, written out because it runs once a cell.
    z = (key + row * GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return scramble(z + revision * _REVISION_STEP & MASK) if revision else z


class ColumnValues:
    """All values of one column.

    Args:
        seed: The seed of the database.
        table: The identity of its table.
        column: Its own.
        definition: Its definition: the generator, the name, NOT NULL and the check are taken from it.
        sql_type: The type that it has now.
        labels: The labels of an enum, in order.
        unique: Whether no two rows may hold the same value. Then the value depends on the row number
            alone, and an updated row takes a new one. A user's own generator sees to uniqueness itself.

    Attributes:
        capacity: How many distinct values a unique column has; None where there is no practical limit.

    Raises:
        UnknownType: for a type that is neither built in nor an enum with labels, without a generator.
        GeneratorError: for a generator that needs more than one argument.

    A user's generator must be a function of its cell: it is asked again whenever a value has left the
    cache, and by every later run of the seed. So it is asked twice for its first few cells.
    """

    capacity: int | None

    def __init__(
        self,
        seed: int,
        table: Birth,
        column: Birth,
        definition: ColumnDefinition,
        sql_type: SqlType,
        *,
        labels: tuple[str, ...] = (),
        unique: bool = False,
    ) -> None:
        self._table, self._column, self._type = table.name, column.name, sql_type
        self._key = column_key(seed, table, column)
        self._labels, self._unique = labels, unique
        self._nullable = definition.nullable and not definition.filled
        self.capacity = None
        if definition.generator is not None and sql_type == definition.type:
            self._text = self._from_generator(definition.generator)
        elif definition.samples and sql_type == definition.type:
            group = definition.together
            shared = column if group is None else Birth(f"together: {group}")
            self._text = self._from_samples(definition.samples, column_key(seed, table, shared))
        else:
            condition = parse_condition(definition.check, definition.name)
            style = definition.style if sql_type == definition.type else None
            self._text = self._inferred(Request(sql_type, definition.name, condition, labels, style))

    def text(self, row: int, revision: int = 0, now: int = 0) -> str | None:
        """The server's text of the value in one cell, or None for NULL.

        ``row`` counts from 1; ``now`` is the row's stamp in microseconds since 1970. Raises
        CapacityReached for a row of a unique column beyond its capacity, GeneratorError where the user's
        generator raises, returns what the column cannot hold, or answers differently when asked twice.
        """
        return self._text(row, revision, now)

    def texts(self, first: int, count: int, now: int = 0, step: int = 0) -> list[str | None]:
        """The values of ``count`` new rows from ``first`` on, their stamps ``step`` microseconds apart."""
        text = self._text
        return [text(first + index, 0, now + index * step) for index in range(count)]

    def _inferred(self, request: Request) -> Callable[[int, int, int], str | None]:
        maker = make(request)
        key, nullable = self._key, self._nullable
        draw, count, capacity = maker.draw, maker.count, maker.capacity

        def plain(row: int, revision: int, _now: int) -> str | None:
            bits = mix(key, row, revision)
            return None if nullable and bits < _NULLS else draw(scramble(bits) if nullable else bits)

        def distinct(row: int, _revision: int, _now: int) -> str | None:
            bits = mix(key, row)
            if capacity is not None and row > capacity:
                raise CapacityReached(self._table, self._column, str(self._type), capacity, row)
            return None if nullable and bits < _NULLS else count(row - 1, bits)

        if not self._unique:
            return plain
        self.capacity = capacity
        return distinct

    def _from_samples(self, cells: tuple[str | None, ...], key: int) -> Callable[[int, int, int], str | None]:
        """Columns of one group have one key, so that the samples of a row are those of one place."""
        found = samples(cells, key)

        def plain(row: int, revision: int, _now: int) -> str | None:
            return found.draw(mix(key, row, revision))

        def distinct(row: int, _revision: int, _now: int) -> str | None:
            if row > found.capacity:
                raise CapacityReached(self._table, self._column, str(self._type), found.capacity, row)
            return found.count(row - 1, 0)

        if not self._unique:
            return plain
        self.capacity = found.capacity
        return distinct

    def _from_generator(self, generator: Callable[..., object]) -> Callable[[int, int, int], str | None]:
        with_cell = cells.takes_cell(generator, self._table, self._column)
        unproved = _ASKED_TWICE

        def proved(row: int, revision: int, now: int) -> str | None:
            nonlocal unproved
            text = made(row, revision, now)
            if unproved:
                again = made(row, revision, now)
                if again != text:
                    raise self._impure(row, text, again)
                unproved -= 1
            return text

        def made(row: int, revision: int, now: int) -> str | None:
            address = mix(self._key, row, revision)
            cell = Cell(self._table, self._column, row, revision, cells.instant(now), self._nullable, address)
            try:
                value = cells.call(generator, cell, with_cell=with_cell)
            except Exception as error:
                reason = f"it raised {type(error).__name__}: {error}"
                raise GeneratorError(self._table, self._column, reason, row=row) from error
            return self._checked(value, row)

        return lru_cache(maxsize=_CACHED_CELLS)(proved)

    def _impure(self, row: int, one: str | None, other: str | None) -> GeneratorError:
        reason = (
            f"it is not a function of its cell: it gave {one!r}, then {other!r}; "
            "use cell.random, cell.faker or a seeded function"
        )
        return GeneratorError(self._table, self._column, reason, row=row)

    def _checked(self, value: object, row: int) -> str | None:
        if value is None and self._nullable:
            return None
        reason = "it returned None, but the column is NOT NULL"
        try:
            if value is not None:
                text = canonical(self._type, value)
                if not self._labels or self._type.array or text in self._labels:
                    return text
                reason = f"it returned {value!r}; the labels of {self._type} are: {', '.join(self._labels)}"
        except ValueRefused as error:
            reason = f"it returned a value that the column cannot hold: {error}"
        raise GeneratorError(self._table, self._column, reason, row=row)


@lru_cache(maxsize=1024)
def _column_values(
    seed: int,
    table: Birth,
    column: Birth,
    definition: ColumnDefinition,
    sql_type: SqlType,
    labels: tuple[str, ...],
    unique: bool,  # noqa: FBT001
) -> ColumnValues:
    return ColumnValues(seed, table, column, definition, sql_type, labels=labels, unique=unique)


def column_values(
    seed: int,
    table: Birth,
    column: Birth,
    definition: ColumnDefinition,
    sql_type: SqlType,
    labels: tuple[str, ...] = (),
    unique: bool = False,  # noqa: FBT001, FBT002
) -> ColumnValues:
    """The values of a column; the same arguments give the same object, so nothing is prepared twice."""
    return _column_values(seed, table, column, definition, sql_type, labels, unique)
