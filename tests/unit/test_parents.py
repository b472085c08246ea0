"""Which rows new or changed rows refer to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.check import check
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import CreateTable, Insert, Operation, Parents
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.planning.parents import draw_parents
from tests.definitions import CUSTOMERS, MODEST, ORDERS, Column, timeline

KEY = Column("id", "int", primary_key=True)
TENANTS = TableDefinition("tenants", [KEY])
PART = [KEY, Column("tenant", "int", references="tenants", nullable=False)]
USERS = TableDefinition("users", PART, constraints=["UNIQUE (tenant, id)"])
GOODS = TableDefinition("goods", PART, constraints=["UNIQUE (tenant, id)"])
TENANT_NUMBERS = st.lists(st.integers(1, 3), min_size=1, max_size=5)
FOREIGN = (
    "FOREIGN KEY (tenant, buyer) REFERENCES users (tenant, id)",
    "FOREIGN KEY (tenant, item) REFERENCES goods (tenant, id)",
)


def sales(nullable: bool = False, match: str = "") -> TableDefinition:
    own = [Column(name, "int", nullable=nullable) for name in ("buyer", "item")]
    rules = [f"{rule} {match}" for rule in FOREIGN]
    return TableDefinition(
        "sales", [KEY, Column("tenant", "int", nullable=nullable), *own], constraints=rules
    )


def made(*operations: Operation) -> State:
    return fold(operations, State(1))


def rows(table: str, *tenants: int) -> Insert:
    """Rows of these tenants, by the numbers of the tenants' rows."""
    return Insert(table, 1, len(tenants), START, parents={"tenant": tenants})


def drawn(state: State, table: str, count: int, seed: int = 1, **options: Any) -> Parents:
    found = state.table(table)
    numbers = range(found.next_row, found.next_row + count)
    return draw_parents(state, found, numbers, SeededChoices(seed), {}, **options)


def inserted(state: State, table: str, count: int, seed: int = 1) -> State:
    parents = drawn(state, table, count, seed)
    insert = Insert(table, state.table(table).next_row, count, START, parents=parents)
    check(state, insert)
    return apply(state, insert)


def test_parents_are_drawn_for_what_is_not_given_and_wanted():
    state = timeline(CUSTOMERS, ORDERS, rows=2).state
    table, choices = state.table("orders"), SeededChoices(1)
    assert draw_parents(state, table, [3, 4], choices, {"customer_id": ()}) == {}
    assert draw_parents(state, table, [3, 4], choices, {}, only=["paid"]) == {}
    found = draw_parents(state, table, [3, 4], choices, {}, only=["customer_id"])
    assert set(found["customer_id"]) <= {1, 2}
    assert len(found["customer_id"]) == 2


@MODEST
@given(TENANT_NUMBERS, TENANT_NUMBERS, st.integers(0, 99))
def test_keys_that_share_a_column_lead_to_rows_that_agree(users, goods, seed):
    before = made(
        CreateTable(TENANTS), Insert("tenants", 1, 3, START), CreateTable(USERS), CreateTable(GOODS)
    )
    state = fold([rows("users", *users), rows("goods", *goods), CreateTable(sales())], before)
    if not set(users) & set(goods):
        with pytest.raises(NotApplicable, match="needs a row of 'goods' that agrees with its other foreign"):
            drawn(state, "sales", 4, seed)
        return
    after = inserted(state, "sales", 4, seed)
    pairs = {name: {(row[1], row[0]) for row in after.contents(name)} for name in ("users", "goods")}
    for _, tenant, buyer, item in after.contents("sales"):
        assert (tenant, buyer) in pairs["users"]
        assert (tenant, item) in pairs["goods"]


@pytest.mark.parametrize("match", ["", "MATCH FULL"])
def test_a_key_that_may_be_null_is_so_where_none_agrees(match):
    state = made(CreateTable(TENANTS), Insert("tenants", 1, 2, START), CreateTable(USERS), CreateTable(GOODS))
    state = fold([rows("users", 1), rows("goods", 2), CreateTable(sales(nullable=True, match=match))], state)
    if match:
        with pytest.raises(NotApplicable, match="that agrees with its other foreign keys"):
            drawn(state, "sales", 2)
    else:
        assert drawn(state, "sales", 2) == {"tenant, buyer": (1, 1), "tenant, item": (None, None)}
        assert [row[3] for row in inserted(state, "sales", 2).contents("sales")] == [None, None]


def test_a_full_match_that_is_null_keeps_the_columns_that_it_shares_null():
    state = made(CreateTable(TENANTS), Insert("tenants", 1, 2, START), CreateTable(USERS), CreateTable(GOODS))
    state = fold([rows("goods", 2), CreateTable(sales(nullable=True, match="MATCH FULL"))], state)
    assert drawn(state, "sales", 1) == {"tenant, buyer": (None,), "tenant, item": (None,)}
    assert [row[1:] for row in inserted(state, "sales", 1).contents("sales")] == [(None, None, None)]


