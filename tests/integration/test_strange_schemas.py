"""A schema of strange tables is adopted, filled, changed and evolved, and the state stays exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_kroft.adopting import Adopted
from pytest_kroft.database import KroftDB
from pytest_kroft.model.state import ColumnState
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import start_server

STRANGE = Path(__file__).with_name("strange.sql")
SEEDS = (1, 2)
ROWS, STEPS = 6, 30

LEFT_OUT = {
    "gen_only": "the server computes all of its columns, so that there is nothing to insert",
    "nocols": "it has no columns",
}
EMPTY = {"neverr", "child_of_never"}


@pytest.fixture(params=SEEDS)
def db(request: pytest.FixtureRequest, server: EmbeddedServer) -> Iterator[KroftDB]:
    with (
        start_server(server.dsn()) as started,
        started.database(seed=request.param, policy="everything", load=str(STRANGE)) as made,
    ):
        yield made


@pytest.fixture
def adopted(db: KroftDB) -> Adopted:
    return db.adopt()


def test_all_are_filled_changed_and_evolved(db: KroftDB, adopted: Adopted) -> None:
    assert adopted.left_out == LEFT_OUT
    assert adopted.closed.keys() == {"neverr"}
    short = db.fill(ROWS)
    assert {name for name in db.state.tables if not db.state.table(name).rows} == EMPTY
    assert short.keys() >= EMPTY
    assert db.verify()
    for _ in range(STEPS):
        db.mutations.mutate(count=3)
        for _ in range(4):
            db.evolution.evolve()
    assert db.evolution.summary().keys() > {"create_table", "add_column"}
    assert db.verify()


def column(db: KroftDB, table: str, name: str) -> ColumnState:
    return db.state.table(table).column(name)


def test_what_an_exclude_says_of_more_than_its_columns_keeps_these(db: KroftDB, adopted: Adopted) -> None:
    assert column(db, "quick", "v").definition.used_by == 'constraint "quick_valid_excl" needs it'
    assert column(db, "quick", "valid").definition.used_by is None


def test_a_column_refers_to_two_tables(db: KroftDB, adopted: Adopted) -> None:
    assert {key.definition.table for key in db.state.table("fk2").foreign_keys} == {"base", "stat"}
