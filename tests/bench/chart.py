# SPDX-License-Identifier: MIT
"""Horizontal bars: our time as a part of the peer's, with a mark at what was to reach."""


def chart(results, where, path):
    shown = [r for r in results if "ratio" in r]
    top, step, left, width = 64, 30, 230, 420
    # The longest bar or mark takes the width; the peer is shorter then.
    unit = width / max([1.0] + [max(r["ratio"], r["target"] or 0) for r in shown])
    height = top + step * len(shown) + 40
    out = ['<!-- SPDX-License-Identifier: MIT -->',
           '<svg xmlns="http://www.w3.org/2000/svg" width="830" height="%d" '
           'font-family="sans-serif" font-size="13">' % height,
           '<rect width="830" height="%d" fill="#ffffff"/>' % height,
           '<text x="16" y="26" font-size="16" font-weight="bold">Time, as a part of the '
           'peer\'s (shorter is better)</text>',
           '<text x="16" y="46" fill="#666666">%s</text>' % where.replace("&", "&amp;")]
    for i, r in enumerate(shown):
        out += bar(r, top + step * i, left, width, unit)
    out.append('<text x="%d" y="%d" fill="#666666">grey: the peer; line: what was to be '
               'reached</text>' % (left, height - 12))
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")


def bar(r, y, left, width, unit):
    length = max(2, r["ratio"] * unit)
    target = r["target"] if r["target"] is not None else 1
    missed = r["ratio"] > target
    mark = left + target * unit
    yield '<text x="%d" y="%d" text-anchor="end">%s</text>' % (left - 10, y + 15, r["name"])
    yield '<rect x="%d" y="%d" width="%.1f" height="18" fill="#dddddd"/>' % (left, y + 1, unit)
    yield '<rect x="%d" y="%d" width="%.1f" height="18" fill="%s"/>' % (
        left, y + 1, length, "#c0392b" if missed else "#2a7f62")
    if r["target"] is not None:
        yield ('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#222222" '
               'stroke-width="2"/>' % (mark, mark, y - 1, y + 21))
    yield '<text x="%d" y="%d">%.2f × %s</text>' % (
        left + width + 8, y + 15, r["ratio"], r["peer"]["command"])
