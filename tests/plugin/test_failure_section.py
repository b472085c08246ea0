"""What a failing test says: its seed, what happened, and how to have it happen again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pytest_kroft.model.history import History
from pytest_kroft.postgres.databases import Database
from tests.plugin.conftest import APART, Project, at_a_desk, facts

FAILING = """
@pytest.mark.kroft("orders", rows=3)
def test_it(kroft_db):
    kroft_db.run(batches=5, rows=8)
    kroft_db.mutations.insert("orders", 2)
    kroft_db.assert_same("orders", [])
"""


def section(output: str) -> str:
    """The one section of kroft in the output of a run."""
    found = re.findall(r"^-+ kroft -+\n(.*?)(?=^[-=_]{10})", output, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def differences(output: str) -> list[str]:
    """The lines in which pytest shows the error itself, without what is below it."""
    return [line for line in output.splitlines() if line.startswith("E  ")]


def paste(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell does, with the pytest of this environment first on its path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {name: value for name, value in at_a_desk().items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(
        ["bash", "-c", command], check=False, capture_output=True, text=True, cwd=folder,
        env={**given, **APART, "PATH": path},
    )  # fmt: skip


def test_it_says_what_happened_and_how_to_have_it_again(project: Project, database: Database) -> None:
    project.write("test_it.py", FAILING)
    output = str(project.run("--kroft-seed=31").stdout)
    text, told = section(output), facts(section(output))
    assert re.match(r"The last 12 of \d+ operations:\n\n", text)
    assert re.search(r"^ +\d+  (insert into|update|delete from) orders.*: id \d+", text, flags=re.MULTILINE)
    assert re.fullmatch(r"--kroft-seed=31 \(this test's own: \d+\)", told["seed"])
    assert told.keys() == {"seed", "again", "history", "as SQL"}

    history = History.load(project.path / told["history"])
    assert history.test == "test_it.py::test_it"
    assert f"The last 12 of {len(history)} operations" in text
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        lines = (project.path / told["as SQL"]).read_text().splitlines()
        # A line with a backslash speaks to psql alone.
        connection.execute("\n".join(line for line in lines if not line.startswith("\\")).encode())
        rows = connection.execute("SELECT id FROM orders ORDER BY id").fetchall()
    *_, (_, _, last) = history.states()
    assert len(rows) == len([*last.contents("orders")]) > 0


def test_the_line_to_paste_fails_again_the_same_way(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("some/deep/test_it.py", FAILING)
    project.write("some/test_other.py", "def test_other(kroft_db): pass")
    started_in = project.path / "some"
    monkeypatch.chdir(started_in)
    first = str(project.run("--kroft-seed=random").stdout)
    told = facts(first)
    assert told["again"].startswith("pytest deep/test_it.py::test_it --kroft-seed=")
    before = (started_in / told["history"]).read_bytes()
    again = paste(told["again"], started_in)
    assert "1 failed" in again.stdout
    assert differences(again.stdout) == differences(first)
    assert section(again.stdout) == section(first)
    assert (started_in / told["history"]).read_bytes() == before


def test_without_a_configuration_file_the_line_names_the_root(project: Project) -> None:
    # Then pytest takes what it is asked to run for its root, and the names of tests follow from that.
    (project.path / "pytest.ini").unlink()
    test = project.path / "deep" / "test_it.py"
    test.parent.mkdir()
    test.write_text("def test_it(kroft_db, kroft_seed): assert not kroft_seed", encoding="utf-8")
    first = str(project.run().stdout)
    told = facts(first)
    assert told["again"].endswith("--rootdir=.")
    assert section(paste(told["again"], project.path).stdout) == section(first)


ODD_IDS = [
    "a b",
    "it's",
    'say "so"',
    "$HOME",
    "`id`",
    "a[1]",
    "back\\slash",
    "*?!",
    "Zoë ✓",
    "x;y&z|w",
    "a::b",
    "@g",
]


def test_the_line_to_paste_survives_odd_names(project: Project) -> None:
    project.write(
        "tests of mine/test_odd.py",
        f"@pytest.mark.kroft('orders')\n@pytest.mark.parametrize('x', {ODD_IDS!r})\n"
        "def test_it(kroft_db, kroft_seed, x): assert not (x, kroft_seed)",
    )
    output = str(project.run().stdout)
    commands = re.findall(r"^again +(.*)$", output, flags=re.MULTILINE)
    assert len(commands) == len(ODD_IDS)
    # One shell, one run: what each line means to the shell is all that is asked.
    script = "pytest() { printf '%s\\n' \"$1\"; }\n" + "\n".join(commands)
    tests = paste(script, project.path).stdout.splitlines()
    result = project.run(*tests, facts(output)["seed"].split()[0])
    result.assert_outcomes(failed=len(ODD_IDS))
    assert differences(str(result.stdout)) == differences(output)


def test_a_test_that_changes_the_folder_does_not_change_the_paths(project: Project) -> None:
    project.write(
        "test_it.py",
        "@pytest.mark.kroft('orders')\n"
        "def test_it(kroft_db, monkeypatch): monkeypatch.chdir('/'); assert False",
    )
    told = facts(str(project.run().stdout))
    assert told["history"].startswith(".pytest_cache")
    assert (project.path / told["history"]).is_file()


def test_the_line_to_paste_names_what_the_run_was_given(project: Project) -> None:
    project.write("other.ini", "[pytest]\npythonpath = .\nkroft_keep = false")
    project.write("test_it.py", FAILING)
    told = facts(str(project.run("-c", "other.ini", "--kroft-server=embedded").stdout))
    for option in ("--config-file=other.ini", "--kroft-server=embedded", f"--kroft-dsn={project.dsn}"):
        assert option in told["again"]


def test_a_password_is_not_shown(project: Project) -> None:
    project.write("test_it.py", FAILING)
    dsn = project.dsn.replace("postgres@", "postgres:hush-hush@")
    assert dsn != project.dsn
    result = project.run(f"--kroft-dsn={dsn}", "--kroft-keep", server=False)
    told = facts(str(result.stdout))
    assert project.dsn in told["again"]
    assert "hush" not in str(result.stdout)
    drop_kept(project, told["database"])


def drop_kept(project: Project, reach: str) -> None:
    """Remove a database that was kept, so that the outer run leaves none."""
    name = re.search(r"/(kroft_\w+)\?", reach)
    assert name
    with psycopg.connect(project.dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name[1]}"')


def test_a_seed_of_the_marker_is_told_as_such(project: Project) -> None:
    project.write("test_it.py", FAILING.replace("rows=3", "rows=3, seed=12"))
    told = facts(str(project.run().stdout))
    assert told["seed"] == "12, given by the marker"
    assert "--kroft-seed" not in told["again"]


def test_without_the_cache_the_history_lies_with_pytests_temporary_files(project: Project) -> None:
    project.write("test_it.py", FAILING)
    told = facts(str(project.run("-p", "no:cacheprovider").stdout))
    assert History.load(project.path / told["history"]).test == "test_it.py::test_it"
    assert Path(told["as SQL"]).is_file()
    assert not (project.path / ".pytest_cache").exists()


def test_where_the_cache_cannot_be_written_the_report_still_comes(project: Project) -> None:
    project.write("test_it.py", FAILING)
    project.write(".pytest_cache", "a file where pytest wants a folder")
    result = project.run("-W", "ignore::pytest.PytestCacheWarning")
    result.assert_outcomes(failed=1)
    assert History.load(project.path / facts(str(result.stdout))["history"])


def test_a_history_that_cannot_be_saved_is_told(project: Project) -> None:
    project.write("test_it.py", FAILING)
    path = project.path / facts(str(project.run().stdout))["history"]
    path.unlink()
    path.mkdir()
    told = facts(str(project.run().stdout))
    assert re.fullmatch(r"could not be saved: .*Is a directory.*", told["history"])
    assert told["as SQL"].endswith(".sql")


def test_a_failing_set_up_tells_of_the_database_too(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.fixture
def loaded(kroft_db):
    kroft_db.mutations.insert("orders", 2)
    raise RuntimeError("the fixture fails")
@pytest.mark.kroft("orders")
def test_it(loaded): pass
""",
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    assert "insert into orders: id 1, id 2" in section(str(result.stdout))


