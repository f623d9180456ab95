#!/usr/bin/python3
"""Who may include whom. Reads every #include of the repository and compares it with RULES.

CMake's targets guard the same borders, but only this sees a relative path that climbs over them.
Run it from anywhere; ctest runs it as lint.layers. The first rule whose prefix matches counts.
"""
import os
import re

import source_tree

BASE, WIRE, RING, CONNECTOR = ("include/fanout/" + part + "/"
                               for part in ("base", "wire", "ring", "connector"))
ANYTHING = ("",)

# (files that start with this, what they may include besides the files of their own folder)
RULES = [
    ("include/fanout/base/", ()),
    ("include/fanout/wire/", (BASE,)),
    ("include/fanout/ring/", (BASE,)),
    ("include/fanout/connector/", (BASE,)),
    ("pg_extension/", (BASE, WIRE, RING, "pg_extension/")),
    ("sidecar/drain/", (BASE, WIRE, RING, CONNECTOR, "sidecar/")),
    ("sidecar/journal/", (BASE, WIRE, "sidecar/")),
    ("sidecar/", (BASE, CONNECTOR, "sidecar/")),
    ("fanoutctl/", (BASE,)),
    ("connectors/_kit/", (BASE, CONNECTOR)),
    ("connectors/", (BASE, CONNECTOR, "connectors/_kit/")),
    ("tests/", ANYTHING),
    ("bench/", ANYTHING),
]

# After the lane's decoder there are no offsets any more: a change of the format must not reach
# further than these files.
WAIVERS = {
    ("sidecar/lane/table_cache.", WIRE): "relation records become the tables a connector sees",
    ("sidecar/lane/row_decoder.", WIRE): "row records become the changes a connector sees",
    ("sidecar/backfill/key_order.", "connectors/_kit/"): "a stored key becomes a literal of SQL",
}

# Only this file may see the server's headers, so that every version difference has one home.
SERVER_HEADERS_HOME = "pg_extension/pg.hpp"
SERVER_HEADER = re.compile(
    r"^(postgres|fmgr|funcapi|miscadmin|pgstat|varatt|pg_config(_manual)?|c)\.h$"
    r"|^(access|catalog|commands|executor|nodes|optimizer|parser|portability|postmaster|regex"
    r"|replication|rewrite|storage|tcop|utils|mb|lib|common|port|libpq/(auth|hba|libpq|pqcomm))"
    r"/[\w/]+\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SEARCH = ("", "include", "sidecar", "connectors", "pg_extension", "tests")


def is_test(path):
    return path.startswith(("tests/", "bench/")) or "/tests/" in path or "/bench/" in path


def resolve(includer, name):
    """The repository file an #include means, or None for a header from elsewhere."""
    own = os.path.dirname(includer)
    for folder in (own,) + SEARCH:
        path = os.path.normpath(os.path.join(folder, name))
        if not path.startswith("..") and os.path.isfile(os.path.join(source_tree.ROOT, path)):
            return path
    return None


def connector_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) + "/" if parts[0] == "connectors" else None


def allowed(includer, included):
    if is_test(includer):
        return True
    if is_test(included):
        return False
    own = connector_of(includer) or os.path.dirname(includer) + "/"
    if included.startswith(own):
        return True
    if included.startswith("sidecar/app/") and includer != "sidecar/main.cpp":
        return False
    for prefix, targets in RULES:
        if includer.startswith(prefix):
            return any(included.startswith(target) for target in targets)
    return False


def main():
    complaints, used = [], set()
    paths = source_tree.files()
    for path in paths:
        text = source_tree.read(path)
        for match in INCLUDE.finditer(text):
            name = match.group(2)
            line = text.count("\n", 0, match.start(2)) + 1
            included = resolve(path, name)
            if included is None:
                if (SERVER_HEADER.match(name) and path != SERVER_HEADERS_HOME
                        and not is_test(path)):
                    complaints.append(f"{path}:{line}: the server's header {name} may only be "
                                      f"included by {SERVER_HEADERS_HOME}")
                continue
            if allowed(path, included):
                continue
            waiver = next((w for w in WAIVERS
                           if path.startswith(w[0]) and included.startswith(w[1])), None)
            if waiver:
                used.add(waiver)
            else:
                complaints.append(f"{path}:{line}: may not include {included} "
                                  "(who may include whom: RULES in tools/check_layers.py)")
    complaints += source_tree.stale(WAIVERS, used, "tools/check_layers.py")
    source_tree.finish("layers", complaints, len(paths))


main()
