"""``max_examples``: Hypothesis calls the test's function, and a failure comes back as few steps."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from tests.plugin.conftest import APART, Project, at_a_desk, facts, interrupt, unmeasured
from tests.plugin.test_failure_section import differences, section


@pytest.fixture(autouse=True)
def hypothesis_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A run inside of this process leaves its seed and its profile behind."""
    monkeypatch.setattr("hypothesis.core.global_force_seed", None)
    profile = settings.get_current_profile_name()
    yield
    settings.load_profile(profile)


STRICT = """
import psycopg
from psycopg.rows import dict_row

class Copy:
    def __init__(self):
        self.rows, self.cursor = {}, None

    def sync(self, dsn):
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            since = f" WHERE updated_at > '{self.cursor}'" if self.cursor else ""
            for row in connection.execute(f"SELECT * FROM orders{since} ORDER BY updated_at"):
                self.rows[row["id"]], self.cursor = row, row["updated_at"]

@pytest.mark.kroft("orders", policy=["tied_timestamp"], max_examples=100)
def test_copy(kroft_db):
    copy = Copy()
    for _ in kroft_db.stream():
        copy.sync(kroft_db.dsn)
        kroft_db.assert_same(copy.rows)
"""


def steps(output: str) -> list[str]:
    """The operations that the section of a failure shows, without their numbers."""
    return re.findall(r"^ +[\d-]+  (\S.*)$", section(output), flags=re.MULTILINE)


def saved(project: Project, output: str) -> Path:
    """The file that the line to paste names."""
    words = shlex.split(facts(section(output))["again"])
    (name,) = [word.removeprefix("--kroft-replay=") for word in words if "--kroft-replay" in word]
    return project.path / name


def test_a_failure_comes_back_as_the_few_steps_that_matter(project: Project) -> None:
    project.write("test_it.py", STRICT)
    output = str(project.run().stdout)
    title, *_ = section(output).splitlines()
    found = r"The smallest history that fails: 5 operations \(example \d+ of 100, shrunk from \d+\)"
    assert re.fullmatch(found, title)
    words = [step.split(":")[0] for step in steps(output)]
    assert words[:3] == ["create table orders (id, amount, note, updated_at)", "insert into orders", "sync"]
    assert words[3] in ("insert into orders", "update orders set note", "update orders set amount")
    assert words[4].startswith("sync")
    assert "fails" in steps(output)[-1]
    assert "tied_timestamp: rows of two transactions share an updated_at" in output
    assert "Falsifying example" not in output


def test_the_replay_fails_the_same_way_on_another_machine(project: Project) -> None:
    project.write("test_it.py", STRICT)
    first = str(project.run("--kroft-seed=random").stdout)
    moved = saved(project, first).rename(project.path / "elsewhere.jsonl")
    again = str(project.run(f"--kroft-replay={moved.name}", "--kroft-seed=random").stdout)
    assert differences(again)[1:] == differences(first)[1:] != []
    assert steps(again) == steps(first)
    assert section(again).startswith("The replayed history: 5 operations\n")
    # The tied stamp is handled now: the same history passes, and is not searched further.
    project.write("test_it.py", STRICT.replace("updated_at >", "updated_at >="))
    project.run(f"--kroft-replay={moved.name}").assert_outcomes(passed=1)


COUNTED = """
import json
from pathlib import Path
from hypothesis import reproduce_failure, seed, settings

def note(kroft_db, name="seen.txt"):
    with Path(name).open("a") as seen:
        seen.write(json.dumps(kroft_db.history.lines()[1:]) + "\\n")
"""


def seen(project: Project, name: str = "seen.txt") -> list[str]:
    """What the bodies noted, one line an example; forgotten then."""
    path = project.path / name
    lines = path.read_text().splitlines()
    path.unlink()
    return lines


@pytest.mark.parametrize(
    "decorators, count",
    [
        ("@pytest.mark.kroft('orders', max_examples=6)", 6),
        ("@pytest.mark.kroft('orders')", 1),
        ("@pytest.mark.kroft('orders', max_examples=6)\n@settings(max_examples=4)", 4),
        ("@settings(max_examples=4)\n@pytest.mark.kroft('orders', max_examples=6)", 4),
        ("@pytest.mark.kroft('orders', max_examples=6)\n@settings(deadline=None)", 6),
    ],
)
def test_the_body_runs_as_often_as_said_each_time_on_a_new_database(
    project: Project, decorators: str, count: int
) -> None:
    body = "def test_it(kroft_db, kroft_mutations):\n    assert len(kroft_db.history) == 1\n"
    body += "    assert kroft_mutations.insert(count=2) == kroft_mutations.counters['inserted'] == 2\n"
    body += "    kroft_db.run(batches=3)\n    kroft_db.verify()\n    note(kroft_db)\n"
    project.write("test_it.py", f"{COUNTED}\n{decorators}\n{body}")
    project.run().assert_outcomes(passed=1)
    histories = seen(project)
    assert len(histories) == count
    # Among them are the empty history and others that are soon at an end.
    assert len(set(histories)) >= count / 2


