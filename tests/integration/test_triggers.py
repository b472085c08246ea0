"""Triggers and rules of the user's: what they do is observed, and the state stays exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import ExecutionError, NotApplicable
from pytest_kroft.model.choices import SeededChoices
from pytest_kroft.model.clock import START
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Begin, CreateTable, Insert, Observed, Truncate
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import KroftServer, start_server
from tests.conftest import MakeDB
from tests.definitions import Column
from tests.integration.test_script import psql

SCHEMA = """
    CREATE TABLE orders (
        id int PRIMARY KEY, price int NOT NULL, tax numeric(12,2), changed timestamptz,
        twice int GENERATED ALWAYS AS (price * 2) STORED);
    CREATE TABLE lines (id int PRIMARY KEY, "order" int REFERENCES orders ON DELETE CASCADE, note text);
    CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL, row_id int,
        at timestamptz NOT NULL DEFAULT clock_timestamp());
"""
ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "int", primary_key=True),
        Column("price", "int", nullable=False, check="price BETWEEN -1000 AND 1000"),
        Column("tax", "numeric(12,2)"),
        Column("changed", "timestamptz"),
        Column("twice", "int", generated="price * 2"),
    ],
    triggers=["t"],
)
LINES = TableDefinition(
    "lines",
    [
        Column("id", "int", primary_key=True),
        Column("order", "int", references="orders ON DELETE CASCADE"),
        Column("note", "text"),
    ],
)
AUDIT = TableDefinition(
    "audit",
    [
        Column("id", "bigint", primary_key=True, identity="always"),
        Column("what", "text", nullable=False),
        Column("row_id", "int"),
        Column("at", "timestamptz", nullable=False, default="clock_timestamp()"),
    ],
)
AUDITED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO audit (what, row_id) VALUES (TG_OP, coalesce(NEW.id, OLD.id)); RETURN NULL; END $$;
    CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION f();
"""
CHANGED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.tax := NEW.price * 0.2; NEW.changed := clock_timestamp(); RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f();
"""
REMOVED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        DELETE FROM orders WHERE id % 3 = 0; RETURN NULL; END $$;
    CREATE TRIGGER t AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION f();
"""
SUPPRESSED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF coalesce(NEW.id, OLD.id) % 2 = 0 THEN RETURN NULL; END IF; RETURN coalesce(NEW, OLD); END $$;
    CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION f();
"""
DEFERRED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE orders SET tax = 1 WHERE id = NEW.id AND tax IS DISTINCT FROM 1;
        INSERT INTO audit (what) VALUES ('at the commit'); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER t AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION f();
"""
OLDEST = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        DELETE FROM orders WHERE id = (SELECT min(id) FROM orders); RETURN NULL; END $$;
    CREATE TRIGGER t AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION f();
"""
SWALLOWED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        BEGIN
            UPDATE orders SET changed = now() WHERE id = NEW.id - 1;
        EXCEPTION WHEN division_by_zero THEN NULL; END;
        RETURN NULL; END $$;
    CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f();
"""
EMPTIED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT count(*) FROM audit) > 3 THEN TRUNCATE audit;
        ELSE INSERT INTO audit (what) VALUES (TG_OP); END IF; RETURN NULL; END $$;
    CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON orders EXECUTE FUNCTION f();
"""
REKEYED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.id := NEW.id + 1000; RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f();
"""
INSTEAD = """
    CREATE RULE t AS ON INSERT TO orders WHERE NEW.price < 0 DO INSTEAD
        INSERT INTO audit (what, row_id) VALUES ('refused', NEW.id);
    CREATE RULE u AS ON UPDATE TO orders WHERE NEW.price > 500 DO INSTEAD NOTHING;
"""
ALWAYS = AUDITED + "ALTER TABLE orders ENABLE ALWAYS TRIGGER t;"
KINDS = {
    "audited": AUDITED,
    "changed": CHANGED,
    "removed": REMOVED,
    "oldest": OLDEST,
    "suppressed": SUPPRESSED,
    "deferred": DEFERRED,
    "swallowed": SWALLOWED,
    "emptied": EMPTIED,
    "rekeyed": REKEYED,
    "instead": INSTEAD,
    "always": ALWAYS,
}


