"""Where every decision comes from: how many rows, which rows, which column, which operation next.

A planner asks a ``Choices``. The seeded one answers from a stream of numbers that a seed
determines; the asking one hands each question on as a whole number in a range, to a search such as
Hypothesis. Zero, the first item and the empty sample are the simplest answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

T = TypeVar("T")

SPAN = 256
"""The range that an item is drawn from by its remainder, where there are no more items than that."""
MANY = 32
"""Larger samples are not drawn item by item: a search takes only so many numbers for one example."""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Choices(Protocol):
    """Answers to a planner's questions."""

    @property
    def searches(self) -> bool:
        """Whether something searches for answers: then few and small steps are better than a rhythm."""

    def integer(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""

    def chance(self, probability: float) -> bool:
        """True with the given probability."""

    def one_of(self, items: Sequence[T]) -> T:
        """One of the items, of which there must be at least one."""

    def sample(self, items: Sequence[T], count: int) -> tuple[T, ...]:
        """``count`` different items, in their order; all of them where there are fewer."""


def derive_seed(seed: int, *path: object) -> int:
    """A 63-bit seed for one part of the work, from a seed and the part's name.

    The name's parts are kept apart, so that ``("ab", "c")`` and ``("a", "bc")`` differ.
    """
    text = "\x1f".join([str(seed), *map(str, path)])
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


class SeededChoices:
    """Answers drawn from a seed: a SplitMix64 stream.

    SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014. Our own few lines, because CPython promises only ``random()`` to be the same in
    every version.
    """

    searches = False

    def __init__(self, seed: int) -> None:
        self._state = derive_seed(seed, "choices")

    def _next(self) -> int:
        self._state = (self._state + _GOLDEN) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def integer(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included, for a range of up to 2**64 numbers.

        Raises ValueError for an empty range.
        """
        if high < low:
            raise ValueError(f"there is no whole number from {low} to {high}")
        return low + (self._next() * (high - low + 1) >> 64)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return (self._next() >> 11) / (1 << 53) < probability

    def one_of(self, items: Sequence[T]) -> T:
        """One of the items, each as likely as the others."""
        return items[self.integer(0, len(items) - 1)]

    def sample(self, items: Sequence[T], count: int) -> tuple[T, ...]:
        """``count`` different items in their order, each set as likely as the others.

        Selection sampling: D. E. Knuth, The Art of Computer Programming, volume 2, 3.4.2,
        algorithm S; for a small sample of many, indices are drawn until enough differ.
        """
        total = len(items)
        if count >= total:
            return tuple(items)
        if count * 4 < total:
            chosen: set[int] = set()
            while len(chosen) < count:
                chosen.add(self.integer(0, total - 1))
            return tuple(items[index] for index in sorted(chosen))
        picked: list[T] = []
        for index, item in enumerate(items):
            if self.integer(1, total - index) <= count - len(picked):
                picked.append(item)
        return tuple(picked)


class AskingChoices:
    """Answers made of whole numbers that something else draws, of which 0 is the simplest.

    A number means the same whatever was drawn before it: items go by its remainder, and are not counted
    first. So a search that leaves one decision out does not change what the ones behind it mean.

    Args:
        ask: Gives a whole number from its first argument to its second, both included.
    """

    searches = True

    def __init__(self, ask: Callable[[int, int], int]) -> None:
        self._ask = ask

    def integer(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included; ``low`` is the simplest."""
        return self._ask(low, high)

    def chance(self, probability: float) -> bool:
        """True with the given probability, to the hundredth; False is simpler."""
        return self._ask(0, 99) >= 100 - round(probability * 100)

    def one_of(self, items: Sequence[T]) -> T:
        """One of the items; the first is the simplest."""
        return items[self._index(len(items))]

    def sample(self, items: Sequence[T], count: int) -> tuple[T, ...]:
        """``count`` different items in their order; a large sample is drawn as one seed."""
        if count >= len(items):
            return tuple(items)
        if count > MANY:
            return SeededChoices(self._ask(0, 1 << 32)).sample(items, count)
        left = list(range(len(items)))
        chosen = [left.pop(self._index(len(left))) for _ in range(count)]
        return tuple(items[index] for index in sorted(chosen))

    def _index(self, count: int) -> int:
        return self._ask(0, max(SPAN, count) - 1) % count


class TurnableChoices:
    """Hands every question on to another ``Choices``, which may change: each example of a search has one."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    @property
    def searches(self) -> bool:
        """The other's answer."""
        return self._choices.searches

    def turn_to(self, choices: Choices) -> None:
        """Hand the questions on to another one from now on."""
        self._choices = choices

    def integer(self, low: int, high: int) -> int:
        """The other's answer."""
        return self._choices.integer(low, high)

    def chance(self, probability: float) -> bool:
        """The other's answer."""
        return self._choices.chance(probability)

    def one_of(self, items: Sequence[T]) -> T:
        """The other's answer."""
        return self._choices.one_of(items)

    def sample(self, items: Sequence[T], count: int) -> tuple[T, ...]:
        """The other's answer."""
        return self._choices.sample(items, count)
