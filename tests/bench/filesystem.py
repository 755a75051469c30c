# SPDX-License-Identifier: MIT
"""blobfs beside cp, mkcomposefs, casync and squashfuse, and as the number of blobs grows."""
import os
import random
import shutil
import subprocess
import sys
import time

from compare import Row
from inputs import MIB, noise, remover, tree, warm

READ_ALL = "find '%s' -type f -exec cat {} +"
# Reads of 4 KiB at random places, the same on every run.
READ_RANDOM = ("import os, random, sys; r = random.Random(3); fd = os.open(sys.argv[1], 0); "
               "os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM); "
               "n = os.fstat(fd).st_size // 4096; "
               "[os.pread(fd, 4096, 4096 * r.randrange(n)) for _ in range(20000)]")


def quietly(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def quietly_bytes(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Tools:
    """Our programs, and where the files are."""

    def __init__(self, cairn, directory):
        self.cairn, self.directory = cairn, directory
        self.build = os.path.dirname(cairn)

    def path(self, name):
        return os.path.join(self.directory, name)

    def blobfs(self, verb):
        return os.path.join(self.build, verb + ".blobfs")

    def digest(self, path):
        return quietly(self.cairn, "digest", "--compact", path).strip()

    def make(self, n_blobs):
        """An image of so many small blobs."""
        image = self.path("blobs-%d" % n_blobs)
        if not os.path.exists(image):
            quietly(os.path.join(self.build, "tests/helpers/make-blobfs"), image, str(n_blobs))
        return image


# ---- writing -----------------------------------------------------------------------------


def change(source, copy):
    """A copy of a tree in which one file in a hundred is another."""
    if os.path.exists(copy):
        return
    shutil.copytree(source, copy + ".new")
    files = sorted(os.path.join(d, f) for d, _, fs in os.walk(copy + ".new") for f in fs)
    r = random.Random(4)
    for path in r.sample(files, len(files) // 100):
        with open(path, "r+b") as f:
            f.write(r.randbytes(max(1, os.path.getsize(path))))
    os.rename(copy + ".new", copy)


def refresh(*pairs):
    """A function that makes targets the copies of sources again."""
    def copy():
        for source, target in pairs:
            subprocess.run(["rm", "-rf", target], check=True)
            subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
        # What they leave to be written is not ours or the peer's work.
        subprocess.run(["sync", "-f", pairs[0][1]], check=True)
    return copy


def writing_rows(t, size, n_files):
    tree_path, changed, image = t.path("tree"), t.path("changed"), t.path("tree.blobfs")
    store = t.path("store.castr")
    memory = 32 * MIB + 64 * n_files
    mkfs = [t.blobfs("mkfs"), "--quiet", t.path("ours"), "--from-dir", tree_path]
    change(tree_path, changed)
    remover(image)()
    quietly(t.blobfs("mkfs"), "--quiet", image, "--from-dir", tree_path)
    if not os.path.exists(store):
        quietly("casync", "make", "--store=" + store, t.path("base.caidx"), tree_path)

    def clean():
        subprocess.run(["rm", "-rf", t.path("ours"), t.path("theirs"), t.path("theirs.erofs")],
                       check=True)
        subprocess.run(["sync", "-f", t.directory], check=True)
    return [
        Row("mkfs.blobfs, %d files" % n_files, size, mkfs,
            ["cp", "-a", tree_path, t.path("theirs")], 1.0, clean, memory),
        Row("mkfs.blobfs and objects", size, mkfs,
            [os.path.join(t.build, "tools/mkcomposefs"), "--digest-store=" + t.path("theirs"),
             tree_path, t.path("theirs.erofs")], 0.12, clean, memory),
        Row("adding a copy, 1 % changed", size,
            [t.cairn, "blob", "add", "--quiet", "--from-dir", changed, t.path("ours")],
            ["casync", "make", "--store=" + t.path("theirs"), t.path("new.caidx"), changed],
            0.30, refresh((image, t.path("ours")), (store, t.path("theirs"))), memory),
        fsck_row(t, image),
        Space(t, tree_path, image),
    ]


def fsck_row(t, image):
    """Against a hash tree over the bytes of the same image."""
    remover(t.path("image-hash"))()
    quietly(t.cairn, "verity", "format", "--quiet", image, t.path("image-hash"),
            "--root-hash-file=" + t.path("image-root"))
    with open(t.path("image-root")) as f:
        root = f.read().strip()
    warm(image)
    return Row("fsck.blobfs", os.path.getsize(image), [t.blobfs("fsck"), "--quiet", image],
               [t.cairn, "verity", "verify", "--quiet", image, t.path("image-hash"), root], 1.2)


class Space(Row):
    """The bytes of an image beside those of the distinct contents in it."""

    def __init__(self, t, tree_path, image):
        super().__init__("space of the image", os.path.getsize(image), ["true"])
        sizes = {}
        for line in quietly(t.cairn, "digest", "-r", tree_path).splitlines():
            digest, name = line.split(" ", 1)
            sizes[digest] = os.path.getsize(name)
        self.contents = sum(sizes.values())

    def result(self):
        r = super().result()
        r.update(ratio=self.size / self.contents, target=1.03, contents=self.contents,
                 peer={"wall": 0, "command": "contents"})
        return r


# ---- reading -----------------------------------------------------------------------------


class Mounts:
    """Our mount and squashfuse's of the same contents, made anew before a round."""

    def __init__(self, t, name, source, blobs):
        self.t, self.ours, self.theirs = t, t.path(name + "-ours"), t.path(name + "-theirs")
        self.blobs, self.squashfs = blobs, t.path(name + ".squashfs")
        for directory in (self.ours, self.theirs):
            os.makedirs(directory, exist_ok=True)
        self.unmount()
        if not os.path.exists(self.squashfs):
            quietly("mksquashfs", source, self.squashfs, "-quiet", "-no-progress", "-noI",
                    "-noD", "-noF", "-noX")

    def unmount(self):
        for directory in (self.ours, self.theirs):
            if os.path.ismount(directory):
                subprocess.run(["umount", directory], check=True)

    def again(self):
        self.unmount()
        warm(self.blobs[-1], self.squashfs)
        quietly(self.t.blobfs("mount"), *self.blobs, self.ours)
        quietly("squashfuse", self.squashfs, self.theirs)

    def kept(self, command):
        """Mounted, and read by COMMAND before."""
        if not os.path.ismount(self.ours):
            self.again()
            quietly_bytes(command)

    def memory(self):
        """The most that the two processes of our mount had, in KiB."""
        pids = quietly("pgrep", "-f", "^[^ ]*mount.blobfs .*%s$" % self.ours).split()
        total = 0
        for pid in pids:
            with open("/proc/%s/status" % pid) as f:
                total += sum(int(l.split()[1]) for l in f if l.startswith("VmHWM"))
        return total


class MountRow(Row):
    """Reads from a mount; the memory is that of who serves it."""

    def __init__(self, name, size, mounts, ours, peer, target, fresh=True):
        super().__init__(name, size, ours, peer, target,
                         mounts.again if fresh else lambda: mounts.kept(ours), 16 * MIB)
        self.mounts = mounts

    def peer_name(self):
        return "squashfuse" if self.mounts.theirs in self.peer[-1] else "plain files"

    def after(self, who, sample):
        if who == "ours":
            sample["memory"] = self.mounts.memory()

    def finish(self):
        self.mounts.unmount()


def reading_rows(t, size, n_files, large_size):
    tree_path, image, large = t.path("tree"), t.path("os.blobfs"), t.path("large/file")
    os.makedirs(t.path("large"), exist_ok=True)
    noise(large, large_size)
    remover(image, t.path("large.blobfs"))()
    quietly(t.cairn, "build", tree_path, "--quiet", "--blobfs", image)
    quietly(t.blobfs("mkfs"), "--quiet", t.path("large.blobfs"), large)
    name = t.digest(large)
    every = Mounts(t, "tree", tree_path, ["--tree", "tree", image])
    one = Mounts(t, "large", t.path("large"), [t.path("large.blobfs")])
    blob = os.path.join(one.ours, name[:2], name[2:])
    other = os.path.join(one.theirs, "file")
    read_all = lambda directory: ["sh", "-c", READ_ALL % directory]
    read_random = lambda path: [sys.executable, "-c", READ_RANDOM, path]
    return [
        MountRow("read %d files, first" % n_files, size, every, read_all(every.ours),
                 read_all(every.theirs), 0.8),
        MountRow("read %d files, again" % n_files, size, every, read_all(every.ours),
                 read_all(tree_path), 1.1, False),
        MountRow("read one blob, first", large_size, one, ["cat", blob], ["cat", other], 0.8),
        MountRow("read one blob, again", large_size, one, ["cat", blob], ["cat", large], 1.1,
                 False),
        MountRow("read 4 KiB at random", 20000 * 4096, one, read_random(blob),
                 read_random(other), 0.7),
    ]


# ---- many blobs --------------------------------------------------------------------------


class Scale(Row):
    """A command on an image of many blobs beside the same on one of 1,000."""

    def peer_name(self):
        return "with 10^3"


def scaling_rows(t, n):
    few, many, new = t.path("few.blobfs"), t.path("many.blobfs"), t.path("new")
    sources = t.make(1000), t.make(n)
    with open(t.path("wanted"), "w") as f:
        f.write("blob 777\n")
    wanted = t.digest(t.path("wanted"))

    def fill():
        refresh(*zip(sources, (few, many)))()
        with open(new, "w") as f:
            f.write("new at %r\n" % time.time())
    label = "10^%d blobs" % (len(str(n)) - 1)
    add = lambda image: [t.cairn, "blob", "add", "--quiet", image, new]
    get = lambda image: [t.cairn, "blob", "get", "--quiet", image, wanted]
    show = lambda image: [t.blobfs("dump"), image]
    return [Scale("%s, %s" % (verb, label), 4096, f(many), f(few), target, fill)
            for verb, f, target in (("open", show, 1.2), ("look up", get, 1.2), ("add", add, 1.5))]


def rows(size, cairn, directory):
    """Rows over a tree, a large file and images of many blobs, which are made in DIRECTORY."""
    t = Tools(cairn, directory)
    n_files, tree_size = (7000, 170 * MIB) if size >= 512 * MIB else (700, 17 * MIB)
    tree_size = tree(t.path("tree"), n_files, tree_size)
    large = 256 * MIB if size >= 512 * MIB else 32 * MIB
    counts = [100000] + ([1000000] if os.environ.get("CAIRN_LONG") else [])
    return [*writing_rows(t, tree_size, n_files), *reading_rows(t, tree_size, n_files, large),
            *(row for n in counts for row in scaling_rows(t, n))]
