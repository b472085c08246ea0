"""The marker: what a test asks for, and which seed it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pytest_kroft.plugin.options import BASE_SEED, checked_seed

MARKER = "kroft"
MARKER_ARGUMENTS = ("rows", "policy", "seed", "clock")

TEST_ID = pytest.StashKey[str]()


@dataclass(frozen=True)
class Request:
    """What a test's marker asks for."""

    tables: tuple[Any, ...] = ()
    rows: int = 0
    policy: Any = None
    seed: int | None = None
    clock: Any = "logical"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the name of each test, and refuse a marker that asks for something unknown."""
    for item in items:
        # Under --dist=loadgroup pytest-xdist appends the group to it, in this same hook.
        item.stash[TEST_ID] = item.nodeid
    if hasattr(config, "workerinput"):
        # An error here would break the worker: there the test itself fails, with the same sentence.
        return
    for item in items:
        if item.get_closest_marker(MARKER):
            definitions_of(item)


def asked_of(item: pytest.Item) -> Request:
    """What the test's closest marker asks for; raises UsageError for an argument that it does not take."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return Request()
    where = f"{test_id(item)}: @pytest.mark.kroft"
    unknown = [name for name in marker.kwargs if name not in MARKER_ARGUMENTS]
    if unknown:
        known = ", ".join(f"{name}=" for name in MARKER_ARGUMENTS)
        raise pytest.UsageError(
            f"{where} takes no {unknown[0]!r}; it takes tables, by name or as definitions, and {known}"
        )
    request = Request(marker.args, **marker.kwargs)
    if isinstance(request.rows, bool) or not isinstance(request.rows, int) or request.rows < 0:
        raise pytest.UsageError(f"{where}: rows must be a whole number of 0 or more, not {request.rows!r}")
    if request.clock not in ("logical", "server"):
        raise pytest.UsageError(f"{where}: clock must be 'logical' or 'server', not {request.clock!r}")
    if request.seed is not None:
        checked_seed(request.seed, f"{where}: seed")
    return request


def definitions_of(item: pytest.Item) -> tuple[Any, ...]:
    """The definitions that a test's marker means; raises UsageError for unknown names and policies."""
    from pytest_kroft.errors import DefinitionError
    from pytest_kroft.model.registry import default_registry
    from pytest_kroft.model.tables import EnumDefinition, TableDefinition
    from pytest_kroft.planning.policy import as_policy

    request, where = asked_of(item), f"{test_id(item)}: @pytest.mark.kroft"
    for table in request.tables:
        if not isinstance(table, str | TableDefinition | EnumDefinition):
            raise pytest.UsageError(f"{where} takes tables, by name or as definitions, not {table!r}")
    try:
        as_policy(request.policy)
        return default_registry.resolve(*request.tables)
    except DefinitionError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
    except TypeError:
        allowed = "the name of one, an EvolutionPolicy or a set of hazards"
        raise pytest.UsageError(f"{where}: policy must be {allowed}, not {request.policy!r}") from None


def test_id(item: pytest.Item) -> str:
    """The node id without what pytest-xdist appends to it."""
    return item.stash.get(TEST_ID, item.nodeid)


def test_seed(item: pytest.Item) -> int:
    """The seed of a test: its marker's, or one derived from the base seed and the node id."""
    from pytest_kroft.model.choices import derive_seed

    given = asked_of(item).seed
    return derive_seed(item.config.stash[BASE_SEED], test_id(item)) if given is None else given
