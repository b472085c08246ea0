"""A schema that was there before: every kind of object is taken over, filled, changed and evolved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pytest_kroft import (
    ColumnDefinition,
    DefinitionError,
    KroftServer,
    NotApplicable,
    SampledDefinition,
    start_server,
)
from pytest_kroft.postgres.embedded import EmbeddedServer

KINDS = Path(__file__).with_name("kinds.sql")
SHOP = """
CREATE TABLE customers (id serial PRIMARY KEY, email text UNIQUE, updated_at timestamptz NOT NULL);
INSERT INTO customers (email, updated_at) VALUES ('a@b.c', '2031-05-06 07:08:09+00'), (NULL, '2030-01-01');
CREATE TABLE orders (
    id int PRIMARY KEY, customer int NOT NULL REFERENCES customers ON DELETE CASCADE, code text NOT NULL
);
CREATE VIEW codes AS SELECT code FROM orders;
"""


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    with start_server(server.dsn()) as lending:
        yield lending


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.sql"
    path.write_text(SHOP)
    return str(path)


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_of_object_is_filled_mutated_and_evolved(lender: KroftServer, seed: int) -> None:
    with lender.database(load=str(KINDS), seed=seed, policy="everything") as db:
        adopted = db.adopt()
        assert (adopted.left_out, adopted.closed) == ({}, {})
        assert db.fill(6) == {}
        assert db.verify()
        for _ in range(2):
            for name in list(db.state.tables):
                db.mutations.mutate(name, 3)
                db.evolution.evolve(name)
                db.mutations.mutate(name, 3)
            assert db.verify()


def test_a_run_follows_an_adopted_schema(lender: KroftServer) -> None:
    with lender.database(load=str(KINDS), seed=3, policy="breaking") as db:
        db.adopt()
        db.fill(4)
        for _ in db.stream(batches=10, rows=10):
            assert db.verify()
        kinds = set(db.evolution.summary())
        assert kinds - {"create_table", "create_type"}


def test_one_seed_gives_one_history_in_every_clone_and_a_replay_repeats_it(
    lender: KroftServer, tmp_path: Path
) -> None:
    found = []
    for _ in range(2):
        with lender.database(load=str(KINDS), seed=8, policy="churn") as db:
            db.adopt("parents", "child*", "tree", "type_*")
            db.fill(5)
            db.run(batches=4, rows=10)
            found.append(
                (list(db.history), db.history, {name: db.expected(name) for name in db.state.tables})
            )
    assert found[0][0] == found[1][0]
    with lender.database(load=str(KINDS), seed=9) as db:
        db.adopt("parents", "child*", "tree", "type_*")
        db.replay(found[0][1])
        assert db.verify()
        assert {name: db.expected(name) for name in db.state.tables} == found[0][2]


def test_the_rows_that_are_there_are_known_and_the_clock_goes_on_from_them(
    lender: KroftServer, shop: str
) -> None:
    with lender.database(load=shop, policy="churn") as db:
        db.adopt()
        assert [row["email"] for row in db.expected("customers")] == ["a@b.c", None]
        db.mutations.insert("customers", 2)
        stamps = [row["updated_at"] for row in db.expected("customers")]
        assert min(stamps[2:]) > max(stamps[:2])
        # The next number of the sequence is one that no row has.
        db.connection.execute("INSERT INTO customers (updated_at) VALUES (now())")
        db.adopt_rows()
        assert db.verify()


def test_a_foreign_key_takes_its_rows_along(lender: KroftServer, shop: str) -> None:
    with lender.database(load=shop) as db:
        db.adopt()
        db.fill(20)
        (first,) = [row["id"] for row in db.expected("customers")][:1]
        theirs = [row for row in db.expected("orders") if row["customer"] == first]
        assert theirs
        before = len(db.expected("orders"))
        db.mutations.delete("customers", keys=[first])
        assert len(db.expected("orders")) == before - len(theirs)
        assert db.verify()


def test_what_the_user_says_of_columns_goes_before_what_was_read(lender: KroftServer, shop: str) -> None:
    said = [
        ColumnDefinition("code", "text", lambda cell: f"C{cell.row:04}", protected=True),
        ColumnDefinition("note", "text"),
    ]
    with lender.database(load=shop, policy="additive") as db:
        db.adopt(columns={"orders": said})
        db.fill(5)
        assert [row["code"] for row in db.expected("orders")] == [f"C{n:04}" for n in range(1, 6)]
        assert db.schema.reserved("orders") == ("note",)
        assert db.evolution.add_column("orders") == "note"
        assert db.verify()
    with lender.database(load=shop) as db, pytest.raises(DefinitionError, match="'nothing', which is not"):
        db.adopt(columns={"nothing": said})


def test_evolution_adds_columns_that_a_person_might_have_added(lender: KroftServer, shop: str) -> None:
    with lender.database(load=shop, policy="additive", seed=2) as db:
        db.adopt("customers")
        db.fill(3)
        added = {db.evolution.add_column("customers") for _ in range(4)}
        assert len(added) == 4
        assert added <= set(db.state.table("customers").names)
        assert db.verify()


def test_what_a_view_reads_is_not_dropped(lender: KroftServer, shop: str) -> None:
    with lender.database(load=shop) as db:
        db.adopt()
        with pytest.raises(NotApplicable, match='cannot be changed: view "codes" reads it'):
            db.schema.drop_column("orders", "code")
        db.schema.rename_column("orders", "code", "label")
        db.mutations.insert("orders", 2)
        assert db.verify()


def test_the_definitions_print_as_code_that_makes_them_again(lender: KroftServer) -> None:
    with lender.database(load=str(KINDS)) as db:
        adopted = db.adopt()
        scope: dict[str, Any] = {}
        exec(adopted.code(), scope)
        assert scope["definitions"] == [*adopted.types, *adopted.tables]
        assert any(isinstance(one, SampledDefinition) for one in adopted.types)
        assert str(adopted).startswith(f"adopted {len(adopted.tables)} tables: ")


def test_a_table_without_a_key_is_compared_as_a_whole(lender: KroftServer) -> None:
    with lender.database(load=str(KINDS), policy="churn") as db:
        db.adopt("keyless")
        db.fill(6)
        rows = db.expected("keyless")
        db.assert_same("keyless", list(reversed(rows)))
        db.mutations.update("keyless")
        assert db.verify()


@pytest.mark.parametrize(
    "patterns, said",
    [
        (["order"], r"'order'.*orders"),
        (["billing.*"], r"'billing\.\*'"),
        (["codes"], "codes.*view"),
        ([""], "'' names no table; give a name such as 'orders'"),
    ],
)
def test_a_pattern_that_means_no_table_is_refused(
    lender: KroftServer, shop: str, patterns: list[str], said: str
) -> None:
    with lender.database(load=shop) as db:
        with pytest.raises(DefinitionError, match=said):
            db.adopt(*patterns)
        assert not db.state.tables


def test_what_is_known_already_is_not_adopted_again(lender: KroftServer, shop: str) -> None:
    with lender.database(load=shop) as db:
        db.adopt("customers")
        with pytest.raises(NotApplicable, match="already: customers"):
            db.adopt("customers")
        assert list(db.state.tables) == ["customers"]
        # It refers to the one that is known.
        db.adopt("orders")
        assert list(db.state.tables) == ["customers", "orders"]
        assert db.verify()


def test_rows_that_a_table_outside_may_refer_to_are_kept(lender: KroftServer, shop: str) -> None:
    with lender.database(load=shop, policy="breaking") as db:
        db.adopt("customers")
        with pytest.raises(NotApplicable, match='table "orders" refers to them and is not adopted'):
            db.schema.truncate("customers")
        db.run(batches=10, rows=10)
        assert db.verify()


def test_an_empty_database_has_nothing_to_adopt(lender: KroftServer) -> None:
    with (
        lender.database() as db,
        pytest.raises(DefinitionError, match=r"no table to adopt.*load a schema"),
    ):
        db.adopt()


def test_a_table_that_the_role_may_not_read_is_left_out(lender: KroftServer, shop: str) -> None:
    with lender.database(load=shop) as db:
        role = sql.Identifier(f"reader_{db.connection.info.backend_pid}")
        db.connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        try:
            db.connection.execute(sql.SQL("GRANT ALL ON customers TO {}").format(role))
            with psycopg.connect(db.dsn, autocommit=True) as other:
                other.execute(sql.SQL("SET ROLE {}").format(role))
                from pytest_kroft.postgres.adoption import read_definitions

                found = read_definitions(other, ())
            assert "orders" in " ".join(found.left_out)
            assert [table.name for table in found.tables] in ([], ["customers"])
        finally:
            db.connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            db.connection.execute(sql.SQL("DROP ROLE {}").format(role))


NEVER = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'this table takes no rows'; END $$;
CREATE TABLE never (id int PRIMARY KEY);
CREATE TRIGGER no BEFORE INSERT ON never FOR EACH ROW EXECUTE FUNCTION no();
CREATE TABLE below (id int PRIMARY KEY, never int NOT NULL REFERENCES never);
CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'rows of the ledger stay'; END $$;
CREATE TABLE ledger (id int PRIMARY KEY, amount int, note text);
CREATE TRIGGER stay BEFORE DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION stay();
CREATE FUNCTION fixed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.amount IS DISTINCT FROM OLD.amount THEN RAISE 'the amount is fixed'; END IF;
        RETURN NEW;
    END $$;
CREATE TRIGGER fixed BEFORE UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION fixed();
"""


