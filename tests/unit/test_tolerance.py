"""What each tolerance takes out of a comparison, and what it leaves; histories in memory, no server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.comparison import Comparison, compare
from pytest_kroft.errors import Mismatch, NotApplicable
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.operations import SCHEMA_KINDS, CreateTable, Observed, kind
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.past import Past
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.planning.schema import SchemaManager
from pytest_kroft.tolerance import TOLERANCES, tolerated
from tests.definitions import CUSTOMERS, FEW, LOG, ORDERS, Column, drive, timeline

ITEMS = TableDefinition(
    "items",
    [
        Column("id", "int", primary_key=True),
        Column("name", "text"),
        Column("price", "numeric"),
        Column("note", "text", reserved=True),
        Column("stock", "int", reserved=True, default="7"),
    ],
)
LINES = TableDefinition(
    "lines",
    [Column("text", "text"), Column("level", "int"), Column("tag", "text", reserved=True, default="'x'")],
)
READ = {"integer": int, "numeric": Decimal, "double precision": float}


def load(sql_type: Any) -> Any:
    return READ.get(sql_type.name, str)


class Source:
    """One table in memory, with the parts that change it."""

    def __init__(self, definition: TableDefinition = ITEMS) -> None:
        self.name, self.made = definition.name, Timeline(1)
        self.made.apply(CreateTable(definition))
        self.rows_of = MutationEngine(self.made, SeededChoices(1))
        everything = EvolutionPolicy.named("everything")
        self.schema = SchemaManager(self.made, SeededChoices(1), everything)

    def insert(self, *rows: dict[str, Any]) -> None:
        self.rows_of.insert(self.name, rows=rows)

    def update(self, key: int, **values: Any) -> None:
        self.rows_of.update(self.name, keys=[key], values=values)

    def delete(self, *keys: int) -> None:
        self.rows_of.delete(self.name, keys=keys)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return contents(self.made.state, self.name)

    def compare(self, copy: object, *names: str) -> Comparison:
        return compared(self.made, self.name, copy, names)


def contents(state: State, name: str) -> list[dict[str, Any]]:
    columns = state.table(name).columns
    return [
        {c.name: None if text is None else load(c.type)(text) for c, text in zip(columns, texts, strict=True)}
        for texts in state.contents(name)
    ]


def compared(made: Timeline, name: str, copy: object, names: Iterable[str]) -> Comparison:
    table = made.state.table(name)
    found = compare(
        contents(made.state, name), copy, table=name, key=[c.name for c in table.key], known=table.names
    )
    return tolerated(found, Past(name, made.history.operations, made.states, load), names)


def item(number: int, **values: Any) -> dict[str, Any]:
    return {"id": number, "name": f"n{number}", "price": Decimal(number), **values}


def source(*numbers: int) -> Source:
    made = Source()
    made.insert(*(item(number) for number in numbers or (1, 2, 3)))
    return made


# Deletes


def test_a_row_that_the_source_once_held_may_stay() -> None:
    made = source()
    made.delete(2)
    copy = [item(1), item(2, name="as it was long ago"), item(3)]
    assert not made.compare(copy, "backfill")
    assert made.compare(copy, "deletes")


def test_rows_that_a_truncate_took_may_stay() -> None:
    made = source()
    made.schema.truncate()
    made.insert(item(3))
    assert made.compare([item(1), item(2), item(3)], "deletes")


def test_a_key_that_was_changed_may_stay() -> None:
    made = source()
    made.update(1, id=9)
    assert made.compare([item(1), item(2), item(3), item(1, id=9)], "deletes")


@pytest.mark.parametrize(
    ("copy", "left"),
    [
        pytest.param([item(1), item(3), item(4)], "id 4: in the copy, but not", id="a row that never was"),
        pytest.param(
            [item(1), item(2), item(2), item(3)], "id 2: not in the source, but 2 times", id="twice"
        ),
        pytest.param(
            [item(1), item(1), item(3)], "id 1: 2 times in the copy", id="a row that is there, twice"
        ),
        pytest.param([item(1), item(2)], "id 3: not in the copy", id="a missing row"),
        pytest.param([item(1, name="x"), item(3)], "id 1: name is", id="a wrong value"),
    ],
)
def test_what_is_no_deleted_row_is_caught(copy: list[Any], left: str) -> None:
    made = source()
    made.delete(2)
    assert left in made.compare(copy, "deletes").render()


def test_a_row_that_came_back_is_there_once_and_as_it_is_now() -> None:
    made = source(1)
    made.delete(1)
    made.insert(item(1, name="new"))
    assert made.compare([item(1, name="new")], "deletes")
    assert "name is 'new' in the source, 'n1' in the copy" in made.compare([item(1)], "deletes").render()
    assert not made.compare([item(1, name="new"), item(1)], "deletes")


def test_without_a_key_each_row_that_is_gone_may_stay_once() -> None:
    made = Source(LINES)
    made.insert(*[{"text": "a", "level": 1}] * 2, {"text": "b", "level": 1})
    made.schema.truncate()
    made.insert({"text": "a", "level": 1})
    old = [{"text": "a", "level": 1}] * 3 + [{"text": "b", "level": 1}]
    assert made.compare(old, "deletes")
    assert made.compare(old, "deletes").repeated == ()
    assert "4 times in the copy" in made.compare([*old, old[0]], "deletes").render()
    assert not made.compare([{"text": "b", "level": 1}], "deletes")


def test_without_a_key_a_row_may_stay_as_it_was_before_a_column_came() -> None:
    made = Source(LINES)
    made.insert({"text": "a", "level": 1})
    made.schema.truncate()
    made.schema.add_column("tag")
    made.insert({"text": "b", "level": 2, "tag": "t"})
    now = {"text": "b", "level": 2, "tag": "t"}
    assert made.compare([now, {"text": "a", "level": 1, "tag": None}], "deletes")
    assert made.compare([now, {"text": "a", "level": 1}], "deletes")
    assert not made.compare([now, {"text": "a", "level": 1, "tag": "made up"}], "deletes")


def test_without_a_key_a_row_may_stay_as_a_new_column_made_it() -> None:
    made = Source(LINES)
    made.insert({"text": "a", "level": 1})
    made.schema.add_column("tag")
    made.schema.truncate()
    assert made.compare([{"text": "a", "level": 1, "tag": "x"}], "deletes")
    assert not made.compare([{"text": "a", "level": 1, "tag": "y"}], "deletes")


def test_a_deleted_row_may_stay_in_the_precision_that_is_tolerated() -> None:
    made = Source(TableDefinition("t", [Column("k", "numeric", primary_key=True)]))
    made.insert({"k": Decimal("1.00000000000000000001")})
    made.schema.truncate()
    assert made.compare([{"k": 1.0}], "deletes", "precision")
    assert not made.compare([{"k": 1.0}], "deletes")
    assert not made.compare([{"k": 1.0}, {"k": 1.0}], "deletes", "precision")


def test_a_table_made_anew_still_knows_the_rows_of_the_old_one() -> None:
    made = source(1)
    made.schema.drop_table("items")
    made.schema.create_table(ITEMS)
    made.insert(item(2))
    assert made.compare([item(1), item(2)], "deletes")
    assert not made.compare([item(3), item(2)], "deletes")


def test_a_table_made_anew_with_its_columns_in_another_order_knows_them_by_name() -> None:
    made = Source()
    made.insert(item(1, price=5))
    made.schema.drop_table("items")
    made.schema.create_table(TableDefinition("items", list(reversed(ITEMS.active))))
    assert made.compare([item(1)], "deletes")


def test_a_table_made_anew_begins_with_its_own_columns() -> None:
    made = source(1)
    made.schema.add_column("note")
    made.schema.drop_table("items")
    made.schema.create_table(TableDefinition("items", [*ITEMS.active, Column("remark", "text")]))
    made.insert(item(1, remark="x"))
    assert made.compare([item(1)], "added_columns").lacking_columns == ("remark",)


# Backfill


def test_cells_that_a_new_column_brought_may_be_unread() -> None:
    made = source()
    made.schema.add_column("stock")
    made.insert(item(4, stock=5))
    copy = [item(1), item(2, stock=None), item(3, stock=7), item(4, stock=5)]
    assert made.compare(copy, "backfill")
    assert not made.compare(copy, "deletes")


@pytest.mark.parametrize(
    ("number", "values"),
    [
        pytest.param(1, {"stock": 8}, id="another value"),
        pytest.param(4, {"stock": None}, id="a row that came later"),
        pytest.param(2, {"stock": None}, id="a row that was written later, in another column"),
        pytest.param(3, {"stock": 7, "name": None}, id="another column"),
    ],
)
def test_what_is_no_unread_backfill_is_caught(number: int, values: dict[str, Any]) -> None:
    made = source()
    made.schema.add_column("stock")
    made.insert(item(4, stock=5))
    made.update(2, name="n2")
    copy = [{**row, **values} if row["id"] == number else row for row in made.rows]
    found = made.compare(copy, "backfill")
    assert [difference.key for difference in found.different] == [{"id": number}]


def test_a_change_of_the_schema_writes_no_row() -> None:
    made = source(1)
    made.schema.add_column("stock")
    made.schema.alter_type("stock", "bigint")
    made.schema.set_nullable("stock", nullable=False)
    assert made.compare([item(1, stock=None)], "backfill")


def test_what_the_server_computes_for_a_new_column_is_no_write() -> None:
    made = source(1)
    made.schema.add_column(Column("seen", "text", default="now()::text"))
    made.made.adopt(Observed("items", "server", (1,), {"seen": ("2020-01-01",)}))
    assert made.compare([item(1, seen=None)], "backfill")
    assert not made.compare([item(1, seen="2020")], "backfill")


def test_a_whole_column_may_be_lacking_where_nothing_in_it_was_written() -> None:
    made = source(1, 2)
    made.schema.add_column("stock")
    assert made.compare([item(1), item(2)], "backfill")
    made.insert(item(3, stock=None))
    assert made.compare([item(1), item(2), item(3)], "backfill")
    made.update(1, stock=7)
    found = made.compare([item(1), item(2), item(3)], "backfill")
    assert found.lacking_columns == ("stock",)


def test_a_column_that_was_there_at_first_may_not_be_lacking() -> None:
    made = Source()
    made.insert(item(1, price=None))
    copy = [{"id": 1, "name": "n1"}]
    assert made.compare(copy, *TOLERANCES).lacking_columns == ("price",)


def test_a_column_that_came_back_with_old_values_is_caught() -> None:
    made = Source()
    made.insert(item(1, name="old"))
    made.schema.drop_column("name")
    made.schema.add_column(Column("name", "text"))
    assert made.compare([item(1, name=None)], "backfill")
    assert (
        "name is NULL in the source, 'old' in the copy"
        in made.compare([item(1, name="old")], *TOLERANCES).render()
    )


def test_without_a_key_rows_are_paired_where_a_part_is_unread() -> None:
    made = Source(LINES)
    made.insert(*[{"text": "a", "level": 1}] * 2)
    made.schema.add_column("tag")
    made.insert({"text": "a", "level": 1, "tag": "x"})
    unread, read = {"text": "a", "level": 1, "tag": None}, {"text": "a", "level": 1, "tag": "x"}
    assert made.compare([unread, unread, read], "backfill")
    # One of the three was written with its tag, though all of them are alike.
    assert len(made.compare([unread, unread, unread], "backfill").missing) == 1
    assert len(made.compare([unread, unread], "backfill").missing) == 1
    assert not made.compare([unread, {**unread, "level": 2}, read], "backfill")


# Columns


def test_dropped_columns_may_stay_in_the_copy() -> None:
    made = source(1)
    made.schema.drop_column("price")
    copy = [item(1)]
    assert made.compare(copy, "dropped_columns")
    assert made.compare(copy, "added_columns").surplus_columns == ("price",)
    odd = made.compare([item(1, made_up=1, name="x")], "dropped_columns")
    assert (odd.surplus_columns, len(odd.different)) == (("made_up",), 1)


def test_a_column_that_is_there_is_never_a_dropped_one() -> None:
    made = source(1)
    made.schema.drop_column("price")
    made.schema.add_column(Column("price", "numeric"))
    assert "price is NULL in the source, 1 in the copy" in made.compare([item(1)], "dropped_columns").render()


def test_added_columns_may_be_lacking_altogether() -> None:
    made = source(1, 2)
    made.schema.add_column("stock")
    made.insert(item(3, stock=5))
    assert made.compare([item(1), item(2), item(3)], "added_columns")
    assert not made.compare([item(1), item(2), item(3)], "backfill")
    # Where any row of the copy has the column, it is read.
    assert not made.compare([item(1, stock=7), item(2), item(3)], "added_columns")
    found = made.compare([{"id": 1, "price": 1}, {"id": 2, "price": 2}], "added_columns")
    assert (found.lacking_columns, len(found.missing)) == (("name",), 1)


def test_a_renamed_column_may_be_read_as_a_new_one() -> None:
    made = source(1, 2)
    made.schema.rename_column("name", "title")
    assert made.compare([item(1), item(2)], "renamed_columns")
    made.update(2, title="new")
    copy = [item(1, title=None), item(2, title="new")]
    assert made.compare(copy, "renamed_columns")
    assert made.compare(copy, "dropped_columns").surplus_columns == ()
    assert len(made.compare(copy, "dropped_columns").different) == 1
    assert not made.compare([item(1), item(2)], "renamed_columns")
    assert not made.compare([item(1, title="wrong"), item(2, title="new")], "renamed_columns")
    assert not made.compare([item(1, title=None), item(2, title=None)], "renamed_columns")


def test_a_column_that_has_its_first_name_again_was_renamed_last_of_all() -> None:
    made = source(1)
    made.schema.rename_column("name", "title")
    made.update(1, title="new")
    made.schema.rename_column("title", "name")
    assert made.compare([{"id": 1, "name": None, "title": "new", "price": 1}], "renamed_columns")
    made.update(1, name="newer")
    assert not made.compare([{"id": 1, "name": None, "title": "new", "price": 1}], "renamed_columns")


def test_an_added_column_is_no_renamed_one() -> None:
    made = source(1)
    made.schema.add_column("stock")
    assert len(made.compare([item(1, stock=None)], "renamed_columns").different) == 1


def test_a_key_may_never_be_unread() -> None:
    made = source(1)
    made.schema.rename_column("id", "number")
    found = made.compare([{"id": 1, "number": None, "name": "n1", "price": 1}], *TOLERANCES)
    assert (len(found.missing), len(found.extra)) == (1, 1)


def test_a_dropped_column_is_no_renamed_one() -> None:
    made = source(1)
    made.schema.drop_column("name")
    assert made.compare([item(1)], "renamed_columns").surplus_columns == ("name",)


def test_the_key_may_never_be_lacking() -> None:
    made = source(1)
    made.schema.rename_column("id", "number")
    found = made.compare([item(1)], *TOLERANCES)
    assert found.lacking_columns == ("number",)


# Values

NEAR = [
    (Decimal("0.1"), 0.1),
    (Decimal("1.2345678901234567890"), 1.2345678901234567),
    (Decimal("1.234567890123456789"), Decimal("1.23456789012345")),
    (Decimal("1.234567890123456789"), Decimal("1.23456789012346")),
    (2**53 + 1, float(2**53)),
    (Decimal("1e-400"), 0.0),
    (10**400 + 1, 10**400),
    (datetime(2020, 1, 1, 0, 0, 0, 123999), datetime(2020, 1, 1, 0, 0, 0, 123000)),
    (datetime(2020, 1, 1, 0, 0, 0, 999999, UTC), datetime(2020, 1, 1, 0, 0, 1)),
    (time(1, 2, 3, 4999), time(1, 2, 3, 4000)),
    (timedelta(microseconds=1500), timedelta(milliseconds=1)),
    ([Decimal("0.1"), None], [0.1, None]),
    ({"a": [Decimal("1.00000000000000000001")]}, {"a": [1]}),
]
FAR = [
    (Decimal("1.2345678901234"), Decimal("1.2345678901235")),
    (Decimal("10.10"), Decimal("10.11")),
    (Decimal("0.5"), 0),
    (0, 1e-15),
    (Decimal("1e400"), Decimal("2e400")),
    (1, -1),
    (2**53 + 1, 2**53 - 100),
    (1, True),
    (1, "1"),
    (Decimal("NaN"), 0.0),
    (float("inf"), 1e308),
    (10**400, 2 * 10**400),
    (10**400, float("inf")),
    (datetime(2020, 1, 1), datetime(2020, 1, 1, 0, 0, 0, 1000)),
    (datetime(2020, 1, 1), datetime(2020, 1, 1).date()),
    (time(1, tzinfo=UTC), time(1)),
    ([Decimal("0.1")], [0.1, 0.1]),
    ([0.1], [0.2]),
    ({"a": 1}, {"b": 1}),
    (1.0, None),
]


@pytest.mark.parametrize(("one", "other"), NEAR)
def test_precision_tolerates_what_a_double_or_a_millisecond_loses(one: object, other: object) -> None:
    assert TOLERANCES["precision"].value(one, other)  # type: ignore[misc]


@pytest.mark.parametrize(("one", "other"), FAR)
def test_precision_tolerates_no_other_value(one: object, other: object) -> None:
    assert not TOLERANCES["precision"].value(one, other)  # type: ignore[misc]


@FEW
@given(st.decimals(allow_nan=False, allow_infinity=False) | st.integers() | st.floats(allow_nan=False))
def test_every_number_may_become_a_double_and_none_another_number(number: Any) -> None:
    value = TOLERANCES["precision"].value
    assert value
    try:
        double = float(number)
    except OverflowError:
        double = number
    if abs(double) != float("inf"):
        assert number == double or value(number, double)
        assert number == 0 or not value(number, double * 1.0001 + 1e-300)


def test_precision_in_a_row_and_in_a_key() -> None:
    made = Source(TableDefinition("t", [Column("k", "numeric", primary_key=True), Column("v", "numeric")]))
    made.insert({"k": Decimal("1.00000000000000000001"), "v": Decimal("0.10000000000000000001")})
    assert made.compare([{"k": 1.0, "v": 0.1}], "precision")
    assert not made.compare([{"k": 1.0, "v": 0.1}])
    found = made.compare([{"k": 1.0, "v": 0.2}], "precision")
    assert [list(one.columns) for one in found.different] == [["v"]]
    assert (found.missing, found.extra) == ((), ())


def test_an_empty_text_may_be_null() -> None:
    made = Source()
    made.insert(item(1, name=""), item(2, name="x"), item(3, name=None))
    copy = [item(1, name=None), item(2, name="x"), item(3, name=None)]
    assert made.compare(copy, "empty_text")
    assert not made.compare(copy, "precision")
    for number, name in ((2, None), (3, ""), (1, " ")):
        wrong = [{**row, "name": name} if row["id"] == number else row for row in copy]
        assert [one.key for one in made.compare(wrong, "empty_text").different] == [{"id": number}]
    assert not made.compare([{k: v for k, v in copy[0].items() if k != "name"}, *copy[1:]], "empty_text")


def test_without_a_key_an_exact_row_is_taken_before_a_tolerated_one() -> None:
    made = Source(LINES)
    made.insert({"text": "", "level": 1}, {"text": None, "level": 1})
    both = [{"text": None, "level": 1}] * 2
    assert made.compare(both, "empty_text")
    assert len(made.compare(both[:1], "empty_text").missing) == 1
    assert len(made.compare([*both, both[0]], "empty_text").extra) == 1


# Names, and what a failure says


def test_an_unknown_tolerance_is_refused_with_the_known_ones() -> None:
    made = source(1)
    with pytest.raises(NotApplicable, match="no tolerance 'delete'; the tolerances are: deletes, backfill"):
        made.compare([item(1)], "deletes", "delete")


def test_one_name_may_be_given_alone() -> None:
    made = source(1)
    made.delete(1)
    assert compared(made.made, "items", [item(1)], "deletes")


def test_a_failure_says_what_was_tolerated() -> None:
    made = source(1)
    found = made.compare([], "precision", "deletes")
    assert found.tolerating == ("deletes", "precision")
    with pytest.raises(Mismatch) as caught:
        found.raise_if_different()
    assert str(caught.value) == (
        "items: the copy lacks 1 of 1 row, tolerating deletes, precision\n  id 1: not in the copy"
    )
    assert made.compare([item(1)], "deletes").render() == (
        "items: the copy is the same (1 row), tolerating deletes"
    )


def test_the_documentation_defines_each_tolerance_as_the_code_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "tolerate.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|$", page, re.MULTILINE)
    assert rows == [(one.name, one.definition) for one in TOLERANCES.values()]


# Any history

SUBSETS = st.sets(st.sampled_from(list(TOLERANCES)), min_size=1)
HISTORIES = st.builds(
    lambda seed, steps: drive(timeline(CUSTOMERS, ORDERS, LOG, seed=seed, rows=3), steps, seed=seed),
    st.integers(0, 10_000), st.integers(1, 14),
)  # fmt: skip
NEVER = "<<never>>"


@FEW
@given(HISTORIES, SUBSETS)
def test_no_tolerance_hides_a_row_that_never_was_one_that_is_missing_or_a_wrong_value(
    made: Timeline, names: set[str]
) -> None:
    for name, table in made.state.tables.items():
        rows = contents(made.state, name)
        assert compared(made, name, rows, names), "the same copy differs"
        assert compared(made, name, [*rows, dict.fromkeys(table.names, NEVER)], names).extra
        if rows:
            assert compared(made, name, rows[1:], names).missing
            for column in table.names:
                wrong = compared(made, name, [{**rows[0], column: NEVER}, *rows[1:]], names)
                assert (len(wrong.missing) + len(wrong.different), wrong.tolerating) != (0, ())


@FEW
@given(HISTORIES)
def test_without_a_tolerance_a_comparison_is_what_it_was(made: Timeline) -> None:
    for name, table in made.state.tables.items():
        found = compare(contents(made.state, name), [], table=name, key=[c.name for c in table.key])
        past = Past(name, made.history.operations, made.states, load)
        assert tolerated(found, past, ()) is found


@FEW
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_a_consumer_that_merges_written_rows_and_forgets_nothing_is_tolerated(seed: int, steps: int) -> None:
    hazards = {"delete", "delete_reinsert", "truncate", "key_change", "add_column", "add_column_default"}
    policy = EvolutionPolicy({*hazards, "drop_column"}, interval=1, probability=1.0)
    made = drive(timeline(CUSTOMERS, seed=seed, rows=3), steps, policy, seed)
    copy: dict[object, dict[str, Any]] = {}
    for operation, before, after in zip(made.history.operations, made.states, made.states[1:], strict=False):
        if "customers" in before.tables and kind(operation) not in SCHEMA_KINDS:
            old = {row.number: row for row in before.table("customers").rows}
            new = zip(after.table("customers").rows, contents(after, "customers"), strict=True)
            written = [values for row, values in new if old.get(row.number) is not row]
            copy |= {row["id"]: {**copy.get(row["id"], {}), **row} for row in written}
    limits = {"deletes", "backfill", "dropped_columns"}
    found = compared(made, "customers", copy, limits)
    assert found, found.render()
