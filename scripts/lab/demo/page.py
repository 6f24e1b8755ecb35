"""The demo as one HTML page with inline SVG: no scripts, nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.demo import plots
from lab.demo.marks import marks
from lab.demo.story import Story


def page(story: Story, verdict: str, sentences: Sequence[str], good: bool) -> str:
    """Self-contained HTML of a story with at least one sample."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        # Messages of the controller and names come from elsewhere.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = plots.plots(story)
    events = [marks(story, labelled=number == 0) for number in range(len(pictures))]
    return environment.get_template("timeline.html.j2").render(
        story=story,
        verdict=verdict,
        sentences=sentences,
        good=good,
        pictures=list(zip(pictures, events, strict=True)),
        versions=list(zip(story.versions(), plots.STYLES, strict=False)),
        times=plots.times(story),
        left=plots.LEFT,
        right=plots.LEFT + plots.WIDTH,
        width=plots.LEFT + plots.WIDTH + plots.RIGHT,
        height=plots.HEIGHT,
    )
