"""The pytest plugin: what pytest looks for, and nothing else. pytest alone lives in this package.

Nothing but pytest is imported when it loads, so that a run which does not use it pays nothing.
"""

from pytest_kroft.plugin.asking import pytest_fixture_setup, pytest_runtest_setup
from pytest_kroft.plugin.collection import pytest_collection_finish, pytest_collection_modifyitems
from pytest_kroft.plugin.failures import pytest_runtest_makereport
from pytest_kroft.plugin.fixtures import (
    kroft_batches,
    kroft_db,
    kroft_evolution,
    kroft_hazard,
    kroft_mutations,
    kroft_runner,
    kroft_schema,
    kroft_seed,
    kroft_server,
)
from pytest_kroft.plugin.hazards import pytest_generate_tests, pytest_terminal_summary
from pytest_kroft.plugin.options import (
    pytest_addoption,
    pytest_configure,
    pytest_configure_node,
    pytest_report_header,
    pytest_sessionstart,
)
from pytest_kroft.plugin.registry import pytest_runtest_protocol
from pytest_kroft.plugin.searching import pytest_runtest_call

__all__ = [
    "kroft_batches", "kroft_db", "kroft_evolution", "kroft_hazard", "kroft_mutations", "kroft_runner",
    "kroft_schema", "kroft_seed", "kroft_server", "pytest_addoption", "pytest_collection_finish",
    "pytest_collection_modifyitems", "pytest_configure", "pytest_configure_node", "pytest_fixture_setup",
    "pytest_generate_tests", "pytest_report_header", "pytest_runtest_call", "pytest_runtest_makereport",
    "pytest_runtest_protocol", "pytest_runtest_setup", "pytest_sessionstart", "pytest_terminal_summary",
]  # fmt: skip
