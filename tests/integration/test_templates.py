"""Loaded schemas: made once as a template, cloned for each database, refused in a clear sentence."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_kroft.database import KroftDB
from pytest_kroft.errors import LoadError
from pytest_kroft.model.tables import TableDefinition
from pytest_kroft.postgres.databases import Databases
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.postgres.installation import find_installation
from pytest_kroft.postgres.sources import load_of
from pytest_kroft.postgres.templates import MARK, PREFIX, Templates
from pytest_kroft.search import Search
from pytest_kroft.server import KroftServer, start_server
from tests.definitions import Column

SCHEMA = """
create type mood as enum ('a;b', 'c');
create table t (id serial primary key, x text, m mood);
insert into t (x, m) values (E'a\\tb\\nc', 'a;b'), ('\\.', 'c'), (null, null);
create table log (a int);
create rule r as on insert to t do also (insert into log values (1); insert into log values (2));
create function f() returns int begin atomic select case when true then 1 end; select 3; end;
create procedure p() language plpgsql as $x$ begin perform 'a;'; end; $x$;
comment on table t is 'it''s; /* so';
create schema app;
create view app.v as select json_object('a': 1) as j, (array[1, 2, 3])[1:2] as s;
"""
ITEMS = TableDefinition("items", [Column("id", "int", primary_key=True)])


@pytest.fixture(scope="module")
def lender(server: EmbeddedServer) -> Iterator[KroftServer]:
    """A server of kroft's on which the templates of this module are made."""
    with start_server(server.dsn()) as lending:
        yield lending
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for name in templates(admin):
            admin.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def admin(server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        yield connection


def templates(admin: psycopg.Connection) -> dict[str, str | None]:
    """The templates on the server, with their comments."""
    query = "select datname, shobj_description(oid, 'pg_database') from pg_database where datname ~ %s"
    return dict(admin.execute(query, [f"^{PREFIX}"]).fetchall())


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of SQL."""

    def written(text: str, name: str = "schema.sql") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return written


def rows(db: KroftDB, query: str) -> list[Any]:
    with psycopg.connect(db.dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def refusal(lender: KroftServer, load: Any) -> LoadError:
    with pytest.raises(LoadError) as caught, lender.database(load=load):
        pass
    return caught.value


# What is loaded


def dump(dsn: str) -> str:
    program = find_installation().program("pg_dump")
    command = [program, "--restrict-key=9aX", dsn]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_what_pg_dump_writes_is_loaded_as_it_was(lender: KroftServer, write: Write) -> None:
    with lender.database() as db:
        db.connection.execute(SCHEMA.encode())
        text = dump(db.dsn)
    assert "\\restrict 9aX" in text
    assert "COPY public.t" in text
    with lender.database(load=write(text)) as db:
        assert dump(db.dsn) == text
        # What the dump has set for its own session is gone.
        assert rows(db, "select current_setting('search_path'), current_setting('timezone')") == [
            ('"$user", public', "UTC")
        ]
        assert rows(db, "select current_setting('lock_timeout'), * from app.v") == [("10s", {"a": 1}, [1, 2])]


def test_sources_of_every_kind_are_loaded_in_order(
    lender: KroftServer, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("def fill(connection): connection.execute('insert into a values (2)')", "fills_a.py")
    monkeypatch.syspath_prepend(tmp_path)
    write("create table b (x text);\ncopy b from stdin;\nä\n\\.\n", "parts/b.sql")
    write("\\ir b.sql\n\\i more.sql\n", "parts/all.sql")
    write("insert into b values ('more')", "more.sql")
    first = write(
        "set search_path = pg_catalog; create table public.a (n int); insert into public.a values (1)"
    )

    def last(connection: psycopg.Connection) -> None:
        connection.execute("insert into a values (3)")

    load = load_of([str(first), "parts/all.sql", "fills_a:fill", last], tmp_path)
    with lender.database(load=load) as db:
        assert rows(db, "table a") == [(1,), (2,), (3,)]
        assert rows(db, "table b") == [("ä",), ("more",)]
        assert rows(db, "show search_path") == [('"$user", public',)]


def test_databases_hold_the_servers_load_unless_told_otherwise(server: EmbeddedServer, write: Write) -> None:
    with start_server(server.dsn(), load=write("create table a (n int)")) as lending:
        with lending.database(ITEMS, rows=2) as db:
            assert rows(db, "table a") == []
            db.run(batches=2, rows=3)
            db.verify()
        with lending.database(load=[]) as db:
            assert rows(db, "select to_regclass('a')") == [(None,)]


def test_a_transaction_in_a_file_is_one(lender: KroftServer, write: Write) -> None:
    with lender.database(load=write("begin; create table a (n int); commit; vacuum")) as db:
        assert rows(db, "table a") == []


def test_an_index_whose_function_needs_the_search_path_is_no_hindrance(
    lender: KroftServer, write: Write
) -> None:
    load = write("""
        create table a (n int);
        create function f(int) returns int immutable return $1;
        create function g(int) returns int immutable language plpgsql as 'begin return f($1); end';
        create index on a (g(n));
        insert into a values (1);
    """)
    with lender.database(load=load) as db:
        assert rows(db, "table a") == [(1,)]


def test_a_file_may_change_the_encoding_of_its_session(lender: KroftServer, write: Write) -> None:
    load = write("set client_encoding = 'LATIN1'; create table a (x text); insert into a values ('ä')")
    with lender.database(load=load) as db:
        assert rows(db, "table a") == [("ä",)]
    assert "client_encoding has no '€'" in str(
        refusal(lender, write("set client_encoding to LATIN1; select '€'"))
    )


# Each database is a clone


def test_a_database_is_as_loaded_whatever_was_done_to_the_one_before(
    lender: KroftServer, write: Write
) -> None:
    load = write("create table a (n int); insert into a values (1)")
    names = set()
    for _ in range(3):
        with lender.database(load=load) as db:
            names.add(db.dsn)
            assert rows(db, "table a") == [(1,)]
            db.connection.execute("update a set n = 2; alter table a add b int; create table c ()")
    assert len(names) == 3


def test_an_empty_database_is_never_a_used_clone(
    server: EmbeddedServer, lender: KroftServer, write: Write
) -> None:
    databases = Databases(server)
    name = Templates(server).ready(load_of(write("create table a (n int)")))
    first = databases.acquire(name)
    databases.release(first)
    empty = databases.acquire()
    with psycopg.connect(empty.dsn) as connection:
        assert connection.execute("select to_regclass('a')").fetchone() == (None,)
    databases.release(empty)
    assert databases.acquire(name).template == name
    databases.close()


def test_each_example_of_a_search_begins_with_what_was_loaded(lender: KroftServer, write: Write) -> None:
    load = write("create table a (n int); insert into a values (1)")
    with lender.database(ITEMS, rows=2, load=load) as db:
        search, seen = Search(lender, db), []

        def body() -> None:
            seen.append((db.dsn, rows(db, "table a"), len(db.expected())))
            db.verify()
            db.connection.execute("drop table a")
            db.mutations.insert(count=1)

        for _ in range(3):
            search.example(lambda low, high: low, body)
        assert seen == [(db.dsn, [(1,)], 2)] * 3


def test_a_clone_that_a_test_keeps_in_use_is_dropped(
    lender: KroftServer, admin: psycopg.Connection, write: Write
) -> None:
    with lender.database(load=write("create table a (n int)")) as db:
        held = psycopg.connect(db.dsn)
        held.execute("table a")
        held.execute("select pg_create_logical_replication_slot('held', 'pgoutput')")
        name = held.info.dbname
    assert admin.execute("select from pg_database where datname = %s", [name]).fetchall() == []
    held.close()


# The template


CALLS: list[str] = []


def noted(connection: psycopg.Connection) -> None:
    CALLS.append(connection.info.dbname)


def test_a_template_is_made_once_and_marked(server: EmbeddedServer, admin: psycopg.Connection) -> None:
    for _ in range(2):
        with start_server(server.dsn(), load=noted) as lending, lending.database(), lending.database():
            pass
    assert len(CALLS) == 1
    assert templates(admin)[CALLS[0]] == MARK


def test_processes_share_a_template(server: EmbeddedServer, write: Write, tmp_path: Path) -> None:
    calls = []
    begun = threading.Barrier(3)

    def load(connection: psycopg.Connection) -> None:
        calls.append(1)
        connection.execute("create table a (n int); select pg_sleep(0.2)")

    def ready(names: list[str]) -> None:
        begun.wait()
        names.append(Templates(server).ready(load_of(load)))

    names: list[str] = []
    threads = [threading.Thread(target=ready, args=[names]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(names) == 3
    assert len(set(names)) == 1


def test_a_template_without_the_mark_is_made_anew(
    server: EmbeddedServer, admin: psycopg.Connection, write: Write
) -> None:
    load = load_of(write("create table half (n int)"))
    name = Templates(server).ready(load)
    admin.execute(f"comment on database {name} is null".encode())
    admin.execute(f"alter database {name} allow_connections true".encode())
    with psycopg.connect(server.dsn(name), autocommit=True) as inside:
        inside.execute("drop table half")
    assert Templates(server).ready(load) == name
    assert templates(admin)[name] == MARK
    clone = Databases(server)
    with psycopg.connect(clone.acquire(name).dsn) as inside:
        inside.execute("table half")
    clone.close()


def test_what_is_interrupted_leaves_nothing(server: EmbeddedServer, admin: psycopg.Connection) -> None:
    def interrupted(connection: psycopg.Connection) -> None:
        raise KeyboardInterrupt

    before = templates(admin)
    with pytest.raises(KeyboardInterrupt):
        Templates(server).ready(load_of(interrupted))
    assert templates(admin) == before


def test_a_function_may_leave_sessions_open(lender: KroftServer, server: EmbeddedServer) -> None:
    others = []

    def load(connection: psycopg.Connection) -> None:
        others.append(psycopg.connect(server.dsn(connection.info.dbname)))
        connection.close()

    with lender.database(load=load) as db:
        db.verify()
    others[0].close()


# The hash


def digests(tmp_path: Path, *given: Any) -> list[str]:
    return [load_of(one, tmp_path).digest() for one in given]


def test_the_hash_follows_the_text_and_not_the_name(write: Write, tmp_path: Path) -> None:
    one, same, other = (write(text, name) for text, name in [("a", "1.sql"), ("a", "2.sql"), ("b", "3.sql")])
    first, again, different, both = digests(tmp_path, one, same, other, [one, other])
    assert first == again
    assert len({first, different, both}) == 3
    assert digests(tmp_path, [other, one]) != [both]


def test_the_hash_follows_included_and_watched_files(write: Write, tmp_path: Path) -> None:
    write("def f(connection): pass", "watching_some.py")
    sys.path.insert(0, str(tmp_path))
    given = [write("\\ir sub/b.sql"), "watching_some:f sub", "watching_some:f"]
    try:
        write("1", "sub/b.sql")
        before = digests(tmp_path, *given)
        write("2", "sub/b.sql")
        after = digests(tmp_path, *given)
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("watching_some")
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True]


def test_the_hash_tells_functions_apart(tmp_path: Path) -> None:
    def made(number: int) -> Callable[..., object]:
        return lambda connection: number

    functions = [made(1), made(2), partial(made, 1), partial(made, 2), made, lambda connection: 0]
    assert len(set(digests(tmp_path, *functions))) == len(functions)
    assert digests(tmp_path, made(1)) == digests(tmp_path, made(1))


def test_the_hash_follows_the_code_of_a_function(write: Write, tmp_path: Path) -> None:
    def hashed(code: str) -> str:
        write(code, "coded.py")
        ran = "from pytest_kroft.postgres.sources import load_of; print(load_of('coded:f').digest())"
        done = subprocess.run(
            [sys.executable, "-c", ran], check=True, capture_output=True, text=True, cwd=tmp_path
        )
        return done.stdout

    assert len({hashed("def f(c): 1"), hashed("def f(c): 2"), hashed("def f(c): 1")}) == 2


# What is refused


def test_an_error_of_the_server_names_file_line_and_statement(
    lender: KroftServer, admin: psycopg.Connection, write: Write
) -> None:
    before = templates(admin)
    load = write(
        "create table a (n int);\n" * 1 + "\n" * 36 + "create table b (\n  n int,\n  m intt,\n o int);\n"
    )
    error = refusal(lender, load)
    assert str(error) == (
        f'{load}, line 40: type "intt" does not exist\n  statement: create table b ( n int, m intt, o int)'
    )
    assert (error.line, error.sqlstate) == (40, "42704")
    assert templates(admin) == before
    assert str(refusal(lender, load)) == str(error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select 1;\nselct 2", 'line 2: syntax error at or near "selct"\n  statement: selct 2'),
        (
            "create table a (n int);\ncopy a from stdin;\n1\nx\n\\.\n",
            'line 4: invalid input syntax for type integer: "x"\n  statement: copy a from stdin',
        ),
        ("begin;\nselect 1;", ": it ends in a transaction that is still open: end it with COMMIT"),
        (
            "create extension if not exists nowhere",
            'line 1: the server lacks the extension "nowhere": install it there, or name a server that',
        ),
        (
            "create table a ();\nalter table a owner to joe",
            'line 2: role "joe" does not exist: write the dump with --no-owner --no-privileges',
        ),
        ("select\n :'x'", 'line 2: syntax error at or near ":": kroft knows no variables of psql; write'),
        ("\n\\gexec", r"line 2: only psql knows \gexec: write the statements out"),
        ("\\i nowhere.sql", "line 1: there is no file"),
        ("\\ir schema.sql", "line 1: the file schema.sql includes itself"),
    ],
)
def test_what_cannot_be_loaded_is_told(lender: KroftServer, write: Write, text: str, said: str) -> None:
    load = write(text)
    assert str(refusal(lender, load)).startswith(f"{load}{'' if said[0] == ':' else ', '}{said}")


def test_an_error_in_an_included_file_names_that_file(lender: KroftServer, write: Write) -> None:
    write("\nselct", "sub/b.sql")
    error = refusal(lender, write("\\ir sub/b.sql"))
    assert error.source.endswith("sub/b.sql")
    assert error.line == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"PGDMP\x01", "an archive of pg_dump"), (b"--\n-- \xe4\n", "line 2: this is no text in UTF-8")],
)
def test_files_that_are_no_sql(lender: KroftServer, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.sql").write_bytes(content)
    assert said in str(refusal(lender, tmp_path / "x.sql"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere.sql", "nowhere.sql: there is no file /"),
        (
            "nowhere_at_all:f",
            "there is no module 'nowhere_at_all'; add its folder to pytest's setting pythonpath",
        ),
        ("json:nothing", "json:nothing: json has no function 'nothing'"),
        ("json:__name__", "is no function but 'json'"),
        ("json:load nowhere", "there is no file or folder"),
        (5, "a load is a path, 'module:function' or a function, not 5"),
        ([b"x"], "not b'x'"),
    ],
)
def test_sources_that_are_not_there(lender: KroftServer, given: Any, said: str) -> None:
    assert said in str(refusal(lender, [given] if isinstance(given, int) else given))


@pytest.mark.parametrize(
    ("code", "said"), [("1 / 0", "ZeroDivisionError: division"), ("import nowhere_x", "No module")]
)
def test_a_module_that_fails(
    lender: KroftServer, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    write(f"{code}\n", "fails_early.py")
    monkeypatch.syspath_prepend(tmp_path)
    error = str(refusal(lender, "fails_early:f"))
    assert error.startswith("fails_early:f: its module cannot be imported: ")
    assert said in error


def test_a_function_that_raises_is_named_with_its_line(
    lender: KroftServer,
    admin: psycopg.Connection,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = templates(admin)
    code = """
        def inner(): raise ValueError("no\\nmore")
        def f(connection):
            inner()
        def g(connection):
            connection.execute("create extension nowhere")
        def h(connection):
            raise SystemExit(3)
    """
    write(textwrap.dedent(code), "fails_late.py")
    monkeypatch.syspath_prepend(tmp_path)
    told = [str(refusal(lender, f"fails_late:{name}")) for name in "fgh"]
    assert told[0] == "fails_late:f, line 2: the function raised ValueError: no"
    assert (
        'line 6: the function raised FeatureNotSupported: the server lacks the extension "nowhere"' in told[1]
    )
    assert told[2] == "fails_late:h, line 8: the function raised SystemExit: 3"
    assert templates(admin) == before


def test_a_function_without_source_is_refused(lender: KroftServer) -> None:
    function = eval("lambda connection: 0", {"__name__": "nowhere_z"})
    assert "its source cannot be read: move it into a module" in str(refusal(lender, function))
