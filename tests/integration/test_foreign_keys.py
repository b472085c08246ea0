"""Foreign keys on the server: the state follows their actions, and refuses what the server refuses."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import OperationError
from pytest_kroft.model.check import check
from pytest_kroft.model.choices import Choices, SeededChoices
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.fold_rows import write, write_alone
from pytest_kroft.model.operations import CreateTable, Delete, Update
from pytest_kroft.model.state import State, TableState
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.planning.parents import draw_parents
from pytest_kroft.postgres.queries import query
from pytest_kroft.postgres.statements import statements
from tests.conftest import MakeDB

Column = ColumnDefinition

SEEDS = range(int(os.environ.get("FOREIGN_KEY_SEEDS", "16")))
"""More of them by hand: FOREIGN_KEY_SEEDS=500."""
STEPS = 25
ENDS = Counter[str]()
"""How the operations of all seeds ended."""
ACTIONS = ("", "NO ACTION", "RESTRICT", "CASCADE", "CASCADE", "SET NULL", "SET DEFAULT")
CAUTIOUS = (
    "references it",
    "another one would change the row at the same time",
    "it is NOT NULL",
    "has no such row",
    "which has no row",
    "which the same update changes",
)
"""What is refused though the server may accept it: that depends on the order in which it looks."""


def drawn_actions(choices: Choices, nulled: str = "") -> str:
    """Clauses of a foreign key."""
    delete, update = choices.one_of(ACTIONS), choices.one_of(ACTIONS)
    words = f" ON DELETE {delete}" if delete else ""
    if nulled and delete.startswith("SET ") and choices.chance(0.5):
        words += f" ({nulled})"
    words += f" ON UPDATE {update}" if update else ""
    return words + (" DEFERRABLE INITIALLY DEFERRED" if choices.chance(0.15) else "")


def drawn_schema(choices: Choices) -> list[TableDefinition]:
    """Tables that refer to each other, and to themselves, in all ways."""
    tables: list[TableDefinition] = []
    for place in range(choices.integer(3, 5)):
        name = f"t{place}"
        columns = [
            Column("id", "int", primary_key=True),
            Column("x", "int", nullable=choices.chance(0.3)),
            Column("y", "int", nullable=choices.chance(0.3)),
            Column("note", "text"),
        ]
        constraints = ["UNIQUE (x, y)"]
        for number in range(choices.integer(0 if place == 0 else 1, 3)):
            parent = choices.one_of([*(table.name for table in tables), name])
            if choices.chance(0.5):
                column = f"f{number}"
                reference = f"{parent} (id){drawn_actions(choices)}"
                nullable = parent == name or choices.chance(0.7)
                default = choices.one_of((None, None, "1", "999"))
                unique = choices.chance(0.15)
                columns.append(
                    Column(
                        column, "int", references=reference, nullable=nullable, default=default, unique=unique
                    )
                )
            else:
                first = choices.one_of(("x", f"a{number}", "a0"))
                second = f"b{number}"
                known = {column.name for column in columns}
                for new in (first, second):
                    if new not in known:
                        nullable = parent == name or choices.chance(0.7)
                        default = choices.one_of((None, "1"))
                        columns.append(Column(new, "int", nullable=nullable, default=default))
                full = " MATCH FULL" if choices.chance(0.2) else ""
                actions = drawn_actions(choices, second)
                constraints.append(
                    f"FOREIGN KEY ({first}, {second}) REFERENCES {parent} (x, y){full}{actions}"
                )
        tables.append(TableDefinition(name, columns, constraints=constraints))
    return tables


def drawn_operation(db: KroftDB, choices: Choices) -> Delete | Update | None:
    """Rows that are deleted or get other keys, whatever refers to them."""
    table = db.state.table(choices.one_of(list(db.state.tables)))
    if not table.rows:
        return None
    rows = choices.sample(table.rows.numbers, choices.integer(1, 3))
    if choices.chance(0.4):
        return Delete(table.definition.name, rows)
    keys = [
        column for column in table.columns if column.name in ("id", "x", "y") and not table.keys_of(column)
    ]
    if not keys or choices.chance(0.3):
        return drawn_parents(db, table, rows, choices)
    column = choices.one_of(keys)
    cells = {column.name: tuple(str(choices.integer(1, 60)) for _ in rows)}
    return Update(table.definition.name, rows, (column.name,), table.next_revision, 0, cells=cells)


def drawn_parents(db: KroftDB, table: TableState, rows: tuple[int, ...], choices: Choices) -> Update | None:
    """Rows that get other parents, and so perhaps other keys."""
    referring = [column for column in table.columns if table.keys_of(column)]
    if not referring:
        return None
    names = tuple(column.name for column in table.partners(choices.one_of(referring)))
    revision = table.next_revision
    try:
        parents = draw_parents(db.state, table, rows, choices, {}, names, revision)
    except OperationError:
        return None
    return Update(table.definition.name, rows, names, revision, 0, fresh=table.next_row, parents=parents)


def accepted(db: KroftDB, connection: psycopg.Connection, op: Delete | Update) -> bool:
    """Whether the server would do an operation; nothing stays of it."""
    asked = [query(one) for one in statements(db.state, op, write_alone(db.state, op))]
    try:
        with connection.transaction(force_rollback=True), psycopg.RawCursor(connection) as cursor:
            for one in asked:
                cursor.execute(one.text, one.values)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.errors.IntegrityError:
        return False
    return True


def refusal(state: State, operation: Delete | Update) -> str | None:
    """Why an operation does not apply, or None where it does."""
    try:
        check(state, operation)
    except OperationError as error:
        return str(error)
    return None


def planned(db: KroftDB, choices: Choices) -> None:
    """One call of a planner."""
    name, count = choices.one_of(list(db.state.tables)), choices.integer(1, 3)
    mutations = db.mutations
    calls: tuple[Callable[[str, int], int], ...] = (mutations.insert, mutations.update, mutations.delete)
    with suppress(OperationError):
        choices.one_of((mutations.insert, *calls))(name, count)


def explicit(db: KroftDB, choices: Choices, connection: psycopg.Connection) -> str:
    """Rows that go or get other keys, and how that ended."""
    operation = drawn_operation(db, choices)
    if operation is None:
        return "nothing"
    if reason := refusal(db.state, operation):
        if not accepted(db, connection, operation):
            return "refused"
        assert any(words in reason for words in CAUTIOUS), f"{operation} is refused for nothing: {reason}"
        return "cautious"
    followed = write(db.state, operation) != write_alone(db.state, operation)
    db.apply(operation)
    return "followed" if followed else "alone"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_state_follows_foreign_keys(make_db: MakeDB, seed: int) -> None:
    """What applies the server accepts, and then it holds what the state says."""
    choices = SeededChoices(seed)
    db = make_db(seed=seed)
    for table in drawn_schema(choices):
        db.apply(CreateTable(table))
        with suppress(OperationError):
            db.mutations.insert(table.name, 6)
    with db.connect() as connection:
        for _ in range(STEPS):
            if choices.chance(0.3):
                planned(db, choices)
            else:
                ENDS[explicit(db, choices, connection)] += 1
            assert db.verify()


def test_every_end_was_seen() -> None:
    """Of the operations above many were followed, and few were refused out of caution."""
    assert ENDS["followed"] > len(SEEDS)
    assert ENDS["refused"] > len(SEEDS)
    assert ENDS["cautious"] * 5 < ENDS["refused"]


KEY = Column("id", "int", primary_key=True)
PARENT = TableDefinition("p", [KEY, Column("x", "int"), Column("y", "int")], constraints=["UNIQUE (x, y)"])


def of_parent(*columns: Column, rules: tuple[str, ...] = ()) -> TableDefinition:
    return TableDefinition("c", [KEY, *columns], constraints=rules)


FULL = "FOREIGN KEY (a, b) REFERENCES p (x, y) MATCH FULL ON DELETE SET NULL (b)"
PAIR = (Column("a", "int"), Column("b", "int"))


@pytest.mark.parametrize(
    "child",
    [
        of_parent(Column("a", "int", references="p")),
        of_parent(Column("a", "int", references="p ON DELETE RESTRICT")),
        of_parent(Column("a", "int", references="p DEFERRABLE INITIALLY DEFERRED")),
        of_parent(Column("a", "int", references="p ON DELETE SET NULL", nullable=False)),
        of_parent(Column("a", "int", references="p ON DELETE SET DEFAULT", default="999")),
        of_parent(Column("a", "int", references="p ON DELETE SET DEFAULT", default="1")),
        of_parent(Column("a", "int", references="p ON DELETE SET DEFAULT", default="2", unique=True)),
        of_parent(*PAIR, rules=(FULL,)),
        of_parent(*PAIR, rules=("FOREIGN KEY (a, b) REFERENCES p (x, y)",)),
    ],
    ids=lambda child: " ".join(filter(None, [child.columns[1].references, *child.constraints])),
)
def test_what_a_foreign_key_refuses_the_server_refuses_too(make_db: MakeDB, child: TableDefinition) -> None:
    db = make_db(PARENT, child)
    db.mutations.insert("p", rows=[{"id": number, "x": number, "y": number} for number in (1, 2, 3)])
    row = {"id": 1, "a": 1} | ({"b": 1} if child.column("b") else {})
    db.mutations.insert("c", rows=[row, dict.fromkeys(row, 2)])
    with db.connect() as connection:
        refused, allowed = Delete("p", (1,)), Delete("p", (3,))
        with pytest.raises(OperationError):
            check(db.state, refused)
        assert not accepted(db, connection, refused)
        check(db.state, allowed)
        assert accepted(db, connection, allowed)
    db.apply(allowed)
    assert db.verify()


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT"])
def test_what_falls_in_an_earlier_round_protects_nothing(make_db: MakeDB, action: str) -> None:
    """The server's triggers of one round all run before those of what that round deleted."""
    one = of_parent(Column("a", "int", references="p ON DELETE CASCADE"))
    two = TableDefinition(
        "d",
        [
            KEY,
            Column("first", "int", references=f"c ON DELETE {action}"),
            Column("second", "int", references="p ON DELETE CASCADE"),
        ],
    )
    db = make_db(PARENT, one, two)
    for name, count in (("p", 2), ("c", 6), ("d", 6)):
        db.mutations.insert(name, count)
    db.apply(Delete("p", (1, 2)))
    assert [len(db.expected(name)) for name in ("p", "c", "d")] == [0, 0, 0]
    assert db.verify()


@pytest.mark.parametrize(
    "of, to",
    [
        ("numeric(10,2)", "numeric"),
        ("numeric", "numeric(10,3)"),
        ("bigint", "smallint"),
        ("text", "varchar(12)"),
        ("text[]", "text[]"),
    ],
)
def test_a_foreign_key_holds_what_its_type_makes_of_the_key(make_db: MakeDB, of: str, to: str) -> None:
    parent = TableDefinition("p", [Column("id", to, primary_key=True)])
    child = of_parent(Column("a", of, references="p ON UPDATE CASCADE"))
    given = {"numeric": ["1.5", "2"], "numeric(10,3)": ["1.5", "2"]}.get(to)
    db = make_db(parent, child)
    if given:
        db.mutations.insert("p", rows=[{"id": text} for text in given])
    else:
        db.mutations.insert("p", 4)
    db.mutations.insert("c", 8)
    assert db.verify()
    number = db.state.table("p").rows.numbers[0]
    table = db.state.table("p")
    cells = {"id": ("7.5" if to == "numeric" else "7.500",)} if given else {}
    db.apply(Update("p", (number,), ("id",), table.next_revision, 0, fresh=table.next_row, cells=cells))
    assert db.verify()
