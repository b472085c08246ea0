"""The closed union of operations."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import get_args

import pytest

from pytest_kroft.model import operations
from pytest_kroft.model.operations import KINDS, SCHEMA_KINDS, Operation, Sync, kind
from tests.samples import SAMPLES


def union(annotation) -> set[type]:
    members = get_args(annotation)
    return set().union(*(union(member) for member in members)) if members else {annotation}


def test_every_operation_has_a_kind_of_its_own():
    assert union(Operation) == set(KINDS.values())
    assert len(set(KINDS.values())) == len(KINDS)
    assert [kind(sample) for sample in SAMPLES] == list(KINDS)


def test_every_dataclass_of_the_module_is_an_operation():
    found = {
        item
        for item in vars(operations).values()
        if isinstance(item, type) and item.__module__ == operations.__name__
    }
    assert found == set(KINDS.values())


def test_the_kinds_that_change_the_schema_make_a_version():
    assert {kind(s) for s in SAMPLES if isinstance(s, operations.SchemaOperation)} == SCHEMA_KINDS


@pytest.mark.parametrize("sample", SAMPLES, ids=kind)
def test_an_operation_is_frozen_data_with_a_docstring(sample):
    assert is_dataclass(sample)
    assert type(sample).__doc__
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(sample, fields(sample)[0].name if fields(sample) else "x", None)
    assert (sample == Sync()) is isinstance(sample, Sync)
