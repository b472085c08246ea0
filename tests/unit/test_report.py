"""What a failing test says about its database."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_kroft.model.clock import SECOND, START
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Sync
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.script import script
from pytest_kroft.report import LAST, Run, failure_section, last_operations
from tests.definitions import CUSTOMERS, LOG, Column, drive, timeline


def test_nothing_done_is_said():
    assert last_operations(History(1)) == ["Nothing was done to the database."]


def test_a_short_history_is_told_whole():
    made = timeline(CUSTOMERS)
    made.apply(Insert("customers", 1, 1, START, cells={"id": ("5",)}))
    made.apply(Delete("customers", (1,)))
    assert last_operations(made.history) == [
        "All 5 operations:",
        "",
        "  1  create type my mood (sad, ok, it's glad)",
        "  2  create type level (low, high)",
        "  3  create table customers (id, name, email, tier, mood, country)",
        "  4  insert into customers: id 5",
        "  5  delete from customers: id 5",
    ]


def test_rows_of_two_transactions_with_one_stamp_are_told():
    table = TableDefinition(
        "t", [Column("id", "int", primary_key=True), Column("at", "date")], updated_at="at"
    )
    made = timeline(table)
    for first, stamp in enumerate([START, START + SECOND, START], start=1):
        made.apply(Insert("t", first, 1, stamp))
    told = [line.partition(";")[2] for line in last_operations(made.history)[-3:]]
    assert told == [
        " at 2020-01-01 00:00:00",
        " at 2020-01-01 00:00:01",
        f" at 2020-01-01 00:00:00, as in {len(made.history) - 2}",
    ]


@pytest.mark.parametrize("total", [LAST - 1, LAST, LAST + 1, 100])
def test_of_a_long_history_the_last_operations_are_told(total):
    lines = last_operations(History(1, None, [CreateTable(LOG), *[Sync()] * (total - 1)]))
    shown = min(total, LAST)
    assert lines[0] == (
        f"The last {LAST} of {total} operations:" if total > LAST else f"All {total} operations:"
    )
    assert lines[1] == ""
    assert len(lines) == 2 + shown
    width = len(str(total))
    assert [int(line.split()[0]) for line in lines[2:]] == list(range(total - shown + 1, total + 1))
    assert lines[-1] == f"  {total:>{width}}  sync"


def test_a_history_that_does_not_apply_is_told_all_the_same():
    assert last_operations(History(1, None, [Delete("t", (1, 2))]))[-1] == "  1  delete from t: 2 rows"


def run(tmp_path: Path, **fields) -> Run:
    return Run("tests/test_a.py::test_b[x y]", tmp_path, base_seed=7, own_seed=99, **fields)


def test_the_section_says_how_to_run_it_again_and_where_its_files_are(tmp_path):
    made = drive(timeline(rows=2, seed=99), 30)
    folder = tmp_path / "kroft"
    folder.mkdir()
    text = failure_section(made.history, folder / "3f9a.b", run(tmp_path))
    told = last_operations(made.history)
    assert text.splitlines()[: len(told) + 1] == [*told, ""]
    assert text.splitlines()[len(told) + 1 :] == [
        "seed      --kroft-seed=7 (this test's own: 99)",
        "again     pytest 'tests/test_a.py::test_b[x y]' --kroft-seed=7",
        "history   kroft/3f9a.b.jsonl",
        "as SQL    kroft/3f9a.b.sql",
    ]
    assert (folder / "3f9a.b.sql").read_text() == script(made.history)
    assert len(History.load(folder / "3f9a.b.jsonl")) == len(made.history)


def test_files_elsewhere_are_named_whole_and_a_kept_database_is_told_without_its_password(tmp_path):
    history = timeline(LOG).history
    uri = "postgresql://me:secret@host/a%20b"
    text = failure_section(history, tmp_path / "x", run(tmp_path / "elsewhere"), uri, "kill 77")
    lines = text.splitlines()
    assert f"history   {tmp_path / 'x.jsonl'}" in lines
    assert f"as SQL    {tmp_path / 'x.sql'}" in lines
    assert lines[-2].startswith("database  psql postgresql://me@")
    assert lines[-1] == "stop it   kill 77"
    assert "secret" not in text


def test_what_cannot_be_saved_is_said(tmp_path):
    text = failure_section(timeline(LOG).history, tmp_path / "missing" / "x", run(tmp_path))
    assert text.count("could not be saved: ") == 2
    damaged = failure_section(History(1, None, [Delete("t", (1,))]), tmp_path / "x", run(tmp_path))
    assert damaged.count("could not be saved: ") == 2
    assert "no table 't'" in damaged


def test_the_line_to_paste_has_every_option_that_was_given(tmp_path):
    given = run(
        tmp_path,
        server="embedded",
        dsn="postgresql://me:secret@h/d",
        others={"--rootdir": "/a b", "--co": None},
    )
    assert given.command == (
        "pytest 'tests/test_a.py::test_b[x y]' --kroft-seed=7 --kroft-server=embedded "
        "--kroft-dsn=postgresql://me@h/d '--rootdir=/a b'"
    )
    assert run(tmp_path, by_marker=True).command == "pytest 'tests/test_a.py::test_b[x y]'"


def test_where_the_seed_of_a_database_comes_from(tmp_path):
    assert run(tmp_path).seed_words(99) == "--kroft-seed=7 (this test's own: 99)"
    assert run(tmp_path).seed_words(5) == "5, given by the test"
    assert run(tmp_path, by_marker=True).seed_words(99) == "99, given by the marker"


def test_a_database_of_a_wider_fixture_is_told_as_its(tmp_path):
    shared = run(tmp_path, fixture="shared")
    assert shared.seed_words(99) == "--kroft-seed=7 (that of the fixture 'shared': 99)"
    assert shared.seed_words(5) == "5, given by the fixture 'shared'"
    assert Run("", tmp_path, base_seed=7, own_seed=99).command == "pytest --kroft-seed=7"
