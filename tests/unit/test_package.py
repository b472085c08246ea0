from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pytest_kroft


@pytest.mark.parametrize("name", [name for name in pytest_kroft.__all__ if name != "__version__"])
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(pytest_kroft, name) is not None
    assert name in dir(pytest_kroft)


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        pytest_kroft.nothing  # noqa: B018


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    tree = ast.parse(Path(pytest_kroft.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    served = {name: f"pytest_kroft.{home}" for name, home in pytest_kroft._HOME_OF.items()}
    assert seen == served


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert version("pytest-kroft") == pytest_kroft.__version__
