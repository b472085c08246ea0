"""Each mistake is found, and shrunk to hardly more than the smallest known history.

One Hypothesis seed here; the benchmark takes five and prints the table.
"""

from __future__ import annotations

import pytest

from pytest_kroft.model.describe import describe
from pytest_kroft.server import KroftServer
from tests.gallery.catalogue import BUGS, Bug
from tests.gallery.search import SLACK, search


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_mistake_is_found_and_shrunk(lender: KroftServer, bug: Bug) -> None:
    found = search(lender, bug, hypothesis_seed=0)
    assert found is not None, f"not found under {bug.policy.name}"
    steps = "\n".join(map(describe, found.history))
    assert found.steps <= bug.smallest + SLACK, f"{steps}\n{found.error}"
