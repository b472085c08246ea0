"""A test run once for each hazard, and the table of what it survives."""

from __future__ import annotations

import re
from itertools import product

import pytest

from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.planning.policy import EvolutionPolicy
from tests.plugin.conftest import Project
from tests.plugin.test_searching import STRICT

NAMES = "@pytest.mark.kroft('orders', {})\ndef test_it(kroft_db, kroft_hazard): pass\n"


def names(project: Project, *options: str) -> list[str]:
    """The hazards under which the tests are collected, in their order."""
    output = project.run("--collect-only", "-q", *options).stdout.str()
    return re.findall(r"^test_it\.py::test_\w+\[(.*)\]$", output, flags=re.MULTILINE)


def test_each_is_a_baseline_and_all_hazards(project: Project) -> None:
    project.write("test_it.py", NAMES.format("hazards='each'"))
    assert names(project) == ["none", *HAZARDS]


def test_each_is_what_the_policy_allows(project: Project) -> None:
    project.write("test_it.py", NAMES.format("hazards='each', policy='breaking'"))
    assert names(project) == [
        "none",
        *(name for name in HAZARDS if EvolutionPolicy.named("breaking").allows(name)),
    ]


def test_a_list_is_a_baseline_and_those_in_the_order_of_the_reports(project: Project) -> None:
    project.write("test_it.py", NAMES.format("hazards=['drop_column', 'delete']"))
    assert names(project) == ["none", "delete", "drop_column"]


def test_the_option_goes_before_the_marker_and_leaves_other_tests_alone(project: Project) -> None:
    other = "def test_other(): pass\n@pytest.mark.kroft('orders')\ndef test_seed(kroft_seed): pass\n"
    project.write("test_it.py", NAMES.format("hazards=['delete']") + other)
    assert names(project, "--kroft-hazards=truncate, none") == ["none", "truncate"]
    project.run("--kroft-hazards=delete").assert_outcomes(passed=4)


def test_each_runs_with_that_hazard_and_what_it_implies(project: Project) -> None:
    body = "@pytest.mark.kroft('orders', hazards='each')\ndef test_it(kroft_db, kroft_hazard):\n"
    body += "    from pytest_kroft.model.hazards import with_implied\n"
    body += "    named = frozenset() if kroft_hazard == 'none' else frozenset({kroft_hazard})\n"
    body += "    assert kroft_db.policy.hazards == with_implied(named)\n    kroft_db.run(batches=3)\n"
    project.write("test_it.py", body)
    project.run().assert_outcomes(passed=len(HAZARDS) + 1)


@pytest.mark.parametrize(
    "asked, option, told",
    [
        (
            "hazards='nonsense'",
            "",
            "*test_it.py::test_it: @pytest.mark.kroft: hazards: there is no hazard 'nonsense'*",
        ),
        ("", "--kroft-hazards=delete,tide", "*--kroft-hazards: hazards: there is no hazard 'tide'*'each'*"),
        ("hazards=7", "", "*there is no hazard '7'*"),
    ],
)
def test_an_unknown_hazard_is_refused_and_the_known_ones_are_named(
    project: Project, asked: str, option: str, told: str
) -> None:
    project.write("test_it.py", NAMES.format(asked))
    result = project.run(*filter(None, [option]))
    result.stdout.fnmatch_lines([told])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.INTERRUPTED


TABLE = STRICT.replace("policy=['tied_timestamp']", "").replace(
    'policy=["tied_timestamp"]', "hazards=['tied_timestamp', 'delete', 'enum_value']"
)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_the_summary_shows_what_a_consumer_survives(project: Project, workers: list[str]) -> None:
    project.write("test_it.py", TABLE)
    result = project.run(*workers)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*= hazards: test_it.py::test_copy =*",
            "none            passed",
            "tied_timestamp  failed*1  create table orders (id, amount, note, updated_at)",
            "*5  sync",
            "delete          failed*1  create table orders (id, amount, note, updated_at)",
            "*4  delete from orders: id *",
            "enum_value      unseen",
            "survived 1 of 3; 1 never came, which a table or a policy may rule out",
        ]
    )


def test_other_parameters_keep_their_tables_apart(project: Project) -> None:
    body = "@pytest.mark.parametrize('size', [1, 2])\n@pytest.mark.kroft('orders', hazards=['delete'])\n"
    project.write("test_it.py", body + "def test_it(kroft_db, size): pass\n")
    result = project.run()
    result.assert_outcomes(passed=4)
    for size in (1, 2):
        assert f"hazards: test_it.py::test_it[{size}]" in result.stdout.str()


HAZARD_VALUES = """
def pytest_generate_tests(metafunc):
    if "much" in metafunc.fixturenames:
        metafunc.parametrize("much", ["none", "delete"])

class TestMany:
    @pytest.mark.parametrize("mode", ["none", "delete", "x-none"])
    @pytest.mark.kroft("orders", hazards=["delete"])
    def test_it(self, kroft_db, kroft_hazard, mode, much):
        assert (kroft_hazard, mode, much) != ("delete", "none", "delete")

@pytest.mark.xdist_group("one")
@pytest.mark.kroft("orders", hazards=["delete"])
def test_alone(kroft_db): pass
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2", "--dist", "loadgroup"]])
def test_parameters_named_like_a_hazard_keep_their_tables_apart(project: Project, workers: list[str]) -> None:
    project.write("test_it.py", HAZARD_VALUES)
    result = project.run(*workers)
    result.assert_outcomes(passed=13, failed=1)
    tables = re.findall(
        r"^=+ hazards: (\S+) =+\nnone +passed\ndelete +(\w+)[^=]*\nsurvived (\d of \d).*$",
        result.stdout.str(),
        flags=re.MULTILINE,
    )
    others = ["-".join(pair) for pair in product(["none", "delete"], ["none", "delete", "x-none"])]
    survived = dict.fromkeys(others, ("unseen", "1 of 1")) | {"delete-none": ("failed", "1 of 2")}
    expected = {f"test_it.py::TestMany::test_it[{ids}]": found for ids, found in survived.items()}
    assert {name: (outcome, of) for name, outcome, of in tables} == {
        **expected,
        "test_it.py::test_alone": ("unseen", "1 of 1"),
    }
    assert len(tables) == result.stdout.str().count(" hazards: ")
