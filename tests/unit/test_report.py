"""What a failing test says about its database."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_kroft.model.clock import START
from pytest_kroft.model.history import History
from pytest_kroft.model.narration import narrate
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Operation, Sync, Truncate
from pytest_kroft.postgres.script import script
from pytest_kroft.report import LAST, MOST, Run, Searched, failure_section, latest, smallest
from tests.definitions import CUSTOMERS, LOG, drive, timeline


def paragraphs(history: History) -> list[list[str]]:
    return latest(narrate(history))


def test_nothing_done_is_said():
    assert paragraphs(History(1)) == [["Nothing was done to the database."]]


def test_a_short_history_is_told_whole_with_its_hazards_in_sentences():
    made = timeline(CUSTOMERS)
    made.apply(Insert("customers", 1, 1, START, cells={"id": ("5",)}))
    made.apply(Delete("customers", (1,)))
    assert paragraphs(made.history) == [
        ["All 5 operations:"],
        [
            "  1  create type my mood (sad, ok, it's glad)",
            "  2  create type level (low, high)",
            "  3  create table customers (id, name, email, tier, mood, country)",
            "  4  insert into customers: id 5",
            "  5  delete from customers: id 5",
        ],
        ["delete: rows are deleted; a reader that only asks for new and changed rows keeps them."],
    ]
    assert paragraphs(History(1, None, [Sync()])) == [["The only operation:"], ["  1  sync"], []]


@pytest.mark.parametrize("total", [LAST - 1, LAST, LAST + 1, 100])
def test_of_a_long_history_the_last_operations_are_told(total):
    made: list[Operation] = [CreateTable(LOG), Insert("log", 1, 1, START), Truncate("log")]
    operations = [*made, *[Sync()] * (total - len(made))]
    title, lines, hazards = paragraphs(History(1, None, operations))
    shown = min(total, LAST)
    whole = total == shown
    assert title == [f"All {total} operations:" if whole else f"The last {LAST} of {total} operations:"]
    width = len(str(total))
    assert [int(line.split()[0]) for line in lines] == list(range(total - shown + 1, total + 1))
    assert lines[-1] == f"  {total:>{width}}  sync"
    if whole:
        assert hazards[0].startswith("truncate: a table is emptied at once; ")
    else:
        assert hazards == [f"Hazards in all {total}: truncate"]


def test_the_smallest_history_is_told_as_such():
    made = timeline(LOG)
    made.apply(Truncate("log"))
    told = narrate(made.history, "AssertionError: no")
    title, lines, sentences = smallest(told, Searched(example=23, of=200, shrunk_from=31))
    assert title == ["The smallest history that fails: 4 operations (example 23 of 200, shrunk from 31)"]
    assert lines == [
        "  1-3  create my mood, level, log",
        "    4  truncate log                  fails: AssertionError: no",
    ]
    assert sentences[0].startswith("truncate: ")


def test_what_a_search_does_not_know_is_left_out():
    one, none, many = (narrate(History(1, None, [Sync()] * count)) for count in (1, 0, MOST + 5))
    assert smallest(one, Searched())[0] == ["The smallest history that fails: 1 operation"]
    assert smallest(one, Searched(example=3))[0][0].endswith("1 operation (example 3)")
    assert smallest(one, Searched(of=9, shrunk_from=0))[0][0].endswith("1 operation (shrunk from 0)")
    assert smallest(none, Searched(example=1, of=5)) == [
        ["It fails before anything is done to the database (example 1 of 5)."]
    ]
    assert smallest(one, Searched("The replayed history"))[0] == ["The replayed history: 1 operation"]
    (title,), lines, _ = smallest(many, Searched())
    assert title == f"The smallest history that fails: {MOST + 5} operations; the last {MOST}:"
    assert len(lines) == MOST


def run(tmp_path: Path, **fields) -> Run:
    return Run("tests/test_a.py::test_b[x y]", tmp_path, base_seed=7, own_seed=99, **fields)


def test_the_section_says_how_to_run_it_again_and_where_its_files_are(tmp_path):
    made = drive(timeline(rows=2, seed=99), 30)
    folder = tmp_path / "kroft"
    folder.mkdir()
    text = failure_section(made.history, folder / "3f9a.b", run(tmp_path))
    *paragraphs_told, facts = text.split("\n\n")
    assert [told.splitlines() for told in paragraphs_told] == paragraphs(made.history)
    assert facts.splitlines() == [
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


def test_a_searched_history_is_had_again_from_its_file(tmp_path):
    history = timeline(LOG, seed=99).history
    text = failure_section(history, tmp_path / "a b", run(tmp_path, server="embedded"), searched=Searched())
    assert text.split("\n\n")[-1].splitlines() == [
        "again     pytest 'tests/test_a.py::test_b[x y]' '--kroft-replay=a b.jsonl' --kroft-server=embedded",
        'in code   for _ in kroft_db.play(History.load("a b.jsonl")): ...',
        "as SQL    psql -v ON_ERROR_STOP=1 -f 'a b.sql'",
        "seed      --kroft-seed=7 (this test's own: 99)",
    ]
    assert History.load(tmp_path / "a b.jsonl") == history
    assert (tmp_path / "a b.sql").read_text() == script(history)


def test_a_searched_history_that_cannot_be_saved_is_told_all_the_same(tmp_path):
    history = timeline(LOG, seed=99).history
    text = failure_section(history, tmp_path / "no" / "a", run(tmp_path), searched=Searched(), failure="x")
    told, facts = text.split("\n\n")[1:]
    assert told == "  1-3  create my mood, level, log    fails: x"
    assert [line.partition(":")[0] for line in facts.splitlines()] == [
        "history   could not be saved",
        "as SQL    could not be saved",
        "seed      --kroft-seed=7 (this test's own",
    ]


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
