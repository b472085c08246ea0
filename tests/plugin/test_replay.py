"""``--kroft-replay``: the saved history of a failure fails again, wherever it is taken."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from pytest_kroft.model.history import History
from pytest_kroft.postgres.databases import Database
from pytest_kroft.server import start_server
from tests.plugin.conftest import Project, facts
from tests.plugin.test_failure_section import differences, section
from tests.plugin.test_searching import STRICT, saved, steps


def failed(project: Project) -> tuple[str, Path]:
    """A search that fails, in words and as a file."""
    project.write("test_it.py", STRICT.replace('"tied_timestamp"', '"late_commit"'))
    output = str(project.run().stdout)
    return output, saved(project, output)


OTHER_FAKER = """
from faker.providers.lorem import en_US
en_US.Provider.word_list = ("other",)
"""


def test_the_saved_history_needs_neither_the_seed_nor_the_same_faker(project: Project) -> None:
    first, path = failed(project)
    kept = path.read_text()
    project.write("conftest.py", OTHER_FAKER)
    run = project.run_apart(f"--kroft-replay={path}", "--kroft-seed=99")
    assert "1 failed" in run.stdout, run.stdout + run.stderr
    assert differences(run.stdout)[1:] == differences(first)[1:] != []
    # What is no longer a value of its address is told as given on purpose.
    again = [" ".join(step.split("; note")[0].split()) for step in steps(run.stdout)]
    assert again == [" ".join(step.split()) for step in steps(first)]
    assert "begin session 1" in run.stdout
    # Made anew, the texts would be others.
    anew = project.run_apart("--kroft-seed=1")
    assert "Other other" in saved(project, anew.stdout).read_text()
    assert "Other other" not in kept


def test_the_script_builds_the_same_content_on_an_empty_database(
    project: Project, database: Database
) -> None:
    first, path = failed(project)
    script = path.with_suffix(".sql")
    assert facts(section(first))["as SQL"].endswith(f"-f {script.relative_to(project.path)}")
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        lines = script.read_text().splitlines()
        connection.execute("\n".join(line for line in lines if not line.startswith("\\")).encode())
        rows = connection.execute(
            "SELECT id::text, note, updated_at::text FROM orders ORDER BY id"
        ).fetchall()
    *_, (_, _, last) = History.load(path).states()
    names = [column.name for column in last.table("orders").columns]
    places = [names.index(name) for name in ("id", "note", "updated_at")]
    assert [tuple(row[place] for place in places) for row in last.contents("orders")] == rows != []


def test_the_line_in_code_plays_the_history(project: Project) -> None:
    _, path = failed(project)
    history = History.load(path)
    with start_server(project.dsn) as server, server.database() as db:
        synced = sum(1 for point in db.play(history) if point is not None)
        assert synced == sum(operation.__class__.__name__ == "Sync" for operation in history)
        assert db.verify()


def test_a_history_goes_to_its_own_test(project: Project) -> None:
    _, path = failed(project)
    project.write(
        "test_other.py", "@pytest.mark.kroft('orders')\ndef test_other(kroft_db): kroft_db.run(1)\n"
    )
    project.run(f"--kroft-replay={path}").assert_outcomes(passed=1, failed=1)
    result = project.run(f"--kroft-replay={path}", "test_other.py")
    # One test alone cannot be mistaken, and says that it makes other calls.
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["kroft: the test has diverged from the history: its call 2 of 2*"])
    project.write("test_third.py", "def test_third(kroft_db): pass\n")
    refused = project.run(f"--kroft-replay={path}", "test_other.py", "test_third.py")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*belongs to test_it.py::test_copy, which is not among the 2 selected*"])


def test_a_replay_that_breaks_off_leaves_the_history_as_it_was(project: Project) -> None:
    _, path = failed(project)
    before = path.read_bytes()
    project.write("test_it.py", STRICT.replace("stream()", "stream(batches=3)"))
    project.run(f"--kroft-replay={path}").assert_outcomes(failed=1)
    assert path.read_bytes() == before


def test_workers_replay_too_and_say_what_is_wrong(project: Project) -> None:
    first, path = failed(project)
    again = str(project.run(f"--kroft-replay={path}", "-n", "1").stdout)
    assert steps(again) == steps(first)
    refused = project.run("--kroft-replay=nowhere.jsonl", "-n", "1")
    refused.stdout.fnmatch_lines(["*--kroft-replay: *nowhere.jsonl: the history cannot be read*"])


def test_a_history_that_no_test_made_is_refused(project: Project) -> None:
    project.write("test_it.py", STRICT)
    History(1).save(project.path / "empty.jsonl")
    refused = project.run("--kroft-replay=empty.jsonl")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*does not say which calls of a test made it*kroft_db.play*"])
