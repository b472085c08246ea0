"""What the marker gives a test, and what it refuses before any test runs."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Project


def test_a_test_gets_the_tables_that_its_marker_means(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("orders")
def test_name(kroft_db): assert [*kroft_db.state.tables] == ["orders"]
@pytest.mark.kroft("orders", "items")
def test_names(kroft_db): assert {*kroft_db.state.tables} == {"orders", "items"}
@pytest.mark.kroft(unregistered)
def test_definition(kroft_db): assert [*kroft_db.state.tables] == ["unregistered"]
@pytest.mark.kroft(mood, people)
def test_enum(kroft_db):
    kroft_db.mutations.insert("people", 40)
    assert {row["mood"] for row in kroft_db.expected("people")} == {"sad", "ok", None}
@pytest.mark.kroft()
def test_all(kroft_db): assert {*kroft_db.state.tables} == {"orders", "items"}
@pytest.mark.kroft
def test_bare(kroft_db): assert {*kroft_db.state.tables} == {"orders", "items"}
def test_none(kroft_db): assert not kroft_db.state.tables
""",
    )
    project.run().assert_outcomes(passed=7)


def test_rows_seed_and_clock(project: Project) -> None:
    project.write(
        "test_it.py",
        """
from datetime import datetime, timedelta, timezone
@pytest.mark.kroft("orders", rows=4)
def test_rows(kroft_db):
    assert len(kroft_db.expected()) == 4
    assert {row["updated_at"].year for row in kroft_db.expected()} == {2020}
@pytest.mark.kroft("orders", seed=77)
def test_seed(kroft_db, kroft_seed): assert kroft_db.seed == kroft_seed == 77
@pytest.mark.kroft("orders", seed=0)
def test_zero(kroft_db): assert kroft_db.seed == 0
@pytest.mark.kroft("orders", rows=2, clock="server")
def test_clock(kroft_db):
    for row in kroft_db.expected():
        assert abs(row["updated_at"] - datetime.now(timezone.utc)) < timedelta(hours=1)
    kroft_db.verify()
""",
    )
    project.run().assert_outcomes(passed=4)


def test_policies(project: Project) -> None:
    project.write(
        "test_it.py",
        """
from pytest_kroft import POLICIES, EvolutionPolicy
own = EvolutionPolicy.named("breaking").without("truncate")
@pytest.mark.kroft("orders")
def test_default(kroft_db): assert kroft_db.policy.name == "evolving"
marked = [pytest.param(name, marks=pytest.mark.kroft("orders", policy=name)) for name in POLICIES]
@pytest.mark.parametrize("name", marked)
def test_name(kroft_db, name): assert kroft_db.policy == EvolutionPolicy.named(name)
@pytest.mark.kroft("orders", policy=own)
def test_own(kroft_db): assert kroft_db.policy is own
@pytest.mark.kroft("orders", policy={"delete_reinsert"})
def test_hazards(kroft_db): assert kroft_db.policy.hazards == {"delete", "delete_reinsert"}
""",
    )
    project.run().assert_outcomes(passed=9)


def test_the_closest_marker_counts(project: Project) -> None:
    project.write(
        "test_it.py",
        """
pytestmark = pytest.mark.kroft("orders", rows=1)
def test_module(kroft_db): assert len(kroft_db.expected("orders")) == 1
@pytest.mark.kroft("items", rows=2)
class TestClass:
    def test_class(self, kroft_db): assert len(kroft_db.expected("items")) == 2
    @pytest.mark.kroft("items", rows=3)
    def test_method(self, kroft_db): assert len(kroft_db.expected("items")) == 3
""",
    )
    project.run().assert_outcomes(passed=3)


REFUSED = [
    ('"nope"', "no table 'nope' is registered; the registered tables are: orders, items"),
    ('"orders", "nope"', "no table 'nope' is registered; the registered tables are: orders, items"),
    (
        "row=3",
        (
            "takes no 'row'; it takes tables, by name or as definitions, "
            "and rows=, policy=, seed=, max_examples=, hazards=, clock="
        ),
    ),
    ("3", "takes tables, by name or as definitions, not 3"),
    ("None", "takes tables, by name or as definitions, not None"),
    ("orders.columns[0]", "takes tables, by name or as definitions, not ColumnDefinition("),
    ("rows=-1", "rows must be a whole number of 0 or more, not -1"),
    ('rows="3"', "rows must be a whole number of 0 or more, not '3'"),
    ("rows=True", "rows must be a whole number of 0 or more, not True"),
    (
        'policy="wild"',
        "there is no policy 'wild'; the policies are: calm, churn, additive, evolving, breaking, everything",
    ),
    ('policy=["delete", "sleep"]', "there is no hazard 'sleep'; the hazards are: tied_timestamp, "),
    ("policy=3", "policy must be the name of one, an EvolutionPolicy or a set of hazards, not 3"),
    ("policy=[[]]", "policy must be the name of one, an EvolutionPolicy or a set of hazards, not [[]]"),
    ('clock="sun"', "clock must be 'logical' or 'server', not 'sun'"),
    ("clock=None", "clock must be 'logical' or 'server', not None"),
    ("seed=-1", "seed must be a whole number from 0 to 9223372036854775807, not -1"),
    ('seed="7"', "seed must be a whole number from 0 to 9223372036854775807, not '7'"),
    ("seed=True", "seed must be a whole number from 0 to 9223372036854775807, not True"),
]


@pytest.mark.parametrize("arguments, sentence", REFUSED, ids=[arguments for arguments, _ in REFUSED])
def test_what_is_unknown_or_wrong_is_refused_at_collection(
    project: Project, arguments: str, sentence: str
) -> None:
    project.write(
        "test_it.py", f"def test_good(): pass\n@pytest.mark.kroft({arguments})\ndef test_bad(): pass"
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    message = str(result.stderr).strip()
    assert message.startswith("ERROR: test_it.py::test_bad: @pytest.mark.kroft")
    assert sentence in message
    assert "\n" not in message
    assert "Traceback" not in str(result.stdout)
    assert "passed" not in str(result.stdout)


def test_a_marker_that_comes_with_a_fixture_is_refused_in_one_sentence(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.fixture
def late(request): request.applymarker(pytest.mark.kroft("nope"))
def test_bad(late, kroft_db): pass
""",
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["kroft: test_it.py::test_bad: @pytest.mark.kroft: no table 'nope' is registered; *"]
    )
    assert "During handling" not in str(result.stdout)
    assert "pytest_kroft" not in str(result.stdout).replace("from pytest_kroft import", "")


def test_a_definition_that_the_server_refuses_is_told_in_one_sentence(project: Project) -> None:
    project.write(
        "test_it.py",
        """
from pytest_kroft import ColumnDefinition, TableDefinition
bad = TableDefinition("bad", [ColumnDefinition("id", "integer", check="id > other")])
@pytest.mark.kroft(bad)
def test_bad(kroft_db): pass
def test_good(kroft_db): pass
""",
    )
    result = project.run()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["kroft: create table bad*other*"])
    assert "During handling" not in str(result.stdout)
    assert "pytest_kroft" not in str(result.stdout).replace("from pytest_kroft import", "")
