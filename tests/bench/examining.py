# SPDX-License-Identifier: MIT
"""cairn examine, hashing aside: until the mount can be used, and until all is detached."""
import json
import os
import shutil
import subprocess

from compare import Row
from inputs import MIB, tree, warm

# Milliseconds that it may take.
START, END = 50, 150


class Phase(Row):
    """What a report says of one phase, beside what it may take."""

    def __init__(self, name, image, limit, member, cairn, report, options):
        command = [cairn, "examine", "--quiet", "--report", report, *options, image, "--", "true"]
        super().__init__(name, os.path.getsize(image), command, memory=None,
                         prepare=lambda: shutil.rmtree(report, ignore_errors=True))
        self.limit, self.member, self.report = limit, member, report

    def after(self, who, sample):
        with open(os.path.join(self.report, "report.json")) as f:
            sample["wall"] = json.load(f)[self.member] / 1e6

    def result(self):
        r = super().result()
        # It is not about so many bytes.
        r.update(bytesPerSecond=0, ratio=r["ours"]["wall"] * 1000 / self.limit, target=1.0,
                 peer={"wall": self.limit / 1000, "command": "%d ms" % self.limit})
        return r


def image(path, source, size):
    """An ext4 of SIZE bytes with the files of SOURCE."""
    if not os.path.exists(path):
        with open(path + ".new", "wb") as f:
            f.truncate(size)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", source, path + ".new"],
                       check=True)
        os.rename(path + ".new", path)
    warm(path)
    return path


def rows(size, cairn, directory):
    if os.geteuid():
        print("examine: not measured: it needs root")
        return []
    files, report = os.path.join(directory, "few"), os.path.join(directory, "report")
    tree(files, 100, 8 * MIB)
    small = image(os.path.join(directory, "small.ext4"), files, 64 * MIB)
    large = image(os.path.join(directory, "large.ext4"), files, size)
    views = (("sealed", small, ["--seal"]), ("verifying", large, ["--seal-limit=0"]))
    return [Phase("examine: %s, %s" % (phase, view), path, limit, member, cairn, report, options)
            for phase, limit, member in (("start", START, "setupMicroseconds"),
                                         ("end", END, "teardownMicroseconds"))
            for view, path, options in views]
