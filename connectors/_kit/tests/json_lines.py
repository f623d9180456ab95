"""State of a JSON-lines target: the rows and messages its lines leave, as tests/contract expects.

Used by contract_target of the connectors that write such lines. Complains about any line that does
not follow from those before it: positions that do not grow, a row inserted twice, an unknown row.
"""
import json


def row_text(table, row):
    return table + " " + json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Lines:
    def __init__(self, at_least_once=False):
        self.at_least_once = at_least_once
        self.seen = {}
        self.last = (0, -1)
        self.keyed = {}    # (table, key text) -> row
        self.keyless = {}  # table -> list of rows
        self.messages = []

    def feed(self, text):
        for line in text.splitlines():
            self.line(line)
        return self

    def line(self, line):
        change = json.loads(line)
        high, low = change["lsn"].split("/")
        position = ((int(high, 16) << 32) + int(low, 16), change["index"])
        name = (position, change.get("schema"), change.get("table"))
        if name in self.seen and self.at_least_once:
            assert self.seen[name] == line, "repeated differently: " + line
            return
        assert name not in self.seen, "twice: " + line
        assert position >= self.last, "out of order: " + line
        self.seen[name] = line
        self.last = position
        getattr(self, change["op"])(change)

    def insert(self, change):
        table = change["schema"] + "." + change["table"]
        if change["key"] is None:
            self.keyless.setdefault(table, []).append(change["after"])
            return
        place = (table, row_text("", change["key"]))
        assert place not in self.keyed, "inserted twice: %r" % change
        self.keyed[place] = change["after"]

    def update(self, change):
        table = change["schema"] + "." + change["table"]
        if change["key"] is None:
            rows = self.keyless[table]
            rows[rows.index(change["before"])] = change["after"]
            return
        old_key = change["before"] if change["before"] is not None else change["key"]
        row = self.keyed.pop((table, row_text("", old_key)))
        assert sorted(change["unchanged"]) == sorted(set(row) - set(change["after"]))
        row.update(change["after"])
        self.keyed[(table, row_text("", change["key"]))] = row

    def delete(self, change):
        table = change["schema"] + "." + change["table"]
        if change["key"] is None:
            self.keyless[table].remove(change["before"])
        else:
            del self.keyed[(table, row_text("", change["key"]))]

    def truncate(self, change):
        table = change["schema"] + "." + change["table"]
        self.keyless.pop(table, None)
        for place in [place for place in self.keyed if place[0] == table]:
            del self.keyed[place]

    def message(self, change):
        self.messages.append(row_text("message", [change["prefix"], change["content"]]))

    def content(self):
        lines = [row_text(place[0], row) for place, row in self.keyed.items()]
        for table, rows in self.keyless.items():
            lines += [row_text(table, row) for row in rows]
        return lines + self.messages
