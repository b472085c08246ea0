from __future__ import annotations

import itertools
import random
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import CapacityReached, GeneratorError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.types import parse_type
from pytest_kroft.model.values import Birth, Cell, ColumnValues, column_key, column_values, mix

TABLE, COLUMN = Birth("orders"), Birth("c")
ROWS = st.integers(min_value=1, max_value=2**63)


def values(sql_type: str, generator: Callable[..., Any] | None = None, **more: Any) -> ColumnValues:
    place = {
        name: more.pop(name, usual) for name, usual in (("seed", 1), ("table", TABLE), ("column", COLUMN))
    }
    labels, unique = more.pop("labels", ()), more.pop("unique", False)
    definition = ColumnDefinition(more.pop("name", "c"), sql_type, generator, **more)
    return ColumnValues(
        place["seed"],
        place["table"],
        place["column"],
        definition,
        definition.type,
        labels=labels,
        unique=unique,
    )


@given(
    key=st.integers(0, 2**64 - 1), rows=st.sets(ROWS, min_size=2, max_size=50), revision=st.integers(0, 2**40)
)
def test_mix_is_injective_in_the_row(key: int, rows: set[int], revision: int) -> None:
    found = {mix(key, row, revision) for row in rows}
    assert len(found) == len(rows)
    assert all(0 <= bits < 2**64 for bits in found)


def test_mix_differs_between_revisions_and_never_changes() -> None:
    assert len({mix(5, row, revision) for row in range(100) for revision in range(100)}) == 10_000
    # The values of every saved seed depend on these.
    assert mix(0, 1) == 0xE220A8397B1DCDAF  # the first output of SplitMix64 with seed 0
    assert mix(0, 2) == 0x6E789E6AA1B965F4
    assert column_key(7, Birth("t"), Birth("c")) == 4195250408707907710


@given(st.data())
def test_two_addresses_never_share_a_key_by_how_they_are_written(data: st.DataObject) -> None:
    birth = st.builds(Birth, st.text(max_size=3), st.integers(1, 12))
    address = st.tuples(st.integers(-12, 12), birth, birth)
    one, other = data.draw(address), data.draw(address)
    assert (one == other) == (column_key(*one) == column_key(*other))


def test_a_reborn_column_another_table_and_another_seed_have_other_values() -> None:
    usual = values("text").texts(1, 20)
    assert values("text").texts(1, 20) == usual
    for other in (
        {"seed": 2},
        {"table": Birth("orders", 2)},
        {"column": Birth("c", 2)},
        {"table": Birth("o")},
    ):
        assert values("text", **other).texts(1, 20) != usual


def test_a_renamed_column_keeps_its_values() -> None:
    # Who it is says its birth, and what it holds its definition; the name it has now is neither.
    assert values("bigint", column=Birth("total")).texts(1, 9) == values(
        "bigint", column=Birth("total")
    ).texts(1, 9)


@given(rows=st.lists(st.integers(1, 500), min_size=1, max_size=30))
def test_a_value_does_not_depend_on_what_was_asked_before(rows: list[int]) -> None:
    asked = values("text", lambda cell: cell.random.random().hex())
    fresh = values("text", lambda cell: cell.random.random().hex())
    assert [asked.text(row) for row in rows] == [fresh.text(row) for row in reversed(rows)][::-1]


def test_texts_is_text_row_by_row() -> None:
    seen = values("timestamptz", lambda cell: cell.now)
    assert seen.texts(5, 3, now=1_000_000, step=250_000) == [
        seen.text(5 + i, 0, 1_000_000 + i * 250_000) for i in range(3)
    ]
    assert seen.texts(5, 2, now=0, step=1_500_000) == ["1970-01-01 00:00:00+00", "1970-01-01 00:00:01.5+00"]


def test_about_one_in_ten_is_null_unless_the_column_is_not_null() -> None:
    nulls = values("integer").texts(1, 5_000).count(None)
    assert 400 < nulls < 600
    assert None not in values("integer", nullable=False).texts(1, 5_000)
    assert None not in values("integer", primary_key=True, unique=True).texts(1, 100)


def test_a_unique_integer_counts_the_rows() -> None:
    key = values("integer", primary_key=True, unique=True)
    assert key.texts(1, 4) == ["1", "2", "3", "4"]
    assert key.text(9, revision=3) == key.text(9) == "9"


