#!/usr/bin/python3
"""Runs one test of sql/ with pg_regress on a server of its own.

    run_regress.py <name>            compare with expected/<name>.out
    run_regress.py <name> --accept   and take the result over as the new expected output

The extension is created first, unless the test creates it itself. tests/regress/<name>.conf, where
it exists, holds server settings. Prints the diff and the server's complaints on failure.
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

from fanout_test import places  # noqa: E402
from fanout_test.postgres import Postgres  # noqa: E402


def pg_regress_program():
    pgxs = subprocess.run([os.path.join(places.postgres_bin(), "pg_config"), "--pgxs"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    found = os.path.join(os.path.dirname(pgxs), "..", "test", "regress", "pg_regress")
    for path in (found, "/usr/lib/postgresql/15/lib/pgxs/src/test/regress/pg_regress"):
        if os.path.exists(path):
            return path
    sys.exit("no pg_regress: scripts/setup core installs postgresql-server-dev-15")


def settings_of(name):
    path = os.path.join(HERE, f"{name}.conf")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        lines = [line.split("#")[0].strip() for line in file]
    return dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines if line)


def run(name, accept):
    with open(os.path.join(places.ROOT, "sql", f"{name}.sql"), encoding="utf-8") as file:
        creates_it = re.search(r"create\s+extension.*pg_fanout", file.read(), re.IGNORECASE)
    output = os.path.join(places.BUILD, "regress", name)
    shutil.rmtree(output, ignore_errors=True)
    os.makedirs(output)
    server = Postgres(places.scratch(), settings=settings_of(name)).start()
    database = server.create_database("regression")
    if not creates_it:
        database.run("CREATE EXTENSION pg_fanout")
    database.close()
    done = subprocess.run(
        [pg_regress_program(), "--use-existing", f"--bindir={places.postgres_bin()}",
         f"--host={server.folder}", f"--port={server.port}", "--user=postgres",
         "--dbname=regression", f"--inputdir={places.ROOT}", f"--outputdir={output}", name],
        env={**os.environ, "PATH": places.postgres_bin() + ":" + os.environ["PATH"]}, check=False)
    result = os.path.join(output, "results", f"{name}.out")
    if accept and os.path.exists(result):
        shutil.copyfile(result, os.path.join(places.ROOT, "expected", f"{name}.out"))
    if done.returncode and not accept:
        diffs = os.path.join(output, "regression.diffs")
        if os.path.exists(diffs):
            with open(diffs, encoding="utf-8", errors="replace") as file:
                print(file.read())
        print(server.process.log_tail())
    server.stop("immediate")
    return 0 if accept else done.returncode


if __name__ == "__main__":
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    if len(names) != 1:
        sys.exit(__doc__)
    sys.exit(run(names[0], "--accept" in sys.argv))
