"""Every type of the server goes the whole way: adopted, inserted, updated, verified, read and compared."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import psycopg.rows
import pytest
from psycopg import sql

from pytest_kroft.adopting import Adopted
from pytest_kroft.database import KroftDB
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.server import start_server

EXCEPTIONS = {
    "xml": "the embedded server is built without libxml and refuses every value",
    "xml[]": "the embedded server is built without libxml and refuses every value",
    "interval year to month[]": "psycopg makes 30 days of a month, and expected() keeps the text",
    **dict.fromkeys(
        (
            f"{name}{array}"
            for name in (
                "pg_buffercache", "pg_buffercache_numa", "pg_stat_statements", "pg_stat_statements_info",
                "pets", "pet_names",
            )
            for array in ("", "[]")
        ),
        "rows of a table or view change with its columns",
    ),
}  # fmt: skip
"""What does not go the whole way, and why; see docs/reference/definitions.md."""
OTHERWISE_READ = {"interval year to month[]"}
"""Those of them that have rows, of which a cursor reads something else than ``expected`` holds."""

USER_TYPES = r"""
CREATE SCHEMA "Odd schema";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s', 'a,b', '"q"', 'NULL', '{x}', ' back\slash ');
CREATE TYPE "Odd schema"."odd ""type"" %s" AS ENUM ('x', 'y z');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN small AS positive CHECK (VALUE < 1000);
CREATE DOMAIN required AS small NOT NULL;
CREATE DOMAIN words AS text[] CHECK (cardinality(VALUE) < 9);
CREATE DOMAIN happy AS mood CHECK (VALUE <> 'sad');
CREATE DOMAIN moods AS mood[];
CREATE DOMAIN code AS char(5);
CREATE DOMAIN truth AS boolean;
CREATE DOMAIN host AS inet;
CREATE DOMAIN price AS numeric(10, 2) DEFAULT 3.14 CHECK (VALUE >= 0);
CREATE DOMAIN answer AS varchar(3) CHECK (VALUE IN ('aye', 'nay'));
CREATE DOMAIN plate AS text CHECK (VALUE ~ '^[A-Z]{2}-[0-9]{3}$');
CREATE DOMAIN mail AS citext CHECK (VALUE ~ '@');
CREATE DOMAIN place_in AS vector(3) CHECK (vector_norm(VALUE) < 5);
CREATE DOMAIN short AS varchar(12) COLLATE "C";
CREATE DOMAIN "Odd schema"."order" AS date CHECK (VALUE > '2020-01-01');
CREATE TYPE spot AS (x double precision, y double precision, "Z" double precision);
CREATE TYPE address AS (street text, number positive, code code, feel mood, at spot, tags text[]);
CREATE TYPE person AS (name text, homes address[], "main home" address, sure boolean);
CREATE TYPE "Odd schema"."select" AS ("from" mood, "a,b" "Odd schema"."odd ""type"" %s");
CREATE TYPE one_field AS (sole integer);
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE TYPE timerange AS RANGE (subtype = time, multirange_type_name = times);
CREATE TYPE spotrange AS RANGE (subtype = one_field);
CREATE DOMAIN span AS floatrange CHECK (NOT isempty(VALUE));
CREATE DOMAIN place AS spot CHECK ((VALUE).x IS NOT NULL);
CREATE DOMAIN positives AS positive[];
CREATE DOMAIN numbers AS positives CHECK (array_length(VALUE, 1) < 5);
CREATE TYPE holder AS (a positives, b span, c textmultirange, d place);
CREATE TABLE pets (id integer PRIMARY KEY, name text);
CREATE VIEW pet_names AS SELECT name FROM pets;
"""

# Each catalog and each view of information_schema has a type of its rows, which no column should have.
TYPES = """
    SELECT format_type(t.oid, NULL) FROM pg_type t LEFT JOIN pg_type e ON e.typarray = t.oid
    WHERE coalesce(e.typtype, t.typtype) <> 'p' AND NOT (
        coalesce(e.typtype, t.typtype) = 'c' AND t.typnamespace IN (
            'pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace
        )
    ) ORDER BY 1
