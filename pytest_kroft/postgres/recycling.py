"""Making a used database as good as new, and telling whether it is.

The usual case takes two round trips: a survey of what was left, and one that drops it and takes the
fingerprint. Both queries are long and prepared. A server plans all that is prepared anew when any schema
comes or goes, so that the schema ``public`` stays where emptying it is enough.

The catalogs are described in PostgreSQL's documentation, chapter 52 ("System Catalogs").
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg

from pytest_kroft.errors import SessionRemains

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
Fingerprint: TypeAlias = tuple[object, ...]

_END_SECONDS = 10
_FIRST_USER_OID = 16384
"""Objects that initdb makes have smaller identifiers (documentation, section 73.2.2)."""

_CATALOGS = (
    "pg_am", "pg_cast", "pg_collation", "pg_conversion", "pg_default_acl", "pg_event_trigger",
    "pg_extension", "pg_foreign_data_wrapper", "pg_foreign_server", "pg_language",
    "pg_largeobject_metadata", "pg_opclass", "pg_operator", "pg_opfamily", "pg_publication",
    "pg_transform", "pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template",
)  # fmt: skip
"""What a new database has none of its own of."""

_IN_SCHEMAS = {"pg_class": "relnamespace", "pg_proc": "pronamespace", "pg_type": "typnamespace"}
"""What a session may also hold in a temporary schema, which goes away with the session."""

_BUILT_IN = ("pg_class", "pg_proc", "pg_language")
"""Where an altered built-in object shows as a row of a later transaction."""

# usesysid is null for the server's own workers (autovacuum): they give way by themselves, and only
# a superuser may signal them.
_END_SESSIONS = """
select pid, pg_terminate_backend(pid), query from pg_stat_activity
where datid = (select oid from pg_database where datname = %(database)s)
  and pid <> pg_backend_pid() and usesysid is not null
  and not (pid = any(%(spare)s::int[]) and xact_start is null)
"""

_BLOCKERS = """
select format('rollback prepared %%L', gid) from pg_prepared_xacts where database = %(database)s
union all
select format('select pg_drop_replication_slot(%%L)', slot_name)
from pg_replication_slots where database = %(database)s
union all
select unnest(array[
    format('alter subscription %%I disable', subname),
    format('alter subscription %%I set (slot_name = none)', subname),
    format('drop subscription %%I', subname)])
from pg_subscription where subdbid = (select oid from pg_database where datname = %(database)s)
"""

_DROP_CONTENTS = r"""
select format('drop %%s if exists %%s cascade', word, string_agg(name, ', '))
from (
    select case relkind when 'r' then 1 when 'p' then 1 else 2 end as turn,
        case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
            when 'f' then 'foreign table' else 'table' end as word,
        format('public.%%I', relname) as name
    from pg_class where relkind in ('r', 'p', 'v', 'm', 'S', 'f')
        and relnamespace = (select oid from pg_namespace where nspname = 'public')
    union all
    select 3, 'type', format('public.%%I', typname)
    from pg_type where typtype in ('e', 'd')
        and typnamespace = (select oid from pg_namespace where nspname = 'public')
) as found
group by turn, word order by turn
"""
"""Tables go first, and their sequences with them."""

_DROP_SCHEMAS = r"""
select format('drop publication %%I', pubname) from pg_publication
union all
select format('drop schema %%I cascade', nspname) from pg_namespace
where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')
"""

_DROPS = _DROP_SCHEMAS.replace("%%", "%").replace(", 'public')", ")")
"""The same for all schemas."""

_SURVEY = f"""
select
    array(select format('%%s %%s', pid, query)
          from ({_END_SESSIONS}) as ended(pid, signalled, query) where signalled is not null),
    array({_BLOCKERS}),
    array({_DROP_SCHEMAS}) || array({_DROP_CONTENTS})
