"""The SQL script of a history, run by psql, builds the same structure and the same content."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import HistoryError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.history import History
from pytest_kroft.model.operations import Delete
from pytest_kroft.model.special import extreme_values, unrepresentable_values
from pytest_kroft.model.tables import EnumDefinition, TableDefinition
from pytest_kroft.model.types import CATALOG_NAMES, parse_type
from pytest_kroft.postgres.databases import Database
from pytest_kroft.postgres.installation import clean_environment, find_installation
from pytest_kroft.postgres.script import SETTINGS, comment, script
from pytest_kroft.verification import content_difference, structure_differences
from tests.conftest import MakeDB
from tests.definitions import CUSTOMERS, ENUMS, LOG, ODD, ORDERS, TREE

Column = ColumnDefinition


def psql(dsn: str, file: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with the psql that came with the server."""
    return subprocess.run(
        [find_installation().program("psql"), "--no-psqlrc", "--quiet", dsn, "--file", str(file)],
        check=False,
        capture_output=True,
        text=True,
        env=clean_environment(os.environ),
    )


def assert_builds_the_same(db: KroftDB, database: Database, folder: Path) -> None:
    """The script of a database, run in an empty one, builds what the database's state says."""
    file = folder / "history.sql"
    file.write_text(db.sql(), encoding="utf-8")
    done = psql(database.dsn, file)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        for setting in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", setting)
        assert list(structure_differences(connection, db.state)) == []
        for name in db.state.tables:
            content_difference(connection, db.state, name).raise_if_different()


@pytest.mark.parametrize("seed", range(6))
def test_the_script_of_any_history_builds_the_same(
    make_db: MakeDB, database: Database, tmp_path: Path, seed: int
) -> None:
    db = make_db(*ENUMS, CUSTOMERS, ORDERS, ODD, LOG, TREE, seed=seed, rows=4, policy="everything")
    for _ in range(25):
        db.mutations.mutate(count=4)
        db.evolution.evolve()
    assert_builds_the_same(db, database, tmp_path)


def test_rows_that_the_test_wrote_are_in_the_script(
    make_db: MakeDB, database: Database, tmp_path: Path
) -> None:
    db = make_db(*ENUMS, CUSTOMERS, LOG, ORDERS, rows=3)
    db.connection.execute("INSERT INTO customers (name, country) VALUES ('it''s \\ mine', 'xx')")
    db.connection.execute("INSERT INTO log VALUES ('mine')")
    db.connection.execute("UPDATE orders SET amount = 7 WHERE id = 2; DELETE FROM orders WHERE id = 1")
    assert db.adopt_rows() == 4
    db.mutations.insert("customers", 2)
    assert_builds_the_same(db, database, tmp_path)


@pytest.mark.parametrize("sql_type", sorted({*CATALOG_NAMES} - {"xml"}))
def test_every_value_of_every_type_is_in_the_script(
    make_db: MakeDB, database: Database, tmp_path: Path, sql_type: str
) -> None:
    parsed = parse_type(sql_type)
    columns = [
        Column("id", "int", primary_key=True),
        Column("one", sql_type),
        Column("many", f"{sql_type}[]"),
    ]
    db = make_db(TableDefinition("t", columns), seed=2, rows=10)
    given = [*extreme_values(parsed), *unrepresentable_values(parsed)]
    db.mutations.insert(rows=[{"id": -number, "one": text} for number, text in enumerate(given, 1)])
    db.mutations.update(fraction=0.5)
    assert_builds_the_same(db, database, tmp_path)


VOLATILE = [
    Column("late", "timestamptz", default="clock_timestamp()", reserved=True),
    Column("late", "double precision", default="random()", reserved=True),
    Column("late", "int", identity="always", reserved=True),
    Column("late", "int", identity="by default", reserved=True),
    Column("late", "numeric", generated="n / 3.0", reserved=True),
]


