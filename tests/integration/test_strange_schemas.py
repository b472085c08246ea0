"""A schema of strange tables is adopted, filled, changed and evolved, and the state stays exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_kroft.adopting import Adopted
from pytest_kroft.database import KroftDB
from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.operations import AddColumn, Delete
from pytest_kroft.model.state import ColumnState
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import start_server

STRANGE = Path(__file__).with_name("strange.sql")
SEEDS = (1, 2)
ROWS, STEPS = 6, 30

LEFT_OUT = {
    "nocols": "it has no columns",
    "rows_of_rowed": "column 'r': its values are rows of \"rowed\", and change with its columns",
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


def test_rows_that_a_rule_silently_keeps_are_not_deleted(db: KroftDB, adopted: Adopted) -> None:
    db.mutations.insert("silent", 2)
    with pytest.raises(NotApplicable, match="cannot be deleted: a trigger or rule makes a DELETE leave them"):
        db.apply(Delete("silent", (1,)))
    assert db.verify()
    assert db.state.table("base").definition.kept is None


def test_columns_that_no_update_changes_are_protected(db: KroftDB, adopted: Adopted) -> None:
    protected = {
        name: {c.name for c in db.state.table(name).columns if c.definition.protected}
        for name in ("frozen", "silent", "thrifty")
    }
    assert protected == {"frozen": {"id", "n", "t"}, "silent": set(), "thrifty": set()}


def test_a_table_whose_rows_others_have_or_hold_gets_no_column(db: KroftDB, adopted: Adopted) -> None:
    for table, why in (("rowed", "of another table has rows of it"), ("animal", 'table "mammal" inherits')):
        with pytest.raises(NotApplicable, match=f"no column can be added to table '{table}': .*{why}"):
            db.apply(AddColumn(table, ColumnDefinition("extra", "int", default="1")))


def test_a_row_that_is_referred_to_by_what_is_computed_from_it_keeps_that(
    db: KroftDB, adopted: Adopted
) -> None:
    db.mutations.insert("gk", rows=[{"a": 1, "b": 2}, {"a": 1, "b": 20}])
    db.mutations.insert("gfk", rows=[{"r": 3, "s": None}])
    with pytest.raises(NotApplicable, match=r"'r' of 'gfk' references \('3',\), which the server computes"):
        db.mutations.update("gk", keys=[(1, 2)], values={"b": 5})
    db.mutations.update("gk", keys=[(1, 20)], values={"b": 5})
    assert db.verify()


def test_a_table_that_the_server_computes_gets_rows(db: KroftDB, adopted: Adopted) -> None:
    db.mutations.insert("gen_only", count=300)
    assert db.verify()
    assert db.connection.execute("SELECT count(*) FROM gen_only").fetchone() == (300,)