"""  # noqa: S608

_PUBLIC_SINCE_15 = """
create schema public authorization pg_database_owner;
grant usage on schema public to public;
comment on schema public is 'standard public schema'"""

_PUBLIC_BEFORE_15 = """
create schema public;
grant all on schema public to public;
comment on schema public is 'standard public schema'"""


@dataclass(frozen=True)
class Remains:
    """What was left in a database: the statements that free it, and those that empty it."""

    blockers: list[str]
    drops: list[str]


def prepare(connection: Connection) -> None:
    """Prepare our connection to a database for ``survey`` and ``tidied``."""
    survey = _SURVEY.replace("%(database)s", "current_database()").replace("%(spare)s", "$1")
    # psycopg's own prepared statements would go with each DROP.
    connection.prepare_threshold = None
    connection.execute(f"prepare kroft_survey(int[]) as {survey.replace('%%', '%')}".encode())
    connection.execute(f"prepare kroft_fingerprint as {_FINGERPRINT}".encode())


def survey(connection: Connection, spare: Collection[int] = ()) -> Remains:
    """End every session on the connection's database, as ``end_sessions`` does; tells what else is left.

    Raises :class:`SessionRemains` when a session does not end.
    """
    deadline = time.monotonic() + _END_SECONDS
    asked = f"execute kroft_survey('{{{','.join(map(str, spare))}}}')".encode()
    while True:
        row = connection.execute(asked).fetchone()
        assert row is not None
        sessions, *remains = row
        if not sessions:
            return Remains(*remains)
        if time.monotonic() > deadline:
            pid, _, query = sessions[0].partition(" ")
            raise SessionRemains(connection.info.dbname, int(pid), query)
        time.sleep(0.001)


def tidied(connection: Connection, drops: Collection[str]) -> Fingerprint | None:
    """Drop what the survey found and take the fingerprint; None where something cannot be dropped so."""
    try:
        cursor = connection.execute(";".join([*drops, "execute kroft_fingerprint"]).encode())
    except psycopg.Error:
        return None
    while cursor.nextset():
        pass
    return cursor.fetchone()


def end_sessions(admin: Connection, database: str, spare: Collection[int] = ()) -> None:
    """End every session on a database but the connection's own and the idle ones among ``spare``.

    Signals and polls: the server's own way to wait sleeps 100 ms at a time.
    Raises :class:`SessionRemains` when one does not end.
    """
    deadline = time.monotonic() + _END_SECONDS
    arguments = {"database": database, "spare": list(spare)}
    while rows := admin.execute(_END_SESSIONS, arguments).fetchall():
        if time.monotonic() > deadline:
            raise SessionRemains(database, rows[0][0], str(rows[0][2]))
        time.sleep(0.001)


def blockers(admin: Connection, database: str) -> list[str]:
    """The statements that free a database of what would keep it from being dropped.

    These are prepared transactions, replication slots and subscriptions; each statement
    is to be run alone, on a connection to that database.
    """
    return [row[0] for row in admin.execute(_BLOCKERS, {"database": database})]


def clean(connection: Connection) -> None:
    """Drop the publications and schemas of the database, and make ``public`` anew.

    Raises :class:`psycopg.Error` where that is not possible: another object holds on to a
    schema, or (before PostgreSQL 15) the role does not own ``public``.
    """
    drops = [row[0] for row in connection.execute(_DROPS)]
    public = _PUBLIC_SINCE_15 if connection.info.server_version >= 150000 else _PUBLIC_BEFORE_15
    connection.execute(";".join([*drops, public]).encode())


def fingerprint(connection: Connection) -> Fingerprint:
    """What distinguishes a used database from a new one: equal for two new ones of one server.

    Covers schemas with owner and privileges, objects of every kind, changes of built-in
    objects, privileges of other roles, and the database's own settings and privileges.
    Prepared transactions, slots and subscriptions are what :func:`blockers` tells of.
    """
    row = connection.execute(_FINGERPRINT.encode()).fetchone()
    assert row is not None
    return row


def _fingerprint_query() -> str:
    temporary = r"select oid from pg_namespace where nspname ~ '^pg_(toast_)?temp_'"
    own = f"oid >= {_FIRST_USER_OID}"
    counts = [f"(select count(*) from {name} where {own})" for name in _CATALOGS]  # noqa: S608
    counts += [
        f"(select count(*) from {name} where {own} and {schema} not in ({temporary}))"  # noqa: S608
        for name, schema in _IN_SCHEMAS.items()
    ]
    old = f"oid < {_FIRST_USER_OID}"
    built_in = [
        f"(select (count(*), sum(xmin::text::bigint))::text from {name} where {old})"  # noqa: S608
        for name in _BUILT_IN
    ]
    return f"select {', '.join([_SCHEMAS, _SETTINGS, _OTHER_ROLES, *counts, *built_in])}, {_DATABASE}"


_SCHEMAS = r"""
(select array_agg((nspname, nspowner, nspacl, obj_description(oid, 'pg_namespace'))::text order by nspname)
 from pg_namespace where nspname !~ '^pg_(toast_)?temp_')"""

_SETTINGS = """
(select array_agg((setrole, setconfig)::text order by setrole)
 from pg_db_role_setting where setdatabase = d.oid)"""

_OTHER_ROLES = "(select count(*) from pg_shdepend where dbid = d.oid)"

_DATABASE = """
(datdba, datacl, datconnlimit, datallowconn, datistemplate, dattablespace,
 shobj_description(oid, 'pg_database'))::text
from pg_database d where datname = current_database()"""

_FINGERPRINT = _fingerprint_query()