"""
MODIFIED = ("vector(3)", "halfvec(2)[]", "sparsevec(5)", "interval day to minute", "interval year to month[]")
ROWS = 12


def make_tables(connection: psycopg.Connection) -> None:
    """A table for every type, of extensions too, named by the type."""
    available = connection.execute("SELECT name FROM pg_available_extensions ORDER BY name").fetchall()
    for (name,) in available:
        connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(sql.Identifier(name)))
    connection.execute(USER_TYPES.encode())
    for sql_type in [*types_of(connection), *MODIFIED]:
        columns = f"id integer PRIMARY KEY, v {sql_type}, w {sql_type} NOT NULL"
        connection.execute(f"CREATE TABLE {table_of(sql_type).as_string()} ({columns})".encode())


def types_of(connection: psycopg.Connection) -> list[str]:
    """The types of every kind, base, domain, enum, composite, range, multirange, and arrays of them."""
    return [name for (name,) in connection.execute(TYPES).fetchall()]


def table_of(sql_type: str) -> sql.Identifier:
    return sql.Identifier(f"of {sql_type}")


@pytest.fixture(scope="module")
def db(server: EmbeddedServer) -> Iterator[KroftDB]:
    with start_server(server.dsn()) as started, started.database(load=make_tables, seed=3) as made:
        yield made


@pytest.fixture(scope="module")
def adopted(db: KroftDB) -> Adopted:
    """What was adopted, with rows that were changed."""
    return db.adopt()


@pytest.fixture(scope="module")
def refused(db: KroftDB, adopted: Adopted) -> dict[str, str]:
    """The types for which kroft has no rows, with what was said."""
    said = {name.removeprefix("of "): why for name, why in adopted.left_out.items()}
    for table in adopted.tables:
        try:
            db.mutations.insert(table.name, ROWS)
            db.mutations.update(table.name, ROWS // 2)
            db.mutations.update(table.name, ROWS // 2)
            db.mutations.delete(table.name, 1)
        except Exception as error:  # noqa: BLE001  (whatever it is, it names the type)
            said[table.name.removeprefix("of ")] = str(error)
    return said


def rows_of(db: KroftDB, table: str) -> list[dict[str, object]]:
    """The rows as a consumer reads them."""
    cursor = db.connection.cursor(row_factory=psycopg.rows.dict_row)
    return cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()


def accepts_input(connection: psycopg.Connection, sql_type: str) -> bool:
    """Whether the input function of a type is more than an error message."""
    try:
        connection.execute(f"SELECT NULL::{sql_type}, '{{x}}'::{sql_type}".encode(), binary=False)
    except psycopg.errors.FeatureNotSupported as error:
        return "cannot accept a value of type" not in str(error)
    except psycopg.Error:
        return True
    return True


def test_no_type_is_forgotten(db: KroftDB, adopted: Adopted) -> None:
    """But for pseudo-types, types of rows, and those that no column can have an array of."""
    forgotten = db.connection.execute("""
        SELECT t.oid::regtype::text FROM pg_type t LEFT JOIN pg_type e ON e.typarray = t.oid
        WHERE coalesce(e.typtype, t.typtype) <> 'p' AND coalesce(e.typrelid, t.typrelid) = 0
        EXCEPT SELECT atttypid::regtype::text FROM pg_attribute WHERE attname = 'w'
    """).fetchall()
    assert forgotten == []
    assert len(adopted.tables) + len(adopted.left_out) > 300


def test_every_type_that_accepts_input_has_rows_but_for_the_exceptions(
    db: KroftDB, refused: dict[str, str]
) -> None:
    silent = {name for name in refused if not accepts_input(db.connection, name)}
    assert len(silent) > 20
    assert refused.keys() - silent == EXCEPTIONS.keys() - OTHERWISE_READ, refused


def test_what_is_left_out_says_why(adopted: Adopted) -> None:
    assert all(why.startswith("column 'v': ") for why in adopted.left_out.values())
    assert adopted.left_out["of pets"] == (
        "column 'v': its values are rows of \"pets\", and change with its columns"
    )
    assert "accepts no input" in adopted.left_out["of gtsvector"]
    assert adopted.left_out["of gtrgm"] == "column 'v': kroft knows no value of type gtrgm"


def test_the_server_holds_what_the_state_says(db: KroftDB, refused: dict[str, str]) -> None:
    assert db.verify()


def test_a_consumer_that_reads_every_row_has_a_true_copy(db: KroftDB, refused: dict[str, str]) -> None:
    wrong = [
        table.removeprefix("of ")
        for table in db.state.tables
        if not db.compare(table, rows_of(db, table)).same
    ]
    assert set(wrong) == OTHERWISE_READ


def test_the_copies_are_of_different_values_that_are_not_null(db: KroftDB, refused: dict[str, str]) -> None:
    for table in db.state.tables.keys() - {f"of {name}" for name in refused} - {"pets"}:
        values = [str(row["w"]) for row in db.expected(table)]
        assert len(values) == ROWS - 1, table
        assert "None" not in values, table
        assert len(set(values)) > 1, table


def test_a_row_that_the_test_changes_is_noticed(db: KroftDB, refused: dict[str, str]) -> None:
    for table in ("of holder", "of moods[]", "of mail", "of place_in", "of times"):
        rows = rows_of(db, table)
        rows[0]["w"], rows[1]["w"] = None, rows[2]["w"]
        assert not db.compare(table, rows).same, table
