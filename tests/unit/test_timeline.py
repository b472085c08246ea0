"""One database through time: check, execute, fold and record never disagree."""

from __future__ import annotations

from functools import partial

import pytest

from pytest_kroft.errors import ExecutionError, KroftError, NotApplicable
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.history import Call
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Observed, Operation, Sync, Truncate
from pytest_kroft.model.state import State
from pytest_kroft.model.timeline import Execute, Step, Timeline
from tests.definitions import LOG

Seen = tuple[State, Operation, State]


def noting(seen: list[Seen]) -> Execute:
    """A server that does what it is told, and notes it."""

    def server(before: State, operation: Operation, after: State) -> list[Observed]:
        seen.append((before, operation, after))
        return []

    return server


def test_an_operation_is_executed_between_the_states_around_it():
    seen: list[Seen] = []
    made = Timeline(7, noting(seen), "a test")
    made.apply(CreateTable(LOG))
    made.apply(Insert("log", 1, 2, START))
    assert [op for _, op, _ in seen] == made.history.operations
    assert seen[0][0] == State(7)
    assert seen[1] == (seen[0][2], made.history[1], made.state)
    assert apply(seen[0][2], made.history[1]) == made.state
    assert (made.history.seed, made.history.test) == (7, "a test")


def test_what_does_not_apply_is_never_executed():
    seen: list[Seen] = []
    made = Timeline(7, noting(seen))
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
        return ()

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
    seen: list[Seen] = []
    made = Timeline(7, noting(seen))
    made.adopt(CreateTable(LOG))
    assert (seen, list(made.state.tables), len(made.history)) == ([], ["log"], 1)
    with pytest.raises(NotApplicable):
        made.adopt(Delete("log", (1,)))
    assert len(made.history) == 1


class Later:
    """Lets operations wait, as the executor does; refuses one at the end, with all behind it."""

    def __init__(self, bad: int | None = None) -> None:
        self.bad = bad
        self.waiting: list[Operation] = []
        self.done: list[Operation] = []

    def __call__(self, before, operation, after):
        self.waiting.append(operation)
        return ()

    def restore(self, state, tables):
        raise AssertionError("nothing is observed here")

    def settle(self):
        while self.waiting:
            if len(self.done) == self.bad:
                raise ExecutionError("it", "no")
            self.done.append(self.waiting.pop(0))

    def forget(self):
        count = len(self.waiting)
        self.waiting.clear()
        return count


def inserts(*numbers):
    return [Insert("log", number, 1, START) for number in numbers]


def test_an_operation_by_itself_is_done_at_once():
    server = Later()
    made = Timeline(7, server)
    made.apply(CreateTable(LOG))
    assert server.done == [CreateTable(LOG)]


def test_nobody_is_told_of_an_operation_that_is_not_done():
    server = Later()
    made = Timeline(7, server)
    plan = [CreateTable(LOG), *inserts(1, 2), Sync(), *inserts(3)]
    for before, operation in made.perform("call", lambda: plan):
        assert operation in server.done
        assert server.waiting == []
        assert before is made.states[server.done.index(operation)]
    assert server.done == plan == made.history.operations
    assert made.history.calls[0].places == list(range(5))


@pytest.mark.parametrize("bad", range(5))
def test_what_the_server_did_not_do_is_taken_back(bad):
    server = Later(bad)
    made = Timeline(7, server)
    plan = [CreateTable(LOG), *inserts(1, 2), Sync(), *inserts(3)]
    told: list[Step] = []
    with pytest.raises(ExecutionError):
        told.extend(made.perform("call", lambda: plan))
    assert [operation for _, operation in told] == server.done == made.history.operations == plan[:bad]
    assert made.states == [State(7), *(after for *_, after in made.history.states())]
    assert made.state is made.states[-1]
    assert made.history.calls[0].places == list(range(bad))
    server.bad = None
    told = list(made.perform("the rest", lambda: plan[bad:]))
    assert server.done == made.history.operations == plan
    assert made.history.calls[1].places == list(range(bad, 5))


def test_what_was_applied_before_the_plan_fails_is_done_and_told():
    server = Later()
    made = Timeline(7, server)
    told: list[Step] = []
    with pytest.raises(NotApplicable):
        told.extend(made.perform("call", lambda: [CreateTable(LOG), *inserts(1), Delete("log", (1, 2, 3))]))
    assert [operation for _, operation in told] == server.done == made.history.operations
    assert len(told) == 2


