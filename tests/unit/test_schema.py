"""Changes of tables and columns, one call each."""

from __future__ import annotations

import pytest

from pytest_kroft.errors import (
    AlreadyExists,
    DefinitionError,
    KroftError,
    NotApplicable,
    OperationError,
    Protected,
    UnknownColumn,
    UnknownTable,
    UnknownType,
)
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.operations import (
    AddColumn,
    AddEnumValue,
    AlterType,
    CreateTable,
    CreateType,
    DropColumn,
    DropTable,
    DropType,
    RenameColumn,
    RenameTable,
    SetDefault,
    SetNullable,
    Truncate,
)
from pytest_kroft.model.tables import EnumDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.policy import EvolutionPolicy
from pytest_kroft.planning.schema import SchemaManager
from tests.definitions import CUSTOMERS, LEVEL, LOG, MOOD, ODD, ORDERS, TREE, Column, timeline


def manager(made: Timeline, policy: str = "everything", seed: int = 1) -> SchemaManager:
    return SchemaManager(made, SeededChoices(seed), EvolutionPolicy.named(policy))


MOOD2 = EnumDefinition("mood2", ["a"])

CALLS = [
    (lambda s: s.create_table(TREE), CreateTable(TREE)),
    (lambda s: s.drop_table("log"), DropTable("log")),
    (lambda s: s.rename_table("log", "x"), RenameTable("log", "x")),
    (lambda s: s.truncate("log"), Truncate("log")),
    (lambda s: s.add_column("log", "a", sql_type="int"), AddColumn("log", Column("a", "int"))),
    (lambda s: s.add_column("log", Column("a", "int")), AddColumn("log", Column("a", "int"))),
    (lambda s: s.drop_column("log", "n"), DropColumn("log", "n")),
    (lambda s: s.rename_column("log", "n", "m"), RenameColumn("log", "n", "m")),
    (lambda s: s.alter_type("log", "n", "bigint"), AlterType("log", "n", "bigint")),
    (lambda s: s.set_nullable("log", "n"), SetNullable("log", "n", nullable=True)),
    (lambda s: s.set_nullable("log", "n", nullable=False), SetNullable("log", "n", nullable=False)),
    (lambda s: s.set_default("log", "n", default="5"), SetDefault("log", "n", "5")),
    (lambda s: s.set_default("log", "n", default=None), SetDefault("log", "n", None)),
    (lambda s: s.create_type(MOOD2), CreateType(MOOD2)),
    (lambda s: s.drop_type("level"), DropType("level")),
    (lambda s: s.add_enum_value("level", "x", "low"), AddEnumValue("level", "x", "low")),
]


@pytest.mark.parametrize("call, operation", CALLS, ids=lambda value: type(value).__name__)
def test_each_call_applies_one_operation(call, operation):
    made = timeline(CUSTOMERS, LOG)
    version = manager(made).version
    call(manager(made))
    assert made.history[-1] == operation
    assert manager(made).version == version + (0 if isinstance(operation, Truncate) else 1)


ALONE = [
    (lambda s: s.drop_table(), DropTable("log")),
    (lambda s: s.rename_table("x"), RenameTable("log", "x")),
    (lambda s: s.truncate(), Truncate("log")),
    (lambda s: s.add_column("a", sql_type="int"), AddColumn("log", Column("a", "int"))),
    (lambda s: s.add_column(Column("a", "int")), AddColumn("log", Column("a", "int"))),
    (lambda s: s.drop_column("n"), DropColumn("log", "n")),
    (lambda s: s.rename_column("n", "m"), RenameColumn("log", "n", "m")),
    (lambda s: s.alter_type("n", "bigint"), AlterType("log", "n", "bigint")),
    (lambda s: s.set_nullable("n"), SetNullable("log", "n", nullable=True)),
    (lambda s: s.set_default("n", default="5"), SetDefault("log", "n", "5")),
]


