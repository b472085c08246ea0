"""Whether an operation applies: each refusal is a typed error that names what is in the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import (
    AlreadyExists,
    DefinitionError,
    NotApplicable,
    OperationError,
    Protected,
    UnknownColumn,
    UnknownTable,
    UnknownType,
)
from pytest_kroft.model.check import all_apply, applies, check
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.expressions import is_constant
from pytest_kroft.model.fold import apply, fold
from pytest_kroft.model.operations import (
    KINDS,
    AddColumn,
    AddEnumValue,
    AlterType,
    Begin,
    Commit,
    CreateTable,
    CreateType,
    Delete,
    DropColumn,
    DropTable,
    DropType,
    Insert,
    Migrate,
    Operation,
    RenameColumn,
    RenameTable,
    Rollback,
    RollbackTo,
    Savepoint,
    SetDefault,
    SetNullable,
    Sync,
    Truncate,
    Update,
    kind,
)
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import MAX_COLUMNS, EnumDefinition, TableDefinition
from pytest_kroft.model.timeline import Timeline
from tests.definitions import (
    CUSTOMERS,
    LOG,
    MODEST,
    MOOD,
    ODD,
    ORDERS,
    PAIRS,
    TREE,
    Column,
    drive,
    timeline,
)

NOTE = Column("note", "text")
EXTRA = TableDefinition(
    "extra",
    [
        Column("id", "int", primary_key=True),
        Column("a", "int"),
        Column("b", "int"),
        Column("size", "int", generated="char_length(name)"),
        Column("name", "text"),
        Column("doc", "jsonb", unique=True),
        Column("positive", "int", check="positive > 0"),
        Column("ruled", "int", constraints="CONSTRAINT odd CHECK (ruled % 2 = 1) NO INHERIT"),
        Column("volatile", "timestamp", default="now()"),
        Column("number", "int", identity="by default"),
        Column("texts", "text"),
    ],
    constraints=["CHECK (a < b)"],
)


@pytest.fixture(scope="module")
def made() -> Timeline:
    made = timeline(CUSTOMERS, ORDERS, ODD, LOG, PAIRS, EXTRA, rows=0)
    texts = ("1", "x", "3")
    for op in (
        Insert("customers", 1, 3, START, cells={"name": ("a", "b", "a"), "tier": ("1", None, "2")}),
        Insert("orders", 1, 3, START, parents={"customer_id": (1, 1, None)}),
        Insert("log", 1, 2, START),
        Insert(
            "extra",
            1,
            3,
            START,
            cells={"a": ("1",) * 3, "b": ("2",) * 3, "positive": ("1",) * 3, "texts": texts},
        ),
    ):
        made.apply(op)
    return made


REFUSED: list[tuple[Operation, type[Exception], list[str]]] = [
    # Tables
    *[
        (op, UnknownTable, ["'nowhere'", "customers, orders"])
        for op in (
            Insert("nowhere", 1, 1, START),
            Update("nowhere", (1,), (), 1, START),
            Delete("nowhere", (1,)),
            Truncate("nowhere"),
            DropTable("nowhere"),
            RenameTable("nowhere", "x"),
            AddColumn("nowhere", NOTE),
            DropColumn("nowhere", "x"),
            Migrate("app:upgrade", dropped=("nowhere",)),
            RenameColumn("nowhere", "x", "y"),
            AlterType("nowhere", "x", "int"),
            SetDefault("nowhere", "x", None),
            SetNullable("nowhere", "x", nullable=True),
        )
    ],
    (CreateTable(ORDERS), AlreadyExists, ["table", "'orders'"]),
    (CreateTable(TableDefinition("my mood", [NOTE])), AlreadyExists, ["type", "'my mood'"]),
    (CreateTable(TableDefinition("t", [Column("a", "nothing")])), UnknownType, ["nothing", "my mood, level"]),
    (CreateTable(TableDefinition("t", [Column("a", "level")])), UnknownType, ["level"]),
    (CreateTable(TableDefinition("t", [Column("a", "int", references="u")])), UnknownTable, ["'u'"]),
    (
        CreateTable(TableDefinition("t", [Column("a", "int", references="log")])),
        NotApplicable,
        ["'log'", "must be unique columns"],
    ),
    (CreateTable(TableDefinition("t", [Column("a", "int", references="pairs")])), NotApplicable, ["'pairs'"]),
    (
        CreateTable(TableDefinition("t", [Column("a", "int", references="customers(tier)")])),
        NotApplicable,
        ["'a'"],
    ),
    (DropTable("customers"), NotApplicable, ["'customers'", "'customer_id'", "'orders'"]),
    (RenameTable("log", "orders"), AlreadyExists, ["'orders'"]),
    (RenameTable("log", "log"), AlreadyExists, ["'log'"]),
    (RenameTable("log", "my mood"), AlreadyExists, ["type", "'my mood'"]),
    (RenameTable("log", "x" * 64), DefinitionError, ["64 bytes"]),
    # Columns
    *[
        (op, UnknownColumn, ["'nothing'", "'customers'", "id, name"])
        for op in (
            DropColumn("customers", "nothing"),
            RenameColumn("customers", "nothing", "x"),
            AlterType("customers", "nothing", "int"),
            SetDefault("customers", "nothing", None),
            SetNullable("customers", "nothing", nullable=True),
            Insert("customers", 9, 1, START, cells={"nothing": (None,)}),
            Update("customers", (1,), ("nothing",), 9, START),
        )
    ],
    (AddColumn("customers", Column("name", "text")), AlreadyExists, ["column", "'name'", "'customers'"]),
    (AddColumn("customers", Column("x", "nothing")), UnknownType, ["nothing"]),
    (AddColumn("customers", Column("x", "int", references="nowhere")), UnknownTable, ["'nowhere'"]),
    (AddColumn("customers", Column("x", "int", primary_key=True)), NotApplicable, ["'x'", "primary key"]),
    (
        AddColumn("customers", Column("x", "int", nullable=False)),
        NotApplicable,
        ["'x'", "NOT NULL", "3 rows"],
    ),
    (
        AddColumn("customers", Column("x", "int", nullable=False, default="NULL")),
        NotApplicable,
        ["'x'", "NOT NULL"],
    ),
    (
        AddColumn("customers", Column("x", "int", default="'a'")),
        NotApplicable,
        ["'x'", "no value of type integer"],
    ),
    (AddColumn("customers", Column("x", "int", unique=True, default="5")), NotApplicable, ["'x'", "3 rows"]),
    (DropColumn("customers", "id"), Protected, ["'id'", "primary key"]),
    (DropColumn("customers", "country"), Protected, ["'country'", "defined as protected"]),
    (DropColumn("orders", "updated_at"), Protected, ["'updated_at'"]),
    (DropColumn("orders", "amount"), NotApplicable, ["'amount'", "'double_amount'"]),
    (RenameColumn("customers", "name", "email"), AlreadyExists, ["'email'"]),
    (RenameColumn("customers", "name", "name"), AlreadyExists, ["'name'"]),
    (RenameColumn("customers", "name", "ctid"), AlreadyExists, ["system column", "'ctid'"]),
    (RenameColumn("customers", "name", ""), DefinitionError, ["at least one"]),
    (RenameColumn("customers", "country", "x"), Protected, ["'country'"]),
    (AlterType("customers", "id", "bigint"), Protected, ["'id'"]),
    (AlterType("customers", "country", "text"), Protected, ["'country'"]),
    (AlterType("customers", "name", "nothing"), UnknownType, ["nothing"]),
    (AlterType("customers", "name", "numeric(0)"), DefinitionError, ["precision"]),
    (AlterType("customers", "name", "tsvector"), NotApplicable, ["'name'", "no exact cast"]),
    (AlterType("customers", "name", "integer"), NotApplicable, ["'name'"]),
    (AlterType("orders", "amount", "text"), NotApplicable, ["'double_amount'"]),
    (AlterType("extra", "positive", "bigint"), NotApplicable, ["'positive'", "check clause"]),
    (AlterType("extra", "ruled", "bigint"), NotApplicable, ["'ruled'", "CONSTRAINT odd"]),
    (AlterType("extra", "a", "bigint"), NotApplicable, ["'a'", "CHECK (a < b)"]),
    (AlterType("extra", "volatile", "date"), NotApplicable, ["'volatile'", "now()"]),
    (AlterType("extra", "number", "bigint"), NotApplicable, ["'number'", "identity"]),
    (AlterType("extra", "size", "bigint"), NotApplicable, ["'size'", "generated"]),
    (AlterType("extra", "doc", "json"), NotApplicable, ["'doc'", "no order"]),
    (AlterType("extra", "texts", "integer"), NotApplicable, ["'texts'", "x"]),
    (SetDefault("orders", "double_amount", "1"), NotApplicable, ["'double_amount'"]),
    (SetDefault("customers", "id", "1"), NotApplicable, ["'id'"]),
    (SetDefault("customers", "tier", "'x'"), NotApplicable, ["'tier'", "'x'"]),
    (SetNullable("customers", "id", nullable=True), Protected, ["'id'"]),
    (SetNullable("customers", "tier", nullable=False), NotApplicable, ["'tier'", "NULL in 1 of 3 rows"]),
    (SetNullable("extra", "number", nullable=True), NotApplicable, ["'number'", "identity"]),
    (SetNullable("extra", "size", nullable=False), NotApplicable, ["'size'"]),
    # Types
    (CreateType(MOOD), AlreadyExists, ["type", "'my mood'"]),
    (CreateType(EnumDefinition("orders", ["a"])), AlreadyExists, ["table", "'orders'"]),
    (DropType("nothing"), UnknownType, ["'nothing'", "my mood, level"]),
    (DropType("my mood"), NotApplicable, ["'my mood'", "'mood'", "'customers'"]),
    (AddEnumValue("nothing", "x"), UnknownType, ["'nothing'"]),
    (AddEnumValue("level", "low"), AlreadyExists, ["label", "'low'", "'level'"]),
    (AddEnumValue("level", "x", "middle"), OperationError, ["'middle'", "low, high"]),
    (AddEnumValue("level", ""), DefinitionError, ["label"]),
    # Sessions; see test_check_sessions.py
    (Begin(0, START), NotApplicable, ["numbered from 1", "not 0"]),
    *[
        (op, NotApplicable, ["session 1 has begun no transaction", "open sessions: none"])
        for op in (
            Commit(1),
            Rollback(1),
            Savepoint(1, "a"),
            RollbackTo(1, "a"),
            Insert("log", 3, 1, START, session=1),
            Update("log", (1, 2), (), 1, START, session=1),
            Delete("log", (1, 2), session=1),
        )
    ],
]


@pytest.mark.parametrize(
    "operation, error, words", REFUSED, ids=lambda value: kind(value) if type(value) in KINDS.values() else ""
)
def test_what_cannot_apply_is_refused_with_a_typed_error_and_changes_nothing(made, operation, error, words):
    before, length = made.state, len(made.history)
    with pytest.raises(error) as caught:
        made.apply(operation)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert made.state is before
    assert len(made.history) == length
    assert not applies(before, operation)
    made.apply(Sync())
    assert made.state is before


def test_refusals_of_every_kind_were_seen():
    assert {kind(op) for op, _, _ in REFUSED} == set(KINDS) - {"sync", "observed"}


@pytest.mark.parametrize(
    "operation",
    [
        CreateTable(TREE),
        CreateTable(TableDefinition("customers2", [Column("a", "text", references="customers(email)")])),
        CreateTable(TableDefinition("my mood", [NOTE], schema="other")),
        DropTable("orders"),
        DropTable("log"),
        RenameTable("log", "customers2"),
        AddColumn("log", Column("x", "int")),
        AddColumn("log", Column("x", "int", nullable=False, default="now()")),
        AddColumn("log", Column("x", "int", nullable=False, generated="n + 1")),
        AddColumn("log", Column("x", "int", identity="always")),
        AddColumn("customers", Column("x", "int", unique=True)),
        AddColumn("customers", Column("x", "other.level[]")),
        AddColumn("pairs", Column("x", "int", nullable=False, unique=True, default="5")),
        DropColumn("customers", "email"),
        DropColumn("extra", "a"),
        DropColumn("extra", "size"),
        RenameColumn("customers", "id", "key"),
        RenameColumn("customers", "name", "CTID"),
        AlterType("log", "n", "bigint"),
        AlterType("extra", "doc", "text"),
        SetDefault("customers", "tier", "3"),
        SetDefault("customers", "tier", "random()::int"),
        SetDefault("customers", "tier", None),
        SetNullable("customers", "name", nullable=True),
        SetNullable("customers", "name", nullable=False),
        DropType("level"),
        AddEnumValue("level", "middle", "low"),
    ],
    ids=kind,
)
def test_what_applies_is_let_through(made, operation):
    check(made.state, operation)
    assert apply(made.state, operation) is not made.state


def test_the_last_column_stays():
    state = timeline(TableDefinition("t", [NOTE])).state
    with pytest.raises(NotApplicable, match="'note' is the last one of table 't'"):
        check(state, DropColumn("t", "note"))


def test_a_column_that_is_referenced_stays():
    child = TableDefinition("child", [Column("email", "text", references="customers(email)")])
    state = timeline(CUSTOMERS, child).state
    for op in (DropColumn("customers", "email"), AlterType("customers", "email", "varchar(500)")):
        with pytest.raises(NotApplicable, match="'email' of table 'child' references it"):
            check(state, op)
    check(state, RenameColumn("customers", "email", "mail"))


def test_postgresql_counts_dropped_columns_too():
    table = TableDefinition("t", [Column(f"c{number}", "int") for number in range(MAX_COLUMNS)])
    state = fold([CreateTable(table), DropColumn("t", "c1")], State(1))
    with pytest.raises(NotApplicable, match="has had 1600 columns"):
        check(state, AddColumn("t", Column("c1", "int")))


def test_a_cast_may_not_make_unique_values_equal():
    table = TableDefinition("t", [Column("a", "text", unique=True, nullable=False)])
    state = apply(timeline(table).state, Insert("t", 1, 2, START, cells={"a": ("1", "01")}))
    with pytest.raises(NotApplicable, match="unique values equal"):
        check(state, AlterType("t", "a", "integer"))
    check(apply(state, Delete("t", (1, 2))), AlterType("t", "a", "integer"))


def test_all_of_several_operations_must_apply_one_after_the_other():
    state = timeline(LOG).state
    assert all_apply(state, [DropTable("log"), CreateTable(LOG)])
    assert not all_apply(state, [CreateTable(LOG), DropTable("log")])
    assert all_apply(state, [])


@MODEST
@given(st.integers(0, 2**32))
def test_what_is_let_through_can_be_folded_and_leaves_the_database_consistent(seed):
    """Operations of another history are thrown at a state: what is let through keeps all rules."""
    made = drive(timeline(seed=seed, rows=3), 20, seed=seed)
    strange = list(drive(timeline(seed=seed + 1, rows=3), 60, seed=seed + 1).history)
    choices = SeededChoices(seed)
    state, accepted = made.state, 0
    for _ in range(60):
        operation = choices.one_of(strange)
        if applies(state, operation):
            state = apply(state, operation)
            accepted += 1
            assert_consistent(state)
    assert accepted


def assert_consistent(state: State) -> None:
    for table in state.tables.values():
        rows = list(state.contents(table.definition.name))
        place = {column.id: index for index, column in enumerate(table.columns)}
        for ids in table.uniques:
            held = [tuple(row[place[number]] for number in ids) for row in rows]
            whole = [texts for texts in held if None not in texts]
            assert len(set(whole)) == len(whole), (table.definition.name, ids)
        for column in table.columns:
            texts = [row[place[column.id]] for row in rows]
            # What only the server can compute is not there without one.
            unknown = column.computed or (
                column.definition.default and not is_constant(column.definition.default)
            )
            if not column.nullable and not unknown:
                assert None not in texts, column.name
            labels = state.labels(column)
            if labels and not column.type.array:
                assert set(texts) <= {None, *labels}
            if column.definition.reference and column.birth.count == 1:
                parent = state.table(column.definition.reference.table)
                target = parent.key[0].name
                keys = {row[parent.names.index(target)] for row in state.contents(parent.definition.name)}
                assert set(texts) <= {None, *keys}, (table.definition.name, column.name)


def test_a_table_that_is_fixed_gets_no_column():
    made = timeline(TableDefinition("t", [Column("id", "int", primary_key=True)], fixed="it is a puzzle"))
    with pytest.raises(NotApplicable, match="no column can be added to table 't': it is a puzzle"):
        check(made.state, AddColumn("t", NOTE))
