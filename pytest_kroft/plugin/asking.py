"""Who asks for a database: the test that runs, or a fixture of a wider scope that is being set up."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from pytest_kroft.plugin.fixtures import SERVER, told_plainly
from pytest_kroft.plugin.marker import test_id, test_seed
from pytest_kroft.plugin.options import BASE_SEED

Node = pytest.Item | pytest.Collector


@dataclass(frozen=True)
class Owner:
    """The fixture of a wider scope that opened a database, and the test for which it was set up first."""

    fixture: str
    node: pytest.Collector
    test: Node | None


ASKING = pytest.StashKey[Node]()
OWNERS = pytest.StashKey["WeakKeyDictionary[Any, Owner]"]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Note which test runs, for databases that its own fixtures ask for."""
    _asks(item.config, item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Note that a fixture of a wider scope asks: which test comes first must not decide what it gets."""
    node, config = request.node, request.config
    if isinstance(node, pytest.Item):
        return (yield)
    asked_before, opened_before = config.stash.get(ASKING, None), _opened(config)
    _asks(config, node)
    try:
        return (yield)
    finally:
        new = [database for database in _opened(config) if database not in opened_before]
        _note(config, new, Owner(fixturedef.argname, node, asked_before))
        if asked_before is not None:
            _asks(config, asked_before)


def _asks(config: pytest.Config, node: Node) -> None:
    """Tell the server, where there is one, who asks now: its databases take that node's seed and name."""
    config.stash[ASKING] = node
    server = config.stash.get(SERVER, None)
    if server is not None:
        with told_plainly():
            server.seed = seed_of(node)
            server.test = test_id(node) if isinstance(node, pytest.Item) else node.nodeid or None


def seed_of(node: Node) -> int:
    """The seed of a test, or that of the fixtures of a class, a module, a package or the session."""
    if isinstance(node, pytest.Item):
        return test_seed(node)
    from pytest_kroft.model.choices import derive_seed

    return derive_seed(node.config.stash[BASE_SEED], node.nodeid)


def owner_of(config: pytest.Config, database: Any) -> Owner | None:
    """The fixture of a wider scope that opened a database; None for one that a test opened."""
    known = config.stash.get(OWNERS, None)
    return known.get(database) if known is not None else None


def _note(config: pytest.Config, databases: Iterable[Any], owner: Owner) -> None:
    known = config.stash.setdefault(OWNERS, WeakKeyDictionary())
    for database in databases:
        # A fixture that another one asked for while it was set up has been noted before.
        known.setdefault(database, owner)


def _opened(config: pytest.Config) -> tuple[Any, ...]:
    server = config.stash.get(SERVER, None)
    return server.opened if server is not None else ()
