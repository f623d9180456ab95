"""The workloads: a ten-column table, changed in transactions of 1000 rows, and pgbench."""
import subprocess

TABLE = """
CREATE TABLE wide (
    id int8 PRIMARY KEY, a int4, b int2, price numeric(12,2), ratio float8, flag bool,
    at timestamptz, token uuid, name text, remark varchar(60))"""

_ROW = """g, (g * 7) % 1000000, (g % 30000)::int2, (g % 100000) / 100.0, g * 1.5, g % 2 = 0,
    '2026-01-01'::timestamptz + g * interval '1 second',
    md5(g::text)::uuid, 'customer ' || lpad(g::text, 8, '0'),
    'a remark of about fifty characters, number ' || lpad(g::text, 8, '0')"""

TOASTED = """
CREATE TABLE toasted (id int8 PRIMARY KEY, n int4, body text);
ALTER TABLE toasted ALTER body SET STORAGE EXTERNAL"""

# As `wide`, with a key whose order only the server knows.
WORDED = (TABLE.replace("TABLE wide", "TABLE worded").replace(" PRIMARY KEY", "")
          .replace("name text", 'name text COLLATE "en-x-icu" PRIMARY KEY'))

BATCH_ROWS = 1000
PGBENCH = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")


def insert(database, first, rows):
    """`rows` inserts in transactions of BATCH_ROWS, by one session of the server itself."""
    _loop(database, first, rows,
          f"INSERT INTO wide SELECT {_ROW} FROM generate_series(from_id, to_id) g")


def insert_at_once(database, rows):
    database.run(f"INSERT INTO wide SELECT {_ROW} FROM generate_series(1, {rows}) g")


def insert_toasted(database, rows):
    """Rows of 16 kB, out of line and not compressed."""
    database.run("INSERT INTO toasted SELECT g, g, repeat(md5(g::text), 512) "
                 f"FROM generate_series(1, {rows}) g")


def update(database, first, rows):
    """Changes eight of the ten columns of existing rows, which stay as long as they are: any number
    of runs may follow."""
    _loop(database, first, rows, """UPDATE wide SET a = a + 1, b = 5, price = price + 1,
        ratio = ratio * 2, flag = NOT flag, at = at + interval '1 day', name = reverse(name),
        remark = reverse(remark) WHERE id BETWEEN from_id AND to_id""")


def _loop(database, first, rows, statement):
    database.run(f"""
        CREATE OR REPLACE PROCEDURE bench_loop(first int8, rows int8) LANGUAGE plpgsql AS $$
        DECLARE from_id int8 := first; to_id int8;
        BEGIN
            WHILE from_id < first + rows LOOP
                to_id := least(from_id + {BATCH_ROWS}, first + rows) - 1;
                {statement};
                COMMIT;
                from_id := to_id + 1;
            END LOOP;
        END $$""")
    database.run("CALL bench_loop(%s, %s)", (first, rows))


def pgbench_tables(server, database, scale=10):
    run_pgbench(server, database, "-i", "-q", "-s", str(scale), "-I", "dtgp")
    database.run("ALTER TABLE pgbench_history REPLICA IDENTITY FULL")


def pgbench(server, database, transactions, clients=2, extra=()):
    """Runs `transactions` of the standard script in all; returns what pgbench printed."""
    return run_pgbench(server, database, "-n", "-c", str(clients), "-j", str(clients),
                    "-t", str(transactions // clients), *extra)


def pgbench_rate(server, database, seconds, rate, clients=2, script=None):
    options = ["-n", "-c", str(clients), "-j", "1", "-T", str(seconds), "-R", str(rate)]
    if script:
        options += ["-f", script]
    return run_pgbench(server, database, *options)


def run_pgbench(server, database, *options):
    done = subprocess.run(
        [server.program("pgbench"), "-h", server.folder, "-p", str(server.port), "-U", "postgres",
         *options, database.name], check=True, capture_output=True, text=True, cwd="/")
    return done.stdout + done.stderr
