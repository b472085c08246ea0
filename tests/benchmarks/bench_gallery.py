"""The gallery: what finding each planted mistake takes, and a thousand histories for each correct consumer.

Run it with `tox -e bench`. It takes a while: five Hypothesis seeds for each mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import pytest

from pytest_kroft.model.describe import describe
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.search import find
from pytest_kroft.server import KroftServer, start_server
from tests.gallery.catalogue import BUGS, TWINS, Bug, policy_of
from tests.gallery.definitions import DEFINITIONS
from tests.gallery.following import follow
from tests.gallery.search import SLACK, Found, search

SEEDS = range(5)
EXAMPLES = 1_000
HEADLINE = f"{'bug':<26} {'smallest':>8}   {'examples':<24} {'seconds':<30} steps"


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    with start_server(server.dsn()) as lending:
        yield lending


def line(bug: Bug, found: list[Found | None]) -> str:
    examples = " ".join(f"{one.examples:4}" if one else "   -" for one in found)
    seconds = " ".join(f"{one.seconds:5.1f}" if one else "    -" for one in found)
    steps = " ".join(f"{one.steps:2}" if one else " -" for one in found)
    return f"{bug.name:<26} {bug.smallest:>8}   {examples:<24} {seconds:<30} {steps}"


def test_each_mistake_is_found_and_shrunk(lender: KroftServer) -> None:
    print(f"\n{HEADLINE}")
    failed = []
    for bug in BUGS:
        found = [search(lender, bug, seed) for seed in SEEDS]
        print(line(bug, found), flush=True)
        for seed, one in zip(SEEDS, found, strict=True):
            if one is None or one.steps > bug.smallest + SLACK:
                steps = [] if one is None else [f"    {describe(operation)}" for operation in one.history]
                failed.append("\n".join([f"{bug.name}, Hypothesis seed {seed}", *steps]))
    assert not failed, "\n".join(failed)


def test_no_correct_consumer_fails(lender: KroftServer) -> None:
    print(f"\n{'correct consumer':<26} examples   seconds")
    for twin in TWINS:
        began = perf_counter()
        with lender.database(*DEFINITIONS, seed=1, policy=policy_of(twin)) as db:
            outcome = find(lender, db, lambda: follow(db, twin), max_examples=EXAMPLES, hypothesis_seed=0)  # noqa: B023
        print(f"{twin.__name__:<26} {outcome.examples:>8} {perf_counter() - began:9.1f}", flush=True)
        assert outcome.smallest is None, f"{outcome.smallest.error}\n{outcome.smallest.history}"
