"""The SQL that reads the catalog: one query for each kind of object, whatever the number of tables.

Texts between ``@`` signs stand for what only newer servers have; ``query`` fills them in. The catalogs
are described in PostgreSQL's documentation, part "Internals", chapter "System Catalogs".
"""

from __future__ import annotations

# What the server has from a major version on, and what stands for it before.
_NEWER = {
    "@nulls_equal@": (15, "i.indnullsnotdistinct", "false"),
    "@nulled@": (15, "c.confdelsetcols", "NULL"),
    "@enforced@": (18, "c.conenforced", "true"),
    "@period@": (18, "c.conperiod", "false"),
}


def query(text: str, server_version: int) -> str:
    """The query as a server of that version (``180006``) understands it."""
    for mark, (major, there, instead) in _NEWER.items():
        text = text.replace(mark, there if server_version >= major * 10_000 else instead)
    return text


RELATIONS = """
    SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
        CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid::int8 END AS root,
        c.relrowsecurity AND row_security_active(c.oid) AS secured,
        pg_has_role(c.relowner, 'USAGE') AS owned,
        x.objid IS NOT NULL AS extension,
        has_schema_privilege(n.oid, 'USAGE') AS reachable,
        CASE WHEN c.relkind IN ('r', 'p') THEN ARRAY(
            SELECT p.name FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p (name)
            WHERE NOT has_table_privilege(c.oid, p.name)
        ) ELSE '{}' END AS lacking,
        coalesce(p.partattrs::int2[]::int[], '{}') AS partition_columns,
        pg_get_partkeydef(c.oid) AS partition_key
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
    LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e'
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname, c.relname
"""

# A type's element is that of a true array only: int2vector has one too.
COLUMNS = """
    SELECT a.attrelid::int8 AS relation, a.attnum::int AS number, a.attname AS name,
        coalesce(e.oid, t.oid)::int8 AS type, e.oid IS NOT NULL AS array,
        format_type(a.atttypid, a.atttypmod) AS declared, a.atttypmod >= 0 AS modified,
        NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS default,
        CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,
        a.attgenerated <> '' AS generated, a.attinhcount > 0 AS inherited,
        s.refobjid IS NOT NULL AS serial,
        CASE WHEN a.attcollation <> t.typcollation THEN
            (SELECT format('%I.%I', m.nspname, l.collname) FROM pg_collation l
            JOIN pg_namespace m ON m.oid = l.collnamespace WHERE l.oid = a.attcollation)
        END AS collation,
        EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey)) AS indexed
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'c') AND NOT c.relispartition
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN (
        SELECT DISTINCT o.refobjid, o.refobjsubid FROM pg_depend o
        JOIN pg_class q ON q.oid = o.objid AND q.relkind = 'S'
        WHERE o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_class'::regclass
            AND o.deptype = 'a' AND o.refobjsubid > 0
    ) AS s ON s.refobjid = a.attrelid AND s.refobjsubid = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY a.attrelid, a.attnum
"""

TYPES = """
    SELECT t.oid::int8 AS oid, n.nspname AS schema, t.typname AS name, t.typtype::text AS kind,
        x.extname AS extension, t.typrelid::int8 AS relation,
        coalesce(e.oid, b.oid)::int8 AS base, e.oid IS NOT NULL AS base_array,
        format_type(t.typbasetype, t.typtypmod) AS base_declared, t.typtypmod >= 0 AS base_modified,
        t.typnotnull AS required, format_type(t.oid, NULL) AS declared,
        coalesce(l.labels, '{}') AS labels,
        format_type(coalesce(r.rngsubtype, y.rngtypid), NULL) AS part,
        coalesce(r.rngsubtype, y.rngtypid)::int8 AS part_type
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    LEFT JOIN pg_extension x ON x.oid = d.refobjid
    LEFT JOIN pg_type b ON b.oid = t.typbasetype
    LEFT JOIN pg_type e ON e.oid = b.typelem AND e.typarray = b.oid
    LEFT JOIN pg_range r ON r.rngtypid = t.oid
    LEFT JOIN pg_range y ON y.rngmultitypid = t.oid
    LEFT JOIN (
        SELECT enumtypid, array_agg(enumlabel::text ORDER BY enumsortorder) AS labels
        FROM pg_enum GROUP BY enumtypid
    ) AS l ON l.enumtypid = t.oid
    WHERE n.nspname !~ '^pg_' AND (n.nspname <> 'information_schema' OR t.typtype = 'd')
        AND (t.typtype <> 'b' OR t.typcategory <> 'A')
    ORDER BY n.nspname, t.typname
"""

