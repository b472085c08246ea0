"""The catalog read into definitions: one table for each kind of object, patterns, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_kroft.errors import DefinitionError
from pytest_kroft.model.code import as_python
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import EnumDefinition, SampledDefinition, TableDefinition
from pytest_kroft.model.types import SqlType, parse_type
from pytest_kroft.postgres.adoption import Found, read_definitions
from pytest_kroft.postgres.databases import Database, Databases
from pytest_kroft.postgres.introspection import catalog_columns, catalog_keys

KINDS = Path(__file__).with_name("kinds.sql").read_text()


@pytest.fixture(scope="module")
def kinds(databases: Databases) -> Iterator[psycopg.Connection]:
    """A database with one table for each kind of object."""
    taken = databases.acquire()
    with psycopg.connect(taken.dsn, autocommit=True) as opened:
        opened.execute(KINDS.encode())
        yield opened
    databases.release(taken)


@pytest.fixture(scope="module")
def found(kinds: psycopg.Connection) -> Found:
    return read_definitions(kinds)


@pytest.fixture(scope="module")
def tables(found: Found) -> dict[str, TableDefinition]:
    return {table.name: table for table in found.tables}


def read(connection: psycopg.Connection, sql: str, *patterns: str) -> Found:
    connection.execute(sql.encode())
    return read_definitions(connection, patterns)


def column(table: TableDefinition, name: str) -> ColumnDefinition:
    there = table.column(name)
    assert there is not None, name
    return there


def only(found: Found, name: str = "t") -> TableDefinition:
    return next(table for table in found.tables if table.name == name)


def test_every_table_is_adopted(kinds: psycopg.Connection, found: Found):
    wanted = kinds.execute("""
        SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
        AND relnamespace IN ('public'::regnamespace, 'billing'::regnamespace)
    """).fetchall()
    assert sorted(table.server_name for table in found.tables) == sorted(name for (name,) in wanted)
    assert len(wanted) > 45
    assert found.left_out == {}
    assert found.added == ()


def test_what_verify_reads_agrees_with_every_definition(kinds: psycopg.Connection, found: Found):
    names = [(table.schema, table.server_name) for table in found.tables]
    columns, keys = catalog_columns(kinds, names), catalog_keys(kinds, names)
    for table in found.tables:
        name = table.schema, table.server_name
        assert [
            (one.name, without_public(one.type), one.nullable, one.identity, one.generated)
            for one in columns[name]
        ] == [
            (one.name, without_public(one.type), one.nullable, one.identity, one.generated is not None)
            for one in table.columns
        ]
        assert [one.default for one in columns[name] if not one.generated] == [
            one.default for one in table.columns if not one.generated
        ]
        if table.key:
            assert keys[name].primary == table.key
        for unique in table.uniques:
            assert frozenset(unique) in keys[name].unique


def without_public(sql_type: SqlType | str) -> str:
    return str(sql_type).removeprefix('"public".')


def test_the_definitions_come_back_from_their_code(found: Found, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pytest_kroft.SampledDefinition", SampledDefinition, raising=False)
    definitions = [*found.types, *found.tables]
    namespace: dict[str, object] = {}
    exec(as_python(definitions), namespace)
    assert namespace["definitions"] == definitions


def test_parents_come_before_their_children(found: Found):
    places = {table.name: place for place, table in enumerate(found.tables)}
    late = [
        (table.name, key.table)
        for table in found.tables
        for key in table.foreign_keys
        if places[key.table] > places[table.name]
    ]
    assert late == [("cycle_a", "cycle_b"), ("deferred_a", "deferred_b")]


# Types.


def test_types_have_their_modifiers(tables: dict[str, TableDefinition]):
    types = {one.name: one.sql_type for one in tables["type_modifiers"].columns}
    assert types == {
        "id": "integer", "name": "varchar(12)", "code": "char(4)", "price": "numeric(10,2)",
        "at": "timestamptz(3)", "flags": "bit(5)", "more": "bit varying(9)", "gap": "interval(3)",
        "char": '"char"',
    }  # fmt: skip


def test_an_interval_of_some_fields_holds_what_they_can_say(
    kinds: psycopg.Connection, tables: dict[str, TableDefinition]
):
    gap = column(tables["type_modifiers"], "gap")
    assert gap.domain == "interval day to second(3)"
    assert len(gap.samples) >= 8
    for text in gap.samples:
        assert kinds.execute("SELECT %s::interval day to second(3)::text", [text]).fetchone() == (text,)


def test_enums_and_sampled_types_are_defined(found: Found):
    assert found.types[:2] == (
        EnumDefinition("level", ["low", "high"], schema="billing"),
        EnumDefinition("mood", ["sad", "ok", "it's glad"]),
    )
    names = [one.name for one in found.types[2:]]
    assert names == ["address", "floatmultirange", "floatrange", "hstore", "ltree", "posint"]


def test_samples_are_as_the_server_prints_them(kinds: psycopg.Connection, found: Found):
    for sampled in found.types[2:]:
        assert 8 <= len(sampled.labels) <= 64, sampled.name
        assert len(set(sampled.labels)) == len(sampled.labels)
        for text in sampled.labels:
            printed = kinds.execute(f"SELECT %s::{sampled.name}::text".encode(), [text]).fetchone()
            assert printed == (text,)


def test_columns_of_users_types(tables: dict[str, TableDefinition]):
    enums = {one.name: one.sql_type for one in tables["type_enums"].columns}
    assert enums == {"id": "integer", "mood": '"mood"', "level": '"billing"."level"', "moods": '"mood"[]'}
    assert column(tables["type_composites"], "homes").sql_type == '"address"[]'
    assert column(tables["type_extensions"], "mail").sql_type == "text"
    assert column(tables["type_extensions"], "mail").domain == "citext"


def test_domains_give_their_base_type_and_rules(tables: dict[str, TableDefinition]):
    domains = tables["type_domains"]
    amount, small, title = (column(domains, name) for name in ("amount", "small", "title"))
    assert (amount.sql_type, amount.domain, amount.check) == ("integer", "posint", '"amount" > 0')
    assert (small.sql_type, small.domain) == ("integer", "smallpos")
    assert small.check == '("small" > 0) AND ("small" < 1000)'
    assert (small.nullable, small.filled) == (True, True)
    assert (title.sql_type, title.nullable, title.filled) == ("varchar(20)", False, False)
    assert (column(domains, "codes").sql_type, column(domains, "codes").domain) == ("text[]", "codes")
    assert column(domains, "many").sql_type == '"posint"[]'


def test_value_in_a_text_of_a_domain_stays(connection: psycopg.Connection):
    sql = 'CREATE DOMAIN word AS text CHECK (VALUE <> \'VALUE\'); CREATE TABLE t ("a""b" word)'
    assert column(only(read(connection, sql)), 'a"b').check == '"a""b" <> \'VALUE\'::text'


def test_a_domain_of_a_sampled_type_gives_samples_that_it_accepts(connection: psycopg.Connection):
    sql = """
        CREATE TYPE pair AS (a integer, b integer);
        CREATE DOMAIN risen AS pair CHECK ((VALUE).a > 1);
        CREATE TABLE t (p risen);
    """
    p = column(only(read(connection, sql)), "p")
    assert (p.sql_type, p.domain) == ('"pair"', "risen")
    assert p.samples
    assert not any(text.startswith("(1,") for text in p.samples)


def test_a_composite_of_enums_and_domains_has_values(connection: psycopg.Connection):
    sql = """
        CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN happy AS mood NOT NULL CHECK (VALUE <> 'sad');
        CREATE TYPE deep AS (a happy, b mood[], "%s" int[]); CREATE TABLE t (n deep);
    """
    sampled = read(connection, sql).types[-1]
    assert all(text.startswith(("(ok,{", '(ok,"{')) for text in sampled.labels)


@pytest.mark.parametrize("fields", ["year", "year to month", "day", "hour to second(0)", "minute"])
def test_intervals_of_any_fields_have_values(connection: psycopg.Connection, fields: str):
    n = column(only(read(connection, f"CREATE TABLE t (n interval {fields})")), "n")
    assert len(n.samples) >= 8


def test_modifiers_of_an_extensions_type(connection: psycopg.Connection):
    sql = "CREATE EXTENSION vector; CREATE TABLE t (v vector(4), w vector)"
    v, w = only(read(connection, sql)).columns
    assert (v.sql_type, v.domain, w.sql_type, w.domain) == ('"vector"', "vector(4)", '"vector"', None)
    assert {text.count(",") for text in v.samples} == {3}


def test_every_extension_that_the_server_has_gives_values(connection: psycopg.Connection):
    types = ("cube", "seg", "lo", "isn", "intarray")
    for name in types:
        connection.execute(f"CREATE EXTENSION {name}")
    sql = """
        CREATE TABLE t (a cube, b seg, c lo, d isbn13, e issn, f ean13, g upc, h ismn, i isbn, j query_int)
    """
    found = read(connection, sql)
    assert found.left_out == {}
    assert {one.name: len(one.labels) for one in found.types if len(one.labels) < 8} == {}
    assert column(only(found), "c").sql_type == "oid"


# Columns.


def test_defaults_identities_and_generated_columns(tables: dict[str, TableDefinition]):
    defaults = {one.name: one.default for one in tables["column_defaults"].columns}
    assert defaults["status"] == "'new'::text"
    assert defaults["made"] == "now()"
    assert column(tables["identities"], "id").identity == "always"
    assert column(tables["serials"], "n") == ColumnDefinition("n", "serial")
    assert column(tables["sequences"], "id").default == "nextval('shared_numbers'::regclass)"
    assert column(tables["generated"], "total").generated == "(price * (count)::numeric)"
    assert column(tables["column_defaults"], "sorted").constraints == 'COLLATE pg_catalog."C"'


def test_a_serial_that_may_be_null_keeps_its_default(connection: psycopg.Connection):
    found = read(connection, "CREATE TABLE t (n serial); ALTER TABLE t ALTER n DROP NOT NULL")
    n = column(only(found), "n")
    assert (n.identity, n.default, n.nullable) == (None, "nextval('t_n_seq'::regclass)", True)


def test_the_stamp_of_updates_is_known_by_its_name(tables: dict[str, TableDefinition]):
    assert tables["serials"].updated_at == "updated_at"
    assert tables["generated"].updated_at == "modified"
    assert tables["column_defaults"].updated_at is None


@pytest.mark.parametrize(
    "columns",
    [
        "updated_at text",
        "updated_at timestamptz UNIQUE",
        "updated_at timestamptz, made timestamptz, CHECK (updated_at > made)",
        "updated_at timestamptz CHECK (updated_at > '2021-01-01')",
        "updated_at date, n int",
    ],
)
def test_a_column_that_follows_rules_is_no_stamp(connection: psycopg.Connection, columns: str):
    assert only(read(connection, f"CREATE TABLE t ({columns})")).updated_at is None


# Constraints.


def test_keys_and_unique_sets(tables: dict[str, TableDefinition]):
    assert tables["keyless"].key == ()
    assert tables["composite_keys"].key == ("c", "a")
    assert set(tables["uniques"].uniques) == {("id",), ("d",), ("a", "b"), ("b", "c")}
    assert column(tables["unique_indexes"], "a").unique
    assert not column(tables["unique_indexes"], "b").unique
    assert tables["unique_partial"].distinct == (("owner",),)
    assert tables["unique_expression"].distinct == (("email", "realm"),)
    assert column(tables["deferred_unique"], "place").unique
    assert tables["excluded"].distinct == (("room",),)


def test_nulls_that_are_not_distinct_are_not_made(connection: psycopg.Connection):
    sql = "CREATE TABLE t (a int, b int NOT NULL, c int, UNIQUE NULLS NOT DISTINCT (a, b))"
    table = only(read(connection, sql))
    assert table.uniques == (("a", "b"),)
    assert [one.filled for one in table.columns] == [True, False, False]


def test_checks_of_one_column_and_of_several(tables: dict[str, TableDefinition]):
    checked = tables["checked"]
    assert column(checked, "age").check == "(age >= 0) AND (age <= 150)"
    assert column(checked, "given").check == "length(given) > 2"
    assert (column(checked, "given").nullable, column(checked, "given").filled) == (True, True)
    assert checked.constraints == ("CHECK (low <= high)", "CHECK (num_nonnulls(phone, mail) = 1)")


def test_an_expression_index_of_a_type_without_order_keeps_no_columns_apart(
    connection: psycopg.Connection,
):
    found = read(connection, "CREATE TABLE t (j json); CREATE UNIQUE INDEX i ON t ((j ->> 'id'))")
    assert only(found).distinct == ()
    assert [rule.name for rule in found.suspects["t"]] == ["i"]


def test_keys_without_overlaps_keep_the_other_columns_apart(connection: psycopg.Connection):
    sql = """
        CREATE EXTENSION btree_gist;
        CREATE TABLE t (id int, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS))
    """
    table = only(read(connection, sql))
    assert table.key == ("id", "during")
    assert table.distinct == (("id",),)


def test_foreign_keys_with_what_they_do(tables: dict[str, TableDefinition]):
    names = [
        *(f"children{kind}" for kind in ("", "_cascade", "_null", "_default", "_restrict")),
        "deferred_a",
    ]
    said = {name: tables[name].columns[1].references for name in names}
    assert said == {
        "children": '"parents" ("id")',
        "children_cascade": '"parents" ("id") ON DELETE CASCADE ON UPDATE CASCADE',
        "children_null": '"parents" ("id") ON DELETE SET NULL',
        "children_default": '"parents" ("id") ON DELETE SET DEFAULT ON UPDATE SET NULL',
        "children_restrict": '"parents" ("id") ON DELETE RESTRICT',
        "deferred_a": '"deferred_b" ("id") DEFERRABLE INITIALLY DEFERRED',
    }
    composite = tables["children_composite"].foreign_keys[0]
    assert (composite.columns, composite.table, composite.targets) == (("a", "b"), "parents", ("a", "b"))
    assert (composite.on_delete, composite.full) == ("cascade", True)


def test_a_second_foreign_key_of_one_column_is_given_up(connection: psycopg.Connection):
    sql = """
        CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
        CREATE TABLE t (n int REFERENCES a REFERENCES b);
        CREATE TABLE u (n int NOT NULL REFERENCES a REFERENCES b);
        CREATE TABLE same (n int REFERENCES a, CONSTRAINT again FOREIGN KEY (n) REFERENCES a);
    """
    found = read(connection, sql)
    assert column(only(found), "n").samples == (None,)
    assert column(only(found, "same"), "n").samples == ()
    assert list(found.left_out) == ["u"]
    assert "is the second of one column, and kroft follows one" in found.left_out["u"]


def test_a_reference_to_a_partitioned_table_is_one_foreign_key(connection: psycopg.Connection):
    sql = """
        CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
        CREATE TABLE t (n int REFERENCES p, m int REFERENCES p1);
    """
    found = read(connection, sql, "t")
    n, m = only(found).columns
    assert (n.reference.table, n.samples) == ("p", ())
    assert (m.reference, m.samples) == (None, (None,))
    assert found.left_out == {"p1": "it is a partition of another table"}


def test_tables_of_one_name_are_called_with_their_schema(tables: dict[str, TableDefinition]):
    ours, theirs = tables["public.invoices"], tables["billing.invoices"]
    assert (ours.table, theirs.table, theirs.schema) == ("invoices", "invoices", "billing")
    assert column(theirs, "other").reference.table == "public.invoices"
    assert tables["lines"].schema == "billing"


# What depends on columns.


def test_columns_that_others_use_say_why(tables: dict[str, TableDefinition]):
    used = {one.name: one.used_by for one in tables["viewed"].columns}
    assert used == {
        "id": 'function "hidden_of" reads it, view "viewing" reads it',
        "shown": 'view "viewing" reads it',
        "hidden": 'function "hidden_of" reads it',
        "summed": 'materialized view "summing" reads it',
    }
    assert column(tables["secured"], "owner").used_by == 'policy "own" reads it'
    assert column(tables["by_range"], "day").used_by == "the table is partitioned by it"
    assert column(tables["by_range"], "n").used_by is None
    assert column(tables["animals"], "name").used_by == 'table "birds" inherits it'
    assert column(tables["birds"], "name").used_by == "it is inherited from another table"
    assert column(tables["birds"], "wings").used_by is None
    assert column(tables["triggered"], "slug").used_by == 'trigger "slug" names it'
    assert column(tables["triggered"], "touched").used_by is None


def test_columns_of_an_expression_index_are_not_retyped(tables: dict[str, TableDefinition]):
    expression, partial = tables["unique_expression"], tables["unique_partial"]
    assert column(expression, "email").indexed_by == 'index "by_email" is over an expression of it'
    assert column(expression, "realm").indexed_by is None
    assert column(partial, "main").indexed_by == 'index "one_main" has a condition on it'
    assert column(partial, "owner").indexed_by is None


def test_columns_of_a_table_whose_rows_are_values_are_not_retyped(connection: psycopg.Connection):
    table = only(read(connection, "CREATE TABLE t (n int); CREATE TABLE u (row t)"))
    assert column(table, "n").used_by == 'column "row" of another table has rows of it'


def test_a_foreign_key_of_a_table_that_is_not_adopted_is_a_use(connection: psycopg.Connection):
    sql = "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE); CREATE TABLE u (n int REFERENCES t (n))"
    table = only(read(connection, sql, "t"))
    assert column(table, "id").used_by is None
    assert "u_n_fkey" in str(column(table, "n").used_by)


def test_triggers_and_rules(tables: dict[str, TableDefinition]):
    assert tables["triggered"].triggers == ("noted", "slug")
    assert tables["constraint_triggered"].triggers == ("later",)
    assert tables["ruled"].triggers == ("noted",)


def test_a_trigger_of_a_partition_is_one_of_the_table(connection: psycopg.Connection):
    sql = """
        CREATE TABLE t (n int) PARTITION BY LIST (n);
        CREATE TABLE one PARTITION OF t DEFAULT;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER part BEFORE INSERT ON one FOR EACH ROW EXECUTE FUNCTION f();
        CREATE TRIGGER every BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
        CREATE TABLE u (n int);
        CREATE TRIGGER off BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION f();
        ALTER TABLE u DISABLE TRIGGER off;
    """
    found = read(connection, sql)
    assert only(found).triggers == ("every", "part")
    assert only(found, "u").triggers == ()


def test_rules_to_be_tried_are_named(found: Found):
    said = {
        (table, rule.kind, rule.columns)
        for table, rules in found.suspects.items()
        for rule in rules
        if rule.kind not in ("trigger", "rule")
    }
    assert said >= {
        ("checked", "check", ("low", "high")),
        ("checked", "check", ("phone", "mail")),
        ("unique_partial", "unique", ("owner", "main")),
        ("unique_expression", "unique", ("email", "realm")),
        ("excluded", "exclude", ("room", "during")),
        ("by_range", "partition", ("day",)),
        ("by_list", "partition", ("region",)),
        ("by_hash", "partition", ("id",)),
    }
    assert "by_default" not in found.suspects
    assert "secured" not in found.suspects  # the tests' role is above row security
    assert ("checked", "check", ("age",)) not in said
    assert found.inherited == {"animals"}


# Patterns, and what is left out.


def names(found: Found) -> set[str]:
    return {table.name for table in found.tables}


def test_patterns_choose_tables(kinds: psycopg.Connection):
    assert names(read_definitions(kinds, ["tree"])) == {"tree"}
    assert names(read_definitions(kinds, ["billing.l*"])) == {"lines", "billing.invoices", "public.invoices"}
    assert names(read_definitions(kinds, ["cycle_?"])) == {"cycle_a", "cycle_b"}
    assert names(read_definitions(kinds, ['"Odd ""table"', 'public."keyless"'])) == {'Odd "table', "keyless"}
    assert names(read_definitions(kinds, ["invoices"])) == {"public.invoices", "billing.invoices"}


def test_tables_that_others_refer_to_are_added(kinds: psycopg.Connection):
    found = read_definitions(kinds, ["children"])
    assert (names(found), found.added) == ({"children", "parents"}, ("parents",))


@pytest.mark.parametrize(
    "pattern, said",
    [
        ("key_less", "no table matches 'key_less'; did you mean 'keyless'"),
        ("nowhere.*", "no table matches 'nowhere.*'; the tables are: billing.invoices, billing.lines, "),
        ("viewing", "'viewing' cannot be adopted: public.viewing is a view, and views are left alone"),
        ("summing", "public.summing is a materialized view"),
        ("by_list_eu", "is a partition; adopt the table that it is part of, public.by_list"),
        ("a.b.c", "'a.b.c' names no table; give a name such as 'orders'"),
        ("", "'' names no table"),
    ],
)
def test_a_pattern_that_means_no_table(kinds: psycopg.Connection, pattern: str, said: str):
    with pytest.raises(DefinitionError) as caught:
        read_definitions(kinds, [pattern])
    assert said in str(caught.value)


def test_an_empty_database(connection: psycopg.Connection):
    with pytest.raises(DefinitionError, match="there is no table to adopt: the database has none"):
        read_definitions(connection)


def test_tables_that_hold_nothing_of_their_own_are_left_out(connection: psycopg.Connection):
    sql = """
        CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far;
        CREATE FOREIGN TABLE elsewhere (n int) SERVER away;
        CREATE TABLE hollow (n int) PARTITION BY LIST (n);
        CREATE TABLE bare ();
        CREATE TABLE t (n int);
    """
    found = read(connection, sql)
    assert names(found) == {"t"}
    assert found.left_out == {
        "bare": "it has no columns",
        "elsewhere": "it is a foreign table, whose rows another server holds",
        "hollow": "it is partitioned and has no partition, so that it accepts no row; create one",
    }


def test_tables_that_the_role_may_not_use(connection: psycopg.Connection, database: Database):
    connection.execute("""
        CREATE TABLE open (id int PRIMARY KEY); CREATE TABLE shut (id int PRIMARY KEY);
        CREATE TABLE held (n int NOT NULL REFERENCES shut);
        CREATE TABLE loose (n int REFERENCES shut, m int);
        CREATE TABLE seen (n int, CHECK (n > 0)); ALTER TABLE seen ENABLE ROW LEVEL SECURITY;
        CREATE POLICY high ON seen USING (n > 5);
        CREATE SCHEMA cellar; CREATE TABLE cellar.deep (n int);
    """)
    connection.execute("DROP ROLE IF EXISTS kroft_guest")
    connection.execute("CREATE ROLE kroft_guest")
    try:
        connection.execute(
            "GRANT ALL ON open, held, loose, seen TO kroft_guest; GRANT SELECT ON shut TO kroft_guest"
        )
        connection.execute("SET ROLE kroft_guest")
        found = read_definitions(connection)
    finally:
        connection.execute("RESET ROLE")
        connection.execute("DROP OWNED BY kroft_guest; DROP ROLE kroft_guest")
    assert names(found) == {"open", "loose", "seen"}
    lacks = 'the role "kroft_guest" lacks INSERT, UPDATE, DELETE on it; grant these, or connect as its owner'
    assert found.left_out == {
        "shut": lacks,
        "held": f'its foreign key "held_n_fkey" needs rows of shut, which is left out: {lacks}',
        "cellar.deep": 'the role "kroft_guest" may not use the schema "cellar"; grant it USAGE',
    }
    n, m = only(found, "loose").columns
    assert (n.samples, n.references, m.samples) == ((None,), None, ())
    assert m.used_by == "another role owns the table"
    assert [(rule.kind, rule.text) for rule in found.suspects["seen"]] == [("policy", "(n > 5)")]


def test_parsed_types_are_those_of_the_server(kinds: psycopg.Connection):
    columns = catalog_columns(kinds, [("public", "type_domains"), ("public", "type_extensions")])
    types = {one.name: one.type for one in columns["public", "type_domains"]}
    assert types["small"] == parse_type("integer")
    assert types["title"] == parse_type("varchar(20)")
    assert types["many"] == parse_type("posint[]")
    assert {one.name: one.type for one in columns["public", "type_extensions"]}["mail"] == parse_type("text")
