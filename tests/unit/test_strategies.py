"""Strategies: what they draw applies, and what is found is shrunk to the steps that matter."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.history import History
from pytest_kroft.model.literals import canonical
from pytest_kroft.model.operations import SCHEMA_KINDS, CreateTable, Insert, Sync, kind
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.uniqueness import token
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.strategies import batches, evolutions, histories, mutations, rows, tables, values
from tests.definitions import (
    CUSTOMERS,
    FEW,
    LEVEL,
    MODEST,
    MOOD,
    ORDERS,
    PAIRS,
    TREE,
    Column,
)

ITEMS = TableDefinition(
    "items",
    [
        Column("id", "int", primary_key=True),
        Column("customer", "text"),
        Column("amount", "numeric(10,2)"),
        Column("updated_at", "timestamptz"),
        Column("note", "text", reserved=True),
        Column("paid", "boolean", reserved=True),
    ],
    updated_at="updated_at",
)
SEARCH = settings(
    max_examples=500,
    database=None,
    deadline=None,
    derandomize=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
SIMPLE = settings(max_examples=300, database=None, derandomize=True, deadline=None)


# Histories


@FEW
@given(histories(ORDERS, CUSTOMERS, MOOD, LEVEL, rows=3))
def test_a_history_applies_and_ends_with_a_sync(history: History) -> None:
    steps = list(history.states())
    operations = [operation for _, operation, _ in steps]
    assert operations == history.operations
    assert not steps[-1][2].sessions
    assert isinstance(operations[-1], Sync)
    assert [kind(one) for one in operations[:4]] == [*["create_type"] * 2, *["create_table"] * 2]
    assert [call.drawn for call in history.calls] == [True]


@FEW
@given(histories(ITEMS, hazards="delete", sync_points=False))
def test_a_history_under_a_hazard_holds_nothing_else(history: History) -> None:
    assert {kind(one) for one in history} <= {"create_table", "insert", "update", "delete"}


@FEW
@given(mutations(TREE, rows=2))
def test_mutations_leave_the_schema_alone(history: History) -> None:
    assert not SCHEMA_KINDS & {kind(one) for one in history.operations[1:]}
    assert list(history.states())


@FEW
@given(evolutions(ITEMS))
def test_evolutions_change_the_schema_alone(history: History) -> None:
    changes = {kind(one) for one in history.operations[1:]}
    assert changes <= SCHEMA_KINDS | {"sync", "insert"}
    inserts = [one for one in history if isinstance(one, Insert)]
    assert len(inserts) <= 1
    assert all(one.count <= 3 for one in inserts)


@MODEST
@given(histories(ITEMS, policy=EvolutionPolicy(max_drops=1, max_additions=0), max_steps=30))
def test_the_limits_of_a_policy_hold(history: History) -> None:
    kinds = [kind(one) for one in history]
    assert kinds.count("drop_column") <= 1
    assert "add_column" not in kinds


@MODEST
@given(histories(ITEMS, max_steps=0))
def test_no_steps_are_a_table_and_a_sync(history: History) -> None:
    assert history.operations == [CreateTable(ITEMS), Sync()]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"max_steps": -1}, "max_steps must be a whole number from 0, not -1"),
        ({"rows": 1.5}, r"rows must be a whole number from 0, not 1\.5"),
        ({"policy": "wild"}, "there is no policy 'wild'"),
        ({"hazards": "wild"}, "there is no hazard 'wild'"),
    ],
)
def test_what_cannot_be_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        histories(ITEMS, **options)


def test_a_history_needs_a_table() -> None:
    for given_tables in ((), (MOOD,)):
        with pytest.raises(DefinitionError, match="at least one table"):
            histories(*given_tables)


# What is found and how it shrinks: consumers in memory with planted bugs

Sync_ = Callable[[tuple[str, ...], list[tuple[Any, ...]]], None]


def play(history: History, sync: Sync_) -> None:
    for _, operation, after in history.states():
        if isinstance(operation, Sync):
            sync(after.table("items").names, list(after.contents("items")))


def strict_cursor(history: History) -> None:
    """Reads what is stamped after the last stamp that it saw: a tie is lost."""
    copy: dict[Any, Any] = {}
    cursor = ""

    def sync(names: tuple[str, ...], content: list[tuple[Any, ...]]) -> None:
        nonlocal cursor
        key, stamp = names.index("id"), names.index("updated_at")
        copy.update((row[key], row[stamp]) for row in content if row[stamp] > cursor)
        cursor = max([cursor, *(row[stamp] for row in content)])
        assert copy == {row[key]: row[stamp] for row in content}

    play(history, sync)


def keeper(history: History) -> None:
    """Keeps a dropped column's values, and shows them where the name comes back and holds NULL."""
    copy: dict[Any, dict[str, Any]] = {}
    gone: dict[tuple[Any, str], Any] = {}

    def sync(names: tuple[str, ...], content: list[tuple[Any, ...]]) -> None:
        wanted = {row[names.index("id")]: dict(zip(names, row, strict=True)) for row in content}
        gone.update(
            ((key, name), value)
            for key, row in copy.items()
            for name, value in row.items()
            if key in wanted and name not in names
        )
        copy.clear()
        for key, row in wanted.items():
            copy[key] = {n: gone.get((key, n)) if value is None else value for n, value in row.items()}
        assert copy == wanted

    play(history, sync)


