# SPDX-License-Identifier: MIT
"""Rows of the table: ours and the peer in alternation, and the medians of the rounds.

Whose turn is first changes each round; what is compared is the median of the rounds' ratios,
so that a machine that gets slower for a while slows both.
"""
import json
import os
import statistics
import subprocess
import sys

MIB = 1 << 20
MEMORY_LIMIT = 24 * 1000 * 1000


class Row:
    """One line of the table: commands of ours and the peer's, and the ratio to reach.

    `size` is what the work is about, in bytes; commands are lists of words; `prepare` is
    called before each of them and not timed; `memory` limits ours, in bytes (None: not).
    """

    def __init__(self, name, size, ours, peer=None, target=None, prepare=None,
                 memory=MEMORY_LIMIT):
        self.name, self.size = name, size
        self.ours, self.peer, self.target = ours, peer, target
        self.prepare = prepare or (lambda: None)
        self.memory = memory
        self.samples = {"ours": [], "peer": []}

    def after(self, who, sample):
        """Called with each sample, which it may add to."""

    def finish(self):
        """Called after the last round."""

    def peer_name(self):
        """A pipeline is named by its programs."""
        if self.peer[0] != "sh":
            return os.path.basename(self.peer[0])
        return " | ".join(part.split()[0] for part in self.peer[-1].split("|"))

    def medians(self, who):
        m = {k: statistics.median(s[k] for s in self.samples[who])
             for k in ("wall", "user", "system")}
        m["cpu"] = statistics.median(s["user"] + s["system"] for s in self.samples[who])
        m["peakMemory"] = 1024 * max(s["memory"] for s in self.samples[who])
        return m

    def result(self):
        ours = self.medians("ours")
        r = {"name": self.name, "bytes": self.size, "rounds": len(self.samples["ours"]),
             "ours": ours, "bytesPerSecond": self.size / ours["wall"],
             "peakMemory": ours["peakMemory"], "memoryLimit": self.memory}
        if self.peer:
            pairs = list(zip(self.samples["ours"], self.samples["peer"]))
            cpu = lambda s: s["user"] + s["system"]
            r["peer"] = dict(self.medians("peer"), command=self.peer_name())
            r["ratio"] = statistics.median(a["wall"] / b["wall"] for a, b in pairs)
            r["cpuRatio"] = statistics.median(cpu(a) / cpu(b) for a, b in pairs)
            r["target"] = self.target
        return r


def measure(program, command):
    r = subprocess.run([program, *command], capture_output=True, text=True)
    if r.returncode:
        sys.exit("bench: failed: %s\n%s" % (" ".join(command), r.stderr))
    return json.loads(r.stdout)


def run(rows, rounds, program):
    """Times all rows with the program MEASURE, printing a line after each; the results."""
    print("%-28s %10s %9s %10s %10s %8s   %9s %-13s %s" % (
        "work", "size", "ours", "", "", "peak", "peer", "", "ratio"))
    results = []
    for row in rows:
        for n in range(rounds):
            turn = ["ours", "peer"] if n % 2 == 0 else ["peer", "ours"]
            for who in turn:
                command = row.ours if who == "ours" else row.peer
                if command:
                    row.prepare()
                    sample = measure(program, command)
                    row.after(who, sample)
                    row.samples[who].append(sample)
        row.finish()
        results.append(row.result())
        print(line(results[-1]), flush=True)
    return results


def line(r):
    peer, limit = r.get("peer"), r["memoryLimit"]
    text = "%-28s %6.0f MiB %7.3f s %5.2f GB/s %6.2f cpu %5.1f MB%s" % (
        r["name"], r["bytes"] / MIB, r["ours"]["wall"], r["bytesPerSecond"] / 1e9,
        r["ours"]["cpu"], r["peakMemory"] / 1e6,
        " TOO MUCH" if limit and r["peakMemory"] > limit else "")
    if "secondsLimit" in r:
        text += "   of %.1f s%s" % (r["secondsLimit"],
                                    "" if r["ours"]["wall"] <= r["secondsLimit"] else " MISSED")
    if not peer:
        return text
    text += "   %7.3f s %-13s %5.3f" % (peer["wall"], peer["command"], r["ratio"])
    if r["target"] is not None:
        text += " of %.2f%s" % (r["target"], "" if r["ratio"] <= r["target"] else " MISSED")
    return text


def machine():
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if "model name" in l),
               os.uname().machine)
    return "%s, %d processors, Linux %s" % (cpu, len(os.sched_getaffinity(0)),
                                            os.uname().release.split("-")[0])
