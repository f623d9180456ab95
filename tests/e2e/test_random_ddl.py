"""Schema changes and rows at random, interleaved in transactions, savepoints and rollbacks; then every
table of the targets is compared with the source, shape and rows.

FANOUT_RANDOM_DDL_STATEMENTS says how many (a short run unless told), FANOUT_TEST_SEED repeats one.
"""
import copy
import os
import random
import time

import psycopg2

from fanout_test.case import Case, main, seed

STATEMENTS = int(os.environ.get("FANOUT_RANDOM_DDL_STATEMENTS", "400"))
COMPARE_EVERY = max(100, min(1000, STATEMENTS // 100))  # a long run would else compare most of its time

TABLES_MAX, COLUMNS_MAX = 24, 40
SETTINGS = {"autovacuum_naptime": "60s"}

# type: an expression over the row number i and a random number {r}
VALUES = {
    "integer": "(i * 7 + {r}) % 1000",
    "bigint": "i * 1000000007::bigint + {r}",
    "text": "repeat(md5((i + {r})::text), 1 + {r} % 120)",
    "varchar(40)": "left(md5((i + {r})::text), {r} % 20)",
    "numeric(20,4)": "(i + {r}) / 7.0",
    "numeric": "(i + {r}) / 7.0",
    "boolean": "(i + {r}) % 3 = 0",
    "timestamptz": "timestamptz '2020-01-01 00:00+00' + (i + {r}) * interval '1 hour'",
    "date": "date '2020-01-01' + (i + {r})::int % 500",
    "bytea": "decode(md5((i + {r})::text), 'hex')",
    "float8": "(i + {r}) / 3.0",
    "integer[]": "ARRAY[i, {r}]",
    "jsonb": "jsonb_build_object('i', i, 'r', {r})",
}
VOLATILE = {"float8": "random()", "text": "md5(random()::text)", "integer": "(random() * 100)::int",
            "timestamptz": "clock_timestamp()"}
# what USING makes of any value
USING = {"text": "{c}::text || 'u'", "integer": "length({c}::text)", "bigint": "length({c}::text) * 3",
         "numeric": "length({c}::text) / 3.0", "bytea": "decode(md5({c}::text), 'hex')"}


class Generator:
    """Makes statements for tables it keeps in mind: {(schema, name): {column: type}}, id first."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.tables = {}
        self.keys = {}
        self.serial = 0

    def fresh(self, prefix):
        self.serial += 1
        return f"{prefix}{self.serial}"

    def table(self):
        return self.chosen.choice(sorted(self.tables))

    def column(self, table, types=None):
        fit = [c for c, t in self.tables[table].items()
               if c != "id" and c not in self.keys[table] and (types is None or t in types)]
        return self.chosen.choice(fit) if fit else None

    @staticmethod
    def name(table):
        return f"{table[0]}.{table[1]}"

    def value(self, type_name):
        return VALUES[type_name].format(r=self.chosen.randint(0, 500))

    # ---- rows

    def insert(self):
        table = self.table()
        columns = [c for c, t in self.tables[table].items() if c != "id" and t in VALUES]
        values = ["NULL" if c not in self.keys[table] and self.chosen.random() < 0.1 else
                  self.value(self.tables[table][c]) for c in columns]
        return [f"INSERT INTO {self.name(table)} ({', '.join(['id'] + columns)}) SELECT {', '.join(['m + i'] + values)} "
                f"FROM (SELECT coalesce(max(id), 0) AS m FROM {self.name(table)}) AS x, "
                f"generate_series(1, {self.chosen.randint(1, 8)}) AS i"]

    def update(self):
        table = self.table()
        column = self.column(table, VALUES)
        if not column:
            return []
        value = self.value(self.tables[table][column]).replace("i ", "id ").replace("(i", "(id").replace("[i", "[id") \
            .replace("'i', i", "'i', id")
        return [f"UPDATE {self.name(table)} SET {column} = {value} WHERE id % 3 = {self.chosen.randint(0, 2)}"]

    def update_key(self):
        table = self.table()
        return [f"UPDATE {self.name(table)} SET id = id + 100000 WHERE id = (SELECT max(id) FROM {self.name(table)})"]

    def delete(self):
        parts = self.chosen.choice((11, 11, 2))  # half of a table at times: a long run would else only grow
        return [f"DELETE FROM {self.name(self.table())} WHERE id % {parts} = {self.chosen.randrange(parts)}"]

    def truncate(self):
        picked = {self.table(), self.table()}
        return [f"TRUNCATE {', '.join(self.name(t) for t in sorted(picked))}" + self.chosen.choice(("", " CASCADE", " RESTART IDENTITY"))]

    # ---- columns

    def add_column(self):
        table, column = self.table(), self.fresh("c")
        type_name = self.chosen.choice(sorted(VALUES))
        text = f"ALTER TABLE {self.name(table)} ADD {column} {type_name}"
        kind = self.chosen.random()
        if kind < 0.35:
            text += " DEFAULT " + self.value(type_name).replace("i ", "3 ").replace("(i", "(3").replace("[i", "[3").replace("'i', i", "'i', 3")
            text += self.chosen.choice(("", " NOT NULL"))
        elif kind < 0.5 and type_name in VOLATILE:
            text += f" DEFAULT {VOLATILE[type_name]}"
        elif kind < 0.55 and type_name == "bigint":
            text += " GENERATED ALWAYS AS (id * 2) STORED"
            type_name = "generated"
        self.tables[table][column] = type_name
        return [text]

    def drop_column(self):
        table = self.table()
        column = self.column(table)
        if not column:
            return []
        del self.tables[table][column]
        return [f"ALTER TABLE {self.name(table)} DROP {column}"]

    def rename_column(self):
        table = self.table()
        column = self.column(table)
        if not column:
            return []
        new = self.fresh("r")
        self.tables[table] = {new if c == column else c: t for c, t in self.tables[table].items()}
        return [f"ALTER TABLE {self.name(table)} RENAME {column} TO {new}"]

    def swap_columns(self):
        table = self.table()
        one, two = self.column(table), self.column(table)
        if not one or one == two:
            return []
        types = self.tables[table]
        types[one], types[two] = types[two], types[one]
        return [f"ALTER TABLE {self.name(table)} RENAME {old} TO {new}" for old, new in ((one, "swap"), (two, one), ("swap", two))]

    def alter_type(self):
        table = self.table()
        column = self.column(table, VALUES)
        if not column:
            return []
        type_name = self.chosen.choice(sorted(USING))
        self.tables[table][column] = type_name
        return [f"ALTER TABLE {self.name(table)} ALTER {column} DROP DEFAULT, ALTER {column} TYPE {type_name} "
                f"USING {USING[type_name].format(c=column)}"]

    def widen(self):
        table = self.table()
        column = self.column(table, ("varchar(40)",))
        if not column:
            return []
        self.tables[table][column] = "text"
        return [f"ALTER TABLE {self.name(table)} ALTER {column} TYPE text"]

    def not_null(self):
        table = self.table()
        column = self.column(table, ("text", "integer", "bigint"))
        if not column:
            return []
        if self.chosen.random() < 0.5:
            return [f"ALTER TABLE {self.name(table)} ALTER {column} DROP NOT NULL"]
        value = "'x'" if self.tables[table][column] == "text" else "5"
        return [f"UPDATE {self.name(table)} SET {column} = {value} WHERE {column} IS NULL",
                f"ALTER TABLE {self.name(table)} ALTER {column} SET NOT NULL"]

    def several(self):
        table = self.table()
        gone, new, other = self.column(table), self.fresh("m"), self.fresh("m")
        if not gone:
            return []
        del self.tables[table][gone]
        self.tables[table].update({new: "integer", other: "float8"})
        return [f"ALTER TABLE {self.name(table)} ADD {new} integer DEFAULT 9, DROP {gone}, ADD {other} float8 DEFAULT random()"]

    def key(self):
        table = self.table()
        extra = self.column(table, ("integer", "bigint"))
        if self.keys[table]:
            self.keys[table] = set()
            columns = "id"
        elif extra:
            self.keys[table] = {extra}
            columns = f"id, {extra}"
        else:
            return []
        statements = []
        if extra and self.keys[table]:
            statements.append(f"UPDATE {self.name(table)} SET {extra} = 1 WHERE {extra} IS NULL")
        statements.append(f"DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE {self.name(table)} DROP CONSTRAINT %I, ADD PRIMARY KEY "
                          f"({columns})', conname) FROM pg_constraint WHERE conrelid = '{self.name(table)}'::regclass AND contype = 'p'); END $$")
        return statements

    # ---- tables

    def create(self):
        if len(self.tables) > 8:
            return []
        table = (self.chosen.choice(("public", "other")), self.fresh("t"))
        self.tables[table] = {"id": "bigint", "a": "text", "b": "integer"}
        self.keys[table] = set()
        return [f"CREATE TABLE {self.name(table)} (id bigint PRIMARY KEY, a text, b integer DEFAULT 1)"]

    def create_as(self):
        if len(self.tables) > 8:
            return []
        source, table = self.table(), ("public", self.fresh("s"))
        self.tables[table] = {"id": "bigint", "n": "bigint"}
        self.keys[table] = set()
        return [f"CREATE TABLE {self.name(table)} AS SELECT id, id * 3 AS n FROM {self.name(source)}",
                f"ALTER TABLE {self.name(table)} ADD PRIMARY KEY (id)"]

    def drop(self):
        if len(self.tables) < 4:
            return []
        table = self.table()
        del self.tables[table], self.keys[table]
        return [f"DROP TABLE {self.name(table)}"]

    def move(self, old, new):
        self.tables[new], self.keys[new] = self.tables.pop(old), self.keys.pop(old)

    def rename_table(self):
        table = self.table()
        new = (table[0], self.fresh("n"))
        self.move(table, new)
        return [f"ALTER TABLE {self.name(table)} RENAME TO {new[1]}"]

    def set_schema(self):
        table = self.table()
        new = ("other" if table[0] == "public" else "public", table[1])
        self.move(table, new)
        return [f"ALTER TABLE {self.name(table)} SET SCHEMA {new[0]}"]

    def swap_tables(self):
        here = [t for t in sorted(self.tables) if t[0] == "public"]
        if len(here) < 2:
            return []
        one, two = self.chosen.sample(here, 2)
        for kept in (self.tables, self.keys):
            kept[one], kept[two] = kept[two], kept[one]
        return [f"ALTER TABLE {self.name(one)} RENAME TO swap", f"ALTER TABLE {self.name(two)} RENAME TO {one[1]}",
                f"ALTER TABLE public.swap RENAME TO {two[1]}"]

    def unlogged(self):
        table = self.table()
        return [f"ALTER TABLE {self.name(table)} SET UNLOGGED",
                f"DELETE FROM {self.name(table)} WHERE id % 5 = 1", f"ALTER TABLE {self.name(table)} SET LOGGED"]

    def harmless(self):
        table = self.table()
        return [self.chosen.choice((f"CREATE INDEX ON {self.name(table)} (id)", f"COMMENT ON TABLE {self.name(table)} IS 'c'",
                                    f"ALTER TABLE {self.name(table)} REPLICA IDENTITY FULL",
                                    f"ALTER TABLE {self.name(table)} REPLICA IDENTITY DEFAULT",
                                    f"ALTER TABLE {self.name(table)} ADD CHECK (id > 0)"))]

    WEIGHTS = {"insert": 25, "update": 18, "update_key": 3, "delete": 5, "truncate": 1, "add_column": 12, "drop_column": 6,
               "rename_column": 4, "swap_columns": 2, "alter_type": 5, "widen": 2, "not_null": 4, "several": 3, "key": 3,
               "create": 4, "create_as": 2, "drop": 2, "rename_table": 3, "set_schema": 2, "swap_tables": 3, "unlogged": 2,
               "harmless": 4}

    def next(self):
        """Of a long run the last statement is to cost what the first one did."""
        kind = self.chosen.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0]
        if kind in ("create", "create_as") and len(self.tables) >= TABLES_MAX:
            kind = "drop"
        if kind == "add_column" and max(map(len, self.tables.values()), default=0) >= COLUMNS_MAX:
            kind = "drop_column"
        return getattr(self, kind)() if self.tables else self.create()


class RandomDdl(Case):
    def shape(self, database, table):
        return database.run("SELECT attname, format_type(atttypid, atttypmod), attnotnull, coalesce(attnum = ANY (indkey), false) "
                            "FROM pg_attribute LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary WHERE attrelid = "
                            "%s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname", (Generator.name(table),))

    def compare(self, stage, made):
        stage.tables = [Generator.name(table) for table in sorted(made.tables)]
        stage.compare("postgres", "sqlite", seconds=1200)
        for table in sorted(made.tables):
            self.assertEqual(self.shape(stage.shop, table), self.shape(stage.copy, table), table)
        for kind in ("postgres", "sqlite"):  # nothing here is a reason for one
            row = stage.status(kind)
            self.assertEqual((row["retries"], row["last_error"]), (0, None), kind)

    def transaction(self, cursor, made, length):
        """Each step in a savepoint: what the source refuses leaves a rolled back subtransaction."""
        done = 0
        for _ in range(length):
            before = copy.deepcopy((made.tables, made.keys))
            cursor.execute("SAVEPOINT step")
            try:
                for statement in made.next():
                    self.log.append(statement)
                    cursor.execute(statement)
                    done += 1
                if made.chosen.random() < 0.07:
                    raise psycopg2.Error("a rollback for its own sake")
            except psycopg2.Error as error:
                self.log.append(f"-- undone: {str(error).splitlines()[0]}")
                cursor.execute("ROLLBACK TO step")
                made.tables, made.keys = before
        return done

    def test_everything_arrives(self):
        chosen = random.Random(seed())
        # In a long run the catalogs grow; looking at them every few seconds is all a slow machine does.
        stage = self.stage(settings=SETTINGS, target_settings=SETTINGS)
        self.log, made, done, compared, begun = [], Generator(chosen), 0, 0, time.monotonic()
        stage.shop.run("CREATE SCHEMA other")
        for statement in made.create() + made.create():
            stage.shop.run(statement)
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["/^(public|other)[.]/"])
        connection = stage.shop.connect(autocommit=False)
        try:
            while done < STATEMENTS:
                with connection.cursor() as cursor:
                    before = copy.deepcopy((made.tables, made.keys))
                    done += self.transaction(cursor, made, chosen.choice((1, 1, 2, 5, 12)))
                    if chosen.random() < 0.08:
                        connection.rollback()
                        made.tables, made.keys = before
                        self.log.append("-- rolled back")
                    else:
                        connection.commit()
                        self.log.append("-- committed")
                if done - compared >= COMPARE_EVERY:
                    compared = done
                    self.compare(stage, made)
                    del self.log[:-4 * COMPARE_EVERY]
                    print(f"{done} statements, {len(made.tables)} tables, the same at every target "
                          f"after {time.monotonic() - begun:.0f} s", flush=True)
            self.compare(stage, made)
        except (AssertionError, TimeoutError, psycopg2.Error):
            print("\n".join(self.log[-2 * COMPARE_EVERY:]))
            raise
        finally:
            connection.close()
        undone = sum(line.startswith("-- undone") for line in self.log)
        print(f"{done} statements in {time.monotonic() - begun:.0f} s; {undone} steps undone lately")


if __name__ == "__main__":
    main()
