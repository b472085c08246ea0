"""What is settled once pytest knows all tests: their names, what they ask for, whose history is replayed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_kroft.plugin.marker import MARKER, REFUSED, TEST_ID, definitions_of, is_searched
from pytest_kroft.plugin.replaying import assign_replay
from pytest_kroft.plugin.searching import check_searchable


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the name of each test, and refuse a marker or a replay that asks for something unknown."""
    for item in items:
        # Under --dist=loadgroup pytest-xdist appends the group to it, in this same hook.
        item.stash[TEST_ID] = item.nodeid
    for item in items:
        if item.get_closest_marker(MARKER):
            with _refused_by_tests(config, [item]):
                _check_marker(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Give the history that is replayed to its test, once it is known which tests are selected."""
    with _refused_by_tests(session.config, session.items):
        assign_replay(session.config, session.items)


@contextmanager
def _refused_by_tests(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """An error would break a worker: there the tests themselves fail, with the same sentence."""
    try:
        yield
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        for item in items:
            item.stash[REFUSED] = str(error)


def _check_marker(item: pytest.Item) -> None:
    definitions_of(item)
    # Hypothesis's own plugin, which registers the marker, may be turned off.
    known = any(line.startswith("hypothesis:") for line in item.config.getini("markers"))
    if is_searched(item):
        check_searchable(item)
    if is_searched(item) and known:
        # For -m hypothesis: Hypothesis itself sees only later that it runs this one.
        item.add_marker("hypothesis")
