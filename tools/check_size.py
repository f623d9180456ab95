#!/usr/bin/python3
"""The house numbers: how long a file and a function may be, how many units a folder may hold.

Run it from anywhere; ctest runs it as lint.size. --report prints the distribution and the longest.
A limit is waived by a line in WAIVERS with its reason, never by raising the limit.
"""
import ast
import os
import re
import statistics
import sys

import source_tree

FILE_LINES_MAX = 600
TEST_FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70
PUBLIC_HEADER_LINES_MAX = 250
MAIN_LINES_MAX = 60
FOLDER_UNITS_MAX = 12

# path, or path:function → reason
WAIVERS = {
    "include/fanout/connector/abi.h":
        "one idea, and a third of it is prose: an ABI in two files can be half updated",
    "sidecar/journal":
        "whole_record.cpp is a part of the reader: it alone owns a file, and nobody else uses it",
    "sidecar/lane":
        "delivery_copies.cpp and delivery_letters.cpp are parts of the class Delivery, not units",
}

COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
NOT_A_FUNCTION = re.compile(
    r"^\s*(?:template\s*<.*>\s*)?(?:namespace|class|struct|union|enum|extern|typedef)\b|=\s*$")
NAME = re.compile(r"([~\w:]+)\s*\(")


def is_test(path):
    return path.startswith(("tests/", "bench/")) or "/tests/" in path


def without_comments(text):
    """Same line numbers, but no comment, string or preprocessor line that could hold a brace."""
    def blank(match):
        piece = match.group(0)
        return "\n" * piece.count("\n") if piece[0] == "/" else '""' + "\n" * piece.count("\n")
    text = COMMENT_OR_LITERAL.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group(0).count("\n"), text,
                  flags=re.MULTILINE)


def cpp_functions(text):
    """(name, first line, lines) of every function body that is not inside another function."""
    found, stack, head, line = [], [], "", 1
    for char in without_comments(text):
        if char == "\n":
            line += 1
        if char == "{":
            in_function = any(kind == "function" for kind, _, _ in stack)
            named = NAME.search(head)
            if not in_function and named and not NOT_A_FUNCTION.search(head):
                stack.append(("function", named.group(1), line))
            else:
                stack.append(("block", "", line))
            head = ""
        elif char == "}":
            if stack:
                kind, name, start = stack.pop()
                if kind == "function":
                    found.append((name, start, line - start + 1))
            head = ""
        elif char == ";":
            head = ""
        else:
            head += char
    return found


def python_functions(text):
    return [(node.name, node.lineno, node.end_lineno - node.lineno + 1)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def file_limit(path):
    if path == "sidecar/main.cpp":
        return MAIN_LINES_MAX
    if path.startswith("include/"):
        return PUBLIC_HEADER_LINES_MAX
    return TEST_FILE_LINES_MAX if is_test(path) else FILE_LINES_MAX


def folder_units(paths):
    units = {}
    for path in paths:
        if path.endswith((".cpp", ".hpp")) and not is_test(path):
            folder, name = os.path.split(path)
            units.setdefault(folder, set()).add(name.rsplit(".", 1)[0])
    return units


def report(sizes, functions):
    for title, values in (("file", sizes), ("function", functions)):
        lengths = sorted(n for n, _ in values)
        if lengths:
            print(f"{title:8} {len(lengths):5}   median {statistics.median(lengths):5.0f}   p90 "
                  f"{lengths[int(len(lengths) * 0.9)]:4}   max {lengths[-1]:4}")
            for lines, name in sorted(values, reverse=True)[:8]:
                print(f"    {lines:5} {name}")


def main():
    complaints, used, sizes, functions = [], set(), [], []

    def limit(key, lines, most, what):
        if lines <= most:
            return
        if key in WAIVERS:
            used.add(key)
        else:
            complaints.append(f"{key}: {what} {lines}, the limit is {most}")

    paths = source_tree.files(source_tree.CPP + source_tree.SCRIPTS) + source_tree.commands()
    for path in paths:
        text = source_tree.read(path)
        lines = text.count("\n")
        if not is_test(path):
            sizes.append((lines, path))
        limit(path, lines, file_limit(path), "lines:")
        python = path.endswith(".py") or text.startswith("#!/usr/bin/python3")
        if python or path.endswith(source_tree.CPP):
            for name, start, length in (python_functions if python else cpp_functions)(text):
                if not is_test(path):
                    functions.append((length, f"{path}:{name}"))
                limit(f"{path}:{name}", length, FUNCTION_LINES_MAX, f"(line {start}) lines:")
    for folder, units in folder_units(paths).items():
        limit(folder, len(units), FOLDER_UNITS_MAX, "source units in the folder:")
    complaints += source_tree.stale(WAIVERS, used, "tools/check_size.py")
    if "--report" in sys.argv:
        report(sizes, functions)
    source_tree.finish("size", complaints, len(paths))


main()
