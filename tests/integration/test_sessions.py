"""Scripted transactions on the real server: what others see, and that no session ever waits for another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_kroft.errors import NotApplicable
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.operations import (
    Begin,
    Commit,
    CreateTable,
    CreateType,
    Delete,
    Insert,
    Operation,
    Rollback,
    RollbackTo,
    Savepoint,
    Sync,
    Update,
)
from pytest_kroft.model.sessions import seen
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.postgres.databases import Database, Databases
from pytest_kroft.postgres.executor import Executor
from pytest_kroft.postgres.script import SETTINGS, script
from pytest_kroft.simulation import SimulationRunner
from pytest_kroft.verification import content_difference
from tests.definitions import CUSTOMERS, ENUMS, LOG, ODD, ORDERS, TREE, Column
from tests.integration.test_script import psql

ITEMS = TableDefinition(
    "items",
    [
        Column("id", "int", primary_key=True),
        Column("customer_id", "int", references="customers"),
        Column("code", "varchar(12)", unique=True),
        Column("n", "int"),
        Column("at", "timestamptz"),
    ],
    updated_at="at",
)
TABLES = (CUSTOMERS, ITEMS, ORDERS, ODD, LOG, TREE)


class Server:
    """A database with a connection for each session; where one waits for a lock, it is an error."""

    def __init__(self, dsn: str, opened: ExitStack) -> None:
        self._dsn, self._opened = dsn, opened
        self.consumer = self.connect(0)
        self._executor = Executor(self.connect(0), self.connect)
        self.made = Timeline(1, self._executor)

    def connect(self, number: int) -> psycopg.Connection[Any]:
        del number
        connection = self._opened.enter_context(
            psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None)
        )
        for setting in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", setting)
        # Nobody ever waits here, so that how long does not matter.
        connection.execute("SET lock_timeout = '2s'")
        return connection

    def begin(self, *tables: TableDefinition, rows: int = 3, seed: int = 1) -> Timeline:
        self.made = Timeline(seed, self._executor)
        for enum in ENUMS:
            self.made.apply(CreateType(enum))
        for table in tables:
            self.made.apply(CreateTable(table))
            MutationEngine(self.made, SeededChoices(seed)).insert(table.name, rows)
        return self.made

    def verify(self) -> None:
        """Others see what is committed."""
        for name in self.made.state.tables:
            content_difference(self.consumer, self.made.state, name).raise_if_different()


@pytest.fixture
def server_side(databases: Databases) -> Iterator[Server]:
    taken = databases.acquire()
    with ExitStack() as opened:
        yield Server(taken.dsn, opened)
    databases.release(taken)


def test_rows_appear_where_their_session_commits(server_side: Server) -> None:
    made = server_side.begin(CUSTOMERS, LOG)
    schedule: list[Operation] = [
        Begin(1, START + 1),
        Insert("customers", 4, 1, START + 1, session=1),
        Begin(2, START + 2),
        Update("customers", (1,), ("name",), 1, START + 2, session=2),
        Insert("log", 4, 2, START + 2, session=2),
        Insert("customers", 5, 1, START + 3),
        Savepoint(1, "here"),
        Delete("customers", (2,), session=1),
        RollbackTo(1, "here"),
        Delete("customers", (2,)),
        Commit(2),
        Delete("customers", (3, 4), session=1),
        Rollback(1),
        Begin(1, START + 4),
        Update("customers", (3,), ("tier",), 2, START + 4, session=1),
        Commit(1),
    ]
    for operation in schedule:
        made.apply(operation)
        server_side.verify()
    assert made.state.table("customers").rows.numbers == [1, 3, 5]


@pytest.mark.parametrize("policy", ["everything", "late_commit", "rollback"])
def test_no_drawn_history_waits_and_others_see_what_is_committed(server_side: Server, policy: str) -> None:
    hazards = EvolutionPolicy.named(policy) if policy == "everything" else EvolutionPolicy({policy, "delete"})
    made = server_side.begin(*TABLES)
    open_at_syncs = 0
    for seed in range(4):
        choices = SeededChoices(seed)
        mutations = MutationEngine(made, choices, hazards)
        runner = SimulationRunner(made, choices, mutations, EvolutionController(made, choices, hazards))
        for _ in runner.stream(15, 12):
            open_at_syncs += bool(made.state.sessions)
            server_side.verify()
    assert not made.state.sessions
    assert open_at_syncs > 5


@pytest.mark.parametrize("seed", range(3))
def test_the_script_builds_what_was_committed(
    server_side: Server, database: Database, tmp_path: Path, seed: int
) -> None:
    made = server_side.begin(*TABLES, seed=seed)
    policy = EvolutionPolicy({"late_commit", "rollback", "delete", "delete_reinsert", "key_change"})
    mutations = MutationEngine(made, SeededChoices(seed), policy)
    for _ in range(80):
        mutations.mutate(count=4)
    made.apply(Sync())
    assert any(isinstance(operation, Commit) for operation in made.history)
    file = tmp_path / "history.sql"
    file.write_text(script(made.history), encoding="utf-8")
    done = psql(database.dsn, file)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        for setting in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", setting)
        for name in made.state.tables:
            content_difference(connection, made.state, name).raise_if_different()


def test_the_next_number_of_an_identity_is_free_whoever_took_the_last(server_side: Server) -> None:
    made = server_side.begin(CUSTOMERS)
    for operation in (
        Begin(1, START + 1),
        Insert("customers", 4, 1, START + 1, cells={"id": ("50",)}, session=1),
        Insert("customers", 5, 1, START + 2),
        Commit(1),
    ):
        made.apply(operation)
    with server_side.consumer.cursor() as cursor:
        cursor.execute("INSERT INTO customers (name) VALUES ('Ann') RETURNING id")
        assert cursor.fetchall() == [(51,)]


def test_a_session_sees_its_own_work_on_the_server(server_side: Server) -> None:
    made = server_side.begin(CUSTOMERS)
    made.apply(Begin(1, START + 1))
    made.apply(Insert("customers", 4, 1, START + 1, session=1))
    made.apply(Update("customers", (4,), ("name",), 1, START + 1, cells={"name": ("Ann",)}, session=1))
    assert len(seen(made.state, 1).table("customers").rows) == 4
    with pytest.raises(NotApplicable, match="there is no such row"):
        made.apply(Delete("customers", (4,)))
    made.apply(Delete("customers", (4,), session=1))
    made.apply(Commit(1))
    server_side.verify()
