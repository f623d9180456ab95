#!/usr/bin/python3
"""PostgreSQL's own regression tests, on a server alone and then with a stream of all tables attached.

What passes alone has to pass beside the stream, and the stream has to come through all of it. What
fails alone as well (the sources may be of another minor release) is named, is not ours, and has to
fail with the same output. Differences are kept in <build>/pgsuite/<run>.diffs.

FANOUT_PGSUITE_SOURCE=<dir>        an unpacked source tree of PostgreSQL, where none can be downloaded
FANOUT_PGSUITE_TESTS="a b"         these tests instead of the whole schedule
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

import sources
from fanout_test import oracle, places
from fanout_test.case import Case, main
from fanout_test.daemon import Daemon
from fanout_test.postgres import Database, Postgres
from fanout_test.processes import wait_until

PG_REGRESS = "/usr/lib/postgresql/15/lib/pgxs/src/test/regress/pg_regress"
TESTS = os.environ.get("FANOUT_PGSUITE_TESTS", "").split()
KINDS = ("blackhole", "file")
RUN_SECONDS = 1500
DELIVERY = "300 s"
# What the tests expect of a server: PostgreSQL's defaults where ours differ, and pg_regress's own.
SETTINGS = {"max_prepared_transactions": "2", "shared_buffers": "128MB", "autovacuum_naptime": None,
            "max_connections": "100"}
DATABASE_SETTINGS = {"lc_messages": "C", "lc_monetary": "C", "lc_numeric": "C", "lc_time": "C",
                     "bytea_output": "hex", "timezone_abbreviations": "Default"}
# Tests that list what there is in the database, or which locks their transaction has: lines about an
# object of the extension are left out of them before they are compared.
LISTING = {"opr_sanity", "event_trigger", "alter_table"}
OWN_OBJECTS = """SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'fanout%'
    UNION SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'fanout'::regnamespace
    UNION SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'fanout'::regnamespace"""
# So that every update and delete names its row: nearly no table of these tests has a key.
FULL_IDENTITY = """CREATE FUNCTION fanout.full_identity() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE made record;
BEGIN
    FOR made IN SELECT c.oid::regclass AS name FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid
            WHERE d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', made.name);
    END LOOP;
