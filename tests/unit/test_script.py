"""A history as an SQL script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.clock import START
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Observed, RenameTable, Sync, Update
from pytest_kroft.model.types import parse_type
from pytest_kroft.postgres.script import SETTINGS, comment, render, script
from pytest_kroft.postgres.statements import (
    DeleteAll,
    DeleteRows,
    Field,
    InsertRows,
    MoveSequence,
    UpdateAll,
    UpdateRows,
)
from tests.definitions import CUSTOMERS, FEW, LOG, ORDERS, drive, timeline

TABLE = sql.Identifier("s", 't"')
A, B = Field("a", parse_type("text")), Field("B c", parse_type("int[]"))


@pytest.mark.parametrize(
    "statement, text",
    [
        (
            InsertRows(TABLE, (A, B), [("it's", "{1}"), (None, None)]),
            (
                'INSERT INTO "s"."t""" ("a", "B c") OVERRIDING SYSTEM VALUE VALUES\n'
                "  ('it''s'::text, '{1}'::integer[]),\n  (NULL, NULL);"
            ),
        ),
        (
            UpdateRows(TABLE, (A,), (B,), [("x", "{2}"), ("y", None)]),
            (
                """UPDATE "s"."t\"\"" SET "B c" = '{2}'::integer[] WHERE "a" = 'x'::text;\n"""
                """UPDATE "s"."t\"\"" SET "B c" = NULL WHERE "a" = 'y'::text;"""
            ),
        ),
        (
            DeleteRows(TABLE, (A, B), [("x", "{2}")]),
            """DELETE FROM "s"."t\"\"" WHERE "a" = 'x'::text AND "B c" = '{2}'::integer[];""",
        ),
        (UpdateAll(TABLE, (A,), ("x",), 5), """UPDATE "s"."t\"\"" SET "a" = 'x'::text;"""),
        (DeleteAll(TABLE, 5), 'DELETE FROM "s"."t""";'),
        (MoveSequence(TABLE, "a'", 7), """SELECT setval(pg_get_serial_sequence('"s"."t\"\""', 'a'''), 7);"""),
        (MoveSequence(TABLE, "a", -7), """SELECT setval(pg_get_serial_sequence('"s"."t\"\""', 'a'), 1);"""),
    ],
)
def test_a_statement_is_written_with_its_rows(statement, text):
    assert render(statement) == text


def test_a_comment_is_one_line():
    assert comment("a\nb\r\nc\u2028d") == "-- a b c d"


def test_a_script_begins_with_its_settings_and_tells_each_operation():
    history = History(
        7,
        "tests/test_a.py::test_b",
        [CreateTable(LOG), Sync(), Insert("log", 1, 1, START, cells={"line": ("a\\b",)})],
    )
    lines = script(history).splitlines()
    assert lines[0] == "-- tests/test_a.py::test_b, seed 7"
    assert lines[1] == "\\set ON_ERROR_STOP on"
    assert all(any(line.startswith(f"SET {name} = ") for line in lines) for name in SETTINGS)
    told = [line for line in lines if line.startswith("-- ")][1:]
    assert told == [
        "-- 1  create table log (line, n, at)",
        "-- 2  sync",
        "-- 3  insert into log: 1 row; at 2020-01-01 00:00:00",
    ]
    assert "E'a\\\\b'::text" in lines[-1]


def test_an_operation_of_several_statements_is_a_transaction():
    made = timeline(CUSTOMERS)
    made.apply(Insert("customers", 1, 1, START))
    text = script(made.history).partition("-- 4  ")[2]
    assert text.count("BEGIN;") == text.count("COMMIT;") == 1
    begin, commit = text.index("BEGIN;"), text.index("COMMIT;")
    assert "INSERT INTO" in text[begin:commit]
    assert "setval" in text[begin:commit]


def test_names_are_those_of_their_time():
    made = timeline(LOG)
    made.apply(RenameTable("log", "Log\n2"))
    made.apply(Insert("log", 1, 1, START))
    made.apply(Delete("log", (1,)))
    text = script(made.history)
    assert 'ALTER TABLE "public"."log" RENAME TO "Log\n2";' in text
    assert 'DELETE FROM "public"."Log\n2";' in text
    assert "-- 4  rename table log to Log 2" in text


def test_what_a_test_wrote_is_written_and_what_the_server_computes_is_not():
    made = timeline(CUSTOMERS, ORDERS)
    made.apply(Insert("orders", 1, 1, START, parents={"customer_id": (None,)}))
    made.apply(Observed("orders", "server", (1,), {"double_amount": ("1",)}))
    text = script(made.history)
    assert text.rstrip().endswith("-- 6  the server computed double_amount in 1 rows of orders")
    made.apply(Observed("orders", "test", (1,), {"paid": ("true",)}))
    assert """SET "paid" = 'true'::boolean WHERE "id" = """ in script(made.history).splitlines()[-1]


def test_a_history_that_does_not_apply_has_no_script():
    with pytest.raises(HistoryError, match="line 2"):
        script(History(1, None, [Update("t", (1,), (), 1, START)]))


@FEW
@given(st.integers(0, 2**32))
def test_every_history_has_a_script_with_each_operation_in_words(seed):
    made = drive(timeline(seed=seed, rows=2), 40, seed=seed)
    told = [line for line in script(made.history).split("\n") if line.startswith("-- ")]
    numbers = [line.split()[1] for line in told]
    assert [str(number) for number in range(1, len(made.history) + 1)] == numbers
