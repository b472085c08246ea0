"""Definitions: what PostgreSQL would refuse is refused here, with the column named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.columns import (
    SYSTEM_COLUMNS,
    WITHOUT_ORDER,
    ColumnDefinition,
    EnumDefinition,
    Reference,
    TableDefinition,
)
from tests.definitions import ORDERS, PAIRS

Column = ColumnDefinition
KEY = Column("id", "int", primary_key=True)


def test_constraints_become_fields():
    column = Column(
        "a", "int", constraints='NOT NULL UNIQUE DEFAULT 3 CHECK (a > 0) REFERENCES t (b) COLLATE "C"'
    )
    assert (column.nullable, column.unique, column.default, column.check) == (False, True, "3", "a > 0")
    assert column.reference == Reference("t", "b")
    assert column.constraints == 'COLLATE "C"'
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
        ("t", Reference("t")),
        ("t(id)", Reference("t", "id")),
        (' "T t" ( "I d" ) ', Reference("T t", "I d")),
        ("T (ID)", Reference("t", "id")),
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
        ("int", {"references": "t ON DELETE CASCADE"}, "not supported yet"),
        ("int", {"constraints": "REFERENCES t ON DELETE SET NULL"}, "not supported yet"),
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


@pytest.mark.parametrize("name", ["x" * 64, "", "a\0", None])
def test_a_name_that_cannot_be_is_refused(name):
    for define in (
        lambda: Column(name, "int"),
        lambda: TableDefinition(name, [KEY]),
        lambda: EnumDefinition(name, ["a"]),
    ):
        with pytest.raises(DefinitionError):
            define()


@pytest.mark.parametrize(
    "columns, options, reason, column",
    [
        ([], {}, "at least one column that is not reserved", None),
        ([Column("a", "int", reserved=True)], {}, "at least one column that is not reserved", None),
        (["a"], {}, "must be ColumnDefinitions", None),
        ([Column("a", "int"), Column("a", "text", reserved=True)], {}, "used by 2 columns", "a"),
        ([Column(f"c{i}", "int") for i in range(1601)], {}, "1600 columns at most", None),
        ([KEY], {"updated_at": "at"}, "names no column: 'at'", None),
        ([KEY, Column("at", "date", reserved=True)], {"updated_at": "at"}, "cannot be reserved", "at"),
        ([KEY, Column("at", "text")], {"updated_at": "at"}, "timestamptz, timestamp or date", "at"),
        ([KEY, Column("at", "date[]")], {"updated_at": "at"}, "timestamptz, timestamp or date", "at"),
        ([Column("at", "date", primary_key=True)], {"updated_at": "at"}, "unique or a key", "at"),
        ([KEY, Column("at", "date", unique=True)], {"updated_at": "at"}, "unique or a key", "at"),
        ([KEY, Column("at", "date", generated="now()")], {"updated_at": "at"}, "generated", "at"),
        ([KEY], {"constraints": ["PRIMARY KEY (id)"]}, "more than once", None),
        (
            [Column("a", "int")],
            {"constraints": ["PRIMARY KEY (a)", "PRIMARY KEY (a)"]},
            "more than once",
            None,
        ),
        ([KEY], {"constraints": ["UNIQUE (b)"]}, "does not have", "b"),
        ([KEY], {"constraints": ["UNIQUE (id, id)"]}, "twice", "id"),
        ([Column("a", "int")], {"constraints": ["PRIMARY KEY (a, a)"]}, "twice", "a"),
        (
            [KEY, Column("a", "int", reserved=True)],
            {"constraints": ["UNIQUE (id, a)"]},
            "cannot be reserved",
            "a",
        ),
        (
            [KEY, Column("a", "int", reserved=True, unique=True)],
            {"constraints": ["PRIMARY KEY (a)"]},
            "more than",
            None,
        ),
        ([KEY, Column("a", "json")], {"constraints": ["UNIQUE (id, a)"]}, "no order", "a"),
        (
            [Column("a", "int"), Column("b", "int", generated="a")],
            {"constraints": ["PRIMARY KEY (b)"]},
            "server",
            "b",
        ),
        ([KEY], {"constraints": [" "]}, "must be SQL", None),
        ([KEY], {"constraints": [5]}, "must be SQL", None),
    ],
)
def test_a_table_that_cannot_be_is_refused(columns, options, reason, column):
    with pytest.raises(DefinitionError, match=reason) as caught:
        TableDefinition("the table", columns, **options)
    assert (caught.value.table, caught.value.column) == ("the table", column)


@pytest.mark.parametrize("schema", ["pg_temp", "pg_x", "information_schema", "", None, "x" * 64])
def test_a_schema_of_postgresql_is_refused(schema):
    with pytest.raises(DefinitionError):
        TableDefinition("t", [KEY], schema=schema)
    with pytest.raises(DefinitionError):
        EnumDefinition("e", ["a"], schema=schema)


def test_keys_and_unique_sets():
    assert (ORDERS.key, ORDERS.uniques) == (("id",), (("id",), ("code",), ("token",)))
    assert (PAIRS.key, PAIRS.uniques) == (("left", "right"), (("left", "right"), ("value",)))
    composite = TableDefinition(
        "t", [Column("a", "int", primary_key=True), Column("b", "int", primary_key=True)]
    )
    assert composite.key == ("a", "b")
    assert TableDefinition("t", [Column("a", "int")]).key == ()


def test_the_columns_of_a_key_given_as_a_constraint_are_never_null():
    assert [column.nullable for column in PAIRS.columns] == [False, False, True, True]


def test_active_and_reserved_columns():
    assert [column.name for column in PAIRS.active] == ["left", "right", "value"]
    assert [column.name for column in PAIRS.reserved] == ["extra"]
    assert PAIRS.column("extra") is PAIRS.reserved[0]
    assert PAIRS.column("nothing") is None


def test_one_constraint_may_be_a_string():
    assert TableDefinition("t", [KEY], constraints="CHECK (id > 0)").constraints == ("CHECK (id > 0)",)


@pytest.mark.parametrize(
    "labels, reason",
    [
        ([], "needs labels"),
        ("new", "needs labels"),
        (["a", "b", "a"], "'a' 2 times"),
        (["x" * 64], "64 bytes"),
        ([""], "at least one character"),
        ([5], "must be a string"),
    ],
)
def test_an_enum_that_cannot_be_is_refused(labels, reason):
    with pytest.raises(DefinitionError, match=reason):
        EnumDefinition("mood", labels)


def test_the_type_of_an_enum_is_the_type_of_its_columns():
    for enum in (EnumDefinition("My mood", ["a"]), EnumDefinition("level", ["a"], schema="other")):
        column = Column("a", enum.sql_type)
        assert column.type == enum.type
        assert Column("a", f"{enum.sql_type}[]").type.element == enum.type
