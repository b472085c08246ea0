"""Definitions of columns: what PostgreSQL would refuse is refused here, with the column named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.columns import SYSTEM_COLUMNS, WITHOUT_ORDER, ColumnDefinition
from pytest_kroft.model.foreign_keys import ForeignKey
from pytest_kroft.model.tables import TableDefinition

Column = ColumnDefinition
KEY = Column("id", "int", primary_key=True)


def test_constraints_become_fields():
    column = Column(
        "a", "int", constraints='NOT NULL UNIQUE DEFAULT 3 CHECK (a > 0) REFERENCES t (b) COLLATE "C"'
    )
    assert (column.nullable, column.unique, column.default, column.check) == (False, True, "3", "a > 0")
    assert column.reference == ForeignKey(("a",), "t", ("b",))
    assert column.constraints == 'COLLATE "C"'
    assert replace(column) == column


def test_a_check_for_not_null_is_not_null():
    column = Column("a", "int", constraints="CONSTRAINT c CHECK (a IS NOT NULL) CHECK (a > 0)")
    assert (column.nullable, column.check, column.constraints) == (False, "a > 0", "")
    assert Column("a", "int", check="a IS NOT NULL").check is None
    assert replace(column) == column


@pytest.mark.parametrize(
    "serial, integer",
    [("serial", "integer"), ("BigSerial", "bigint"), ("smallserial", "smallint"), ("serial8", "bigint")],
)
def test_a_serial_is_an_identity_by_default(serial, integer):
    column = Column("a", serial)
    assert (column.sql_type, column.identity, column.nullable) == (integer, "by default", False)
    assert replace(column, reserved=True).identity == "by default"


@pytest.mark.parametrize(
    "fields, nullable",
    [
        ({}, True),
        ({"nullable": False}, False),
        ({"primary_key": True}, False),
        ({"identity": "always"}, False),
        ({"constraints": "NULL"}, True),
        ({"constraints": "PRIMARY KEY"}, False),
        ({"constraints": "GENERATED ALWAYS AS IDENTITY"}, False),
        ({"unique": True}, True),
    ],
)
def test_a_column_may_be_null_unless_it_is_a_key_or_an_identity(fields, nullable):
    assert Column("a", "int", **fields).nullable is nullable


@pytest.mark.parametrize(
    "target, reference",
    [
        ("t", ForeignKey(("a",), "t")),
        ("t(id)", ForeignKey(("a",), "t", ("id",))),
        (' "T t" ( "I d" ) ', ForeignKey(("a",), "T t", ("I d",))),
        ("T (ID)", ForeignKey(("a",), "t", ("id",))),
        ("t ON UPDATE set  null", ForeignKey(("a",), "t", on_update="set null")),
        ("t ON DELETE SET DEFAULT (a)", ForeignKey(("a",), "t", on_delete="set default", nulled=("a",))),
        ("t MATCH FULL ON DELETE CASCADE", ForeignKey(("a",), "t", on_delete="cascade", full=True)),
        ("t DEFERRABLE INITIALLY DEFERRED", ForeignKey(("a",), "t", deferred=True)),
        ("t NOT DEFERRABLE INITIALLY IMMEDIATE ON DELETE NO ACTION", ForeignKey(("a",), "t")),
    ],
)
def test_a_reference_names_a_table_and_perhaps_a_column(target, reference):
    assert Column("a", "int", references=target).reference == reference
    assert Column("a", "int").reference is None


@pytest.mark.parametrize(
    "sql_type, fields, reason",
    [
        ("", {}, "must be an SQL type"),
        (None, {}, "must be an SQL type"),
        ("numeric(0)", {}, "precision"),
        ("int", {"primary_key": True, "reserved": True}, "cannot be reserved"),
        ("int", {"primary_key": True, "nullable": True}, "cannot be nullable"),
        ("int", {"identity": "always", "nullable": True}, "cannot be nullable"),
        ("int", {"identity": "sometimes"}, "'always' or 'by default'"),
        ("text", {"identity": "always"}, "smallint, integer or bigint"),
        ("int[]", {"identity": "always"}, "smallint, integer or bigint"),
        ("int", {"identity": "always", "default": "1"}, "only one of"),
        ("int", {"generated": "b", "default": "1"}, "only one of"),
        ("int", {"generated": "b", "identity": "always"}, "only one of"),
        ("int", {"generated": "b", "generator": lambda: 1}, "the server computes"),
        ("int", {"generated": "b", "references": "t"}, "the server computes"),
        ("int", {"generated": "b", "primary_key": True}, "the server computes"),
        ("int", {"generator": 5}, "must be callable"),
        ("int", {"constraints": None}, "must be a string of SQL"),
        ("int", {"constraints": "NOT NULL NULL"}, "NULL and NOT NULL at once"),
        ("int", {"constraints": "NULL", "primary_key": True}, "NULL and NOT NULL at once"),
        ("int", {"constraints": "NULL PRIMARY KEY"}, "NULL and NOT NULL at once"),
        ("int", {"constraints": "NULL", "identity": "always"}, "NULL and NOT NULL at once"),
        ("int", {"constraints": "NULL GENERATED ALWAYS AS IDENTITY"}, "NULL and NOT NULL at once"),
        ("serial", {"constraints": "NULL"}, "NULL and NOT NULL at once"),
        ("int", {"constraints": "NULL", "nullable": False}, "NULL and NOT NULL at once"),
        ("int", {"constraints": "NOT NULL", "nullable": True}, "NULL and NOT NULL at once"),
        ("int", {"constraints": "DEFAULT 1", "default": "2"}, "default is given twice"),
        ("int", {"constraints": "CHECK (a > 1)", "check": "a > 2"}, "check is given twice"),
        ("int", {"constraints": "REFERENCES t", "references": "u"}, "references is given twice"),
        ("int", {"constraints": "UNIQUE NULLS NOT DISTINCT"}, "UNIQUE and NOT NULL"),
        ("int", {"constraints": "GENERATED ALWAYS AS (1 + 1) VIRTUAL"}, "STORED"),
        ("int", {"check": '"the column" IS NOT NULL', "nullable": True}, "cannot be nullable"),
        ("int", {"constraints": 'NULL CHECK ("the column" IS NOT NULL)'}, "cannot be nullable"),
        ("int", {"check": 5}, "check must be a string of SQL"),
        ("int", {"references": "t ON DELETE"}, "must be 'table' or"),
        ("int", {"references": "t ON DELETE EXPLODE"}, "must be 'table' or"),
        ("int", {"references": "t (a, b)"}, "1 columns references 2"),
        ("int", {"references": "other.t"}, "must be 'table' or"),
        ("json", {"unique": True}, "has no order"),
        ("json", {"constraints": "UNIQUE"}, "has no order"),
        ("point", {"primary_key": True}, "has no order"),
    ],
)
def test_a_column_that_cannot_be_is_refused_by_name(sql_type, fields, reason):
    with pytest.raises(DefinitionError, match=reason) as caught:
        Column("the column", sql_type, **fields)
    assert caught.value.column == "the column"
    assert "'the column'" in str(caught.value)


@pytest.mark.parametrize("name", sorted(SYSTEM_COLUMNS))
def test_the_name_of_a_system_column_is_refused(name):
    with pytest.raises(DefinitionError, match=f"{name}.*system column"):
        Column(name, "int")
    assert Column(name.upper(), "int").name == name.upper()


@pytest.mark.parametrize("sql_type", sorted(WITHOUT_ORDER))
def test_a_type_without_order_can_be_neither_unique_nor_a_key(sql_type):
    Column("a", sql_type)
    for clause in ("UNIQUE", "PRIMARY KEY"):
        with pytest.raises(DefinitionError, match="has no order"):
            Column("a", sql_type, constraints=clause)
        with pytest.raises(DefinitionError, match=r"'a'.*has no order"):
            TableDefinition("t", [Column("a", sql_type)], constraints=[f"{clause} (a)"])


def test_a_definition_is_data():
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Sub", (ColumnDefinition,), {})
    with pytest.raises(AttributeError):
        KEY.name = "other"  # type: ignore[misc]
