"""What rows a table accepts is learnt on a real server, and holds for rows that were not tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import psycopg
import pytest

from pytest_kroft.errors import KroftError
from pytest_kroft.model.columns import ColumnDefinition
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.candidates import draft, drafted
from pytest_kroft.postgres.databases import Databases
from pytest_kroft.postgres.learning import A_PARENT, Learnt, Refusal, learn
from pytest_kroft.postgres.trials import laboratory, try_rows

Column = ColumnDefinition
ID = Column("id", "integer", primary_key=True)

SCHEMA = r"""
CREATE FUNCTION is_even(n int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN RETURN n %% 2 = 0; END $$;
CREATE FUNCTION one_of_ours(t text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        IF t NOT IN ('north', 'south') THEN RAISE EXCEPTION 'no region of ours: %%', t; END IF;
        RETURN true;
    END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'this table is closed'; END $$;
CREATE FUNCTION vet() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.state NOT IN ('draft', 'done') THEN RAISE EXCEPTION 'no such state %%', NEW.state; END IF;
        RETURN NEW;
    END $$;
CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.n > 10 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE DOMAIN handle AS text CHECK (VALUE ~ '^[a-z][a-z0-9_]*$');
CREATE DOMAIN plate AS text NOT NULL CHECK (VALUE ~ '^[A-Z]{2}-[0-9]{3}$');
CREATE TABLE parents (id int PRIMARY KEY);

CREATE TABLE plain (id int PRIMARY KEY, n int CHECK (n > 0));
CREATE TABLE slugs (id int PRIMARY KEY, s varchar(20) UNIQUE CHECK (s ~ '^[a-z0-9]+(-[a-z0-9]+)*$'));
CREATE TABLE plates (id int PRIMARY KEY, one plate, two plate);
CREATE TABLE handles (id int PRIMARY KEY, one handle, two handle);
CREATE TABLE strange (id int PRIMARY KEY, s text NOT NULL CHECK (s ~ '^X-[0-9]{2,3}(a|b)$'));
CREATE TABLE strange_keys (s text PRIMARY KEY CHECK (s ~ '^X-[0-9]{2,3}(a|b)$'));
CREATE TABLE evens (id int PRIMARY KEY, n int UNIQUE CHECK (is_even(n)));
CREATE TABLE regions (id int PRIMARY KEY, r text CHECK (one_of_ours(r)));
CREATE TABLE spans (id int PRIMARY KEY, start_on date NOT NULL, end_on date NOT NULL, n int,
    CONSTRAINT ordered CHECK (start_on < end_on));
CREATE TABLE owned (id int PRIMARY KEY, a_id int REFERENCES parents, b_id int REFERENCES parents,
    CONSTRAINT one_owner CHECK (num_nonnulls(a_id, b_id) = 1));
CREATE TABLE arcs (id int PRIMARY KEY, a_id int NOT NULL REFERENCES parents,
    b_id int NOT NULL REFERENCES parents, CONSTRAINT no_loop CHECK (a_id + 0 > b_id));
CREATE TABLE chained (id int PRIMARY KEY, a_id int NOT NULL REFERENCES parents, b_id int REFERENCES parents,
    CONSTRAINT downwards CHECK (b_id IS NULL OR a_id + 0 > b_id));
CREATE TABLE paid (id int PRIMARY KEY, state text NOT NULL, paid_at timestamptz,
    CONSTRAINT paid_when_done CHECK ((state = 'done') = (paid_at IS NOT NULL)),
    CONSTRAINT states CHECK (state IN ('open', 'done')));
CREATE TABLE twice (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, c int NOT NULL,
    CONSTRAINT ab CHECK (a < b), CONSTRAINT bc CHECK (b < c));
CREATE TABLE listed (id int, kind text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN ('red', 'blue');
CREATE TABLE listed_2 PARTITION OF listed FOR VALUES IN ('green');
CREATE TABLE ranged (id int, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE ranged_1 PARTITION OF ranged FOR VALUES FROM ('2031-01-01') TO ('2031-02-01');
CREATE TABLE ranged_2 PARTITION OF ranged FOR VALUES FROM ('2031-02-01') TO ('2031-03-01');
CREATE TABLE hashed (id int PRIMARY KEY, t text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE whole (id int PRIMARY KEY, t text) PARTITION BY HASH (id);
CREATE TABLE whole_0 PARTITION OF whole FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE whole_1 PARTITION OF whole FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE booked (id int PRIMARY KEY, during tstzrange NOT NULL, EXCLUDE USING gist (during WITH &&));
CREATE TABLE folded (id int PRIMARY KEY, status text NOT NULL);
CREATE UNIQUE INDEX folded_status ON folded (lower(status));
CREATE TABLE vetted (id int PRIMARY KEY, note text, state text NOT NULL);
CREATE TRIGGER vet BEFORE INSERT ON vetted FOR EACH ROW EXECUTE FUNCTION vet();
CREATE TABLE skipped (id int PRIMARY KEY, n int NOT NULL);
CREATE TRIGGER leave_out BEFORE INSERT ON skipped FOR EACH ROW EXECUTE FUNCTION leave_out();
CREATE TABLE closed (id int PRIMARY KEY, t text);
CREATE TRIGGER closed BEFORE INSERT ON closed FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TABLE checked_closed (id int PRIMARY KEY, t text NOT NULL, CONSTRAINT never CHECK (t || 'x' = t));
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.kind IS DISTINCT FROM 'late' THEN RAISE EXCEPTION 'too early'; END IF;
        RETURN NULL;
    END $$;
CREATE TABLE late (id int PRIMARY KEY, kind text);
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION late();
CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;
CREATE TABLE slow (id int PRIMARY KEY);
CREATE TRIGGER slow BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION sleep();
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
CREATE TABLE moods (id int PRIMARY KEY, mood mood CHECK (mood::text || 'x' <> 'okx'));
CREATE TABLE thirds (n smallint PRIMARY KEY CHECK (n * 3 < 1000 AND n % 3 = 0));
CREATE TABLE rooms (id int PRIMARY KEY, room int4range NOT NULL, during daterange NOT NULL,
    EXCLUDE USING gist (room WITH &&, during WITH &&));
CREATE TABLE slots (id int PRIMARY KEY, low int NOT NULL, high int NOT NULL, CHECK (low < high),
    CONSTRAINT slots_even CHECK (is_even(low)),
    CONSTRAINT no_overlap EXCLUDE USING gist (int4range(low, high) WITH &&) WHERE (low <= high));
CREATE TABLE pairs (id int PRIMARY KEY, low int, high int, CONSTRAINT a CHECK (num_nonnulls(low, high) <> 1),
    CONSTRAINT b CHECK (low <= high), CONSTRAINT c CHECK (is_even(low)));
CREATE TABLE required (id int PRIMARY KEY, t text, CONSTRAINT t_there CHECK (coalesce(t, '') <> ''));
"""


def text(name: str, **options: object) -> Column:
    return Column(name, "text", **options)  # type: ignore[arg-type]


TABLES = {
    table.name: table
    for table in (
        TableDefinition("plain", [ID, Column("n", "int", check="n > 0")]),
        TableDefinition("slugs", [ID, Column("s", "varchar(20)", unique=True)]),
        TableDefinition("plates", [ID, text("one", nullable=True), text("two", nullable=True)]),
        TableDefinition("handles", [ID, text("one"), text("two")]),
        TableDefinition("strange", [ID, text("s", nullable=False)]),
        TableDefinition("strange_keys", [text("s", primary_key=True)]),
        TableDefinition("evens", [ID, Column("n", "int", unique=True)]),
        TableDefinition("regions", [ID, text("r")]),
        TableDefinition(
            "spans",
            [ID, Column("start_on", "date", nullable=False), Column("end_on", "date", nullable=False),
             Column("n", "int")],
        ),
        TableDefinition("owned", [ID, Column("a_id", "int", references="parents"),
                                  Column("b_id", "int", references="parents")]),
        TableDefinition("arcs", [ID, Column("a_id", "int", references="parents", nullable=False),
                                 Column("b_id", "int", references="parents", nullable=False)]),
        TableDefinition(
            "paid",
            [ID, text("state", nullable=False, check="state IN ('open', 'done')"),
             Column("paid_at", "timestamptz")],
        ),
        TableDefinition("twice", [ID, *(Column(name, "int", nullable=False) for name in "abc")]),
        TableDefinition(
            "listed", [Column("id", "int"), text("kind")], constraints=["PRIMARY KEY (id, kind)"]
        ),
        TableDefinition("ranged", [Column("id", "int"), Column("day", "date", nullable=False)]),
        TableDefinition("hashed", [ID, text("t")]),
        TableDefinition("whole", [ID, text("t")]),
        TableDefinition("booked", [ID, Column("during", "tstzrange", nullable=False)]),
        TableDefinition("folded", [ID, text("status", nullable=False)]),
        TableDefinition("vetted", [ID, text("note"), text("state", nullable=False)]),
        TableDefinition("skipped", [ID, Column("n", "int", nullable=False)]),
        TableDefinition("closed", [ID, text("t")]),
        TableDefinition("checked_closed", [ID, text("t", nullable=False)]),
        TableDefinition(
            "chained",
            [
                ID,
                Column("a_id", "int", references="parents", nullable=False),
                Column("b_id", "int", references="parents"),
            ],
        ),
        TableDefinition("late", [ID, text("kind")]),
        TableDefinition("moods", [ID, Column("mood", '"mood"')]),
        TableDefinition("thirds", [Column("n", "smallint", primary_key=True)]),
        TableDefinition(
            "rooms",
            [ID, Column("room", "int4range", nullable=False), Column("during", "daterange", nullable=False)],
        ),
        *(
            TableDefinition(
                name, [ID, *(Column(one, "int", nullable=name == "pairs") for one in ("low", "high"))]
            )
            for name in ("slots", "pairs")
        ),
        TableDefinition("required", [ID, text("t")]),
    )
}  # fmt: skip
REFUSING = {"closed", "checked_closed", "arcs"}
LABELS = {'"mood"': ("sad", "ok", "glad")}
FOREIGN = {"chained": {"a_id", "b_id"}, "owned": {"a_id", "b_id"}}


@pytest.fixture(scope="module")
def clone(databases: Databases) -> Iterator[psycopg.Connection]:
    """A session in a database with every table, which no test changes."""
    taken = databases.acquire()
    with psycopg.connect(taken.dsn, autocommit=True) as opened:
        opened.execute(SCHEMA.replace("%%", "%"))
        yield opened
    databases.release(taken)


@pytest.fixture(scope="module")
def learnt(clone: psycopg.Connection) -> Learnt:
    """What is learnt of all tables."""
    return learn(clone, list(TABLES.values()), set(TABLES), LABELS)


@pytest.fixture(scope="module")
def found(learnt: Learnt) -> dict[str, TableDefinition]:
    """The definitions that were learnt, by name."""
    return {table.name: table for table in learnt.definitions}


def rows_of(table: TableDefinition, count: int) -> list[list[str | None]]:
    return draft(table, LABELS, count, FOREIGN.get(table.name, ()))[:count]


def accepted(clone: psycopg.Connection, table: TableDefinition, count: int) -> int:
    """How many of so many new rows the server takes."""
    rows = rows_of(table, count)
    with laboratory(clone, [table]):
        return len(rows) - len(try_rows(clone, table, drafted(table), rows, keep=True))


def test_rows_of_every_table_that_takes_rows_are_accepted(clone: psycopg.Connection, learnt: Learnt) -> None:
    assert {refusal.table for refusal in learnt.refused} == REFUSING
    counts = {
        table.name: (accepted(clone, table, 400), len(rows_of(table, 400)))
        for table in learnt.definitions
        if table.name not in REFUSING
    }
    assert {name: some for name, some in counts.items() if some[0] != some[1]} == {}
    assert {name for name, some in counts.items() if some[1] < 400} == {"thirds"}


def test_what_cannot_be_accepted_names_rule_sentence_and_help(learnt: Learnt) -> None:
    refused = {refusal.table: refusal for refusal in learnt.refused}
    assert refused["closed"] == Refusal("closed", "trigger closed", "this table is closed", ())
    assert str(refused["checked_closed"]) == (
        "table 'checked_closed' refuses kroft's rows: never (new row for relation \"checked_closed\" "
        "violates check constraint \"never\"); give a generator for column 't'"
    )
    # Whether two parents fit together is nothing that a sample could say.
    assert (refused["arcs"].rule, refused["arcs"].columns) == ("no_loop", ("a_id", "b_id"))


def test_the_same_catalog_teaches_the_same(clone: psycopg.Connection, learnt: Learnt) -> None:
    names = {"slugs", "spans", "paid", "twice", "owned", "ranged", "arcs", "strange"}
    again = learn(clone, [table for table in TABLES.values() if table.name in names], names)
    assert list(again.definitions) == [table for table in learnt.definitions if table.name in names]


def test_nothing_is_left_on_the_server(clone: psycopg.Connection, learnt: Learnt) -> None:
    for name in TABLES:
        assert clone.execute(f'SELECT count(*) FROM "{name}"').fetchone() == (0,)
    keys = clone.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchone()
    assert keys == (6,)
    assert clone.execute("SHOW statement_timeout").fetchone() == ("0",)
    assert clone.execute("SELECT to_regproc('pg_temp.kroft_try_rows')").fetchone() == (None,)


def test_what_is_no_suspect_or_needs_nothing_stays_as_it_is(clone: psycopg.Connection) -> None:
    learnt = learn(clone, list(TABLES.values()), {"plain", "whole", "slugs"})
    changed = {table.name for table in learnt.definitions if table != TABLES[table.name]}
    assert changed == {"slugs"}
    assert [table.name for table in learnt.definitions] == list(TABLES)


def test_a_single_column_gets_a_style_where_one_fits(found: dict[str, TableDefinition]) -> None:
    assert found["slugs"].column("s") == replace(TABLES["slugs"].columns[1], style="slug")
    assert [column.style for column in found["handles"].columns] == [None, "identifier", "identifier"]
    assert found["required"].column("t") == replace(TABLES["required"].columns[1], filled=True)


def test_the_columns_of_a_domain_get_the_same_samples(found: dict[str, TableDefinition]) -> None:
    _, one, two = found["plates"].columns
    assert one.samples == two.samples
    assert len(one.samples) > 10
    assert None not in one.samples
    assert one.together is None


def test_several_columns_get_samples_that_stay_together(found: dict[str, TableDefinition]) -> None:
    start, end = found["spans"].columns[1:3]
    assert start.together == end.together == "spans: ordered"
    pairs = list(zip(start.samples, end.samples, strict=True))
    assert len(set(pairs)) == len(pairs) > 20
    assert all(one is not None and other is not None and one < other for one, other in pairs)
    one, other = found["owned"].columns[1:]
    assert set(zip(one.samples, other.samples, strict=True)) == {(None, A_PARENT), (A_PARENT, None)}
    state, at = found["paid"].columns[1:]
    assert {(s, a is None) for s, a in zip(state.samples, at.samples, strict=True)} == {
        ("done", False),
        ("open", True),
    }


def test_what_depends_on_the_parents_that_are_chosen_is_left_out(found: dict[str, TableDefinition]) -> None:
    assert [column.samples for column in found["chained"].columns[1:]] == [(A_PARENT,), (None,)]


def test_a_rule_that_is_asked_at_the_end_of_a_transaction_is_learnt(
    found: dict[str, TableDefinition],
) -> None:
    assert found["late"].columns[1].samples == ("late",)


def test_rules_that_share_a_column_are_learnt_together(found: dict[str, TableDefinition]) -> None:
    columns = found["twice"].columns[1:]
    assert len({column.together for column in columns}) == 1
    triples = list(zip(*(map(int, filter(None, column.samples)) for column in columns), strict=True))
    assert len(triples) > 10
    assert all(a < b < c for a, b, c in triples)


def test_a_rule_on_a_column_of_a_pair_that_has_styles_is_learnt_for_the_pair(
    found: dict[str, TableDefinition],
) -> None:
    low, high = found["pairs"].columns[1:]
    pairs = list(zip(low.samples, high.samples, strict=True))
    assert low.together == high.together == "pairs: c"
    assert len(set(pairs)) > 10
    assert all((one is None and other is None) or int(one or 1) <= int(other or -1) for one, other in pairs)
    assert all(int(one) % 2 == 0 for one in low.samples if one is not None)


def test_pairs_that_must_not_overlap_are_each_taken_once(found: dict[str, TableDefinition]) -> None:
    low, high = found["slots"].columns[1:]
    assert found["slots"].distinct == (("low", "high"),)
    pairs = sorted(
        (int(one), int(other)) for one, other in zip(low.samples, high.samples, strict=True) if one and other
    )
    assert len(pairs) == len(low.samples) >= 400
    assert all(one[1] <= other[0] for one, other in pairwise(pairs))


def test_what_must_not_repeat_gets_hundreds_of_samples(found: dict[str, TableDefinition]) -> None:
    for samples in (found["evens"].columns[1].samples, found["strange_keys"].columns[0].samples):
        assert len(set(samples)) == len(samples) >= 400


def test_a_column_that_an_expression_index_keeps_apart_is_kept_apart(
    found: dict[str, TableDefinition],
) -> None:
    assert found["folded"].distinct == (("status",),)
    assert found["booked"].columns[1].style == "disjoint"


def test_a_trigger_that_takes_for_ever_is_reported(
    clone: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_kroft.postgres.trials._SECONDS", "100ms")
    slow = TableDefinition("slow", [ID])
    (refusal,) = learn(clone, [slow], {"slow"}).refused
    assert refusal.rule == "the rows took too long"


def test_a_column_without_values_is_reported(clone: psycopg.Connection) -> None:
    other = TableDefinition("moods", [ID, Column("mood", '"mood"')])
    (refusal,) = learn(clone, [other], {"moods"}).refused
    assert refusal.rule == "no row could be made"
    assert "mood" in refusal.said


def test_a_table_that_is_not_there_is_an_error(clone: psycopg.Connection) -> None:
    with pytest.raises(KroftError, match=r'failed: relation "public.nowhere" does not exist'):
        learn(clone, [TableDefinition("nowhere", [ID])], {"nowhere"})
