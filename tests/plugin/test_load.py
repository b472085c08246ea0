"""What is loaded into every test's database: options, settings, workers, and sentences where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.postgres.templates import MARK, PREFIX
from tests.plugin.conftest import Project, leftovers

READS = """
def test_it(kroft_db):
    assert kroft_db.connection.execute("table loaded").fetchall() == [{rows}]
"""
FUNCTION = """
from pathlib import Path
def fill(connection):
    with Path("calls").open("a") as calls:
        calls.write("x")
    connection.execute("create table loaded (n int); insert into loaded values (2)")
def fails(connection):
    raise ValueError("no luck")
"""


@pytest.fixture(autouse=True)
def no_templates_before_and_after(server: EmbeddedServer) -> Iterator[None]:
    """A template outlives the run that made it, and the tests of another file may have made some."""
    drop_templates(server)
    yield
    drop_templates(server)


def drop_templates(server: EmbeddedServer) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for (name,) in admin.execute("select datname from pg_database where datname ~ %s", [f"^{PREFIX}"]):
            admin.execute(f"drop database {name} with (force)".encode())


def marks(server: EmbeddedServer) -> list[str | None]:
    query = "select shobj_description(oid, 'pg_database') from pg_database where datname ~ %s"
    with psycopg.connect(server.dsn()) as admin:
        return [mark for (mark,) in admin.execute(query, [f"^{PREFIX}"])]


def test_a_file_from_the_command_line_replaces_those_of_the_setting(project: Project) -> None:
    project.write("sql/a.sql", "create table loaded (n int); insert into loaded values (1);")
    project.write("sql/b.sql", "create table loaded (n int);")
    project.write("sub/test_it.py", READS.format(rows="(1,)"))
    project.ini("kroft_load = sql/b.sql")
    project.run("--kroft-load=sql/a.sql", "sub").assert_outcomes(passed=1)
    project.run("sub").assert_outcomes(failed=1)


def test_the_setting_names_several_sources_one_a_line(project: Project) -> None:
    project.write("fills.py", FUNCTION)
    project.write("more.sql", "insert into loaded values (3);")
    project.write("test_it.py", READS.format(rows="(2,), (3,)"))
    project.ini("kroft_load =", "    fills:fill more.sql", "    more.sql")
    project.run().assert_outcomes(passed=1)
    again = project.run("--kroft-load=fills:fill", "--kroft-load=more.sql")
    again.assert_outcomes(passed=1)


def test_each_test_and_each_example_begins_as_loaded(project: Project) -> None:
    project.write("schema.sql", "create table loaded (n int); insert into loaded values (1);")
    project.write(
        "test_it.py",
        """
@pytest.mark.parametrize("x", [1, 2])
@pytest.mark.kroft("items", rows=2, max_examples=3)
def test_it(kroft_db, x):
    assert kroft_db.connection.execute("table loaded").fetchall() == [(1,)]
    kroft_db.connection.execute("update loaded set n = 2; create table loaded_twice ()")
    kroft_db.run(batches=2)
    kroft_db.verify()
""",
    )
    project.run("--kroft-load=schema.sql").assert_outcomes(passed=2)


def test_a_failure_is_shrunk_on_a_loaded_schema(project: Project) -> None:
    project.write("schema.sql", "create table loaded (n int);")
    project.write(
        "test_it.py",
        """
@pytest.mark.kroft("items", max_examples=20)
def test_it(kroft_db):
    for _ in kroft_db.stream(batches=3, rows=3):
        assert kroft_db.connection.execute("select from loaded").rowcount == 0
        assert len(kroft_db.expected()) == 0
""",
    )
    result = project.run("--kroft-load=schema.sql")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The smallest history that fails: *"])


def test_workers_on_one_server_share_a_template_and_the_next_run_has_it(
    project: Project, server: EmbeddedServer
) -> None:
    project.write("fills.py", FUNCTION)
    project.write(
        "test_it.py",
        "import pytest\n@pytest.mark.parametrize('x', range(4))"
        + READS.format(rows="(2,)").replace("kroft_db)", "kroft_db, x)"),
    )
    for _ in range(2):
        done = project.run_apart("-p", "xdist", "-n", "2", "--kroft-load=fills:fill")
        assert "4 passed" in done.stdout, done.stdout
    assert (project.path / "calls").read_text() == "x"
    assert marks(server) == [MARK]


def test_workers_with_servers_of_their_own_have_a_template_each(project: Project, open_tmp: Path) -> None:
    project.write("fills.py", FUNCTION)
    project.write(
        "test_it.py",
        """
import os, time
from pathlib import Path
@pytest.mark.parametrize("x", [1, 2])
def test_it(kroft_db, x):
    assert kroft_db.connection.execute("table loaded").fetchall() == [(2,)]
    Path(f"told-{os.environ['PYTEST_XDIST_WORKER']}").touch()
    # Each worker takes one of the two tests only where neither ends before the other has begun.
    while len([*Path().glob("told-*")]) < 2: time.sleep(0.02)
""",
    )
    options = ["-p", "xdist", "-n", "2", "--kroft-server=embedded", "--kroft-load=fills:fill"]
    done = project.run_apart(*options, server=False, TMPDIR=str(open_tmp))
    assert "2 passed" in done.stdout, done.stdout
    assert (project.path / "calls").read_text() == "xx"
    assert leftovers(open_tmp) == []


@pytest.mark.parametrize("ini", [False, True], ids=["option", "ini"])
def test_a_missing_file_is_a_usage_error(project: Project, ini: bool) -> None:
    project.write("test_it.py", "def test_it(): pass")
    if ini:
        project.ini("kroft_load = nowhere.sql")
    result = project.run(*[] if ini else ["--kroft-load=nowhere.sql"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = f"there is no file {project.path}/nowhere.sql; name an SQL file, or a function as module:function"
    result.stderr.fnmatch_lines([f"ERROR: --kroft-load=nowhere.sql: {said}"])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("bad.sql", 'bad.sql, line 2: syntax error at or near "selct"\n  statement: selct 1'),
        ("fills:fails", "fills:fails, line 8: the function raised ValueError: no luck"),
        ("fills:nothing", "fills:nothing: fills has no function 'nothing'"),
        (
            "nowhere_b:f",
            "nowhere_b:f: there is no module 'nowhere_b'; add its folder to pytest's setting pythonpath",
        ),
    ],
)
def test_a_load_that_fails_is_told_plainly_to_each_test(
    project: Project, server: EmbeddedServer, source: str, said: str
) -> None:
    project.write("bad.sql", "\nselct 1;")
    project.write("fills.py", FUNCTION)
    project.write("test_it.py", "def test_one(kroft_db): pass\ndef test_two(kroft_db): pass")
    result = project.run(f"--kroft-load={source}")
    result.assert_outcomes(errors=2)
    output = str(result.stdout)
    assert "Traceback" not in output
    assert output.partition("short test summary")[0].count(f"kroft: {said}\n") == 2
    assert marks(server) == []
