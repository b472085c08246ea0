"""Named definitions."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.registry import Registry
from pytest_kroft.model.tables import TableDefinition
from tests.definitions import CUSTOMERS, LEVEL, MOOD, ORDERS


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_a_table_is_registered_whole(registry):
    assert registry.register_table(CUSTOMERS) == CUSTOMERS
    made = registry.register_table("t", [ColumnDefinition("a", "date")], updated_at="a", schema="s")
    assert (made.schema, made.updated_at) == ("s", "a")
    assert registry.names == ("customers", "t")
    assert registry.tables() == (CUSTOMERS, made)


def test_a_column_is_registered_with_its_generator(registry):
    @registry.register_column("t", "integer", "NOT NULL", primary_key=True)
    def id(cell):  # noqa: A001
        return cell.row

    @registry.register_column("t", "text", name="Full name", reserved=True)
    def name():
        return "x"

    first, second = registry.table("t").columns
    assert (first.name, first.generator, first.primary_key, first.nullable) == ("id", id, True, False)
    assert (second.name, second.generator, second.reserved) == ("Full name", name, True)


def test_columns_come_after_those_of_the_definition_whichever_was_registered_first(registry):
    registry.register_column("t", "text", name="late")(lambda: "x")
    registry.register_table(
        "t", [ColumnDefinition("a", "date")], updated_at="a", constraints=["CHECK (a > late)"]
    )
    found = registry.table("t")
    assert [column.name for column in found.columns] == ["a", "late"]
    assert (found.updated_at, found.columns[0].check) == ("a", "a > late")


def test_what_is_registered_already_is_refused_by_name(registry):
    registry.register_table(CUSTOMERS)
    registry.register_enum(MOOD)
    registry.register_column("customers", "text", name="nick")(lambda: "x")
    with pytest.raises(DefinitionError, match=r"'customers'.*registered already"):
        registry.register_table(CUSTOMERS)
    with pytest.raises(DefinitionError, match="'my mood' is registered already"):
        registry.register_enum(MOOD)
    for name in ("nick", "email"):
        with pytest.raises(DefinitionError, match=f"'{name}'.*registered already"):
            registry.register_column("customers", "text", name=name)(lambda: "x")


def test_a_table_that_cannot_be_leaves_the_registry_as_it_was(registry):
    registry.register_column("t", "text", name="a")(lambda: "x")
    with pytest.raises(DefinitionError, match="used by 2 columns"):
        registry.register_table("t", [ColumnDefinition("a", "date")])
    assert [column.name for column in registry.table("t").columns] == ["a"]


def test_an_unknown_table_is_refused_with_the_known_ones(registry):
    with pytest.raises(DefinitionError, match=r"'orders'.*are: none"):
        registry.table("orders")
    registry.register_table(CUSTOMERS)
    with pytest.raises(DefinitionError, match=r"'orders'.*are: customers"):
        registry.resolve("orders")


def test_resolving_brings_along_the_enums_that_columns_need(registry):
    registry.register_table(CUSTOMERS)
    registry.register_table(ORDERS)
    registry.register_enum(LEVEL)
    registry.register_enum(MOOD)
    assert registry.resolve("customers") == (MOOD, CUSTOMERS)
    assert registry.resolve(MOOD, "customers") == (MOOD, CUSTOMERS)
    assert registry.resolve(ORDERS, "customers") == (LEVEL, MOOD, CUSTOMERS, ORDERS)
    assert registry.resolve() == (LEVEL, MOOD, CUSTOMERS, ORDERS)
    plain = TableDefinition("plain", [ColumnDefinition("a", "int")])
    assert registry.resolve(plain) == (plain,)


def test_two_registries_never_mix(registry):
    other = Registry()
    registry.register_table(CUSTOMERS)
    assert other.names == ()
    assert registry != other


def test_a_snapshot_restores_what_was(registry):
    registry.register_table(CUSTOMERS)
    registry.register_column("t", "text", name="a")(lambda: "x")
    before = registry.snapshot()
    assert before == registry
    registry.register_enum(MOOD)
    registry.register_table(ORDERS)
    registry.register_column("t", "text", name="b")(lambda: "x")
    assert before != registry
    registry.restore(before)
    assert registry == before
    assert registry.names == ("customers", "t")
    assert [column.name for column in registry.table("t").columns] == ["a"]
    assert registry != "a registry"
