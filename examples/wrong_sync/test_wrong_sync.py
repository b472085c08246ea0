"""The wrong sync fails, in the words of output.txt, and one character makes it right.

Its test is run as a user would run it: saved as test_sync.py in a project of its own. With `>=` in place of
`>` it passes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from pytest_kroft import KroftServer

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
_DOCSTRING, _, _CODE = (HERE / "wrong_sync.py").read_text(encoding="utf-8").partition("import psycopg\n")
SOURCE = f"import psycopg\n{_CODE}"
OUTPUT = (HERE / "output.txt").read_text(encoding="utf-8")
LATER = "updated_at > %(newest)s"

# What would change how pytest prints, or which tests it runs.
UNWANTED = re.compile(r"PYTEST_.*|TOX_.*|.*COLOR|CI|BUILD_NUMBER|GITHUB_ACTIONS")


def run(folder: Path, source: str, dsn: str) -> str:
    """What pytest prints for a file test_sync.py, on the server that runs already."""
    (folder / "test_sync.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").touch()
    environment = {name: text for name, text in os.environ.items() if not UNWANTED.fullmatch(name)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "test_sync.py", "-o", f"kroft_dsn={dsn}"],
        cwd=folder, env={**environment, "COLUMNS": "80"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def failure(output: str) -> str:
    """The part of an output that is the same each time: the failure itself."""
    found = re.search(r"^=+ FAILURES =+\n.*^as SQL[^\n]*\n", output, re.DOTALL | re.MULTILINE)
    assert found, output
    return found[0]


def test_it_fails_as_shown(tmp_path: Path, kroft_server: KroftServer) -> None:
    printed = run(tmp_path, SOURCE, kroft_server.dsn)
    assert failure(printed) == OUTPUT
    assert "1 failed" in printed


def test_it_passes_with_or_equal(tmp_path: Path, kroft_server: KroftServer) -> None:
    assert SOURCE.count(LATER) == 1
    printed = run(tmp_path, SOURCE.replace(LATER, LATER.replace(">", ">=")), kroft_server.dsn)
    assert "1 passed" in printed


def test_the_readme_shows_both() -> None:
    readme = README.read_text(encoding="utf-8")
    assert SOURCE in readme
    assert OUTPUT in readme
