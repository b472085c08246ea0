"""What a user's generator is given, and how it is called so that the same address gives the same value."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from pytest_kroft.errors import GeneratorError

if TYPE_CHECKING:
    from faker import Faker

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cell:
    """One cell, as a user's generator sees it: where it is, and randomness that belongs to it alone.

    The value must follow from these alone, since it is asked for again: take what is random from
    ``random`` or ``faker`` here, never from the clock, the system (``uuid.uuid4``) or a counter.

    ``row`` counts from 1, ``revision`` from 0; ``now`` is the row's stamp (UTC); ``table`` and
    ``column`` are the names at birth; ``nullable`` says whether None is an answer.
    """

    table: str
    column: str
    row: int
    revision: int
    now: datetime
    nullable: bool
    address: int

    @cached_property
    def random(self) -> random.Random:
        """A ``random.Random`` of this cell; its ``random()`` is the same in every version of Python."""
        return random.Random(self.address)

    @cached_property
    def faker(self) -> Faker:
        """A Faker of this cell. It is one shared instance: take from it while the generator runs."""
        faker = _shared_faker()
        faker.seed_instance(self.address)
        # What ``faker.unique`` remembers would tie this cell to the ones asked for before it.
        faker.unique.clear()
        return faker


@lru_cache(maxsize=1)
def _shared_faker() -> Faker:
    from faker import Faker

    return Faker()


def instant(micros: int) -> datetime:
    """The moment so many microseconds after 1970-01-01 UTC, as an aware datetime."""
    return _EPOCH + timedelta(microseconds=micros)


def takes_cell(generator: Callable[..., Any], table: str, column: str) -> bool:
    """Whether a generator takes a cell, or nothing.

    A callable without a signature (some built-in ones) takes nothing, as does one whose parameters all
    have defaults. Raises GeneratorError for one that needs more than one argument.
    """
    try:
        parameters = inspect.signature(generator).parameters.values()
    except (TypeError, ValueError):
        return False
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind not in variable]
    if len(needed) > 1 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        names = ", ".join(parameter.name for parameter in needed)
        raise GeneratorError(table, column, f"it must take the cell, or nothing, but it needs: {names}")
    return bool(needed)


def call(generator: Callable[..., Any], cell: Cell, *, with_cell: bool) -> Any:
    """What the generator returns for a cell.

    A generator without arguments runs with the global ``random`` and Faker's shared one seeded for the
    cell; both are as they were afterwards. Raises what the generator raises.
    """
    if with_cell:
        return generator(cell)
    knew_faker = "faker" in sys.modules
    with _seeded(cell.address):
        value = generator()
    if not knew_faker and "faker" in sys.modules:  # it imported Faker only now, so that it ran unseeded
        with _seeded(cell.address):
            value = generator()
    return value


@contextmanager
def _seeded(address: int) -> Iterator[None]:
    sources: list[Any] = [random]
    if "faker" in sys.modules:
        from faker.generator import mod_random

        sources.append(mod_random)
    states = [source.getstate() for source in sources]
    try:
        for source in sources:
            source.seed(address)
        yield
    finally:
        for source, state in zip(sources, states, strict=True):
            source.setstate(state)
