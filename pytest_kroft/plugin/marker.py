"""The marker: what a test asks for, and which seed it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pytest_kroft.plugin.options import BASE_SEED, SEED_IS_GIVEN, checked_seed

MARKER = "kroft"
MARKER_ARGUMENTS = ("rows", "policy", "seed", "max_examples", "hazards", "clock", "adopt")

TEST_ID = pytest.StashKey[str]()
REPLAYED = pytest.StashKey[Any]()
"""The ``History`` that a test is run on, where a file gives it one."""
REPORTED = pytest.StashKey[bool]()
"""Whether a failed test has had its say, so that no section is needed any more."""
REFUSED = pytest.StashKey[str]()
"""Why no test is run: what was asked for on the command line or by a marker is not there."""


@dataclass(frozen=True)
class Request:
    """What a test's marker asks for."""

    tables: tuple[Any, ...] = ()
    rows: int = 0
    policy: Any = None
    seed: int | None = None
    max_examples: int = 1
    hazards: Any = None
    clock: Any = "logical"
    adopt: Any = False

    @property
    def patterns(self) -> tuple[str, ...] | None:
        """The patterns of the tables to adopt, none for all of them; None where nothing is adopted."""
        if isinstance(self.adopt, bool) or self.adopt is None:
            return () if self.adopt else None
        return (self.adopt,) if isinstance(self.adopt, str) else tuple(self.adopt)


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
    if type(request.max_examples) is not int or request.max_examples < 1:
        raise pytest.UsageError(
            f"{where}: max_examples must be a whole number of 1 or more, not {request.max_examples!r}"
        )
    own = marker in item.own_markers
    if own and request.max_examples > 1 and "kroft_db" not in getattr(item, "fixturenames", ()):
        raise pytest.UsageError(
            f"{where}: max_examples searches what happens to kroft_db, which the test does not ask for"
        )
    if request.clock not in ("logical", "server"):
        raise pytest.UsageError(f"{where}: clock must be 'logical' or 'server', not {request.clock!r}")
    _check_adopt(request.adopt, where)
    if request.seed is not None:
        checked_seed(request.seed, f"{where}: seed")
    return request


def _check_adopt(adopt: Any, where: str) -> None:
    plain = adopt is None or isinstance(adopt, bool | str)
    if not plain and not (isinstance(adopt, list | tuple) and all(isinstance(one, str) for one in adopt)):
        raise pytest.UsageError(
            f"{where}: adopt must be True, or names of tables such as ['orders', 'billing.*'], not {adopt!r}"
        )


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


def policy_of(item: pytest.Item) -> Any:
    """The policy that a test's marker names, None where it names none; raises UsageError."""
    definitions_of(item)
    from pytest_kroft.planning.policy import as_policy

    named = asked_of(item).policy
    return None if named is None else as_policy(named)


def test_id(item: pytest.Item) -> str:
    """The node id without what pytest-xdist appends to it."""
    return item.stash.get(TEST_ID, item.nodeid)


def is_searched(item: pytest.Item) -> bool:
    """Whether Hypothesis searches for a history that makes a test fail; a replay has its history."""
    searched = asked_of(item).max_examples > 1 and "kroft_db" in getattr(item, "fixturenames", ())
    return searched and REPLAYED not in item.stash


def test_seed(item: pytest.Item) -> int:
    """The seed of a test: its marker's, or one derived from the base seed and the node id.

    A search varies the histories itself: unless --kroft-seed is given its values are always the same, so
    that a failure which Hypothesis remembers from another run is still one.
    """
    from pytest_kroft.model.choices import derive_seed

    given = asked_of(item).seed
    return derive_seed(base_seed_of(item), test_id(item)) if given is None else given


def base_seed_of(item: pytest.Item) -> int:
    """The base seed that a test's own is derived from."""
    given = item.config.stash[SEED_IS_GIVEN] or not is_searched(item)
    return item.config.stash[BASE_SEED] if given else 0
