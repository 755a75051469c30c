# SPDX-License-Identifier: MIT
"""The files that are read: the same bytes on every run, made once and kept.

They are written 1 MiB at a time: how large the units of the page cache are, and with them
what a read costs, follows from how a file got there. From small writes reading takes twice as
long, for ours and the peers alike; readahead from the disk gives large units too.
"""
import os
import shutil
import random
import subprocess

MIB = 1 << 20


def have(path, size):
    return os.path.exists(path) and os.path.getsize(path) == size


def noise(path, size):
    """What no compressor and no check for zeros makes anything of."""
    if have(path, size):
        return
    command = ["openssl", "enc", "-aes-128-ctr", "-K", "0123456789abcdef0123456789abcdef",
               "-iv", "0", "-nosalt", "-in", "/dev/zero"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as source, open(path, "wb", 0) as f:
        for at in range(0, size, MIB):
            f.write(source.stdout.read(min(MIB, size - at)))
        source.kill()


def half_zero(path, source, size, sparse):
    """Runs of 1 MiB, every second one zeros: written, or left as holes."""
    if have(path, size):
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


def warm(*paths):
    """Reads files into the page cache."""
    for path in paths:
        with open(path, "rb") as f:
            while f.read(4 * MIB):
                pass


def remover(*paths):
    """A function that removes what there is of them."""
    def remove():
        for path in paths:
            if os.path.exists(path):
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    return remove


def spoil(path, size, total):
    """Damage of TOTAL bytes in blocks of 4096 that share no codeword (core/fec.h)."""
    r = random.Random(2)
    blocks, tree_blocks = size // 4096, size // 4096 // 128 + size // 4096 // 128 // 128 + 2
    rounds = -(-(blocks + tree_blocks) // 253)
    with open(path, "r+b") as f:
        for n in r.sample(range(rounds), min(rounds, total // 4096)):
            f.seek(4096 * n)
            f.write(r.randbytes(4096))
