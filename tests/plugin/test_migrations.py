"""Migrations in a user's test: in the failure's section, in a search, and in a replay."""

from __future__ import annotations

from tests.plugin.conftest import Project
from tests.plugin.test_searching import saved, steps

FUNCTION = """
def upgrade(connection, name):
    connection.execute(f"ALTER TABLE orders RENAME note TO {name}")
    connection.execute("UPDATE orders SET amount = amount + 1")
"""
FAILING = """
@pytest.mark.kroft(orders, rows=3)
def test_copy(kroft_db):
    kroft_db.evolve_with("migrations:upgrade", "comment")
    kroft_db.assert_same([])
"""
SEARCHED = """
import migrations

@pytest.fixture
def evolved(kroft_db):
    kroft_db.mutations.insert("orders", 2)
    kroft_db.evolve_with(migrations.upgrade, "comment")
    return kroft_db

@pytest.mark.kroft(orders, policy="churn", max_examples=20)
def test_copy(evolved):
    for _ in evolved.stream(batches=3):
        evolved.verify()
    columns = set(evolved.state.table("orders").names)
    evolved.evolve_with(lambda connection: connection.execute("ALTER TABLE orders ADD seen int DEFAULT 1"))
    evolved.mutations.insert("orders", 1)
    evolved.verify()
    assert "seen" not in columns
    if len(evolved.expected()) > 4:
        evolved.assert_same([])
"""


def test_the_failure_section_tells_the_migration(project: Project) -> None:
    project.write("migrations.py", FUNCTION)
    project.write("test_it.py", FAILING)
    run = project.run()
    run.assert_outcomes(failed=1)
    output = str(run.stdout)
    assert "migrate with migrations:upgrade comment: rename column note of orders to comment" in output
    assert "the server computed amount in 3 rows of orders" in output


def test_a_search_calls_migrations_in_each_example_and_a_replay_once_more(project: Project) -> None:
    project.write("migrations.py", FUNCTION)
    project.write("test_it.py", SEARCHED)
    output = str(project.run().stdout)
    assert len([step for step in steps(output) if step.startswith("migrate with")]) == 2, output
    again = project.run(f"--kroft-replay={saved(project, output)}")
    again.assert_outcomes(failed=1)
    assert "migrate with migrations:upgrade comment" in str(again.stdout)


LOADED = """
@pytest.mark.kroft(adopt="*", policy="churn", max_examples=8)
def test_copy(kroft_db):
    assert kroft_db.state.table("shops").names == ("id", "note")
    kroft_db.fill(3)
    kroft_db.evolve_with("more.sql")
    for _ in kroft_db.stream(batches=2):
        kroft_db.verify()
    kroft_db.assert_same("shops", kroft_db.expected("shops"))
    assert kroft_db.state.table("visits").next_row > 1
"""


def test_each_example_migrates_a_clone_of_what_was_loaded(project: Project) -> None:
    project.write("schema.sql", "CREATE TABLE shops (id int PRIMARY KEY, note text);")
    project.write(
        "more.sql",
        "ALTER TABLE shops DROP note;\n"
        "CREATE TABLE visits (id serial PRIMARY KEY, shop int REFERENCES shops);\n"
        "INSERT INTO visits (shop) SELECT id FROM shops LIMIT 1;",
    )
    project.write("test_it.py", LOADED)
    project.run("--kroft-load=schema.sql").assert_outcomes(passed=1)
