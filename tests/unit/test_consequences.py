"""What foreign keys do to other rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.check import applies, check
from pytest_kroft.model.clock import START
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import CreateTable, Delete, Insert, Update
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from tests.definitions import MODEST, Column

KEY = Column("id", "int", primary_key=True)
PARENT = TableDefinition("p", [KEY])
PAIR = TableDefinition("pair", [KEY, Column("x", "int"), Column("y", "int")], constraints=["UNIQUE (x, y)"])


def refers(actions: str = "", to: str = "p (id)", name: str = "a", **more: Any) -> Column:
    return Column(name, "int", references=f"{to} {actions}", **more)


def table(name: str, *columns: Column, rules: Sequence[str] = (), **more: Any) -> TableDefinition:
    return TableDefinition(name, [KEY, *columns], constraints=rules, **more)


def filled(*parts: tuple[TableDefinition, list[Any]]) -> State:
    """Tables with these rows, NULL for None."""
    state = State(1)
    for definition, rows in parts:
        state = apply(state, CreateTable(definition))
        columns = zip(*rows, strict=True)
        cells = {
            column.name: tuple(None if value is None else str(value) for value in held)
            for column, held in zip(definition.active, columns, strict=True)
        }
        insert = Insert(definition.name, 1, len(rows), START, cells=cells)
        check(state, insert)
        state = apply(state, insert)
    return state


def held(state: State, name: str) -> list[Any]:
    return [tuple(text and int(text) for text in row) for row in state.contents(name)]


def deleted(state: State, name: str, *rows: int) -> State:
    check(state, Delete(name, rows))
    return apply(state, Delete(name, rows))


def changed(state: State, name: str, row: int, **cells: Any) -> State:
    texts = {column: (None if value is None else str(value),) for column, value in cells.items()}
    revision = state.table(name).next_revision
    update = Update(name, (row,), tuple(cells), revision, START, cells=texts)
    check(state, update)
    return apply(state, update)


PARENTS = (PARENT, [(1,), (2,)])


@pytest.mark.parametrize(
    "actions, left",
    [
        ("ON DELETE CASCADE", [(3, None), (4, 2)]),
        ("ON DELETE SET NULL", [(1, None), (2, None), (3, None), (4, 2)]),
        ("ON DELETE SET DEFAULT", [(1, 2), (2, 2), (3, None), (4, 2)]),
    ],
)
def test_what_follows_where_a_row_goes(actions, left):
    child = table("c", refers(actions, default="2"))
    state = filled(PARENTS, (child, [(1, 1), (2, 1), (3, None), (4, 2)]))
    after = deleted(state, "p", 1)
    assert held(after, "p") == [(2,)]
    assert held(after, "c") == left


@pytest.mark.parametrize(
    "actions, left",
    [
        ("ON UPDATE CASCADE", [(1, 7), (2, None), (3, 2)]),
        ("ON UPDATE SET NULL", [(1, None), (2, None), (3, 2)]),
        ("ON UPDATE SET DEFAULT", [(1, 2), (2, None), (3, 2)]),
    ],
)
def test_what_follows_where_a_key_changes(actions, left):
    state = filled(PARENTS, (table("c", refers(actions, default="2")), [(1, 1), (2, None), (3, 2)]))
    assert held(changed(state, "p", 1, id=7), "c") == left


@pytest.mark.parametrize(
    "actions", ["", "ON DELETE RESTRICT ON UPDATE RESTRICT", "DEFERRABLE INITIALLY DEFERRED"]
)
def test_a_row_that_others_refer_to_stays(actions):
    state = filled((PARENT, [(1,), (2,), (3,)]), (table("c", refers(actions)), [(1, 1), (2, None), (3, 2)]))
    with pytest.raises(NotApplicable, match="row '1' of 'p' cannot be deleted: 'a' of 'c' references it"):
        deleted(state, "p", 1, 3)
    with pytest.raises(NotApplicable, match="row '2' of 'p' cannot be changed: 'a' of 'c' references it"):
        changed(state, "p", 2, id=9)
    assert held(deleted(state, "p", 3), "p") == [(1,), (2,)]
    assert held(changed(state, "p", 3, id=9), "p") == [(1,), (2,), (9,)]


def test_each_of_delete_and_update_has_its_own_action():
    state = filled(PARENTS, (table("c", refers("ON DELETE CASCADE")), [(1, 1)]))
    assert held(deleted(state, "p", 1), "c") == []
    with pytest.raises(NotApplicable, match="cannot be changed"):
        changed(state, "p", 1, id=9)


def test_a_key_that_stays_has_no_consequences():
    parent = table("p", Column("note", "int"))
    state = filled((parent, [(1, 5)]), (table("c", refers("ON UPDATE SET NULL")), [(1, 1)]))
    assert held(changed(state, "p", 1, note=6), "c") == held(changed(state, "p", 1, id=1), "c") == [(1, 1)]


def test_chains_are_followed_to_their_end():
    state = filled(
        (PARENT, [(1,), (2,)]),
        (table("c", refers("ON DELETE CASCADE")), [(1, 1), (2, 2)]),
        (table("d", refers("ON DELETE CASCADE ON UPDATE CASCADE", "c (id)")), [(1, 1), (2, 1), (3, 2)]),
        (table("e", refers("ON DELETE SET NULL", "d (id)")), [(1, 1), (2, 2), (3, 3)]),
    )
    after = deleted(state, "p", 1)
    assert (held(after, "c"), held(after, "d")) == ([(2, 2)], [(3, 2)])
    assert held(after, "e") == [(1, None), (2, None), (3, 3)]


def test_a_key_that_is_a_foreign_key_too_is_followed_through():
    middle = TableDefinition("c", [Column("id", "int", references="p ON UPDATE CASCADE", primary_key=True)])
    last = table("d", refers("ON UPDATE CASCADE", "c (id)"))
    state = changed(
        filled((PARENT, [(1,), (2,)]), (middle, [(1,), (2,)]), (last, [(5, 1), (6, 2)])), "p", 1, id=8
    )
    assert sorted(held(state, "c")) == [(2,), (8,)]
    assert held(state, "d") == [(5, 8), (6, 2)]


def test_a_tree_falls_as_a_whole_and_a_row_may_refer_to_itself():
    tree = table("t", refers("ON DELETE CASCADE ON UPDATE CASCADE", "t (id)"))
    state = filled((tree, [(1, 1), (2, 1), (3, 2), (4, 4), (5, None)]))
    assert held(deleted(state, "t", 1), "t") == [(4, 4), (5, None)]
    assert held(changed(state, "t", 1, id=9), "t") == [(9, 9), (2, 9), (3, 2), (4, 4), (5, None)]


def test_rows_of_a_tree_go_together_where_one_alone_may_not():
    state = filled((table("t", refers("", "t (id)")), [(1, None), (2, 1), (3, 3)]))
    assert not applies(state, Delete("t", (1,)))
    assert held(deleted(state, "t", 1, 2), "t") == [(3, 3)]
    assert held(deleted(state, "t", 3), "t") == [(1, None), (2, 1)]


def diamond(action: str) -> State:
    """Two children of a parent fall with it, and one refers to the other, which its own key protects."""
    return filled(
        (PARENT, [(1,), (2,)]),
        (table("c", refers("ON DELETE CASCADE")), [(1, 1), (2, 2)]),
        (
            table("d", refers("ON DELETE CASCADE"), refers(f"ON DELETE {action}", "c (id)", "b")),
            [(1, 1, 1), (2, 2, 2), (3, 1, 2)],
        ),
    )


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT"])
def test_what_falls_in_an_earlier_round_protects_nothing(action):
    after = deleted(diamond(action), "p", 1)
    assert (held(after, "c"), held(after, "d")) == ([(2, 2)], [(2, 2, 2)])
    with pytest.raises(NotApplicable, match="row '2' of 'c' cannot be deleted: 'b' of 'd' references it"):
        deleted(diamond(action), "p", 2)


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT"])
def test_what_falls_in_the_same_round_depends_on_the_order_and_is_refused(action):
    child = table("c", refers("ON DELETE CASCADE"), refers(f"ON DELETE {action}", name="b"))
    state = filled(PARENTS, (child, [(1, 1, 1), (2, 2, None)]))
    with pytest.raises(NotApplicable, match="row '1' of 'p' cannot be deleted: 'b' of 'c' references it"):
        deleted(state, "p", 1)
    assert held(deleted(state, "p", 2), "c") == [(1, 1, 1)]


def test_what_is_looked_for_at_the_commit_may_fall_in_the_same_round():
    late = refers("DEFERRABLE INITIALLY DEFERRED", name="b")
    state = filled(PARENTS, (table("c", refers("ON DELETE CASCADE"), late), [(1, 1, 1), (2, 1, 2)]))
    assert held(deleted(state, "p", 1), "c") == []
    with pytest.raises(NotApplicable, match="'b' of 'c' references it"):
        deleted(state, "p", 2)


def composite(actions: str, **more: Any) -> State:
    columns = [Column("a", "int", **more), Column("b", "int", default="2")]
    child = table("c", *columns, rules=[f"FOREIGN KEY (a, b) REFERENCES pair (x, y) {actions}"])
    rows = [(1, 1, 1), (2, 1, 2), (3, 2, 2)]
    return filled((PAIR, rows), (child, [(1, 1, 1), (2, 1, None), (3, 2, 2)]))


@pytest.mark.parametrize(
    "actions, first",
    [
        ("ON DELETE CASCADE", None),
        ("ON DELETE SET NULL", (1, None, None)),
        ("ON DELETE SET NULL (b)", (1, 1, None)),
        ("ON DELETE SET DEFAULT", (1, None, 2)),
        ("ON DELETE SET DEFAULT (b)", (1, 1, 2)),
    ],
)
def test_a_key_of_several_columns_on_delete(actions, first):
    after = deleted(composite(actions), "pair", 1)
    assert held(after, "c") == [*([first] if first else []), (2, 1, None), (3, 2, 2)]


@pytest.mark.parametrize(
    "actions, first",
    [
        ("ON UPDATE CASCADE", (1, 9, 1)),
        ("ON UPDATE SET NULL", (1, None, None)),
        ("ON UPDATE SET DEFAULT", (1, None, 2)),
        ("ON DELETE SET NULL (b) ON UPDATE SET NULL", (1, None, None)),
    ],
)
def test_a_key_of_several_columns_on_update(actions, first):
    assert held(changed(composite(actions), "pair", 1, x=9), "c") == [first, (2, 1, None), (3, 2, 2)]


def test_a_key_that_becomes_null_in_part_moves_those_that_referred():
    assert held(changed(composite("ON UPDATE CASCADE"), "pair", 1, x=None), "c")[0] == (1, None, 1)
    with pytest.raises(NotApplicable, match=r"row \('1', '1'\) of 'pair' cannot be changed: 'a, b' of 'c'"):
        changed(composite(""), "pair", 1, y=None)


def test_a_full_match_is_null_as_a_whole():
    actions = "MATCH FULL ON DELETE SET NULL (b) ON UPDATE SET NULL"
    rules = [f"FOREIGN KEY (a, b) REFERENCES pair (x, y) {actions}"]
    child = table("c", Column("a", "int"), Column("b", "int"), rules=rules)
    state = filled((PAIR, [(1, 1, 1)]), (child, [(1, 1, 1), (2, None, None)]))
    with pytest.raises(
        NotApplicable, match="'a' of 'c', and its foreign key is NULL as a whole, or not at all"
    ):
        deleted(state, "pair", 1)
    assert held(changed(state, "pair", 1, x=5), "c") == [(1, None, None), (2, None, None)]


@pytest.mark.parametrize(
    "child, reason",
    [
        (table("c", refers("ON DELETE SET NULL", nullable=False)), "it is NOT NULL"),
        (table("c", refers("ON DELETE SET DEFAULT", nullable=False)), "it is NOT NULL"),
        (table("c", refers("ON DELETE SET DEFAULT", default="1")), "'p' has no such row"),
        (table("c", refers("ON DELETE SET DEFAULT", default="99")), "'p' has no such row"),
        (
            table("c", refers("ON DELETE SET DEFAULT", default="(random() * 2)::int")),
            "its default is no constant",
        ),
        (table("c", refers("ON DELETE SET NULL", check="a > 0")), "a check of it may not allow that"),
        (table("c", refers("ON DELETE SET NULL", filled=True)), "a check of it may not allow that"),
        (table("c", refers("ON DELETE SET NULL"), rules=["CHECK (a < id)"]), "a check of the table may not"),
        (
            table("c", refers("ON DELETE SET DEFAULT", default="2", unique=True)),
            "would repeat a unique value: a 2",
        ),
    ],
)
def test_what_the_rules_of_a_child_refuse(child, reason):
    state = apply(
        fold([CreateTable(PARENT), Insert("p", 1, 2, START, cells={"id": ("1", "2")})], State(1)),
        CreateTable(child),
    )
    state = apply(state, Insert("c", 1, 2, START, cells={"id": ("5", "6"), "a": ("1", "2")}))
    with pytest.raises(NotApplicable, match=f"a foreign key would change 'a' of 'c', and .*{reason}"):
        deleted(state, "p", 1)


def test_a_generated_column_over_a_foreign_key_keeps_it():
    child = table("c", refers("ON DELETE SET NULL"), Column("twice", "int", generated="a * 2"))
    state = apply(
        fold([CreateTable(PARENT), Insert("p", 1, 2, START, cells={"id": ("1", "2")})], State(1)),
        CreateTable(child),
    )
    state = apply(state, Insert("c", 1, 1, START, parents={"a": (1,)}))
    with pytest.raises(NotApplicable, match="a generated column is computed from it"):
        deleted(state, "p", 1)
    assert applies(state, Delete("p", (2,)))


def test_a_child_that_would_repeat_the_unique_value_of_another_is_named():
    child = table(
        "c", refers("ON DELETE SET DEFAULT", default="2"), Column("n", "int"), rules=["UNIQUE (a, n)"]
    )
    state = filled((PARENT, [(1,), (2,), (3,)]), (child, [(1, 1, 5), (2, 2, 5), (3, 3, 6)]))
    with pytest.raises(NotApplicable, match="row number 1 would repeat a unique value: a 2, n 5"):
        deleted(state, "p", 1)
    assert held(deleted(state, "p", 3), "c") == [(1, 1, 5), (2, 2, 5), (3, 2, 6)]


def test_two_foreign_keys_at_once_do_what_no_order_changes():
    child = table("c", refers("ON DELETE SET NULL"), refers("ON DELETE CASCADE", name="b"))
    state = filled((PARENT, [(1,), (2,)]), (child, [(1, 1, 1), (2, 1, 2), (3, 2, 1)]))
    assert held(deleted(state, "p", 1), "c") == [(2, None, 2)]
    both = table("c", refers("ON DELETE SET NULL"), refers("ON DELETE SET DEFAULT", name="b", default="2"))
    state = filled((PARENT, [(1,), (2,)]), (both, [(1, 1, 1), (2, 1, 2)]))
    assert held(deleted(state, "p", 1), "c") == [(1, None, 2), (2, None, 2)]


def test_a_default_that_is_the_row_which_goes_is_refused_though_another_key_would_take_the_child_along():
    """The server looks for it at once, perhaps before the other foreign key acts."""
    child = table("c", refers("ON DELETE SET DEFAULT", default="1"), refers("ON DELETE CASCADE", name="b"))
    state = filled((PARENT, [(1,), (2,)]), (child, [(1, 1, 1), (2, 2, 2)]))
    with pytest.raises(NotApplicable, match="'a' of 'c', and 'p' has no such row"):
        deleted(state, "p", 1)
    assert held(deleted(state, "p", 2), "c") == [(1, 1, 1)]


def test_two_foreign_keys_that_share_a_column_and_act_otherwise_are_refused():
    child = table("c", Column("a", "int"), Column("b", "int"), Column("d", "int"), rules=[
        "FOREIGN KEY (a, b) REFERENCES pair (x, y) ON DELETE SET NULL",
        "FOREIGN KEY (a, d) REFERENCES pair (x, y) ON DELETE SET NULL",
    ])  # fmt: skip
    state = filled((PAIR, [(1, 1, 1), (2, 1, 2)]), (child, [(1, 1, 1, 1), (2, 1, 1, 2)]))
    with pytest.raises(NotApplicable, match="another one would change the row at the same time"):
        deleted(state, "pair", 1)


def test_a_shared_column_that_both_change_alike_is_followed():
    child = table("c", Column("a", "int"), Column("b", "int"), Column("d", "int"), rules=[
        "FOREIGN KEY (a, b) REFERENCES pair (x, y) ON UPDATE CASCADE",
        "FOREIGN KEY (a, d) REFERENCES pair (x, y) ON UPDATE CASCADE",
    ])  # fmt: skip
    state = filled((PAIR, [(1, 1, 1)]), (child, [(1, 1, 1, 1)]))
    assert held(changed(state, "pair", 1, x=5), "c") == [(1, 5, 1, 1)]


def test_a_row_that_another_key_of_it_leaves_without_a_parent_is_refused():
    """The tenant moves, and what belongs to it in another table does not."""
    users = table("users", Column("tenant", "int"), rules=["UNIQUE (tenant, id)"])
    orders = table("orders", refers("ON UPDATE CASCADE", name="tenant"), Column("user", "int"),
        rules=['FOREIGN KEY (tenant, "user") REFERENCES users (tenant, id)'])  # fmt: skip
    state = filled(PARENTS, (users, [(1, 1)]), (orders, [(1, 1, 1), (2, 2, None)]))
    with pytest.raises(NotApplicable, match="'tenant' of 'orders', and 'users' has no such row"):
        changed(state, "p", 1, id=7)
    assert held(changed(state, "p", 2, id=7), "orders") == [(1, 1, 1), (2, 7, None)]


def test_numbers_that_are_equal_and_spelled_otherwise_are_one_key():
    parent = TableDefinition("n", [Column("id", "numeric", primary_key=True)])
    child = table("c", Column("a", "numeric", references="n ON DELETE CASCADE"))
    state = fold(
        [CreateTable(parent), Insert("n", 1, 1, START, cells={"id": ("1.50",)}), CreateTable(child)], State(1)
    )
    state = apply(state, Insert("c", 1, 1, START, cells={"a": ("1.5",)}))
    assert len(deleted(state, "n", 1).table("c").rows) == 0


ACTING = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")


@st.composite
def forests(draw: st.DrawFn) -> State:
    """Tables that refer to those before them and to themselves, with rows."""
    names: list[str] = []
    state = State(1)
    for place in range(draw(st.integers(2, 4))):
        name = f"t{place}"
        columns = []
        for number in range(draw(st.integers(0, 2))):
            delete, update = draw(st.sampled_from(ACTING)), draw(st.sampled_from(ACTING))
            clause = f"ON DELETE {delete} ON UPDATE {update}"
            default = draw(st.sampled_from([None, "1"]))
            columns.append(
                refers(clause, f"{draw(st.sampled_from([*names, name]))} (id)", f"f{number}", default=default)
            )
        definition = table(name, *columns)
        state = apply(state, CreateTable(definition))
        names.append(name)
        for row in range(1, draw(st.integers(1, 4)) + 1):
            parents = {}
            for column, key in zip(columns, definition.foreign_keys, strict=True):
                there = [*state.table(key.table).rows.numbers, *([row] if key.table == name else [])]
                parents[column.name] = (draw(st.sampled_from([None, *there])),)
            state = apply(state, Insert(name, row, 1, START, cells={"id": (str(row),)}, parents=parents))
    return state


@MODEST
@given(forests(), st.data())
def test_no_row_is_left_that_refers_to_one_that_is_not_there(state, data):
    for _ in range(3):
        name = data.draw(st.sampled_from(list(state.tables)))
        rows = state.table(name).rows.numbers
        if not rows:
            continue
        chosen = tuple(data.draw(st.lists(st.sampled_from(rows), min_size=1, unique=True)))
        fresh = state.table(name).next_row
        update = Update(name, chosen[:1], ("id",), state.table(name).next_revision, START, fresh=fresh)
        operation = data.draw(st.sampled_from([Delete(name, chosen), update]))
        if not applies(state, operation):
            continue
        state = apply(state, operation)
        for table_state in state.tables.values():
            for key in table_state.foreign_keys:
                place = table_state.names.index(table_state.label(key))
                there = {row[0] for row in state.contents(key.definition.table)}
                assert {row[place] for row in state.contents(table_state.definition.name)} <= there | {None}
