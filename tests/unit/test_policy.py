"""What may happen, how often, and within which limits."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.hazards import HAZARDS
from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy, as_policy


def test_the_policies_from_the_mildest_to_the_widest():
    assert POLICIES == ("calm", "churn", "additive", "evolving", "breaking", "everything")
    hazards = {name: EvolutionPolicy.named(name).hazards for name in POLICIES}
    assert hazards["calm"] == frozenset()
    assert hazards["churn"] == {"delete", "delete_reinsert"}
    assert hazards["additive"] == {"add_column", "add_column_default", "add_column_not_null"}
    assert hazards["evolving"] == hazards["churn"] | hazards["additive"] | {"drop_column"}
    assert hazards["breaking"] == hazards["evolving"] | {
        "truncate",
        "key_change",
        "rename_column",
        "readd_column",
        "retype_column",
        "widen_type",
        "nullability",
        "default_change",
        "enum_value",
    }
    assert hazards["everything"] == set(HAZARDS)
    assert all(EvolutionPolicy.named(name).name == name for name in POLICIES)


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"hazards": {"drop"}}, "no hazard 'drop'"),
        ({"interval": 0}, "interval .* 1 or more, not 0"),
        ({"interval": 1.5}, "interval"),
        ({"probability": -0.1}, "probability must be from 0 to 1, not -0.1"),
        ({"probability": 1.1}, "probability"),
        ({"probability": float("nan")}, "probability"),
        ({"probability": "0.5"}, "probability"),
        ({"add_weight": -1}, "add_weight must be a whole number of 0 or more"),
        ({"drop_weight": 0.5}, "drop_weight"),
        ({"max_additions": -1}, "max_additions"),
        ({"max_drops": "3"}, "max_drops"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(fields, reason):
    with pytest.raises(DefinitionError, match=reason):
        EvolutionPolicy(**fields)


def test_a_policy_takes_in_what_its_hazards_imply():
    policy = EvolutionPolicy({"readd_column"})
    assert policy.hazards == {"readd_column", "drop_column", "add_column"}
    assert policy.allows("drop_column", "add_column")
    assert policy.allows()
    assert not policy.allows("drop_column", "truncate")


@pytest.mark.parametrize("gone", HAZARDS)
def test_without_a_hazard_the_ones_that_imply_it_are_gone_too(gone):
    policy = EvolutionPolicy.named("everything").without(gone)
    implying = {name for name in HAZARDS if gone in HAZARDS[name].implies}
    assert policy.hazards.isdisjoint({gone, *implying})
    assert EvolutionPolicy.named("everything").hazards - policy.hazards == {gone, *implying}
    assert policy.without(gone).hazards == policy.hazards
    assert policy.name == f"everything without {gone}"


def test_without_several_and_with_some_more():
    policy = EvolutionPolicy.named(
        "evolving",
    ).without("delete", "add_column")
    assert policy.hazards == {"drop_column"}
    assert policy.name == "evolving without add_column, delete"
    more = policy.including("readd_column")
    assert more.hazards == {"drop_column", "add_column", "readd_column"}
    assert (policy.interval, more.max_drops) == (2, None)
    for change in (policy.without, policy.including):
        with pytest.raises(DefinitionError, match="no hazard 'x'"):
            change("x")


def test_limits_survive_a_change_of_hazards():
    policy = EvolutionPolicy(interval=5, max_drops=1).without("delete")
    assert (policy.interval, policy.max_drops) == (5, 1)


def test_what_stands_for_a_policy():
    policy = EvolutionPolicy(interval=3)
    assert as_policy(policy) is policy
    assert as_policy(None) == EvolutionPolicy.named("evolving")
    assert as_policy("calm") == EvolutionPolicy.named("calm")
    assert as_policy(["delete_reinsert"]).hazards == {"delete_reinsert", "delete"}
    with pytest.raises(DefinitionError, match="no policy 'wild'; the policies are: calm, churn"):
        as_policy("wild")