def test_a_key_of_which_a_part_cannot_be_null_and_that_has_no_parent_is_null_in_the_others():
    child = TableDefinition(
        "c",
        [KEY, Column("a", "int", nullable=False), Column("b", "int")],
        constraints=["FOREIGN KEY (a, b) REFERENCES users (tenant, id)"],
    )
    state = made(CreateTable(TENANTS), CreateTable(USERS), CreateTable(child))
    ((_, a, b),) = inserted(state, "c", 1).contents("c")
    assert a is not None
    assert b is None


def test_of_one_to_one_rows_each_has_a_parent_of_its_own():
    profile = TableDefinition("profiles", [Column("user", "int", references="tenants", primary_key=True)])
    state = made(CreateTable(TENANTS), Insert("tenants", 1, 9, START), CreateTable(profile))
    for seed in range(3):
        state = inserted(state, "profiles", 3, seed)
    held = [row[0] for row in state.contents("profiles")]
    assert sorted(map(str, held)) == sorted(str(row[0]) for row in state.contents("tenants"))
    with pytest.raises(NotApplicable, match="would repeat a unique value"):
        inserted(state, "profiles", 1)


def test_one_to_one_rows_of_a_shared_key_have_parents_of_their_own():
    one = TableDefinition(
        "c",
        [KEY, Column("tenant", "int", references="tenants"), Column("user", "int")],
        constraints=['FOREIGN KEY (tenant, "user") REFERENCES users (tenant, id)', 'UNIQUE (tenant, "user")'],
    )
    state = made(CreateTable(TENANTS), Insert("tenants", 1, 1, START), CreateTable(USERS))
    state = inserted(fold([rows("users", 1, 1, 1, 1), CreateTable(one)], state), "c", 4)
    assert len(set(state.contents("c"))) == 4


def test_samples_say_which_rows_have_no_parent():
    child = TableDefinition(
        "c", [KEY, Column("a", "int", references="tenants", samples=(None, "1", "1", None, "1"))]
    )
    state = made(CreateTable(TENANTS), Insert("tenants", 1, 3, START), CreateTable(child))
    column = state.table("c").column("a")
    said = [state.values(state.table("c"), column).text(row) is None for row in range(1, 41)]
    numbers = drawn(state, "c", 40)["a"]
    assert [number is None for number in numbers] == said
    assert {True, False} == set(said)
    assert [row[1] is None for row in inserted(state, "c", 40).contents("c")] == said


def test_the_first_row_of_a_tree_that_needs_a_parent_refers_to_itself():
    tree = TableDefinition("t", [KEY, Column("above", "int", references="t", nullable=False)])
    state = made(CreateTable(tree))
    assert drawn(state, "t", 2) == {"above": (1, 2)}
    state = inserted(state, "t", 2)
    assert all(key == above for key, above in state.contents("t"))
    assert set(drawn(state, "t", 20)["above"]) == {1, 2}


def test_the_first_row_of_a_tree_with_a_tenant_refers_to_itself_within_it():
    rules = ["UNIQUE (tenant, id)", "FOREIGN KEY (tenant, above) REFERENCES t (tenant, id)"]
    tree = TableDefinition("t", [*PART, Column("above", "int", nullable=False)], constraints=rules)
    state = inserted(made(CreateTable(TENANTS), Insert("tenants", 1, 3, START), CreateTable(tree)), "t", 5)
    tenants = {row[0] for row in state.contents("tenants")}
    assert all(key == above and tenant in tenants for key, tenant, above in state.contents("t"))
    state = inserted(state, "t", 5)
    there = {(row[1], row[0]) for row in state.contents("t")}
    assert {(tenant, above) for _, tenant, above in state.contents("t")} <= there


def test_the_order_of_foreign_keys_does_not_matter_to_a_row_that_refers_to_itself():
    """Its own key is read first, and what the tenant says of it comes after."""
    rules = [
        "UNIQUE (tenant, id)",
        "FOREIGN KEY (tenant, above) REFERENCES t (tenant, id)",
        "FOREIGN KEY (tenant, other) REFERENCES users (tenant, id)",
    ]
    plain = [Column(name, "int", nullable=False) for name in ("tenant", "above", "other")]
    for places in (rules, [rules[0], rules[2], rules[1]]):
        tree = TableDefinition("t", [KEY, *plain], constraints=places)
        state = made(CreateTable(TENANTS), Insert("tenants", 1, 3, START), CreateTable(USERS))
        state = inserted(fold([rows("users", 1, 2), CreateTable(tree)], state), "t", 5)
        assert len(state.table("t").rows) == 5


def test_a_row_refers_to_itself_by_what_another_parent_gives_it():
    above = Column("above", "int", references="t (tenant)", nullable=False)
    tenant = Column("tenant", "int", references="tenants", unique=True, nullable=False)
    state = made(CreateTable(TENANTS), Insert("tenants", 1, 3, START, cells={"id": ("7", "8", "9")}))
    state = inserted(apply(state, CreateTable(TableDefinition("t", [KEY, above, tenant]))), "t", 3)
    assert all(above == tenant for _, above, tenant in state.contents("t"))
    assert {row[2] for row in state.contents("t")} == {"7", "8", "9"}


def test_a_parent_that_must_be_and_is_not_there_is_named():
    state = made(CreateTable(TENANTS), CreateTable(USERS))
    with pytest.raises(NotApplicable, match="'tenant' of 'users' needs a row of 'tenants': it is empty"):
        drawn(state, "users", 1)