def test_given_seeds_fix_the_histories(project: Project) -> None:
    marked = "@pytest.mark.kroft('orders', max_examples=4)\n"
    body = "def test_it(kroft_db):\n    kroft_db.run(batches=4)\n    note(kroft_db)\n"
    project.write("test_it.py", COUNTED + marked + body)
    found = []
    for options in (["--kroft-seed=5"], ["--kroft-seed=5"], ["--kroft-seed=6"]):
        project.run(*options)
        found.append(seen(project))
    assert found[0] == found[1] != found[2]
    hypothesis_seeds = []
    for number in (1, 1, 2):
        project.run("--kroft-seed=5", f"--hypothesis-seed={number}")
        hypothesis_seeds.append(seen(project))
    assert hypothesis_seeds[0] == hypothesis_seeds[1] != hypothesis_seeds[2]
    project.write("test_it.py", COUNTED + marked + "@seed(9)\n" + body)
    for _ in range(2):
        project.run("--kroft-seed=random")
        found.append(seen(project))
    assert found[3] == found[4] != found[0]


def test_hypothesis_remembers_a_failure_and_reproduces_it_from_its_line(project: Project) -> None:
    profile = (
        "from hypothesis import settings\nfrom hypothesis.database import DirectoryBasedExampleDatabase\n"
    )
    profile += "memory = DirectoryBasedExampleDatabase('memory')\nsettings.register_profile('p', "
    profile += "print_blob=True, derandomize=False, database=memory)\nsettings.load_profile('p')\n"
    project.write("conftest.py", profile)
    body = STRICT.replace("def test_copy(kroft_db):", "def test_copy(kroft_db):\n    note(kroft_db)")
    project.write("test_it.py", COUNTED + body)
    first = str(project.run("--kroft-seed=random").stdout)
    examples = len(seen(project))
    # The example is remembered: it comes first, whatever the seed of the run.
    second = str(project.run("--kroft-seed=random").stdout)
    assert "(example 1 of 100" in second
    assert steps(second) == steps(first)
    assert len(seen(project)) <= examples
    (line,) = set(re.findall(r"@reproduce_failure\(.*\)", first))
    for example in (project.path / "memory").rglob("*"):
        if example.is_file():
            example.unlink()
    project.write("test_it.py", COUNTED + body.replace("@pytest.mark", f"{line}\n@pytest.mark"))
    third = str(project.run("--kroft-seed=random").stdout)
    assert "(example 1 of 100" in third
    assert steps(third) == steps(first)


def test_tests_do_not_share_their_remembered_failures(project: Project) -> None:
    body = "@pytest.mark.parametrize('wrong', [False, True])\n@pytest.mark.kroft('orders', max_examples=60)\n"
    body += "def test_it(kroft_db, wrong):\n    kroft_db.run(batches=2)\n    note(kroft_db, f'{wrong}.txt')\n"
    body += "    assert not (wrong and kroft_db.expected())\n"
    project.write("test_it.py", COUNTED + body)
    project.run("--kroft-seed=random").assert_outcomes(passed=1, failed=1)
    seen(project, "True.txt")
    first, *_ = seen(project, "False.txt")
    project.run("--kroft-seed=random").assert_outcomes(passed=1, failed=1)
    # The simplest example comes first where nothing is remembered.
    assert seen(project, "False.txt")[0] == first
    assert "insert" in seen(project, "True.txt")[0]


FIXTURES = """
import psycopg

@pytest.fixture
def filled(kroft_db):
    kroft_db.mutations.insert("orders", 3)
    kroft_db.schema.drop_column("orders", "note")
    return kroft_db.connection

@pytest.fixture(autouse=True)
def plain(tmp_path):
    return tmp_path

used = []

@pytest.mark.kroft("orders", rows=2, max_examples=6)
def test_it(kroft_db, filled, kroft_schema):
    assert filled.execute("SELECT count(*) FROM orders").fetchone() == (5,)
    assert kroft_schema.active() == ("id", "amount", "updated_at")
    kroft_db.verify()
    kroft_db.tmp_path.joinpath("mine").open("x").close()
    kroft_db.schema.add_column("extra", sql_type="integer")
    kroft_db.run(batches=1)
    # What consumers leave behind: an open transaction with a lock, a session, a slot, a table.
    slot = psycopg.connect(kroft_db.dsn, autocommit=True)
    slot.execute("SELECT pg_create_logical_replication_slot('mine', 'pgoutput')")
    left = psycopg.connect(kroft_db.dsn)
    left.execute("CREATE TABLE mine ()")
    left.execute("LOCK TABLE orders")
    kroft_db.connect().execute("SET search_path = nowhere")
    used.append((left, slot))

def test_after():
    assert len(used) == 6
    for connections in used:
        for connection in connections:
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
            connection.close()
"""


