"""What an example of a search costs: 25 operations by kroft beside a script written by hand.

Both empty the same database, create the table and do the same 25 transactions; the script sends the very
statements in one pipeline, and plans, checks and remembers nothing. In turn, so that a slow machine slows
both. Run it with `tox -e bench`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import psycopg

from pytest_kroft.model.columns import ColumnDefinition as Column
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import (
    AddColumn,
    CreateTable,
    Delete,
    DropColumn,
    Insert,
    Operation,
    Update,
)
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.postgres.databases import Database, Databases
from pytest_kroft.postgres.executor import Executor
from pytest_kroft.postgres.queries import Query, query
from pytest_kroft.postgres.statements import statements

ROUNDS = 60
WARM_UP = 10
LARGEST_RATIO = 1.5

ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "bigint", primary_key=True),
        Column("amount", "numeric(10,2)", nullable=False),
        Column("note", "text"),
        Column("updated_at", "timestamptz"),
    ],
    updated_at="updated_at",
)
MORE = Column("more", "integer", default="7")
START = 1_600_000_000_000_000


def operations() -> list[Operation]:
    """A table, and 25 transactions on it: inserts, updates, deletes, a column added and dropped."""
    made: list[Operation] = [CreateTable(ORDERS)]
    for turn in range(7):
        stamp, row = START + 1000 * turn, 1 + 2 * turn
        made.append(Insert("orders", row, 2, stamp))
        made.append(Update("orders", (row, row + 1), ("amount", "note"), row, stamp))
        made.append(Update("orders", (row,), ("note",), row + 1, stamp))
    made[11:11] = [AddColumn("orders", MORE)]
    return [*made, Delete("orders", (1, 3)), Delete("orders", (2,)), DropColumn("orders", "more")]


def queries(done: Sequence[Operation]) -> list[Query]:
    """The statements of operations, one for each, as a script has them."""
    history = History(7, operations=list(done))
    return [query(one) for before, op, after in history.states() for one in statements(before, op, after)]


def by_hand(connection: psycopg.Connection[Any], sent: Sequence[Query]) -> None:
    """Send statements in one pipeline, each a transaction of its own."""
    with connection.pipeline():
        for one in sent:
            connection.execute("BEGIN")
            psycopg.RawCursor(connection).execute(one.text, one.values)
            connection.execute("COMMIT")


def by_kroft(connection: psycopg.Connection[Any], done: Sequence[Operation]) -> None:
    """Check, carry out, fold and record operations in one call."""
    for _ in Timeline(7, Executor(connection)).perform("bench", lambda: done):
        pass


Work = Callable[[psycopg.Connection[Any]], None]


@contextmanager
def example(databases: Databases) -> Iterator[Callable[[Work], float]]:
    """A function that empties a database, does something in it, and says how many milliseconds that took."""
    taken: Database = databases.acquire()
    with psycopg.connect(taken.dsn, autocommit=True) as connection:
        spare = [connection.info.backend_pid]

        def timed(work: Work) -> float:
            start = time.perf_counter()
            databases.reset(taken, spare)
            work(connection)
            return (time.perf_counter() - start) * 1000

        yield timed
    databases.release(taken)


def test_an_example_costs_at_most_half_more_than_a_script(databases: Databases) -> None:
    done = operations()
    assert len(done) == 26
    sent = queries(done)
    assert len(sent) == 26
    ways: dict[str, Work] = {
        "reset alone": lambda opened: None,
        "by hand": lambda opened: by_hand(opened, sent),
        "kroft": lambda opened: by_kroft(opened, done),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    with example(databases) as timed:
        for _ in range(WARM_UP + ROUNDS):
            for name, work in ways.items():
                spent[name].append(timed(work))
    costs = {name: median(found[WARM_UP:]) for name, found in spent.items()}
    ratios = [mine / theirs for mine, theirs in zip(spent["kroft"], spent["by hand"], strict=True)]
    ratio = median(ratios[WARM_UP:])
    print(f"\na reset, a table, and 25 transactions; median of {ROUNDS} rounds, in turn:")
    for name, cost in costs.items():
        print(f"  {name:<12} {cost:6.2f} ms   {cost / costs['by hand']:5.2f}")
    print(f"  kroft to by hand, round by round: {ratio:.2f}")
    assert ratio <= LARGEST_RATIO