# Without those that the server clones for each partition, of the table or of one that it refers to.
CONSTRAINTS = """
    SELECT c.conrelid::int8 AS relation, c.contypid::int8 AS type, c.conname AS name,
        c.contype::text AS kind, coalesce(c.conkey::int[], '{}') AS columns, c.confrelid::int8 AS target,
        coalesce(c.confkey::int[], '{}') AS target_columns,
        CASE WHEN c.contype = 'x' OR @period@ THEN pg_get_constraintdef(c.oid) END AS definition,
        CASE WHEN c.contype = 'c' THEN pg_get_expr(c.conbin, c.conrelid) END AS condition,
        c.condeferrable AS deferrable, c.condeferred AS deferred, c.confupdtype::text AS on_update,
        c.confdeltype::text AS on_delete, c.confmatchtype = 'f' AS full,
        coalesce(@nulled@::int[], '{}') AS nulled, @period@ AS period,
        ARRAY(
            SELECT p.oprname::text FROM unnest(c.conexclop) WITH ORDINALITY AS o (oid, place)
            JOIN pg_operator p ON p.oid = o.oid ORDER BY o.place
        ) AS operators
    FROM pg_constraint c
    JOIN pg_namespace n ON n.oid = c.connamespace
    LEFT JOIN pg_class r ON r.oid = c.conrelid
    WHERE c.contype IN ('p', 'u', 'f', 'c', 'x') AND @enforced@
        AND c.conparentid = 0 AND NOT (coalesce(r.relispartition, false) AND c.coninhcount > 0)
        AND n.nspname !~ '^pg_' AND (n.nspname <> 'information_schema' OR c.contypid <> 0)
    ORDER BY c.conrelid, c.contype, c.conname
"""

INDEXES = """
    SELECT i.indrelid::int8 AS relation, x.relname AS name, i.indisunique AS distinct,
        i.indisprimary AS primary, i.indisexclusion AS exclusion, @nulls_equal@ AS nulls_equal,
        (i.indkey::int2[]::int[])[0:i.indnkeyatts - 1] AS columns,
        i.indpred IS NOT NULL AS partial, i.indexprs IS NOT NULL AS computed,
        pg_get_indexdef(i.indexrelid) AS definition,
        CASE WHEN i.indexprs IS NULL THEN '{}' ELSE ARRAY(
            SELECT pg_get_indexdef(i.indexrelid, k, false) FROM generate_series(1, i.indnkeyatts) AS k
        ) END AS parts,
        ARRAY(
            SELECT DISTINCT d.refobjsubid FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0
        ) AS mentioned,
        (i.indkey::int2[]::int[])[i.indnkeyatts:] AS included, o.particular
    FROM pg_index i
    CROSS JOIN LATERAL (
        SELECT bool_or(NOT opcdefault OR opcmethod <> 403) AS particular
        FROM pg_opclass WHERE oid = ANY (i.indclass::oid[])
    ) AS o
    JOIN pg_class x ON x.oid = i.indexrelid AND NOT x.relispartition
    JOIN pg_class c ON c.oid = i.indrelid AND c.relkind IN ('r', 'p')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (i.indisunique OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR o.particular) AND i.indislive
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY i.indrelid, x.relname
"""

# Triggers that a session runs by default, and rules. Those cloned from a partitioned table are its own.
TRIGGERS = """
    SELECT t.tgrelid::int8 AS relation, t.tgname AS name, 'trigger' AS kind,
        pg_get_triggerdef(t.oid) AS definition, p.prosrc AS source
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled IN ('O', 'A')
    UNION ALL
    SELECT r.ev_class::int8, r.rulename, 'rule', pg_get_ruledef(r.oid), ''
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
        AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    WHERE r.rulename <> '_RETURN' AND r.ev_enabled IN ('O', 'A')
    ORDER BY 1, 2
"""

# Indexes, constraints, defaults and triggers depend on columns too; they are read as what they are.
DEPENDENTS = """
    SELECT DISTINCT d.refobjid::int8 AS relation, d.refobjsubid::int AS number,
        CASE WHEN v.relkind = 'v' THEN 'view' WHEN v.relkind = 'm' THEN 'materialized view'
            WHEN r.oid IS NOT NULL THEN 'rule' WHEN p.oid IS NOT NULL THEN 'policy'
            WHEN f.oid IS NOT NULL THEN 'function' ELSE 'publication' END AS kind,
        coalesce(CASE WHEN v.relkind IN ('v', 'm') THEN v.relname END, r.rulename, p.polname, f.proname,
            u.pubname) AS name
    FROM pg_depend d
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.oid >= 16384
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class
    LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
    LEFT JOIN pg_proc f ON d.classid = 'pg_proc'::regclass AND f.oid = d.objid
    LEFT JOIN pg_publication_rel b ON d.classid = 'pg_publication_rel'::regclass AND b.oid = d.objid
    LEFT JOIN pg_publication u ON u.oid = b.prpubid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
        AND coalesce(r.oid, p.oid, f.oid, b.oid) IS NOT NULL
    ORDER BY 1, 2, 3, 4
"""

# Of tables that are no partitions: those are listed with the bounds.
CHILDREN = """
    SELECT i.inhparent::int8 AS relation, n.nspname AS schema, c.relname AS name
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'f') AND NOT c.relispartition
    JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY 1, 2, 3
"""

PARTITIONS = """
    SELECT pg_partition_root(c.oid)::oid::int8 AS relation, n.nspname AS schema, c.relname AS name,
        pg_get_expr(c.relpartbound, c.oid) AS bound, pg_get_partition_constraintdef(c.oid) AS condition
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relispartition AND c.relkind IN ('r', 'f')
    ORDER BY 1, 2, 3
"""

POLICIES = """
    SELECT p.polrelid::int8 AS relation, p.polname AS name,
        pg_get_expr(p.polqual, p.polrelid) AS visible, pg_get_expr(p.polwithcheck, p.polrelid) AS accepted
    FROM pg_policy p ORDER BY 1, 2
"""
