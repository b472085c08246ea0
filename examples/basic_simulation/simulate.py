"""The same without pytest: a script that starts a server, lets a table evolve, and prints what it did.

    python examples/basic_simulation/simulate.py

To use a database that is there already, `KroftDB(dsn, orders, seed=7)` is enough.
"""

from __future__ import annotations

from pytest_kroft import ColumnDefinition, KroftServer, TableDefinition, start_server

orders = TableDefinition(
    "orders",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("customer", "text", nullable=False),
        ColumnDefinition("amount", "numeric(10,2)"),
        ColumnDefinition("note", "text", reserved=True),
        ColumnDefinition("updated_at", "timestamptz", nullable=False),
    ],
    updated_at="updated_at",
)


def simulate(server: KroftServer) -> None:
    with server.database(orders, seed=7, rows=100) as db:
        print(db.run(batches=20))
        for entry in db.evolution.log:
            print(f"  version {entry.version}: {entry.operation} {entry.column or entry.table}")
        for row in db.connection.execute("SELECT * FROM orders ORDER BY id LIMIT 3"):
            print(" ", row)
        db.verify()


if __name__ == "__main__":
    with start_server() as server:
        simulate(server)
