"""Changes of rows: by count, by fraction, by key, or drawn as a mix."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_kroft.errors import (
    ExecutionError,
    NotApplicable,
    OperationError,
    Protected,
    UnknownColumn,
    UnknownTable,
    ValueRefused,
)
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.operations import (
    CreateTable,
    Delete,
    Insert,
    Observed,
    Operation,
    Sync,
    Truncate,
    Update,
    kind,
)
from pytest_kroft.model.state import State
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.model.timeline import Timeline
from pytest_kroft.planning.mutations import FEW as FEW_ROWS
from pytest_kroft.planning.mutations import WEIGHTS, MutationEngine
from pytest_kroft.planning.policy import POLICIES, EvolutionPolicy
from tests.definitions import CUSTOMERS, LOG, MODEST, ODD, ORDERS, PAIRS, TREE, Column, committed, timeline


def engine(made: Timeline, policy: str = "everything", seed: int = 1) -> MutationEngine:
    return MutationEngine(made, SeededChoices(seed), EvolutionPolicy.named(policy))


def cells(made: Timeline, table: str, column: str) -> list[str | None]:
    place = made.state.table(table).names.index(column)
    return [row[place] for row in made.state.contents(table)]


def test_rows_are_inserted_by_count():
    made = timeline(CUSTOMERS)
    assert engine(made).insert("customers", 5) == 5
    assert len(made.state.table("customers").rows) == 5
    assert 1 <= engine(made).insert() <= FEW_ROWS


def test_rows_are_inserted_as_given():
    made = timeline(CUSTOMERS)
    assert engine(made).insert(rows=[{"name": "Ann"}, {"name": "Bob", "tier": 3}]) == 2
    assert cells(made, "customers", "name") == ["Ann", "Bob"]
    assert cells(made, "customers", "tier")[1] == "3"
    assert engine(made).insert(rows=iter([])) == 0
    assert engine(made).insert("customers", 1, rows=[{}]) == 1
    with pytest.raises(NotApplicable, match="count is 2 and 1 rows are given"):
        engine(made).insert("customers", 2, rows=[{}])


@pytest.mark.parametrize("number, changed", [(0, 0), (1, 1), (7, 7), (20, 20), (21, 20)])
def test_rows_are_updated_and_deleted_by_count(number, changed):
    made = timeline(CUSTOMERS, rows=20)
    assert engine(made).update("customers", number) == changed
    assert engine(made).delete("customers", number) == changed
    assert len(made.state.table("customers").rows) == 20 - changed


@pytest.mark.parametrize("fraction, changed", [(0, 0), (0.25, 5), (0.5, 10), (1, 20), (1.0, 20)])
def test_rows_are_updated_and_deleted_by_fraction(fraction, changed):
    made = timeline(CUSTOMERS, rows=20)
    assert engine(made).update("customers", fraction=fraction) == changed
    assert engine(made).delete("customers", fraction=fraction) == changed


def test_rows_are_updated_and_deleted_by_key():
    made = timeline(CUSTOMERS, ORDERS)
    engine(made).insert("customers", rows=[{"id": number, "name": "x"} for number in range(1, 6)])
    assert engine(made).update("customers", keys=[2, "4"], values={"name": "y"}) == 2
    assert cells(made, "customers", "name") == ["x", "y", "x", "y", "x"]
    assert engine(made).delete("customers", keys=[5]) == 1
    assert engine(made).delete("customers", keys=[]) == 0
    with pytest.raises(NotApplicable, match="'customers' has no row with the key 5"):
        engine(made).update("customers", keys=[5])
    with pytest.raises(ValueRefused, match="column 'id'"):
        engine(made).delete("customers", keys=["five"])
    with pytest.raises(NotApplicable, match="named twice"):
        engine(made).delete("customers", keys=[1, 1])


def test_a_composite_key_is_a_tuple():
    made = timeline(CUSTOMERS, PAIRS)
    engine(made).insert("customers", rows=[{"id": 1}, {"id": 2}])
    engine(made).insert("pairs", rows=[{"left": 1, "right": "a"}, {"left": 2, "right": "a"}])
    assert engine(made).update("pairs", keys=[(2, "a")], values={"value": 7}) == 1
    assert cells(made, "pairs", "value")[1] == "7"
    assert engine(made).delete("pairs", keys=[[1, "a"]]) == 1
    with pytest.raises(NotApplicable, match=r"a key of 'pairs' has 2 columns, and .* has 3"):
        engine(made).delete("pairs", keys=[(2, "a", 5)])
    with pytest.raises(NotApplicable, match="a key of 'pairs' has 2 columns, and 2 has 1"):
        engine(made).delete("pairs", keys=[2])


@pytest.mark.parametrize(
    "call, error, reason",
    [
        (lambda e: e.update("customers", 1, fraction=0.5), NotApplicable, "not by more than one"),
        (lambda e: e.delete("customers", keys=[1], fraction=0.5), NotApplicable, "not by more than one"),
        (lambda e: e.update("customers", -1), NotApplicable, "0 or more, not -1"),
        (lambda e: e.update("customers", fraction=1.5), NotApplicable, "from 0 to 1, not 1.5"),
        (lambda e: e.delete("customers", fraction=-0.5), NotApplicable, "from 0 to 1, not -0.5"),
        (lambda e: e.insert("customers", 0), NotApplicable, "1 or more, not 0"),
        (lambda e: e.insert("nowhere", 1), UnknownTable, "'nowhere'"),
        (lambda e: e.update("nowhere", 1), UnknownTable, "'nowhere'"),
        (lambda e: e.delete("nowhere", 1), UnknownTable, "'nowhere'"),
        (lambda e: e.mutate("nowhere", 1), UnknownTable, "'nowhere'"),
        (lambda e: e.insert(), NotApplicable, "say which table"),
        (lambda e: e.update("customers", 1, columns=["nick"]), UnknownColumn, "'nick'"),
        (lambda e: e.update("customers", 1, values={"nick": 1}), UnknownColumn, "'nick'"),
        (lambda e: e.update("customers", 1, columns=["country"]), Protected, "'country'"),
        (lambda e: e.update("customers", 1, columns=["id"]), Protected, "'id'"),
        (lambda e: e.update("customers", 1, values={"tier": "x"}), ValueRefused, "'tier'"),
        (lambda e: e.update("customers", 1, values={"name": None}), NotApplicable, "NOT NULL"),
        (
            lambda e: e.update("customers", 2, values={"email": "a"}),
            NotApplicable,
            "repeat a unique value: email a",
        ),
        (lambda e: e.delete("log", keys=[1]), NotApplicable, "'log' has no primary key"),
        (lambda e: e.insert("log", 2.5), NotApplicable, "must be a whole number, not 2.5"),
        (lambda e: e.insert("log", "3"), NotApplicable, "must be a whole number, not '3'"),
        (lambda e: e.insert("log", True), NotApplicable, "must be a whole number, not True"),
        (lambda e: e.insert("log", "1", rows=[{}]), NotApplicable, "must be a whole number, not '1'"),
        (lambda e: e.insert("log", rows=[5]), NotApplicable, "each of the rows must be a mapping .*, not 5"),
        (lambda e: e.insert("log", rows={"n": 1}), NotApplicable, "rows must be a list of mappings"),
        (lambda e: e.insert("log", rows="ab"), NotApplicable, "rows must be a list of mappings .*, not 'ab'"),
        (lambda e: e.insert("log", rows=5), NotApplicable, "rows must be a list of mappings .*, not 5"),
        (lambda e: e.insert(["log"], 1), NotApplicable, "called by its name, a text, not .'log'."),
        (lambda e: e.update("customers", "3"), NotApplicable, "must be a whole number, not '3'"),
        (lambda e: e.update("customers", keys=5), NotApplicable, r"a list of primary keys, such as \[5\]"),
        (lambda e: e.delete("customers", keys="12"), NotApplicable, "a list of primary keys"),
        (lambda e: e.update("customers", fraction="a"), NotApplicable, "from 0 to 1, not 'a'"),
        (lambda e: e.delete("customers", fraction=True), NotApplicable, "from 0 to 1, not True"),
        (lambda e: e.delete("customers", fraction=10**400), NotApplicable, "from 0 to 1"),
        (lambda e: e.delete("customers", fraction=Decimal("NaN")), NotApplicable, "from 0 to 1, not Dec"),
        (lambda e: e.update("customers", 1, columns=5), NotApplicable, "must be the names of columns, not 5"),
        (lambda e: e.update("customers", 0, columns=[5]), NotApplicable, "the names of columns, not 5"),
        (lambda e: e.update("customers", 1, values=5), NotApplicable, "values must be a mapping .*, not 5"),
        (lambda e: e.mutate("customers", 2.5), NotApplicable, "must be a whole number, not 2.5"),
        (lambda e: e.insert("customers", rows=[{"mood": "happy"}]), NotApplicable, "'happy' is no label"),
    ],
)
def test_a_call_that_cannot_be_changes_nothing(call, error, reason):
    made = timeline(CUSTOMERS, LOG, rows=5)
    mutations = engine(made)
    before, length = made.state, len(made.history)
    with pytest.raises(error, match=reason):
        call(mutations)
    assert made.state is before
    assert len(made.history) == length
    assert mutations.counters.total() == 0
    assert mutations.insert("customers", 1) == 1


def test_what_an_update_changes_may_be_said():
    made = timeline(CUSTOMERS, ORDERS, rows=10)
    before = {name: cells(made, "orders", name) for name in made.state.table("orders").names}
    engine(made).update(
        "orders", fraction=1, columns=["amount", "code"], values={"day": date(2021, 5, 6), "paid": None}
    )
    update = made.history[-1]
    assert isinstance(update, Update)
    assert update.columns == ("amount", "code", "day", "paid")
    assert cells(made, "orders", "day") == ["2021-05-06"] * 10
    assert cells(made, "orders", "paid") == [None] * 10
    assert cells(made, "orders", "amount") != before["amount"]
    assert set(cells(made, "orders", "code")).isdisjoint(set(before["code"]) - {None})
    assert cells(made, "orders", "tags") == before["tags"]
    assert min(filter(None, cells(made, "orders", "updated_at"))) > max(filter(None, before["updated_at"]))
    engine(made).update("orders", 3, values={"paid": True})
    assert made.history[-1].columns == ("paid",)


def test_a_single_column_need_not_be_in_a_list():
    made = timeline(CUSTOMERS, rows=3)
    assert engine(made).update("customers", 3, columns="tier") == 3
    assert made.history[-1].columns == ("tier",)


def test_a_drawn_update_leaves_the_columns_that_the_server_fills():
    table = TableDefinition(
        "t",
        [Column("id", "int", primary_key=True), Column("n", "int", identity="always"), Column("a", "int")],
    )
    made = timeline(table, rows=2)
    for seed in range(10):
        assert engine(made, seed=seed).update("t", 1) == 1
        assert made.history[-1].columns == ("a",)


def test_a_key_is_found_however_it_is_spelled():
    table = TableDefinition(
        "t", [Column("k", "numeric"), Column("i", "interval"), Column("v", "int")],
        constraints=["PRIMARY KEY (k, i)"],
    )  # fmt: skip
    made = timeline(table)
    engine(made).insert("t", rows=[{"k": "1.50", "i": "1 day"}, {"k": "NaN", "i": "02:00:00"}])
    assert engine(made).update("t", keys=[(Decimal("1.5"), "24:00:00")], values={"v": 7}) == 1
    assert cells(made, "t", "v")[0] == "7"
    with pytest.raises(NotApplicable, match="named twice"):
        engine(made).delete("t", keys=[("1.5", "1 day"), ("1.50", "24:00:00")])
    with pytest.raises(NotApplicable, match="no row with the key"):
        engine(made).delete("t", keys=[(None, "1 day")])
    assert engine(made).delete("t", keys=[("NaN", "02:00:00"), ("1.5000", "1 day")]) == 2


def test_a_text_is_no_key_of_several_columns():
    made = timeline(CUSTOMERS, PAIRS)
    with pytest.raises(NotApplicable, match="a key of 'pairs' has 2 columns, and '1a' has 1"):
        engine(made).delete("pairs", keys=["1a"])


SKIPPING = TableDefinition(
    "t", [Column("a", "int", lambda cell: (cell.row + 1) // 2, unique=True, nullable=False)]
)


def refusing(error: Exception) -> Timeline:
    """A timeline whose server refuses the second insert, or does not take it as applicable any more."""
    inserts = []

    def execute(before: State, operation: Operation, after: State) -> list[Observed]:
        inserts.extend([operation] if isinstance(operation, Insert) else [])
        if len(inserts) > 1:
            raise error
        return []

    return Timeline(1, execute)


REFUSALS = [ExecutionError("insert", "no", statement="INSERT", sqlstate="23505"), NotApplicable("no")]


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refusal_after_the_first_transaction_says_what_was_done(error):
    made = refusing(error)
    made.apply(CreateTable(SKIPPING))
    mutations = engine(made)
    with pytest.raises(
        ExecutionError, match="no; 1 row of 1 transaction before it was written and stays"
    ) as it:
        mutations.insert("t", 3)
    assert it.value.sqlstate == getattr(error, "sqlstate", None)
    assert it.value.__cause__ is error
    assert mutations.counters == {"inserted": 1, "transactions": 1}


def test_a_mix_does_not_hide_a_refusal_after_the_first_transaction():
    def mutated(seed: int) -> tuple[str, int]:
        made = refusing(NotApplicable("no"))
        made.apply(CreateTable(SKIPPING))
        try:
            outcome = f"{engine(made, 'calm', seed).mutate(count=5)} changed"
        except ExecutionError as error:
            outcome = str(error).partition("; ")[2]
        return outcome, len(made.state.table("t").rows)

    done = ("1 row of 1 transaction before it was written and stays", 1)
    assert {mutated(seed) for seed in range(20)} == {done, ("0 changed", 0), ("1 changed", 1)}


def test_what_cannot_follow_is_refused_before_anything_is_done():
    made = timeline(SKIPPING)
    mutations = engine(made)
    plans = [Insert("t", 1, 1, START), Insert("t", 2, 1, START)]  # both hold 1
    with pytest.raises(NotApplicable, match="repeat a unique value"):
        mutations._perform("two inserts", lambda: plans)
    assert len(made.state.table("t").rows) == 0
    assert mutations.counters.total() == 0


def test_an_update_draws_parents_that_are_there():
    made = timeline(CUSTOMERS, ORDERS, rows=10)
    engine(made).update("orders", 10, columns=["customer_id"])
    assert set(cells(made, "orders", "customer_id")) <= set(cells(made, "customers", "id"))


@MODEST
@given(st.integers(0, 2**32))
def test_an_update_never_touches_what_is_protected(seed):
    made = timeline(CUSTOMERS, ORDERS, ODD, rows=5, seed=seed)
    mutations = engine(made, seed=seed)
    for table in ("customers", "orders", ODD.name):
        kept = {
            c.name: cells(made, table, c.name)
            for c in made.state.table(table).columns
            if c.name in ("id", "country", "select")
        }
        mutations.update(table, 5)
        assert {name: cells(made, table, name) for name in kept} == kept


def test_rows_that_others_reference_are_never_drawn_for_deletion():
    made = timeline(CUSTOMERS, ORDERS, TREE, rows=0)
    mutations = engine(made)
    mutations.insert("customers", 10)
    mutations.insert("orders", 5)
    for _ in range(4):
        mutations.insert("tree", 3)
    used = set(cells(made, "orders", "customer_id")) - {None}
    assert mutations.delete("customers", fraction=1) == 10 - len(used)
    assert set(cells(made, "customers", "id")) == used
    assert mutations.delete("customers", 5) == 0
    while made.state.table("tree").rows:
        parents = set(cells(made, "tree", "parent"))
        gone = set(cells(made, "tree", "id"))
        assert mutations.delete("tree", 3) > 0
        gone -= set(cells(made, "tree", "id"))
        assert gone.isdisjoint(parents)


def test_a_table_without_a_key_changes_as_a_whole():
    made = timeline(LOG, rows=6)
    mutations = engine(made)
    assert mutations.update("log", 0) == mutations.delete("log", fraction=0) == 0
    assert mutations.update("log", 2, columns=["line", "n"]) == 6
    assert all(len(set(cells(made, "log", name))) == 1 for name in ("line", "n", "at"))
    assert mutations.update("log", values={"n": 5}) == 6
    assert cells(made, "log", "n") == ["5"] * 6
    assert mutations.delete("log", 1) == 6
    assert mutations.update("log", 1) == mutations.delete("log") == 0


def test_a_table_without_anything_to_update():
    table = TableDefinition("t", [Column("id", "int", primary_key=True)])
    made = timeline(table, rows=2)
    with pytest.raises(NotApplicable, match="'t' has no column that may be updated"):
        engine(made).update("t", 1)
    stamped = TableDefinition(
        "s", [Column("id", "int", primary_key=True), Column("at", "date")], updated_at="at"
    )
    made = timeline(stamped, rows=2)
    assert engine(made).update("s", 1) == 1
    assert made.history[-1].columns == ()


def test_counters_add_up():
    made = timeline(CUSTOMERS, ORDERS, LOG)
    mutations = engine(made)
    assert mutations.insert("customers", 5) == 5
    assert mutations.insert("orders", rows=[{}, {}]) == 2
    assert mutations.update("customers", 3) == 3
    deleted = mutations.delete("orders", 1)
    assert mutations.counters == {"inserted": 7, "updated": 3, "deleted": deleted, "transactions": 4}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_mix_counts_what_it_does_and_does_what_the_policy_allows(policy):
    transactions = {
        "late_commit": {"begin", "commit"},
        "rollback": {"begin", "rollback", "savepoint", "rollback_to"},
    }
    removals = {"delete": {"delete"}, "delete_reinsert": {"delete"}, "truncate": {"truncate"}}
    hazards = EvolutionPolicy.named(policy).hazards
    allowed = {"insert", "update"}.union(*((transactions | removals).get(name, set()) for name in hazards))
    made = timeline(CUSTOMERS, ORDERS, ODD, LOG, PAIRS, TREE)
    mutations = engine(made, policy)
    start, seen = len(made.history), Counter[str]()
    for _ in range(600):
        before, length = made.state, len(made.history)
        changed = mutations.mutate(count=4)
        new = made.history.operations[length:]
        rows = 0
        for op in [shown for done in new for shown in committed(before, done)]:
            match op:
                case Insert():
                    rows += op.count
                    seen["inserted"] += op.count
                case Update():
                    rows += len(op.rows)
                    seen["updated"] += len(op.rows)
                case Delete():
                    rows += len(op.rows)
                    seen["deleted"] += len(op.rows)
                case Truncate():
                    rows += len(before.table(op.table).rows)
                    seen["deleted"] += len(before.table(op.table).rows)
        assert changed == rows
        assert {kind(op) for op in new} <= allowed
    done = made.history.operations[start:]
    visible = sum(bool(committed(before, op)) for before, op, _ in made.history.states()) - start
    assert mutations.counters == {**seen, "transactions": visible}
    held = sum(len(table.rows) for table in made.state.tables.values())
    assert held == seen["inserted"] - seen["deleted"]
    assert {kind(op) for op in done} == allowed


def test_every_kind_of_the_mix_has_a_plan_and_is_drawn():
    seen = set()
    made = timeline(CUSTOMERS, rows=30)
    for seed in range(120):
        mutations = engine(made, seed=seed)
        length = len(made.history)
        mutations.mutate("customers")
        seen.add(tuple(kind(op) for op in made.history.operations[length:]))
    assert {("insert",), ("update",), ("delete",), ("delete", "insert"), ("truncate",)} <= seen
    assert {("begin", "insert"), ("begin", "update"), ("commit",)} <= seen
    assert ("rollback",) in seen
    assert any(kinds[:1] == ("savepoint",) and kinds[-1:] == ("rollback_to",) for kinds in seen)
    rows = {"insert", "update", "delete", "delete_reinsert", "key_change", "truncate"}
    assert set(WEIGHTS) == rows | {"late_commit", "rollback"}


def test_what_the_draw_cannot_do_now_is_left_out():
    made = timeline(CUSTOMERS, PAIRS)
    before = made.state
    assert all(engine(made, seed=seed).mutate("pairs") == 0 for seed in range(30))
    assert made.state is before
    with pytest.raises(OperationError, match="say which table: there are 0"):
        MutationEngine(Timeline(1), SeededChoices(1)).mutate()


def test_the_same_seed_does_the_same():
    def history() -> list:
        made = timeline(rows=3)
        mutations = engine(made, seed=5)
        for _ in range(50):
            mutations.mutate()
            made.apply(Sync())
        return made.history.operations

    assert history() == history()
