"""What the strategies draw, the server accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Sync
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import KroftServer, start_server
from pytest_kroft.strategies import batches, evolutions, histories, mutations, tables, values
from pytest_kroft.strategies.definitions import TYPES
from tests.definitions import CUSTOMERS, FEW, LEVEL, MOOD, ORDERS, PAIRS, TREE, Column

OTHERS = (
    "varchar(3)", "char(3)", "bpchar", "name", "numeric(3,5)", "numeric(4,-2)", "timetz(0)", "timestamptz(0)",
    "interval(3)", "money[]", "jsonb[]", "timestamp(0)[]", "cidr", "oid", "xid8", '"char"', "int8multirange",
    "regtype", "path",
)  # fmt: skip
"""Types that drawn tables leave out."""


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    with start_server(server.dsn()) as lending:
        yield lending


def test_every_value_is_accepted_and_comes_back(lender: KroftServer) -> None:
    columns = [Column(f"c{place}", sql_type) for place, sql_type in enumerate((*TYPES, *OTHERS))]
    columns.append(Column("mood", MOOD.sql_type))
    columns.append(Column("moods", f"{MOOD.sql_type}[]"))
    columns.append(Column("ruled", "smallint", check="ruled BETWEEN 1 AND 5"))
    table = TableDefinition("wide", [Column("id", "serial", primary_key=True), *columns])
    row = st.fixed_dictionaries({c.name: values(c, _mood(c), unrepresentable=True) for c in columns})

    with lender.database(table, MOOD) as db:

        @FEW
        @given(st.lists(row, min_size=5, max_size=5))
        def test(drawn: list[dict[str, Any]]) -> None:
            db.mutations.insert(rows=drawn)
            db.verify()

        test()
        assert len(db.expected()) >= 60


def _mood(column: ColumnDefinition) -> Any:
    return None if column.type.builtin else MOOD


@pytest.mark.parametrize("definitions", [(ORDERS, LEVEL, CUSTOMERS, MOOD), (PAIRS, CUSTOMERS, MOOD)])
def test_a_batch_goes_into_an_empty_table(lender: KroftServer, definitions: tuple[Any, ...]) -> None:
    table = definitions[0]

    @FEW
    @given(batches(table, min_size=1, unrepresentable=True))
    def test(batch: list[dict[str, Any]]) -> None:
        with lender.database(*definitions) as db:
            db.mutations.insert("customers", 3)
            assert db.mutations.insert(table.name, rows=batch) == len(batch)
            db.verify()

    test()


def test_a_drawn_table_is_accepted_and_holds_rows(lender: KroftServer) -> None:
    @FEW
    @given(tables())
    def test(table: TableDefinition) -> None:
        with lender.database(table, rows=3, policy="everything") as db:
            db.run(batches=2, rows=4)
            db.verify()

    test()


@pytest.mark.parametrize(
    "strategy, definitions",
    [
        (histories(ORDERS, CUSTOMERS, MOOD, LEVEL, rows=3, max_steps=30), (ORDERS, CUSTOMERS, MOOD, LEVEL)),
        (mutations(TREE, max_steps=30), (TREE,)),
        (evolutions(CUSTOMERS, MOOD, max_steps=30), (CUSTOMERS, MOOD)),
    ],
)
def test_a_history_is_played(lender: KroftServer, strategy: Any, definitions: tuple[Any, ...]) -> None:
    @FEW
    @given(strategy)
    def test(history: History) -> None:
        with lender.database(*definitions) as db:
            syncs = 0
            for moment in db.play(history):
                syncs += isinstance(moment, Sync)
                db.verify()
            assert syncs == sum(isinstance(one, Sync) for one in history) >= 1

    test()


def test_a_history_under_another_seed_has_the_same_content(lender: KroftServer) -> None:
    @FEW
    @given(histories(TREE, max_steps=20))
    def test(history: History) -> None:
        *_, (_, _, after) = history.states()
        with lender.database(TREE, seed=history.seed + 1) as db:
            db.replay(history)
            db.verify()
            assert list(db.state.contents("tree")) == list(after.contents("tree"))

    test()