END $$;
CREATE EVENT TRIGGER full_identity ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA')
    EXECUTE FUNCTION fanout.full_identity()"""
TABLES = """SELECT format('%I.%I', n.nspname, c.relname), lower(n.nspname || '.' || c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'p'
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    AND n.nspname !~ '^(pg_|information_schema$|fanout$)' ORDER BY 1"""
# What has no place in a target: told by name, and parked.
REFUSED = re.compile("whose replica identity names no row|SQLite has no tables without columns|"
                     "came without a key|invalid byte sequence for encoding|"
                     "because other objects depend on it")  # nothing is dropped with CASCADE
# An attribute was dropped from the composite type of a column: what is stored, and was sent, stays.
READ_OTHERWISE = {"public.test_tbl3"}
ROLE = re.compile(r"^\s*CREATE\s+(?:ROLE|USER)\s+(regress_\w+)", re.MULTILINE | re.IGNORECASE)
OUTCOME = re.compile(r"^(?:test)?\s+(\S+)\s+\.\.\. (ok|FAILED|failed \(ignored\))", re.MULTILINE)


class Suite(Case):
    def setUp(self):
        self.folder = places.scratch("pgsuite-")
        self.suite, self.release = sources.prepare(self.folder)

    def server(self, name):
        server = Postgres(self.folder, name, SETTINGS).start()
        self.addCleanup(server.remove)
        server.run("CREATE DATABASE regression TEMPLATE template0")
        for key, value in DATABASE_SETTINGS.items():
            server.run(f"ALTER DATABASE regression SET {key} = '{value}'")
        return server

    def regress(self, server):
        """{test: ok, FAILED or ignored}, as pg_regress tells it."""
        output = places.give_to_server(places.own_folder(os.path.join(self.folder, f"out-{server.name}")))
        chosen = TESTS or [f"--schedule={self.suite}/parallel_schedule"]
        begun = time.monotonic()
        done = subprocess.run(places.as_server(
            [PG_REGRESS, "--use-existing", f"--bindir={places.postgres_bin()}",
             f"--host={server.folder}", f"--port={server.port}", "--user=postgres",
             "--dbname=regression", f"--inputdir={self.suite}", f"--outputdir={output}",
             f"--dlpath={self.suite}", "--max-concurrent-tests=20", *chosen], death_signal="TERM"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=output, check=False,
            timeout=RUN_SECONDS)
        diffs = os.path.join(output, "regression.diffs")
        kept = os.path.join(sources.HOUSE, f"{server.name}.diffs")
        if os.path.exists(diffs):
            shutil.copyfile(diffs, kept)
        elif os.path.exists(kept):
            os.remove(kept)
        outcome = dict(OUTCOME.findall(done.stdout))
        self.assertTrue(outcome, done.stdout + server.process.log_tail())
        passed = sum(result == "ok" for result in outcome.values())
        print(f"{server.name}: {passed} of {len(outcome)} tests of {self.release} pass, "
              f"{time.monotonic() - begun:.0f} s", flush=True)
        return outcome

    def output(self, server, test, own=()):
        """What the test said, without the lines that have a word of `own`, and how wide they made it."""
        path = os.path.join(self.folder, f"out-{server}", "results", f"{test}.out")
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().replace(f"out-{server}", "out").splitlines()
        if not own:
            return lines
        lines = [re.sub(r"-+", "-", re.sub(r" +", " ", line)).strip() for line in lines
                 if not own.intersection(re.split(r"[ |]+", line))]
        return [line for line in lines if not re.match(r"\(\d+ rows?\)$", line)]

    def same(self, test, own):
        own = own if test in LISTING else ()
        return self.output("alone", test, own) == self.output("beside", test, own)

    def roles(self):
        """All that the tests make at some time."""
        found = set()
        for path in glob.glob(os.path.join(self.suite, "sql", "*.sql")):
            with open(path, encoding="utf-8", errors="replace") as file:
                found.update(role.lower() for role in ROLE.findall(file.read()))
        return sorted(found)

    def options_of(self, kind):
        if kind == "blackhole":
            return {}
        if kind == "postgres":
            return {"dsn": self.copy.dsn(), "missing_types": "text"}
        return {"path": os.path.join(self.folder, f"copy.{kind}")}

    def attach(self, server, kinds=KINDS, **options):
        database = Database(server, "regression")
        self.addCleanup(database.close)
        database.run("CREATE EXTENSION pg_fanout")
        database.run("SELECT fanout.start_stream('main')")
        database.run("CREATE TABLE first_table ()")  # a subscription is made for tables there are
        daemon = Daemon(self.folder, database.dsn()).start()
        self.addCleanup(lambda: daemon.running() and daemon.kill())
        for kind in kinds:
            database.run("SELECT fanout.create_target(%s, %s, %s)",
                         (kind, kind, json.dumps(self.options_of(kind))))
            database.run("SELECT fanout.create_subscription(%s, %s, '{/./}', %s)",
                         (kind, kind, json.dumps({"backfill": False, **options})))
        self.wait_streaming(database)
        database.run("DROP TABLE first_table")
        return database, daemon

    def wait_streaming(self, database):
        def states():
            return database.run("SELECT name, state, last_error FROM fanout.subscriptions")
        wait_until(lambda: f"all subscriptions stream: {states()}",
                   lambda: {state for _, state, _ in states()} == {"streaming"})

    def assert_alive(self, server, database, daemon, kinds=KINDS):
        """The stream is where the server is, on its first worker, and nobody had to be restarted."""
        lsn = database.value("SELECT pg_current_wal_insert_lsn()")
        for kind in kinds:
            self.assertTrue(database.value("SELECT fanout.wait_for(%s, %s, %s)",
                                           (kind, lsn, DELIVERY)), daemon.log_tail())
        self.wait_streaming(database)
        wait_until("the slot is at the end", lambda: database.value(
            "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots", (lsn,)))
        self.assertTrue(daemon.running(), daemon.log_tail())
        for name, read, *parts in database.run(
                "SELECT name, rows_read, rows_delivered, rows_filtered, rows_dead_lettered FROM fanout.subscriptions"):
            print(f"{name}: {read} rows read, {parts[0]} delivered", flush=True)
            self.assertEqual(read, sum(parts), name)
        log = server.process.log_text()
        for sign in ("was terminated by signal", "server process was terminated", "could not record this schema change"):
            self.assertNotIn(sign, log)
        complaints = [line for line in log.splitlines()
                      if re.search(r"pg_fanout|fanout\.", line) and re.search(r"\b(ERROR|FATAL|PANIC|WARNING):", line)]
        self.assertEqual(complaints, [])

    def test_its_tests_pass_beside_a_stream(self):
        plain = self.server("alone")
        alone = self.regress(plain)
        plain.stop("immediate")
        server = self.server("beside")
        database, daemon = self.attach(server)
        beside = self.regress(server)
        theirs = sorted(test for test, result in alone.items() if result != "ok")
        if theirs:
            print(f"not ours, fails without pg_fanout too: {' '.join(theirs)}", flush=True)
        own = {name for (name,) in database.run(OWN_OBJECTS)}
        ours = sorted(test for test, result in beside.items()
                      if result != "ok" and not self.same(test, own))
        try:
            self.assert_alive(server, database, daemon)
        finally:
            if ours:
                with open(os.path.join(sources.HOUSE, "beside.diffs"), encoding="utf-8",
                          errors="replace") as file:
                    print(file.read()[:100_000])
        self.assertEqual(ours, [], "these are otherwise without pg_fanout")
        self.assertEqual(set(alone), set(beside))


    def differences(self, database, kind, names):
        """Table by table, what the target has otherwise; prints how much was compared."""
        rows, found = 0, []
        for name in names:
            try:
                source = oracle.Source(database, [name])
                rows += oracle.compare_postgres(source, self.copy) if kind == "postgres" else \
                    oracle.compare_sqlite(source, self.options_of(kind)["path"])
            except oracle.Difference as difference:
                found.append(str(difference))
        print(f"{kind}: {len(names)} tables with {rows} rows compared", flush=True)
        return found

    def test_targets_follow_all_of_it(self):
        """Every schema change and row of the tests, applied to both SQL targets; then every table is compared."""
        server = self.server("followed")
        target = Postgres(self.folder, "target", SETTINGS).start()
        self.addCleanup(target.remove)
        self.copy = target.create_database("copy")
        self.addCleanup(self.copy.close)
        # Some tables are made of catalogs: privileges are values there, and name roles.
        self.copy.run("CREATE EXTENSION pg_fanout")
        for role in self.roles():
            target.run(f"CREATE ROLE {role}")
        kinds = ("sqlite", "postgres")
        database, daemon = self.attach(server, kinds, create_tables=True, on_ddl="apply", on_reject="park")
        database.run(FULL_IDENTITY)
        self.regress(server)  # some list identities or event triggers: what they say does not count here
        self.assert_alive(server, database, daemon, kinds)
        tables, problems = dict(database.run(TABLES)), []
        for kind in kinds:
            refused = database.run("SELECT lower(schema_name || '.' || table_name), error FROM fanout.dead_letters "
                                   "WHERE subscription = %s", (kind,))
            problems += [f"{kind}: {error}" for _, error in refused if not REFUSED.search(error)]
            print(f"{kind}: {len(refused)} changes refused by name", flush=True)
            names = [name for name, plain in tables.items()
                     if plain not in dict(refused) and plain not in READ_OTHERWISE]
            self.assertTrue(TESTS or len(names) > 300, names)
            problems += self.differences(database, kind, names)
        self.assertEqual(problems, [])


if __name__ == "__main__":
    try:
        sources.find()
    except sources.Missing as missing:
        print(f"skipped: PostgreSQL's tests are in no package that is installed here, and {missing}")
        sys.exit(77)
    main()