@pytest.fixture(params=KINDS)
def triggers(request: pytest.FixtureRequest) -> str:
    return KINDS[request.param]


Load = Callable[..., KroftDB]


@pytest.fixture
def load(make_db: MakeDB) -> Load:
    """Makes a database with tables that are there already."""

    def make(code: str, *tables: TableDefinition, seed: int = 5) -> KroftDB:
        db = make_db(seed=seed)
        db.connection.execute((SCHEMA + code).encode())
        adopt(db, *(tables or (ORDERS, LINES, AUDIT)))
        return db

    return make


def adopt(db: KroftDB, *tables: TableDefinition) -> None:
    for table in tables:
        db.apply(CreateTable(table, adopted=True))


def work(db: KroftDB) -> None:
    """A few of everything; the state is exact after each."""
    db.mutations.insert("orders", 7)
    assert db.verify()
    if db.expected("orders"):
        db.mutations.insert("lines", 4)
    for _ in range(4):
        db.mutations.mutate(count=3)
        assert db.verify()
    db.mutations.insert("orders", 250)
    assert db.verify()
    db.mutations.update("orders", 20)
    db.mutations.delete("orders", 2)
    assert db.verify()


def test_the_state_is_exact_whatever_triggers_do(load: Load, triggers: str) -> None:
    db = load(triggers)
    work(db)
    assert any(isinstance(op, Observed) and op.by == "server" for op in db.history)


def test_a_history_with_triggers_is_replayed(
    load: Load, make_db: MakeDB, triggers: str, tmp_path: Path
) -> None:
    db = load(triggers)
    work(db)
    other = make_db(seed=5)
    other.connection.execute((SCHEMA + triggers).encode())
    other.replay(History.load(db.save(tmp_path / "history.jsonl")))
    assert other.verify()
    for name in db.state.tables:
        assert other.expected(name) == db.expected(name)
    other.mutations.insert("orders", 3)
    assert other.verify()


def test_a_script_builds_the_same_after_the_schema(
    load: Load, make_db: MakeDB, triggers: str, tmp_path: Path
) -> None:
    db = load(triggers)
    work(db)
    file = tmp_path / "history.sql"
    file.write_text(SCHEMA + triggers + db.sql(), encoding="utf-8")
    other = make_db()
    assert "it is taken as it is on the server" in db.sql()
    done = psql(other.dsn, file)
    assert done.returncode == 0, done.stderr
    for name in db.state.tables:
        rows = f"SELECT * FROM {name} ORDER BY 1".encode()
        mine, theirs = (one.connection.execute(rows).fetchall() for one in (db, other))
        assert mine == theirs
    count = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'"
    assert other.connection.execute(count).fetchone() == (0,)


def test_numbers_that_a_sequence_gives_go_on_from_what_was_replayed(load: Load, make_db: MakeDB) -> None:
    db = load(AUDITED)
    db.connection.execute("SELECT setval('audit_id_seq', 40)")
    for _ in range(2):
        db.mutations.insert("orders", 2)
        db.mutations.insert("audit", 1)
    other = make_db(seed=5)
    other.connection.execute((SCHEMA + AUDITED).encode())
    other.replay(db.history)
    assert other.verify()
    assert other.expected("audit") == db.expected("audit")
    assert other.history.operations == db.history.operations


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    with start_server(server.dsn()) as lending:
        yield lending


def test_an_example_begins_with_what_triggers_did_at_first(lender: KroftServer, triggers: str) -> None:
    with lender.database(seed=5) as db:
        db.connection.execute((SCHEMA + triggers).encode())
        adopt(db, ORDERS, LINES, AUDIT)
        db.mutations.insert("orders", 7)
        db.mutations.mutate(count=3)
        rows = {name: db.expected(name) for name in db.state.tables}
        begun = db.begun()
        for seed in (1, 2):
            db.end_example()
            db.connection.execute(
                f"DROP SCHEMA public CASCADE; CREATE SCHEMA public; {SCHEMA}{triggers}".encode()
            )
            db.rewind(begun, SeededChoices(seed))
            assert db.verify()
            assert {name: db.expected(name) for name in db.state.tables} == rows
            db.mutations.insert("orders", 3)
            assert db.verify()


