"""The rules of a table that may refuse a row, as the catalog holds them: what they are called, the columns
that they mention, and their text with that of the functions they call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg

STAGES = {
    "domain": 0, "partition": 1, "before": 2, "policy": 3, "not null": 4, "check": 5, "unique": 6,
    "exclude": 6, "after": 7, "unknown": 8,
}  # fmt: skip
"""The kinds of rules in the order in which the server asks them (``ExecInsert``)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its kind is one of ``STAGES``.

    ``columns`` are those that it mentions, empty where that is not known; ``functions`` the names of those
    that it calls; ``domain`` the domain that it belongs to.
    """

    name: str
    kind: str
    columns: tuple[str, ...] = ()
    text: str = ""
    functions: tuple[str, ...] = ()
    domain: str = ""

    @property
    def rank(self) -> tuple[int, str]:
        """When the server asks it: checks by name, as ``CheckConstraintFetch`` sorts them."""
        return STAGES[self.kind], self.name if self.kind == "check" else ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """What the server said of a row: the parts of its diagnostics."""

    place: int
    state: str
    constraint: str
    column: str
    domain: str
    said: str
    context: str


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a table, and its columns that are part of a foreign key."""

    rules: tuple[Rule, ...]
    columns: tuple[str, ...]
    foreign: frozenset[str]

    def blamed(self, rejection: Rejection) -> Rule:
        """The rule that a rejection is due to; one of kind ``unknown`` where the server does not say."""
        if rejection.state == "23502":
            return self._required(rejection)
        named = [rule for rule in self.rules if rule.name == rejection.constraint]
        if rejection.constraint and named:
            return next((rule for rule in named if rule.domain == rejection.domain), named[0])
        if rejection.constraint:
            return Rule(rejection.constraint, "unknown", (), rejection.said)
        return self._of_kind(rejection) or self._calling(rejection.context) or self._unknown()

    def _required(self, rejection: Rejection) -> Rule:
        if rejection.column:
            return Rule(f"NOT NULL of {rejection.column}", "not null", (rejection.column,))
        columns = {name for rule in self.rules if rule.domain == rejection.domain for name in rule.columns}
        return Rule(
            f"NOT NULL of {rejection.domain}", "domain", tuple(sorted(columns)), "", (), rejection.domain
        )

    def _of_kind(self, rejection: Rejection) -> Rule | None:
        kind = {"23514": "partition", "42501": "policy", "KR000": "before"}.get(rejection.state)
        return next((rule for rule in self.rules if rule.kind == kind), None)

    def _calling(self, context: str) -> Rule | None:
        """The rule of whose function the innermost line of an error's context tells."""
        for line in context.splitlines():
            for rule in self.rules:
                if any(re.search(rf"\b{re.escape(name)}\(", line) for name in rule.functions):
                    return rule
        return None

    def _unknown(self) -> Rule:
        columns = {name for rule in self.rules for name in rule.columns}
        ordered = tuple(name for name in self.columns if name in columns)
        return Rule("no constraint that the server names", "unknown", ordered, self.text)

    @property
    def text(self) -> str:
        """The texts of all rules."""
        return "\n".join(rule.text for rule in self.rules)


def rules_of(connection: psycopg.Connection[Any], table: str) -> Rules:
    """The rules of a table that is named as SQL names it; raises psycopg.Error."""
    columns = [name for (name,) in connection.execute(_COLUMNS, [table]).fetchall()]
    foreign = {name for (name,) in connection.execute(_FOREIGN, [table]).fetchall()}
    rules = []
    for name, kind, named, text, functions, domain in connection.execute(_RULES, {"table": table}).fetchall():
        mentioned = named or [column for column in columns if _mentions(text, column)]
        found = tuple(column for column in columns if column in mentioned)
        rules.append(Rule(name, kind, found, text, tuple(functions), domain))
    return Rules(tuple(rules), tuple(columns), frozenset(foreign))


