"""Definitions as Python code: what is printed gives equal definitions back, and reads as a person writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_kroft
from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.code import Definition, as_python
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition
from pytest_kroft.strategies.definitions import tables
from tests.definitions import ENUMS, MODEST, TABLES
from tests.unit import test_code as this_module

Column = ColumnDefinition

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.fixture(autouse=True)
def exported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code imports all definitions from the package."""
    monkeypatch.setattr(pytest_kroft, "SampledDefinition", SampledDefinition, raising=False)


def run(code: str) -> list[Definition]:
    namespace: dict[str, Any] = {}
    exec(compile(code, "definitions.py", "exec"), namespace)
    made: list[Definition] = namespace["definitions"]
    return made


def four(cell: Any) -> int:
    return 4


def test_definitions_are_printed_with_what_differs_from_a_default():
    mood = EnumDefinition("mood", ["sad", "it's"])
    orders = TableDefinition(
        "orders",
        [
            Column("id", "bigint", identity="always", primary_key=True),
            Column("amount", "numeric(10,2)", nullable=False, default="'0'", check='amount > "least"'),
            Column("mood", "mood", samples=("sad", None), used_by='view "moods" reads it'),
        ],
        schema="billing",
        constraints=['UNIQUE ("amount", "mood")'],
        distinct=[["amount"]],
    )
    assert (
        as_python([mood, orders])
        == """\
from pytest_kroft import ColumnDefinition, EnumDefinition, TableDefinition

definitions = [
    EnumDefinition("mood", ("sad", "it's")),
    TableDefinition(
        "orders",
        [
            ColumnDefinition("id", "bigint", primary_key=True, identity="always"),
            ColumnDefinition(
                "amount",
                "numeric(10,2)",
                nullable=False,
                default="'0'",
                check='amount > "least"',
            ),
            ColumnDefinition(
                "mood", "mood", samples=("sad", None), used_by='view "moods" reads it'
            ),
        ],
        schema="billing",
        constraints=('UNIQUE ("amount", "mood")',),
        distinct=(("amount",),),
    ),
]
"""
    )


def test_every_definition_of_the_tests_comes_back():
    assert run(as_python([*ENUMS, *TABLES])) == [*ENUMS, *TABLES]


@given(drawn=tables(), labels=st.lists(TEXTS, min_size=1, max_size=12, unique=True), text=TEXTS)
@MODEST
def test_the_code_gives_equal_definitions_back(drawn: TableDefinition, labels: list[str], text: str):
    fields: dict[str, Any] = {
        "used_by": text,
        "indexed_by": text,
        "samples": (*labels, None),
        "domain": text,
        "style": text,
    }
    columns = [replace(drawn.columns[0], filled=True, together=text, **fields), *drawn.columns[1:]]
    table = replace(drawn, columns=columns, triggers=labels, closed=text, table="server")
    given_: list[Definition] = [
        EnumDefinition("e", [f"l{label}"[:15] for label in labels][:1]),
        SampledDefinition("s", labels),
    ]
    assert run(as_python([*given_, table])) == [*given_, table]


def test_a_generator_is_imported_from_its_module():
    table = TableDefinition("t", [Column("n", "integer", generator=this_module.four)])
    code = as_python([table])
    assert code.startswith("import tests.unit.test_code\n\nfrom pytest_kroft import")
    assert "generator=tests.unit.test_code.four" in code
    assert run(code) == [table]


def test_a_generator_without_a_name_is_refused():
    table = TableDefinition("t", [Column("n", "integer", generator=lambda: 4)])
    with pytest.raises(DefinitionError, match=r"column 'n'.*define it as a function of a module"):
        as_python([table])


def test_nothing_is_an_empty_list():
    assert run(as_python([])) == []


def test_items_of_a_tuple_have_lines_of_their_own_and_arguments_may_share_one():
    labels = ("a label that is long enough", "another label of this length")
    assert as_python([EnumDefinition("a_name_of_some_length", labels), EnumDefinition("m", ["b" * 50])]) == (
        "from pytest_kroft import EnumDefinition\n\ndefinitions = [\n"
        "    EnumDefinition(\n"
        '        "a_name_of_some_length",\n'
        '        ("a label that is long enough", "another label of this length"),\n'
        "    ),\n"
        f'    EnumDefinition("m", ("{"b" * 50}",)),\n]\n'
    )
    table = TableDefinition("t", [Column("id", "int")], triggers=[f"{letter * 34}" for letter in "ab"])
    assert (
        f'        triggers=(\n            "{"a" * 34}",\n            "{"b" * 34}",\n        ),\n'
        in as_python([table])
    )
