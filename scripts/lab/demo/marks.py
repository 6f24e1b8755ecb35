"""Events above the pictures: a number, and in the first picture a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.demo.plots import x_of
from lab.demo.story import Story

# Picture units: height of a lane, width of a number's circle and, on average, of a letter.
LANE, BULLET, LETTER = 17.0, 19.0, 6.6


@dataclass(frozen=True)
class Mark:
    """An event: where, in which lane above the plot (0 is the lowest), its number, and the words beside it."""

    x: float
    y: float
    number: int
    kind: str
    label: str


def marks(story: Story, labelled: bool) -> list[Mark]:
    """Events in as few lanes as keep words off each other and off other events' lines."""
    xs = [x_of(story, event.time) for event in story.events]
    widths = [BULLET + (LETTER * len(event.label) if labelled else 0) for event in story.events]
    found = []
    for number, (event, lane) in enumerate(zip(story.events, lanes(xs, widths), strict=True)):
        label = event.label if labelled else ""
        found.append(Mark(xs[number], -12 - LANE * lane, number + 1, event.kind, label))
    return found


def lanes(xs: Sequence[float], widths: Sequence[float]) -> list[int]:
    """Lane of each mark, given ascending positions. Words stand right of their line, so whoever has another line within
    its words stands above that one."""
    found: list[int] = []
    for x, width in reversed(list(zip(xs, widths, strict=True))):
        later = zip(reversed(xs), found, strict=False)
        found.append(max((lane + 1 for other, lane in later if other < x + width), default=0))
    return found[::-1]
