"""Definitions that many tests share, and timelines in memory that hold them."""

from __future__ import annotations

from hypothesis import settings

from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.columns import ColumnDefinition
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
    Update,
)
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.evolution import EvolutionController
from pytest_kroft.planning.mutations import MutationEngine
from pytest_kroft.planning.policy import EvolutionPolicy

Column = ColumnDefinition

MODEST = settings(max_examples=40, deadline=None, derandomize=True)
"""For a property whose examples are cheap."""
FEW = settings(max_examples=12, deadline=None, derandomize=True)
"""For a property whose examples are whole histories."""

MOOD = EnumDefinition("my mood", ["sad", "ok", "it's glad"])
LEVEL = EnumDefinition("level", ["low", "high"], schema="other")

CUSTOMERS = TableDefinition(
    "customers",
    [
        Column("id", "integer", identity="always", primary_key=True),
        Column("name", "text", nullable=False),
        Column("email", "text", unique=True),
        Column("tier", "smallint", check="tier BETWEEN 1 AND 5"),
        Column("mood", MOOD.sql_type),
        Column("country", "char(2)", protected=True),
        Column("note", "text", reserved=True),
        Column("vip", "boolean", reserved=True, nullable=False),
    ],
)
ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "bigserial", primary_key=True),
        Column("customer_id", "int", references="customers"),
        Column("amount", "numeric(10,2)", nullable=False, default="0"),
        Column("tags", "text[]"),
        Column("paid", "boolean"),
        Column("day", "date"),
        Column("code", "char(5)", unique=True),
        Column("double_amount", "numeric", generated="amount * 2"),
        Column("updated_at", "timestamptz(3)"),
        Column("discount", "numeric(5,2)", reserved=True),
        Column("source", "text", reserved=True, nullable=False),
        Column("token", "uuid", reserved=True, unique=True),
        Column("seen", "timestamptz", reserved=True, default="now()"),
        Column("level", LEVEL.sql_type, reserved=True),
    ],
    updated_at="updated_at",
)
ODD = TableDefinition(
    '"; drop table x; --',
    [
        Column("select", "uuid", primary_key=True),
        Column('a"b', "text"),
        Column("Ü %s", "double precision"),
        Column(" ", "jsonb"),
        Column("raw", "bytea", reserved=True, nullable=False),
        Column("Select", "timestamp(0)"),
    ],
    updated_at="Select",
)
LOG = TableDefinition(
    "log", [Column("line", "text"), Column("n", "int"), Column("at", "date")], updated_at="at"
)
PAIRS = TableDefinition(
    "pairs",
    [
        Column("left", "int", references="customers(id)"),
        Column("right", "varchar(40)"),
        Column("value", "int"),
        Column("extra", "int4range", reserved=True),
    ],
    schema="other",
    constraints=['PRIMARY KEY ("left", "right")', "UNIQUE (value)"],
)
TREE = TableDefinition(
    "tree",
    [
        Column("id", "int", primary_key=True),
        Column("parent", "int", references="tree"),
        Column("name", "text"),
    ],
)

ENUMS = (MOOD, LEVEL)
TABLES = (CUSTOMERS, ORDERS, ODD, LOG, PAIRS, TREE)


def timeline(*tables: TableDefinition, seed: int = 1, rows: int = 0) -> Timeline:
    """A timeline in memory with both enums, these tables (all by default) and rows in each of them."""
    made = Timeline(seed)
    for enum in ENUMS:
        made.apply(CreateType(enum))
    engine = MutationEngine(made, SeededChoices(seed))
    for table in tables or TABLES:
        made.apply(CreateTable(table))
        if rows:
            engine.insert(table.name, rows)
    return made


def committed(before: State, operation: Operation) -> tuple[Operation, ...]:
    """What an operation makes visible to everyone: itself, what its session wrote, or nothing yet."""
    match operation:
        case Commit(session):
            return before.sessions[session].operations
        case Insert(session=0) | Update(session=0) | Delete(session=0):
            return (operation,)
        case Insert() | Update() | Delete() | Begin() | Rollback() | Savepoint() | RollbackTo():
            return ()
        case _:
            return (operation,)


def drive(
    made: Timeline, steps: int, policy: EvolutionPolicy | str = "everything", seed: int = 1
) -> Timeline:
    """The timeline after so many drawn steps, every other one a change of the schema."""
    chosen = EvolutionPolicy.named(policy) if isinstance(policy, str) else policy
    choices = SeededChoices(seed)
    mutations = MutationEngine(made, choices, chosen)
    evolution = EvolutionController(made, choices, chosen)
    for step in range(steps):
        if step % 2:
            evolution.evolve()
        else:
            mutations.mutate(count=4)
    return made
