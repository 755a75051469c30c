#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Times cairn against its peers, in alternation, and writes a table, JSON and a chart.

    bench.py [--size MIB] [--rounds N] [--only WORD] CAIRN MEASURE OUT

Everything is read from the page cache. Whose turn is first changes each round; what is
compared is the median of the rounds' ratios, so that a machine that gets slower for a while
slows both. OUT is a directory; the inputs stay there for the next run.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys

MIB = 1 << 20
SALT = "e48da609055204e89ae53b655ca2216dd983cf3cb829f34f63a297d106d53e2d"


class Row:
    """One line of the table: commands of ours and the peer's, and the ratio to reach."""

    def __init__(self, name, size, ours, peer=None, target=None, prepare=None):
        self.name, self.size = name, size
        self.ours, self.peer, self.target = ours, peer, target
        self.prepare = prepare or (lambda: None)
        self.samples = {"ours": [], "peer": []}

    def median(self, who, what):
        return statistics.median(s[what] for s in self.samples[who])

    def result(self):
        r = {"name": self.name, "bytes": self.size, "rounds": len(self.samples["ours"]),
             "ours": {k: self.median("ours", k) for k in ("wall", "cpu")},
             "bytesPerSecond": self.size / self.median("ours", "wall"),
             "peakMemory": 1024 * max(s["memory"] for s in self.samples["ours"])}
        if self.peer:
            pairs = list(zip(self.samples["ours"], self.samples["peer"]))
            r["peer"] = {k: self.median("peer", k) for k in ("wall", "cpu")}
            r["peer"]["command"] = self.peer[0] if self.peer[0] != "sh" else "tar | openssl"
            r["ratio"] = statistics.median(a["wall"] / b["wall"] for a, b in pairs)
            r["cpuRatio"] = statistics.median(a["cpu"] / b["cpu"] for a, b in pairs)
            r["target"] = self.target
        return r


def noise(path, size):
    """The same bytes on every run; made once."""
    if os.path.exists(path) and os.path.getsize(path) == size:
        return
    command = ("openssl enc -aes-128-ctr -K 0123456789abcdef0123456789abcdef -iv 0 -nosalt "
               "-in /dev/zero 2>/dev/null | head -c %d >'%s'" % (size, path))
    subprocess.run(["sh", "-c", command], check=True)


def half_zero(path, source, size, sparse):
    """Runs of 1 MiB, every second one zeros: written, or left as holes."""
    if os.path.exists(path) and os.path.getsize(path) == size:
        return
    with open(source, "rb") as f, open(path, "wb") as g:
        for at in range(0, size, 2 * MIB):
            f.seek(at)
            g.write(f.read(MIB))
            if sparse:
                g.seek(MIB, os.SEEK_CUR)
            else:
                g.write(bytes(MIB))
        g.truncate(size)


def tree(path, n_files, size):
    """Many files, as uneven as those of a Debian tree: most small, a few large."""
    if os.path.exists(path):
        return size_of(path)
    r = random.Random(1)
    weights = [r.lognormvariate(8, 2) for _ in range(n_files)]
    scale = size / sum(weights)
    for i, weight in enumerate(weights):
        directory = "%s.new/%03d" % (path, i // 60)
        os.makedirs(directory, exist_ok=True)
        with open("%s/%05d" % (directory, i), "wb") as f:
            f.write(r.randbytes(int(weight * scale)))
    os.rename(path + ".new", path)
    return size_of(path)


def size_of(path):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(path) for f in fs)


def warm(paths):
    for path in paths:
        with open(path, "rb") as f:
            while f.read(4 * MIB):
                pass


