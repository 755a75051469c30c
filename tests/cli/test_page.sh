# SPDX-License-Identifier: MIT
# The page that `cairn examine --html` writes, as a parser and as a browser have it.
. "$(dirname "$0")/examine_image.sh"

# disk: 64 MiB with five partitions, of which the second is an ext4; odd names; on the disk
# already, so that nothing of it moves while it is looked at
disk() {
	mkdir -p tree/etc
	echo genuine >tree/etc/file
	truncate -s 8M image.raw
	mke2fs -q -F -t ext4 -d tree image.raw
	truncate -s 64M "$1"
	sfdisk -q "$1" <<-'S'
		label: gpt
		start=1MiB, size=2MiB, name="EFI <b>&system"
		start=3MiB, size=8MiB, name="</title></svg><script>"
		start=16MiB, size=18MiB, name="home"
		start=40MiB, size=300KiB, name="tiny"
		start=41MiB, size=18MiB
	S
	dd if=image.raw of="$1" bs=1M seek=3 conv=notrunc,fsync status=none
}

hostile='<img src="http://203.0.113.1/x.png" onerror="document.title=1">'

# A line of Python about pages; `open` loads one in the browser.
browse() {
	PYTHONPATH=$CAIRN_TOP/tests/helpers timeout 400 python3 -c "
import pathlib, sys
import xml.etree.ElementTree as T
from browser import Browser
$1" "${@:2}" || fail "the browser"
}

test_page() {
	local name="d\"><script>document.title=2<!--"$'\xff'
	disk "$name"
	refused 2 'html needs --report' "$cairn" examine --html "$name" -- true
	expect 0 "$cairn" examine --quiet --report report --html --interop --partition 2 --case "$hostile" \
		--examiner $'\xe2\x80\xaegnp.exe' --notes "]]> <style>*{display:none}</style> 'x' $(printf 'y%.0s' {1..4000})" \
		"$name" -- cat etc/file
	expect 0 "$cairn" verify --no-signature report
	grep -q 'report.html: has the SHA-256' out
	# What would show the checks below to be blind, were it not found.
	cat >control.html <<-H
		<!DOCTYPE html><html><head><title>0</title></head><body><p style="width:1200px">wide</p>
		$hostile<script>document.title = 3</script></body></html>
	H
	browse '
text = pathlib.Path("report/report.html").read_bytes()
root = T.fromstring(text)  # strictly: it is well-formed XML
text.decode()
tags = {e.tag.split("}")[1] for e in root.iter()}
assert not tags & {"script", "img", "iframe", "object", "link", "form", "a", "base", "foreignObject", "use"}, tags
assert not [k for e in root.iter() for k in e.attrib if k.startswith("on") or k in ("style", "src", "href")]
assert sum(e.tag.endswith("}style") for e in root.iter()) == 1
assert b"\xe2\x80\xae" not in text and b"U+202E" in text and b">FF</span>" in text
with Browser() as b:
    control = b.open("control.html")
    assert len(control.requests()) == 2 and control.overflow(), control.requests()
    assert control.value("document.title") != "0"
    for width in 800, 390:
        page = b.open("report/report.html", width)
        assert len(page.requests()) == 1 and not page.complaints(), (page.requests(), page.complaints())
        assert page.value("document.title").startswith("Examination of d\"><script>document.title=2")
        assert page.value("document.documentElement.scrollWidth") <= width and not page.overflow(), page.overflow()
    # The policy of the page itself would stop what got into it.
    page = b.open("report/report.html")
    page.value("document.body.innerHTML += `" + sys.argv[1] + "<style>body{display:none}</style>`")
    assert page.complaints() and page.boxes("body")[0][2] > 0
    # Partitions and gaps are where they are on the disk, and as large.
    page = b.open("report/report.html")
    [(left, top, width, height)] = page.boxes("#layout")
    def at(selector):
        return [(round((x - left) / width * 64, 2), round(w / width * 64, 2)) for x, _, w, _ in page.boxes(selector)]
    near = lambda a, b: len(a) == len(b) and all(abs(p - q) < 0.2 for x, y in zip(a, b) for p, q in zip(x, y))
    assert near(at("rect[data-partition]"), [(1, 2), (3, 8), (16, 18), (40, 0.29), (41, 18)]), at("rect[data-partition]")
    assert near(at("rect.gap"), [(0, 1), (11, 5), (34, 6), (40.29, 0.71), (59, 5)]), at("rect.gap")
    # Colour is not all that tells: there are words, also for those who do not see the picture.
    shown = page.value("document.querySelector(\"rect.shown title\").textContent")
    assert shown.startswith("Partition 2: </title></svg><script>, ext4, 8.0 MiB") and shown.endswith("examined, unchanged")
    assert page.value("document.querySelectorAll(\"rect.skipped\").length") == 4
    roles = page.roles()
    assert [n for r, n in roles if r in ("img", "image") and n.startswith("The disk to scale, 64.0 MiB")], roles
    assert {"The disk", "What was checked", "What was not checked, and why"} <= {n for r, n in roles if r == "heading"}
    assert [n for r, n in roles if r == "columnheader" and n == "Verdict"] and [r for r, n in roles if r == "rowheader"]
    # Light, dark and on paper.
    colours = [b.open("report/report.html", dark=d, media=m).value("getComputedStyle(document.body).backgroundColor")
               for d, m in ((False, ""), (True, ""), (True, "print"))]
    assert colours == ["rgb(255, 255, 255)", "rgb(13, 17, 23)", "rgb(255, 255, 255)"], colours
' "$hostile"
}

# The same for evidence that changed while it was looked at.
test_page_of_a_change() {
	disk disk
	expect 6 "$cairn" examine --quiet --report report --html --partition 2 disk -- \
		sh -c 'printf x | dd of="$0" bs=1 seek=$((5 << 20)) conv=notrunc status=none' "$PWD/disk"
	browse '
root = T.fromstring(pathlib.Path("report/report.html").read_bytes())
with Browser() as b:
    page = b.open("report/report.html")
    assert "The evidence changed" in page.value("document.querySelector(\".verdict.bad\").textContent")
    [(left, top, width, height)] = page.boxes("#layout")
    [(x, _, w, _)] = page.boxes("rect.spot")
    assert abs((x - left) / width * 64 - 5) < 0.2, (x, left, width)
    assert page.value("document.querySelector(\"rect.changed\").dataset.partition") == "2"
    assert page.value("document.querySelectorAll(\"td.bad\").length") > 3
'
}

run_tests "$@"
