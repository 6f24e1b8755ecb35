"""Dashboards as one HTML page: what each panel's queries said over the last minutes, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 320.0, 90.0
COLOURS = ("#2c5f8a", "#d98324", "#2a8a74", "#7a5ea8", "#b8412f", "#6b7785")
Series = Sequence[tuple[float, float]]
"""(Unix seconds, value) pairs of one series."""


def picture(series: Sequence[Series]) -> str:
    """Lines over the time that they span, from 0 to their largest value, which stands in the corner."""
    points = [point for one in series for point in one]
    begin, end = min(time for time, _ in points), max(time for time, _ in points)
    low, high = min(0.0, *(value for _, value in points)), max(value for _, value in points)
    height, width = (high - low) or 1.0, (end - begin) or 1.0

    def at(time: float, value: float) -> str:
        return f"{WIDTH * (time - begin) / width:.1f},{HEIGHT - HEIGHT * (value - low) / height:.1f}"

    lines = "".join(
        f'<polyline fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.5" '
        f'points="{" ".join(at(*point) for point in one)}"/>'
        for number, one in enumerate(series)
    )
    label = f'<text x="2" y="11" font-size="11" fill="#586474">{high:.3g}</text>'
    box = f'viewBox="-2 -4 {WIDTH + 4} {HEIGHT + 8}" role="img" aria-label="at most {high:.3g}"'
    return f"<svg {box}>{lines}{label}</svg>"


def page(boards: Mapping[str, Sequence[tuple[str, Sequence[Series]]]]) -> str:
    """`boards`: name -> (panel title, its series) pairs. Self-contained."""
    sections = []
    for name, panels in boards.items():
        shown = "".join(
            f"<figure><figcaption>{escape(title)}</figcaption>{picture(series)}</figure>"
            for title, series in panels
            if series
        )
        sections.append(f"<h2>{escape(name)}</h2><div>{shown}</div>")
    style = (
        "body{font:14px system-ui,sans-serif;margin:24px;background:#f5f6f8;color:#1d2733}"
        "div{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:12px}"
        "figure{margin:0;background:#fff;border:1px solid #dde2e8;border-radius:8px;padding:10px}"
        "figcaption{font-weight:600;margin-bottom:6px}svg{width:100%}"
    )
    head = f'<meta charset="utf-8"><title>Dashboards on live data</title><style>{style}</style>'
    body = f"<h1>Dashboards on live data</h1>{''.join(sections)}"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'
