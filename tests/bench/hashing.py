# SPDX-License-Identifier: MIT
"""Merkle trees, verification, repair and digests, beside veritysetup and fsverity."""
import os
import subprocess

from compare import Row
from inputs import MIB, half_zero, have, noise, remover, spoil, tree, warm

SALT = "e48da609055204e89ae53b655ca2216dd983cf3cb829f34f63a297d106d53e2d"


def rows(size, cairn, directory):
    """Rows over files of SIZE bytes, which are made in DIRECTORY if they are not there."""
    p = lambda name: os.path.join(directory, name)
    noise(p("random"), size)
    half_zero(p("dense"), p("random"), size, False)
    half_zero(p("sparse"), p("random"), size, True)
    n_files, tree_size = (7000, 170 * MIB) if size >= 512 * MIB else (700, 17 * MIB)
    tree_size = tree(p("tree"), n_files, tree_size)
    warm(p("random"), p("dense"), p("sparse"))

    remover(p("check"))()
    root = subprocess.run(["veritysetup", "format", p("random"), p("check")], check=True,
                          capture_output=True, text=True).stdout.split("Root hash:")[1].split()[0]
    outputs = remover(p("ours"), p("theirs"), p("ours-fec"), p("theirs-fec"))
    ours = lambda data, *more: [cairn, "verity", "format", p(data), p("ours"), "--quiet",
                                "--salt=" + SALT, *more]
    theirs = lambda data, *more: ["veritysetup", "format", p(data), p("theirs"),
                                  "--salt=" + SALT, *more]
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
        Row("format with parity, 2 roots", size,
            ours("random", "--fec-device=" + p("ours-fec"), "--fec-roots=2"),
            theirs("random", "--fec-device=" + p("theirs-fec"), "--fec-roots=2"), 0.20, outputs),
        repair_row(size // 4, cairn, p),
    ]


def repair_row(size, cairn, p):
    noise(p("quarter"), size)
    remover(p("repair-hash"), p("repair-fec"), p("repaired"))()
    if not have(p("damaged"), size):
        subprocess.run(["cp", p("quarter"), p("damaged")], check=True)
        spoil(p("damaged"), size, MIB)
    subprocess.run([cairn, "verity", "format", p("quarter"), p("repair-hash"), "--quiet",
                    "--fec-device=" + p("repair-fec"), "--root-hash-file=" + p("root")],
                   check=True, stdout=subprocess.DEVNULL)
    warm(p("damaged"), p("repair-hash"), p("repair-fec"))
    return Row("repair 1 MB of damage", size,
               [cairn, "verity", "repair", p("damaged"), p("repair-hash"), "--quiet", "--force",
                "--fec-device=" + p("repair-fec"), "--root-hash-file=" + p("root"),
                "--output=" + p("repaired")])
