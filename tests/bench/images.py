# SPDX-License-Identifier: MIT
"""What is known of whole disk images: diff by hash trees, verify, and damage by name."""
import os
import random
import shutil
import subprocess

from compare import Row
from filesystem import change
from inputs import MIB, remover, tree, warm

SALT = "e48da609055204e89ae53b655ca2216dd983cf3cb829f34f63a297d106d53e2d"
UUID = "a60c98d2-ae9b-4865-bfcb-b4e3ace11033"
ROOT, VERITY = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5"
SECTOR = 512


def uuid(digits):
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def put(image, path, at):
    subprocess.run(["dd", "if=" + path, "of=" + image, "bs=1M", "seek=%d" % (at // MIB),
                    "conv=notrunc", "status=none"], check=True)


def image(path, source):
    """A disk image with the tree SOURCE as a verity root partition; its root hash."""
    data, check = path + ".data", path + ".hash"
    if not os.path.exists(path):
        remover(check)()
        subprocess.run(["mkfs.erofs", "--quiet", "-U", UUID, data, source], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=dict(os.environ, SOURCE_DATE_EPOCH="1700000000"))
        root = subprocess.run(["veritysetup", "format", data, check, "--salt=" + SALT,
                               "--uuid=" + UUID], check=True, capture_output=True,
                              text=True).stdout.split("Root hash:")[1].split()[0]
        up = lambda n: -(-n // MIB) * MIB
        n_data, n_check = up(os.path.getsize(data)), up(os.path.getsize(check))
        with open(path + ".new", "wb") as f:
            f.truncate(n_data + n_check + 2 * MIB)
        put(path + ".new", data, MIB)
        put(path + ".new", check, MIB + n_data)
        table = "label: gpt\n" + "".join(
            'start=%d, size=%d, type=%s, uuid=%s, attrs="GUID:60"\n' % (
                at // SECTOR, size // SECTOR, kind, uuid(digits))
            for at, size, kind, digits in ((MIB, n_data, ROOT, root[:32]),
                                           (MIB + n_data, n_check, VERITY, root[32:])))
        subprocess.run(["sfdisk", "-q", path + ".new"], input=table, text=True, check=True,
                       capture_output=True)
        with open(path + ".root", "w") as f:
            f.write(root)
        os.rename(path + ".new", path)
    with open(path + ".root") as f:
        return f.read()


class Limit(Row):
    """A row without a peer, that must end within so many seconds."""

    def __init__(self, name, size, ours, seconds):
        super().__init__(name, size, ours)
        self.seconds = seconds

    def result(self):
        r = super().result()
        r["secondsLimit"] = self.seconds
        return r


def rows(size, cairn, directory):
    p = lambda name: os.path.join(directory, name)
    tree(p("os"), 7000 if size >= 512 * MIB else 700, size)
    change(p("os"), p("os-changed"))
    root = image(p("os-1.raw"), p("os"))
    image(p("os-2.raw"), p("os-changed"))
    warm(p("os-1.raw"), p("os-2.raw"), p("os-1.raw.data"), p("os-1.raw.hash"))
    blocks = random.Random(5).sample(range(os.path.getsize(p("os-1.raw.data")) // 4096), 1000)
    return [
        Row("diff, 1 % changed", 2 * size,
            ["sh", "-c", "'%s' diff --quiet '%s' '%s'; [ $? = 8 ]" % (
                cairn, p("os-1.raw"), p("os-2.raw"))],
            ["sh", "-c", "cat '%s' '%s' >/dev/null" % (p("os-1.raw"), p("os-2.raw"))],
            0.10, memory=None),
        Row("verify, whole image", size,
            [cairn, "verify", "--quiet", "--no-signature", "--root-hash=" + root,
             p("os-1.raw")],
            [cairn, "verity", "verify", p("os-1.raw.data"), p("os-1.raw.hash"), root,
             "--quiet"], 1.10),
        Limit("locate, 1,000 blocks", size,
              [cairn, "locate", "--quiet", p("os-1.raw.data"), *map(str, sorted(blocks))], 2.0),
    ]
