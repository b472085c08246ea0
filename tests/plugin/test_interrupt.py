"""After a run, and after one that is broken off, nothing of kroft's remains."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.plugin.conftest import APART, Project, interrupt, leftovers, unmeasured

BODY = """
import os, time
from pathlib import Path
@pytest.mark.kroft("orders", rows=2)
def test_long(kroft_db):
    # What is imported late is imported now: Python itself may pass over an interruption while it imports.
    kroft_db.run(batches=3)
    Path("ready").touch()
    while {going}: {busy}
"""
ENDLESS = {"waiting": "time.sleep(60)", "working": "kroft_db.run(batches=1, rows=5)"}


def start(project: Project, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A run with an embedded server whose temporary files lie in the folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "--kroft-server=embedded", *arguments],
        cwd=project.path, env={**unmeasured(), **APART, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_run_leaves_nothing(project: Project, open_tmp: Path) -> None:
    project.write("test_it.py", BODY.format(going="False", busy="pass") + "    assert False")
    run = start(project, open_tmp, "-p", "no:cacheprovider")
    output, _ = run.communicate(timeout=60)
    assert "1 failed" in output
    assert leftovers(open_tmp) == []


@pytest.mark.parametrize("busy", ENDLESS)
def test_a_run_that_is_interrupted_leaves_nothing(project: Project, open_tmp: Path, busy: str) -> None:
    project.write("test_it.py", BODY.format(going="True", busy=ENDLESS[busy]))
    code, output = interrupted(project, open_tmp)
    for _ in range(ATTEMPTS):
        if WITHOUT_A_LINE in output:
            code, output = interrupted(project, open_tmp)
    assert code == pytest.ExitCode.INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert "INTERNALERROR" not in output
    assert leftovers(open_tmp) == []


ATTEMPTS = 3
WITHOUT_A_LINE = "self._rawentry.tb_lineno - 1"
"""Where pytest itself fails: Python 3.11 can be interrupted in an instruction that belongs to no line."""


def interrupted(project: Project, open_tmp: Path) -> tuple[int, str]:
    """The exit code and the output of a run that is interrupted while its test is busy."""
    (project.path / "ready").unlink(missing_ok=True)
    run = start(project, open_tmp)
    try:
        deadline = time.monotonic() + 60
        while not (project.path / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        # The directory, the server and what watches over it: otherwise the test could not fail.
        assert len(leftovers(open_tmp)) >= 3
        output = interrupt(run)
        return run.returncode, output
    finally:
        run.kill()
        run.communicate()