def test_each_example_begins_where_the_fixtures_left_off(project: Project) -> None:
    project.write("test_it.py", FIXTURES)
    project.run("-W", "ignore").assert_outcomes(passed=2)


OUTCOMES = """
from hypothesis import assume, note, settings
import time

class TestClass:
    @pytest.mark.kroft("orders", max_examples=5)
    def test_method(self, kroft_db):
        kroft_db.run(batches=1)

@pytest.mark.kroft("orders", max_examples=5)
def test_skips(kroft_db):
    pytest.skip("not here")

@pytest.mark.kroft("orders", max_examples=5)
def test_xfails(kroft_db):
    pytest.xfail("not yet")

@pytest.mark.xfail(strict=True)
@pytest.mark.kroft("orders", max_examples=20)
def test_is_known_to_fail(kroft_db):
    kroft_db.run(batches=2)
    assert not kroft_db.expected()

@pytest.mark.kroft("orders", max_examples=20)
def test_fails_by_words(kroft_db):
    kroft_db.run(batches=2)
    if kroft_db.expected():
        pytest.fail("there are rows")

@pytest.mark.kroft("orders", max_examples=5)
@settings(deadline=1)
def test_is_late(kroft_db):
    time.sleep(0.02)

@pytest.mark.kroft("orders", max_examples=20)
def test_assumes(kroft_db):
    kroft_db.run(batches=2)
    assume(kroft_db.expected())
    note("there are rows")

@pytest.mark.kroft("orders", max_examples=20)
def test_assumes_and_fails(kroft_db):
    kroft_db.run(batches=2)
    assume(len(kroft_db.expected()) > 1)
    note("there are rows")
    assert len(kroft_db.expected()) < 1
"""


def test_outcomes_are_those_of_any_test(project: Project) -> None:
    project.write("test_it.py", OUTCOMES)
    result = project.run("-W", "ignore::hypothesis.errors.NonInteractiveExampleWarning")
    result.assert_outcomes(passed=2, failed=3, skipped=1, xfailed=2)
    result.stdout.fnmatch_lines(
        ["*DeadlineExceeded*", "FAILED test_it.py::test_fails_by_words*there are rows*"]
    )
    first = project.run("-x", "-k", "fails_by_words or is_late")
    first.assert_outcomes(failed=1, deselected=6)
    assert "7 tests collected" not in first.stdout.str()
    project.run("-m", "hypothesis", "--collect-only", "-q").stdout.fnmatch_lines(["8 tests collected*"])


def test_what_the_body_calls_on_its_own_is_never_left_out(project: Project) -> None:
    body = "@pytest.mark.kroft('orders', max_examples=30)\ndef test_it(kroft_db, kroft_mutations):\n"
    body += "    kroft_mutations.insert(count=3)\n    for _ in kroft_db.stream(batches=3): pass\n"
    body += "    kroft_mutations.update(count=2)\n    kroft_mutations.delete(count=1)\n"
    body += "    assert len(kroft_db.expected()) < 3\n"
    project.write("test_it.py", body)
    output = str(project.run().stdout)
    words = [step.split()[0] for step in steps(output)]
    assert words == ["create", "insert", "insert", "update", "delete"]
    assert "insert into orders: id 1, id 2, id 3" in output


def test_a_test_that_has_changed_is_told_apart_from_its_history(project: Project) -> None:
    body = "@pytest.mark.kroft('orders', max_examples=5)\ndef test_it(kroft_db, kroft_mutations):\n"
    body += "    kroft_mutations.insert(count=3)\n    assert False\n"
    project.write("test_it.py", body)
    path = saved(project, str(project.run().stdout))
    project.write("test_it.py", body.replace("insert(count=3)", "insert(count=4)"))
    project.run(f"--kroft-replay={path}").stdout.fnmatch_lines(
        [
            (
                "*the test has diverged from the history: its call 2 of 2 was "
                "mutations.insert(orders, count=3), and the test now calls mutations.insert(orders, count=4)*"
            )
        ]
    )