def test_what_was_redone_is_written_without_being_a_superuser(load: Load) -> None:
    db = load(AUDITED)
    db.connection.execute(
        "CREATE ROLE kroft_owner; GRANT ALL ON SCHEMA public TO kroft_owner;"
        "ALTER TABLE orders OWNER TO kroft_owner; ALTER TABLE lines OWNER TO kroft_owner;"
        "ALTER TABLE audit OWNER TO kroft_owner"
    )
    try:
        db._own.execute("SET ROLE kroft_owner")
        db.mutations.insert("orders", 3)
        state = db.state
        db.connection.execute("UPDATE orders SET price = 7; DELETE FROM audit WHERE id = 1")
        db._executor.restore(state, ["orders", "audit"])
        assert db.verify()
        assert db._own.execute("SELECT tgenabled FROM pg_trigger WHERE tgname = 't'").fetchone() == ("O",)
    finally:
        db._own.execute("RESET ROLE")
        db.connection.execute("REASSIGN OWNED BY kroft_owner TO CURRENT_USER; DROP OWNED BY kroft_owner")
        db.connection.execute("DROP ROLE kroft_owner")


def test_only_what_a_trigger_changed_is_in_the_record(load: Load) -> None:
    db = load(CHANGED)
    db.mutations.insert("orders", 2)
    (observed,) = [op for op in db.history if isinstance(op, Observed)]
    assert (observed.rows, sorted(observed.cells)) == ((1, 2), ["changed", "tax", "twice"])
    assert observed.removed == ()


def test_rows_that_a_trigger_writes_are_numbered_by_their_key(load: Load) -> None:
    db = load(AUDITED)
    db.connection.execute("SELECT setval('audit_id_seq', 40)")
    db.mutations.insert("orders", 2)
    assert [op.rows for op in db.history if isinstance(op, Observed) and op.table == "audit"] == [(41, 42)]
    db.mutations.insert("audit", 3)
    db.mutations.insert("orders", 1)
    assert db.verify()


CASCADED = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO audit (what, row_id) VALUES ('gone', OLD.id); RETURN NULL; END $$;
    CREATE TRIGGER t AFTER DELETE ON lines FOR EACH ROW EXECUTE FUNCTION f();
