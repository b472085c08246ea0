"""Migrations of the user's own on populated tables: one step, after which the state is exact again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import DefinitionError, ExecutionError, LoadError, Mismatch, NotApplicable
from pytest_kroft.model.clock import START
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Begin, Insert, Migrate, Observed
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import KroftServer, start_server
from tests.conftest import MakeDB
from tests.definitions import Column

MOOD = EnumDefinition("mood", ["sad", "ok"])
CUSTOMERS = TableDefinition(
    "customers",
    [
        Column("id", "int", identity="by default", primary_key=True),
        Column("name", "text", nullable=False, generator=lambda cell: f"Ada{cell.row} Byron"),
        Column("email", "text", unique=True),
        Column("mood", "mood", nullable=False),
        Column("secret", "int", protected=True),
        Column("updated_at", "timestamptz"),
        Column("later", "text", reserved=True),
    ],
    updated_at="updated_at",
)
ORDERS = TableDefinition(
    "orders",
    [
        Column("id", "int", primary_key=True),
        Column("customer", "int", references="customers ON DELETE CASCADE"),
        Column("amount", "int", nullable=False, check="amount >= 0"),
    ],
)
SCHEMA = """
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, tier smallint CHECK (tier > 0));
    CREATE TABLE orders (
        id int PRIMARY KEY, customer int NOT NULL REFERENCES customers ON DELETE CASCADE,
        amount numeric(8,2) NOT NULL, tax numeric(12,2));
    CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE FUNCTION taxed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.tax := NEW.amount * 0.2; INSERT INTO audit (what) VALUES (TG_OP); RETURN NEW; END $$;
    CREATE TRIGGER taxed BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION taxed();
