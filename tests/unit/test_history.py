"""Histories: saved, loaded, refused where they were damaged."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import fold
from pytest_kroft.model.history import Call, History
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Sync, Update
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from tests.definitions import CUSTOMERS, FEW, LOG, MODEST, ORDERS, Column, drive, timeline


def contents(state: State) -> dict[str, list]:
    return {name: list(state.contents(name)) for name in state.tables}


@FEW
@given(seed=st.integers(0, 2**32), literal=st.booleans())
def test_a_whole_history_reads_back_and_builds_the_same_content(seed, literal):
    made = drive(timeline(seed=seed, rows=3), 50, seed=seed)
    read = History.parse(made.history.lines(literal=literal))
    assert len(read) == len(made.history)
    assert contents(fold(read, State(read.seed))) == contents(made.state)
    assert read.lines(literal=literal) == made.history.lines(literal=literal)


@FEW
@given(seed=st.integers(0, 2**32))
def test_a_literal_history_needs_neither_seed_nor_generators(seed):
    made = drive(timeline(seed=seed, rows=3), 40, "breaking", seed=seed)
    literal = made.history.literal()
    shown = contents(fold(literal, State(seed)))
    assert shown == contents(made.state)
    header, *operations = made.history.lines()
    other = [json.dumps({**json.loads(header), "seed": seed + 1}), *operations]
    assert contents(fold(History.parse(other), State(seed + 1))) == shown
    assert literal.literal().operations == literal.operations


def test_a_history_is_saved_as_one_line_for_each_operation(tmp_path):
    made = timeline(LOG, rows=2)
    made.history.test = "tests/test_a.py::test_b"
    path = made.history.save(tmp_path / "h.jsonl")
    lines = path.read_text().splitlines()
    calls = [{"call": "mutations.insert(log, count=2)"}]
    assert json.loads(lines[0]) == {"kroft": 1, "seed": 1, "test": "tests/test_a.py::test_b", "calls": calls}
    assert len(lines) == 1 + len(made.history)
    assert History.load(path) == made.history.literal()
    assert History.load(str(path)).test == "tests/test_a.py::test_b"


def test_a_history_that_is_not_literal_names_the_faker_version(tmp_path):
    made = timeline(LOG, rows=2)
    path = made.history.save(tmp_path / "h.jsonl", literal=False)
    assert json.loads(path.read_text().splitlines()[0])["faker"]
    assert History.load(path).operations == made.history.operations


@MODEST
@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_any_text_survives_a_file(tmp_path_factory, text):
    table = TableDefinition("t\u2028", [Column("a\x85", "text")])
    insert = Insert("t\u2028", 1, 1, START, cells={"a\x85": (text,)})
    history = History(1, "\u2029", [CreateTable(table), insert])
    path = history.save(tmp_path_factory.mktemp("h") / "h.jsonl")
    assert History.load(path) == history


def test_a_history_is_a_sequence_of_operations():
    history = History(7)
    history.append(Sync())
    history.append(Delete("t", (1,)))
    assert (len(history), history[0], list(history)) == (2, Sync(), [Sync(), Delete("t", (1,))])
    assert history[-1] == Delete("t", (1,))


def test_each_operation_comes_with_the_states_around_it():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    states = list(made.history.states())
    assert [op for _, op, _ in states] == made.history.operations
    assert states[0][0] == State(1)
    assert all(after is before for (_, _, after), (before, _, _) in itertools.pairwise(states))
    assert states[-1][2] == made.state


def test_an_operation_that_does_not_apply_is_named_by_its_line():
    history = History(1, None, [CreateTable(LOG), Sync(), Delete("log", (1,))])
    with pytest.raises(HistoryError, match="line 4: row number 1 of 'log'") as caught:
        list(history.states())
    assert caught.value.line == 4
    with pytest.raises(HistoryError):
        history.lines()


HEADER = '{"kroft": 1, "seed": 7}'
TABLE = '{"op": "create_table", "definition": {"name": "t", "columns": [{"name": "a", "sql_type": "int"}]}}'
ROWS = '{"op": "insert", "table": "t", "first": 1, "count": 2, "stamp": "2020-01-01T00:00:00+00:00"}'
OBSERVED = '{"op": "observed", "table": "t", "by": "test", "rows": [ROWS], "cells": {}, "removed": [2]}'


@pytest.mark.parametrize(
    "lines, line, reason",
    [
        ([], 1, "empty"),
        (["{}"], 1, "no header"),
        (["[]"], 1, "no header"),
        (["kroft"], 1, "no JSON"),
        ([TABLE], 1, "no header"),
        (['{"kroft": 2, "seed": 7}'], 1, "the format is 2, and this version reads 1"),
        (['{"kroft": 1}'], 1, "needs a seed"),
        (['{"kroft": 1, "seed": "7"}'], 1, "needs a seed"),
        (['{"kroft": 1, "seed": true}'], 1, "needs a seed"),
        (['{"kroft": 1, "seed": 7.0}'], 1, "needs a seed"),
        (['{"kroft": 1, "seed": 7, "test": 5}'], 1, "may name a test"),
        (['{"kroft": 1, "seed": 7, "more": 5}'], 1, "no field 'more'"),
        ([HEADER, TABLE, ROWS[:-1]], 3, "no JSON"),
        ([HEADER, TABLE, ""], 3, "no JSON"),
        ([HEADER, TABLE, "9" * 5000], 3, "no JSON"),
        ([HEADER, TABLE, "[" * 100_000], 3, "no JSON"),
        ([HEADER, TABLE, ROWS, "5"], 4, "must be a JSON object"),
        ([HEADER, TABLE, ROWS.replace("insert", "upsert")], 3, "no operation 'upsert'"),
        ([HEADER, TABLE, ROWS.replace("count", "counts")], 3, "no field 'counts'"),
        ([HEADER, TABLE, ROWS.replace('"count": 2, ', "")], 3, "lacks the field 'count'"),
        ([HEADER, TABLE, ROWS.replace("2,", '"2",')], 3, "'count' cannot be '2'"),
        ([HEADER, TABLE, ROWS.replace("2,", "true,")], 3, "'count' cannot be True"),
        ([HEADER, TABLE.replace("int", "numeric(0)")], 2, "precision"),
        ([HEADER, TABLE, ROWS, ROWS], 4, "row number 1 of 't' was used before"),
        ([HEADER, ROWS], 2, "no table 't'"),
        ([HEADER, TABLE, TABLE], 3, "already a table 't'"),
        (['{"kroft": true, "seed": 7}'], 1, "the format is True, and this version reads 1"),
        (['{"kroft": 1.0, "seed": 7}'], 1, "the format is 1.0, and this version reads 1"),
        (['{"kroft": 1, "seed": -1}'], 1, "needs a seed, a whole number from 0"),
        ([HEADER, TABLE, ROWS, OBSERVED.replace("ROWS", "1, 1")], 4, "named twice in what was observed"),
        ([HEADER, TABLE, ROWS, OBSERVED.replace("ROWS", "2")], 4, "named twice in what was observed"),
        (
            [HEADER, TABLE, ROWS, OBSERVED.replace("ROWS", "").replace("2", "2, 2")],
            4,
            "named twice in what was observed",
        ),
        (
            [HEADER, TABLE, ROWS.replace("2020-01-01T00:00:00+00:00", "0001-01-01T00:00:00+10:00")],
            3,
            "the years 1 to 9999",
        ),
        ([HEADER, TABLE, ROWS.replace("}", ', "step": 99999999999999999999}')], 3, "the years 1 to 9999"),
        ([HEADER, TABLE, ROWS.replace("}", ', "step": -99999999999999999999}')], 3, "the years 1 to 9999"),
        (
            [HEADER, TABLE, ROWS.replace("}", ', "cells": {"a": ["1", "abc"]}}')],
            3,
            "'abc' is no value of type integer",
        ),
    ],
)
def test_a_damaged_history_is_refused_with_its_line(tmp_path, lines, line, reason):
    with pytest.raises(HistoryError, match=reason) as caught:
        History.parse(lines)
    assert caught.value.line == line
    path = tmp_path / "edited.jsonl"
    path.write_text("".join(f"{text}\n" for text in lines))
    with pytest.raises(HistoryError, match=f"edited.jsonl, line {line}: .*{reason}") as caught:
        History.load(path)
    assert (caught.value.line, caught.value.source) == (line, str(path))


def test_a_good_history_is_let_through():
    assert len(History.parse([HEADER, TABLE, ROWS])) == 2
    assert History.parse([HEADER]).operations == []


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("missing", "binary", "."):
        with pytest.raises(HistoryError, match="cannot be read"):
            History.load(tmp_path / name)


def test_a_literal_update_writes_the_stamp_and_what_it_names():
    made = timeline(CUSTOMERS, ORDERS, rows=2)
    made.apply(Update("orders", (2, 1), ("paid",), 1, START))
    update = made.history.literal()[-1]
    assert isinstance(update, Update)
    assert list(update.cells) == ["paid", "updated_at"]
    assert update.cells["updated_at"] == ("2020-01-01 00:00:00+00",) * 2


# Which call made which operations


def called() -> History:
    """Three operations before any call, three of two calls, and one call that was refused."""
    table = TableDefinition("t", [Column("a", "int")])
    inserts = [Insert("t", number, 1, START) for number in range(1, 6)]
    calls = [Call("stream()", True, [2, 4]), Call("t.delete()"), Call("insert(t)", False, [3, 5])]
    return History(7, None, [CreateTable(table), *inserts, Sync()], calls)


@pytest.mark.parametrize("literal", [True, False])
def test_calls_are_saved_with_their_operations(literal):
    made = called()
    header, *lines = map(json.loads, made.lines(literal=literal))
    assert header["calls"] == [
        {"call": "stream()", "drawn": True},
        {"call": "t.delete()"},
        {"call": "insert(t)"},
    ]
    assert [line.get("call") for line in lines] == [None, None, 0, 2, 0, 2, None]
    assert History.parse(made.lines(literal=literal)).calls == made.calls
    assert "calls" not in json.loads(History(7).lines()[0])


def test_calls_have_no_part_in_whether_histories_are_equal():
    made = called()
    assert made == History(made.seed, None, made.operations)


def test_what_is_left_out_is_gone_from_its_call_and_the_others_move_up():
    made = called()
    left = made.without({0, 3, 4})
    assert left.operations == [made[index] for index in (1, 2, 5, 6)]
    assert left.calls == [Call("stream()", True, [1]), Call("t.delete()"), Call("insert(t)", False, [2])]
    assert (left.seed, left.test) == (made.seed, made.test)
    assert made == called()
    assert made.calls == called().calls
    assert made.without(()).calls == made.calls


@MODEST
@given(st.sets(st.integers(0, 6)))
def test_calls_keep_their_operations_whatever_is_left_out(places):
    made = called()
    left = made.without(places)
    kept = [[made[place] for place in call.places if place not in places] for call in made.calls]
    assert [[left[place] for place in call.places] for call in left.calls] == kept


@pytest.mark.parametrize("call", ["2", "-1", "true", '"0"', "0.0"])
def test_an_operation_of_a_call_that_the_header_lacks_is_refused(call):
    header = HEADER.replace("}", ', "calls": [{"call": "a"}, {"call": "b", "drawn": true}]}')
    assert [one.drawn for one in History.parse([header]).calls] == [False, True]
    with pytest.raises(HistoryError, match=r"there is no call .*; the header has 2, from 0") as caught:
        History.parse([header, TABLE.replace("}]}}", f'}}]}}, "call": {call}}}')])
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "calls", ["5", '["a"]', "[{}]", '[{"call": 1}]', '[{"call": "a", "drawn": 1}]', "null"]
)
def test_calls_of_another_shape_are_refused(calls):
    with pytest.raises(HistoryError, match="a call of the header must be like") as caught:
        History.parse([HEADER.replace("}", f', "calls": {calls}}}')])
    assert caught.value.line == 1


def test_a_history_can_be_cut_like_a_list():
    made = called()
    assert made[1:3] == made.operations[1:3]
