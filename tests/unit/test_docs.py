"""The tables of the documentation say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "hazards.md").read_text(encoding="utf-8")
ROWS = {
    name: [cell.strip() for cell in cells.split("|")]
    for name, cells in re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE, re.MULTILINE)
}


def test_every_hazard_has_a_row() -> None:
    assert list(ROWS) == list(HAZARDS)


@pytest.mark.parametrize("name", HAZARDS)
def test_a_row_says_which_policies_have_the_hazard(name: str) -> None:
    *marks, sentence = ROWS[name]
    assert {policy for policy, mark in zip(POLICIES, marks, strict=True) if mark == "x"} == {
        policy for policy in POLICIES if name in EvolutionPolicy.named(policy).hazards
    }
    assert sentence == HAZARDS[name].breaks
