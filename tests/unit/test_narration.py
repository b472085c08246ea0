"""A history told to a person."""

from __future__ import annotations

import pytest

from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.model.history import History
from pytest_kroft.model.narration import LONGEST, Narration, narrate
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    CreateTable,
    Delete,
    Insert,
    Operation,
    Sync,
    Update,
)
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from tests.definitions import LOG, TREE, Column, drive, timeline

ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "int", primary_key=True),
        Column("note", "text"),
        Column("amount", "numeric(6,2)"),
        Column("updated_at", "timestamp"),
    ],
    updated_at="updated_at",
)


def told(*operations: Operation, failure: str | None = None, last: int = 50, **how: bool) -> list[str]:
    made = Timeline(3)
    for operation in (CreateTable(ORDERS), *operations):
        made.apply(operation)
    return narrate(made.history, failure).lines(last, **how)


def insert(number: int, second: int = 0, **fields) -> Insert:
    return Insert("orders", number, fields.pop("count", 1), START + second * SECOND, **fields)


def words_of(operation: Operation, *before: Operation) -> str:
    """The last line of a history without what stands before the values."""
    return told(*before, operation)[-1].partition("updated_at 2020-01-01 00:00:0")[2][3:]


def test_steps_are_numbered_and_their_notes_stand_in_one_column():
    assert told(insert(1), Sync(), insert(2), Sync(), failure="orders: 1 row is missing\n  more") == [
        "  1  create table orders (id, note, amount, updated_at)",
        "  2  insert into orders: id 1; updated_at 2020-01-01 00:00:00",
        "  3  sync",
        "  4  insert into orders: id 2; updated_at 2020-01-01 00:00:00    tied with id 1",
        "  5  sync                                                        fails: orders: 1 row is missing",
    ]  # fmt: skip


def test_long_words_do_not_move_the_notes_of_others():
    long = insert(1, cells={"note": ("x" * 30,), "amount": ("1.00",)})
    *_, first, second = told(long, insert(2), failure="it fails")
    assert len(first) > LONGEST + 5
    assert second.index("tied with id 1; fails: it fails") < LONGEST + 10


def test_sessions_are_told_with_the_rows_that_they_see():
    lines = told(
        Begin(1, START),
        insert(1, session=1),
        Update("orders", (1,), ("note",), 1, START, session=1),
        insert(2, 5),
        Commit(1),
    )
    assert [line.partition("orders")[2].partition(";")[0] for line in lines[2:5]] == [
        " in session 1: id 1",
        " set note in session 1: id 1",
        ": id 2",
    ]
    assert lines[5].startswith("  6  commit session 1")
    assert lines[5].endswith("    id 1 appears late: stamped before id 2")


@pytest.mark.parametrize(
    ("failure", "note"),
    [("", "fails"), ("\n  first \nsecond", "fails: first"), ("word " * 40, "...")],
)
def test_the_last_step_says_how_it_fails_in_one_line(failure, note):
    *_, before, last = told(insert(1), Sync(), failure=failure)
    assert last.endswith(note)
    assert len(last) < 180
    assert "fails" not in before


def test_the_latest_steps_keep_their_numbers():
    lines = told(*[Sync()] * 9, last=3)
    assert lines == ["   8  sync", "   9  sync", "  10  sync"]
    assert told(Sync(), last=0) == []


def test_what_is_made_at_first_takes_one_line():
    made = timeline(LOG, TREE)
    made.apply(Sync())
    assert narrate(made.history).lines(50, summed_up=True) == [
        "  1-4  create my mood, level, log, tree",
        "    5  sync",
    ]
    assert len(narrate(made.history).lines(50)) == 5
    assert len(narrate(made.history).lines(4, summed_up=True)) == 4
    assert told(Sync(), summed_up=True) == told(Sync())


def test_values_that_were_given_are_told():
    assert words_of(insert(1, cells={"note": ("",)})) == "note ''"
    assert words_of(insert(1, cells={"note": (None,), "amount": ("-1.50",)})) == "note NULL, amount -1.50"
    assert words_of(insert(1, cells={"note": ("tab\t'\u200b",)})) == 'note "tab\\t\'\\u200b"'
    long = "x" * 32 + "y" * 68
    assert words_of(insert(1, cells={"note": (long,)})) == f"note '{'x' * 32}'... (100 characters)"
    update = Update("orders", (1,), ("note",), 1, START + SECOND, cells={"note": ("new",)})
    assert words_of(update, insert(1)) == "note 'new'"


def test_values_of_several_rows_are_told_once_where_they_are_the_same():
    assert words_of(insert(1, count=3, cells={"note": ("a",) * 3})) == "note 'a'"
    assert words_of(insert(1, count=2, cells={"note": ("a", "b")})) == "note 'a' | 'b'"
    many = words_of(insert(1, count=4, cells={"note": ("a", "b", "c", "d")}))
    assert many == "note 'a' | 'b' | 'c' | ..."


def test_keys_and_stamps_are_told_once():
    given = {"id": ("77",), "updated_at": ("2020-01-01 00:00:00",)}
    assert (
        told(insert(1, cells=given))[-1] == "  2  insert into orders: id 77; updated_at 2020-01-01 00:00:00"
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_history_that_was_saved_is_told_in_the_same_words(seed):
    made = drive(timeline(seed=seed, rows=4), 40, "everything", seed).history
    assert narrate(made.literal()).lines(99) == narrate(made).lines(99)
    assert narrate(made.literal()).hazards == narrate(made).hazards


def test_a_history_that_does_not_apply_is_told_in_plainer_words():
    broken = narrate(History(1, None, [Delete("t", (1, 2))]), "it fails")
    assert broken.lines(9) == ["  1  delete from t: 2 rows    fails: it fails"]
    assert broken.hazards == []
    assert narrate(History(1), "it fails").lines(9) == []


def test_hazards_are_told_by_name_or_in_sentences():
    two = Narration([], ["a", "b"], [[], []], ["delete", "truncate"])
    assert two.names() == ["Hazards in all 2: delete, truncate"]
    assert two.sentences() == [
        "delete: rows are deleted; a reader that only asks for new and changed rows keeps them.",
        "truncate: a table is emptied at once; a reader that takes an empty result for no change keeps the",
        "  old rows.",
    ]
    every = Narration([], ["a"], [[]], list(HAZARDS))
    (line,) = every.names()
    assert len(line) <= 100
    assert line.endswith(" ...")
    assert Narration([], ["a"], [[]], []).names() == []
