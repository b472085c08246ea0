"""SQL types: spellings, modifiers, arrays, identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.types import CATALOG_NAMES, SqlType, check_identifier, parse_type, quote
from tests.definitions import MODEST


@pytest.mark.parametrize(
    "spelling, standard",
    [
        ("int", "integer"),
        ("INT4", "integer"),
        ("  bigint ", "bigint"),
        ("int8", "bigint"),
        ("float", "double precision"),
        ("Double   Precision", "double precision"),
        ("dec(4)", "numeric(4,0)"),
        ("numeric( 10 , 2 )", "numeric(10,2)"),
        ("character varying(20)", "varchar(20)"),
        ("varchar", "varchar"),
        ("character", "char(1)"),
        ("char(3)", "char(3)"),
        ("bpchar", "bpchar"),
        ("bit", "bit(1)"),
        ("varbit(5)", "bit varying(5)"),
        ("timestamp(3) with time zone", "timestamptz(3)"),
        ("timestamp without time zone", "timestamp"),
        ("time (0) with time zone", "timetz(0)"),
        ("pg_catalog.int4", "integer"),
        ('"char"', '"char"'),
        ("bool", "boolean"),
        ("int[]", "integer[]"),
        ("numeric(4,1) [3][4]", "numeric(4,1)[]"),
        ("text array", "text[]"),
        ("text ARRAY[4]", "text[]"),
        ("mood", '"mood"'),
        ('"My ""mood"" (1)"', '"My ""mood"" (1)"'),
        ("Other.Level", '"other"."level"'),
        ('"O t".level[]', '"O t"."level"[]'),
    ],
)
def test_a_type_is_known_by_its_standard_name(spelling, standard):
    parsed = parse_type(spelling)
    assert str(parsed) == standard
    assert parse_type(str(parsed)) == parsed


@pytest.mark.parametrize("name", CATALOG_NAMES)
def test_every_built_in_type_reads_back_from_its_name_and_from_its_name_in_the_catalog(name):
    parsed = parse_type(name)
    assert (parsed.name, parsed.builtin, parsed.catalog_name) == (name, True, CATALOG_NAMES[name])
    assert parse_type(f"{name}[]").element == parsed
    assert parse_type(f"{name}[]").catalog_name == f"_{CATALOG_NAMES[name]}"
    assert parse_type(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "must be an SQL type"),
        ("  ", "must be an SQL type"),
        ("numeric(0)", "precision must be 1 to 1000"),
        ("numeric(1001)", "precision must be 1 to 1000"),
        ("numeric(5,1001)", "scale -1000 to 1000"),
        ("numeric(1,2,3)", "takes 2 modifiers"),
        ("integer(4)", "takes no modifiers"),
        ("text(4)", "takes no modifiers"),
        ("varchar(0)", "the length must be 1 to 10485760"),
        ("char(10485761)", "the length must be 1 to 10485760"),
        ("timestamp(7)", "must be 0 to 6"),
        ("varchar(x)", "whole numbers"),
        ("varchar()", "whole numbers"),
        ("varchar(2)(3)", "more than one pair"),
        ("interval year to month", "use 'interval'"),
        ("my mood", "quote the name"),
        ("1st", "quote the name"),
        ("int; drop table x", "quote the name"),
        ('"' + "x" * 64 + '"', "64 bytes"),
    ],
)
def test_what_is_no_type_is_refused_with_a_reason(text, reason):
    with pytest.raises(DefinitionError, match=reason.replace("(", r"\(")):
        parse_type(text)


@MODEST
@given(
    st.text(min_size=1).filter(lambda name: "\0" not in name and len(name.encode("utf-8", "replace")) < 20)
)
def test_a_quoted_name_of_any_kind_is_a_type_of_its_own(name):
    try:
        check_identifier(name, "a type")
    except DefinitionError:
        return  # a lone surrogate
    if quote(name) == '"char"':
        return
    parsed = (
        parse_type(quote(name)) if name.strip() == name and "  " not in name and name.isprintable() else None
    )
    assert parsed in (None, SqlType(name, builtin=False))


@pytest.mark.parametrize(
    "name, reason",
    [
        ("", "at least one character"),
        (None, "must be a string"),
        (5, "must be a string"),
        ("a\0b", "NUL"),
        ("\ud800", "UTF-8"),
        ("x" * 64, "64 bytes"),
        ("é" * 32, "64 bytes"),
    ],
)
def test_what_postgresql_cannot_hold_is_no_identifier(name, reason):
    with pytest.raises(DefinitionError, match=reason) as caught:
        check_identifier(name, "a column")
    assert "a column" in str(caught.value)


@pytest.mark.parametrize("name", ["x" * 63, "é" * 31, "select", '"; drop table x; --', " ", "\n", "😀"])
def test_any_other_text_is_an_identifier(name):
    assert check_identifier(name, "a column") is name


def test_quoting_doubles_the_quotes():
    assert quote('a"b') == '"a""b"'
