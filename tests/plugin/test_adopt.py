"""A schema that is loaded, adopted by the marker, filled, searched and replayed, as in a user's project."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Project, facts

SHOP = """
CREATE TABLE customers (id serial PRIMARY KEY, email text UNIQUE, updated_at timestamptz NOT NULL);
CREATE TABLE orders (
    id int PRIMARY KEY, customer int NOT NULL REFERENCES customers ON DELETE CASCADE,
    amount numeric(8,2) CHECK (amount > 0)
);
"""
COPY = """
import psycopg

class Copy:
    def __init__(self):
        self.rows, self.cursor = {}, None
    def sync(self, dsn):
        with psycopg.connect(dsn) as connection:
            cursor = connection.execute(
                "SELECT * FROM customers WHERE %s::timestamptz IS NULL OR updated_at > %s",
                (self.cursor, self.cursor),
            )
            names = [column.name for column in cursor.description]
            for row in cursor:
                row = dict(zip(names, row))
                self.rows[row["id"]] = row
                self.cursor = max(filter(None, [self.cursor, row["updated_at"]]))
"""


@pytest.fixture
def shop(project: Project) -> Project:
    project.write("schema.sql", SHOP)
    project.ini("kroft_load = schema.sql")
    return project


@pytest.mark.parametrize(
    "adopt, tables",
    [
        ("True", ["customers", "orders"]),
        ("'customers'", ["customers"]),
        ("['cust*']", ["customers"]),
        # What it refers to comes along.
        ("('public.orders',)", ["customers", "orders"]),
    ],
)
def test_the_marker_adopts_and_fills(shop: Project, adopt: str, tables: list[str]) -> None:
    shop.write(
        "test_it.py",
        f"@pytest.mark.kroft(adopt={adopt}, rows=3)\ndef test_it(kroft_db):\n"
        f"    assert list(kroft_db.state.tables) == {tables}\n"
        f"    assert all(len(kroft_db.expected(name)) == 3 for name in {tables})\n"
        "    kroft_db.run(batches=3)\n    kroft_db.verify()\n",
    )
    shop.run().assert_outcomes(passed=1)


def test_what_the_marker_defines_lies_beside_what_it_adopts(shop: Project) -> None:
    shop.write(
        "test_it.py",
        "@pytest.mark.kroft('items', adopt='customers', rows=2)\ndef test_it(kroft_db):\n"
        "    assert sorted(kroft_db.state.tables) == ['customers', 'items']\n    kroft_db.verify()\n",
    )
    shop.run().assert_outcomes(passed=1)


def test_without_adopt_the_loaded_tables_are_nobody_s(shop: Project) -> None:
    body = "@pytest.mark.kroft('items')\ndef test_it(kroft_db):\n"
    body += "    assert list(kroft_db.state.tables) == ['items']\n"
    body += "    assert kroft_db.connection.execute('TABLE customers').fetchall() == []\n"
    shop.write("test_it.py", body)
    shop.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("adopt", ["5", "[1]", "{'a': 1}"])
def test_what_is_no_name_is_a_usage_error(shop: Project, adopt: str) -> None:
    shop.write("test_it.py", f"@pytest.mark.kroft(adopt={adopt})\ndef test_it(kroft_db): pass\n")
    result = shop.run()
    assert "adopt must be True, or names of tables such as ['orders', 'billing.*'], not" in str(result.stderr)


@pytest.mark.parametrize(
    "adopt, said",
    [("'nothing'", "no table matches 'nothing'"), ("['orders', 'x*']", "no table matches 'x*'")],
)
def test_a_pattern_that_matches_nothing_is_told_plainly(shop: Project, adopt: str, said: str) -> None:
    shop.write("test_it.py", f"@pytest.mark.kroft(adopt={adopt})\ndef test_it(kroft_db): pass\n")
    result = shop.run()
    result.assert_outcomes(errors=1)
    output = str(result.stdout)
    assert f"kroft: {said}" in output
    assert "Traceback" not in output


def test_a_search_on_an_adopted_schema_ends_in_few_steps_that_replay(shop: Project) -> None:
    body = "@pytest.mark.kroft(adopt='customers', policy=['tied_timestamp'], max_examples=80)\n"
    body += "def test_copy(kroft_db):\n    copy = Copy()\n    for _ in kroft_db.stream():\n"
    body += "        copy.sync(kroft_db.dsn)\n        kroft_db.assert_same(copy.rows)\n"
    shop.write("test_it.py", COPY + body)
    result = shop.run()
    result.assert_outcomes(failed=1)
    output = str(result.stdout)
    assert "The smallest history that fails: 5 operations" in output
    assert "adopt table customers" in output or "customers" in output
    told = facts(output)
    option = next(part for part in told["again"].split() if part.startswith("--kroft-replay="))
    again = shop.run(option)
    again.assert_outcomes(failed=1)
    assert "customers: the copy lacks 1 of 2 rows" in str(again.stdout)


def test_a_table_that_stays_empty_is_told(shop: Project) -> None:
    shop.write(
        "schema.sql",
        "CREATE TABLE few (id int PRIMARY KEY); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'no rows here'; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON few FOR EACH ROW EXECUTE FUNCTION no();",
    )
    shop.write("test_it.py", "@pytest.mark.kroft(adopt=True, rows=3)\ndef test_it(kroft_db): pass\n")
    result = shop.run("-Wdefault")
    result.assert_outcomes(passed=1, warnings=1)
    assert "kroft: 1 tables have fewer than 3 rows" in str(result.stdout)
    assert "no rows here" in str(result.stdout)
