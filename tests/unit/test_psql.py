"""SQL files as pg_dump writes them and psql reads them: where each part begins and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import LoadError
from pytest_kroft.postgres.psql import CopyData, Include, Statement, parts
from tests.definitions import MODEST


def texts(sql: str) -> list[str]:
    return [part.text for part in parts(sql) if not isinstance(part, Include)]


def refusal(sql: str) -> LoadError:
    with pytest.raises(LoadError) as caught:
        list(parts(sql, "x.sql"))
    return caught.value


@pytest.mark.parametrize(
    "whole",
    [
        "select 'a;b'",
        "select 'it''s; so'",
        r"select 'c:\'",
        r"select E'it\'s; so'",
        "select E'a\\\\'",
        "select e'a'\n  'b\\';c'",
        'select 1 as "a;""b"',
        "do $$ begin; end; $$",
        "do $x$ $y$ ; $$ ; $x$",
        "select a$b$c from t where d$b$c = 1",
        "select $1, $2",
        "select /* ; /* ; */ ' ; */ 1",
        "select -- ; ' \"\n 1",
        "create rule r as on insert to t do also (insert into a values (1); delete from b)",
        "create function f() returns int begin atomic select case when true then 1 end; select 2; end",
        "create or replace procedure p() begin atomic select 1; end",
        "select a[1:b], c::text, json_object('k':v) from t",
        "create table t (begin int, case int)",
        "insert into t values ('ä;ö', U&'\\00e4;')",
        "select 5 - -3, 6 / 2, a->>'b;', a #>> '{c;d}'",
    ],
)
def test_a_semicolon_inside_of_something_ends_nothing(whole: str) -> None:
    assert texts(f"{whole};\nselect 2;") == [whole, "select 2"]


def test_begin_and_end_of_a_transaction_are_statements() -> None:
    assert texts("begin; select 1; end; begin; commit;") == ["begin", "select 1", "end", "begin", "commit"]


def test_each_statement_has_the_line_that_it_begins_in() -> None:
    sql = "-- a\n\n/* b\n */ select 1;\n;;select\n2; select 3\n;\n\\echo hi\nselect 'a\nb'"
    assert list(parts(sql)) == [
        Statement(4, "select 1"),
        Statement(5, "select\n2"),
        Statement(6, "select 3"),
        Statement(9, "select 'a\nb'"),
    ]


@pytest.mark.parametrize("sql", ["", " \n", "-- nothing", "/* no */", ";", "\\echo 'a;b"])
def test_a_text_may_hold_no_statement(sql: str) -> None:
    assert list(parts(sql)) == []


def test_the_rows_of_a_copy_follow_it() -> None:
    sql = "copy public.t (a, b) from stdin;\n1\tit's; \\.x\n\\N\t$$\n\\.\n\nselect 1;\n"
    assert list(parts(sql)) == [
        CopyData(1, "copy public.t (a, b) from stdin", 2, "1\tit's; \\.x\n\\N\t$$\n"),
        Statement(6, "select 1"),
    ]


@pytest.mark.parametrize(
    ("sql", "data"),
    [
        ("COPY t FROM STDIN; -- rows\n\\.\n", ""),
        ("copy t from stdin with (format csv)\n;\r\n1,2\r\n\\.\r\n", "1,2\r\n"),
        ("copy t from stdin;\n\\.", ""),
    ],
)
def test_forms_of_a_copy(sql: str, data: str) -> None:
    (part,) = parts(sql)
    assert isinstance(part, CopyData)
    assert part.data == data


@pytest.mark.parametrize(
    "sql",
    [
        "copy t to stdout",
        "copy t from '/stdin'",
        "copy (select x from stdin) to '/x'",
        "select 'copy from stdin'",
    ],
)
def test_no_rows_follow_another_statement(sql: str) -> None:
    assert list(parts(f"{sql};\nselect 1;")) == [Statement(1, sql), Statement(2, "select 1")]


@pytest.mark.parametrize(
    "line",
    [
        r"\restrict 9aX", r"\unrestrict 9aX", r"\set ON_ERROR_STOP on", r"\set ON_ERROR_STOP",
        r"\set QUIET on",
        r"\echo it's ; here", r"\encoding 'UTF8'", r"\timing off", r"\pset pager off",
    ],
)  # fmt: skip
def test_what_only_guards_or_shows_is_passed_over(line: str) -> None:
    assert texts(f"select 1;\n{line}\nselect 2;") == ["select 1", "select 2"]


def test_included_files() -> None:
    sql = "\\i a.sql\n\\ir 'it''s.sql'\nselect 1; \\include_relative sub/b.sql\n"
    assert list(parts(sql)) == [
        Include(1, "a.sql", beside=False),
        Include(2, "it's.sql", beside=True),
        Statement(3, "select 1"),
        Include(3, "sub/b.sql", beside=True),
    ]


@pytest.mark.parametrize(
    ("line", "helps"),
    [
        (r"\connect app", "without --create"),
        (r"\c - joe", "without --create"),
        ("create database app;", "without --create"),
        ("DROP  DATABASE app;", "without --create"),
        (r"\if :x", "one file for each case"),
        (r"\set name 5", "write the value where it is used"),
        (r"\set ON_ERROR_STOP off", "stops at the first error"),
        (r"\gexec", "write the statements out"),
        (r"select 1 \gexec", "write the statements out"),
        (r"select 1 \g", "end the statement with ;"),
        (r"\copy t from 'x.csv'", "write COPY ... FROM stdin"),
        (r"\! rm -r x", "module:function"),
        (r"\encoding LATIN1", "module:function"),
        (r"\.", "there is none: delete the line"),
        ("select (1\n\\echo hi\n);", "end that with ;"),
        ("select 'a", "the quote ' is not closed"),
        ("do $a$ x $b$", "the quote $a$ is not closed"),
        ("/* a /* b */", "the comment /* is not closed"),
        ("copy t from stdin;\n1\n", r"a line with \. alone"),
        ("copy t from stdin; select 1;\n1\n", "move the rest of this one"),
        ("set standard_conforming_strings = off;", "standard_conforming_strings is on"),
    ],
)
def test_what_is_not_supported_says_the_line_and_what_to_do(line: str, helps: str) -> None:
    error = refusal(f"select 'x\n;';\n{line}")
    assert helps in str(error)
    assert (error.source, error.line) == ("x.sql", 3 + line.startswith("select (1"))


SIMPLE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
PIECES = st.one_of(
    st.sampled_from(["select 1", "a.b", "+", "(1)", "[2:3]", "::int", "x$1"]),
    SIMPLE.map(lambda text: "'" + text.replace("'", "''") + "'"),
    SIMPLE.map(lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    SIMPLE.map(lambda text: '"' + text.replace('"', '""') + '"'),
    SIMPLE.map(lambda text: f"$q${text.replace('$', '')}$q$"),
    SIMPLE.map(lambda text: f"/*{text.replace('/', '').replace('*', '')}*/"),
    SIMPLE.map(lambda text: f"--{text.replace(chr(10), '').replace(chr(13), '')}\n"),
)
WHOLE = st.lists(PIECES, max_size=6).map(lambda pieces: " ".join(["select", *pieces, "0"]))


@MODEST
@given(st.lists(WHOLE, min_size=1, max_size=4))
def test_statements_are_found_again_with_their_lines(statements: list[str]) -> None:
    found = list(parts(";\n".join(statements)))
    assert [part.text for part in found] == statements
    lines = [1 + sum(text.count("\n") + 1 for text in statements[:n]) for n in range(len(statements))]
    assert [part.line for part in found] == lines


ROWS = st.lists(SIMPLE.map(lambda text: text.replace("\n", "").replace("\\", "")), max_size=5)


@MODEST
@given(ROWS)
def test_rows_are_handed_on_as_they_are(rows: list[str]) -> None:
    data = "".join(f"{row}\n" for row in rows)
    part, last = parts(f"copy t from stdin;\n{data}\\.\nselect 1;")
    assert isinstance(part, CopyData)
    assert (part.data, last) == (data, Statement(len(rows) + 3, "select 1"))
