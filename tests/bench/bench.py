#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Times cairn against its peers and writes a table, bench.json and a chart.

    bench.py [--size MIB] [--rounds N] [--only WORD] CAIRN MEASURE OUT

Everything is read from the page cache. OUT is a directory; the inputs stay there for the
next run. What is timed is in modules of their own: each has rows(size, cairn, directory).
"""
import argparse
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True

import compare
import examining
import filesystem
import hashing
import images
from chart import chart

MODULES = [hashing, images, filesystem, examining]


def arguments():
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
    return a


def main():
    a = arguments()
    data = os.path.join(a.out, "data-%d" % a.size)
    os.makedirs(data, exist_ok=True)
    rows = [r for m in MODULES for r in m.rows(a.size << 20, a.cairn, data) if a.only in r.name]
    version = subprocess.run([a.cairn, "--version", "--verbose"], check=True,
                             capture_output=True, text=True).stdout.split("\n")
    where = compare.machine()
    print("%s; %s; medians of %d rounds" % (where, version[1], a.rounds))
    results = compare.run(rows, a.rounds, a.measure)
    with open(os.path.join(a.out, "bench.json"), "w") as f:
        json.dump({"SPDX-License-Identifier": "MIT", "machine": where, "version": version[0],
                   "sha256": version[1].split(": ")[1], "rounds": a.rounds,
                   "rows": results}, f, indent=2)
        f.write("\n")
    chart(results, where, os.path.join(a.out, "bench.svg"))


main()
