"""No correct consumer ever fails under everything but what its family documents not to handle."""

from __future__ import annotations

import pytest

from pytest_kroft.search import find
from pytest_kroft.server import KroftServer
from tests.gallery.catalogue import TWINS, policy_of
from tests.gallery.consumers.source import Consumer
from tests.gallery.definitions import DEFINITIONS
from tests.gallery.following import follow

SEEDS = 4
EXAMPLES = 20
"""The benchmark tries 1,000."""

each_twin = pytest.mark.parametrize("twin", TWINS)


@each_twin
def test_a_correct_consumer_passes_seeded_histories(lender: KroftServer, twin: type[Consumer]) -> None:
    for seed in range(SEEDS):
        with lender.database(*DEFINITIONS, seed=seed, policy=policy_of(twin)) as db:
            follow(db, twin)


@each_twin
def test_a_correct_consumer_passes_searched_histories(lender: KroftServer, twin: type[Consumer]) -> None:
    with lender.database(*DEFINITIONS, seed=1, policy=policy_of(twin)) as db:
        outcome = find(lender, db, lambda: follow(db, twin), max_examples=EXAMPLES, hypothesis_seed=0)
    assert outcome.smallest is None, outcome.smallest
    assert outcome.examples >= EXAMPLES


@each_twin
def test_the_hazards_that_a_family_leaves_out_break_it(lender: KroftServer, twin: type[Consumer]) -> None:
    """What a family documents is kept minimal: it cannot do with any of them."""
    for hazard in sorted(twin.documented):
        with lender.database(*DEFINITIONS, seed=1, policy={hazard}) as db:
            outcome = find(lender, db, lambda: follow(db, twin), hypothesis_seed=0)
        assert outcome.smallest is not None, hazard
