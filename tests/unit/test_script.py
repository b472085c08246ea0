"""A history as an SQL script."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from pytest_kroft.errors import HistoryError
from pytest_kroft.model.clock import START
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    CreateTable,
    Delete,
    Insert,
    Observed,
    RenameTable,
    Rollback,
    RollbackTo,
    Savepoint,
    Sync,
    Update,
)
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import parse_type
from pytest_kroft.postgres.script import ADOPTED, SETTINGS, comment, render, script
from pytest_kroft.postgres.statements import (
    DeleteAll,
    DeleteRows,
    Field,
    InsertRows,
    MoveSequence,
    UpdateAll,
    UpdateRows,
)
from tests.definitions import CUSTOMERS, FEW, LOG, ORDERS, Column, drive, timeline

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
            InsertRows(TABLE, (), [(), ()]),
            """INSERT INTO "s"."t\"\"" SELECT FROM generate_series(1, 2);""",
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
    numbers = [line.split()[1] for line in told if "is still open" not in line]
    assert [str(number) for number in range(1, len(made.history) + 1)] == numbers
    assert len(told) - len(numbers) == len(made.state.sessions)


def test_a_session_is_one_transaction_where_it_commits():
    made = timeline(CUSTOMERS, rows=1)
    for op in (
        Begin(1, START + 1),
        Insert("customers", 2, 1, START + 1, session=1),
        Begin(2, START + 2),
        Update("customers", (1,), ("name",), 1, START + 2, cells={"name": ("Ann",)}, session=2),
        Insert("customers", 3, 1, START + 3),
        Savepoint(1, "here"),
        Insert("customers", 4, 1, START + 1, session=1),
        RollbackTo(1, "here"),
        Rollback(2),
        Update("customers", (2,), ("name",), 2, START + 1, cells={"name": ("Bob",)}, session=1),
        Commit(1),
        Begin(2, START + 4),
    ):
        made.apply(op)
    told = script(made.history).partition("-- 5  ")[2].split("\n\n-- ")
    schedule = [(words.splitlines()[0], sql_words(words)) for words in told]
    moved, whole = ["SELECT"], ["BEGIN", "INSERT", "SELECT", "COMMIT"]
    assert schedule == [
        ("begin session 1 at 2020-01-01 00:00:00.000001", []),
        ("6  insert into customers in session 1: id 2", moved),
        ("7  begin session 2 at 2020-01-01 00:00:00.000002", []),
        ("8  update customers set name in session 2: id 1", []),
        ("9  insert into customers: id 3", whole),
        ("10  set savepoint here in session 1", []),
        ("11  insert into customers in session 1: id 4", moved),
        ("12  roll back session 1 to savepoint here", []),
        ("13  roll back session 2", []),
        ("14  update customers set name in session 1: id 2", []),
        ("15  commit session 1: customers id 2 appears", ["BEGIN", "INSERT", "UPDATE", "COMMIT"]),
        ("16  begin session 2 at 2020-01-01 00:00:00.000004", []),
        ("session 2 is still open; its work is not here", []),
    ]


def test_what_sessions_wrote_to_a_table_without_a_key_is_the_same_in_commit_order():
    made = timeline(LOG, rows=2)
    for op in (
        Begin(1, START + 1),
        Update("log", (1, 2), ("n",), 1, START + 1, cells={"n": ("7", "7")}, session=1),
        Insert("log", 3, 1, START + 1, session=1),
        Delete("log", (1, 2, 3), session=1),
        Commit(1),
    ):
        made.apply(op)
    assert sql_words(script(made.history))[-5:] == ["BEGIN", "UPDATE", "INSERT", "DELETE", "COMMIT"]


def sql_words(text: str) -> list[str]:
    """The first words of the statements in a script."""
    return re.findall(r"^(BEGIN|COMMIT|INSERT|UPDATE|DELETE|SELECT)\b", text, re.MULTILINE)


def test_a_script_says_what_is_taken_as_it_is():
    made = timeline()
    table = TableDefinition("t", [Column("id", "int", primary_key=True)], triggers=["t"])
    made.apply(CreateTable(table, adopted=True))
    made.adopt(Observed("t", "server", (1,), {"id": ("1",)}))
    made.apply(Insert("t", 2, 1, START))
    made.adopt(Observed("t", "server", (3,), {"id": ("3",)}))
    text = script(made.history)
    assert text.count(f"-- {ADOPTED}\n") == 1
    assert text.count("-- these rows are taken as they are on the server") == 1
    rows = [line for line in text.splitlines() if line.startswith("  (")]
    assert rows == ["  ('2'::integer);", "  ('3'::integer);"]
    assert text.index("DISABLE") < text.index("INSERT") < text.index("DROP TABLE kroft_still")
