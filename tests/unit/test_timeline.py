"""One database through time: check, execute, fold and record never disagree."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import ExecutionError, NotApplicable
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Sync, Truncate
from pytest_kroft.model.state import State
from pytest_kroft.model.timeline import Timeline
from tests.definitions import LOG


def test_an_operation_is_executed_between_the_states_around_it():
    seen = []
    made = Timeline(7, lambda before, op, after: seen.append((before, op, after)), "a test")
    made.apply(CreateTable(LOG))
    made.apply(Insert("log", 1, 2, START))
    assert [op for _, op, _ in seen] == made.history.operations
    assert seen[0][0] == State(7)
    assert seen[1] == (seen[0][2], made.history[1], made.state)
    assert apply(seen[0][2], made.history[1]) == made.state
    assert (made.history.seed, made.history.test) == (7, "a test")


def test_what_does_not_apply_is_never_executed():
    seen = []
    made = Timeline(7, lambda *args: seen.append(args))
    made.apply(CreateTable(LOG))
    before = made.state
    with pytest.raises(NotApplicable):
        made.apply(Delete("log", (1,)))
    assert len(seen) == len(made.history) == 1
    assert made.state is before


def test_what_the_server_refuses_changes_nothing():
    def refuse(before, operation, after):
        if isinstance(operation, Truncate):
            raise ExecutionError("truncate", "no")

    made = Timeline(7, refuse)
    made.apply(CreateTable(LOG))
    before = made.state
    with pytest.raises(ExecutionError):
        made.apply(Truncate("log"))
    assert made.state is before
    assert len(made.history) == 1
    made.apply(Sync())
    assert len(made.history) == 2


def test_what_the_server_has_already_is_adopted_without_executing_it():
    seen = []
    made = Timeline(7, lambda *args: seen.append(args))
    made.adopt(CreateTable(LOG))
    assert (seen, list(made.state.tables), len(made.history)) == ([], ["log"], 1)
    with pytest.raises(NotApplicable):
        made.adopt(Delete("log", (1,)))
    assert len(made.history) == 1
