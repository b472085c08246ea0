"""Operations as JSON and back, strictly."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.clock import START
from pytest_kroft.model.codec import decode, encode
from pytest_kroft.model.operations import (
    KINDS,
    AddColumn,
    CreateTable,
    Delete,
    Insert,
    Observed,
    Operation,
    SetDefault,
    Sync,
    Update,
    kind,
)
from pytest_kroft.model.tables import SampledDefinition
from tests.definitions import FEW, LEVEL, MODEST, MOOD, TABLES, Column, drive, timeline
from tests.samples import SAMPLES


def there_and_back(operation: Operation) -> Operation:
    return decode(json.loads(json.dumps(encode(operation))))


@pytest.mark.parametrize("sample", SAMPLES, ids=kind)
def test_every_kind_reads_back_as_it_was(sample):
    assert encode(sample)["op"] == kind(sample)
    assert there_and_back(sample) == sample


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_definition_reads_back_as_it_was(table):
    assert there_and_back(CreateTable(table)) == CreateTable(table)


NAMES = st.text(max_size=8)
TEXTS = st.none() | st.text(max_size=8)
NUMBERS = st.integers(-(2**70), 2**70)
STAMPS = st.integers(START - 10**15, START + 10**15)
COUNTED = st.lists(NUMBERS, max_size=4).map(tuple)
CELLS = st.dictionaries(NAMES, st.lists(TEXTS, max_size=3).map(tuple), max_size=3)
PARENTS = st.dictionaries(NAMES, st.lists(st.none() | NUMBERS, max_size=3).map(tuple), max_size=3)
STRATEGIES = {
    "int": NUMBERS,
    "str": NAMES,
    "bool": st.booleans(),
    "str | None": TEXTS,
    "int | None": st.none() | NUMBERS,
    "tuple[int, ...]": COUNTED,
    "tuple[str, ...]": st.lists(NAMES, max_size=3).map(tuple),
    "Cells": CELLS,
    "Kept": st.dictionaries(NAMES, st.dictionaries(NAMES, NAMES, max_size=2), max_size=2),
    "tuple[TableDefinition, ...]": st.lists(st.sampled_from(TABLES), max_size=2).map(tuple),
    "tuple[EnumDefinition | SampledDefinition, ...]": st.lists(
        st.sampled_from([MOOD, LEVEL]), max_size=2
    ).map(tuple),
    "Parents": PARENTS,
    "TableDefinition": st.sampled_from(TABLES),
    "ColumnDefinition": st.sampled_from([column for table in TABLES for column in table.columns]),
    "EnumDefinition | SampledDefinition": st.sampled_from(
        [
            *(s.definition for s in SAMPLES if kind(s) == "create_type"),
            SampledDefinition("point3", ["(1,2,3)", '("",,)'], schema="geo"),
        ]
    ),
    "Literal['server', 'test']": st.sampled_from(["server", "test"]),
}


def operations() -> st.SearchStrategy[Operation]:
    """Operations of any kind with any fields of the right types."""
    return st.one_of(
        [
            st.builds(
                target,
                **{
                    f.name: (STAMPS if f.type == "int" else st.none() | STAMPS)
                    if f.name == "stamp"
                    else STRATEGIES[str(f.type)]
                    for f in fields(target)
                },
            )
            for target in KINDS.values()
        ]
    )


@MODEST
@given(operations())
def test_any_operation_reads_back_as_it_was(operation):
    assert there_and_back(operation) == operation


@FEW
@given(st.integers(0, 2**32))
def test_everything_that_planners_do_reads_back_as_it_was(seed):
    history = drive(timeline(seed=seed, rows=3), 40, seed=seed).history
    assert [there_and_back(operation) for operation in history] == history.operations


def test_fields_that_hold_their_default_are_left_out():
    assert encode(Sync()) == {"op": "sync"}
    assert encode(Insert("t", 1, 2, START)) == {
        "op": "insert",
        "table": "t",
        "first": 1,
        "count": 2,
        "stamp": "2020-01-01T00:00:00+00:00",
    }
    assert encode(SetDefault("t", "c", None)) == {
        "op": "set_default",
        "table": "t",
        "column": "c",
        "default": None,
    }
    column = {"name": "c", "sql_type": "int", "nullable": True}
    assert encode(AddColumn("t", Column("c", "int"))) == {"op": "add_column", "table": "t", "column": column}


def test_a_generator_is_named_and_read_back_as_none():
    encoded = encode(AddColumn("t", Column("c", "int", generator=start_number)))
    assert encoded["column"]["generator"] == f"{__name__}:start_number"
    assert decode(encoded) == AddColumn("t", Column("c", "int"))


def start_number() -> int:
    return 7


WRONG: dict[str, list[Any]] = {
    "str": [None, 5, True, ["a"], {}],
    "int": [None, "5", True, False, 1.0, [1]],
    "bool": [None, 0, 1, "true"],
    "str | None": [5, False, []],
    "int | None": ["5", True, 2.5],
    "tuple[int, ...]": [None, 5, "12", [True], ["1"], [None], [1.5], {}],
    "tuple[str, ...]": [None, "ab", [5], [None]],
    "Cells": [None, [], {"a": "xy"}, {"a": [5]}, {"a": [False]}, {"a": None}],
    "Parents": [None, [], {"a": 5}, {"a": ["5"]}, {"a": [True]}],
    "Kept": [None, [], {"a": "b"}, {"a": {"b": 5}}, {"a": {"b": None}}],
    "TableDefinition": [None, "orders", [], 5],
    "tuple[TableDefinition, ...]": [None, "orders", {}, [5], ["orders"]],
    "tuple[EnumDefinition | SampledDefinition, ...]": [None, "mood", {}, [None]],
    "ColumnDefinition": [None, "a", [], True],
    "EnumDefinition | SampledDefinition": [None, "a", ["a"]],
    "Literal['server', 'test']": [None, "user", 5, []],
}


@pytest.mark.parametrize(
    "sample, field, value",
    [
        pytest.param(sample, f.name, wrong, id=f"{kind(sample)}-{f.name}-{wrong}")
        for sample in SAMPLES
        for f in fields(sample)
        for wrong in (["yesterday", 5, True, []] if f.name == "stamp" else WRONG[str(f.type)])
    ],
)
def test_a_field_of_a_wrong_type_is_refused_by_name(sample, field, value):
    with pytest.raises(HistoryError, match=f"{kind(sample)}.*'{field}'") as caught:
        decode({**encode(sample), field: value})
    assert caught.value.line is None


@pytest.mark.parametrize("sample", SAMPLES, ids=kind)
def test_an_unknown_field_is_refused_by_name(sample):
    with pytest.raises(HistoryError, match=f"{kind(sample)} has no field 'more'"):
        decode({**encode(sample), "more": 1})


@pytest.mark.parametrize(
    "sample, field",
    [(sample, field) for sample in SAMPLES for field in encode(sample) if field != "op"],
    ids=lambda value: value if isinstance(value, str) else kind(value),
)
def test_a_missing_field_is_refused_by_name_or_has_a_default(sample, field):
    left = {name: value for name, value in encode(sample).items() if name != field}
    declared = {f.name: f for f in fields(sample)}[field]
    if declared.default is not MISSING or declared.default_factory is not MISSING:
        assert getattr(decode(left), field) != getattr(sample, field)
        return
    with pytest.raises(HistoryError, match=f"{kind(sample)} lacks the field '{field}'"):
        decode(left)


@pytest.mark.parametrize("data", [None, 5, "sync", ["sync"], True])
def test_what_is_no_object_is_no_operation(data):
    with pytest.raises(HistoryError, match="must be a JSON object"):
        decode(data)


@pytest.mark.parametrize("name", [None, "", "select", "Sync", 5, [], {}])
def test_an_unknown_operation_is_refused_with_the_known_ones(name):
    with pytest.raises(HistoryError, match=r"there is no operation .*insert, update, delete"):
        decode({"op": name})
    with pytest.raises(HistoryError, match="there is no operation None"):
        decode({})


@pytest.mark.parametrize(
    "operation, change, reason",
    [
        (SAMPLES[4], {"name": ""}, "must be a string of at least one character"),
        (SAMPLES[4], {"columns": []}, "at least one column"),
        (SAMPLES[4], {"columns": [5]}, "'columns' cannot be"),
        (SAMPLES[4], {"columns": [{"name": "a"}]}, "lacks the field 'sql_type'"),
        (SAMPLES[4], {"columns": [{"name": "a", "sql_type": "int", "kind": 1}]}, "has no field 'kind'"),
        (SAMPLES[4], {"columns": [{"name": "a", "sql_type": "int", "identity": "no"}]}, "identity must be"),
        (SAMPLES[4], {"constraints": "UNIQUE (a)"}, "'constraints' cannot be"),
        (SAMPLES[13], {"labels": ["a", "a"]}, "'a' 2 times"),
        (SAMPLES[13], {"labels": "ab"}, "'labels' cannot be"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(operation, change, reason):
    encoded = encode(operation)
    with pytest.raises(HistoryError, match=reason):
        decode({**encoded, "definition": {**encoded["definition"], **change}})


def test_a_stamp_may_be_written_in_any_zone():
    encoded = encode(Update("t", (1,), (), 1, START))
    assert decode({**encoded, "stamp": "2020-01-01T02:00:00+02:00"}).stamp == START
    assert decode({**encoded, "stamp": "2020-01-01T00:00:00"}).stamp == START
    assert decode(encode(Observed("t", "server", (), {}))).stamp is None
    assert decode(encode(Delete("t", ()))) == Delete("t", ())