def test_a_table_that_takes_no_row_is_told_and_the_others_are_filled(
    lender: KroftServer, tmp_path: Path
) -> None:
    path = tmp_path / "never.sql"
    path.write_text(NEVER)
    with lender.database(load=str(path), policy="breaking") as db:
        adopted = db.adopt()
        assert "this table takes no rows" in adopted.closed["never"]
        assert set(adopted.closed) == {"never"}
        short = db.fill(8)
        assert set(short) == {"never", "below"}
        assert "needs a row of 'never'" in short["below"]
        with pytest.raises(NotApplicable, match=r"no row can be inserted into 'never'.*takes no rows"):
            db.mutations.insert("never", 1)
        db.run(batches=20, rows=10)
        assert db.verify()


def test_what_a_trigger_keeps_is_neither_deleted_nor_changed(lender: KroftServer, tmp_path: Path) -> None:
    path = tmp_path / "never.sql"
    path.write_text(NEVER)
    with lender.database(load=str(path), policy="breaking", seed=4) as db:
        db.adopt("ledger")
        db.fill(8)
        assert "amount" in db.schema.protected("ledger")
        assert "note" not in db.schema.protected("ledger")
        with pytest.raises(NotApplicable, match="a trigger says 'rows of the ledger stay'"):
            db.mutations.delete("ledger", keys=[db.expected("ledger")[0]["id"]])
        for _ in range(30):
            db.mutations.mutate("ledger", 3)
        assert len(db.expected("ledger")) >= 8
        assert db.verify()


