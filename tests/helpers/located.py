# SPDX-License-Identifier: MIT
# Holds `cairn locate` to the truth.
#   located.py cover CAIRN IMAGE TREE: asked for every block, it must name every byte of
#     every file that is not zero, and where nothing is compressed the image must have the
#     very bytes there that the file has.
#   located.py damage CAIRN IMAGE TREE MOUNT N: N blocks are overwritten, one at a time; of
#     the mounted image only bytes that were named before may differ, and some must.
import json
import os
import random
import subprocess
import time
import sys

BLOCK = 4096


def locate(cairn, image, blocks):
    out = subprocess.run([cairn, "locate", "--json", image, blocks], capture_output=True)
    if out.returncode:
        sys.exit(out.stderr.decode())
    document = json.loads(out.stdout)
    if not document["complete"]:
        sys.exit(f"{image}: {document['faults']}")
    return document["found"]


def path_of(name):
    return bytes.fromhex(name["path_hex"]) if "path_hex" in name else name["path"].encode()


def read_files(root):
    root = os.fsencode(root)
    files = {}
    for where, _, names in os.walk(root):
        for name in names:
            path = os.path.join(where, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            try:
                with open(path, "rb") as f:
                    files[b"/" + os.path.relpath(path, root)] = f.read()
            except OSError:
                files[b"/" + os.path.relpath(path, root)] = None
    return files


def claims(found):
    named = {}
    for f in found:
        for name in f["names"] if f["kind"] == "data" else []:
            named.setdefault(path_of(name), []).append(f)
    return named


def cover(cairn, image, tree):
    with open(image, "rb") as f:
        content = f.read()
    named = claims(locate(cairn, image, f"0-{len(content) // BLOCK - 1}"))
    files = read_files(tree)
    assert len(files) > 2
    for path, data in files.items():
        missing = bytearray(data)
        for f in named.pop(path, []):
            start, end = f["fileOffset"], f["fileOffset"] + f["fileSize"]
            missing[start:end] = bytes(end - start)
            if not f["compressed"]:
                assert data[start:end] == content[f["offset"] : f["offset"] + f["fileSize"]], (path, f)
        assert not any(missing), f"{image}: {path}: not all of it was named"
    assert not named, f"{image}: {named.keys()} are not in the tree"


def outside(data, claimed):
    data = bytearray(data)
    for f in claimed:
        data[f["fileOffset"] : f["fileOffset"] + f["fileSize"]] = bytes(f["fileSize"])
    return data


def attach(image, mount):
    """Mounts; a loop device that another process asks for as well is busy for a moment."""
    for _ in range(10):
        if subprocess.run(["mount", "-o", "loop,ro", image, mount]).returncode == 0:
            return
        time.sleep(0.1)
    raise OSError(f"{image} cannot be mounted")


def damage(cairn, image, tree, mount, count):
    with open(image, "rb") as f:
        content = f.read()
    files = read_files(tree)
    random.seed(1)
    seen = 0
    left = int(count)
    for block in random.sample(range(1, len(content) // BLOCK), len(content) // BLOCK - 1):
        found = locate(cairn, image, str(block))
        if any(f["kind"] not in ("data", "unused") and f.get("what") != "fragments" for f in found):
            continue
        if not claims(found):
            continue
        if left == 0:
            break
        left -= 1
        bad = bytearray(content)
        at = block * BLOCK
        bad[at : at + BLOCK] = bytes(b ^ 0x5A for b in bad[at : at + BLOCK])
        # A file of its own each time: mount uses a loop device again that still has the file,
        # and with it what it read of the damage before.
        damaged = f"damaged-{block}"
        with open(damaged, "wb") as f:
            f.write(bad)
        attach(damaged, mount)
        try:
            now = read_files(mount)
        finally:
            subprocess.run(["umount", mount], check=True)
            os.unlink(damaged)
        named = claims(found)
        for path, data in files.items():
            if now[path] == data:
                continue
            seen += 1
            assert path in named, f"{image}: block {block} changed {path}, which was not named"
            if now[path] is not None:
                assert outside(data, named[path]) == outside(now[path], named[path]), (
                    f"{image}: block {block} changed other bytes of {path} too"
                )
    assert seen, f"{image}: no damage was seen"


{"cover": cover, "damage": damage}[sys.argv[1]](*sys.argv[2:])
