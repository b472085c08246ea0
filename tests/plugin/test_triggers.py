"""A search over tables whose triggers write rows: it shrinks, and what it found is replayed."""

from __future__ import annotations

from tests.plugin.conftest import Project
from tests.plugin.test_searching import saved, steps

AUDITED = """
from pytest_kroft import ColumnDefinition as Column, CreateTable, TableDefinition

SCHEMA = '''
    CREATE TABLE paid (id int PRIMARY KEY, price int, at timestamptz);
    CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row_id int, at timestamptz);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.at := clock_timestamp();
        INSERT INTO audit (row_id, at) VALUES (NEW.id, clock_timestamp()); RETURN NEW; END $$;
    CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON paid FOR EACH ROW EXECUTE FUNCTION f();
'''
PAID = TableDefinition(
    "paid",
    [Column("id", "int", primary_key=True), Column("price", "int"), Column("at", "timestamptz")],
    triggers=["stamp"],
)
AUDIT = TableDefinition(
    "audit",
    [
        Column("id", "bigint", primary_key=True, identity="always"),
        Column("row_id", "int"),
        Column("at", "timestamptz"),
    ],
)

@pytest.mark.kroft(policy="churn", max_examples=40)
def test_copy(kroft_db):
    kroft_db.connection.execute(SCHEMA)
    for table in (PAID, AUDIT):
        kroft_db.apply(CreateTable(table, adopted=True))
    rows = []
    for _ in kroft_db.stream(batches=4):
        kroft_db.verify()
        found = kroft_db.connection.execute("SELECT id, price, at FROM paid ORDER BY id").fetchall()
        # A copy that misses each change of a row that it has.
        known = {row["id"] for row in rows}
        rows += [{"id": id, "price": p, "at": at} for id, p, at in found if id not in known]
        gone = known - {row[0] for row in found}
        rows = [row for row in rows if row["id"] not in gone]
        kroft_db.assert_same("paid", rows)
"""


def test_a_search_over_triggers_finds_and_replays(project: Project) -> None:
    project.write("test_it.py", AUDITED)
    output = str(project.run().stdout)
    found = steps(output)
    assert [step for step in found if step.startswith("update paid")], output
    assert [step for step in found if step.startswith("the server computed")], output
    assert len(found) <= 12
    again = str(project.run(f"--kroft-replay={saved(project, output)}").stdout)
    assert [step for step in steps(again) if step.startswith("update paid")], again


def test_a_search_over_triggers_passes_where_the_copy_is_whole(project: Project) -> None:
    project.write("test_it.py", AUDITED.replace("if id not in known]", "]").replace("rows += ", "rows = "))
    project.run().assert_outcomes(passed=1)
