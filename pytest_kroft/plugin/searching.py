"""Tests that Hypothesis searches: ``max_examples`` in the marker."""

from __future__ import annotations

import inspect
from bdb import BdbQuit
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.unittest import TestCaseFunction

from pytest_kroft.plugin.fixtures import told_plainly
from pytest_kroft.plugin.marker import REPLAYED, REPORTED, asked_of, is_searched, test_id, test_seed
from pytest_kroft.plugin.options import SEED_IS_GIVEN

if TYPE_CHECKING:
    from pytest_kroft.search import Search

SEARCH = pytest.StashKey["Search"]()
FAILURES = (Exception, SystemExit, pytest.fail.Exception)
STOPS = (pytest.exit.Exception, BdbQuit)
"""What ends the whole run: a wish of the test, or of the person at the debugger."""
_FLAKY = (
    "kroft: the test failed on a history, and passed when it was run on the same one again: it depends on "
    "something else than the database, such as the time, the order of a set or another thread"
)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Have Hypothesis call the test's function, and raise the failure of the smallest history.

    Before Hypothesis's own hook, which then sees a test that it knows how to run.
    """
    __tracebackhide__ = True
    if REPLAYED in item.stash:
        with _told_where_it_diverged(item):
            return (yield)
    if not isinstance(item, pytest.Function) or not is_searched(item):
        return (yield)
    from pytest_kroft.search import shrinks

    body = item.obj
    search = item.stash[SEARCH] = _made(item)
    item.obj = _wrapped(item, search, body)
    try:
        return (yield)
    except STOPS:
        raise
    except FAILURES as error:
        raise _shown(search, error, shrinks=shrinks(body)) from None
    finally:
        item.obj = body


@contextmanager
def _told_where_it_diverged(item: pytest.Item) -> Iterator[None]:
    """A test that makes other calls than its history fails with that sentence, and with nothing else."""
    from pytest_kroft.errors import HistoryDiverged

    try:
        yield
    except HistoryDiverged as error:
        item.stash[REPORTED] = True
        raise pytest.fail.Exception(f"kroft: {error}", pytrace=False) from None


def check_searchable(item: pytest.Item) -> None:
    """Raise UsageError where a test with ``max_examples`` is of a kind that cannot be searched."""
    from hypothesis import is_hypothesis_test

    body = getattr(item, "obj", None)
    if inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body):
        reason = "a coroutine function; call asyncio.run(...) in a plain one"
    elif isinstance(item, TestCaseFunction):
        reason = "a method of a unittest class; write a function, or a class without that base"
    elif is_hypothesis_test(body):
        reason = "a test of Hypothesis already; hold @given or max_examples, not both"
    elif "subtests" in getattr(item, "fixturenames", ()):
        reason = "a test with subtests, whose failures go past the search; assert in the test itself"
    else:
        return
    raise pytest.UsageError(f"{test_id(item)}: @pytest.mark.kroft: max_examples cannot search {reason}")


def _made(item: pytest.Function) -> Search:
    """The search of a test; what its fixtures did to the database belongs to each of its examples."""
    from pytest_kroft.search import Search

    database: Any = item.funcargs["kroft_db"]
    watched: Any = item.funcargs.get("kroft_hazard")
    server: Any = item.funcargs["kroft_server"]
    with told_plainly():
        return Search(
            server, database, FAILURES, passes=(pytest.xfail.Exception,), stops=STOPS, watched=watched
        )


def _wrapped(item: pytest.Function, search: Search, body: Any) -> Any:
    from pytest_kroft.search import searched, settings_for

    # Hypothesis's own plugin may be turned off, and with it the option.
    of_hypothesis = item.config.getoption("--hypothesis-seed", default=None)
    fixed = item.config.stash[SEED_IS_GIVEN] and of_hypothesis is None
    return searched(
        search,
        body,
        settings_for(body, asked_of(item).max_examples),
        key=_key(item, body),
        hypothesis_seed=test_seed(item) if fixed else None,
    )


def _key(item: pytest.Item, body: Any) -> bytes:
    """What tells this test from others in Hypothesis's database: its name and its text."""
    try:
        text = inspect.getsource(body)
    except (OSError, TypeError):
        text = ""
    return blake2b(f"{test_id(item)}\n{text}".encode(), digest_size=16).digest()


def _shown(search: Search, error: BaseException, *, shrinks: bool) -> BaseException:
    """The error that the smallest history ends in, with what Hypothesis says of how to find it again."""
    from hypothesis.errors import Flaky

    from pytest_kroft.errors import KroftError

    if isinstance(error, Flaky):
        error.add_note(_FLAKY)
    if search.smallest is None or isinstance(error, Flaky) or not shrinks:
        return error
    try:
        smallest = search.minimise()
    except (KroftError, LookupError, TypeError, ValueError) as ours:
        error.add_note(f"kroft: the failure could not be made smaller: {type(ours).__name__}: {ours}")
        return error
    for note in getattr(error, "__notes__", ()):
        if "@reproduce_failure" in note and note not in getattr(smallest, "__notes__", ()):
            smallest.add_note(note)
    return smallest
