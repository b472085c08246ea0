"""The smallest known history of each mistake: the consumer that makes it fails, its correct twin passes."""

from __future__ import annotations

import psycopg
import pytest

from pytest_kroft.errors import Mismatch
from tests.conftest import MakeDB
from tests.gallery.catalogue import BUGS, Bug
from tests.gallery.definitions import DEFINITIONS
from tests.gallery.following import follow_history

FAILURES = (Mismatch, psycopg.Error, ValueError)
each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


@each_bug
def test_the_mistake_shows(make_db: MakeDB, bug: Bug) -> None:
    db = make_db(*DEFINITIONS)
    with pytest.raises(FAILURES):
        follow_history(db, bug.consumer, bug.history)
    # It takes all of the history: at an earlier sync nothing is wrong yet.
    made = len(db.history) - bug.smallest
    assert tuple(db.history)[made:] == bug.history


@each_bug
def test_the_correct_twin_passes(make_db: MakeDB, bug: Bug) -> None:
    follow_history(make_db(*DEFINITIONS), bug.twin, bug.history)


def test_each_mistake_is_one_change_to_its_twin() -> None:
    for bug in BUGS:
        assert bug.twin in bug.consumer.__bases__
        changed = [name for name in vars(bug.consumer) if not name.startswith("__")]
        assert 1 <= len(changed) <= 2, bug.name  # a method, and what it remembers


def test_names_are_unique_and_hazards_are_searched_for() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    for bug in BUGS:
        assert bug.policy.allows(*bug.hazards), bug.name
