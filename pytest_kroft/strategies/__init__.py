"""Hypothesis strategies: values, rows, definitions, and whole histories.

The planners of the seeded simulation are the strategies too: Hypothesis answers their questions, so that
what it finds it can shrink to the few steps that matter.
"""

from pytest_kroft.strategies.cells import values
from pytest_kroft.strategies.content import batches, rows
from pytest_kroft.strategies.definitions import tables
from pytest_kroft.strategies.evolving import evolutions, histories, mutations

__all__ = ["batches", "evolutions", "histories", "mutations", "rows", "tables", "values"]