def test_a_call_that_is_left_early_has_done_what_it_told():
    server = Later()
    made = Timeline(7, server)
    steps = made.perform("call", lambda: [CreateTable(LOG), Sync(), *inserts(1)])
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert server.done == made.history.operations == [CreateTable(LOG), Sync()]
    assert made.history.calls[0].places == [0, 1]


class Stop(BaseException):
    """What a time limit raises, as pytest.fail does: no Exception."""


class Stopped(Later):
    """Is cut short in place of one operation."""

    def settle(self):
        while self.waiting:
            if len(self.done) == self.bad:
                raise Stop
            self.done.append(self.waiting.pop(0))


@pytest.mark.parametrize("bad", range(5))
def test_a_call_that_is_cut_short_has_only_what_was_done(bad):
    server = Stopped(bad)
    made = Timeline(7, server)
    plan = [CreateTable(LOG), *inserts(1, 2), Sync(), *inserts(3)]
    with pytest.raises(Stop):
        list(made.perform("call", lambda: plan))
    assert made.history.calls[0].places == list(range(bad))
    assert len(made.history.lines()) == 1 + bad
    server.bad = None
    list(made.perform("the rest", lambda: plan[bad:]))
    assert [call.places for call in made.history.calls] == [list(range(bad)), list(range(bad, 5))]
    assert len(made.history.lines()) == 6


# Once the database goes on to another timeline


def test_a_timeline_that_has_ended_applies_nothing():
    server, planned = Later(), []

    def plan():
        yield from [CreateTable(LOG), Sync()]
        planned.append("more")
        yield from inserts(1)

    made = Timeline(7, server)
    resumed, left, unbegun = (made.perform(name, plan) for name in ("resumed", "left", "unbegun"))
    next(resumed)
    made.end()
    server.waiting.append(Sync())  # of another timeline
    for call in (lambda: next(resumed) and list(resumed), lambda: next(unbegun), lambda: made.apply(Sync())):
        with pytest.raises(KroftError, match="this example is over"):
            call()
    left.close()  # type: ignore[attr-defined]
    made.settle()
    assert (server.waiting, planned) == ([Sync()], [])
    assert server.done == made.history.operations == [CreateTable(LOG), Sync()]


def test_a_call_that_is_left_after_the_end_says_nothing():
    made = Timeline(7, Later())
    steps = made.perform("call", lambda: [CreateTable(LOG), Sync(), *inserts(1)])
    next(steps)
    made.end()
    steps.close()  # type: ignore[attr-defined]
    assert made.history.operations == [CreateTable(LOG), Sync()]


def test_what_waits_at_the_end_is_taken_back():
    server = Later()
    made = Timeline(7, server)
    made.apply(CreateTable(LOG))
    made._send(inserts(1)[0])
    made.end()
    assert server.waiting == []
    assert made.history.operations == [CreateTable(LOG)]
    assert made.state is made.states[-1]


def test_a_fork_goes_on_where_the_first_has_ended():
    made = Timeline(7)
    made.apply(CreateTable(LOG))
    fork = made.fork()
    made.end()
    fork.apply(Sync())
    assert (len(made.history), len(fork.history)) == (1, 2)


def test_a_timeline_that_is_done_again_is_settled():
    first, server = Timeline(7), Later()
    list(first.perform("call", lambda: [CreateTable(LOG), *inserts(1)]))
    again = Timeline(7, server)
    again.redo(first)
    assert server.done == again.history.operations == first.history.operations
    assert again.states == first.states


# A call, and what is done in its place


def test_each_call_keeps_where_its_operations_are():
    made = Timeline(7)
    list(made.perform("create", lambda: [CreateTable(LOG)]))
    made.apply(Sync())  # nobody's
    list(made.perform("stream", lambda: inserts(1, 2), drawn=True))
    with pytest.raises(NotApplicable):
        list(made.perform("delete", lambda: [Delete("log", (9,))]))
    assert made.history.calls == [Call("create", False, [0]), Call("stream", True, [2, 3]), Call("delete")]


