#!/usr/bin/python3
"""Every header of include/ compiles alone; those that a server process shares also without
exceptions and RTTI. Run it from anywhere; ctest runs it as lint.headers. $CXX names the compiler.
"""
import os
import subprocess

import source_tree

CXX = os.environ.get("CXX", "g++")
SHARED_WITH_THE_SERVER = ("include/fanout/base/", "include/fanout/wire/", "include/fanout/ring/")


def compile_alone(path):
    flags = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Iinclude"]
    if path.startswith(SHARED_WITH_THE_SERVER):
        flags += ["-fno-exceptions", "-fno-rtti"]
    name = path.removeprefix("include/")
    answer = subprocess.run([CXX, *flags, "-x", "c++", "-"], input=f'#include "{name}"\n',
                            cwd=source_tree.ROOT, capture_output=True, text=True, check=False)
    return answer.returncode, answer.stderr


def main():
    complaints = []
    paths = [p for p in source_tree.files() if p.startswith("include/")]
    for path in paths:
        status, output = compile_alone(path)
        if status:
            complaints.append(f"{path} does not compile alone:\n{output}")
    source_tree.finish("headers", complaints, len(paths))


main()
