"""Builds tables from the file connector's JSON lines, and checks the file itself on the way.

Positions must rise strictly (nothing doubled), transactions must be contiguous, every update and
delete must find exactly its row (nothing lost), and `checkpoint` can look at every commit. A line
that says it is lenient (its table is copied meanwhile) may find a row, or none.
"""
import json
from collections import Counter


class ReplayError(AssertionError):
    pass


def _hashable(value):
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else value


class Replay:
    def __init__(self, path, on_commit=None):
        self.path = path
        self.on_commit = on_commit
        self.tables = {}  # (schema, table) → {key: row} or, without a key, a list of rows
        self.rows = self.transactions = 0
        self.operations = Counter()
        self._last = (-1, -1)
        self._run()

    def table(self, schema, name):
        return self.tables.get((schema, name), {})

    def _run(self):
        with open(self.path, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                try:
                    if not line.endswith("\n"):
                        raise ReplayError("the last line is torn")
                    self._line(json.loads(line, parse_float=str))
                except (ReplayError, ValueError, KeyError) as error:
                    raise ReplayError(f"{self.path}:{number}: {error!r}\n{line[:400]}") from error
        if self.rows and self.on_commit:
            self.on_commit(self)

    def _line(self, event):
        high, low = event["lsn"].split("/")
        position = (int(high, 16) << 32 | int(low, 16), event["index"])
        if position <= self._last:
            raise ReplayError(f"position {position} after {self._last}: a change came twice")
        if position[0] != self._last[0]:
            if self._last[0] >= 0 and self.on_commit:
                self.on_commit(self)
            self.transactions += 1
        self._last = position
        self.rows += 1
        self.operations[event["op"]] += 1
        if event["op"] != "message":
            getattr(self, "_" + event["op"])(event, (event["schema"], event["table"]))

    @staticmethod
    def _key(values):
        return tuple(sorted((name, _hashable(value)) for name, value in values.items()))

    def _find(self, rows, event):
        """The key under which the row is now; None if it is not there and need not be."""
        before = event.get("before")
        wanted = self._key(before if before is not None and not event.get("key") else
                           {name: (before or {}).get(name, event["key"][name])
                            for name in event["key"]})
        if wanted not in rows and event.get("lenient"):
            return None
        if wanted not in rows:
            raise ReplayError(f"{event['op']} of a row that is not there: {wanted}")
        return wanted

    def _insert(self, event, table):
        rows = self.tables.setdefault(table, {})
        key = self._key(event["key"] or event["after"])
        if key in rows and not event.get("lenient"):
            raise ReplayError(f"insert of a row that is there already: {key}")
        if event["unchanged"]:
            raise ReplayError("an insert has no unchanged columns")
        rows[key] = event["after"]

    _read = _insert  # a copied row

    def _update(self, event, table):
        rows = self.tables.setdefault(table, {})
        old = rows.pop(self._find(rows, event), {})
        new = dict(event["after"])
        for column in event["unchanged"]:
            new[column] = old.get(column)  # if it was not there it is read yet
        key = self._key({name: new[name] for name in event["key"]} if event["key"] else new)
        if key in rows and not event.get("lenient"):
            raise ReplayError(f"update to a key that is there already: {key}")
        rows[key] = new

    def _delete(self, event, table):
        rows = self.tables.setdefault(table, {})
        rows.pop(self._find(rows, event), None)

    def _truncate(self, event, table):
        self.tables[table] = {}
