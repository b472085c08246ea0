"""A user's project in a folder of its own, run with kroft on the server of the outer run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Loaded before any inner run: pytester forgets what was first imported in one, and another copy would be made
# in the next: of our own modules it would differ, and Hypothesis, whose plugin ends every run, takes seconds.
import hypothesis.core  # noqa: F401
import pytest
from hypothesis import settings

import pytest_kroft.report
import pytest_kroft.server  # noqa: F401
from pytest_kroft.model.registry import default_registry
from pytest_kroft.postgres.embedded import EmbeddedServer

TABLES = """\
from pytest_kroft import ColumnDefinition, EnumDefinition, TableDefinition, register_table

orders = register_table(
    "orders",
    [
        ColumnDefinition("id", "integer", primary_key=True),
        ColumnDefinition("amount", "numeric(10,2)", nullable=False),
        ColumnDefinition("note", "text"),
        ColumnDefinition("spare", "date", reserved=True),
        ColumnDefinition("updated_at", "timestamptz"),
    ],
    updated_at="updated_at",
)
items = register_table("items", [ColumnDefinition("id", "integer", primary_key=True)])
unregistered = TableDefinition("unregistered", [ColumnDefinition("id", "integer", primary_key=True)])
mood = EnumDefinition("mood", ["sad", "ok"])
people = TableDefinition("people", [ColumnDefinition("mood", "mood")])
"""
CI = frozenset({
    "CI", "__TOX_ENVIRONMENT_VARIABLE_ORIGINAL_CI", "TF_BUILD", "bamboo.buildKey", "BUILDKITE", "CIRCLECI",
    "CIRRUS_CI", "CODEBUILD_BUILD_ID", "GITHUB_ACTIONS", "GITLAB_CI", "HEROKU_TEST_RUN_ID",
    "TEAMCITY_VERSION",
})  # fmt: skip
"""By these variables Hypothesis knows a CI, where it has another profile: a user's project is at a desk."""
APART = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_kroft.plugin"}
"""The environment of a run in a process of its own: to load every plugin there is costs it seconds."""

HEADER = "import pytest\nfrom tables import items, mood, orders, people, unregistered\n"


class Project:
    """A project with the tables above, whose runs use the server at ``dsn`` unless told otherwise."""

    def __init__(self, pytester: pytest.Pytester, dsn: str) -> None:
        self.pytester, self.dsn, self.path = pytester, dsn, pytester.path
        self.write("tables.py", TABLES)
        self.write("pytest.ini", "[pytest]\npythonpath = .\n")

    def write(self, name: str, text: str) -> Path:
        """A file of the project; a test module gets the imports of the tables before its text."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((HEADER if path.name.startswith("test_") else "") + text, encoding="utf-8")
        return path

    def ini(self, *lines: str) -> None:
        """Settings besides the one that the project has."""
        self.write("pytest.ini", "\n".join(["[pytest]", "pythonpath = .", *lines, ""]))

    def run(self, *arguments: str, server: bool = True) -> pytest.RunResult:
        """A run of pytest inside this process, with the default registry as it was before it."""
        before = default_registry.snapshot()
        # What a profile of Hypothesis says is shared with the outer run, which may be one in a CI.
        profile = settings.get_current_profile_name()
        settings.load_profile("default")
        given = [f"--kroft-dsn={self.dsn}"] if server else []
        try:
            return self.pytester.runpytest_inprocess(*given, *arguments)
        finally:
            default_registry.restore(before)
            settings.load_profile(profile)

    def run_apart(
        self, *arguments: str, server: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A run of pytest in a process of its own."""
        given = [f"--kroft-dsn={self.dsn}"] if server else []
        return subprocess.run(
            [sys.executable, "-m", "pytest", *given, *arguments],
            check=False, capture_output=True, text=True, cwd=self.path,
            env={**at_a_desk(), **APART, **environment},
        )  # fmt: skip


def at_a_desk() -> dict[str, str]:
    """The environment of this run without what tells that it is one in a CI."""
    return {name: value for name, value in os.environ.items() if name not in CI}


def unmeasured() -> dict[str, str]:
    """The same for a run that is interrupted.

    Coverage must not measure it: interrupted while it takes a lock, it waits for that lock for ever.
    """
    return {name: value for name, value in at_a_desk().items() if not name.startswith("COVERAGE_")}


@pytest.fixture
def project(pytester: pytest.Pytester, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A user's project."""
    # One seed in every run of the tests, where a test does not say otherwise.
    monkeypatch.setenv("PYTEST_ADDOPTS", "--kroft-seed=1")
    return Project(pytester, server.dsn())


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A folder for temporary files as an embedded server needs it: its path is short, any user may enter."""
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def interrupt(run: subprocess.Popen[str]) -> str:
    """What a run has printed that Ctrl-C ends."""
    run.send_signal(signal.SIGINT)
    return run.communicate(timeout=60)[0]


def leftovers(folder: Path) -> list[str]:
    """What kroft left below a folder for temporary files: its directories, and processes that name them."""
    return [str(path) for path in folder.glob("kroft-*")] + processes(str(folder))


def processes(text: str) -> list[str]:
    """The command lines of running processes that hold a text."""
    answer = subprocess.run(["ps", "-ww", "-eo", "args"], check=True, capture_output=True, text=True)
    return [line for line in answer.stdout.splitlines() if text in line]


def facts(output: str) -> dict[str, str]:
    """What the failure section says below the operations: ``seed``, ``again``, ``history``, ..."""
    names = "seed|again|in code|history|as SQL|database|stop it"
    return dict(re.findall(rf"^({names}) +(\S.*)$", output, flags=re.MULTILINE))


def own_seeds(output: str) -> dict[str, str]:
    """The lines ``name=seed`` that tests printed."""
    return dict(re.findall(r"^\.?SEED (\S+)=(\S+)$", output, flags=re.MULTILINE))
