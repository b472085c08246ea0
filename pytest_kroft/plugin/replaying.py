"""A test run on exactly the history of a file: ``--kroft-replay``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kroft.plugin.marker import REPLAYED, test_id
from pytest_kroft.plugin.options import setting

if TYPE_CHECKING:
    from pytest_kroft.model.history import History


def assign_replay(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the history of ``--kroft-replay`` to its test; raises UsageError where that is not to be done."""
    given = setting(config, "replay")
    if not given:
        return
    history = _loaded(config.invocation_params.dir / given)
    using = [item for item in items if "kroft_db" in getattr(item, "fixturenames", ())]
    named = [item for item in using if test_id(item) == history.test]
    # A test may have another name by now; one alone cannot be mistaken.
    chosen = named or (using if len(using) == 1 else [])
    if not chosen:
        raise pytest.UsageError(
            f"--kroft-replay: the history belongs to {history.test or 'no test'}, which is not among the "
            f"{len(using)} selected tests that use kroft_db; select the one test that it is for"
        )
    chosen[0].stash[REPLAYED] = history


def _loaded(path: Path) -> History:
    from pytest_kroft.errors import HistoryError
    from pytest_kroft.model.history import History

    try:
        history = History.load(path)
    except HistoryError as error:
        raise pytest.UsageError(f"--kroft-replay: {error}") from None
    if not history.calls:
        raise pytest.UsageError(
            f"--kroft-replay: {path} does not say which calls of a test made it, as no test did; "
            "play it in a test with kroft_db.play(History.load(...))"
        )
    return history
