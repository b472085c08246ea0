"""What can go wrong has a name."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.hazards import HAZARDS, check_hazards, with_implied

NAMES = """
    tied_timestamp late_commit clock_skew null_cursor delete delete_reinsert truncate key_change rollback
    extreme_value large_value unrepresentable_value add_column add_column_default add_column_not_null
    drop_column rename_column readd_column retype_column widen_type enum_value nullability default_change
    rename_table recreate_table generated_column
""".split()


def test_the_hazards():
    assert list(HAZARDS) == NAMES


@pytest.mark.parametrize("hazard", HAZARDS.values(), ids=lambda hazard: hazard.name)
def test_a_hazard_says_in_a_sentence_what_it_breaks_and_implies_others_only(hazard):
    assert HAZARDS[hazard.name] is hazard
    assert hazard.breaks[0].isupper()
    assert hazard.breaks.endswith(".")
    assert hazard.name not in hazard.implies
    assert hazard.implies <= HAZARDS.keys()


def test_what_hazards_imply_is_followed_to_its_end():
    assert with_implied(frozenset({"readd_column"})) == {"readd_column", "drop_column", "add_column"}
    assert with_implied(frozenset({"add_column_not_null"})) == {
        "add_column_not_null",
        "add_column_default",
        "add_column",
    }
    assert with_implied(frozenset({"delete"})) == {"delete"}
    assert with_implied(frozenset()) == frozenset()
    assert with_implied(frozenset(HAZARDS)) == HAZARDS.keys()


def test_an_unknown_hazard_is_refused_with_the_known_ones():
    assert check_hazards("delete") == {"delete"}
    assert check_hazards(["delete", "truncate"]) == {"delete", "truncate"}
    with pytest.raises(DefinitionError, match="no hazard 'drop', 'purge'; the hazards are: tied_timestamp, "):
        check_hazards({"purge", "delete", "drop"})
