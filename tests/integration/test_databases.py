"""Databases for tests: used again where nothing is left in them, thrown away otherwise."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

import psycopg
import pytest

from pytest_kroft.errors import DefinitionError, KroftError, SessionRemains
from pytest_kroft.postgres import databases as module
from pytest_kroft.postgres import recycling
from pytest_kroft.postgres.databases import PINNED, Database, Databases
from pytest_kroft.postgres.embedded import EmbeddedServer
from pytest_kroft.postgres.recycling import end_sessions, fingerprint, prepare, survey
from pytest_kroft.postgres.server import Server
from pytest_kroft.postgres.uri import parameters, uri
from pytest_kroft.server import KroftServer

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Dirt:
    """What a test may leave behind: how it is made, and a query that finds it.

    It is made inside of the database, or ``outside``, of the database called ``{name}``.
    """

    statements: str
    trace: str
    recycled: bool = True
    outside: bool = False


DIRT = {
    "a table": Dirt(
        "create table t(a int primary key, b text); insert into t values (1, 'x')",
        "select 1 from pg_class where relname = 't'",
    ),
    "relations of every kind": Dirt(
        "create type mood as enum ('a'); create domain d as mood; create sequence lone;"
        "create table base(a serial primary key, b d, c int generated always as identity);"
        'create view "v""w" as select b from base; create materialized view m as select a from base;'
        "create table parts(a int) partition by list (a); create table part partition of parts default;"
        "create table child(p int references base); create index on child(p)",
        "select 1 from pg_class where relnamespace = 'public'::regnamespace union"
        " select 1 from pg_type where typname in ('mood', 'd')",
    ),
    "types and functions": Dirt(
        "create type mood as enum ('a'); create domain d as int; create function f() returns int return 1",
        "select 1 from pg_type where typname in ('mood', 'd') union"
        " select 1 from pg_proc where proname = 'f'",
    ),
    "another schema": Dirt(
        'create schema "o""dd"; create table "o""dd".t(a int)',
        "select 1 from pg_namespace where nspname like 'o%d'",
    ),
    "no schema public": Dirt("drop schema public", "select 1 where to_regnamespace('public') is null"),
    "a closed schema public": Dirt(
        "revoke all on schema public from public",
        "select 1 where not has_schema_privilege('public', 'public', 'usage')",
    ),
    "an extension": Dirt("create extension citext", "select 1 from pg_extension where extname = 'citext'"),
    "an extension outside of user schemas": Dirt(
        "create extension citext schema pg_catalog",
        "select 1 from pg_extension where extname = 'citext'",
        recycled=False,
    ),
    "a publication": Dirt("create publication p for all tables", "select 1 from pg_publication"),
    "a slot": Dirt(
        "select pg_create_logical_replication_slot('s', 'pgoutput')",
        "select 1 from pg_replication_slots where slot_name = 's'",
    ),
    "a subscription": Dirt(
        "create subscription s connection 'dbname=none' publication p with (connect = false)",
        "select 1 from pg_subscription where subname = 's'",
    ),
    "a prepared transaction": Dirt(
        "create table t(a int); begin; insert into t values (1); prepare transaction 'it''s'",
        "select 1 from pg_prepared_xacts",
    ),
    "a large object": Dirt("select lo_create(0)", "select 1 from pg_largeobject_metadata", recycled=False),
    "a setting": Dirt(
        "alter database {name} set work_mem = '1MB'",
        "select 1 where current_setting('work_mem') = '1MB'",
        recycled=False,
        outside=True,
    ),
    "a setting of a role": Dirt(
        "alter role postgres in database {name} set work_mem = '1MB'",
        "select 1 where current_setting('work_mem') = '1MB'",
        recycled=False,
        outside=True,
    ),
    "a read-only database": Dirt(
        "alter database {name} set default_transaction_read_only = on",
        "select 1 where current_setting('transaction_read_only') = 'on'",
        recycled=False,
        outside=True,
    ),
    "a template without room": Dirt(
        "alter database {name} is_template true connection limit 0",
        "select 1 from pg_database where datname = current_database() and datistemplate",
        recycled=False,
        outside=True,
    ),
    "default privileges": Dirt(
        "alter default privileges grant select on tables to public",
        "select 1 from pg_default_acl",
        recycled=False,
    ),
    "a foreign server": Dirt(
        "create foreign data wrapper w; create server s foreign data wrapper w",
        "select 1 from pg_foreign_server union select 1 from pg_foreign_data_wrapper",
        recycled=False,
    ),
    "a cast": Dirt(
        "create cast (int as point) with inout", "select 1 from pg_cast where oid >= 16384", recycled=False
    ),
    "an event trigger that forbids dropping": Dirt(
        "create function f() returns event_trigger language plpgsql as $$ begin raise 'no'; end $$;"
        "create event trigger e on ddl_command_start when tag in ('DROP SCHEMA') execute function f()",
        "select 1 from pg_event_trigger",
        recycled=False,
    ),
    "a changed built-in function": Dirt(
        "revoke execute on function pg_catalog.now() from public",
        "select 1 where not has_function_privilege('public', 'pg_catalog.now()', 'execute')",
        recycled=False,
    ),
}


@pytest.fixture
def pool(server: EmbeddedServer) -> Iterator[Databases]:
    """Databases that no other test has used."""
    made = Databases(server)
    yield made
    made.close()


@pytest.fixture
def admin(server: EmbeddedServer) -> Iterator[Connection]:
    """A connection beside all databases of tests."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        yield connection


