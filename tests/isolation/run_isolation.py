#!/usr/bin/python3
"""Runs one spec of tests/isolation/specs with pg_isolation_regress on a server of its own.

    run_isolation.py <name>            compare with expected/<name>.out
    run_isolation.py <name> --accept   and take the result over as the new expected output
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))

from fanout_test import places  # noqa: E402
from fanout_test.postgres import Postgres  # noqa: E402

PROGRAM = "/usr/lib/postgresql/15/lib/pgxs/src/test/isolation/pg_isolation_regress"


def run(name, accept):
    output = os.path.join(places.BUILD, "isolation", name)
    shutil.rmtree(output, ignore_errors=True)
    os.makedirs(output)
    server = Postgres(places.scratch()).start()
    database = server.create_database("isolation")
    database.run("CREATE EXTENSION pg_fanout")
    database.close()
    done = subprocess.run(
        [PROGRAM, "--use-existing", f"--bindir={places.postgres_bin()}", f"--host={server.folder}",
         f"--port={server.port}", "--user=postgres", "--dbname=isolation", f"--inputdir={HERE}",
         f"--outputdir={output}", name],
        env={**os.environ, "PATH": places.postgres_bin() + ":" + os.environ["PATH"]}, check=False)
    results = [os.path.join(output, folder, f"{name}.out")
               for folder in ("results", os.path.join("output_iso", "results"))]
    result = next((path for path in results if os.path.exists(path)), None)
    if accept and result:
        shutil.copyfile(result, os.path.join(HERE, "expected", f"{name}.out"))
    if done.returncode and not accept:
        for folder, _, files in os.walk(output):
            if "regression.diffs" in files:
                with open(os.path.join(folder, "regression.diffs"), encoding="utf-8") as file:
                    print(file.read())
        print(server.process.log_tail())
    server.stop("immediate")
    return 0 if accept else done.returncode


if __name__ == "__main__":
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    if len(names) != 1:
        sys.exit(__doc__)
    sys.exit(run(names[0], "--accept" in sys.argv))
