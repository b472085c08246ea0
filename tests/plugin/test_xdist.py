"""Neither order nor workers change what happens to a test's database."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_kroft.model.choices import derive_seed
from tests.plugin.conftest import Project, leftovers

BODY = """
import os
from pathlib import Path

def save(db, request):
    name = request.node.name.replace("/", "-")
    folder = Path(os.environ["HISTORIES"])
    db.save(folder / f"{name}.jsonl")
    rows = db.connection.execute('SELECT t::text FROM orders t ORDER BY 1').fetchall()
    (folder / f"{name}.rows").write_text(repr(rows))
    db.verify()

@pytest.mark.kroft("orders", rows=5)
@pytest.mark.parametrize("x", ["a", "b@c"])
def test_evolving(kroft_db, request, x):
    kroft_db.run(batches=3, rows=6)
    save(kroft_db, request)

@pytest.mark.kroft("orders", rows=5, policy="breaking")
@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("x", ["a", "b@c"])
def test_breaking(kroft_db, request, x):
    kroft_db.run(batches=3, rows=6)
    save(kroft_db, request)

@pytest.mark.xdist_group("together")
def test_own(kroft_server, request):
    with kroft_server.database("orders", rows=3) as db:
        save(db, request)

@pytest.mark.kroft("orders", rows=5, seed=4)
def test_marked(kroft_db, request):
    save(kroft_db, request)
"""
TESTS = 6


class Runs:
    """Runs of one project, each leaving its histories and its tables' contents in a folder."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.monkeypatch = project, monkeypatch
        project.write("test_it.py", BODY)

    def here(self, *arguments: str) -> dict[str, bytes]:
        """What a run inside this process leaves."""
        folder = self._folder()
        self.monkeypatch.setenv("HISTORIES", str(folder))
        self.project.run(*arguments).assert_outcomes(passed=TESTS)
        return self._read(folder)

    def workers(self, *arguments: str) -> dict[str, bytes]:
        """What a run with two workers leaves."""
        folder = self._folder()
        done = self.project.run_apart("-p", "xdist", "-n", "2", *arguments, HISTORIES=str(folder))
        assert f"{TESTS} passed" in done.stdout, done.stdout
        return self._read(folder)

    def _folder(self) -> Path:
        folder = self.project.path / f"histories-{len([*self.project.path.glob('histories-*')])}"
        folder.mkdir()
        return folder

    def _read(self, folder: Path) -> dict[str, bytes]:
        read = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert len(read) == 2 * TESTS
        return read


def test_order_and_workers_change_nothing_and_the_seed_everything(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(project, monkeypatch)
    first = runs.here("--kroft-seed=17")
    assert runs.workers("--kroft-seed=17") == first
    # Here the names of grouped tests end in their group.
    assert runs.workers("--kroft-seed=17", "--dist=loadgroup") == first

    other = runs.here("--kroft-seed=18")
    same = {name for name in first if first[name] == other[name]}
    assert same == {"test_marked.jsonl", "test_marked.rows"}

    project.write("conftest.py", "def pytest_collection_modifyitems(items): items.reverse()")
    assert runs.here("--kroft-seed=17") == first


def test_workers_have_servers_of_their_own_and_one_drawn_seed(project: Project, open_tmp: Path) -> None:
    project.write(
        "test_it.py",
        """
import os, time
from pathlib import Path
@pytest.mark.parametrize("x", [1, 2])
def test_it(kroft_server, kroft_seed, request, x):
    worker = os.environ["PYTEST_XDIST_WORKER"]
    told = f"{kroft_server.dsn}\\n{kroft_seed}\\n{request.node.nodeid}"
    Path(f"told-{worker}").write_text(told)
    # Each worker takes one of the two tests only where neither ends before the other has begun.
    while len([*Path().glob("told-*")]) < 2: time.sleep(0.02)
""",
    )
    options = ["-p", "xdist", "-n", "2", "--kroft-server=embedded", "--kroft-seed=random"]
    done = project.run_apart(*options, server=False, TMPDIR=str(open_tmp))
    assert "2 passed" in done.stdout, done.stdout
    told = [path.read_text().splitlines() for path in project.path.glob("told-*")]
    assert len({dsn for dsn, _, _ in told}) == 2
    header = done.stdout.partition("--kroft-seed=")[2].split()[0]
    assert all(int(seed) == derive_seed(int(header), test) for _, seed, test in told)
    assert leftovers(open_tmp) == []


def test_a_wrong_marker_fails_its_test_with_the_same_sentence(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("nope")
def test_bad(kroft_db): pass
@pytest.mark.xdist_group("some")
@pytest.mark.kroft("orders", rows=1)
@pytest.mark.parametrize("x", ["y@z"])
def test_failing(kroft_db, x): assert False
""",
    )
    done = project.run_apart("-p", "xdist", "-n", "2", "--dist=loadgroup")
    assert "1 failed, 1 error" in done.stdout, done.stdout
    assert "kroft: test_it.py::test_bad: @pytest.mark.kroft: no table 'nope' is registered" in done.stdout
    assert "INTERNALERROR" not in done.stdout
    assert "again     pytest 'test_it.py::test_failing[y@z]' --kroft-seed=" in done.stdout


def test_a_wrong_marker_leaves_the_tests_around_it_alone(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft(orders, rows=2)
def test_before(kroft_db): assert len(kroft_db.expected()) == 2
@pytest.mark.kroft(orders, rows=-1)
def test_bad(kroft_db): pass
@pytest.mark.kroft(orders, rows=3)
def test_after(kroft_db): assert len(kroft_db.expected()) == 3
""",
    )
    for order in (["before", "bad", "after"], ["bad", "before", "after"]):
        tests = [f"test_it.py::test_{name}" for name in order]
        done = project.run_apart("-p", "xdist", "-n", "1", *tests)
        assert "INTERNALERROR" not in done.stdout, done.stdout
        assert "2 passed, 1 error" in done.stdout, done.stdout
        assert "rows must be a whole number of 0 or more, not -1" in done.stdout
