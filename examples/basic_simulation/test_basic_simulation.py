"""The smallest use: a table, a database that changes under a seed, and a look at what happened.

Nothing here reads the database as a consumer would; the other examples do. What is shown is what `kroft_db`
knows: what it did (`report`, `history`), what changed in the schema (`evolution.log`), and what each table
holds by now (`expected`), which `verify` compares with what the server holds.

Run it with `-s` to see what is printed, and with `--kroft-seed=last` to see the same once more.
"""

from __future__ import annotations

import pytest

from pytest_kroft import ColumnDefinition, KroftDB, TableDefinition, describe

orders = TableDefinition(
    "orders",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("customer", "text", nullable=False),
        ColumnDefinition("amount", "numeric(10,2)", check="amount >= 0"),
        ColumnDefinition("email", "varchar(80)"),
        # Reserved columns are not there at first: evolution may add them. A protected one is never dropped.
        ColumnDefinition("note", "text", reserved=True),
        ColumnDefinition("priority", "smallint", reserved=True, nullable=False),
        ColumnDefinition("country", "text", protected=True),
        ColumnDefinition("updated_at", "timestamptz", nullable=False),
    ],
    updated_at="updated_at",
)


@pytest.mark.kroft(orders, rows=100)
def test_a_simulation(kroft_db: KroftDB) -> None:
    report = kroft_db.run(batches=20, rows=30)
    print(report)
    assert report.inserted + report.updated + report.deleted > 0
    kroft_db.verify()


@pytest.mark.kroft(orders, rows=100, policy="breaking")
def test_any_client_reads_what_is_expected(kroft_db: KroftDB) -> None:
    kroft_db.run(batches=10, rows=30)
    cursor = kroft_db.connection.execute("SELECT * FROM orders")
    kroft_db.assert_same("orders", cursor)


@pytest.mark.kroft(orders, rows=10, seed=3)
def test_what_changed_in_the_schema(kroft_db: KroftDB) -> None:
    for batch in kroft_db.stream(batches=20):
        for operation in batch.evolved:
            print(f"after batch {batch.number}: {describe(operation)}")
    changed = {entry.column for entry in kroft_db.evolution.log if entry.column}
    assert changed
    assert not changed & {"id", "country", "updated_at"}


@pytest.mark.kroft(orders)
def test_step_by_step(kroft_db: KroftDB) -> None:
    """Each part can be used by itself, and takes values that are given on purpose."""
    kroft_db.mutations.insert(rows=[{"id": 1, "customer": "Ada", "amount": 5}, {"id": 2}])
    kroft_db.schema.add_column("note")
    kroft_db.mutations.update(keys=[2], values={"note": "call back"})
    kroft_db.mutations.delete(keys=[1])
    kroft_db.verify()
    (row,) = kroft_db.expected("orders")
    assert (row["id"], row["note"]) == (2, "call back")
