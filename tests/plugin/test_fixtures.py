"""The fixtures and the header, as a user's tests see them."""

from __future__ import annotations

import psycopg

from tests.plugin.conftest import Project


def test_the_database_is_real_and_knows_what_it_holds(project: Project) -> None:
    project.write(
        "test_it.py",
        """
import psycopg
@pytest.mark.kroft("orders", rows=5)
def test_database(kroft_db, kroft_seed):
    assert kroft_db.seed == kroft_seed
    kroft_db.run(batches=4, rows=5)
    rows = kroft_db.connection.execute("SELECT id FROM orders ORDER BY id").fetchall()
    assert rows == [(row["id"],) for row in kroft_db.expected()]
    with psycopg.connect(kroft_db.dsn) as own:
        assert own.execute("SELECT count(*) FROM orders").fetchone() == (len(rows),)
    assert kroft_db.verify()
""",
    )
    project.run().assert_outcomes(passed=1)


def test_the_parts_are_those_of_the_same_database(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("orders")
def test_parts(kroft_schema, kroft_batches, kroft_mutations, kroft_evolution, kroft_runner, kroft_db):
    assert kroft_schema is kroft_db.schema
    assert kroft_batches is kroft_db.batches
    assert kroft_mutations is kroft_db.mutations
    assert kroft_evolution is kroft_db.evolution
    assert kroft_runner is kroft_db.runner
    kroft_mutations.insert("orders", 3)
    assert len(kroft_batches.generate("orders", 2)) == 2
    kroft_schema.add_column("orders", "spare")
    kroft_runner.run(batches=2, rows=4)
    assert kroft_db.verify()
    assert kroft_evolution.summary() is not None
""",
    )
    project.run().assert_outcomes(passed=1)


def test_each_test_has_a_database_of_its_own(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("orders")
@pytest.mark.parametrize("x", range(3))
def test_alone(kroft_db, kroft_server, x):
    kroft_db.connection.execute("CREATE TABLE leftover (x int)")
    kroft_db.mutations.insert("orders", 2)
    with kroft_server.database("orders") as other:
        assert other.dsn != kroft_db.dsn
        assert other.expected() == []
""",
    )
    project.run().assert_outcomes(passed=3)


def test_the_server_tells_of_itself(project: Project) -> None:
    project.write(
        "test_it.py",
        """
import psycopg
def test_server(kroft_server):
    with psycopg.connect(kroft_server.dsn) as admin:
        assert admin.info.server_version == kroft_server.version
    assert kroft_server.found == "the given connection string"
""",
    )
    project.run().assert_outcomes(passed=1)


def test_a_fixture_of_a_wider_scope_may_hold_a_database(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.fixture(scope="module")
def shared(kroft_server):
    with kroft_server.database(orders, seed=4) as db: yield db
def test_first(shared): shared.mutations.insert("orders", 2)
def test_second(shared, kroft_db):
    assert kroft_db.dsn != shared.dsn
    assert len(shared.expected()) == 2
    assert shared.verify()
def test_failing(shared): shared.assert_same("orders", [])
""",
    )
    result = project.run()
    result.assert_outcomes(passed=2, failed=1)
    # It is still in use, so the failure tells of it.
    result.stdout.fnmatch_lines(
        ["* kroft *", "*insert into orders: id 1, id 2*", "seed * 4, given by the fixture 'shared'"]
    )


def test_nothing_is_left_on_the_server(project: Project) -> None:
    project.write("test_it.py", '@pytest.mark.kroft("orders", rows=2)\ndef test_it(kroft_db): assert False')
    with psycopg.connect(project.dsn, autocommit=True) as admin:
        before = admin.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
        project.run().assert_outcomes(failed=1)
        assert admin.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall() == before


def test_nothing_changes_for_outcomes_that_are_not_ours(project: Project) -> None:
    project.write(
        "test_it.py",
        """
pytestmark = pytest.mark.kroft("orders")
def test_passed(kroft_db): pass
@pytest.mark.xfail
def test_xfailed(kroft_db): assert False
def test_skipped(kroft_db): pytest.skip("not today")
def test_failed(kroft_db): assert False
def test_never(kroft_db): pass
""",
    )
    result = project.run("-x")
    result.assert_outcomes(passed=1, xfailed=1, skipped=1, failed=1)
    assert str(result.stdout).count("- kroft -") == 1
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])


def test_tests_that_raise_warnings_to_errors_run(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("orders", rows=2, policy="breaking")
def test_passes(kroft_db):
    kroft_db.run(6, 10)
    kroft_db.verify()
@pytest.mark.kroft("orders", rows=2)
def test_fails(kroft_db): kroft_db.assert_same("orders", [])
""",
    )
    result = project.run_apart("-W", "error")
    assert "1 failed, 1 passed" in result.stdout
    assert "Warning" not in result.stdout + result.stderr
