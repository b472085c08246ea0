"""Rows and cells worth trying on a table whose rules are not understood. Pure, and the same in every run."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice, product, zip_longest

from pytest_kroft.errors import KroftError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.conditions import parse_condition
from pytest_kroft.model.fold import carriers
from pytest_kroft.model.generators import make
from pytest_kroft.model.generators.bits import Request, scramble
from pytest_kroft.model.generators.samples import samples
from pytest_kroft.model.generators.styles import styles_for
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import SqlType
from pytest_kroft.model.values import Birth, column_key, column_values, mix
from pytest_kroft.postgres.regexes import texts_of

Cell = str | None
Labels = Mapping[str, tuple[str, ...]]
"""The labels of the enums, by the type's name as a column definition has it."""

_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?(?![\w.])")
_TEXTS = frozenset({"text", "varchar", "char", "bpchar", "name"})
_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_USUAL = {
    "boolean": ("true", "false"),
    "json": ("{}", "[]", "null", "1", '"a"'),
    "jsonb": ("{}", "[]", "null", "1", '"a"'),
}
_GENERATED, _MANY = 6, 1300
_LONGEST = 300
_NULLS = (2**64) // 10
_PATTERN = re.compile(r"~|regexp|similar|like", re.IGNORECASE)


def drafted(table: TableDefinition) -> list[ColumnDefinition]:
    """The columns that a row of the table is written with."""
    return [column for column in table.active if not column.generated]


def draft(
    table: TableDefinition, labels: Labels, count: int, foreign: Collection[str] = ()
) -> list[list[Cell]]:
    """So many rows as kroft would make them, and then one with NULL in each column that may hold it.

    The samples of ``foreign`` columns only say whether there is a parent: any value stands for its key.
    Fewer rows where a unique column has no more values. Raises KroftError for a column that kroft has no
    values for, and for a generator of the user's that fails.
    """
    columns = drafted(table)
    unique = carriers(table)
    readers = [_cells(table, column, labels, unique=column.name in unique) for column in columns]
    for place, column in enumerate(columns):
        if column.samples and column.name in foreign:
            bare = replace(column, samples=(), together=None, filled=True)
            key = _cells(table, bare, labels, unique=column.name in unique)
            readers[place] = _with_parents(readers[place], key)
    rows = [list(row) for row in _until_full(readers, count + len(columns))]
    optional = [place for place, column in enumerate(columns) if may_be_null(column)]
    for row, place in zip(reversed(rows), optional, strict=False):
        row[place] = None
    return rows


def _with_parents(said: Callable[[int], Cell], key: Callable[[int], Cell]) -> Callable[[int], Cell]:
    return lambda row: None if said(row) is None else key(row)


def may_be_null(column: ColumnDefinition) -> bool:
    """Whether kroft would make NULL in it."""
    return column.nullable and not column.filled and not column.samples


def _until_full(readers: Sequence[Callable[[int], Cell]], count: int) -> Iterator[list[Cell]]:
    for number in range(1, count + 1):
        try:
            yield [read(number) for read in readers]
        except _Full:
            return


class _Full(Exception):
    """A unique column has no more values."""


def _cells(
    table: TableDefinition, column: ColumnDefinition, labels: Labels, *, unique: bool, seed: int = 0
) -> Callable[[int], Cell]:
    """The cell of each row number."""
    born = Birth(table.name)
    if column.generator is not None:
        made = column_values(seed, born, Birth(column.name), column, column.type, unique=unique)
        return made.text
    key = column_key(seed, born, Birth(column.together or column.name))
    if column.samples:
        some = samples(column.samples, key)
        return _read(some.draw, some.count, some.capacity, key, unique=unique, optional=False)
    condition = parse_condition(column.check, column.name)
    found = labels.get(column.sql_type, ())
    maker = _maker(Request(column.type, column.name, condition, found, column.style))
    return _read(maker.draw, maker.count, maker.capacity, key, unique=unique, optional=may_be_null(column))


# A table is drafted some dozen times, and a maker of texts prepares hundreds of phrases.
_maker = lru_cache(maxsize=512)(make)


def _read(
    draw: Callable[[int], Cell],
    count: Callable[[int, int], Cell],
    capacity: int | None,
    key: int,
    *,
    unique: bool,
    optional: bool,
) -> Callable[[int], Cell]:
    def cell(row: int) -> Cell:
        bits = mix(key, row)
        if unique and capacity is not None and row > capacity:
            raise _Full
        if optional and bits < _NULLS:
            return None
        return count(row - 1, bits) if unique else draw(scramble(bits) if optional else bits)

    return cell


def cells_for(
    table: TableDefinition, column: ColumnDefinition, text: str, labels: Labels, *, many: bool
) -> list[Cell]:
    """The cells of one column that a rule with this text might accept, the likelier ones first.

    ``many`` asks for hundreds of different ones, for a column that must not repeat.
    """
    count = _MANY if many else _GENERATED
    found: list[Cell] = list(_constants(column.type, text))
    generated = _generated(table, column, labels, count, unique=many)
    usual = [*labels.get(column.sql_type, ()), *_usual(column, text, _MANY if many else 4 * _GENERATED)]
    # In turns, so that neither takes the places of the other where only so many are tried.
    for pair in zip_longest(generated, usual):
        found += (cell for cell in pair if cell is not None)
    nothing: list[Cell] = [None] if column.nullable else []
    return list(dict.fromkeys(found + nothing))


