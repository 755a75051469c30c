# SPDX-License-Identifier: MIT
"""vm_table.py LINES JSON: prints what the guest of tests/bench/vm measured, and keeps it."""
import json
import statistics
import sys


def main():
    times = {"ours": [], "peer": []}
    readers = {"ours": [0] * 4, "peer": [0] * 4}
    for line in open(sys.argv[1]):
        who, *what = line.split()
        if who == "end":
            break
        if what[0] == "refresh":
            times[who].append(int(what[1]) / 1000)
        elif what[0] == "readers":
            readers[who] = [a + int(b) for a, b in zip(readers[who], what[1:])]
        else:
            sys.exit("bench-vm: " + line.strip())
    result = {"refresh": {}, "readers": {}}
    for who in times:
        result["refresh"][who] = {"count": len(times[who]),
                                  "medianMilliseconds": statistics.median(times[who])}
        result["readers"][who] = dict(zip(("opens", "runs", "failed", "mixed"), readers[who]))
    a, b = (result["refresh"][w]["medianMilliseconds"] for w in ("ours", "peer"))
    result["refresh"]["ratio"] = a / b
    print("refresh, one of four changed   ours %.0f ms, systemd-sysext %.0f ms: %.2f" % (a, b, a / b))
    for who, name in (("ours", "cairn"), ("peer", "systemd-sysext")):
        opens, runs, failed, mixed = readers[who]
        print("%-14s refreshed under four readers: %d opens, %d runs, %d failed, %d mixed"
              % (name, opens, runs, failed, mixed))
    with open(sys.argv[2], "w") as f:
        json.dump(result, f, indent=2)
        f.write("\n")


main()
