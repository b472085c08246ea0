"""Definitions of tables and enums: what PostgreSQL would refuse is refused here, with the names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.foreign_keys import ForeignKey
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from tests.definitions import ORDERS, PAIRS

Column = ColumnDefinition
KEY = Column("id", "int", primary_key=True)


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
        ([KEY], {"constraints": ["NOT NULL b"]}, "does not have", "b"),
        ([KEY], {"constraints": ["FOREIGN KEY (b) REFERENCES t (id)"]}, "does not have", "b"),
        ([KEY], {"constraints": ["UNIQUE NULLS NOT DISTINCT (id)"]}, "UNIQUE and NOT NULL", "id"),
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
    rule = "CHECK (id < a)"
    assert TableDefinition("t", [KEY, Column("a", "int")], constraints=rule).constraints == (rule,)


def test_a_table_constraint_of_one_column_becomes_part_of_the_column():
    given = ["NOT NULL a", "CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id)", "CHECK (a < 9)", "CHECK (a < b)"]
    columns = [Column("a", "int", check="a > 0", constraints='COLLATE "C"'), Column("b", "int")]
    table = TableDefinition("t", columns, constraints=given)
    a = table.column("a")
    assert a is not None
    assert (a.nullable, a.check) == (False, "(a > 0) AND (a < 9)")
    assert a.reference == ForeignKey(("a",), "u", ("id",))
    assert (a.constraints, table.constraints) == ('COLLATE "C"', ("CHECK (a < b)",))
    assert replace(table) == table
    required = TableDefinition("t", columns, constraints=["CHECK (b IS NOT NULL)"]).column("b")
    assert required == Column("b", "int", nullable=False)


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
