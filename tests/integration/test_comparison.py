"""A copy that is a cursor on the real server, compared with a table of KroftDB."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import Mismatch
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import TableDefinition
from tests.conftest import MakeDB

Column = ColumnDefinition
ORDERS = TableDefinition("orders", [Column("id", "integer", primary_key=True), Column("note", "text")])


def test_an_empty_table_and_an_empty_copy_are_compared_by_their_columns(make_db: MakeDB) -> None:
    db = make_db(ORDERS)
    assert db.compare("orders", db.connection.execute("SELECT * FROM orders"))
    assert db.compare("orders", [])
    found = db.compare("orders", db.connection.execute("SELECT id, 1 AS extra FROM orders"))
    assert (found.lacking_columns, found.surplus_columns) == (("note",), ("extra",))


def test_an_empty_copy_of_a_table_with_rows_is_compared_by_its_columns(make_db: MakeDB) -> None:
    db = make_db(ORDERS, rows=2)
    with pytest.raises(Mismatch, match="the copy lacks the column note") as caught:
        db.assert_same("orders", db.connection.execute("SELECT id FROM orders WHERE false"))
    assert "the copy lacks 2 of 2 rows" in str(caught.value)
