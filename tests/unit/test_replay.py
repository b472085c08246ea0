"""A recorded history that a test's calls are fed with, call by call."""

from __future__ import annotations

from typing import Literal

import pytest

from pytest_kroft.errors import ExecutionError, HistoryDiverged, NotApplicable
from pytest_kroft.model.clock import START
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Observed, Operation, Sync
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Execute, Plan, Timeline
from pytest_kroft.replay import Recording
from tests.definitions import LOG, Column

FIRST, SECOND, OTHER = Insert("log", 1, 1, START), Insert("log", 2, 2, START), Insert("log", 1, 1, START + 5)
COUNTED = TableDefinition(
    "counted",
    [
        Column("id", "int", primary_key=True),
        Column("given", "int", default="random()"),
        Column("twice", "int", generated="id * 2"),
    ],
)


def refused() -> list[Operation]:
    raise NotApplicable("not now")


def unasked() -> list[Operation]:
    raise AssertionError("this call is to do what was recorded")


def call(made: Timeline, name: str, plan: Plan, *, drawn: bool = False) -> list[Operation]:
    """What a call of the test does."""
    return [operation for _, operation in made.perform(name, plan, drawn=drawn)]


@pytest.fixture
def recorded() -> History:
    """Four calls: one makes a table, one is refused, one was drawn and one was drawn and does nothing."""
    made = Timeline(7)
    call(made, "create", lambda: [CreateTable(LOG)])
    with pytest.raises(NotApplicable):
        call(made, "delete", refused)
    call(made, "stream", lambda: [FIRST, Sync(), SECOND], drawn=True)
    call(made, "stream", list, drawn=True)
    return made.history


def test_each_call_gets_the_operations_that_it_made(recorded):
    made = Timeline(7, prompt=Recording(recorded))
    assert call(made, "create", unasked) == [CreateTable(LOG)]
    with pytest.raises(NotApplicable, match="not now"):
        call(made, "delete", refused)
    assert call(made, "stream", unasked, drawn=True) == [FIRST, Sync(), SECOND]
    assert call(made, "stream", unasked, drawn=True) == []
    assert (made.history, made.history.calls) == (recorded, recorded.calls)


def test_operations_that_were_left_out_of_a_call_are_not_done(recorded):
    made = Timeline(7, prompt=Recording(recorded.without({1, 2})))
    call(made, "create", unasked)
    with pytest.raises(NotApplicable):
        call(made, "delete", refused)
    assert call(made, "stream", unasked, drawn=True) == [SECOND]


def test_a_drawn_call_that_has_nothing_left_does_nothing_and_a_call_of_the_test_plans(recorded):
    made = Timeline(7, prompt=Recording(recorded.without({0, 1, 2, 3})))
    assert call(made, "create", lambda: [CreateTable(LOG), Sync()]) == [CreateTable(LOG), Sync()]
    with pytest.raises(NotApplicable):
        call(made, "delete", refused)
    assert call(made, "stream", unasked, drawn=True) == []


def test_a_call_that_was_refused_plans_again_and_may_succeed_now(recorded):
    made = Timeline(7, prompt=Recording(recorded))
    call(made, "create", unasked)
    assert call(made, "delete", lambda: [OTHER, Delete("log", (1,))]) == [OTHER, Delete("log", (1,))]


def test_calls_beyond_the_recording_plan_as_usual(recorded):
    made = Timeline(7, prompt=Recording(recorded, start=len(recorded.calls)))
    assert call(made, "other", lambda: [CreateTable(LOG)]) == [CreateTable(LOG)]


def test_a_recording_may_begin_behind_the_calls_that_are_made_already(recorded):
    made = Timeline(7, prompt=Recording(recorded, start=2))
    made.adopt(CreateTable(LOG))
    assert call(made, "stream", unasked, drawn=True) == [FIRST, Sync(), SECOND]


def test_another_call_has_diverged(recorded):
    made = Timeline(7, prompt=Recording(recorded))
    call(made, "create", unasked)
    with pytest.raises(
        HistoryDiverged, match=r"its call 2 of 4 was delete, and the test now calls insert; run"
    ):
        call(made, "insert", lambda: [FIRST])
    assert made.history.operations == [CreateTable(LOG)]


def test_what_the_test_did_itself_is_its_own_call(recorded):
    made = Timeline(7, prompt=Recording(recorded))
    with pytest.raises(HistoryDiverged, match=r"call 1 of 4 was create, and the test now calls adopt_rows"):
        made.take_over("adopt_rows()", [])


# What the server computes


ROW = Insert("counted", 1, 1, START, cells={"id": ("1",)})


def computing(**cells: str) -> Execute:
    """A server that computes these values in each row that is inserted."""

    def server(before: State, operation: Operation, after: State) -> list[Observed]:
        return [observed("server", **cells)] if isinstance(operation, Insert) else []

    return server


def observed(by: Literal["server", "test"], **cells: str) -> Observed:
    return Observed("counted", by, (1,), {name: (text,) for name, text in cells.items()})


def counted(server: Execute, prompt: Recording | None = None) -> Timeline:
    """A table made and a row inserted, each by a call."""
    made = Timeline(7, server, prompt=prompt)
    call(made, "create", unasked if prompt else lambda: [CreateTable(COUNTED)])
    call(made, "insert", unasked if prompt else lambda: [ROW])
    return made


def test_what_the_server_computes_again_is_not_written():
    first = counted(computing(given="5", twice="2")).history
    assert first.operations == [CreateTable(COUNTED), ROW, observed("server", given="5", twice="2")]
    assert counted(computing(given="5", twice="2"), Recording(first)).history == first


def test_a_default_that_comes_out_otherwise_is_written_as_it_was():
    made = counted(computing(given="6"), Recording(counted(computing(given="5")).history))
    assert made.history.operations[2:] == [observed("server", given="5")]
    assert list(made.state.contents("counted")) == [("1", "5", None)]


def test_a_generated_column_that_comes_out_otherwise_cannot_be_written():
    first = counted(computing(given="5", twice="2")).history
    with pytest.raises(ExecutionError, match="other values of twice than the history observed"):
        counted(computing(given="5", twice="3"), Recording(first))


def test_what_the_test_wrote_is_written_again():
    made = counted(computing(given="5"))
    call(made, "apply", lambda: [observed("test", given="9")])
    again = counted(computing(given="5"), Recording(made.history))
    assert call(again, "apply", unasked) == [observed("test", given="9")]
    assert again.history == made.history