def inside(database: Database) -> Connection:
    """A new autocommit connection to the database."""
    return psycopg.connect(database.dsn, autocommit=True)


def names(admin: Connection) -> set[str]:
    """The databases on the server."""
    return {row[0] for row in admin.execute("select datname from pg_database")}


def identity(admin: Connection, database: Database) -> object:
    """What tells a database from another made later under the same name."""
    return admin.execute("select oid from pg_database where datname = %s", [database.name]).fetchone()


def soil(database: Database, dirt: Dirt, admin: Connection) -> None:
    """Leave the dirt in the database; it is there when its trace is."""
    if dirt.outside:
        admin.execute(dirt.statements.format(name=database.name).encode())
    else:
        with inside(database) as connection:
            connection.execute(dirt.statements.encode())
    with inside(database) as connection:
        assert connection.execute(dirt.trace.encode()).fetchall()


def assert_as_new(database: Database, pristine: recycling.Fingerprint, dirt: Dirt) -> None:
    """The database is like any new one, and the dirt is nowhere."""
    with inside(database) as connection:
        assert connection.execute(dirt.trace.encode()).fetchall() == []
        assert fingerprint(connection) == pristine
        assert recycling.blockers(connection, database.name) == []


@pytest.fixture
def pristine(pool: Databases) -> recycling.Fingerprint:
    """The fingerprint of a database that nobody has used."""
    with inside(pool.acquire()) as connection:
        return fingerprint(connection)


@pytest.mark.parametrize("dirt", DIRT.values(), ids=list(DIRT))
def test_nothing_of_a_test_reaches_the_next(
    dirt: Dirt, pool: Databases, pristine: recycling.Fingerprint, admin: Connection
) -> None:
    used = pool.acquire()
    soil(used, dirt, admin)
    pool.release(used)
    following = pool.acquire()
    assert (following == used) == dirt.recycled
    assert (used.name in names(admin)) == dirt.recycled
    assert_as_new(following, pristine, dirt)


@pytest.mark.parametrize("dirt", DIRT.values(), ids=list(DIRT))
def test_a_reset_keeps_the_address(
    dirt: Dirt, pool: Databases, pristine: recycling.Fingerprint, admin: Connection
) -> None:
    used = pool.acquire()
    before = identity(admin, used)
    soil(used, dirt, admin)
    pool.reset(used)
    assert (identity(admin, used) == before) == dirt.recycled
    assert_as_new(used, pristine, dirt)


def public(connection: Connection) -> object:
    """What tells the schema from another made later under the same name."""
    return connection.execute("select oid from pg_namespace where nspname = 'public'").fetchone()


def test_what_is_usual_in_public_goes_without_the_schema(pool: Databases) -> None:
    # The server forgets every plan when a schema comes or goes, which costs more than all else.
    used = pool.acquire()
    with inside(used) as connection:
        before = public(connection)
        for dirt in ("a table", "relations of every kind", "a publication"):
            connection.execute(DIRT[dirt].statements.encode())
            assert pool.reset(used, [connection.info.backend_pid])
            assert public(connection) == before
        connection.execute("create function f() returns int return 1")
        assert pool.reset(used, [connection.info.backend_pid])
        assert public(connection) != before


def test_a_spared_session_works_on_after_each_reset(pool: Databases) -> None:
    used = pool.acquire()
    with inside(used) as connection:
        connection.prepare_threshold = 0
        for turn in range(3):
            connection.execute("create table t(a int)")
            connection.execute("insert into t values (%s)", [turn])
            assert connection.execute("select a from t").fetchall() == [(turn,)]
            assert pool.reset(used, [connection.info.backend_pid])


def test_everything_at_once_is_reset(
    pool: Databases, pristine: recycling.Fingerprint, admin: Connection
) -> None:
    used = pool.acquire()
    recycled = [dirt for dirt in DIRT.values() if dirt.recycled and "schema public" not in dirt.statements]
    with inside(used) as left, inside(used) as busy:
        for dirt in recycled:
            if "create table t(" not in dirt.statements and "mood" not in dirt.statements:
                left.execute(dirt.statements.encode())
        busy.execute("create table held(a int)")
        busy.execute("begin")
        busy.execute("lock table held")
        assert pool.reset(used)
        busy.close()
    for dirt in recycled:
        assert_as_new(used, pristine, dirt)