def test_a_failing_tear_down_tells_of_the_database_too(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.fixture
def checked(kroft_db):
    yield
    kroft_db.assert_same("orders", [])
@pytest.mark.kroft("orders", rows=2)
def test_it(checked): pass
""",
    )
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    assert "insert into orders: id 1, id 2" in section(str(result.stdout))


def test_one_failure_tells_once(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.fixture
def checked(kroft_db):
    yield
    raise RuntimeError("the fixture fails too")
@pytest.mark.kroft("orders", rows=2)
def test_it(checked): assert False
""",
    )
    result = project.run()
    result.assert_outcomes(failed=1, errors=1)
    assert section(str(result.stdout))


def test_a_database_without_operations_says_so(project: Project) -> None:
    project.write("test_it.py", "def test_it(kroft_db): assert False")
    output = str(project.run().stdout)
    assert section(output).startswith("Nothing was done to the database.\n\nseed ")
    assert len(History.load(project.path / facts(output)["history"])) == 0


def test_every_database_of_the_test_is_told_of(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("orders", rows=1)
def test_it(kroft_db, kroft_server):
    with kroft_server.database("items", rows=2, seed=6):
        pass
    assert False
""",
    )
    output = str(project.run().stdout)
    assert re.findall(r"-+ (kroft.*) -+$", output, flags=re.MULTILINE) == [
        "kroft: database 1 of 2", "kroft: database 2 of 2",
    ]  # fmt: skip
    saved = re.findall(r"^history +(.*)$", output, flags=re.MULTILINE)
    tables = [[*[*History.load(project.path / path).states()][-1][2].tables] for path in saved]
    assert tables == [["orders"], ["items"]]
    assert "6, given by the test" in output


def test_of_many_databases_the_latest_are_told_of(project: Project) -> None:
    project.write(
        "test_it.py",
        """
def test_it(kroft_server):
    for seed in range(20):
        with kroft_server.database("items", rows=1, seed=seed): pass
    assert False
""",
    )
    output = str(project.run().stdout)
    assert re.findall(r"^seed +(\d+)", output, flags=re.MULTILINE) == ["15", "16", "17", "18", "19"]


def test_a_test_that_passes_after_one_that_failed_is_not_told_of(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("orders", rows=1)
def test_first(kroft_db): pass
def test_second(): assert False
""",
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    assert "- kroft -" not in str(result.stdout)


def test_a_database_that_is_not_given_back_fails_the_test_and_not_the_run(project: Project) -> None:
    project.write(
        "conftest.py",
        """
from pytest_kroft.errors import KroftError
from pytest_kroft.server import KroftServer

def refuse(self):
    raise KroftError("a session does not end")

KroftServer.end_test = refuse
""",
    )
    project.write("test_it.py", "def test_one(kroft_server): pass\ndef test_two(kroft_server): assert False")
    result = project.run_apart()
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert "1 failed, 1 passed, 2 errors" in result.stdout
    assert result.stdout.count("kroft: a session does not end") >= 2


def test_a_section_that_cannot_be_made_says_why(project: Project) -> None:
    project.write(
        "conftest.py",
        """
from pytest_kroft.errors import KroftError
from pytest_kroft.server import KroftServer

def refuse(self, database):
    raise KroftError("the server has gone")

KroftServer.keep = refuse
""",
    )
    project.write("test_it.py", "def test_it(kroft_db): assert False")
    result = project.run_apart("--kroft-keep")
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert "1 failed" in result.stdout
    assert section(result.stdout) == "there is nothing to tell of the database: the server has gone\n"
