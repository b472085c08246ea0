"""SQL expressions that kroft can evaluate itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import ValueRefused
from pytest_kroft.model.expressions import Computed, computed, constant, generated_forms, is_constant, literal
from pytest_kroft.model.types import parse_type
from tests.definitions import MODEST

TEXT = parse_type("text")


@pytest.mark.parametrize(
    "expression, sql_type, text",
    [
        ("5", "integer", "5"),
        (" 5 ", "bigint", "5"),
        ("-1.5", "numeric(10,2)", "-1.50"),
        ("1e3", "integer", "1000"),
        ("05", "text", "5"),
        ("+5", "text", "5"),
        ("3", "double precision", "3"),
        ("true", "boolean", "true"),
        ("TRUE", "text", "true"),
        ("NULL", "integer", None),
        ("null::text", "text", None),
        ("''", "text", ""),
        ("'it''s'", "text", "it's"),
        ("'a\nb'", "text", "a\nb"),
        (r"'a\b'", "text", r"a\b"),
        (r"E'a\\b'", "text", r"a\b"),
        (r"E'\\\\'::text", "text", r"\\"),
        ("'1'::integer", "integer", "1"),
        ("'01' :: integer", "integer", "1"),
        ("'0'::numeric(10,2)", "numeric(10,2)", "0.00"),
        ("'5'::integer", "text", "5"),
        ("'x'::character varying(20)", "varchar(20)", "x"),
        ("'{1}'::int[]", "int[]", "{1}"),
        ("'2020-01-01'::timestamp(3) with time zone", "timestamptz(3)", "2020-01-01 00:00:00+00"),
        ("'sad'::\"my mood\"", '"my mood"', "sad"),
        ("'low'::other.\"level\"", "other.level", "low"),
    ],
)
def test_a_literal_is_evaluated(expression, sql_type, text):
    assert is_constant(expression)
    assert constant(expression, parse_type(sql_type)) == text


@pytest.mark.parametrize(
    "expression",
    [
        "now()",
        "CURRENT_TIMESTAMP",
        "1 + 2",
        "1::int + 2",
        "'a' || 'b'",
        "'a'::text || 'b'",
        "(1)",
        "'1'::text::int",
        "ARRAY[1]",
        "nextval('s')",
        "date '2020-01-01'",
        r"E'a\nb'",
        r"E'a\x41'",
        "b'101'",
        "''''''::",
        "'a",
        "",
        "gen_random_uuid()",
        "'a' IS NULL",
        "'a'::text IS NULL",
        "not true",
    ],
)
def test_any_other_expression_is_left_to_the_server(expression):
    assert not is_constant(expression)
    with pytest.raises(ValueRefused, match="only a literal"):
        constant(expression, TEXT)


@pytest.mark.parametrize(
    "expression, sql_type",
    [("'x'", "integer"), ("1.5", "integer"), ("1.2.3", "numeric"), ("'abc'::varchar(2)", "text")],
)
def test_a_literal_that_is_no_value_of_the_type_is_refused(expression, sql_type):
    assert is_constant(expression)
    with pytest.raises(ValueRefused):
        constant(expression, parse_type(sql_type))


@MODEST
@given(st.none() | st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_cell_written_as_a_literal_is_evaluated_to_itself(text):
    written = literal(text, TEXT)
    assert is_constant(written)
    assert constant(written, TEXT) == text


@pytest.mark.parametrize(
    "text, sql_type, written",
    [
        (None, "int", "NULL"),
        ("1.50", "numeric(10,2)", "'1.50'::numeric(10,2)"),
        ("it's", "text", "'it''s'::text"),
        ("\\xff", "bytea", "E'\\\\xff'::bytea"),
        ("sad", '"my mood"', "'sad'::\"my mood\""),
    ],
)
def test_a_literal_names_its_type(text, sql_type, written):
    assert literal(text, parse_type(sql_type)) == written


COLUMNS = {
    "a": (3, parse_type("varchar(9)")),
    "B c": (4, parse_type("int")),
    "list": (5, parse_type("text[]")),
}


@pytest.mark.parametrize(
    "expression, source, value, result",
    [
        ("a IS NULL", 3, None, "true"),
        ("(A is null)", 3, "x", "false"),
        ('"B c" IS NULL', 4, "5", "false"),
        ("list IS NULL", 5, None, "true"),
        ("char_length(a)", 3, "é😀x", "3"),
        ("( CHAR_LENGTH( a ) )", 3, None, None),
    ],
)
def test_some_generated_columns_are_computed(expression, source, value, result):
    found = computed(expression, COLUMNS)
    assert found.sources == {source}
    assert found.function is not None
    assert found.function(value) == result


@pytest.mark.parametrize(
    "expression, sources",
    [
        ("a || 'x'", {3}),
        ('"B c" * 2', {4}),
        ("char_length(list)", {5}),
        ('coalesce("B c", 1) + length(a)', {3, 4}),
        ("now()", set()),
        ("x IS NULL", set()),
    ],
)
def test_others_are_left_to_the_server_with_the_columns_they_mention(expression, sources):
    assert computed(expression, COLUMNS) == Computed(frozenset(sources), None)


@pytest.mark.parametrize(
    "sql_type, count", [("text", 2), ("varchar(5)", 2), ("integer", 1), ("text[]", 1), ("char(3)", 1)]
)
def test_the_forms_that_evolution_adds_are_computed(sql_type, count):
    forms = generated_forms('the "column"', parse_type(sql_type))
    assert len(forms) == count
    for _, expression in forms:
        found = computed(expression, {'the "column"': (1, parse_type(sql_type))})
        assert found.function is not None
        assert found.sources == {1}