def write(tmp_path: Path, text: str, name: str = "own.sql") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_rows_that_are_there_are_not_in_the_way_of_what_is_tried(lender: KroftServer, tmp_path: Path) -> None:
    loaded = """CREATE TABLE spans (id int PRIMARY KEY, lo int, hi int, CHECK (lo < hi));
        INSERT INTO spans VALUES (1, 2, 3), (2, 3, 4);"""
    with lender.database(load=write(tmp_path, loaded)) as db:
        db.adopt()
        db.fill(20)
        assert min(row["id"] for row in db.expected("spans")) == 1
        assert db.verify()


def test_what_is_learnt_of_one_template_is_not_told_of_another(lender: KroftServer, tmp_path: Path) -> None:
    kinds: dict[str, set[str]] = {}
    for allowed in ("'A', 'B'", "'x', 'y'"):
        text = f"""CREATE FUNCTION ok(text) RETURNS boolean LANGUAGE sql AS $$ SELECT $1 IN ({allowed}) $$;
            CREATE TABLE kinds (id int PRIMARY KEY, kind text NOT NULL CHECK (ok(kind)));"""
        with lender.database(load=write(tmp_path, text, f"{len(kinds)}.sql")) as db:
            db.adopt()
            db.fill(5)
            assert db.verify()
            kinds[allowed] = {row["kind"] for row in db.expected("kinds")}
    assert [found <= set("ABxy") for found in kinds.values()] == [True, True]


