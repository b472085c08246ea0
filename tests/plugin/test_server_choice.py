"""Where the server comes from, and one clear sentence where none can be had."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import ServerNotFound
from pytest_kroft.postgres import server as module
from pytest_kroft.postgres.embedded import EmbeddedServer
from tests.plugin.conftest import Project

SAYING = 'def test_it(kroft_server): print(f"\\nFOUND {kroft_server.found}")\n'
TWO = "def test_one(kroft_server): pass\ndef test_two(kroft_db): pass\n"
OWN = """
import pytest
@pytest.fixture(scope="session")
def my_server(): return {dsn!r}
"""


def found(result: pytest.RunResult) -> str:
    """The phrase that the server says of itself."""
    result.assert_outcomes(passed=1)
    lines = [line for line in str(result.stdout).splitlines() if line.startswith("FOUND ")]
    return lines[0].removeprefix("FOUND ")


def same_sentence_twice(result: pytest.RunResult) -> str:
    """The whole text under each of the two errors, which is the same for both."""
    result.assert_outcomes(errors=2)
    output = str(result.stdout)
    assert "Traceback" not in output
    _, one, two = output.partition("short test summary")[0].split(" ERROR at setup of ")
    texts = [text.split("\n", 1)[1].strip(" _=\n") for text in (one, two)]
    assert texts[0] == texts[1]
    return texts[0]


@pytest.mark.parametrize("ini", [False, True], ids=["option", "ini"])
def test_a_given_connection_string(project: Project, ini: bool) -> None:
    project.write("test_it.py", SAYING)
    if ini:
        project.ini(f"kroft_dsn = {project.dsn}")
    assert found(project.run("-s", server=not ini)) == "the given connection string"


def test_a_connection_string_in_key_words(project: Project, server: EmbeddedServer) -> None:
    project.write("test_it.py", SAYING)
    project.run(f"--kroft-dsn=host={server.directory} port=5432 user=postgres", server=False).assert_outcomes(
        passed=1
    )


@pytest.mark.parametrize("ini", [False, True], ids=["option", "ini"])
def test_a_fixture_of_the_project(project: Project, ini: bool) -> None:
    project.write("conftest.py", OWN.format(dsn=project.dsn))
    project.write("test_it.py", SAYING)
    if ini:
        project.ini("kroft_server = my_server")
    arguments = [] if ini else ["--kroft-server=my_server"]
    assert found(project.run("-s", *arguments, server=False)) == "the fixture my_server"


def test_a_process_fixture_of_pytest_postgresql(project: Project, server: EmbeddedServer) -> None:
    project.write("test_it.py", SAYING)
    options = [
        f"--postgresql-host={server.directory}",
        "--postgresql-port=5432",
        "--postgresql-user=postgres",
    ]
    result = project.run("-s", "--kroft-server=postgresql_noproc", *options, server=False)
    assert found(result) == "the fixture postgresql_noproc"


def test_the_connection_string_comes_first(project: Project) -> None:
    project.write("test_it.py", SAYING)
    assert found(project.run("-s", "--kroft-server=nowhere")) == "the given connection string"


@pytest.mark.parametrize("choice", ["embedded", None])
def test_the_embedded_server(project: Project, choice: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[EmbeddedServer] = []

    class Noted(EmbeddedServer):
        def __init__(self, package: str) -> None:
            started.append(self)
            super().__init__(package)

    monkeypatch.setattr(module, "EmbeddedServer", Noted)
    project.write("test_it.py", SAYING + TWO)
    result = project.run(*[f"--kroft-server={choice}"] if choice else [], server=False)
    result.assert_outcomes(passed=3)
    assert len(started) == 1
    assert not started[0].directory.exists()


def test_an_unknown_fixture_is_told_once_for_all(project: Project) -> None:
    project.write("test_it.py", TWO)
    text = same_sentence_twice(project.run("--kroft-server=nowhere", server=False))
    assert text == (
        "kroft: there is no fixture 'nowhere'; name one that gives a server, or 'auto' or 'embedded'"
    )


def test_a_fixture_of_a_test_is_refused(project: Project) -> None:
    project.write("test_it.py", TWO)
    text = same_sentence_twice(project.run("--kroft-server=tmp_path", server=False))
    assert text == "kroft: the fixture 'tmp_path' ends before the run does; name one of session scope"


def test_a_fixture_that_fails_is_told_with_its_reason(project: Project) -> None:
    project.write("conftest.py", OWN.format(dsn="x").replace("return", "raise ValueError(3) #"))
    project.write("test_it.py", TWO)
    text = same_sentence_twice(project.run("--kroft-server=my_server", server=False))
    assert text == "kroft: the fixture 'my_server' failed: ValueError: 3"


def test_a_fixture_that_fails_by_itself_or_skips_is_left_to_pytest(project: Project) -> None:
    project.write("conftest.py", OWN.format(dsn="x").replace("return", "pytest.skip('no server today') #"))
    project.write("test_it.py", TWO)
    project.run("--kroft-server=my_server", server=False).assert_outcomes(skipped=2)
    project.write("conftest.py", OWN.format(dsn="x").replace("return", "pytest.fail('no server today') #"))
    result = project.run("--kroft-server=my_server", server=False)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*no server today"])


@pytest.mark.parametrize(
    "dsn, sentence",
    [
        ("mysql://me@h/db", "a URI of scheme 'mysql' names no PostgreSQL server that kroft can use; "),
        ("nonsense", "the connection string cannot be read: "),
        (
            "postgresql://me:secret@/db?host=/nowhere",
            "the given connection string: postgresql://me@/db?host=/nowhere cannot be reached: ",
        ),
    ],
    ids=["scheme", "unreadable", "unreachable"],
)
def test_a_connection_string_that_does_not_serve(project: Project, dsn: str, sentence: str) -> None:
    project.write("test_it.py", TWO)
    result = project.run(f"--kroft-dsn={dsn}", server=False)
    assert same_sentence_twice(result).startswith(f"kroft: {sentence}")
    assert "secret" not in str(result.stdout)


def test_the_search_is_made_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(**given: object) -> None:
        asked.append("again")
        raise ServerNotFound("nothing here")

    monkeypatch.setattr(module, "find_server", refuse)
    project.write("test_it.py", TWO)
    assert same_sentence_twice(project.run()) == "kroft: nothing here"
    assert asked == ["again"]
