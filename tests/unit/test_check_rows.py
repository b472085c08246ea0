"""Whether an operation on rows applies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_kroft.errors import NotApplicable, OperationError, Protected, UnknownColumn
from pytest_kroft.model.check import check
from pytest_kroft.model.clock import EARLIEST, LATEST, START
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import (
    AddColumn,
    Delete,
    DropColumn,
    Insert,
    Observed,
    Operation,
    Truncate,
    Update,
    kind,
)
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from tests.definitions import CUSTOMERS, LOG, ORDERS, PAIRS, TREE, Column, timeline

SMALL = TableDefinition(
    "small", [Column("id", "int", primary_key=True), Column("bit", "bit(2)", unique=True, nullable=False)]
)


@pytest.fixture(scope="module")
def state() -> State:
    made = timeline(CUSTOMERS, ORDERS, LOG, PAIRS, TREE, SMALL)
    operations: list[Operation] = [
        Insert("customers", 1, 3, START, cells={"id": ("1", "2", "3"), "email": ("a", "b", None)}),
        Insert(
            "orders",
            1,
            3,
            START,
            parents={"customer_id": (1, 1, None)},
            cells={"code": ("x    ", "y    ", None)},
        ),
        Insert("log", 1, 2, START),
        Insert(
            "pairs", 1, 2, START, parents={"left": (1, 1)}, cells={"right": ("a", "b"), "value": ("1", None)}
        ),
        Insert("tree", 1, 2, START, cells={"id": ("1", "2"), "parent": (None, "1")}),
        Update("customers", (1,), ("name",), 4, START),
    ]
    return fold(operations, made.state)


def insert(table: str = "customers", first: int = 4, count: int = 1, **more) -> Insert:
    return Insert(table, first, count, START, **more)


def update(table: str = "customers", rows=(1,), columns=("name",), revision: int = 5, **more) -> Update:
    return Update(table, rows, columns, revision, START, **more)


REFUSED = [
    (insert(count=0), NotApplicable, "at least one row, not 0"),
    (insert(count=-1), NotApplicable, "at least one row, not -1"),
    (insert(first=3), NotApplicable, "row number 3 of 'customers' was used before; the next is 4"),
    (insert(first=0), NotApplicable, "was used before"),
    (insert(cells={"name": ("a", "b")}), NotApplicable, "2 values are given for 'name' .* for 1 rows"),
    (insert(cells={"name": (None,)}), NotApplicable, "'name' .* NOT NULL"),
    (insert(cells={"mood": ("happy",)}), NotApplicable, "'happy' is no label of 'my mood'.*sad, ok"),
    (insert(cells={"tier": ("many",)}), NotApplicable, "'tier' of 'customers' is wrong: 'many' is no value"),
    (insert(cells={"tier": ("40000",)}), NotApplicable, "'tier' of 'customers' is wrong"),
    (insert(cells={"name": ("a\0",)}), NotApplicable, "'name' of 'customers' is wrong"),
    (update(cells={"name": ("\0",)}), NotApplicable, "'name' of 'customers' is wrong"),
    (Insert("log", 3, 1, EARLIEST - 1), NotApplicable, "outside the years 1 to 9999"),
    (Insert("log", 3, 2, LATEST, 1), NotApplicable, "outside the years 1 to 9999"),
    (Update("customers", (1,), ("name",), 5, LATEST + 1), NotApplicable, "outside the years 1 to 9999"),
    (
        Observed("log", "test", (), {}, stamp=LATEST + 1),
        NotApplicable,
        "outside the years 1 to 9999",
    ),
    (Observed("customers", "test", (1, 1), {}), NotApplicable, "named twice in what was observed"),
    (Observed("customers", "test", (), {}, (2, 2)), NotApplicable, "named twice in what was observed"),
    (Observed("customers", "test", (1,), {}, (1,)), NotApplicable, "named twice in what was observed"),
    (insert(cells={"email": ("a",)}), NotApplicable, "row number 4 .* repeat a unique value: email a"),
    (insert(count=2, cells={"email": ("c", "c")}), NotApplicable, "row number 5 .* email c"),
    (insert(cells={"id": ("2",)}), NotApplicable, "row number 4 .* id 2"),
    (insert(parents={"name": (1,)}), UnknownColumn, "'name'"),
    (insert("orders", cells={"double_amount": ("1",)}), Protected, "'double_amount'.*the server computes it"),
    (
        insert("orders", cells={"customer_id": ("9",)}),
        NotApplicable,
        "'customer_id' references 'customers'.*no row '9'",
    ),
    (insert("orders", parents={"customer_id": (9,)}), NotApplicable, "row number 9 of 'customers'"),
    (
        insert("orders", count=2, parents={"customer_id": (1,)}),
        NotApplicable,
        "1 values are given for 'customer_id'",
    ),
    (insert("orders", parents={"missing": (1,)}), UnknownColumn, "'missing'"),
    (insert("pairs", 3), NotApplicable, "insert into 'pairs' says no parent for 'left'"),
    (insert("tree", 3), NotApplicable, "insert into 'tree' says no parent for 'parent', a foreign key"),
    (
        update("orders", columns=("customer_id",)),
        NotApplicable,
        "update of 'orders' says no parent for 'customer_id'",
    ),
    (insert("pairs", 3, parents={"left": (None,)}), NotApplicable, "'left' .* NOT NULL"),
    (
        insert("pairs", 3, cells={"right": ("a",), "value": ("9",)}, parents={"left": (1,)}),
        NotApplicable,
        "left 1, right a",
    ),
    (
        insert("pairs", 3, cells={"right": ("c",), "value": ("1",)}, parents={"left": (2,)}),
        NotApplicable,
        "value 1",
    ),
    (insert("tree", 3, cells={"parent": ("77",)}), NotApplicable, "references 'tree', which has no row '77'"),
    (insert("small", 1, 5), OperationError, "bit.* 4 "),
    (insert("small", 5, 1), OperationError, "bit.* 4 "),
    (update(rows=()), NotApplicable, "no row of 'customers' is named to be updated"),
    (update(rows=(1, 1)), NotApplicable, "named twice"),
    (update(rows=(1, 7)), NotApplicable, "row number 7 of 'customers' cannot be updated"),
    (update(revision=4), NotApplicable, "revision 4 of 'customers' was used before; the next is 5"),
    (update(columns=("id",)), Protected, "'id'.*the server computes it"),
    (update(columns=("country",)), Protected, "'country'.*defined as protected"),
    (update("orders", columns=("double_amount",)), Protected, "'double_amount'"),
    (update(cells={"tier": ("1",)}), NotApplicable, r"\['tier'\], which it does not name"),
    (update(cells={"name": ("1", "2")}), NotApplicable, "2 values"),
    (update(cells={"name": (None,)}), NotApplicable, "NOT NULL"),
    (update(columns=("email",)), NotApplicable, "unique column 'email' needs fresh row numbers"),
    (update(columns=("email",), fresh=3), NotApplicable, "row number 3 of 'customers' was used before"),
    (update(columns=("email",), cells={"email": ("b",)}), NotApplicable, "email b"),
    (update(rows=(1, 2), columns=("email",), cells={"email": ("z", "z")}), NotApplicable, "email z"),
    (update("orders", columns=("customer_id",), cells={"customer_id": ("9",)}), NotApplicable, "no row '9'"),
    (
        update("orders", columns=("customer_id",), parents={"customer_id": (9,)}),
        NotApplicable,
        "row number 9",
    ),
    (update("tree", columns=("id",), fresh=3), NotApplicable, "'1' of 'tree' cannot be changed: 'parent'"),
    (update("tree", rows=(2,), columns=("parent",), cells={"parent": ("5",)}), NotApplicable, "no row '5'"),
    (update("log", columns=("n",), fresh=3), NotApplicable, "cannot be told apart"),
    (update("log", rows=(1, 2), columns=("n",), fresh=3), NotApplicable, "one and the same value of 'n'"),
    (update("log", rows=(1, 2), columns=("n",), cells={"n": ("1", "2")}), NotApplicable, "one and the same"),
    (
        update("log", rows=(1, 2), columns=("n",), cells={"n": ("1", "1")}, step=1),
        NotApplicable,
        "same stamp",
    ),
    (Delete("customers", ()), NotApplicable, "no row of 'customers' is named to be deleted"),
    (Delete("customers", (3, 3)), NotApplicable, "named twice"),
    (Delete("customers", (8,)), NotApplicable, "row number 8 of 'customers' cannot be deleted"),
    (
        Delete("customers", (1, 3)),
        NotApplicable,
        "row '1' of 'customers' cannot be deleted: 'customer_id' of 'orders'",
    ),
    (Delete("log", (1,)), NotApplicable, "cannot be told apart"),
    (Delete("tree", (1,)), NotApplicable, "'parent' of 'tree' references it"),
    (Truncate("customers"), NotApplicable, "'customers' cannot be truncated: .*'customer_id' of 'orders'"),
    (
        Observed("customers", "server", (1,), {"name": ()}),
        NotApplicable,
        "observed 0 cells of 'name' for 1 rows",
    ),
    (Observed("customers", "server", (1,), {"nothing": ("x",)}), UnknownColumn, "'nothing'"),
    (Observed("customers", "test", (0,), {"name": ("x",)}), NotApplicable, r"not there: \[0\]"),
    (Observed("customers", "test", (), {}, (9,)), NotApplicable, r"not there: \(9,\)"),
]


@pytest.mark.parametrize(
    "operation, error, reason",
    REFUSED,
    ids=lambda value: kind(value) if not isinstance(value, str | type) else "",
)
def test_what_cannot_apply_is_refused_with_a_reason(state, operation, error, reason):
    with pytest.raises(error, match=reason):
        check(state, operation)


@pytest.mark.parametrize(
    "operation",
    [
        insert(),
        insert(first=100, count=3),
        Insert("log", 3, 2, EARLIEST, LATEST - EARLIEST),
        insert(cells={"mood": ("it's glad",), "tier": ("5",)}),
        insert("orders", cells={"customer_id": (None,), "tags": ("{a,b}",), "day": ("infinity",)}),
        insert(cells={"id": ("99",), "email": (None,)}),
        insert("orders", parents={"customer_id": (2,)}),
        insert("orders", cells={"customer_id": ("2",)}),
        insert("orders", cells={"customer_id": (None,), "updated_at": (None,)}),
        insert("pairs", 3, cells={"right": ("a",), "value": (None,)}, parents={"left": (2,)}),
        insert("tree", 3, 2, cells={"id": ("8", "9"), "parent": ("9", "8")}),
        insert("tree", 3, cells={"parent": ("2",)}),
        insert("small", 1, 4),
        update(),
        update(rows=(3, 1), columns=("name", "tier"), cells={"tier": ("1", None)}),
        update(columns=("email",), fresh=4),
        update(columns=("email",), cells={"email": ("a",)}),
        update("orders", columns=(), cells={"updated_at": (None,)}),
        update("orders", columns=("id",), fresh=4),
        update("tree", rows=(2,), columns=("id", "parent"), cells={"id": ("5",), "parent": ("5",)}),
        update("log", rows=(1, 2), columns=("n",), cells={"n": ("1", "1")}),
        Delete("customers", (2, 3)),
        Delete("tree", (1, 2)),
        Delete("tree", (2,)),
        Delete("log", (2, 1)),
        Truncate("orders"),
        Truncate("tree"),
        Observed("customers", "test", (1, 9), {"name": ("x", "y")}, (2,)),
    ],
    ids=kind,
)
def test_what_applies_is_let_through(state, operation):
    check(state, operation)
    assert apply(state, operation) is not state


def test_a_generated_value_may_not_meet_one_that_was_given(state):
    after = apply(state, insert())
    generated = next(row for row in after.contents("customers") if row[0] not in ("1", "2", "3"))[0]
    taken = apply(state, insert(cells={"id": (generated,)}, first=4))
    taken = apply(taken, Delete("customers", (4,)))
    check(taken, insert(first=5))
    shifted = State(state.seed, state.tables, state.types, state.births, state.now, state.version)
    later = apply(shifted, insert(first=5))
    number = later.table("customers").rows[5]
    text = later.reader(later.table("customers"), later.table("customers").column("id"))(number)
    given = apply(state, insert(first=4, cells={"id": (text,)}))
    with pytest.raises(NotApplicable, match=f"id {text}"):
        check(given, insert(first=5))


def test_numbers_are_compared_by_value():
    table = TableDefinition(
        "t", [Column("a", "numeric", unique=True), Column("b", "double precision", unique=True)]
    )
    state = apply(timeline(table).state, insert("t", 1, cells={"a": ("1.0",), "b": ("0",)}))
    with pytest.raises(NotApplicable, match=r"a 1.00"):
        check(state, insert("t", 2, cells={"a": ("1.00",), "b": ("1",)}))
    with pytest.raises(NotApplicable, match="b -0"):
        check(state, insert("t", 2, cells={"a": ("2",), "b": ("-0",)}))


def test_a_unique_set_goes_with_its_column(state):
    after = fold([DropColumn("customers", "email"), AddColumn("customers", Column("email", "text"))], state)
    check(after, insert(count=2, cells={"email": ("c", "c")}))


def test_an_update_hands_no_unique_value_from_row_to_row():
    made = timeline(CUSTOMERS, rows=3)
    made.apply(Update("customers", (1, 2), ("email",), 1, START, cells={"email": ("a", "b")}))
    swap = Update("customers", (1, 2), ("email",), 2, START, cells={"email": ("b", "a")})
    with pytest.raises(NotApplicable, match="would get the unique value of row number 2, which the same"):
        made.apply(swap)
    made.apply(replace(swap, cells={"email": ("a", "c")}))
    made.apply(Update("customers", (2,), ("email",), 3, START, cells={"email": (None,)}))
    made.apply(Update("customers", (1, 2), ("email",), 4, START, cells={"email": ("d", "c")}))


@pytest.mark.parametrize(
    "column, text, spelled",
    [("day", "2020-01-01 10:00:00", "2020-01-01"), ("amount", "1.505", "1.51"), ("paid", "1", "true")],
)
def test_a_cell_is_spelled_as_the_server_prints_it(column, text, spelled):
    state = timeline(CUSTOMERS, ORDERS, rows=1).state
    insert = Insert("orders", 2, 1, START, cells={column: (text,)}, parents={"customer_id": (None,)})
    with pytest.raises(NotApplicable, match=f"is spelled '{text}', and the server prints it as '{spelled}'"):
        check(state, insert)
    check(state, replace(insert, cells={column: (spelled,)}))


PLACES = TableDefinition(
    "places",
    [Column("id", "int", primary_key=True), Column("x", "int"), Column("y", "int")],
    constraints=["UNIQUE (x, y)"],
)


def visits(*constraints: str, unique: bool = False) -> Timeline:
    """Places (1, 1) and (5, 2), and a table that refers to them by two columns."""
    columns = [Column("id", "int", primary_key=True), Column("a", "int"), Column("b", "int", unique=unique)]
    columns += [Column("c", "int"), Column("d", "int", references="places")]
    made = timeline(PLACES, TableDefinition("visits", columns, constraints=constraints))
    made.apply(Insert("places", 1, 2, START, cells={"x": ("1", "5"), "y": ("1", "2")}))
    return made


PAIR = "FOREIGN KEY (a, b) REFERENCES places (x, y)"


def test_the_columns_of_a_foreign_key_are_given_by_its_parent():
    made = visits(PAIR, unique=True)
    parents = {"a, b": (1,), "d": (None,)}
    made.apply(Insert("visits", 1, 1, START, parents=parents))
    with pytest.raises(NotApplicable, match="would repeat a unique value: b 1"):
        check(made.state, Insert("visits", 2, 1, START, parents=parents))
    check(made.state, Update("visits", (1,), ("a", "b"), 1, START, parents={"a, b": (2,)}))
    with pytest.raises(NotApplicable, match=r"gives values for .'a', 'b'., which it does not name"):
        check(made.state, Update("visits", (1,), ("c",), 1, START, parents={"a, b": (2,)}))


@pytest.mark.parametrize(
    "other, parents",
    [
        ("FOREIGN KEY (a, c) REFERENCES places (x, y) MATCH FULL", {"a, b": (1,), "a, c": (None,)}),
        ("FOREIGN KEY (b, c) REFERENCES places (x, y)", {"a, b": (2,), "b, c": (1,)}),
    ],
)
def test_parents_that_contradict_each_other_are_refused(other, parents):
    made = visits(PAIR, other)
    insert = Insert("visits", 1, 1, START, parents={**parents, "d": (None,)})
    with pytest.raises(NotApplicable, match=r"which has no row|NULL as a whole or not at all"):
        check(made.state, insert)


def test_an_update_that_moves_the_keys_it_refers_to_is_refused():
    tree = TableDefinition(
        "codes",
        [
            Column("id", "int", primary_key=True),
            Column("code", "int", unique=True),
            Column("above", "int", references="codes (code)"),
        ],
    )
    made = timeline(tree)
    made.apply(Insert("codes", 1, 2, START, parents={"above": (None, None)}))
    both = Update("codes", (1,), ("code", "above"), 1, START, fresh=3, parents={"above": (1,)})
    with pytest.raises(NotApplicable, match="'above' references 'codes', which has no row"):
        check(made.state, both)
    check(made.state, replace(both, parents={"above": (None,)}))
    check(made.state, replace(both, columns=("above",), fresh=None))


def test_a_row_that_is_referred_to_by_what_is_computed_from_it_keeps_that():
    sums = TableDefinition(
        "sums",
        [
            Column("id", "int", primary_key=True),
            Column("a", "int"),
            Column("b", "int"),
            Column("c", "int", generated="a + a * 2", unique=True),
        ],
    )
    uses = TableDefinition(
        "uses", [Column("id", "int", primary_key=True), Column("c", "int", references="sums (c)")]
    )
    made = timeline(sums, uses)
    made.apply(Insert("sums", 1, 2, START, cells={"a": ("1", "2")}))
    made.apply(Observed("sums", "test", (1, 2), {"c": ("3", "6")}))
    made.apply(Insert("uses", 1, 1, START, parents={"c": (2,)}))
    update = Update("sums", (2,), ("a",), 1, START)
    with pytest.raises(NotApplicable, match=r"row number 2 of 'sums' .*'c' of 'uses' references \('6',\)"):
        check(made.state, update)
    check(made.state, replace(update, rows=(1,)))
    check(made.state, replace(update, columns=("b",)))
