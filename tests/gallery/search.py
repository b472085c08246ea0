"""The search for one mistake, as the gallery's tests and its benchmark make it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from pytest_kroft.model.operations import Operation
from pytest_kroft.search import find
from pytest_kroft.server import KroftServer
from tests.gallery.catalogue import Bug
from tests.gallery.definitions import DEFINITIONS
from tests.gallery.following import follow

MAX_EXAMPLES = 200
SLACK = 1
"""By how many operations the smallest history that is found may be longer than the smallest known one."""


@dataclass(frozen=True)
class Found:
    """A mistake was found at this example; the smallest history after the tables were made."""

    examples: int
    seconds: float
    history: tuple[Operation, ...]
    error: BaseException

    @property
    def steps(self) -> int:
        """The number of its operations, syncs counted."""
        return len(self.history)


def search(server: KroftServer, bug: Bug, hypothesis_seed: int) -> Found | None:
    """Search for a mistake under its policy, and shrink what is found; None where nothing is."""
    with server.database(*DEFINITIONS, seed=1, policy=bug.policy) as db:
        made, began = len(db.history), perf_counter()
        outcome = find(
            server,
            db,
            lambda: follow(db, bug.consumer),
            max_examples=MAX_EXAMPLES,
            hypothesis_seed=hypothesis_seed,
        )
        seconds = perf_counter() - began
    if outcome.found is None or outcome.smallest is None:
        return None
    smallest = outcome.smallest
    return Found(outcome.found.example, seconds, tuple(smallest.history)[made:], smallest.error)
