"""One spelling per value, so that sides with different types can be compared exactly.

The source's side is PostgreSQL's own text under pinned settings. What a target cannot hold apart is
folded here, and only here: -0 and 0 of floating point; the JSON text's white space and key order;
the JSON value null and NULL, which are one in a line of JSON.
"""
import base64
import hashlib
import json
import re

PINNED = ("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; "
          "SET extra_float_digits = 3; SET bytea_output = 'hex'; SET client_encoding = 'UTF8'")

INTEGERS = {"smallint", "integer", "bigint", "oid"}
FLOATS = {"real", "double precision"}
MOMENT = re.compile(r"^(\d+-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00(?::?00)?)?( BC)?$")


def _base(type_name):
    return re.sub(r"\(.*?\)", "", type_name).strip()


def _moment(text):
    match = MOMENT.match(text)
    if not match:
        return text  # infinity, -infinity
    fraction = (match[3] or "").rstrip("0").rstrip(".")
    return f"{match[1]}T{match[2]}{fraction}{'Z' if match[4] else ''}{match[5] or ''}"


def _float(value, single):
    number = float(str(value).replace("Infinity", "inf"))
    if number == 0:
        number = 0.0
    if single and number == number and abs(number) != float("inf"):
        import struct
        number = struct.unpack("f", struct.pack("f", number))[0]
    return repr(number)


def _bytes(value):
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    if value.startswith("\\x"):
        return value[2:]
    return base64.b64decode(value, validate=True).hex()


def _json(value):
    if isinstance(value, (str, bytes)):
        value = json.loads(value, parse_float=str)
    return None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


def canonical(type_name, value):
    """The one spelling of a value from any side: PostgreSQL text, SQLite value, JSON value."""
    if value is None:
        return None
    base = _base(type_name)
    if base in INTEGERS:
        return str(int(value))
    if base in FLOATS:
        return _float(value, base == "real")
    if base == "boolean":
        return "true" if value in (True, 1, "t", "true", "1") else "false"
    if base == "bytea":
        return _bytes(value)
    if base in ("json", "jsonb"):
        return _json(value)
    if base.startswith("timestamp"):
        return _moment(str(value))
    return str(value)


def canonical_embedded(type_name, value):
    """The same for a value out of a parsed line of JSON, where json columns are parsed already."""
    if value is not None and _base(type_name) in ("json", "jsonb"):
        value = json.dumps(value)
    return canonical(type_name, value)


def row_hash(row):
    """64 bits of one row; NULL, the empty string and the borders between columns are told apart."""
    digest = hashlib.blake2b(digest_size=8)
    for value in row:
        if value is None:
            digest.update(b"n")
        else:
            data = value.encode("utf-8", "surrogateescape")
            digest.update(b"v%d:" % len(data) + data)
    return int.from_bytes(digest.digest(), "big")
