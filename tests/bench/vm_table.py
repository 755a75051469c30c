# SPDX-License-Identifier: MIT
"""vm_table.py LINES MKOSI QEMU JSON TEXT: what the parts of `make bench-vm` measured as JSON,
and as a table, printed and put into TEXT between its markers."""
import json
import os
import statistics
import sys

sys.dont_write_bytecode = True

import compare

BEGIN, END = "<!-- bench-vm begin -->\n", "<!-- bench-vm end -->\n"


def read(path):
    """All numbers of each kind: {(who, what): [[number, ...], ...]}."""
    found = {}
    for line in open(path):
        who, what, *numbers = line.split()
        if what == "failed":
            sys.exit("bench-vm: " + line.strip())
        found.setdefault((who, what), []).append([int(n) for n in numbers])
    return found


class Table:
    def __init__(self, found):
        self.found = found
        self.rows = []

    def one(self, who, what):
        """A number that does not vary, or is the largest seen."""
        return max(n[0] for n in self.found[who, what])

    def add(self, name, target, unit, ours, peer, text, **more):
        self.rows.append({"name": name, "target": target, "unit": unit, "ours": ours, "peer": peer,
                          "ratio": ours / peer if peer else None, **more, "text": text})

    def bytes(self, name, target, ours, peer):
        ratio = "1/%.0f" % (peer / ours) if ours and peer else "–"
        self.add(name, target, "bytes", ours, peer, ("%s bytes" % format(ours, ","),
                                            "%s bytes" % format(peer, ","), ratio))

    def times(self, name, target, what, unit):
        """Medians; UNIT is how many there are to a second."""
        all_of = {who: [n[0] / unit for n in self.found[who, what]] for who in ("ours", "peer")}
        ours, peer = (statistics.median(all_of[who]) for who in ("ours", "peer"))
        ratios = [a / b for a, b in zip(all_of["ours"], all_of["peer"])]
        self.add(name, target, "seconds", ours, peer,
                 ("%.2f s" % ours, "%.2f s" % peer, "%.3f" % (ours / peer)),
                 seconds=all_of, largestRatio=max(ratios))

    def opens(self, name, target):
        count = {who: [sum(n) for n in zip(*self.found[who, "readers"])]
                 for who in ("ours", "peer")}
        text = ["%s of %s" % (format(c[2], ","), format(c[0], ",")) for c in
                (count["ours"], count["peer"])]
        names = ("opens", "runs", "failed", "mixed")
        self.add(name, target, "opens", count["ours"][2], count["peer"][2], (*text, "–"),
                 counts={who: dict(zip(names, count[who])) for who in count})


def measure(found):
    t = Table(found)
    peer = t.one("peer", "size")
    t.bytes("initrd file, `--drivers=virtio`", "1/25", t.one("ours", "size-virtio"), peer)
    t.bytes("initrd file, `--drivers=generic`", "1/25", t.one("ours", "size-generic"), peer)
    t.times("from the kernel's start of init to the real init", "0.10", "took", 1e6)
    before = [t.one(who, "unpacked-contents") - t.one("probe", "unpacked-contents")
              for who in ("ours", "peer")]
    t.bytes("memory that the initrd's contents take, unpacked", "5 MB", *before)
    t.bytes("the same when the real init runs", "0",
            *(t.one(who, "contents") for who in ("ours", "peer")))
    t.times("`refresh`, one changed extension of four", "0.5", "refresh", 1e6)
    t.opens("opens that fail during refreshes under four readers", "0")
    return t.rows


def table(rows):
    yield "| | Cairn | peer | ratio | to reach |\n| --- | --- | --- | --- | --- |\n"
    for row in rows:
        yield "| %s | %s | %s | %s | %s |\n" % (row["name"], *row.pop("text"), row["target"])


def main():
    lines, mkosi, qemu, out, text = sys.argv[1:]
    found = read(lines)
    rows = measure(found)
    rounds = len(found["ours", "took"])
    where = "%s; QEMU %s, emulated" % (compare.machine(), qemu)
    said = "%s; medians of %d rounds; the peers: %s, systemd-sysext 257.\n\n%s" % (
        where, rounds, mkosi, "".join(table(rows)))
    print(said)
    with open(out, "w") as f:
        json.dump({"SPDX-License-Identifier": "MIT", "machine": where, "peer": mkosi,
                   "rounds": rounds, "rows": rows}, f, indent=2)
        f.write("\n")
    page = open(text).read()
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    with open(text + ".new", "w") as f:
        f.write(head + BEGIN + said + END + tail)
    os.rename(text + ".new", text)


main()
