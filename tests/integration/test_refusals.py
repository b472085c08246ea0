"""What is said where a rule that kroft does not know of refuses rows of an adopted table."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import ExecutionError
from pytest_kroft.model.operations import CreateTable
from pytest_kroft.model.tables import TableDefinition
from tests.conftest import MakeDB
from tests.definitions import Column

COLUMNS = [Column("id", "int", primary_key=True), Column("a b", "int"), Column("c", "int")]
HELP = r"give the column(s?) a generator whose values it allows, or give values with rows=\[\.\.\.\]"
TABLE = 'CREATE TABLE t (id int PRIMARY KEY, "a b" int, c int'
RULES = {
    "check": (TABLE + ', CONSTRAINT rule CHECK ("a b" < 0 AND c < 0))', "constraint 'rule'", "'a b', 'c'"),
    "exclude": (TABLE + ", CONSTRAINT apart EXCLUDE (c WITH =))", "constraint 'apart'", "'c'"),
    "index": (TABLE + '); CREATE UNIQUE INDEX i ON t ((c > 0), "a b")', "constraint 'i'", "'a b'"),
    "not null": (TABLE.replace("c int", "c int NOT NULL") + ")", "its NOT NULL", "'c'"),
    "partition": (TABLE + ") PARTITION BY LIST (id)", "its partitions", "'id'"),
    "parent": (
        "CREATE TABLE p (id int PRIMARY KEY);" + TABLE + ", CONSTRAINT up FOREIGN KEY (c) REFERENCES p)",
        "constraint 'up'",
        "'c'",
    ),
}


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_that_is_not_known_is_named_with_its_columns(make_db: MakeDB, kind: str) -> None:
    schema, rule, columns = RULES[kind]
    db = make_db(seed=5)
    db.connection.execute(schema.encode())
    db.apply(CreateTable(TableDefinition("t", COLUMNS), adopted=True))
    rows = [{"id": n, "a b": 7, "c": None if kind == "not null" else 1} for n in (1, 2)]
    with pytest.raises(ExecutionError, match=HELP) as caught:
        db.mutations.insert("t", rows=rows)
    said = str(caught.value)
    assert f"{rule} is a rule of 't', for {columns}: give" in said
    assert said.startswith("insert into t: id 1, id 2: ")
    assert db.expected("t") == []


def test_the_check_of_a_domain_is_named_with_the_columns_that_have_it(make_db: MakeDB) -> None:
    db = make_db(seed=5)
    db.connection.execute(
        b'CREATE DOMAIN "Odd" AS int CONSTRAINT odd CHECK (VALUE % 2 = 1);'
        b'CREATE TABLE t (id int PRIMARY KEY, a int, b "Odd")'
    )
    columns = [Column("id", "int", primary_key=True), Column("a", "int"), Column("b", "int", domain='"Odd"')]
    db.apply(CreateTable(TableDefinition("t", columns), adopted=True))
    with pytest.raises(ExecutionError, match=r"domain 'Odd' is a rule of 't', for 'b': give the column a"):
        db.mutations.insert("t", rows=[{"id": 1, "a": 1, "b": 2}])


def test_a_trigger_that_refuses_is_named(make_db: MakeDB) -> None:
    db = make_db(seed=5)
    db.connection.execute(
        b"CREATE TABLE t (id int PRIMARY KEY);"
        b"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;"
        b"CREATE TRIGGER gate BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"
    )
    table = TableDefinition("t", [Column("id", "int", primary_key=True)], triggers=["gate"])
    db.apply(CreateTable(table, adopted=True))
    with pytest.raises(ExecutionError, match=r"closed; that is the word of a trigger .'t' has 'gate'.: give"):
        db.mutations.insert("t", 1)
    assert db.verify()
