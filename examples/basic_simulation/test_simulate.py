"""The script simulate.py prints the same each time, because its seed says everything."""

from __future__ import annotations

import pytest

from examples.basic_simulation.simulate import simulate
from pytest_kroft import KroftServer


def test_the_script_prints_the_same_each_time(
    kroft_server: KroftServer, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate(kroft_server)
    once = capsys.readouterr().out
    assert "20 batches" in once
    simulate(kroft_server)
    assert capsys.readouterr().out == once
