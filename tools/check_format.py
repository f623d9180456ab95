#!/usr/bin/python3
"""clang-format has nothing to change. Run it from anywhere; ctest runs it as lint.format.

--fix rewrites the files. Exit status 77 (skipped) where there is no clang-format.
"""
import re
import shutil
import subprocess
import sys

import source_tree

if shutil.which("clang-format") is None:
    print("format: no clang-format here; scripts/setup tools installs it")
    sys.exit(77)

paths = source_tree.files()
if "--fix" in sys.argv:
    subprocess.run(["clang-format", "-i", *paths], cwd=source_tree.ROOT, check=True)
    sys.exit(0)
answer = subprocess.run(["clang-format", "--dry-run", *paths], cwd=source_tree.ROOT,
                        capture_output=True, text=True, check=False)
places = re.findall(r"^(.*?:\d+):\d+: warning: code should be clang-formatted", answer.stderr,
                    re.MULTILINE)
source_tree.finish("format", [f"{place}: tools/check_format.py --fix would change this"
                              for place in places], len(paths))
