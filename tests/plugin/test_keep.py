"""--kroft-keep: a failed test's database outlives the run, and no other does."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.plugin.conftest import Project, facts, leftovers

BODY = """
@pytest.mark.kroft("orders", rows=3)
def test_failed(kroft_db): assert False
@pytest.mark.kroft("orders", rows=2)
def test_passed(kroft_db): pass
@pytest.mark.kroft("orders", rows=2)
@pytest.mark.xfail
def test_expected(kroft_db): assert False
@pytest.mark.kroft("orders", rows=2)
def test_skipped(kroft_server):
    with kroft_server.database("orders"): pytest.skip("not today")
def test_caught(kroft_server):
    with pytest.raises(ValueError), kroft_server.database("orders"): raise ValueError
"""


def names(dsn: str) -> set[str]:
    """The databases of the server that kroft made."""
    with psycopg.connect(dsn) as admin:
        rows = admin.execute(r"SELECT datname FROM pg_database WHERE datname LIKE 'kroft\_%'").fetchall()
    return {name for (name,) in rows}


def reached(output: str) -> list[str]:
    """The URIs that the printed commands name."""
    return [shlex.split(line)[1] for line in re.findall(r"^database +(.*)$", output, flags=re.MULTILINE)]


def kept(project: Project, *arguments: str) -> list[list[tuple[int]]]:
    """Run, and give how many rows each database holds that is kept; then drop them all."""
    before = names(project.dsn)
    result = project.run(*arguments)
    counts = []
    for dsn in reached(str(result.stdout)):
        with psycopg.connect(dsn) as connection:
            counts.append(connection.execute("SELECT count(*) FROM orders").fetchall())
    made = names(project.dsn) - before
    with psycopg.connect(project.dsn, autocommit=True) as admin:
        for name in made:
            admin.execute(f'DROP DATABASE "{name}"')
    assert len(made) == len(counts)
    return counts


@pytest.mark.parametrize("ini", [False, True], ids=["option", "ini"])
def test_the_database_of_a_failed_test_is_kept_and_no_other(project: Project, ini: bool) -> None:
    project.write("test_it.py", BODY)
    if ini:
        project.ini("kroft_keep = true")
    assert kept(project, *[] if ini else ["--kroft-keep"]) == [[(3,)]]


def test_without_the_option_none_is_kept(project: Project) -> None:
    project.write("test_it.py", BODY)
    assert kept(project) == []


def test_every_way_to_fail_keeps(project: Project) -> None:
    project.write(
        "test_it.py",
        """
@pytest.fixture
def mine(kroft_server):
    with kroft_server.database("orders", rows=4) as db: yield db
def test_fixture(mine): assert False
def test_block(kroft_server):
    with kroft_server.database("orders", rows=5): assert False
def test_after(kroft_server):
    with kroft_server.database("orders", rows=6): pass
    assert False
@pytest.fixture
def broken(kroft_db): raise ValueError
@pytest.mark.kroft("orders", rows=7)
def test_set_up(broken): pass
@pytest.fixture
def late(kroft_db):
    yield
    raise ValueError
@pytest.mark.kroft("orders", rows=8)
def test_tear_down(late): pass
def test_last(kroft_server): pass
""",
    )
    assert sorted(kept(project, "--kroft-keep")) == [[(4,)], [(5,)], [(6,)], [(7,)], [(8,)]]


def test_a_test_of_many_databases_keeps_the_latest(project: Project) -> None:
    project.write(
        "test_it.py",
        """
def test_many(kroft_server):
    for count in range(7):
        with kroft_server.database("orders", rows=count): pass
    assert False
""",
    )
    assert kept(project, "--kroft-keep") == [[(2,)], [(3,)], [(4,)], [(5,)], [(6,)]]


def test_an_embedded_server_stays_up_until_the_printed_command_ends_it(
    project: Project, open_tmp: Path
) -> None:
    project.write("test_it.py", BODY)
    result = project.run_apart(
        "-W", "error", "--kroft-server=embedded", "--kroft-keep", server=False, TMPDIR=str(open_tmp)
    )
    assert "1 failed" in result.stdout, result.stdout
    (dsn,) = reached(result.stdout)
    try:
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(3,)]
        assert str(open_tmp) in dsn
        assert len(names(dsn)) == 1
    finally:
        subprocess.run(["sh", "-c", facts(result.stdout)["stop it"]], check=True)
    assert leftovers(open_tmp) == []
