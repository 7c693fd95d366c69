"""SVG by hand: bars with whiskers, and curves. Legible on light and on dark pages."""

import math
import statistics
from xml.sax.saxutils import escape

STYLE = """<style>
svg { font: 13px system-ui, sans-serif; color: #1f2328 }
text { fill: currentColor } .soft { opacity: .65 } .bold { font-weight: 600 }
line, polyline { stroke: currentColor; fill: none } .grid { opacity: .15 }
.bar { fill: #8c959f } .own { fill: #0969da } .a { stroke: #0969da; stroke-width: 2 } .dot { fill: #0969da }
@media (prefers-color-scheme: dark) {
  svg { color: #e6edf3 } .own, .dot { fill: #4493f8 } .a { stroke: #4493f8 } .bar { fill: #6e7681 }
}
</style>"""
OWN = "troupe"


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
            + STYLE + "\n" + "\n".join(parts) + "\n</svg>\n")


def text(x, y, what, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(what)}</text>'


def line(x1, y1, x2, y2, kind=""):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def short(value):
    """Of a number, what fits beside a bar."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def bars(title, charts):
    """`charts`: (heading, {contestant: values of the rounds}), side by side."""
    names = list(dict.fromkeys(name for _, found in charts for name, values in found.items() if values))
    label, wide, row, top = 200, 300, 26, 58
    parts = [text(0, 18, title, "bold")]
    for n, name in enumerate(names):
        parts.append(text(label - 10, top + n * row + 14, name, anchor="end"))
    for at, (heading, found) in enumerate(charts):
        x, room = label + at * wide, wide - 75
        most = max((max(v) for v in found.values() if v), default=0) or 1
        parts.append(text(x, 44, heading, "soft"))
        for n, name in enumerate(names):
            if not (values := found.get(name)):
                continue
            middle, y = statistics.median(values), top + n * row
            kind = "own" if name.startswith(OWN) else "bar"
            parts.append(f'<rect x="{x}" y="{y}" width="{max(1, middle / most * room):.1f}" height="18" rx="2" class="{kind}"/>')
            low, high = (x + v / most * room for v in (min(values), max(values)))
            if high - low > 1:
                parts += [line(low, y + 9, high, y + 9), line(low, y + 5, low, y + 13), line(high, y + 5, high, y + 13)]
            parts.append(text(high + 6, y + 14, short(middle), "soft"))
    return svg(label + wide * len(charts), top + row * len(names) + 8, parts)


def curve(heading, points, x, y, width=210, height=120):
    """One small chart: the values over a logarithmic axis, from zero."""
    parts = [text(x, y - 10, heading, "soft")]
    most = max((v for _, v in points), default=0) or 1
    low, high = math.log10(points[0][0]), math.log10(points[-1][0])
    at = [(x + (math.log10(n) - low) / ((high - low) or 1) * width, y + height - v / most * height * 0.85)
          for n, v in points]
    parts += [line(x, level, x + width, level, kind) for level, kind in ((y + height, "soft"), (y + height * 0.15, "grid"))]
    parts.append(f'<polyline class="a" points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in at)}"/>')
    for (px, py), (n, v) in zip(at, points):
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" class="dot"/>', text(px, py - 7, short(v), "", "middle"),
                  text(px, y + height + 16, short(n), "soft", "middle")]
    return parts


def curves(rows):
    """`rows`: (name, [(heading, [(n, value)])])"""
    tall, wide, left = 200, 270, 40
    parts = []
    for r, (name, charts) in enumerate(rows):
        parts.append(text(left - 20, r * tall + 20, name, "bold"))
        for at, (heading, points) in enumerate(charts):
            if points:
                parts += curve(heading, points, left + at * wide, r * tall + 55)
    return svg(left + wide * max(len(c) for _, c in rows), tall * len(rows), parts)