def _constants(sql_type: SqlType, text: str) -> Iterator[str]:
    """The constants of a rule's text that the type can hold, and what lies next to them."""
    quoted = [constant.replace("''", "'") for constant in _STRING.findall(text)]
    for constant in dict.fromkeys([*quoted, *_NUMBER.findall(_STRING.sub(" ", text))]):
        for near in (constant, *_beside(sql_type, constant)):
            try:
                yield canonical(sql_type, near)
            except KroftError:
                continue


def _beside(sql_type: SqlType, constant: str) -> list[str]:
    try:
        if sql_type.name in _NUMBERS:
            return [str(Decimal(constant) + 1), str(Decimal(constant) - 1)]
        if sql_type.name in ("date", "timestamp", "timestamptz"):
            day, rest = date.fromisoformat(constant[:10]), constant[10:]
            return [str(day + timedelta(step)) + rest for step in (1, -1)]
    except (InvalidOperation, ValueError, OverflowError):
        pass
    return []


def _generated(
    table: TableDefinition, column: ColumnDefinition, labels: Labels, count: int, *, unique: bool
) -> list[Cell]:
    try:
        read = _cells(table, column, labels, unique=unique)
        return [cell for (cell,) in _until_full([read], count) if cell is not None]
    except KroftError:
        return []


def _usual(column: ColumnDefinition, text: str, count: int) -> Iterator[Cell]:
    """Values that rules often ask for: of each style, of regular expressions, edges."""
    sql_type = column.type
    yield from _USUAL.get(sql_type.name, ())
    if sql_type.name in _NUMBERS and not sql_type.array:
        yield from _constants(sql_type, "0, 1, -1, 2, 10, 100, 1000")
    longest = (sql_type.modifiers or (_LONGEST,))[0]
    if sql_type.name in _TEXTS and not sql_type.array:
        yield from (found for found in _matching(text, count) if len(found) <= longest)
        yield from ("", "a", "A", "0", "x" * min(longest, _LONGEST))
    for style in styles_for(sql_type):
        maker = make(Request(sql_type, column.name, style=style))
        yield from (maker.draw(scramble(number)) for number in range(2))


def _matching(text: str, count: int) -> Iterator[str]:
    """Texts that the patterns in a rule's text match, the plainer ones first."""
    if not _PATTERN.search(text):
        return
    for constant in dict.fromkeys(_STRING.findall(text)):
        pattern = constant.replace("''", "'")
        if "%" in pattern or "_" in pattern:
            yield pattern.replace("%", "abc").replace("_", "a")
        yield from texts_of(pattern, count)


def combinations(cells: Sequence[Sequence[Cell]], limit: int) -> list[tuple[Cell, ...]]:
    """Tuples of one cell for each column: every choice of NULLs, equal cells, then all by rank."""
    found: dict[tuple[Cell, ...], None] = {}
    # There may be millions of them: no more are made than are wanted.
    for one in _combined(cells, limit):
        found[one] = None
        if len(found) == limit:
            break
    return list(found)


def _combined(cells: Sequence[Sequence[Cell]], limit: int) -> Iterator[tuple[Cell, ...]]:
    filled = [[cell for cell in column if cell is not None] for column in cells]
    choices: list[list[Cell]] = [
        [*([None] if None in column else []), *some[:1]] for column, some in zip(cells, filled, strict=True)
    ]
    yield from islice(product(*choices), limit // 4)
    shared = [cell for cell in filled[0] if all(cell in other for other in filled)]
    yield from ((cell,) * len(cells) for cell in shared[: limit // 8])
    yield from islice(_rising(filled), limit // 2)
    yield from _by_rank(cells)


def _rising(cells: Sequence[Sequence[Cell]]) -> Iterator[tuple[Cell, ...]]:
    """Numbers in order, each used once: pairs of them are intervals that do not overlap."""
    try:
        numbers = sorted({Decimal(str(cell)) for cell in set(cells[0]).union(*cells[1:])})
    except InvalidOperation:
        return
    size = len(cells)
    known = {Decimal(str(cell)): cell for column in cells for cell in column}
    for place in range(0, len(numbers) - size + 1, size):
        yield tuple(known[number] for number in numbers[place : place + size])


def _by_rank(cells: Sequence[Sequence[Cell]]) -> Iterator[tuple[Cell, ...]]:
    """The product, the tuples whose cells stand further in front first."""
    for rank in range(sum(len(column) - 1 for column in cells) + 1):
        for places in _places([len(column) for column in cells], rank):
            yield tuple(column[place] for column, place in zip(cells, places, strict=True))


def _places(sizes: Sequence[int], rank: int) -> Iterator[tuple[int, ...]]:
    """The places below the sizes that add up to ``rank``."""
    if len(sizes) == 1:
        if rank < sizes[0]:
            yield (rank,)
        return
    for first in range(min(rank, sizes[0] - 1) + 1):
        yield from ((first, *rest) for rest in _places(sizes[1:], rank - first))


def thinned(found: Iterable[tuple[Cell, ...]], count: int) -> list[tuple[Cell, ...]]:
    """At most so many of them, taken from everywhere."""
    every = list(found)
    if len(every) <= count:
        return every
    return [every[place * len(every) // count] for place in range(count)]
