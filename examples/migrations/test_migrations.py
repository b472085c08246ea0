"""Migrations on tables with rows in them: up to head, on with the data, and down and up again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from examples.migrations.upgrades import downgrade, upgrade, upgrade_wrongly
from pytest_kroft import ExecutionError, KroftDB

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "migrations.md"


@pytest.fixture
def filled(kroft_db: KroftDB) -> KroftDB:
    """A database at the first revision, with rows."""
    kroft_db.evolve_with(upgrade, "0001")
    kroft_db.fill(40)
    return kroft_db


@pytest.mark.kroft(policy="churn", seed=7)
def test_up_to_head_with_rows(filled: KroftDB) -> None:
    names = {row["id"]: row["name"] for row in filled.expected("customers")}
    cents = {row["id"]: row["cents"] for row in filled.expected("orders")}

    report = filled.evolve_with(upgrade, "head")
    for change in str(report).splitlines()[1:]:
        assert change in HOW_TO.read_text(encoding="utf-8")

    for row in filled.expected("customers"):
        assert " ".join(filter(None, (row["first_name"], row["last_name"]))) == names[row["id"]]
    for row in filled.expected("orders"):
        assert row["amount"] == Decimal(cents[row["id"]]) / 100
        assert row["status"] == "done"

    filled.run(batches=10)  # writes on, under the rules of the new schema
    assert filled.verify()


@pytest.mark.kroft(policy="churn", seed=7)
@pytest.mark.parametrize("revision", ["0003", "0002", "0001"])
def test_down_and_up_again_keeps_the_rows(filled: KroftDB, revision: str) -> None:
    filled.evolve_with(upgrade, "head")
    filled.run(batches=3)
    before = {table: filled.expected(table) for table in ("customers", "orders")}

    filled.evolve_with(downgrade, revision)
    assert all("name" in row for row in filled.expected("customers")) == (revision < "0003")
    filled.evolve_with(upgrade, "head")

    if revision == "0001":  # the status is gone with its column
        for row in before["orders"]:
            row["status"] = "done"
    for table, rows in before.items():
        filled.assert_same(table, rows)


@pytest.mark.kroft(seed=7)
def test_an_index_that_only_an_empty_table_takes(kroft_db: KroftDB) -> None:
    kroft_db.evolve_with(upgrade_wrongly)


@pytest.mark.kroft(policy="churn", seed=7)
def test_the_same_index_with_rows(filled: KroftDB) -> None:
    filled.mutations.insert("customers", rows=[{"city": "Paris"}, {"city": "Paris"}])
    with pytest.raises(ExecutionError, match="one_of_a_city") as caught:
        filled.evolve_with(upgrade_wrongly)
    assert caught.value.sqlstate == "23505"
    assert str(caught.value) in HOW_TO.read_text(encoding="utf-8")
    assert filled.verify()  # alembic's transaction was rolled back
