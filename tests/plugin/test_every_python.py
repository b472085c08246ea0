"""What a seed decides is the same on every Python; `pytest -m every_python` asks the others."""

from __future__ import annotations

from hashlib import blake2b

import pytest

from pytest_kroft.model.choices import SeededChoices, derive_seed
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import CreateTable, CreateType
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy

DIGEST = "a9839ebbc80a6f26866295e83611787a"
STEPS = 60

LEVEL = EnumDefinition("level", ["low", "high"])
TYPES = (
    "integer", "numeric(10,2)", "double precision", "boolean", "date", "timestamptz", "interval", "uuid",
    "bytea", "text", "jsonb", "integer[]", "int4range", "tstzmultirange", "inet", "bit(5)", "level",
)  # fmt: skip
PLAIN = TableDefinition(
    "plain",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        # No name here is one that Faker has data for: its releases change that.
        *(ColumnDefinition(f"v{place}", name) for place, name in enumerate(TYPES)),
        *(ColumnDefinition(f"r{place}", name, reserved=True) for place, name in enumerate(TYPES)),
        ColumnDefinition("updated_at", "timestamptz"),
    ],
    updated_at="updated_at",
)
CHILD = TableDefinition(
    "child",
    [ColumnDefinition("id", "uuid", primary_key=True), ColumnDefinition("p", "bigint", references="plain")],
)


def history(seed: int) -> History:
    """What a seed makes of the two tables under the widest policy."""
    made = Timeline(seed)
    policy, choices = EvolutionPolicy.named("everything"), SeededChoices(seed)
    mutations, evolution = MutationEngine(made, choices, policy), EvolutionController(made, choices, policy)
    made.apply(CreateType(LEVEL))
    for table in (PLAIN, CHILD):
        made.apply(CreateTable(table))
        mutations.insert(table.name, 8)
    for _ in range(STEPS):
        mutations.mutate(count=4)
        evolution.evolve()
    return made.history


@pytest.mark.every_python
def test_every_python_gives_the_same_history() -> None:
    made = [history(derive_seed(20, "tests/test_it.py::test_it[Zoë]", place)) for place in range(3)]
    assert len({type(operation) for one in made for operation in one}) > 12
    text = "\n".join(line for one in made for line in one.lines())
    # A change of a planner or a generator changes the digest, and every history that users repeat by seed.
    assert blake2b(text.encode(), digest_size=16).hexdigest() == DIGEST
