#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""matrix.py [--short] [--write DOC] CAIRN OUT: who changes evidence, and who notices.

Runs the usual ways of looking into an image, and `cairn examine`, over the images of
make-images, each on a fresh copy, and prints two tables in Markdown (with --short one of few images). Fails if `cairn examine`
changed a byte or a time stamp, missed an attack, or saw one where there was none.
"""
import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys
import time

LOOP_SET_STATUS64, LOOP_GET_STATUS64, LOOP_CHANGE_FD = 0x4C04, 0x4C05, 0x4C06
GENUINE, FORGED = b"a line of a text", b"A LIE OF A TEXT!"

# Which images a run in `make check` is content with.
SHORT = ["ext4-dirty", "ext4-orphans", "ext4-external-dirty", "xfs-dirty", "erofs-damaged"]


def run(*argv, check=False):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=check)


def mount(*argv):
    """As run; a loop device that another process asks for as well is busy for a moment."""
    for _ in range(10):
        done = run("mount", *argv)
        if done.returncode == 0 or b"busy" not in done.stderr:
            break
        time.sleep(0.1)
    return done


def losetup(path, *options):
    return run("losetup", "-f", "--show", *options, path, check=True).stdout.decode().strip()


def detach(loop):
    run("losetup", "-d", loop)
    for _ in range(400):
        if not os.path.exists(f"/sys/block/{os.path.basename(loop)}/loop"):
            return
        time.sleep(0.005)


def state(path):
    """Times and content; reading for it leaves no trace."""
    st = os.stat(path)
    times = {"atime": st.st_atime_ns, "mtime": st.st_mtime_ns, "ctime": st.st_ctime_ns}
    with open(os.open(path, os.O_RDONLY | os.O_NOATIME), "rb") as f:
        return times, f.read()


def differences(before, after):
    (times, data), (times2, data2) = before, after
    n = 0
    for i in range(0, max(len(data), len(data2)) if data != data2 else 0, 4096):
        a, b = data[i:i + 4096], data2[i:i + 4096]
        if a != b:
            n += sum(x != y for x, y in zip(a, b)) + abs(len(a) - len(b))
    return n, [name for name in times if times[name] != times2[name]]


# ---- the ways to look into an image -----------------------------------------------------


def read_all(directory):
    run("find", directory, "-xdev", "-type", "f", "-exec", "cat", "{}", "+")


def images_name(source):
    """The image's path, of a loop device too."""
    backing = f"/sys/block/{os.path.basename(source)}/loop/backing_file"
    return open(backing).read() if os.path.exists(backing) else source


def by_mount(source, journal_loop, options, mnt):
    if journal_loop:
        name = "logdev" if "/xfs" in images_name(source) else "journal_path"
        options += f",{name}={journal_loop}"
    mounted = mount("-o", options, source, mnt).returncode == 0
    if mounted:
        read_all(mnt)
        run("umount", mnt, check=True)
    return mounted


def with_loops(image, journal, mnt, *options):
    loop, second = losetup(image, *options), losetup(journal, *options) if journal else None
    try:
        return by_mount(loop, second, "ro", mnt)
    finally:
        for device in filter(None, (loop, second)):
            detach(device)


def way_rw_loop(image, journal, mnt):
    return with_loops(image, journal, mnt)


def way_ro_loop(image, journal, mnt):
    return with_loops(image, journal, mnt, "-r")


def way_mount(image, journal, mnt):
    second = losetup(journal, "-r") if journal else None
    try:
        return by_mount(image, second, "ro,loop", mnt)
    finally:
        if second:
            detach(second)


def way_cairn(image, journal, mnt, options=()):
    journal_option = ["--journal", journal] if journal else []
    done = run(CAIRN, "examine", "--quiet", "--dir", mnt, *journal_option, *options, image, "--",
               "find", ".", "-xdev", "-type", "f", "-exec", "cat", "{}", "+")
    if done.returncode not in (0, 5):
        FAULTS.append(f"{image}: cairn examine ended with {done.returncode}: "
                      f"{done.stderr.decode()}")
    return done.returncode == 0


def way_cairn_replay(image, journal, mnt):
    return way_cairn(image, journal, mnt, ["--replay-copy", "--seal-limit", "0"])


WAYS = [("losetup, mount -o ro", way_rw_loop), ("mount -o ro,loop", way_mount),
        ("losetup -r, mount -o ro", way_ro_loop), ("cairn examine", way_cairn),
        ("cairn examine --replay-copy", way_cairn_replay)]