def test_beyond_the_capacity_is_an_error_that_names_column_and_type() -> None:
    flag = values("boolean", nullable=False, unique=True)
    assert flag.capacity == 2
    assert set(flag.texts(1, 2)) == {"true", "false"}
    with pytest.raises(
        CapacityReached, match=r"orders\.c of type boolean has 2 distinct values.*row number 3"
    ):
        flag.text(3)
    assert values("boolean").capacity is None


def test_a_generator_takes_a_cell() -> None:
    cells: list[Cell] = []

    def generate(cell: Cell) -> str:
        cells.append(cell)
        return f"{cell.table}.{cell.column} {cell.row} {cell.revision} {cell.random.random() < 1}"

    assert values("text", generate).text(3, 2, now=1_577_836_800_000_000) == "orders.c 3 2 True"
    assert cells[0].now == datetime(2020, 1, 1, tzinfo=UTC)
    assert cells[0].nullable


def test_a_cells_faker_repeats_whatever_was_asked_before() -> None:
    def generate(cell: Cell) -> str:
        return f"{cell.faker.name()} {cell.faker.unique.random_int(1, 3)}"

    one, other = values("text", generate), values("text", generate)
    assert [one.text(row) for row in (1, 2, 3, 4, 5)] == [other.text(row) for row in (5, 4, 3, 2, 1)][::-1]


def test_a_generator_without_arguments_is_seeded_and_leaves_the_global_state_alone() -> None:
    random.seed(99)
    state = random.getstate()
    chosen = values("double precision", random.random)
    found = chosen.texts(1, 5)
    assert random.getstate() == state
    random.seed(3)
    assert values("double precision", lambda: random.random()).texts(1, 5) == found  # noqa: PLW0108
    assert len(set(found)) == 5


def test_fakers_shared_generator_is_seeded_and_restored() -> None:
    from faker import Faker
    from faker.generator import mod_random

    fake = Faker()
    state = mod_random.getstate()
    found = values("text", fake.name).texts(1, 5)
    assert mod_random.getstate() == state
    fake.name()
    assert values("text", fake.name).texts(1, 5) == found


def test_a_generator_that_imports_faker_itself_is_seeded_from_the_first_cell_on() -> None:
    script = """if True:
        from pytest_kroft.model.columns import ColumnDefinition
        from pytest_kroft.model.values import Birth, ColumnValues
        import sys

        def name():
            from faker import Faker
            return Faker().name()

        definition = ColumnDefinition("c", "text", name)
        values = ColumnValues(1, Birth("t"), Birth("c"), definition, definition.type)
        values.text(2), print("faker" in sys.modules)
        print(values.text(2), values.text(1))
    """
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in "12"
    ]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.startswith("True\n")