@pytest.mark.parametrize("call, operation", ALONE, ids=lambda value: type(value).__name__)
def test_the_only_table_need_not_be_named(call, operation):
    made = timeline(LOG)
    call(manager(made))
    assert made.history[-1] == operation
    many = timeline(CUSTOMERS, LOG)
    before = many.state
    with pytest.raises(NotApplicable, match="say which table"):
        call(manager(many))
    assert many.state is before


REFUSED = [
    (lambda s: s.create_table(LOG), AlreadyExists, "'log'"),
    (lambda s: s.drop_table("x"), UnknownTable, "'x'"),
    (lambda s: s.drop_column("customers", "id"), Protected, "'id'"),
    (lambda s: s.drop_column("customers", "country"), Protected, "'country'"),
    (lambda s: s.drop_column("customers", "nick"), UnknownColumn, "'nick'"),
    (lambda s: s.drop_column("nowhere", "nick"), UnknownTable, "'nowhere'"),
    (lambda s: s.drop_column("a", "b", "c"), NotApplicable, "takes column.* 3 are given"),
    (lambda s: s.rename_column("a"), NotApplicable, "takes column and new_name"),
    (lambda s: s.add_column("customers", "name"), AlreadyExists, "'name'"),
    (lambda s: s.add_column("customers", "name", sql_type="int"), AlreadyExists, "'name'"),
    (lambda s: s.add_column("customers", Column("name", "int")), AlreadyExists, "'name'"),
    (lambda s: s.add_column("customers", "nick"), NotApplicable, "'nick'.*reserved.*note, vip"),
    (lambda s: s.add_column("customers", "nick", sql_type="nothing"), UnknownType, "nothing"),
    (lambda s: s.add_column("customers", "nick", sql_type="numeric(0)"), DefinitionError, "'nick'"),
    (lambda s: s.add_column("customers", "a", "b"), NotApplicable, "a table and a column at most"),
    (lambda s: s.add_column("log"), NotApplicable, "'log' has no reserved column left"),
    (lambda s: s.alter_type("customers", "name", "nothing"), UnknownType, "nothing"),
    (lambda s: s.set_nullable("customers", "id"), Protected, "'id'"),
    (lambda s: s.set_default("customers", "id", default="1"), NotApplicable, "'id'"),
    (lambda s: s.drop_type("x"), UnknownType, "'x'"),
    (lambda s: s.create_type(MOOD), AlreadyExists, "'my mood'"),
    (lambda s: s.add_enum_value("level", "low"), AlreadyExists, "'low'"),
]


@pytest.mark.parametrize("call, error, reason", REFUSED)
def test_what_cannot_be_is_refused_and_the_next_call_works(call, error, reason):
    made = timeline(CUSTOMERS, LOG, rows=2)
    schema = manager(made)
    before, length = made.state, len(made.history)
    with pytest.raises(error, match=reason) as caught:
        call(schema)
    assert isinstance(caught.value, KroftError)
    assert made.state is before
    assert len(made.history) == length
    schema.drop_column("log", "n")
    assert made.state.version == before.version + 1


def test_what_a_table_has():
    made = timeline(CUSTOMERS, ORDERS, LOG)
    schema = manager(made)
    assert schema.active("log") == ("line", "n", "at")
    assert schema.reserved("customers") == ("note", "vip")
    assert schema.protected("customers") == ("id", "country")
    assert schema.protected("orders") == ("id", "updated_at")
    assert schema.tombstones("log") == ()
    assert manager(timeline(LOG)).active() == ("line", "n", "at")
    with pytest.raises(UnknownTable):
        schema.active("x")


def test_a_reserved_column_is_added_by_name_or_drawn():
    made = timeline(CUSTOMERS)
    schema = manager(made)
    assert schema.add_column("customers", "note") == "note"
    assert schema.reserved() == ("vip",)
    assert schema.add_column("customers") == "vip"
    assert schema.active()[-2:] == ("note", "vip")
    with pytest.raises(OperationError, match="no reserved column left"):
        schema.add_column()
    drawn = {manager(timeline(CUSTOMERS), seed=seed).add_column() for seed in range(20)}
    assert drawn == {"note", "vip"}