def spoil(path, size, total):
    """Damage of TOTAL bytes in blocks of 4096 that share no codeword (core/fec.h)."""
    r = random.Random(2)
    blocks, tree_blocks = size // 4096, size // 4096 // 128 + size // 4096 // 128 // 128 + 2
    rounds = -(-(blocks + tree_blocks) // 253)
    with open(path, "r+b") as f:
        for n in r.sample(range(rounds), min(rounds, total // 4096)):
            f.seek(4096 * n)
            f.write(r.randbytes(4096))


def rows(a, cairn, d):
    size = a.size * MIB
    p = lambda name: os.path.join(d, name)
    noise(p("random"), size)
    half_zero(p("dense"), p("random"), size, False)
    half_zero(p("sparse"), p("random"), size, True)
    noise(p("quarter"), size // 4)
    n_files, tree_size = (7000, 170 * MIB) if size >= 512 * MIB else (700, 17 * MIB)
    tree_size = tree(p("tree"), n_files, tree_size)
    warm(p(n) for n in ("random", "dense", "sparse", "quarter"))

    def fresh(*names):
        def remove():
            for n in names:
                if os.path.exists(p(n)):
                    os.unlink(p(n))
        return remove

    outputs = fresh("ours", "theirs", "ours-fec", "theirs-fec")
    ours = lambda data, *more: [cairn, "verity", "format", p(data), p("ours"), "--quiet",
                                "--salt=" + SALT, *more]
    theirs = lambda data, *more: ["veritysetup", "format", p(data), p("theirs"),
                                  "--salt=" + SALT, *more]
    fresh("check")()
    root = subprocess.run(["veritysetup", "format", p("random"), p("check")], check=True,
                          capture_output=True, text=True).stdout.split("Root hash:")[1].split()[0]
    fresh("repair-hash", "repair-fec", "repaired")()
    if not os.path.exists(p("damaged")) or os.path.getsize(p("damaged")) != size // 4:
        subprocess.run(["cp", p("quarter"), p("damaged")], check=True)
        spoil(p("damaged"), size // 4, MIB)
    subprocess.run([cairn, "verity", "format", p("quarter"), p("repair-hash"), "--quiet",
                    "--fec-device=" + p("repair-fec"), "--root-hash-file=" + p("root")],
                   check=True, stdout=subprocess.DEVNULL)
    return [
        Row("format, random data", size, ours("random"), theirs("random"), 0.20, outputs),
        Row("format, one thread", size, ours("random", "--jobs=1"), theirs("random"), 0.40,
            outputs),
        Row("format, half zeros, dense", size, ours("dense"), theirs("dense"), 0.14, outputs),
        Row("format, half zeros, sparse", size, ours("sparse"), theirs("sparse"), 0.13, outputs),
        Row("verify", size, [cairn, "verity", "verify", p("random"), p("check"), root, "--quiet"],
            ["veritysetup", "verify", p("random"), p("check"), root], 0.20),
        Row("digest, one file", size, [cairn, "digest", p("random")],
            ["fsverity", "digest", p("random")], 0.22),
        Row("digest -r, %d files" % n_files, tree_size, [cairn, "digest", "-r", p("tree")],
            ["sh", "-c", "tar -cf - -C '%s' . | openssl dgst -sha256" % p("tree")], 1.0),
        Row("format with parity, 2 roots", size // 4,
            ours("quarter", "--fec-device=" + p("ours-fec"), "--fec-roots=2"),
            theirs("quarter", "--fec-device=" + p("theirs-fec"), "--fec-roots=2"), 0.20, outputs),
        Row("repair 1 MB of damage", size // 4,
            [cairn, "verity", "repair", p("damaged"), p("repair-hash"), "--quiet", "--force",
             "--fec-device=" + p("repair-fec"), "--root-hash-file=" + p("root"),
             "--output=" + p("repaired")]),
    ]


def measure(program, command):
    r = subprocess.run([program, *command], capture_output=True, text=True)
    if r.returncode:
        sys.exit("bench: failed: %s\n%s" % (" ".join(command), r.stderr))
    return json.loads(r.stdout)


def run(all_rows, rounds, program):
    for row in all_rows:
        for n in range(rounds):
            turn = ["ours", "peer"] if n % 2 == 0 else ["peer", "ours"]
            for who in turn:
                command = row.ours if who == "ours" else row.peer
                if command:
                    row.prepare()
                    row.samples[who].append(measure(program, command))
        print(line(row.result()), flush=True)


def line(r):
    peer = r.get("peer")
    text = "%-28s %6.0f MiB %7.3f s %5.2f GB/s %6.2f cpu %5.1f MB" % (
        r["name"], r["bytes"] / MIB, r["ours"]["wall"], r["bytesPerSecond"] / 1e9,
        r["ours"]["cpu"], r["peakMemory"] / 1e6)
    if peer:
        text += "   %7.3f s %-13s %5.3f of %.2f %s" % (
            peer["wall"], peer["command"], r["ratio"], r["target"],
            "" if r["ratio"] <= r["target"] else " MISSED")
    return text


def machine():
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if "model name" in l),
               os.uname().machine)
    return "%s, %d processors, Linux %s" % (cpu, len(os.sched_getaffinity(0)),
                                            os.uname().release.split("-")[0])


def chart(results, where, path):
    """Horizontal bars: our time as a part of the peer's, with a mark at what was to reach."""
    shown = [r for r in results if "ratio" in r]
    top, step, left, width = 64, 30, 230, 420
    height = top + step * len(shown) + 40
    out = ['<!-- SPDX-License-Identifier: MIT -->',
           '<svg xmlns="http://www.w3.org/2000/svg" width="830" height="%d" '
           'font-family="sans-serif" font-size="13">' % height,
           '<rect width="830" height="%d" fill="#ffffff"/>' % height,
           '<text x="16" y="26" font-size="16" font-weight="bold">Time, as a part of the '
           'peer\'s (shorter is better)</text>',
           '<text x="16" y="46" fill="#666666">%s</text>' % where.replace("&", "&amp;")]
    for i, r in enumerate(shown):
        y = top + step * i
        length = max(2, min(1.1, r["ratio"]) * width)
        target = left + r["target"] * width
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (
            left - 10, y + 15, r["name"]))
        out.append('<rect x="%d" y="%d" width="%d" height="18" fill="#eeeeee"/>' % (
            left, y + 1, width))
        out.append('<rect x="%d" y="%d" width="%.1f" height="18" fill="%s"/>' % (
            left, y + 1, length, "#2a7f62" if r["ratio"] <= r["target"] else "#c0392b"))
        out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#222222" '
                   'stroke-width="2"/>' % (target, target, y - 1, y + 21))
        out.append('<text x="%d" y="%d">%.2f %s</text>' % (
            left + width + 8, y + 15, r["ratio"], "× " + r["peer"]["command"]))
    out.append('<text x="%d" y="%d" fill="#666666">grey: the peer; line: what was to be '
               'reached</text>' % (left, height - 12))
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=2048, help="MiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument("cairn")
    parser.add_argument("measure")
    parser.add_argument("out")
    a = parser.parse_args()
    if a.size < 16 or a.size % 8 or a.rounds < 1:
        parser.error("--size: a multiple of 8, at least 16; --rounds: at least 1")
    data = os.path.join(a.out, "data-%d" % a.size)
    os.makedirs(data, exist_ok=True)
    chosen = [r for r in rows(a, a.cairn, data) if a.only in r.name]
    version = subprocess.run([a.cairn, "--version", "--verbose"], check=True,
                             capture_output=True, text=True).stdout.split("\n")
    where = machine()
    print("%s; %s; medians of %d rounds" % (where, version[1], a.rounds))
    print("%-28s %10s %9s %10s %10s %8s   %9s %-13s %s" % (
        "work", "size", "ours", "", "", "peak", "peer", "", "ratio"))
    run(chosen, a.rounds, a.measure)
    results = [r.result() for r in chosen]
    with open(os.path.join(a.out, "bench.json"), "w") as f:
        json.dump({"SPDX-License-Identifier": "MIT", "machine": where, "version": version[0],
                   "sha256": version[1].split(": ")[1], "rounds": a.rounds,
                   "rows": results}, f, indent=2)
        f.write("\n")
    chart(results, where, os.path.join(a.out, "bench.svg"))


main()