@pytest.mark.parametrize(
    "line, told",
    [
        ("nonsense", "this is no JSON"),
        ('{"op": "delete", "table": "orders", "rows": [7], "call": 1}', "row number 7 of 'orders' cannot be"),
        ('{"op": "sync", "call": 9}', "there is no call 9; the header has 2, from 0"),
    ],
)
def test_a_history_edited_into_something_impossible_is_refused(
    project: Project, line: str, told: str
) -> None:
    project.write(
        "test_it.py",
        "@pytest.mark.kroft('orders')\ndef test_it(kroft_db):\n    kroft_db.run(1)\n    assert 0",
    )
    project.run()
    (path,) = (project.path / ".pytest_cache/d/kroft").glob("*.jsonl")
    header, first, *_ = path.read_text().splitlines()
    path.write_text(f"{header}\n{first}\n{line}\n")
    result = project.run(f"--kroft-replay={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --kroft-replay: {path}, line 3: *{told.replace('[', '[[]')}*"])


def test_an_interrupted_search_leaves_no_transaction_and_no_half_made_database(project: Project) -> None:
    body = "import time\nfrom pathlib import Path\n@pytest.mark.kroft('orders', max_examples=100000)\n"
    body += "def test_it(kroft_db):\n    kroft_db.run(batches=3)\n"
    body += "    kroft_db.connect().execute('BEGIN; LOCK orders')\n    if kroft_db.expected():\n"
    body += "        Path('shrinking').touch()\n        time.sleep(0.05)\n        assert 0\n"
    project.write("test_it.py", body)
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", f"--kroft-dsn={project.dsn}"], cwd=project.path,
        env={**unmeasured(), **APART}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (project.path / "shrinking").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        output = interrupt(run)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    with psycopg.connect(project.dsn, autocommit=True) as connection:
        (marked,) = re.findall(r"kroft_[0-9a-f]{8}_\d+", output) or [None]
        query = "SELECT count(*) FROM pg_stat_activity WHERE xact_start < now() AND datname LIKE 'kroft%%'"
        assert connection.execute(query).fetchone() == (0,), marked


def test_the_debugger_stands_in_the_smallest_failure(project: Project) -> None:
    project.write("test_it.py", STRICT)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--pdb", f"--kroft-dsn={project.dsn}"], cwd=project.path,
        check=False, input="p ('steps', len(kroft_db.history))\nq\n", capture_output=True, text=True,
        env={**at_a_desk(), **APART},
    )  # fmt: skip
    assert "('steps', 5)" in run.stdout


UNFIT = """
import asyncio
import unittest
from hypothesis import given
from hypothesis import strategies as st

searched = pytest.mark.kroft("orders", max_examples=5)

{test}
"""


@pytest.mark.parametrize(
    "test, told",
    [
        ("@searched\nasync def test_it(kroft_db): assert 0", "a coroutine function; call asyncio.run"),
        (
            "@searched\n@given(st.none())\ndef test_it(kroft_db, _): pass",
            "hold @given or max_examples, not both",
        ),
        ("@searched\ndef test_it(kroft_db, subtests): pass", "a test with subtests"),
        (
            "@searched\n@pytest.mark.usefixtures('kroft_db')\nclass T(unittest.TestCase):\n def test(s): 0",
            "a method of a unittest class",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(project: Project, test: str, told: str) -> None:
    project.write("test_it.py", UNFIT.format(test=test))
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *max_examples cannot search *{told}*"])


def test_a_failure_stays_one_whatever_a_smaller_history_does(project: Project) -> None:
    body = "failed = []\n@pytest.mark.kroft('orders', max_examples=30)\ndef test_it(kroft_db):\n"
    body += "    kroft_db.run(batches=5)\n    rows = len(kroft_db.expected())\n    if rows > 3:\n"
    body += "        failed.append(1)\n        assert False\n    if failed:\n        pytest.skip('too few')\n"
    project.write("test_it.py", body)
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "The smallest history that fails: 2 operations" in str(result.stdout)


def test_making_smaller_ends_though_the_body_goes_on(project: Project) -> None:
    body = "@pytest.mark.kroft('orders', max_examples=3)\ndef test_it(kroft_db):\n"
    body += "    while len(kroft_db.history) < 8:\n        kroft_db.mutations.mutate(count=1) or kroft_db."
    body += "mutations.insert(count=1)\n    assert 0\n"
    project.write("test_it.py", body)
    assert "8 operations" in str(project.run().stdout)


def test_settings_without_shrinking_are_kept(project: Project) -> None:
    decorator = "from hypothesis import Phase, settings\n@settings(phases=[Phase.generate])\n"
    project.write("test_it.py", STRICT.replace("@pytest.mark", decorator + "@pytest.mark"))
    assert "\nA history that fails: " in str(project.run().stdout)


def test_the_name_of_the_folder_does_not_matter(project: Project) -> None:
    project.write("my_pytest_kroft_tests/test_it.py", STRICT)
    assert "The smallest history that fails: 5 operations" in str(project.run().stdout)