def test_the_end_of_time_is_no_time_that_goes_on(lender: KroftServer, tmp_path: Path) -> None:
    text = """CREATE TABLE ends (id int PRIMARY KEY, updated_at timestamptz);
        INSERT INTO ends VALUES (1, '9999-12-31 23:59:59+00'), (2, '2024-01-01 00:00:00+00');"""
    with lender.database(load=write(tmp_path, text)) as db:
        db.adopt()
        db.mutations.insert("ends", 2)
        assert 2024 <= db.expected("ends")[-1]["updated_at"].year < 2100
        assert db.verify()


def test_names_may_hold_a_percent_sign_beside_triggers(lender: KroftServer, tmp_path: Path) -> None:
    text = """CREATE TABLE odd (id int PRIMARY KEY, "100%" int, n int);
        CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER same BEFORE INSERT ON odd FOR EACH ROW EXECUTE FUNCTION same();"""
    with lender.database(load=write(tmp_path, text)) as db:
        db.adopt()
        assert db.schema.protected("odd") == ("id",)
        db.fill(4)
        db.mutations.delete("odd", 2)
        assert db.verify()


def test_what_a_trigger_writes_by_position_keeps_its_columns(lender: KroftServer, tmp_path: Path) -> None:
    text = """CREATE TABLE log (what text, n int); CREATE TABLE acts (id int PRIMARY KEY, n int);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO log VALUES (tg_op, 1); RETURN NULL; END $$;
        CREATE TRIGGER note AFTER INSERT ON acts FOR EACH ROW EXECUTE FUNCTION note();"""
    with lender.database(load=write(tmp_path, text)) as db:
        db.adopt()
        with pytest.raises(NotApplicable, match='trigger "note" names it'):
            db.schema.drop_column("log", "what")
        db.mutations.insert("acts", 2)
        assert db.verify()


def test_a_row_that_goes_frees_many_keys_at_once(lender: KroftServer, tmp_path: Path) -> None:
    keys = ", ".join(f"by_{n} int REFERENCES people ON DELETE SET NULL" for n in range(9))
    text = f"CREATE TABLE people (id int PRIMARY KEY); CREATE TABLE notes (id int PRIMARY KEY, {keys});"
    with lender.database(load=write(tmp_path, text)) as db:
        db.adopt()
        db.mutations.insert("people", 1)
        db.mutations.insert("notes", 20)
        db.mutations.delete("people", 1)
        assert {row["by_8"] for row in db.expected("notes")} == {None}
        assert db.verify()


def test_a_first_row_without_its_own_key_cannot_refer_to_itself(lender: KroftServer, tmp_path: Path) -> None:
    text = """CREATE TABLE selves (
        id int PRIMARY KEY, code text UNIQUE, up text NOT NULL REFERENCES selves (code)
    )"""
    for seed in range(4):
        with lender.database(load=write(tmp_path, text), seed=seed) as db:
            db.adopt()
            with pytest.raises(NotApplicable, match="needs a row of 'selves'"):
                db.mutations.insert("selves", 8)
