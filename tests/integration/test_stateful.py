"""The state machine: its rules change a real database, and its printed steps run."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.stateful import rule, run_state_machine_as_test
from psycopg import sql
from psycopg.rows import dict_row

import pytest_kroft.stateful
from pytest_kroft.errors import DefinitionError, Mismatch, NotApplicable
from pytest_kroft.model.operations import Insert, Sync
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.planning.steps import ROWS, SCHEMA
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import KroftServer, start_server
from pytest_kroft.stateful import EvolvingDatabaseMachine
from tests.definitions import CUSTOMERS, MOOD, ORDERS, Column

ITEMS = TableDefinition(
    "items",
    [Column("id", "int", primary_key=True), Column("name", "text"), Column("at", "timestamptz")],
    updated_at="at",
)
SOON = settings(
    max_examples=200,
    stateful_step_count=15,
    deadline=None,
    database=None,
    derandomize=False,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    with start_server(server.dsn()) as lending:
        yield lending


def read(machine: EvolvingDatabaseMachine, table: str) -> list[dict[str, Any]]:
    """All rows of a table, with the columns that it has now, wherever it has moved."""
    name = machine.db.state.table(table).name
    schema = machine.db.state.table(table).definition.schema
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, name))
    with psycopg.connect(machine.db.dsn, autocommit=True, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


class Reader(EvolvingDatabaseMachine):
    """Right: reads everything anew."""

    tables = (ITEMS,)
    policy: ClassVar[EvolutionPolicy | str] = EvolutionPolicy.named("everything").without(
        "unrepresentable_value"
    )

    def sync(self) -> list[dict[str, Any]]:
        return read(self, "items")


class Everything(Reader):
    policy = EvolutionPolicy.named("everything")


class Appender(Reader):
    """Wrong: never forgets a row."""

    policy = "churn"

    def __init__(self, server: KroftServer | None = None) -> None:
        super().__init__(server)
        self.copy: dict[int, dict[str, Any]] = {}

    def sync(self) -> list[dict[str, Any]]:
        self.copy.update({row["id"]: row for row in read(self, "items")})
        return list(self.copy.values())


def run(make: Callable[[], EvolvingDatabaseMachine], chosen: settings, seed: int) -> None:
    """Run a machine as a test; Hypothesis takes a function as well as a class, and says so nowhere."""
    seeded: Any = hypothesis_seed(seed)(make)
    run_state_machine_as_test(seeded, settings=chosen)


def steps_of(machine: type[EvolvingDatabaseMachine], lender: KroftServer, seed: int = 2) -> list[str]:
    """The lines that a failing run prints."""
    with pytest.raises(Mismatch) as caught:
        run(lambda: machine(lender), SOON, seed)
    # Versions of Hypothesis differ in how many notes they write.
    shown = "\n".join(caught.value.__notes__).splitlines()
    return [line for line in shown if line.startswith("state")]


def test_a_right_consumer_never_fails(lender: KroftServer) -> None:
    run(lambda: Reader(lender), settings(SOON, max_examples=15), 1)


def test_the_steps_of_a_wrong_one_are_few_and_run_again(lender: KroftServer) -> None:
    steps = steps_of(Appender, lender)
    assert len(steps) <= 6, steps  # made, read, deleted, read, torn down; and one more at most
    names: dict[str, Any] = {"Appender": lambda: Appender(lender)}
    with pytest.raises(Mismatch):
        exec("\n".join(steps[:-1]), names)
    exec(steps[-1], names)
    assert [type(one) for one in names["state"].db.history][-1] is Sync


def test_each_change_is_a_rule_where_the_policy_has_it(lender: KroftServer) -> None:
    machine = Appender(lender)
    try:
        rules = {rule.function.__name__: rule for rule in machine.rules}
        assert rules.keys() == {"sync", "insert", "update", "delete", "delete_reinsert"}
        every = {rule.function.__name__ for rule in Everything.setup_state().rules}
        assert every == {*ROWS, *SCHEMA, "sync"}
    finally:
        machine.teardown()


def test_what_needs_rows_waits_for_them(lender: KroftServer) -> None:
    class Bare(Appender):
        rows = 0

    machine = Bare(lender)
    try:
        rules = {rule.function.__name__: rule for rule in machine.rules}
        open_to = {name for name, one in rules.items() if all(p(machine) for p in one.preconditions)}
        assert open_to == {"sync", "insert"}
    finally:
        machine.teardown()


def test_picks_decide_and_end_in_zeros(lender: KroftServer) -> None:
    machine: Any = Reader(lender)  # its rules are made, not written
    try:
        machine.insert(table="items", picks=[0, 2])
        machine.drop_column(table="items", picks=[])
        machine.sync()
        inserted = machine.db.history[2]
        assert isinstance(inserted, Insert)
        assert inserted.count == 3
        assert machine.db.state.table("items").names == ("id", "at")
        assert [call.name for call in machine.db.history.calls][-3:] == [
            "state.insert(items)",
            "state.drop_column(items)",
            "state.sync()",
        ]
    finally:
        machine.teardown()


class Both(EvolvingDatabaseMachine):
    tables: ClassVar = (ORDERS, CUSTOMERS, MOOD)
    policy = "churn"

    def sync(self) -> dict[str, Any]:
        return {name: read(self, name) for name in ("orders", "customers")}


def test_several_tables_are_a_mapping(lender: KroftServer) -> None:
    run(lambda: Both(lender), settings(SOON, max_examples=5), 1)


def test_one_table_of_several_is_not_enough(lender: KroftServer) -> None:
    class One(Both):
        def sync(self) -> dict[str, Any]:
            return {"orders": read(self, "orders")}

    machine = One(lender)
    try:
        with pytest.raises(NotApplicable, match=r"each table's name \(customers, orders\)"):
            machine.sync()
    finally:
        machine.teardown()


def test_a_machine_that_lacks_something_says_what(lender: KroftServer) -> None:
    class Unsynced(EvolvingDatabaseMachine):
        tables = (ITEMS,)

    class Untabled(EvolvingDatabaseMachine):
        def sync(self) -> list[Any]:
            return []

    with pytest.raises(DefinitionError, match=r"Unsynced needs a method sync\(self\)"):
        Unsynced(lender)
    with pytest.raises(DefinitionError, match="Untabled names no table"):
        Untabled(lender)


class WrongSync:
    """A mixin whose sync never reads."""

    def sync(self) -> list[dict[str, Any]]:
        return [{"id": "wrong"}]


@pytest.mark.parametrize("parent", [EvolvingDatabaseMachine, Reader])
def test_a_sync_of_a_mixin_is_a_rule_and_compared(
    lender: KroftServer, parent: type[EvolvingDatabaseMachine]
) -> None:
    class Mixed(WrongSync, parent):  # type: ignore[misc, valid-type]
        tables = (ITEMS,)
        policy = "calm"

    class Heir(Mixed):
        policy = "churn"

    for one in (Mixed, Heir):
        with pytest.raises(Mismatch):
            run(lambda one=one: one(lender), settings(SOON, max_examples=5), 1)  # type: ignore[misc]


def test_an_inherited_sync_is_compared_once(lender: KroftServer) -> None:
    class Heir(Appender):
        pass

    machine = Heir(lender)
    try:
        machine.sync()
        assert [type(one) for one in machine.db.history].count(Sync) == 1
    finally:
        machine.teardown()


class OwnUpdate:
    """A mixin with a rule that is named like a kind of change."""

    @rule()
    def update(self) -> None:
        pass


def test_a_rule_named_like_a_change_is_refused() -> None:
    told = r"Own\.{0}: '{0}' is the name of one of kroft's rules.*choose another name"
    for kind in (*ROWS, *SCHEMA):
        with pytest.raises(DefinitionError, match=told.format(kind)):
            type("Own", (Reader,), {kind: rule()(lambda _: None)})
    with pytest.raises(DefinitionError, match=told.format("delete")):
        type("Own", (Reader,), {"delete": None})


@pytest.mark.parametrize("bases", [(OwnUpdate, Reader), (Reader, OwnUpdate)])
def test_a_rule_of_a_mixin_named_like_a_change_is_refused(bases: tuple[type, ...]) -> None:
    with pytest.raises(DefinitionError, match=r"Own\.update: 'update' is the name of one of kroft's rules"):
        type("Own", bases, {})


def test_its_test_case_runs_with_the_server_of_the_class(lender: KroftServer) -> None:
    class Lent(Reader):
        server = lender

    case: Any = Lent.TestCase()
    case.settings = settings(SOON, max_examples=3)
    case.runTest()


def test_without_a_server_all_share_one(lender: KroftServer, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[KroftServer] = []

    def start() -> KroftServer:
        started.append(lender)
        return lender

    closing: list[Any] = []
    monkeypatch.setattr(pytest_kroft.stateful, "start_server", start)
    monkeypatch.setattr(atexit, "register", closing.append)
    pytest_kroft.stateful.shared_server.cache_clear()
    try:
        for _ in range(2):
            Reader().teardown()
    finally:
        pytest_kroft.stateful.shared_server.cache_clear()
    assert (len(started), closing) == (1, [lender.close])
