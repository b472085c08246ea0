"""What a test registers is gone after it."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Project

CHANGES = {
    "table": "register_table('more', [ColumnDefinition('id', 'integer')])",
    "column": "register_column('orders', 'text', name='added')(lambda: 'x')",
    "enum": "register_enum(mood)",
}
BODY = """
from pytest_kroft import ColumnDefinition, default_registry, register_column, register_enum, register_table
before = default_registry.snapshot()
@pytest.fixture
def registered(): {change}
def test_before(): assert default_registry == before
def test_body():
    {change}
    assert default_registry != before
def test_after_body(): assert default_registry == before
def test_fixture(registered): assert default_registry != before
def test_failing():
    {change}
    assert False
def test_after_failing(): assert default_registry == before
@pytest.mark.kroft("orders")
def test_named(kroft_db): assert "added" not in kroft_db.state.table("orders").names
"""


@pytest.mark.parametrize("kind", CHANGES)
def test_the_default_registry_is_restored_after_each_test(project: Project, kind: str) -> None:
    project.write("test_it.py", BODY.format(change=CHANGES[kind]))
    project.run().assert_outcomes(passed=6, failed=1)


def test_it_is_restored_after_a_test_that_was_the_first_to_use_it(project: Project) -> None:
    (project.path / "test_it.py").write_text(
        """
import sys
def test_first():
    assert "pytest_kroft.model.registry" not in sys.modules
    from pytest_kroft import ColumnDefinition, register_table
    register_table("more", [ColumnDefinition("id", "integer")])
def test_second():
    from pytest_kroft import default_registry
    assert default_registry.names == ()
"""
    )
    assert "2 passed" in project.run_apart().stdout
