"""What test_decoding prints, line by line; each line was printed by PostgreSQL 18."""

from __future__ import annotations

import pytest

from examples.logical_decoding.decoding import UNCHANGED, Change, Value, parse


@pytest.mark.parametrize("line", ["BEGIN", "COMMIT", "BEGIN 740", "COMMIT 740"])
def test_the_ends_of_a_transaction_are_no_change(line: str) -> None:
    assert parse(line) is None


def test_values_of_each_kind() -> None:
    change = parse(
        "table public.orders: INSERT: id[bigint]:1 n[numeric]:NaN b[boolean]:true bits[bit]:B'101' "
        "t[text[]]:'{a,\"b c\"}' at[timestamp with time zone]:'2020-01-01 00:00:00+00' note[text]:null"
    )
    assert change is not None
    assert (change.tables, change.action, change.old) == (("public.orders",), "INSERT", {})
    assert {name: value.text for name, value in change.new.items()} == {
        "id": "1", "n": "NaN", "b": "true", "bits": "101", "t": '{a,"b c"}', "at": "2020-01-01 00:00:00+00",
        "note": None,
    }  # fmt: skip
    assert change.new["at"].type == "timestamp with time zone"
    assert change.new["t"].type == "text[]"


def test_names_and_texts_may_hold_anything() -> None:
    change = parse(
        "table public.\"Or: d\": INSERT: \"x[y]:z\"\"q\"[text]:'a''b\n\\ x:y[z]:1 ' e[\"od ]: d\"]:'b''c'"
    )
    assert change is not None
    assert change.tables == ('public."Or: d"',)
    assert change.new == {'x[y]:z"q': Value("text", "a'b\n\\ x:y[z]:1 "), "e": Value('"od ]: d"', "b'c")}


def test_the_old_row_and_a_value_that_was_left_alone() -> None:
    change = parse(
        "table public.orders: UPDATE: old-key: id[bigint]:2 letter[text]:'long' "
        "new-tuple: id[bigint]:3 letter[text]:unchanged-toast-datum"
    )
    assert change is not None
    assert change.old == {"id": Value("bigint", "2"), "letter": Value("text", "long")}
    assert change.new == {"id": Value("bigint", "3"), "letter": Value("text", UNCHANGED)}


def test_a_delete_has_an_old_row_only() -> None:
    assert parse("table public.orders: DELETE: id[bigint]:3") == Change(
        ("public.orders",), "DELETE", old={"id": Value("bigint", "3")}
    )


def test_a_truncate_may_name_several_tables() -> None:
    change = parse('table public.orders, public."Or d": TRUNCATE: restart_seqs cascade')
    assert change == Change(("public.orders", 'public."Or d"'), "TRUNCATE")


@pytest.mark.parametrize(
    "line", ["", "table orders: INSERT: id[bigint]:1", "table public.orders: INSERT: id:1"]
)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="test_decoding does not print"):
        parse(line)