@pytest.mark.parametrize("key", [True, False])
@pytest.mark.parametrize("late", VOLATILE)
def test_what_only_the_server_knew_is_in_the_script(
    make_db: MakeDB, database: Database, tmp_path: Path, late: ColumnDefinition, key: bool
) -> None:
    db = make_db(
        TableDefinition("t", [Column("id", "int", primary_key=key), Column("n", "int"), late]), rows=6
    )
    # The order in which the rows lie is another one in the script's database.
    db.mutations.update(fraction=1)
    if key:
        db.mutations.update(count=3)
        db.mutations.update(count=2)
    db.schema.add_column("late")
    db.mutations.insert(count=3)
    assert_builds_the_same(db, database, tmp_path)


def test_a_script_is_readable_and_repeats_nothing_of_the_server(make_db: MakeDB) -> None:
    db = make_db(LOG, seed=1, rows=2)
    text = db.sql()
    assert "\n-- 1  create table log (line, n, at)\nCREATE TABLE" in text
    assert "\n-- 2  insert into log: 2 rows" in text
    assert text == make_db(LOG, seed=1, rows=2).sql()
    assert text.startswith("\\set ON_ERROR_STOP on\nSET client_encoding = 'UTF8';")


def test_a_script_names_the_test_and_no_name_leaves_its_comment(
    make_db: MakeDB, database: Database, tmp_path: Path
) -> None:
    name = "tests/test_x.py::test_y[a\nDROP TABLE t;\u2028\\! echo]"
    table = TableDefinition("line\nbreak; --", [Column("a\r\nb", "int"), Column("\\q", "text")])
    db = make_db(table, EnumDefinition("e", ["\n\\q\n", "--"]), seed=4, rows=3, test=name)
    assert db.sql().splitlines()[0].startswith("-- tests/test_x.py::test_y[a DROP TABLE t;")
    assert_builds_the_same(db, database, tmp_path)


def test_a_comment_is_one_line() -> None:
    assert comment("a\nb\r\nc\x0bd\u2028e") == "-- a b c d e"


def test_a_script_ends_at_the_first_error(make_db: MakeDB, database: Database, tmp_path: Path) -> None:
    db = make_db(LOG, rows=2)
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE log (mine int)")
        file = tmp_path / "history.sql"
        file.write_text(db.sql(), encoding="utf-8")
        done = psql(database.dsn, file)
        assert done.returncode == 3
        assert 'relation "log" already exists' in done.stderr
        assert connection.execute("SELECT count(*) FROM log").fetchone() == (0,)


OTHER_SETTINGS = {
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Tokyo",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
    "search_path": "elsewhere",
    "standard_conforming_strings": "off",
}


@pytest.mark.filterwarnings("ignore:.*standard_conforming_strings")
def test_neither_a_script_nor_a_database_depends_on_the_settings_it_finds(
    make_db: MakeDB, database: Database, tmp_path: Path
) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        for name, value in OTHER_SETTINGS.items():
            connection.execute(f"ALTER DATABASE {database.name} SET {name} = '{value}'".encode())
    table = TableDefinition(
        "t",
        [
            Column("id", "int", primary_key=True),
            *(
                Column(name, name)
                for name in ("date", "interval", "timestamptz", "bytea", "timestamp", "real")
            ),
            Column("mood", ENUMS[0].sql_type),
            Column("text", "text", lambda: "back\\slash and 'quote'"),
        ],
    )
    db = make_db(ENUMS[0], table, seed=2, rows=10)
    assert_builds_the_same(db, database, tmp_path)
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute('DROP TABLE public.t; DROP TYPE public."my mood"')
    with KroftDB(database.dsn, ENUMS[0], table, seed=2, rows=10) as again:
        assert again.verify()
        assert again.expected() == db.expected()


def test_a_history_that_does_not_apply_has_no_script() -> None:
    with pytest.raises(HistoryError, match="line 2: there is no table 't'"):
        script(History(1, None, [Delete("t", (1,))]))