def test_what_a_prompt_gives_is_applied_in_place_of_what_is_planned():
    asked = []

    def prompt(timeline: Timeline, call: Call) -> list[Operation] | None:
        asked.append((timeline, call.name, call.drawn, len(timeline.history)))
        return [CreateTable(LOG), *inserts(5)] if call.name == "told" else None

    def unasked() -> list[Operation]:
        raise AssertionError("a call that is told what to do does not plan")

    server = Later()
    made = Timeline(7, server, prompt=prompt)
    told = list(made.perform("told", unasked, drawn=True))
    assert [operation for _, operation in told] == server.done == [CreateTable(LOG), *inserts(5)]
    assert [operation for _, operation in made.perform("planned", lambda: inserts(6))] == inserts(6)
    assert asked == [(made, "told", True, 0), (made, "planned", False, 2)]
    assert [call.places for call in made.history.calls] == [[0, 1], [2]]


def test_what_the_test_did_itself_is_taken_over_as_a_call_and_not_done_again():
    asked, server = [], Later()
    made = Timeline(7, server, prompt=lambda timeline, call: asked.append(call.name))
    made.apply(CreateTable(LOG))
    written = [Observed("log", "test", (number,), {"line": ("a",)}) for number in (1, 2)]
    made.take_over("adopt_rows()", written)
    assert server.done == [CreateTable(LOG)]
    assert made.history.operations == [CreateTable(LOG), *written]
    assert made.history.calls == [Call("adopt_rows()", False, [1, 2])]
    assert asked == ["adopt_rows()"]
    assert made.states[-1] is made.state


def test_a_timeline_that_is_done_again_has_the_calls_as_its_own():
    first = Timeline(7)
    list(first.perform("create", lambda: [CreateTable(LOG)]))
    again = Timeline(7)
    again.redo(first)
    list(again.perform("insert", lambda: inserts(1)))
    again.history.calls[0].places.append(9)
    assert first.history.calls == [Call("create", False, [0])]
    assert again.history.calls[1].places == [1]


# What the server does by itself


def lines_of(state: State) -> list[str | None]:
    return [line for line, *_ in state.contents("log")]


class Observing:
    """Observes the line of each row that is inserted, another one each time; notes what it is to hold."""

    def __init__(self) -> None:
        self.count = 0
        self.held: list[tuple[list[str | None], set[str]]] = []

    def __call__(self, before, operation, after):
        if not isinstance(operation, Insert):
            return []
        self.count += 1
        return [Observed("log", "server", (operation.first,), {"line": (str(self.count),)})]

    def settle(self):
        pass

    def forget(self):
        return 0

    def restore(self, state, tables):
        self.held.append((lines_of(state), set(tables)))


def written(server: Observing, lines: list[str]) -> Timeline:
    made = Timeline(7, server)
    made.apply(CreateTable(LOG))
    for number, line in enumerate(lines, start=1):
        insert = Insert("log", number, 1, START)
        recorded = Observed("log", "server", (number,), {"line": (line,)})
        list(made.perform("call", partial(list[Operation], [insert, recorded])))
    return made


def test_what_was_observed_once_takes_the_place_of_what_is_observed_now():
    server = Observing()
    made = written(server, ["1", "x"])
    assert [op.cells["line"] for op in made.history if isinstance(op, Observed)] == [("1",), ("x",)]
    assert lines_of(made.state) == ["1", "x"]
    # What comes out as it was is not written.
    assert server.held == [(["1", "x"], {"log"})]
    assert len(made.states) == len(made.history) + 1
    assert [call.places for call in made.history.calls] == [[1, 2], [3, 4]]


def test_what_cannot_be_restored_leaves_the_history_as_the_server_is():
    class Refusing(Observing):
        def restore(self, state, tables):
            raise ExecutionError("it", "no")

    made = Timeline(7, Refusing())
    made.apply(CreateTable(LOG))
    made.apply(Insert("log", 1, 1, START))
    state, history = made.state, [*made.history]
    with pytest.raises(ExecutionError):
        made.apply(Observed("log", "server", (1,), {"line": ("x",)}))
    assert (made.state, [*made.history], made.states[-1]) == (state, history, state)


def test_the_server_is_made_to_hold_what_it_did_at_first_where_it_does_otherwise():
    first = written(Observing(), ["1", "2", "x"])
    first.apply(Sync())
    again = Observing()
    made = Timeline(7, again)
    made.redo(first)
    assert again.held == [(["1", "2", "x"], {"log"})]
    assert made.history.operations == first.history.operations
    assert made.states == first.states