"""


def add_note(connection: psycopg.Connection, default: str = "none") -> None:
    """A migration that can be imported: ``tests.integration.test_evolve_with:add_note``."""
    connection.execute(f"ALTER TABLE orders ADD note text NOT NULL DEFAULT '{default}'")
    connection.execute("UPDATE orders SET note = note || id, amount = amount + 1 WHERE id % 2 = 0")


ADD_NOTE = f"{__name__}:add_note"


@pytest.fixture(scope="module")
def kroft(server: EmbeddedServer) -> Iterator[KroftServer]:
    with start_server(server.dsn()) as opened:
        yield opened


@pytest.fixture
def made(make_db: MakeDB) -> KroftDB:
    return make_db(MOOD, CUSTOMERS, ORDERS, seed=7, rows=20)


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.sql"
    path.write_text(SCHEMA)
    return path


def statements(*texts: str):
    def migrate(connection: psycopg.Connection) -> None:
        for text in texts:
            connection.execute(text.encode())

    return migrate


def goes_on(db: KroftDB, batches: int = 10) -> None:
    for _ in db.stream(batches=batches, rows=8):
        pass
    assert db.verify()


def column(db: KroftDB, table: str, name: str):
    return db.state.table(table).column(name)


def test_a_column_that_is_renamed_keeps_its_number_its_cells_and_what_was_said_of_it(made: KroftDB):
    before, rows = column(made, "customers", "name"), made.expected("customers")
    report = made.evolve_with(statements("ALTER TABLE customers RENAME name TO full_name"))
    after = column(made, "customers", "full_name")
    assert (after.id, after.definition.generator) == (before.id, before.definition.generator)
    assert [row["full_name"] for row in made.expected("customers")] == [row["name"] for row in rows]
    assert report.changes == ("rename column name of customers to full_name",)
    assert report.rows == {}
    made.mutations.insert("customers", 1)
    assert made.expected("customers")[-1]["full_name"].endswith(" Byron")
    assert column(made, "customers", "secret").definition.protected
    assert made.state.table("customers").updated_at == column(made, "customers", "updated_at")
    assert [c.name for c in made.state.table("customers").definition.reserved] == ["later"]


def test_a_table_that_is_renamed_is_called_as_before(made: KroftDB):
    rows = made.expected("customers")
    made.evolve_with(statements("ALTER TABLE customers RENAME TO clients"))
    assert made.state.table("customers").name == "clients"
    assert made.expected("customers") == rows
    made.mutations.insert("orders", 3)
    assert made.verify()


def test_types_and_what_is_computed_from_them(made: KroftDB):
    report = made.evolve_with(
        statements(
            "ALTER TABLE orders ALTER amount TYPE numeric(10,2) USING amount / 100.0",
            "ALTER TABLE orders ADD gross numeric GENERATED ALWAYS AS (amount * 2) STORED",
        )
    )
    assert "change the type of column amount of orders to numeric(10,2)" in report.changes
    assert report.rows == {"orders": "20 changed"}
    assert all(row["gross"] == row["amount"] * 2 for row in made.expected("orders"))


def test_only_what_changed_is_written_down(made: KroftDB):
    before = made.state.table("customers")
    made.evolve_with(statements("ALTER TABLE orders ADD note text"))
    assert made.state.table("customers") is before


def test_a_split_column_and_its_backfill(made: KroftDB):
    names = [row["name"] for row in made.expected("customers")]
    made.evolve_with(
        statements(
            "ALTER TABLE customers ADD first text, ADD last text",
            "UPDATE customers SET first = split_part(name, ' ', 1), last = split_part(name, ' ', 2)",
            "ALTER TABLE customers ALTER first SET NOT NULL, ALTER last SET NOT NULL, DROP name",
        )
    )
    table = made.state.table("customers")
    assert [f"{row['first']} {row['last']}" for row in made.expected("customers")] == names
    assert [tombstone.name for tombstone in table.tombstones] == ["name"]
    assert len({c.id for c in table.columns}) == len(table.columns)
    goes_on(made)


def test_a_column_that_is_dropped_and_made_again_is_another_one(made: KroftDB):
    before = column(made, "orders", "amount").id
    made.evolve_with(
        statements("ALTER TABLE orders DROP amount", "ALTER TABLE orders ADD amount int NOT NULL DEFAULT 5")
    )
    assert column(made, "orders", "amount").id > before
    assert {row["amount"] for row in made.expected("orders")} == {5}


def test_tables_that_come_and_go(made: KroftDB):
    report = made.evolve_with(
        statements(
            "CREATE TABLE tags (id serial PRIMARY KEY, customer int REFERENCES customers, tag text)",
            "INSERT INTO tags (customer, tag) SELECT id, 'new' FROM customers",
            "CREATE TABLE alembic_version (version_num text PRIMARY KEY)",
            "DROP TABLE orders",
        )
    )
    assert list(made.state.tables) == ["customers", "tags"]
    assert len(made.expected("tags")) == 20
    assert report.rows == {"tags": "20 new"}
    assert "drop table orders" in str(report)
    goes_on(made)


def test_a_table_that_is_made_anew_under_its_name_is_another_one(made: KroftDB):
    rows = made.expected("orders")
    made.evolve_with(
        statements(
            "CREATE TABLE orders_new (id bigint PRIMARY KEY, customer int REFERENCES customers, amount int)",
            "INSERT INTO orders_new SELECT * FROM orders",
            "DROP TABLE orders",
            "ALTER TABLE orders_new RENAME TO orders",
        )
    )
    assert made.state.table("orders").birth.count == 2
    assert made.expected("orders") == rows
    goes_on(made)


def test_rows_that_a_migration_removes_and_writes(made: KroftDB):
    report = made.evolve_with(
        statements("DELETE FROM customers WHERE id <= 5", "INSERT INTO orders VALUES (900, 6, 1)")
    )
    assert report.changes == ()
    assert report.rows["customers"] == "5 removed"
    assert "1 new" in report.rows["orders"]
    goes_on(made)


def test_an_enum_that_changes(made: KroftDB):
    moods = [row["mood"] for row in made.expected("customers")]
    report = made.evolve_with(
        statements(
            "ALTER TYPE mood ADD VALUE 'glad' BEFORE 'sad'", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'"
        )
    )
    assert made.state.types["mood"] == EnumDefinition("mood", ["glad", "sad", "fine"])
    assert report.rows == {"customers": f"{moods.count('ok')} changed"}
    assert [row["mood"] for row in made.expected("customers")] == [
        "fine" if mood == "ok" else mood for mood in moods
    ]
    goes_on(made)


def test_an_enum_that_becomes_a_text(made: KroftDB):
    made.evolve_with(statements("ALTER TABLE customers ALTER mood TYPE text", "DROP TYPE mood"))
    assert not made.state.types
    goes_on(made)


def test_an_adopted_schema_with_triggers_and_foreign_keys(kroft: KroftServer, schema: Path):
    with kroft.database(seed=3, load=[schema], policy="breaking") as db:
        db.adopt()
        db.fill(12)
        db.evolve_with(
            statements(
                "ALTER TABLE customers RENAME TO clients",
                "ALTER TABLE clients RENAME id TO client_id",
                "ALTER TABLE orders ALTER amount TYPE numeric(12,4)",
                "UPDATE orders SET amount = amount + 0.1234",
                "CREATE UNIQUE INDEX ON clients (lower(name || client_id))",
                "ALTER TABLE clients ADD CHECK (length(name) < 200)",
            )
        )
        assert all(row["tax"] == round(row["amount"] / 5, 2) for row in db.expected("orders"))
        goes_on(db)


def test_renames_of_kroft_itself_come_before_and_after(make_db: MakeDB):
    db = make_db(MOOD, CUSTOMERS, ORDERS, seed=11, rows=20, policy="breaking")
    goes_on(db)
    amount = db.state.table("orders").columns[0].name
    db.evolve_with(statements("CREATE TABLE other (id int PRIMARY KEY)"))
    assert db.state.table("orders").columns[0].name == amount
    goes_on(db)


@pytest.mark.parametrize("seed", range(4))
def test_evolution_goes_on_after_a_migration_and_before(make_db: MakeDB, seed: int):
    db = make_db(MOOD, CUSTOMERS, ORDERS, seed=seed, rows=20, policy="breaking")
    db.evolve_with(ADD_NOTE, "text")
    goes_on(db)
    key = db.state.table("customers").key[0].name
    name = db.state.table("customers").name
    db.evolve_with(statements(f'ALTER TABLE "{name}" RENAME "{key}" TO number'))
    goes_on(db)


def test_rules_that_come_with_a_migration_are_learnt(kroft: KroftServer, schema: Path):
    with kroft.database(seed=3, load=[schema]) as db:
        db.adopt("customers")
        db.fill(12)
        db.evolve_with(
            statements(
                """CREATE FUNCTION fine(text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$
                    SELECT $1 ~ '^[a-z0-9-]+$' $$""",
                "ALTER TABLE customers ADD slug text UNIQUE CHECK (fine(slug))",
                "UPDATE customers SET slug = 'c-' || id",
                "ALTER TABLE customers ALTER slug SET NOT NULL",
            )
        )
        goes_on(db)
        assert len(db.expected("customers")) > 12


# Where it fails


def test_a_migration_that_fails_and_leaves_nothing(made: KroftDB):
    def fails(connection: psycopg.Connection) -> None:
        with connection.transaction():
            connection.execute("ALTER TABLE orders ADD note text")
            connection.execute("ALTER TABLE orders ADD CONSTRAINT few CHECK (amount < 0)")

    before = made.state
    with pytest.raises(
        ExecutionError, match=r"fails.*line \d+.*violated by some row \(23514\).*as it was"
    ) as caught:
        made.evolve_with(fails)
    assert caught.value.sqlstate == "23514"
    assert made.state is before
    assert made.verify()


def test_a_migration_that_fails_in_the_middle_says_what_it_left(made: KroftDB):
    def fails(connection: psycopg.Connection) -> None:
        connection.execute("ALTER TABLE orders ADD note text")
        connection.execute("CREATE TABLE half ()")
        raise KeyError("gone")

    with pytest.raises(
        ExecutionError, match=r"raised KeyError: 'gone'; it left.*'note' is text on the server.*new: half"
    ):
        made.evolve_with(fails)
    with pytest.raises(Mismatch):
        made.verify()


def test_rows_that_a_failed_migration_left_are_told(made: KroftDB):
    with pytest.raises(ExecutionError, match=r"left changes behind.*orders"):
        made.evolve_with(statements("DELETE FROM orders WHERE id = 1", "SELECT 1 / 0"))


def test_a_transaction_that_stays_open_is_undone(made: KroftDB):
    with pytest.raises(ExecutionError, match=r"transaction that is still open.*as it was"):
        made.evolve_with(statements("BEGIN", "DROP TABLE orders"))
    assert made.verify()


def test_what_does_not_apply(made: KroftDB):
    with pytest.raises(LoadError, match="no function 'nothing'"):
        made.evolve_with(f"{__name__}:nothing")
    with pytest.raises(DefinitionError, match=r"must be a text.*not 5"):
        made.evolve_with(ADD_NOTE, 5)  # type: ignore[arg-type]
    made.connection.execute("DELETE FROM orders WHERE id = 3")
    with pytest.raises(Mismatch, match="adopt_rows"):
        made.evolve_with(ADD_NOTE)
    made.adopt_rows()
    made.apply(Begin(1, START))
    with pytest.raises(NotApplicable, match="while session 1 is open"):
        made.evolve_with(ADD_NOTE)


# Histories


def test_a_history_calls_the_migration_again(made: KroftDB, make_db: MakeDB, tmp_path: Path):
    made.evolve_with(ADD_NOTE, "short")
    goes_on(made, 2)
    saved = History.load(made.save(tmp_path / "history.jsonl"))
    assert [op.arguments for op in saved if isinstance(op, Migrate)] == [("short",)]
    again = make_db(seed=7)
    again.replay(saved)
    assert again.verify()
    assert again.expected("orders") == made.expected("orders")
    assert f"-- call {ADD_NOTE} short here" in made.sql()


def test_a_history_holds_what_the_server_made_then(made: KroftDB, make_db: MakeDB, tmp_path: Path):
    made.evolve_with(f"{__name__}:add_time")
    again = make_db(seed=7)
    again.replay(History.load(made.save(tmp_path / "history.jsonl")))
    assert again.expected("orders") == made.expected("orders")
    assert again.verify()


def add_time(connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE orders ADD made timestamptz NOT NULL DEFAULT clock_timestamp()")


def test_a_history_whose_migration_cannot_be_imported_is_refused(made: KroftDB, make_db: MakeDB):
    made.evolve_with(statements("ALTER TABLE orders ADD note text"))
    with pytest.raises(ExecutionError, match=r"statements.*name one that can be imported"):
        make_db(seed=7).replay(made.history)


def test_an_sql_file(made: KroftDB, tmp_path: Path):
    path = tmp_path / "0002.sql"
    path.write_text("ALTER TABLE orders ADD note text DEFAULT 'x';\nALTER TABLE orders DROP nothing;\n")
    with pytest.raises(ExecutionError, match=r"0002.sql, line 2: column \"nothing\".*\(42703\)"):
        made.evolve_with(path)
    path.write_text("ALTER TABLE orders DROP note;")
    made.connection.execute("ALTER TABLE orders DROP note")
    path.write_text("ALTER TABLE orders ADD note text DEFAULT 'x';")
    made.evolve_with(path)
    assert {row["note"] for row in made.expected("orders")} == {"x"}


def test_functions_of_one_name_are_told_apart(made: KroftDB):
    first, second = statements("ALTER TABLE orders ADD a int"), statements("ALTER TABLE orders DROP a")
    for migration in (first, second, first):
        made.evolve_with(migration)
    name = "tests.integration.test_evolve_with:statements.<locals>.migrate"
    sources = [op.source for op in made.history if isinstance(op, Migrate)]
    assert sources == [name, f"{name} (2)", name]


def test_what_was_observed_follows_the_step(made: KroftDB):
    made.evolve_with(ADD_NOTE)
    step, observed = made.history[-2:]
    assert isinstance(step, Migrate)
    assert isinstance(observed, Observed)
    assert observed.by == "server"
    fresh = made.state.table("orders").next_row
    made.apply(Insert("orders", fresh, 1, START, parents={"customer": (1,)}))
    assert made.verify()


def test_the_state_follows_a_migration_whose_rules_cannot_be_tried(kroft: KroftServer, tmp_path: Path):
    path = tmp_path / "held.sql"
    path.write_text(
        "CREATE TABLE shops (id int PRIMARY KEY);"
        "CREATE TABLE spans (id int PRIMARY KEY, shop int REFERENCES shops, low int, high int,"
        " CHECK (low < high));"
    )
    with kroft.database(load=str(path)) as db:
        db.adopt()
        db.fill(3)
        # A consumer that reads the parent keeps its foreign keys from being taken away for the trial.
        held = db.connect()
        held.execute("BEGIN; SELECT FROM shops")
        report = db.evolve_with(statements("ALTER TABLE spans ADD note text"))
        assert db.verify()
        assert "could not be tried" in report.closed["spans"]
        assert column(db, "spans", "note").definition.sql_type == "text"
        with pytest.raises(NotApplicable, match="could not be tried"):
            db.mutations.insert("spans", 1)