def look(name, way, out):
    """One image, one way: a cell of the table, and what it says in short."""
    files = [f for f in (f"{name}.raw", f"{name}.raw.journal")
             if os.path.exists(f"{out}/images/{f}")]
    for f in files:
        run("cp", "--sparse=always", f"{out}/images/{f}", f"{out}/copies/{f}", check=True)
    copies = [f"{out}/copies/{f}" for f in files]
    before = [state(f) for f in copies]
    mounted = way(copies[0], copies[1] if len(copies) > 1 else None, f"{out}/mnt")
    found = [differences(b, state(f)) for b, f in zip(before, copies)]
    n = sum(d[0] for d in found)
    times = sorted(set(t for d in found for t in d[1]))
    cell = "mounted" if mounted else "refused"
    cell += f", **{n:,} bytes changed**" if n else ", no byte changed"
    if times:
        cell += ", " + ", ".join(times)
    return cell, mounted, n, times


def matrix(names, out, short):
    rows, harmed = [], 0
    ways = [w for w in WAYS if not short or w[1] in (way_rw_loop, way_cairn, way_cairn_replay)]
    for name in names:
        cells = []
        for title, way in ways:
            cell, mounted, n, times = look(name, way, out)
            cells.append(cell)
            harmed += n > 0
            if title.startswith("cairn") and (n or times):
                FAULTS.append(f"{name}: {title}: {cell}")
            if title == "cairn examine" and not mounted and name not in HOPELESS:
                FAULTS.append(f"{name}: {title}: not mounted")
        rows.append([name] + cells)
    if not harmed:
        FAULTS.append("no way changed any image: this shows nothing")
    return ["image"] + [title for title, _ in ways], rows


# Nothing can mount these: the damage is where a mount begins.
HOPELESS = {"xfs-damaged"}


# ---- attacks ------------------------------------------------------------------------------


def forge(path, text=FORGED):
    """Overwrites the text in PATH; an undo that restores it."""
    with open(path, "r+b") as f:
        data = f.read()
        places = [i for i in range(0, len(data), 512) if GENUINE in data[i:i + 600]]
        for i in places:
            f.seek(i)
            f.write(data[i:i + 512].replace(GENUINE, text))

    def undo():
        with open(path, "r+b") as f:
            f.write(data)
    return undo


def by_path(image, loop, out):
    forge(image)


def by_path_undone(image, loop, out):
    undo = forge(image)
    return undo


