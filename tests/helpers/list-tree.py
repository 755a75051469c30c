# SPDX-License-Identifier: MIT
# list-tree.py DIRECTORY: what list-erofs prints, of a mounted file system.
import hashlib
import os
import stat
import sys


def line(root, path):
    full = root + path
    s = os.lstat(full)
    device = f"{os.major(s.st_rdev)}:{os.minor(s.st_rdev)}"
    out = f"{path} {s.st_mode:o} {s.st_uid} {s.st_gid} {s.st_nlink} "
    out += f"{s.st_mtime_ns // 10**9}.{s.st_mtime_ns % 10**9:09d} {device}"
    for name in sorted(os.listxattr(full, follow_symlinks=False)):
        out += f" {name}={os.getxattr(full, name, follow_symlinks=False).hex()}"
    if stat.S_ISLNK(s.st_mode):
        out += f" -> {os.readlink(full)}"
    if stat.S_ISREG(s.st_mode):
        with open(full, "rb") as f:
            out += f" {hashlib.file_digest(f, 'sha256').hexdigest()}"
    sys.stdout.buffer.write(out.encode("utf-8", "surrogateescape") + b"\n")


def walk(root, path):
    line(root, path)
    if stat.S_ISDIR(os.lstat(root + path).st_mode):
        for name in sorted(os.listdir(root + path), key=os.fsencode):
            walk(root, path + "/" + name)


walk(sys.argv[1].rstrip("/"), "")
