"""What applies beside open transactions: nothing that one session would make another wait for."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import DefinitionError, NotApplicable
from pytest_kroft.model.check import applies, check
from pytest_kroft.model.check_sessions import MOST_SESSIONS
from pytest_kroft.model.clock import LATEST, START
from pytest_kroft.model.fold import apply
from pytest_kroft.model.operations import (
    AddColumn,
    Begin,
    Commit,
    CreateTable,
    CreateType,
    Delete,
    Insert,
    Observed,
    Operation,
    Rollback,
    RollbackTo,
    Savepoint,
    Sync,
    Truncate,
    Update,
)
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from tests.definitions import CUSTOMERS, LOG, ORDERS, TREE, Column, timeline

OPAQUE = TableDefinition(
    "opaque", [Column("a", "int", primary_key=True), Column("b", "int", generated="a * 2")]
)
RANGES = TableDefinition(
    "ranges",
    [Column("a", "int", primary_key=True), Column("r", "int4range")],
    constraints=["EXCLUDE USING gist (r WITH &&)"],
)


def at(*operations: Operation) -> State:
    """Customers 1 to 4, orders 1 to 3 of customers 1, 1 and 2, two lines of log, and what came after them."""
    made = timeline(CUSTOMERS, PLAIN_ORDERS, LOG, TREE, OPAQUE, RANGES)
    made.apply(Insert("customers", 1, 4, START))
    made.apply(Insert("orders", 1, 3, START, parents={"customer_id": (1, 1, 2)}))
    made.apply(Insert("log", 1, 2, START))
    made.apply(Begin(1, START + 1))
    for operation in operations:
        made.apply(operation)
    return made.state


PLAIN_ORDERS = TableDefinition(
    "orders", [column for column in ORDERS.columns if not column.generated], updated_at="updated_at"
)


def customers(rows: tuple[int, ...] = (1,), *, session: int = 0, revision: int = 5, **cells: str) -> Update:
    given = {name: (text,) * len(rows) for name, text in (cells or {"name": "Ann"}).items()}
    return Update("customers", rows, tuple(given), revision, START + 2, cells=given, session=session)


def order(first: int, parent: int | None, session: int = 0) -> Insert:
    return Insert("orders", first, 1, START + 2, parents={"customer_id": (parent,)}, session=session)


def email(first: int, text: str, session: int = 0) -> Insert:
    return Insert("customers", first, 1, START + 2, cells={"email": (text,)}, session=session)


BEGIN_2 = Begin(2, START + 2)
WAITING: list[tuple[list[Operation], Operation, str]] = [
    # Rows
    ([customers(session=1)], customers(revision=6), "row number 1 of 'customers' is locked: session 1"),
    ([customers((4,), session=1)], Delete("customers", (3, 4)), "row number 4 of 'customers' is locked"),
    ([Delete("customers", (4,), session=1)], customers((4,)), "row number 4 of 'customers' is locked"),
    ([customers(session=1), BEGIN_2], customers(revision=6, session=2), "commit session 1 or roll it back"),
    (
        [customers(session=1)],
        Observed("customers", "test", (1,), {"name": ("x",)}),
        "row number 1 of 'customers' is locked",
    ),
    # References
    ([order(4, 4, 1)], Delete("customers", (4,)), "row number 4 of 'customers' is locked"),
    ([order(4, 4, 1)], customers((4,)), "row number 4 of 'customers' is locked"),
    ([customers((4,), session=1)], order(4, 4), "row number 4 of 'customers' is locked"),
    ([Delete("customers", (4,), session=1)], order(4, 4), "row number 4 of 'customers' is locked"),
    (
        [Insert("orders", 4, 1, START, cells={"customer_id": ("4",)}, session=1)],
        Delete("customers", (4,)),
        "row number 4 of 'customers' is locked",
    ),
    (
        [Update("orders", (3,), ("customer_id",), 5, START, parents={"customer_id": (4,)}, session=1)],
        Delete("customers", (4,)),
        "row number 4 of 'customers' is locked",
    ),
    # The server looks for a row's parents again where it changes for the second time.
    (
        [Update("orders", (3,), ("paid",), 5, START, session=1)],
        customers((2,), revision=6),
        "row number 2 of 'customers' is locked",
    ),
    # Unique values
    ([email(5, "a@b", 1)], email(6, "a@b"), "would repeat a unique value: email a@b"),
    ([customers((4,), email="a@b", session=1)], email(5, "a@b"), "would repeat a unique value"),
    # It has taken the value back, and yet holds its entry in the index.
    ([email(5, "a@b", 1), Delete("customers", (5,), session=1)], email(6, "a@b"), "would repeat"),
    # Tables without a key
    ([Insert("log", 3, 1, START, session=1)], Delete("log", (1, 2)), "table 'log' is locked"),
    ([Delete("log", (1, 2), session=1)], Insert("log", 3, 1, START), "table 'log' is locked"),
    # The schema
    ([customers(session=1)], Truncate("log"), "table 'log' cannot be truncated: session 1 has written"),
    ([customers(session=1)], AddColumn("log", Column("x", "int")), "the schema cannot change: session 1"),
    ([customers(session=1)], CreateType(EnumDefinition("e", ["a"])), "the schema cannot change"),
    (
        [Savepoint(1, "a"), customers(session=1), RollbackTo(1, "a")],
        AddColumn("log", Column("x", "int")),
        "the schema cannot change",
    ),
]


@pytest.mark.parametrize("before, operation, reason", WAITING)
def test_what_would_wait_for_a_session_is_refused_until_it_ends(before, operation, reason):
    state = at(*before)
    with pytest.raises(NotApplicable, match=reason):
        check(state, operation)
    assert not applies(state, operation)
    assert applies(apply(state, Rollback(1)), operation)


@pytest.mark.parametrize(
    "before, operation, reason",
    [
        ([customers(session=1)], Delete("customers", (1,)), "references it"),
        ([Insert("customers", 5, 1, START, session=1)], order(4, 5), "number 5 of 'customers', a parent"),
        ([Delete("orders", (3,), session=1)], Delete("customers", (2,)), "references it"),
        # It would wait for the row that goes, to see whether it stays.
        (
            [email(5, "a@b"), Delete("customers", (5,), session=1)],
            email(6, "a@b"),
            "would repeat a unique value",
        ),
    ],
)
def test_what_is_committed_stands_in_the_way_until_the_commit_takes_it_away(before, operation, reason):
    state = at(*before)
    with pytest.raises(NotApplicable, match=reason):
        check(state, operation)
    assert not applies(apply(state, Rollback(1)), operation)


@pytest.mark.parametrize(
    "before, operation",
    [
        ([customers(session=1)], customers((2,), revision=6)),
        ([customers(session=1)], customers(revision=6, session=1)),
        ([order(4, 4, 1)], order(5, 4)),
        ([order(4, 4, 1)], customers((3,))),
        ([Insert("customers", 5, 1, START, session=1)], order(4, 5, 1)),
        ([Insert("customers", 5, 1, START, session=1)], Insert("customers", 6, 1, START)),
        ([email(5, "a@b", 1)], email(6, "a@c")),
        ([email(5, "a@b"), Delete("customers", (5,), session=1)], email(6, "a@b", 1)),
        ([Savepoint(1, "a"), email(5, "a@b", 1), RollbackTo(1, "a")], email(6, "a@b")),
        ([Savepoint(1, "a"), customers(session=1), RollbackTo(1, "a")], customers(revision=6)),
        ([Insert("log", 3, 1, START, session=1)], Insert("log", 4, 1, START)),
        ([Insert("log", 3, 1, START, session=1)], Delete("log", (1, 2, 3), session=1)),
        ([], AddColumn("log", Column("x", "int"))),
        ([Savepoint(1, "a")], Truncate("log")),
        ([customers(session=1)], Sync()),
        ([customers(session=1)], Observed("customers", "test", (5,), {"name": ("x",)})),
        ([], Insert("opaque", 1, 1, START)),
    ],
)
def test_what_waits_for_nobody_applies(before, operation):
    check(at(*before), operation)


@pytest.mark.parametrize(
    "before, operation, error, reason",
    [
        ([], Begin(1, START), NotApplicable, "session 1 has begun a transaction already"),
        (
            [BEGIN_2],
            Begin(3, START),
            NotApplicable,
            "2 sessions are open, .*; end one of 1, 2",
        ),
        ([], Begin(-1, START), NotApplicable, "sessions are numbered from 1, not -1; 0 commits at once"),
        ([], Begin(2, LATEST + 1), NotApplicable, "outside the years 1 to 9999"),
        ([], Commit(2), NotApplicable, "session 2 has begun no transaction; open sessions: 1"),
        ([Commit(1)], Rollback(1), NotApplicable, "session 1 has begun no transaction; open sessions: none"),
        ([], Delete("customers", (4,), session=2), NotApplicable, "session 2 has begun no transaction"),
        ([], Delete("customers", (4,), session=-1), NotApplicable, "session -1 has begun no transaction"),
        ([], RollbackTo(1, "b"), NotApplicable, "session 1 has no savepoint 'b'; it has: none"),
        ([Savepoint(1, "a")], RollbackTo(1, "b"), NotApplicable, "no savepoint 'b'; it has: a"),
        (
            [Savepoint(1, "a"), Savepoint(1, "b"), RollbackTo(1, "a")],
            RollbackTo(1, "b"),
            NotApplicable,
            "no savepoint 'b'; it has: a",
        ),
        ([], Savepoint(1, "x" * 64), DefinitionError, "64 bytes"),
        (
            [],
            Insert("opaque", 1, 1, START, session=1),
            NotApplicable,
            "only the server computes .* 'b'",
        ),
        ([], Insert("ranges", 1, 1, START, session=1), NotApplicable, "EXCLUDE constraint"),
        ([customers(session=1)], customers(session=1), NotApplicable, "revision 5 .* was used before"),
        (
            [Insert("customers", 5, 1, START, session=1), Rollback(1)],
            Insert("customers", 5, 1, START),
            NotApplicable,
            "row number 5 of 'customers' was used before; the next is 6",
        ),
        ([Delete("customers", (4,), session=1)], customers((4,), session=1), NotApplicable, "no such row"),
    ],
)
def test_what_a_session_cannot_do_is_refused(before, operation, error, reason):
    with pytest.raises(error, match=reason):
        check(at(*before), operation)


def test_so_many_sessions_may_be_open():
    state = at()
    for number in range(2, MOST_SESSIONS + 1):
        state = apply(state, Begin(number, START))
    assert len(state.sessions) == MOST_SESSIONS
    assert not applies(state, Begin(MOST_SESSIONS + 1, START))
    assert applies(apply(state, Commit(1)), Begin(MOST_SESSIONS + 1, START))


def test_a_table_with_triggers_is_written_in_no_session_nor_beside_one_that_has_written():
    made = timeline()
    loud = TableDefinition("loud", [Column("id", "int", primary_key=True)], triggers=["stamp it"])
    for operation in (CreateTable(loud), Begin(1, START)):
        made.apply(operation)
    with pytest.raises(NotApplicable, match="written in session 1: what its trigger 'stamp it'"):
        made.apply(Insert("loud", 1, 1, START, session=1))
    made.apply(Insert("loud", 1, 1, START))
    made.apply(Insert("log", 1, 1, START, session=1))
    words = r"'loud' cannot be written, whose triggers .*: session 1 has written"
    with pytest.raises(NotApplicable, match=words):
        made.apply(Insert("loud", 2, 1, START))


def test_a_closed_table_is_written_in_no_session():
    made = timeline()
    shut = TableDefinition("shut", [Column("id", "int", primary_key=True)], closed="a rule")
    made.apply(CreateTable(shut))
    made.apply(Begin(1, START))
    with pytest.raises(NotApplicable, match="'shut' cannot be written in session 1: a rule"):
        made.apply(Insert("shut", 1, 1, START, session=1))
