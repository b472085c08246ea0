"""What is settled once pytest knows all tests: their names, what they ask for, whose history is replayed."""

from __future__ import annotations

import pytest

from pytest_kroft.plugin.marker import MARKER, REFUSED, TEST_ID, definitions_of, is_searched
from pytest_kroft.plugin.replaying import assign_replay


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the name of each test, and refuse a marker or a replay that asks for something unknown."""
    for item in items:
        # Under --dist=loadgroup pytest-xdist appends the group to it, in this same hook.
        item.stash[TEST_ID] = item.nodeid
    try:
        _check(config, items)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        # An error here would break the worker: there the tests themselves fail, with the same sentence.
        for item in items:
            item.stash[REFUSED] = str(error)


def _check(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Hypothesis's own plugin, which registers the marker, may be turned off.
    known = any(line.startswith("hypothesis:") for line in config.getini("markers"))
    for item in items:
        if item.get_closest_marker(MARKER):
            definitions_of(item)
            if is_searched(item) and known:
                # For -m hypothesis: Hypothesis itself sees only later that it runs this one.
                item.add_marker("hypothesis")
    assign_replay(config, items)
