-- What schemas may hold that is seldom seen. Every table can be filled but for those that the test names.

-- Names, schemas, sequences, collations, unusual UNIQUEs and foreign keys.
CREATE SCHEMA a; CREATE SCHEMA "B c"; CREATE SCHEMA "dotted.schema"; CREATE EXTENSION citext;
CREATE TYPE a.thing AS ENUM ('a1','a2'); CREATE TYPE "B c".thing2 AS ENUM ('b1','b2','b3');
CREATE TABLE a.things (id int primary key, t a.thing, u "B c".thing2);
CREATE TABLE "B c".things (id int primary key, t "B c".thing2 NOT NULL);
CREATE TABLE thing (id int primary key, t a.thing);
CREATE TYPE a.items AS (x int, y text);
CREATE TABLE items (id int primary key, c a.items);
CREATE TABLE "dotted.schema"."tab.le %s ""q"" 'x' {y}" (id int primary key, "a.b" text, "c d" int CHECK ("c d" > 3), "%" text UNIQUE, "%s" int, "{z}" text, "ünï" text, "'" text, "select" int, "table" text, "user" text, "order" int, "Ctid" text, "xmin " int);
CREATE TABLE "dotted.schema".t2 (id int primary key, r int references "dotted.schema"."tab.le %s ""q"" 'x' {y}" ON DELETE CASCADE);
CREATE TABLE "user" (id int generated always as identity primary key, "order" int, "table" text);
CREATE TABLE "order" (id bigint generated always as identity primary key, "user" int NOT NULL REFERENCES "user" ON UPDATE CASCADE, "user2" int references "user");
CREATE TABLE gen_only (g int GENERATED ALWAYS AS (1+1) STORED);
CREATE TABLE gen_virtual (id int primary key, a int, v int GENERATED ALWAYS AS (a*2) VIRTUAL);
CREATE TABLE nocols ();
CREATE UNLOGGED TABLE unl (id int primary key, t text);
CREATE TEMP TABLE tmp (id int);
CREATE SEQUENCE s2;
CREATE TABLE sa (id int primary key default nextval('s2'), t text);
CREATE TABLE sb (id int primary key default nextval('s2'), t text, a int references sa);
CREATE FUNCTION code() RETURNS text LANGUAGE sql AS $$ SELECT 'C' || nextval('s2') $$;
CREATE FUNCTION is_ok(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 LIKE 'C%'; END $$;
CREATE TABLE deff (id int primary key, c text NOT NULL DEFAULT code() CHECK (is_ok(c)), d date default current_date, u name default current_user, j jsonb default '{}'::jsonb, r float default random());
CREATE TABLE coll (id int primary key, n text COLLATE "ucs_basic" UNIQUE, m text COLLATE "POSIX", k varchar(10) COLLATE "C");
CREATE TABLE def_uni (id int primary key, pos int UNIQUE DEFERRABLE INITIALLY DEFERRED, p2 int UNIQUE DEFERRABLE);
CREATE TABLE nnd (id int primary key, a int, b int, UNIQUE NULLS NOT DISTINCT (a, b));
CREATE TABLE nnd1 (id int primary key, a int UNIQUE NULLS NOT DISTINCT);
CREATE TABLE inc (id int, a int, b text, PRIMARY KEY (id) INCLUDE (a), UNIQUE (b) INCLUDE (a));
CREATE TABLE part_u (id int primary key, o int, st text); CREATE UNIQUE INDEX ON part_u (o) WHERE st = 'active';
CREATE TABLE p_null (id int primary key, code text, k2 int); CREATE UNIQUE INDEX p_null_code ON p_null (code);
CREATE TABLE c_null (id int primary key, code text REFERENCES p_null (code) ON UPDATE CASCADE ON DELETE SET NULL);
CREATE TABLE selfnn (id int primary key, parent int NOT NULL REFERENCES selfnn);
CREATE TABLE u1 (id int primary key, k text NOT NULL UNIQUE);
CREATE TABLE u2 (id int primary key, k text NOT NULL UNIQUE REFERENCES u1(k) ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE u3 (id int primary key, k text REFERENCES u2(k) ON UPDATE CASCADE ON DELETE CASCADE);
DO $$ BEGIN
    EXECUTE format('CREATE TABLE wide (id int PRIMARY KEY, %s)', (
        SELECT string_agg(format('%I int', 'col ' || n || ' %'), ', ') FROM generate_series(1, 300) AS n
    ));
END $$;

-- Rules, views, publications, statistics, inheritance, partitions, CHECKs that accept nothing.
CREATE TABLE base (id int primary key, n text, v int, w int);
CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION ev();
CREATE TABLE rulelog (id serial primary key, t text);
CREATE TABLE ruled2 (id int primary key, n int);
CREATE RULE upd AS ON UPDATE TO ruled2 DO ALSO INSERT INTO rulelog (t) VALUES ('u');
CREATE VIEW barrier WITH (security_barrier) AS SELECT id, n FROM base;
CREATE VIEW star AS SELECT * FROM rulelog;
CREATE MATERIALIZED VIEW mv AS SELECT id, v FROM base; CREATE UNIQUE INDEX ON mv (id);
CREATE TABLE pub_t (id int primary key, a int, b text, c text); CREATE PUBLICATION pb FOR TABLE pub_t (id, a);
CREATE TABLE pub_w (id int primary key, a int, b text); CREATE PUBLICATION pw FOR TABLE pub_w WHERE (a > 3 OR id > 0) WITH (publish = 'insert');
CREATE TABLE stat (id int primary key, a int, b int, c int); CREATE STATISTICS st1 ON a, b FROM stat; CREATE STATISTICS st2 ON (a + b), c FROM stat;
CREATE TABLE ri (id int, a int NOT NULL, b text, x int); CREATE UNIQUE INDEX ri_a ON ri (a); ALTER TABLE ri REPLICA IDENTITY USING INDEX ri_a;
CREATE TABLE ri_full (a int, b text); ALTER TABLE ri_full REPLICA IDENTITY FULL;
CREATE TABLE animal (id int primary key, name text, CHECK (id > 0)); CREATE TABLE mammal (legs int) INHERITS (animal); CREATE TABLE dog (bark text) INHERITS (mammal);
CREATE TABLE m (id int, day date NOT NULL, reg text NOT NULL, v numeric, PRIMARY KEY (id, day, reg)) PARTITION BY RANGE (day);
CREATE TABLE m20 PARTITION OF m FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (reg);
CREATE TABLE m20_a PARTITION OF m20 FOR VALUES IN ('a', 'b'); CREATE TABLE m20_d PARTITION OF m20 DEFAULT;
CREATE TABLE m_d PARTITION OF m DEFAULT;
CREATE TABLE m_child (id int primary key, mi int, md date, mr text, FOREIGN KEY (mi, md, mr) REFERENCES m ON DELETE CASCADE);
CREATE TABLE hp (id int primary key, v text) PARTITION BY HASH (id); CREATE TABLE hp0 PARTITION OF hp FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE ep (id int, t text) PARTITION BY RANGE (lower(t)); CREATE TABLE ep1 PARTITION OF ep FOR VALUES FROM ('a') TO ('n');
CREATE TABLE pg_like (id int primary key, "tableoid2" int, oid int, "ctid_" text);
CREATE DOMAIN yesno AS text CHECK (VALUE IN ('yes','no')) DEFAULT 'no' NOT NULL;
CREATE TABLE yn (id int primary key, a yesno, b yesno);
CREATE TABLE fk2 (id int primary key, a int REFERENCES base REFERENCES stat, b int);
CREATE TABLE fkdup (id int primary key, a int REFERENCES base, CONSTRAINT again FOREIGN KEY (a) REFERENCES base ON DELETE CASCADE);
CREATE TABLE comp_p (a int, b int, c text, PRIMARY KEY (a, b), UNIQUE (b, a, c));
CREATE TABLE comp_c (id int primary key, a int, b int, c text, FOREIGN KEY (a, b) REFERENCES comp_p ON DELETE SET NULL (a), FOREIGN KEY (b, a, c) REFERENCES comp_p (b, a, c));
CREATE TABLE long_check (id int primary key, lo int, hi int, CHECK (lo < hi), CHECK (lo BETWEEN 5 AND 10 OR hi IS NULL), CHECK (hi % 7 = 0));
CREATE TABLE neverr (id int primary key, CHECK (false));
CREATE TABLE child_of_never (id int primary key, n int NOT NULL REFERENCES neverr);
CREATE TABLE nullnever (id int primary key, n int REFERENCES neverr);
CREATE TABLE bigdefault (id uuid primary key default gen_random_uuid(), a text[] NOT NULL default '{}', ts timestamptz default clock_timestamp(), tz timetz default now());
CREATE TABLE excl (id int primary key, r int4range, EXCLUDE USING gist (r WITH &&));
CREATE TABLE trig (id int primary key, a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.a < 0 THEN RETURN NULL; END IF; NEW.a := NEW.a + 1; RETURN NEW; END $$; CREATE TRIGGER tr BEFORE INSERT OR UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION f();

-- Keys of all sorts, CHECKs, EXCLUDEs.
CREATE TABLE lots (id int primary key, a int UNIQUE, b int UNIQUE, c int UNIQUE, UNIQUE (a,b), CHECK (a <> b), CHECK (c > a OR c IS NULL));
CREATE TABLE sel (id int primary key, a int REFERENCES sel (id) ON DELETE SET NULL ON UPDATE CASCADE, b int REFERENCES sel (id) ON DELETE RESTRICT, CHECK (a <> b));
CREATE TABLE ca (id int primary key); CREATE TABLE cb (id int primary key references ca on delete cascade); CREATE TABLE cc (id int primary key references cb on delete cascade on update cascade, x text);
CREATE TABLE md (id int primary key, s int NOT NULL DEFAULT 1 REFERENCES ca ON DELETE SET DEFAULT);
CREATE TABLE gk (a int, b int, c int GENERATED ALWAYS AS (a+b) STORED UNIQUE, PRIMARY KEY (a, b));
CREATE TABLE idn (id int GENERATED ALWAYS AS IDENTITY (START WITH 100 MAXVALUE 1000 MINVALUE -1000 INCREMENT BY -5) PRIMARY KEY, t text);
CREATE TABLE idn2 (id smallint GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 2000 CYCLE) PRIMARY KEY, t text);
CREATE TABLE charkey (k char(3) PRIMARY KEY, b bytea UNIQUE, iv interval UNIQUE, j jsonb UNIQUE, n numeric UNIQUE);
CREATE TABLE boolkey (b boolean PRIMARY KEY, t text);
CREATE TABLE enumk (id int primary key, u uuid UNIQUE, i inet UNIQUE, ts timestamptz(0) UNIQUE, r int4range UNIQUE);
CREATE TABLE one (id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), conf jsonb NOT NULL DEFAULT '{}');
CREATE TABLE chk (id int primary key, e text CHECK (e ~* '^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$'), p text CHECK (p SIMILAR TO '\+[0-9]{7,15}'), l text CHECK (lower(l) = l), z text CHECK (z LIKE 'A%'), d1 date, d2 date, CHECK (d2 > d1), j jsonb CHECK (jsonb_typeof(j) = 'object'), arr int[] CHECK (array_length(arr,1) BETWEEN 1 AND 3), pct numeric(5,2) CHECK (pct >= 0 AND pct <= 100), w text CHECK (w = upper(w)));
CREATE TABLE xor3 (id int primary key, a int REFERENCES ca, b int REFERENCES cb, c text, CHECK ((a IS NOT NULL)::int + (b IS NOT NULL)::int + (c IS NOT NULL)::int = 1));
CREATE TABLE tz (id int primary key, t time with time zone, i interval CHECK (i > '0'), m money CHECK (m > '0'), x "char", nm name UNIQUE, tsv tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(nm::text,''))) STORED);
CREATE INDEX ON tz USING gin (tsv); CREATE INDEX ON chk (lower(e)); CREATE UNIQUE INDEX ON chk (lower(l), (d1 IS NULL));
CREATE TABLE quick (id int primary key, v text, valid tstzrange NOT NULL, EXCLUDE USING gist (valid WITH &&) WHERE (v = 'x'));
CREATE TABLE "Mixed" ("ID" int primary key, "Ref" int REFERENCES "Mixed" ("ID") DEFERRABLE INITIALLY DEFERRED, mixed int, "MIXED" int);
CREATE TABLE "table with a very very very long name that has sixty-three chars" (id int primary key, "a column with a very very very long name that has sixty-three ch" text UNIQUE NOT NULL);