def test_faker_is_imported_only_for_a_pool_of_its_own() -> None:
    script = """if True:
        from pytest_kroft.model.columns import ColumnDefinition
        from pytest_kroft.model.values import Birth, column_values
        import sys

        for name in ("c", "email"):
            definition = ColumnDefinition(name, "text")
            column_values(1, Birth("t"), Birth("c"), definition, definition.type).text(1)
            print("faker" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]


def needs_two(a: int, b: int) -> int:
    return a + b


def test_a_generator_that_needs_more_than_a_cell_is_refused() -> None:
    with pytest.raises(
        GeneratorError, match=r"orders\.c: it must take the cell, or nothing, but it needs: a, b"
    ):
        values("integer", needs_two)


@pytest.mark.parametrize(
    "sql_type, result, words",
    [
        ("integer", "x", "orders.c, row 4: .*'x'"),
        ("varchar(2)", "abc", "abc"),
        ("mood", "sad", "'sad'; the labels of \"mood\" are: glad, calm"),
        ("text", object(), "object"),
    ],
)
def test_what_a_column_cannot_hold_is_refused_with_its_place(
    sql_type: str, result: object, words: str
) -> None:
    wrong = values(sql_type, lambda: result, labels=("glad", "calm") if sql_type == "mood" else ())
    with pytest.raises(GeneratorError, match=words):
        wrong.text(4)


def test_none_is_an_answer_only_where_the_column_may_be_null() -> None:
    assert values("text", lambda: None).text(1) is None
    with pytest.raises(GeneratorError, match="it returned None, but the column is NOT NULL"):
        values("text", lambda: None, nullable=False).text(1)


def test_an_exception_in_a_generator_names_the_cell() -> None:
    with pytest.raises(GeneratorError, match=r"orders\.c, row 2: it raised ZeroDivisionError") as caught:
        values("integer", lambda cell: 1 // 0).text(2)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_generators_results_are_kept() -> None:
    calls: list[int] = []

    def generate(cell: Cell) -> int:
        calls.append(cell.row)
        return cell.row

    column = values("integer", generate)
    assert [column.text(row) for row in (1, 2, 1, 1)] == ["1", "2", "1", "1"]
    assert calls == [1, 1, 2, 2]


def test_a_retyped_column_no_longer_asks_its_generator() -> None:
    definition = ColumnDefinition("c", "integer", lambda: 5, nullable=False)
    texts = ColumnValues(1, TABLE, COLUMN, definition, parse_type("text")).texts(1, 5)
    assert "5" not in texts


def test_column_values_are_shared() -> None:
    definition = ColumnDefinition("c", "integer")
    assert column_values(1, TABLE, COLUMN, definition, definition.type) is column_values(
        1, Birth("orders"), COLUMN, ColumnDefinition("c", "integer"), definition.type
    )


class Counter:
    """A generator that counts its calls."""

    def __init__(self) -> None:
        self.calls = itertools.count()

    def __call__(self, cell: Cell) -> int:
        return cell.row + next(self.calls)


@pytest.mark.parametrize("sql_type, impure", [("uuid", uuid.uuid4), ("integer", Counter())])
def test_a_generator_that_does_not_depend_on_its_cell_alone_is_refused(
    sql_type: str, impure: Callable[..., Any]
) -> None:
    with pytest.raises(GeneratorError, match=r"row 1: it is not a function of its cell: it gave .*, then"):
        values(sql_type, impure).text(1)


def test_a_generator_that_starts_to_differ_is_found_at_one_of_the_first_cells() -> None:
    drawn = iter([1, 1, 2, 2, 3, 4])
    made = values("integer", lambda: next(drawn))
    assert [made.text(1), made.text(2)] == ["1", "2"]
    with pytest.raises(GeneratorError, match=r"gave '3', then '4'; use cell\.random, cell\.faker or"):
        made.text(3)


def test_only_the_first_cells_are_asked_for_twice() -> None:
    calls: list[int] = []

    def generator(cell: Cell) -> int:
        calls.append(cell.row)
        return cell.row

    made = values("integer", generator)
    made.texts(1, 5)
    assert calls == [1, 1, 2, 2, 3, 3, 4, 5]


SAMPLES = ("x", None, "y", "z")


def test_samples_are_the_only_values_of_a_column() -> None:
    made = values("text", samples=SAMPLES)
    held = made.texts(1, 200)
    assert set(held) == set(SAMPLES)
    assert [made.text(row) for row in range(1, 201)] == held
    assert {made.text(1, revision) for revision in range(1, 60)} == set(SAMPLES)
    assert values("text", samples=SAMPLES, seed=2).texts(1, 200) != held


def test_unique_samples_are_used_once_each_and_then_there_are_no_more() -> None:
    made = values("text", samples=("a", "b", "c", "d"), unique=True)
    assert made.capacity == 4
    assert sorted(map(str, made.texts(1, 4))) == ["a", "b", "c", "d"]
    with pytest.raises(CapacityReached):
        made.text(5)


def test_samples_of_a_group_stay_together() -> None:
    pairs = [("DE", "Berlin"), ("FR", "Paris"), ("IT", None)]
    countries, cities = zip(*pairs, strict=True)
    country = values("text", samples=countries, together="place", column=Birth("country"))
    city = values("text", samples=cities, together="place", column=Birth("city"))
    alone = values("text", samples=cities, column=Birth("city"))
    for revision in (0, 1, 7):
        held = [(country.text(row, revision), city.text(row, revision)) for row in range(1, 100)]
        assert set(held) == set(pairs)
    assert any((country.text(row), alone.text(row)) not in pairs for row in range(1, 100))
    other = values("text", samples=cities, together="place", table=Birth("else"), column=Birth("city"))
    assert any((country.text(row), other.text(row)) not in pairs for row in range(1, 100))


def test_samples_are_of_one_type_only() -> None:
    definition = ColumnDefinition("c", "text", samples=("7", "8"))
    retyped = ColumnValues(1, TABLE, COLUMN, definition, parse_type("integer"))
    assert {retyped.text(row) for row in range(1, 50)} - {"7", "8", None}


def test_a_filled_column_allows_null_and_holds_none() -> None:
    assert None in values("int").texts(1, 300)
    assert None not in values("int", filled=True).texts(1, 300)
    assert None not in values("int", filled=True, unique=True).texts(1, 300)
    with pytest.raises(GeneratorError, match="returned None"):
        values("int", lambda: None, filled=True).text(1)
