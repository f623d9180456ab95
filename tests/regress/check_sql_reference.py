#!/usr/bin/python3
"""docs/sql-reference.md says what the catalog says.

    check_sql_reference.py             compare
    check_sql_reference.py --accept    write the page anew
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from fanout_test import places  # noqa: E402
from fanout_test.postgres import Postgres  # noqa: E402


def main():
    server = Postgres(places.scratch()).start()
    database = server.create_database("reference")
    database.run("CREATE EXTENSION pg_fanout")
    database.close()
    check = [] if "--accept" in sys.argv else ["--check"]
    done = subprocess.run([os.path.join(places.ROOT, "tools", "gen_sql_reference"), *check, database.dsn()],
                          env={**os.environ, "PSQL": os.path.join(places.postgres_bin(), "psql")}, check=False)
    server.stop("immediate")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