def _mentions(text: str, column: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", text) is not None


_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_FOREIGN = """
    SELECT DISTINCT a.attname FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
    WHERE c.conrelid = %s::regclass AND c.contype = 'f'
"""
_RULES = """
    WITH RECURSIVE relation AS (
        SELECT %(table)s::regclass::oid AS oid
        UNION SELECT i.inhrelid FROM pg_inherits i JOIN relation r ON i.inhparent = r.oid
            JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
    ), domain AS (
        SELECT a.attname, t.oid, t.typbasetype, t.typname
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype = 'd'
        UNION SELECT d.attname, t.oid, t.typbasetype, t.typname
        FROM domain d JOIN pg_type t ON t.oid = d.typbasetype AND t.typtype = 'd'
    ), source AS (
        SELECT d.classid, d.objid, array_agg(DISTINCT p.proname::text) AS functions,
            string_agg(DISTINCT p.prosrc, E'\\n') AS texts
        FROM pg_depend d JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
        WHERE d.classid IN ('pg_constraint'::regclass, 'pg_class'::regclass)
        GROUP BY d.classid, d.objid
    ), found AS (
        SELECT c.conname::text AS name, CASE c.contype WHEN 'c' THEN 'check' WHEN 'x' THEN 'exclude'
                ELSE 'unique' END AS kind,
            (SELECT array_agg(DISTINCT a.attname::text) FROM pg_attribute a
                WHERE a.attrelid = c.conrelid AND (a.attnum = ANY (c.conkey) OR EXISTS (
                    SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass
                    AND d.refobjid = c.conrelid AND d.refobjsubid = a.attnum
                    AND (d.classid, d.objid) IN (('pg_constraint'::regclass, c.oid),
                        ('pg_class'::regclass, c.conindid))))) AS columns,
            pg_get_constraintdef(c.oid) AS text, 'pg_constraint'::regclass AS class, c.oid AS id,
            '' AS domain
        FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid WHERE c.contype IN ('c', 'x', 'u', 'p')
        UNION ALL
        SELECT i.indexrelid::regclass::text, 'unique', (SELECT array_agg(DISTINCT a.attname::text)
                FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid),
            pg_get_indexdef(i.indexrelid), 'pg_class'::regclass, i.indexrelid, ''
        FROM pg_index i JOIN relation r ON r.oid = i.indrelid
        WHERE i.indisunique AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
        UNION ALL
        SELECT c.conname, 'domain', array_agg(d.attname::text), pg_get_constraintdef(c.oid),
            'pg_constraint'::regclass, c.oid, d.typname::text
        FROM domain d JOIN pg_constraint c ON c.contypid = d.oid GROUP BY c.oid, c.conname, d.typname
        UNION ALL
        SELECT 'the bounds of the partitions', 'partition', NULL, (SELECT string_agg(concat_ws(' ',
                pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid)), E'\\n' ORDER BY c.relname)
                FROM pg_class c JOIN relation r ON r.oid = c.oid), 'pg_class'::regclass, 0, ''
        WHERE EXISTS (SELECT FROM pg_class WHERE oid = %(table)s::regclass AND relkind = 'p')
        UNION ALL
        SELECT 'trigger ' || quote_ident(t.tgname),
            CASE WHEN t.tgtype & 2 <> 0 THEN 'before' ELSE 'after' END, NULL,
            p.prosrc || coalesce(' ' || pg_get_expr(t.tgqual, t.tgrelid), ''), 'pg_trigger'::regclass,
            t.oid, ''
        FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = %(table)s::regclass AND NOT t.tgisinternal AND t.tgenabled <> 'D'
        UNION ALL
        SELECT 'policy ' || quote_ident(p.polname), 'policy', NULL,
            concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
            'pg_policy'::regclass, p.oid, ''
        FROM pg_policy p WHERE p.polrelid = %(table)s::regclass
    )
    SELECT f.name, f.kind, f.columns, concat_ws(E'\\n', f.text, s.texts), coalesce(s.functions, CASE
            WHEN f.class = 'pg_trigger'::regclass THEN ARRAY(SELECT p.proname::text FROM pg_trigger t
                JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.oid = f.id) END, '{}'), f.domain
    FROM found f LEFT JOIN source s ON s.classid = f.class AND s.objid = f.id
    ORDER BY f.kind, f.name
"""
