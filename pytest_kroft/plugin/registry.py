"""The default registry is the same before each test."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Restore the default registry after a test that changed it."""
    before = _registry()
    snapshot = before.snapshot() if before else None
    try:
        return (yield)
    finally:
        after = _registry()
        if after is not None:
            after.restore(snapshot or type(after)())


def _registry() -> Any:
    """The default registry if anything has imported it."""
    module = sys.modules.get("pytest_kroft.model.registry")
    return module.default_registry if module else None
