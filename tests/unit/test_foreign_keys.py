"""Foreign keys, read from their SQL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.foreign_keys import ForeignKey, parse_foreign_key, parse_reference
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.types import quote
from tests.definitions import MODEST, Column

ACTIONS = ("no action", "restrict", "cascade", "set null", "set default")
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
KEYS = st.lists(NAMES, min_size=1, max_size=3, unique=True)


@pytest.mark.parametrize(
    "text, found",
    [
        ("t", ForeignKey(("a",), "t")),
        (" T ( Id )", ForeignKey(("a",), "t", ("id",))),
        ('"T x"("i""d")', ForeignKey(("a",), "T x", ('i"d',))),
        ("t ON DELETE CASCADE", ForeignKey(("a",), "t", (), "cascade")),
        ("t on update set\n null on delete  restrict", ForeignKey(("a",), "t", (), "restrict", "set null")),
        ("t ON DELETE NO  ACTION", ForeignKey(("a",), "t")),
        ("t ON DELETE SET DEFAULT (a)", ForeignKey(("a",), "t", (), "set default", nulled=("a",))),
        ("t MATCH FULL", ForeignKey(("a",), "t", full=True)),
        ("t MATCH SIMPLE", ForeignKey(("a",), "t")),
        ("t DEFERRABLE", ForeignKey(("a",), "t")),
        ("t NOT DEFERRABLE INITIALLY IMMEDIATE", ForeignKey(("a",), "t")),
        ("t DEFERRABLE INITIALLY DEFERRED", ForeignKey(("a",), "t", deferred=True)),
        (
            "t (x) MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
            ForeignKey(("a",), "t", ("x",), "set null", "cascade", full=True, deferred=True),
        ),
    ],
)
def test_what_a_reference_says(text, found):
    assert parse_reference(text, ("a",)) == found


@pytest.mark.parametrize(
    "text, found",
    [
        ("FOREIGN KEY (a, b) REFERENCES t", ForeignKey(("a", "b"), "t")),
        (
            'constraint "f k" foreign key(A,"B") references "T" (x, "Y") on delete set null ("B")',
            ForeignKey(("a", "B"), "T", ("x", "Y"), "set null", nulled=("B",)),
        ),
        ("UNIQUE (a, b)", None),
        ("CHECK (a = b)", None),
        ("CHECK ('FOREIGN KEY (a) REFERENCES t' <> b)", None),
    ],
)
def test_what_a_table_constraint_says(text, found):
    assert parse_foreign_key(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(a)",
        "s.t (x)",
        "t (x",
        "t ()",
        "t ON FIRE",
        "t ON DELETE",
        "t ON DELETE CASCADES",
        "t MATCH PARTIAL",
    ],
)
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(DefinitionError, match="references must be 'table' or"):
        parse_reference(text, ("a",))


def test_as_many_columns_are_referenced_as_refer():
    with pytest.raises(DefinitionError, match=r"the foreign key of 2 columns references 1: ' t .x.'"):
        parse_foreign_key("FOREIGN KEY (a, b) REFERENCES t (x)")


@MODEST
@given(KEYS, NAMES, st.sampled_from(ACTIONS), st.sampled_from(ACTIONS), st.booleans(), st.booleans())
def test_a_foreign_key_comes_back_from_its_sql(columns, table, on_delete, on_update, full, deferred):
    names = ", ".join(map(quote, columns))
    nulled = tuple(columns[:1]) if on_delete.startswith("set") else ()
    words = f" ({quote(nulled[0])})" if nulled else ""
    text = f"FOREIGN KEY ({names}) REFERENCES {quote(table)} ({names})" + (" MATCH FULL" if full else "")
    text += f" ON DELETE {on_delete.upper()}{words} ON UPDATE {on_update}"
    text += " DEFERRABLE INITIALLY DEFERRED" if deferred else ""
    key = tuple(columns)
    assert parse_foreign_key(text) == ForeignKey(
        key, table, key, on_delete, on_update, nulled, full, deferred
    )


def test_the_foreign_keys_of_a_table_are_those_of_its_columns_and_its_own():
    table = TableDefinition(
        "t",
        [Column("id", "int", primary_key=True), Column("a", "int", references="t ON DELETE CASCADE")],
        constraints=[
            "FOREIGN KEY (id) REFERENCES u",
            "FOREIGN KEY (a) REFERENCES u",
            "FOREIGN KEY (id, a) REFERENCES w",
        ],
    )
    assert table.foreign_keys == (
        ForeignKey(("id",), "u"),
        ForeignKey(("a",), "t", (), "cascade"),
        ForeignKey(("a",), "u"),
        ForeignKey(("id", "a"), "w"),
    )
