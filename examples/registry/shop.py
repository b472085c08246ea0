"""The tables of a shop, registered by name: any test can ask for `"products"` or `"sales"` without
importing them.

A column is registered by the function that makes its values. The function is given the `cell` that the
value is for, or takes nothing. Either way the same cell gets the same value in each run of the same seed:

- `cell.random` is a `random.Random` of this one cell, `cell.faker` a Faker;
- `cell.row` counts the rows of the table from 1, so that what is made of it is unique;
- `cell.now` is the time at which the row is written, by the clock of the database's history;
- a function without an argument may use `random` and Faker as it always did: they are seeded for each call.

Columns without a function get values by their name, type and constraints.
"""

from __future__ import annotations

import datetime as dt
import random

from pytest_kroft import (
    Cell,
    ColumnDefinition,
    EnumDefinition,
    register_column,
    register_enum,
    register_table,
)

register_enum(EnumDefinition("sale_state", ["open", "paid", "returned"]))

register_table(
    "products",
    [
        ColumnDefinition("sku", "text", lambda cell: f"SKU-{cell.row:05}", primary_key=True),
        ColumnDefinition("price", "numeric(8,2)", nullable=False, check="price > 0"),
    ],
)


@register_column("products", "text", "NOT NULL")
def title(cell: Cell) -> str:
    return f"{cell.faker.color_name()} {cell.faker.word()}"


@register_column("products", "text[]")
def sizes(cell: Cell) -> list[str]:
    return sorted(cell.random.sample(["S", "M", "L", "XL"], k=2))


# Columns that are registered for a table come after those of its definition. There may be no definition.
register_table(
    "sales",
    [
        ColumnDefinition("id", "bigint", primary_key=True),
        ColumnDefinition("sku", "text", references="products(sku)", nullable=False),
        ColumnDefinition("state", "sale_state", nullable=False),
        ColumnDefinition("updated_at", "timestamptz", nullable=False),
    ],
    updated_at="updated_at",
)


@register_column("sales", "integer", "NOT NULL")
def quantity() -> int:
    return random.choice([1, 1, 1, 2, 12])


@register_column("sales", "date", "NOT NULL")
def deliver_on(cell: Cell) -> dt.date:
    return (cell.now + dt.timedelta(days=cell.random.randint(1, 14))).date()


@register_column("sales", "text", reserved=True)
def coupon(cell: Cell) -> str | None:
    return cell.random.choice(["WELCOME", "SUMMER"]) if cell.row % 3 == 0 else None