def optimist(history: History) -> None:
    """Takes an empty result for no change."""
    copy: list[tuple[Any, ...]] = []

    def sync(_: tuple[str, ...], content: list[tuple[Any, ...]]) -> None:
        copy[:] = content or copy
        assert copy == content

    play(history, sync)


TIES = EvolutionPolicy({"tied_timestamp"})
READABLE = EvolutionPolicy.named("everything").without("unrepresentable_value")


@pytest.mark.parametrize(
    "consumer, policy, smallest, number",
    [(strict_cursor, TIES, 4, 1), (keeper, READABLE, 6, 1), (optimist, "everything", 4, 1)],
)
def test_a_planted_bug_is_found_and_shrunk(
    consumer: Callable[[History], None], policy: EvolutionPolicy | str, smallest: int, number: int
) -> None:
    failed: list[History] = []

    @seed(number)
    @SEARCH
    @given(histories(ITEMS, policy=policy))
    def test(history: History) -> None:
        try:
            consumer(history)
        except AssertionError:
            failed.append(history)
            raise

    with pytest.raises(AssertionError):
        test()
    steps = failed[-1].operations[1:]
    assert smallest <= len(steps) <= smallest + 1, [kind(one) for one in steps]


# Values, rows and tables

COLUMNS = {
    "an integer": Column("n", "int", nullable=False),
    "a bigint": Column("n", "bigint"),
    "a numeric": Column("n", "numeric(10,2)"),
    "any numeric": Column("n", "numeric"),
    "a text": Column("t", "text"),
    "a char": Column("t", "char(3)"),
    "a date": Column("d", "date"),
    "a stamp": Column("d", "timestamptz(0)"),
    "a document": Column("j", "jsonb"),
    "an array": Column("a", "text[]"),
    "documents": Column("a", "json[]"),
    "a range": Column("r", "int4range"),
    "with a check": Column("c", "smallint", check="c BETWEEN 1 AND 5"),
    "with a generator": Column("g", "text", lambda cell: f"row {cell.row}"),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_value_is_one_of_the_type(column: Column) -> None:
    @MODEST
    @given(values(column))
    def test(value: object) -> None:
        assert canonical(column.type, value) if value not in (None, "") else column.nullable

    test()


@pytest.mark.parametrize(
    "column, wanted",
    [
        (Column("n", "double precision"), lambda value: str(value) == "nan"),
        (Column("n", "numeric"), lambda value: value is not None and value.is_nan()),
        (Column("n", "numeric"), lambda value: value is not None and len(value.as_tuple().digits) > 40),
        (Column("n", "bigint"), lambda value: value is not None and value > 2**32),
        (Column("t", "text"), lambda value: value == ""),
        (Column("t", "text"), lambda value: value is not None and "'" in value),
        (Column("t", "text"), lambda value: value is not None and value != value.strip()),
        (Column("t", "text"), lambda value: value is not None and not value.isascii()),
        (Column("t", "text"), lambda value: value is None),
        (Column("a", "int[]"), lambda value: value is not None and None in value),
    ],
)
def test_what_consumers_stumble_over_is_drawn(column: Column, wanted: Callable[[Any], bool]) -> None:
    assert wanted(find(values(column), wanted, settings=SIMPLE))


@pytest.mark.parametrize(
    "column, plainest",
    [
        (Column("n", "int"), 0),
        (Column("n", "numeric(10,2)"), Decimal(0)),
        (Column("t", "text"), ""),
        (Column("b", "boolean"), False),
        (Column("a", "text[]"), []),
        (Column("j", "jsonb"), {}),
    ],
)
def test_a_value_shrinks_to_the_plainest(column: Column, plainest: object) -> None:
    assert find(values(column), lambda _: True, settings=SIMPLE) == plainest


def test_what_python_cannot_hold_is_drawn_where_it_is_wanted() -> None:
    column = Column("d", "date", nullable=False)

    def odd(value: object) -> bool:
        return isinstance(value, str)

    assert find(values(column, unrepresentable=True), odd, settings=SIMPLE) == "infinity"
    with pytest.raises(NoSuchExample):
        find(values(column), odd, settings=SIMPLE)


def test_an_enum_has_its_labels() -> None:
    column = Column("mood", MOOD.sql_type, nullable=False)
    assert find(values(column, MOOD), lambda _: True, settings=SIMPLE) == "sad"
    for enum in (None, LEVEL):
        with pytest.raises(DefinitionError, match="give its EnumDefinition"):
            values(column, enum)


def test_a_generated_column_has_no_values() -> None:
    with pytest.raises(DefinitionError, match="the server computes"):
        values(Column("twice", "int", generated="n * 2"))


@MODEST
@given(rows(ORDERS))
def test_a_row_says_what_is_not_filled_in(row: dict[str, Any]) -> None:
    assert row.keys() == {"amount", "tags", "paid", "day", "code"}


@MODEST
@given(batches(PAIRS, min_size=1, max_size=5))
def test_unique_values_differ_in_a_batch(batch: list[dict[str, Any]]) -> None:
    held = [row["value"] for row in batch if row["value"] is not None]
    assert len(set(held)) == len(held)
    assert 1 <= len({row["right"] for row in batch}) == len(batch) <= 5


@MODEST
@given(
    batches(TableDefinition("t", [Column("c", "char(2)", unique=True), Column("n", "numeric", unique=True)]))
)
def test_unique_values_differ_as_the_server_compares(batch: list[dict[str, Any]]) -> None:
    for name, sql_type in (("c", "char(2)"), ("n", "numeric")):
        column = Column(name, sql_type)
        held = [
            token(canonical(column.type, row[name]), column.type) for row in batch if row[name] is not None
        ]
        assert len(set(held)) == len(held)


def test_columns_that_a_rule_of_the_table_names_are_left_to_kroft() -> None:
    table = TableDefinition(
        "t", [Column("a", "int"), Column("b", "int"), Column("c", "int")], constraints=["CHECK (a < b)"]
    )
    assert find(rows(table), lambda _: True, settings=SIMPLE) == {"c": 0}


@MODEST
@given(st.data())
def test_a_drawn_table_evolves(data: st.DataObject) -> None:
    table = data.draw(tables())
    assert 1 <= len(table.columns) <= 6
    history = data.draw(histories(table, max_steps=10, rows=2))
    *_, (_, _, after) = history.states()
    assert isinstance(after, State)


def test_a_table_shrinks_to_one_plain_column() -> None:
    table = find(tables(), lambda _: True, settings=SIMPLE)
    (column,) = table.columns
    assert (table.name, column) == ("items", Column(column.name, "text"))


@pytest.mark.parametrize(
    "wanted",
    [
        lambda table: len(table.key) == 2,
        lambda table: not table.key,
        lambda table: table.updated_at is not None,
        lambda table: any(column.reserved for column in table.columns),
        lambda table: any(column.unique for column in table.columns),
        lambda table: any(column.default for column in table.columns),
        lambda table: any(column.identity for column in table.columns),
        lambda table: len(table.columns) == 6,
    ],
)
def test_tables_are_of_every_shape(wanted: Callable[[TableDefinition], bool]) -> None:
    assert wanted(find(tables(), wanted, settings=SIMPLE))