def by_mapping(image, loop, out):
    import mmap
    with open(image, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        at = m.find(GENUINE * 2)
        at = m.find(GENUINE) if at < 0 else at
        while at >= 0:
            m[at:at + len(FORGED)] = FORGED
            at = m.find(GENUINE, at)


def change_fd(image, loop, out):
    shutil.copy(image, f"{out}/forged")
    forge(f"{out}/forged")
    with open(loop, "rb") as device, open(f"{out}/forged", "rb") as f:
        fcntl.ioctl(device, LOOP_CHANGE_FD, f.fileno())


def set_offset(loop, offset):
    with open(loop, "rb") as device:
        info = bytearray(232)
        fcntl.ioctl(device, LOOP_GET_STATUS64, info)
        struct.pack_into("<Q", info, 24, offset)
        fcntl.ioctl(device, LOOP_SET_STATUS64, bytes(info))


def move_offset(image, loop, out):
    set_offset(loop, 4096)


def move_offset_undone(image, loop, out):
    set_offset(loop, 4096)
    return lambda: set_offset(loop, 0)


def second_loop(image, loop, out):
    device = losetup(image)
    return lambda: detach(device)


def swap_path(image, loop, out):
    shutil.copy(image, f"{image}.other")
    os.rename(f"{image}.other", image)


def earlier_writer(image):
    f = open(image, "r+b")
    return f.close


def earlier_mapping(image):
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    fd = os.open(image, os.O_RDWR)
    at = libc.mmap(None, 4096, 3, 1, fd, 0)
    os.close(fd)
    return lambda: libc.munmap(ctypes.c_void_p(at), 4096)


def earlier_loop(image):
    device = losetup(image)
    return lambda: detach(device)


ATTACKS = [("none", None, None), ("a write by another path", by_path, None),
           ("a write that is undone before the end", by_path_undone, None),
           ("a write through a mapping", by_mapping, None),
           ("LOOP_CHANGE_FD", change_fd, None), ("LOOP_SET_STATUS64, offset", move_offset, None),
           ("an offset that is put back before the end", move_offset_undone, None),
           ("a second, writable loop device", second_loop, None),
           ("another file at the path", swap_path, None),
           ("open for writing since before", None, earlier_writer),
           ("mapped for writing since before", None, earlier_mapping),
           ("a writable loop device since before", None, earlier_loop)]

READER = '''touch "$0/ready"; until [ -e "$0/go" ]; do sleep 0.01; done; cat etc/text >"$0/seen"
until [ -e "$0/end" ]; do sleep 0.01; done'''


def wait_for(path, process):
    while not os.path.exists(path) and process.poll() is None:
        time.sleep(0.005)


def loop_of(pid, mnt):
    """The device mounted at MNT, for the process or its only descendants."""
    for p in [pid] + [int(c) for c in descendants(pid)]:
        with contextlib.suppress(OSError):
            for line in open(f"/proc/{p}/mounts"):
                if line.split()[1] == mnt:
                    return line.split()[0]
    return None


def descendants(pid):
    found = []
    with contextlib.suppress(OSError):
        for child in open(f"/proc/{pid}/task/{pid}/children").read().split():
            found += [child] + descendants(child)
    return found


def under_attack(start, finish, attack, earlier, out):
    """Whether it was noticed, and what a reader saw."""
    for f in ("ready", "go", "seen", "end"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{out}/{f}")
    image = f"{out}/copies/attacked.raw"
    run("cp", "--sparse=always", f"{out}/images/erofs.raw", image, check=True)
    end_earlier = earlier(image) if earlier else None
    process = start(image)
    wait_for(f"{out}/ready", process)
    undo = None
    if attack and process.poll() is None:
        undo = attack(image, loop_of(process.pid, f"{out}/mnt"), out)
    open(f"{out}/go", "w").close()
    wait_for(f"{out}/seen", process)
    if undo:
        time.sleep(0.05)
        undo()
    open(f"{out}/end", "w").close()
    noticed = finish(process)
    if end_earlier:
        end_earlier()
    if not os.path.exists(f"{out}/seen"):
        return noticed, "nothing"
    seen = open(f"{out}/seen", "rb").read()
    return noticed, ("forged bytes" if FORGED in seen else
                     "genuine bytes" if GENUINE in seen else "no bytes")


def peer(options, out):
    """mount by hand; it notices what makes one of its commands fail."""
    devices = []

    def start(image):
        source = image
        if options != "ro,loop":
            source = losetup(image, "-r")
            devices.append(source)
        mount("-o", options, source, f"{out}/mnt").check_returncode()
        return subprocess.Popen(["sh", "-c", READER, out], cwd=f"{out}/mnt",
                                stderr=subprocess.DEVNULL)

    def finish(process):
        status = process.wait()
        status |= run("umount", f"{out}/mnt").returncode
        while devices:
            device = devices.pop()
            status |= run("losetup", "-d", device).returncode
            detach(device)
        return status != 0
    return start, finish


def ours(options, out):
    def start(image):
        return subprocess.Popen([CAIRN, "examine", "--quiet", "--dir", f"{out}/mnt", *options,
                                 image, "--", "sh", "-c", READER, out],
                                stderr=subprocess.DEVNULL)

    def finish(process):
        return process.wait() == 6
    return start, finish


def attacks(_, out, __):
    ways = [("mount -o ro,loop", peer("ro,loop", out)),
            ("losetup -r, mount", peer("ro", out)),
            ("cairn examine, sealed", ours([], out)),
            ("cairn examine, verifying", ours(["--seal-limit", "0"], out))]
    rows = []
    for title, attack, earlier in ATTACKS:
        row = [title]
        for way, (start, finish) in ways:
            noticed, seen = under_attack(start, finish, attack, earlier, out)
            attacked = bool(attack or earlier)
            if way.startswith("cairn") and noticed != attacked:
                FAULTS.append(f"{way}: {title}: " + ("missed" if attacked else "false alarm"))
            if way.startswith("cairn") and seen == "forged bytes" and attack is not change_fd:
                FAULTS.append(f"{way}: {title}: forged bytes were read")
            row.append(("**noticed**" if noticed else "not noticed") + f", {seen} read")
        rows.append(row)
    return ["attack"] + [way for way, _ in ways], rows


# ---- tables -------------------------------------------------------------------------------


def table(header, rows):
    lines = ["| " + " | ".join(r) + " |" for r in [header] + rows]
    lines.insert(1, "| " + " | ".join("---" for _ in header) + " |")
    return "\n".join(lines) + "\n"


def write(document, text):
    begin, end = "<!-- evidence begins -->\n", "<!-- evidence ends -->"
    old = open(document).read()
    head, rest = old.split(begin)
    with open(document, "w") as f:
        f.write(head + begin + text + end + rest.split(end)[1])


def main():
    global CAIRN, FAULTS
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--write", metavar="DOC")
    parser.add_argument("cairn")
    parser.add_argument("out")
    args = parser.parse_args()
    CAIRN, FAULTS, out = os.path.realpath(args.cairn), [], os.path.realpath(args.out)
    for d in ("images", "copies", "mnt"):
        os.makedirs(f"{out}/{d}", exist_ok=True)
    names = SHORT if args.short else []
    made = run(f"{os.path.dirname(os.path.realpath(__file__))}/make-images", f"{out}/images",
               *names)
    if made.returncode:
        sys.exit(made.stderr.decode())
    text = ""
    for part in (matrix,) if args.short else (matrix, attacks):
        text += table(*part(made.stdout.decode().split(), out, args.short)) + "\n"
        print(text.split("\n\n")[-2] + "\n", flush=True)
    shutil.rmtree(f"{out}/copies")
    for fault in FAULTS:
        print("FAULT", fault)
    if args.write and not FAULTS:
        write(args.write, text.rstrip() + "\n")
    sys.exit(bool(FAULTS))


main()