"""


def test_the_triggers_of_a_child_act_where_its_rows_go_with_their_parent(load: Load) -> None:
    plain = TableDefinition("orders", ORDERS.columns)
    child = TableDefinition("lines", LINES.columns, triggers=["t"])
    db = load(CASCADED, plain, child, AUDIT)
    db.mutations.insert("orders", 3)
    db.mutations.insert("lines", 20)
    assert db.expected("audit") == []
    db.mutations.delete("orders", 2)
    assert len(db.expected("lines")) + len(db.expected("audit")) == 20
    assert db.expected("audit")
    assert db.verify()


def test_rows_that_are_there_come_with_the_table(make_db: MakeDB) -> None:
    db = make_db(seed=5)
    db.connection.execute((SCHEMA + "INSERT INTO orders VALUES (7, 1), (9, 2)").encode())
    adopt(db, TableDefinition("orders", ORDERS.columns))
    assert [row["id"] for row in db.expected("orders")] == [7, 9]
    db.mutations.insert("orders", 3)
    assert db.verify()


def test_a_table_without_a_key_is_observed_too(make_db: MakeDB) -> None:
    db = make_db(seed=5)
    db.connection.execute(
        b"CREATE TABLE log (line text, n int);"
        b"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        b" $$ BEGIN NEW.n := coalesce(NEW.n, 7) % 3; RETURN NEW; END $$;"
        b"CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION f()"
    )
    adopt(db, TableDefinition("log", [Column("line", "text"), Column("n", "int")], triggers=["t"]))
    for _ in range(3):
        db.mutations.insert("log", 4)
        assert db.verify()
    db.mutations.update("log")
    assert db.verify()
    assert {row["n"] for row in db.expected("log")} != {None}


def test_a_table_with_triggers_is_written_in_no_session_and_beside_none_that_wrote(load: Load) -> None:
    db = load(AUDITED)
    db.mutations.insert("orders", 1)
    db.apply(Begin(1, START))
    with pytest.raises(NotApplicable, match="cannot be written in session 1: what its trigger 't' changes"):
        db.apply(Insert("orders", 50, 1, START, session=1))
    db.apply(Insert("audit", 60, 1, START, session=1))
    with pytest.raises(NotApplicable, match=r"whose triggers may write other tables.*session 1 has written"):
        db.apply(Insert("orders", 50, 1, START))
    assert db.verify()


def test_a_deferred_trigger_that_refuses_undoes_the_operation(load: Load) -> None:
    db = load(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'too many'; END $$;"
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION f()"
    )
    with pytest.raises(ExecutionError, match="too many"):
        db.mutations.insert("orders", 2)
    assert db.verify()
    assert db.expected("orders") == []


def test_partitions_are_read_as_the_table_that_they_are_part_of(make_db: MakeDB) -> None:
    db = make_db(seed=5)
    db.connection.execute(
        b"CREATE TABLE parts (id int PRIMARY KEY, n int) PARTITION BY HASH (id);"
        b"CREATE TABLE p0 PARTITION OF parts FOR VALUES WITH (modulus 2, remainder 0);"
        b"CREATE TABLE p1 PARTITION OF parts FOR VALUES WITH (modulus 2, remainder 1);"
        b"CREATE TABLE src (id int PRIMARY KEY);"
        b"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        b" $$ BEGIN INSERT INTO parts VALUES (NEW.id, 1) ON CONFLICT (id) DO UPDATE SET n = parts.n + 1;"
        b" RETURN NULL; END $$;"
        b"CREATE TRIGGER t AFTER INSERT ON src FOR EACH ROW EXECUTE FUNCTION f()"
    )
    adopt(
        db,
        TableDefinition("parts", [Column("id", "int", primary_key=True), Column("n", "int")]),
        TableDefinition("src", [Column("id", "int", primary_key=True)], triggers=["t"]),
    )
    db.mutations.insert("src", 10)
    assert db.expected("parts") == [{"id": n, "n": 1} for n in range(1, 11)]
    db.mutations.delete("src", 10)
    db.mutations.insert("src", 4)
    assert db.verify()


def test_nothing_is_asked_for_a_table_without_triggers(make_db: MakeDB) -> None:
    db = make_db(TableDefinition("plain", [Column("id", "int", primary_key=True)]), seed=5)
    db.connection.execute(b"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN END $$")
    db.mutations.insert("plain", 3)
    db.apply(Truncate("plain"))
    assert not any(isinstance(op, Observed) for op in db.history)


def test_without_counts_every_table_is_looked_at(load: Load) -> None:
    db = load(AUDITED)
    db._own.execute("SET track_counts = off")
    db.mutations.insert("orders", 2)
    assert len(db.expected("audit")) == 2
    assert db.verify()


# Inheritance


PARENT = TableDefinition(
    "parent", [Column("id", "int", primary_key=True), Column("n", "int")], inherited=True
)
CHILD = TableDefinition("child", [Column("id", "int", primary_key=True), Column("n", "int")])


def test_the_rows_of_a_table_that_inherits_are_its_own(make_db: MakeDB, tmp_path: Path) -> None:
    schema = (
        "CREATE TABLE parent (id int PRIMARY KEY, n int);"
        "CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);"
    )
    db = make_db(seed=5)
    db.connection.execute(schema.encode())
    adopt(db, PARENT, CHILD)
    for name in ("parent", "child"):
        db.mutations.insert(name, 5)
    keys = [[row["id"] for row in db.expected(name)] for name in ("parent", "child")]
    assert keys[0] == keys[1]
    db.mutations.update("parent", 3)
    db.mutations.delete("parent", 2)
    assert db.verify()
    db.connection.execute("UPDATE ONLY parent SET n = 7")
    assert db.adopt_rows() == 3
    file = tmp_path / "history.sql"
    file.write_text(schema + db.sql(), encoding="utf-8")
    other = make_db()
    assert psql(other.dsn, file).returncode == 0
    rows = "SELECT tableoid::regclass::text, * FROM parent ORDER BY 1, 2"
    assert other.connection.execute(rows).fetchall() == db.connection.execute(rows).fetchall()
    db.apply(Truncate("parent"))
    assert db.verify()
    assert len(db.expected("child")) == 5