def test_a_database_closed_to_everyone_is_thrown_away(pool: Databases, admin: Connection) -> None:
    used = pool.acquire()
    admin.execute(f'alter database "{used.name}" allow_connections false'.encode())
    pool.release(used)
    assert used.name not in names(admin)
    assert pool.acquire() != used


def test_a_database_that_a_test_dropped_is_not_missed(pool: Databases, admin: Connection) -> None:
    used = pool.acquire()
    admin.execute(f'drop database "{used.name}" with (force)'.encode())
    pool.release(used)
    assert pool.acquire() != used


def test_sessions_left_open_end_with_their_transactions(pool: Databases) -> None:
    used = pool.acquire()
    with inside(used) as idle, psycopg.connect(used.dsn) as writer:
        writer.execute("create table t(a int)")
        pool.release(used)
        for connection in (idle, writer):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("select 1")
        writer.close()
    assert pool.acquire() == used


def test_a_reset_spares_the_named_idle_sessions_only(pool: Databases) -> None:
    used = pool.acquire()
    with inside(used) as spared, inside(used) as busy, inside(used) as other:
        spared.execute("create temporary table mine(a int)")
        busy.execute("begin")
        busy.execute("create table t(a int)")
        pool.reset(used, spare=[spared.info.backend_pid, busy.info.backend_pid])
        assert spared.execute("select to_regclass('t'), to_regclass('mine')::text").fetchone() == (
            None,
            "mine",
        )
        for connection in (busy, other):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("select 1")


def test_a_database_is_recycled_many_times_over(pool: Databases) -> None:
    seen = set()
    for _ in range(20):
        database = pool.acquire()
        with inside(database) as connection:
            connection.execute("create table t(a int)")
        pool.release(database)
        seen.add(database.name)
    assert len(seen) == 1


def test_a_lost_connection_of_ours_is_made_anew(pool: Databases, admin: Connection) -> None:
    used = pool.acquire()
    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    pool.release(used)
    with inside(pool.acquire()) as connection:
        connection.execute("create table t(a int)")


def test_every_session_has_the_pinned_settings(pool: Databases) -> None:
    with inside(pool.acquire()) as connection:
        wanted = {**PINNED, "search_path": '"$user", public', "server_encoding": "UTF8"}
        shown = {name: connection.execute("select current_setting(%s)", [name]).fetchone() for name in wanted}
    assert shown == {name: (text,) for name, text in wanted.items()}


def test_two_in_use_are_two(pool: Databases) -> None:
    assert len({pool.acquire().name for _ in range(3)}) == 3


def test_only_what_was_made_here_is_touched(
    pool: Databases, server: EmbeddedServer, admin: Connection
) -> None:
    mark = pool.acquire().name.rpartition("_")[0]
    other = Databases(server)
    theirs, alike = other.acquire(), f"{mark}_99"
    admin.execute(f'create database "{alike}"'.encode())
    for database in (theirs, Database(alike, server.dsn(alike)), Database("postgres", server.dsn())):
        for act in (pool.release, pool.reset, pool.keep):
            with pytest.raises(KroftError, match="was not made here, so it is left alone"):
                act(database)
    pool.close()
    assert {theirs.name, alike, "postgres"} <= names(admin)
    other.close()
    admin.execute(f'drop database "{alike}"'.encode())


def test_releasing_twice_is_refused(pool: Databases) -> None:
    used = pool.acquire()
    pool.release(used)
    with pytest.raises(KroftError, match="has been released already"):
        pool.release(used)


def test_closing_drops_all_but_what_is_kept(server: EmbeddedServer, admin: Connection) -> None:
    pool = Databases(server)
    kept, used, free = pool.acquire(), pool.acquire(), pool.acquire()
    with inside(kept) as connection:
        connection.execute("create table t(a int)")
    pool.keep(kept)
    pool.release(kept)
    pool.release(free)
    pool.close()
    assert names(admin) & {kept.name, used.name, free.name} == {kept.name}
    with inside(kept) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (0,)
    admin.execute(f'drop database "{kept.name}" with (force)'.encode())


def test_a_role_that_may_create_databases_is_enough(server: EmbeddedServer, admin: Connection) -> None:
    class AsRole:
        def dsn(self, database: str = "postgres") -> str:
            return uri({**parameters(server.dsn(database)), "user": "kroft_maker"})

    admin.execute("create role kroft_maker login createdb")
    pool = Databases(AsRole())
    used = pool.acquire()
    with inside(used) as connection, inside(used):
        connection.execute("create table t(a int); create publication p for table t; create schema more")
        pool.release(used)
    assert pool.acquire() == used
    pool.close()
    admin.execute("drop role kroft_maker")


