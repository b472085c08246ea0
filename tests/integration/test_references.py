"""Foreign keys on the server: parents, children, trees, and what happens to them as schemas evolve."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import DefinitionError, NotApplicable, OperationError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import TableDefinition
from tests.conftest import MakeDB

Column = ColumnDefinition

PARENT = TableDefinition(
    "parent",
    [
        Column("id", "int", identity="always", primary_key=True),
        Column("code", "varchar(8)", unique=True),
        Column("name", "text"),
    ],
)
CHILD = TableDefinition(
    "child",
    [
        Column("id", "int", primary_key=True),
        Column("parent_id", "int", references="parent", nullable=False),
        Column("parent_code", "varchar(8)", references="parent(code)"),
        Column("name", "text"),
        Column("late", "int", references="parent(id)", reserved=True),
    ],
)
LATE = TableDefinition(
    "late",
    [
        Column("id", "int", primary_key=True),
        Column("code", "varchar(8)", references="parent(code)", reserved=True),
    ],
)
TREE = TableDefinition(
    "tree",
    [
        Column("id", "int", primary_key=True),
        Column("above", "int", references="tree"),
        Column("name", "text"),
    ],
)


def test_tables_are_made_parents_first(make_db: MakeDB) -> None:
    db = make_db(CHILD, PARENT, rows=5)
    parents = {row["id"]: row for row in db.expected("parent")}
    codes = {row["code"] for row in parents.values()}
    for row in db.expected("child"):
        assert row["parent_id"] in parents
        assert row["parent_code"] is None or row["parent_code"] in codes
    assert db.verify()


def test_tables_in_a_circle_are_refused(make_db: MakeDB) -> None:
    one = TableDefinition(
        "one", [Column("id", "int", primary_key=True), Column("x", "int", references="two")]
    )
    two = TableDefinition(
        "two", [Column("id", "int", primary_key=True), Column("x", "int", references="one")]
    )
    with pytest.raises(DefinitionError, match="reference each other in a circle: one, two"):
        make_db(one, two)


def test_a_child_needs_a_parent(make_db: MakeDB) -> None:
    db = make_db(PARENT, CHILD)
    told = "'parent_id' of 'child' needs a row of 'parent': it is empty; insert there first"
    with pytest.raises(NotApplicable, match=told):
        db.mutations.insert("child", 1)
    db.mutations.insert("parent", 1)
    assert db.mutations.insert("child", 3) == 3
    assert db.verify()


def test_given_parents_are_taken_and_wrong_ones_refused(make_db: MakeDB) -> None:
    db = make_db(PARENT, CHILD, rows=3)
    ids = [row["id"] for row in db.expected("parent")]
    db.mutations.insert("child", rows=[{"parent_id": ids[1], "parent_code": None}, {"name": "any parent"}])
    assert db.expected("child")[-2]["parent_id"] == ids[1]
    assert db.expected("child")[-1]["parent_id"] in ids
    state = db.state
    with pytest.raises(NotApplicable, match="'parent_id' references 'parent', which has no row '999'"):
        db.mutations.insert("child", rows=[{"parent_id": 999}])
    assert db.state is state
    key = db.expected("child")[0]["id"]
    assert db.mutations.update("child", keys=[key], values={"parent_id": ids[2]}) == 1
    assert db.mutations.update("child", keys=[key], columns=["parent_id"]) == 1
    assert db.verify()


def test_a_parent_with_children_stays(make_db: MakeDB) -> None:
    db = make_db(PARENT, CHILD, rows=6)
    used = {row["parent_id"] for row in db.expected("child")}
    state = db.state
    with pytest.raises(NotApplicable, match="cannot be deleted: 'parent_id' of 'child' references it"):
        db.mutations.delete("parent", keys=[min(used)])
    with pytest.raises(
        NotApplicable, match="table 'parent' cannot be truncated: column 'parent_id' of 'child'"
    ):
        db.schema.truncate("parent")
    with pytest.raises(
        NotApplicable, match="table 'parent' cannot be dropped: column 'parent_id' of table 'child'"
    ):
        db.schema.drop_table("parent")
    with pytest.raises(NotApplicable, match="column 'code' of table 'parent' cannot be changed"):
        db.schema.drop_column("parent", "code")
    assert db.state is state
    db.mutations.delete("parent", fraction=1)
    assert used <= {row["id"] for row in db.expected("parent")}
    assert db.verify()
    db.schema.truncate("child")
    assert db.mutations.delete("parent", fraction=1) == len(used)
    db.schema.drop_table("child")
    db.schema.truncate("parent")
    db.schema.drop_table("parent")
    assert db.verify()


def test_a_tree_refers_to_itself(make_db: MakeDB) -> None:
    db = make_db(TREE, seed=2)
    db.mutations.insert(count=1)
    for _ in range(5):
        db.mutations.insert(count=4)
        db.mutations.update(count=3)
        db.mutations.delete(count=2)
        db.verify()
    assert any(row["above"] for row in db.expected())


def test_rows_of_a_tree_are_given_together_with_their_parents(make_db: MakeDB) -> None:
    db = make_db(TREE)
    db.mutations.insert(rows=[{"id": 2, "above": 1}, {"id": 1, "above": None}])
    assert [(row["id"], row["above"]) for row in db.expected()] == [(2, 1), (1, None)]
    assert db.verify()


def test_references_follow_renames(make_db: MakeDB) -> None:
    db = make_db(PARENT, CHILD, LATE, rows=4)
    db.schema.rename_table("parent", "Par ent")
    db.schema.rename_column("parent", "code", "new code")
    db.schema.add_column("late", "code")
    db.schema.add_column("child", "late")
    for table in ("parent", "child", "late"):
        db.mutations.insert(table, 5)
    db.mutations.update("child", fraction=1, columns=["parent_id", "parent_code", "late"])
    db.mutations.update("late", fraction=1)
    assert any(row["code"] for row in db.expected("late"))
    assert db.verify()


def test_a_reference_to_a_column_that_is_gone_is_refused(make_db: MakeDB) -> None:
    db = make_db(PARENT, LATE, rows=3)
    db.schema.drop_column("parent", "code")
    state = db.state
    with pytest.raises(OperationError, match="code"):
        db.schema.add_column("late", "code")
    with pytest.raises(OperationError, match="code"):
        db.schema.create_table(
            TableDefinition(
                "more", [Column("id", "int"), Column("x", "varchar(8)", references="parent(code)")]
            )
        )
    assert db.state is state
    assert db.mutations.insert("late", 1) == 1
    assert db.verify()


def test_a_reference_to_a_column_of_another_type_is_refused(make_db: MakeDB) -> None:
    parent = TableDefinition(
        "parent", [Column("id", "int", primary_key=True), Column("n", "int", unique=True)]
    )
    late = TableDefinition(
        "late",
        [Column("id", "int", primary_key=True), Column("x", "int", references="parent(n)", reserved=True)],
    )
    db = make_db(parent, late, rows=3)
    db.schema.alter_type("parent", "n", "text")
    state = db.state
    with pytest.raises(OperationError, match="'x'"):
        db.schema.add_column("late", "x")
    assert db.state is state
    assert db.verify()


def test_a_reference_to_something_not_unique_is_refused(make_db: MakeDB) -> None:
    db = make_db(PARENT)
    wrong = TableDefinition("wrong", [Column("x", "text", references="parent(name)")])
    with pytest.raises(NotApplicable, match="must be unique columns, or a primary key, of as many columns"):
        db.schema.create_table(wrong)
    unknown = TableDefinition("wrong", [Column("x", "int", references="nothing")])
    with pytest.raises(
        OperationError,
        match="no table 'nothing', which column 'x' of table 'wrong' references; the tables are: parent",
    ):
        db.schema.create_table(unknown)
    assert db.verify()


@pytest.mark.parametrize("seed", range(12))
def test_references_hold_whatever_evolves(make_db: MakeDB, seed: int) -> None:
    db = make_db(PARENT, CHILD, LATE, TREE, seed=seed, rows=4, policy="everything")
    for _ in range(25):
        db.mutations.mutate(count=4)
        db.evolution.evolve()
    db.verify()


def test_a_reference_is_to_the_value_and_not_to_its_spelling(make_db: MakeDB) -> None:
    parent = TableDefinition("prices", [Column("price", "numeric", primary_key=True)])
    child = TableDefinition(
        "offers", [Column("id", "int", primary_key=True), Column("price", "numeric", references="prices")]
    )
    db = make_db(parent, child)
    db.mutations.insert("prices", rows=[{"price": "1.50"}])
    db.mutations.insert("offers", rows=[{"id": 1, "price": "1.5"}])
    with pytest.raises(NotApplicable, match="'price' of 'offers' references it"):
        db.mutations.delete("prices", keys=["1.500"])
    assert db.verify()