def test_a_column_without_a_default_gets_one_where_rows_need_it():
    empty, filled = timeline(CUSTOMERS, ODD), timeline(CUSTOMERS, ODD, rows=5)
    for made in (empty, filled):
        manager(made).add_column("customers", "vip")
        manager(made).add_column(ODD.name, "raw")
    assert [op.column.default for op in empty.history.operations[-2:]] == [None, None]
    vip, raw = (op.column.default for op in filled.history.operations[-2:])
    assert vip in ("'true'::boolean", "'false'::boolean")
    assert raw.endswith("::bytea")
    assert None not in [row[-1] for row in filled.state.contents(ODD.name)]
    manager(filled).add_column("customers", Column("x", "int", nullable=False, default="7"))
    assert filled.history[-1].column.default == "7"


def test_a_dropped_column_leaves_a_tombstone():
    made = timeline(CUSTOMERS, rows=2)
    schema = manager(made)
    schema.drop_column("email")
    (stone,) = schema.tombstones()
    assert (stone.name, stone.sql_type, stone.stamp, stone.definition) == (
        "email",
        "text",
        made.state.now,
        CUSTOMERS.column("email"),
    )
    assert stone.version == schema.version == made.state.version
    assert "email" not in schema.active()


@pytest.mark.parametrize("policy", ["everything", "breaking"])
@pytest.mark.parametrize("sql_type, held", [(None, "text"), ("int", "integer")])
def test_a_dropped_name_comes_back_where_the_policy_lets_it(policy, sql_type, held):
    made = timeline(CUSTOMERS, rows=2)
    schema = manager(made, policy)
    schema.drop_column("email")
    assert schema.add_column("email", sql_type=sql_type) == "email"
    assert str(made.state.table("customers").column("email").type) == held


@pytest.mark.parametrize("policy", ["evolving", "calm"])
@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.add_column("email"),
        lambda s: s.add_column("email", sql_type="int"),
        lambda s: s.add_column(Column("email", "int")),
    ],
)
def test_a_dropped_name_stays_away_under_any_other_policy(policy, call):
    made = timeline(CUSTOMERS, rows=2)
    schema = manager(made, policy)
    schema.drop_column("email")
    before = made.state
    with pytest.raises(NotApplicable, match=r"'email' .* was dropped, and the policy .*readd_column"):
        call(schema)
    assert made.state is before


def test_the_versions_are_the_changes_of_the_schema():
    made = timeline(LOG, rows=2)
    schema = manager(made)
    schema.drop_column("n")
    schema.truncate()
    assert [(entry.version, entry.operation, entry.table, entry.column) for entry in schema.versions] == [
        (1, "create_type", None, None),
        (2, "create_type", None, None),
        (3, "create_table", "log", None),
        (4, "drop_column", "log", "n"),
    ]
    assert schema.version == 4
    assert LEVEL.name in made.state.types


@pytest.mark.parametrize(
    "call, reason",
    [
        (
            lambda s: s.set_default("log", "n", default=5),
            "a default must be an SQL expression as text.*, not 5",
        ),
        (lambda s: s.set_nullable("log", "n", nullable="x"), "nullable must be True or False, not 'x'"),
        (lambda s: s.rename_column("log", "n", 5), "each name must be a text, not 5"),
        (lambda s: s.drop_column("log", None), "each name must be a text, not None"),
        (lambda s: s.truncate(["log"]), "called by its name"),
        (lambda s: s.add_column("log", 5), "a column must be a name or a ColumnDefinition, not 5"),
        (lambda s: s.add_column("log", "a", sql_type=5), "sql_type must be the name of a type, not 5"),
        (lambda s: s.create_table("t"), "must be a TableDefinition, not 't'"),
        (lambda s: s.create_type("t"), "must be an EnumDefinition, not 't'"),
        (lambda s: s.add_enum_value("level", 5), "a label must be a text, not 5"),
    ],
)
def test_an_argument_of_another_kind_is_refused(call, reason):
    made = timeline(LOG)
    before = made.state
    with pytest.raises(NotApplicable, match=reason):
        call(manager(made))
    assert made.state is before