def test_a_session_that_does_not_end_is_named(
    server: EmbeddedServer, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recycling, "_END_SECONDS", -1)
    with psycopg.connect(server.dsn("template1")) as stubborn:
        stubborn.execute("select 'stubborn'")
        words = f"session {stubborn.info.backend_pid} .*'stubborn'"
        with pytest.raises(SessionRemains, match=words):
            end_sessions(admin, "template1")
        stubborn.close()


def test_a_survey_names_a_session_that_does_not_end(pool: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycling, "_END_SECONDS", -1)
    used = pool.acquire()
    with inside(used) as looking, inside(used) as stubborn:
        prepare(looking)
        stubborn.execute("select 'stubborn'")
        with pytest.raises(SessionRemains, match=f"session {stubborn.info.backend_pid} .*'stubborn'"):
            survey(looking, [pool._inside(used).info.backend_pid])


def refusing(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Have ending the sessions of one database fail; gives the databases for which it was tried."""
    tried: list[str] = []

    def end(admin: Connection, database: str, spare: Collection[int] = ()) -> None:
        tried.append(database)
        if database == name:
            raise SessionRemains(database, 77, "select 'stubborn'")
        end_sessions(admin, database, spare)

    def look(inside: Connection, spare: Collection[int] = ()) -> recycling.Remains:
        end(inside, inside.info.dbname)
        return survey(inside, spare)

    monkeypatch.setattr(module, "end_sessions", end)
    monkeypatch.setattr(module, "survey", look)
    return tried


def test_closing_goes_on_after_a_database_that_cannot_be_dropped(
    pool: Databases, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, *others = [pool.acquire() for _ in range(3)]
    with monkeypatch.context() as patched:
        refusing(patched, stuck.name)
        with pytest.raises(SessionRemains, match="stubborn"):
            pool.close()
    assert names(admin) & {stuck.name, *(other.name for other in others)} == {stuck.name}
    # Closing once more drops what has remained.
    pool.close()
    assert stuck.name not in names(admin)


def test_a_database_whose_sessions_remain_is_not_given_out_again(
    pool: Databases, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = pool.acquire()
    ended = [SessionRemains(used.name, 77, "select 'stubborn'")]

    def look(inside: Connection, spare: Collection[int] = ()) -> recycling.Remains:
        if ended:
            raise ended.pop()
        return survey(inside, spare)

    monkeypatch.setattr(module, "survey", look)
    pool.release(used)
    assert used.name not in names(admin)
    assert pool.acquire() != used


class Host:
    """A server of the tests that notes that it was closed."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.dsn, self.closed = server.dsn, False

    def close(self) -> None:
        self.closed = True


def test_a_server_is_stopped_although_a_database_cannot_be_dropped(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(server)
    lending = KroftServer(cast("Server", host))
    with monkeypatch.context() as patched, lending.database() as db:
        refusing(patched, parameters(db.dsn)["dbname"])
        with pytest.raises(SessionRemains):
            lending.close()
    assert host.closed


@pytest.mark.parametrize("keep", [False, True])
def test_giving_back_does_not_hide_the_error_of_the_test(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    lending = KroftServer(cast("Server", Host(server)), keep_failed=keep)
    with monkeypatch.context() as patched:
        with pytest.raises(ZeroDivisionError) as raised, lending.database() as db:  # noqa: PT012
            refusing(patched, parameters(db.dsn)["dbname"])
            raise ZeroDivisionError
        notes = getattr(raised.value, "__notes__", [])
        assert [("stubborn" in note) for note in notes] == ([] if keep else [True])
        with pytest.raises(SessionRemains) if keep else nullcontext():
            lending.end_test()
    lending.close()


def test_every_database_is_given_back_although_one_cannot_be(
    server: EmbeddedServer, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending = KroftServer(cast("Server", Host(server)), keep_failed=True)
    with monkeypatch.context() as patched:
        with lending.database() as first, lending.database():
            pass
        tried = refusing(patched, parameters(first.dsn)["dbname"])
        with pytest.raises(SessionRemains):
            lending.end_test()
        assert len({*tried}) == 2
        assert lending.opened == ()
    lending.close()


def test_a_definition_that_is_refused_is_told_before_a_session_that_remains(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending = KroftServer(cast("Server", Host(server)))
    with lending.database() as db:
        name = parameters(db.dsn)["dbname"]
    with monkeypatch.context() as patched:
        refusing(patched, name)
        with pytest.raises(DefinitionError, match="clock") as raised, lending.database(clock="wall"):  # type: ignore[arg-type]
            pass
        assert "stubborn" in "".join(raised.value.__notes__)
    lending.close()
