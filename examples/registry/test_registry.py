"""Tests that name registered tables. The enum of a column comes along, and a table that is referenced is
made first.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_kroft import KroftDB, KroftServer


@pytest.mark.kroft("products", rows=20)
def test_generators_make_the_values(kroft_db: KroftDB) -> None:
    products = kroft_db.expected("products")
    assert [row["sku"] for row in products[:2]] == ["SKU-00001", "SKU-00002"]
    assert all(row["price"] > 0 and " " in row["title"] for row in products)
    assert all(row["sizes"] is None or len(row["sizes"]) == 2 for row in products)


@pytest.mark.kroft("sales", "products", rows=20)
def test_a_shop_at_work(kroft_db: KroftDB) -> None:
    kroft_db.run(batches=10, rows=20)
    kroft_db.verify()
    for sale in kroft_db.expected("sales"):
        assert sale.get("quantity", 1) in {1, 2, 12}


@pytest.mark.kroft("sales", "products", rows=5, policy="calm")
def test_a_generator_knows_the_time(kroft_db: KroftDB) -> None:
    for sale in kroft_db.expected("sales"):
        days = sale["deliver_on"] - sale["updated_at"].date()
        assert timedelta(days=1) <= days <= timedelta(days=14)


@pytest.mark.kroft("products", "sales", rows=10, seed=11)
def test_the_same_seed_makes_the_same_rows(kroft_db: KroftDB, kroft_server: KroftServer) -> None:
    """And a generator that calls the global `random` is no exception."""
    with kroft_server.database("products", "sales", rows=10, seed=11) as other:
        assert other.expected("sales") == kroft_db.expected("sales")
    with kroft_server.database("products", "sales", rows=10, seed=12) as third:
        assert third.expected("sales") != kroft_db.expected("sales")


@pytest.mark.kroft("sales", "products", rows=9)
def test_a_reserved_column_is_added(kroft_db: KroftDB) -> None:
    kroft_db.schema.add_column("sales", "coupon")
    kroft_db.mutations.insert("sales", 9)
    coupons = {sale["coupon"] for sale in kroft_db.expected("sales")}
    assert coupons <= {None, "WELCOME", "SUMMER"}
    assert coupons != {None}
