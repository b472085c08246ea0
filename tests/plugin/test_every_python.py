"""What a seed decides is the same on every Python; `pytest -m every_python` asks the others."""

from __future__ import annotations

from hashlib import blake2b

import pytest

from tests.definitions import drive, timeline


@pytest.mark.every_python
def test_every_python_gives_the_same_history() -> None:
    # A change of a planner or a generator changes the digest, and every history that users repeat by seed.
    made = drive(timeline(seed=20, rows=6), 120, "everything", seed=20)
    digest = blake2b("\n".join(made.history.lines()).encode(), digest_size=16).hexdigest()
    assert digest == "323407e0d783b4498b874c9a125ef527"
