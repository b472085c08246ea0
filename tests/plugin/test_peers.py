"""Other plugins in the same test."""

from __future__ import annotations

from pytest_kroft.postgres.embedded import EmbeddedServer
from tests.plugin.conftest import Project


def test_a_database_of_pytest_postgresql_and_ours_in_one_test(
    project: Project, server: EmbeddedServer
) -> None:
    project.write(
        "test_it.py",
        """
from pytest_postgresql import factories
theirs = factories.postgresql("postgresql_noproc", dbname="theirs")
@pytest.mark.kroft("orders", rows=3)
@pytest.mark.parametrize("x", [1, 2])
def test_both(kroft_db, theirs, x):
    assert theirs.info.dbname != kroft_db.connection.info.dbname
    theirs.execute("CREATE TABLE orders (id integer)")
    theirs.execute("INSERT INTO orders VALUES (99)")
    kroft_db.run(batches=2, rows=5)
    assert kroft_db.verify()
    assert theirs.execute("SELECT id FROM orders").fetchall() == [(99,)]
@pytest.mark.kroft("orders", rows=3)
def test_other_order(theirs, kroft_db):
    theirs.execute("CREATE TABLE orders (id integer)")
    assert kroft_db.verify()
""",
    )
    options = [
        f"--postgresql-host={server.directory}",
        "--postgresql-port=5432",
        "--postgresql-user=postgres",
    ]
    project.run("--kroft-server=postgresql_noproc", *options, server=False).assert_outcomes(passed=3)


def test_what_others_draw_from_is_left_alone(project: Project) -> None:
    project.write(
        "test_it.py",
        """
import random
from faker import Faker
from pytest_kroft import ColumnDefinition, TableDefinition
people = TableDefinition("people", [
    ColumnDefinition("id", "integer", primary_key=True),
    ColumnDefinition("email", "text"),
    ColumnDefinition("own", "text", lambda: random.choice("abc")),
])
@pytest.mark.kroft(people)
def test_random(kroft_db, faker):
    random.seed(3); faker.seed_instance(3); Faker.seed(3)
    expected = random.Random(3).random(), Faker("en_US").name()
    Faker.seed(3)
    kroft_db.mutations.insert("people", 20)
    assert (random.random(), Faker("en_US").name()) == expected
""",
    )
    project.run().assert_outcomes(passed=1)


def test_ours_in_a_test_that_hypothesis_drives(project: Project) -> None:
    project.write(
        "test_it.py",
        """
from hypothesis import given, settings, strategies as st
@settings(max_examples=5, deadline=None, derandomize=True)
@given(count=st.integers(0, 5))
def test_it(kroft_server, count):
    with kroft_server.database("orders", rows=count) as db:
        assert len(db.expected()) == count
        assert count < 3
""",
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    # The smallest example that fails is the last one to run.
    sections = str(result.stdout).split("kroft: database ")
    assert "insert into orders: id 1, id 2, id 3;" in sections[-1]


def test_ours_in_a_unittest_class(project: Project) -> None:
    project.write(
        "test_it.py",
        """
import unittest
class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def database(self, kroft_db): self.db = kroft_db
    @pytest.mark.kroft("orders", rows=2)
    def test_it(self): self.assertEqual(len(self.db.expected()), 2)
""",
    )
    project.run().assert_outcomes(passed=1)
