"""What pytest itself tells of kroft: whole sentences."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Project

OPTIONS = ("seed", "dsn", "server", "load", "replay", "hazards", "keep")
FIXTURES = {
    "kroft_server", "kroft_seed", "kroft_db", "kroft_schema", "kroft_batches", "kroft_mutations",
    "kroft_evolution", "kroft_runner", "kroft_hazard",
}  # fmt: skip


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no line needs to be broken."""
    monkeypatch.setenv("COLUMNS", "1000")


def is_prose(text: str) -> bool:
    """Whether a text begins like a sentence and ends like one."""
    return bool(re.fullmatch(r"[A-Z].*\w.*\.", text))


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_and_its_ini_twin_are_explained(project: Project, wide: None, name: str) -> None:
    text = str(project.run("--help").stdout)
    group = text.partition("evolving PostgreSQL databases (pytest-kroft):")[2].partition("\n\n")[0]
    option = re.search(rf"^  --kroft-{name}(?:=\S+)?\s+(.*(?:\n {{10,}}.*)*)", group, flags=re.MULTILINE)
    ini = re.search(rf"^  kroft_{name} \(\w+\):\s+(.*(?:\n {{10,}}.*)*)", text, flags=re.MULTILINE)
    assert option
    assert ini
    option_text, ini_text = (" ".join(found[1].split()) for found in (option, ini))
    assert is_prose(option_text)
    assert ini_text == f"The same as --kroft-{name}. {option_text}"


def test_the_marker_is_explained(project: Project) -> None:
    line = next(line for line in project.run("--markers").stdout.lines if "mark.kroft" in line)
    signature, _, text = line.partition(": ")
    assert signature == (
        "@pytest.mark.kroft(*tables, rows=0, policy=None, seed=None, max_examples=1, hazards=None, "
        "clock='logical', adopt=False)"
    )
    assert is_prose(text)


def test_the_marker_is_known_where_markers_are_strict(project: Project) -> None:
    project.write("test_it.py", "@pytest.mark.kroft('orders')\ndef test_it(kroft_db): pass")
    project.run("--strict-markers", "--strict-config").assert_outcomes(passed=1)


def test_each_fixture_is_explained(project: Project) -> None:
    text = str(project.run("--fixtures").stdout)
    found = dict(
        re.findall(
            r"^(kroft_\w+)(?: \[session scope\])? -- \S+\n((?:    .*\n|\n(?=    ))+)", text, re.MULTILINE
        )
    )
    assert found.keys() == FIXTURES
    assert [name for name, words in found.items() if not is_prose(" ".join(words.split()))] == []


def test_the_header_names_the_option_that_repeats_the_run(project: Project) -> None:
    project.run("--kroft-seed=41", "--co").stdout.fnmatch_lines(["kroft: --kroft-seed=41"])
