"""The table that every consumer of the gallery keeps a copy of."""

from __future__ import annotations

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import EnumDefinition, TableDefinition

Column = ColumnDefinition

STATE = EnumDefinition("order_state", ["new", "paid", "shipped"])
ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "bigint", primary_key=True),
        Column("amount", "numeric(10,2)"),
        Column("state", "order_state"),
        Column("note", "text"),
        Column("due", "date"),
        Column("updated_at", "timestamptz"),
        Column("items", "integer", reserved=True),
        Column("gift", "boolean", nullable=False, reserved=True),
        Column("letter", "text", reserved=True),
    ],
    updated_at="updated_at",
)
"""Its replica identity is the default one, the primary key, so that the log holds no large value again."""

DEFINITIONS = (STATE, ORDERS)
NAME = ORDERS.name
