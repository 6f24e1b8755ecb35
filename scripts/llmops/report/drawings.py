"""Geometry of the two pictures: plain rectangles and labels that a template turns into SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmops.canary.steps import Step
from llmops.capacity.fit import Fit

MEMORY_WIDTH = 1000.0
# A segment narrower than this has no room for its letter; the legend has it all the same.
_LETTER_WIDTH = 22.0

# Columns share the page's width within these limits; beyond, the picture scrolls.
_PAGE, _NARROWEST, _WIDEST = 940.0, 96.0, 170.0
BAR, PLOT_HEIGHT, LEFT, RIGHT, TOP = 56.0, 190.0, 44.0, 84.0, 26.0
_MOST_TICKS = 6


@dataclass(frozen=True)
class Segment:
    """A piece of the memory bar: `size` and `share` of the GPU, `x` and `width` in picture units."""

    letter: str
    name: str
    note: str
    style: str
    size: float
    share: float
    x: float
    width: float

    @property
    def has_room(self) -> bool:
        """Whether its letter fits into it."""
        return self.width >= _LETTER_WIDTH


@dataclass(frozen=True)
class MemoryBar:
    """The bar of one GPU; `limit` is where it ends when the segments need more than there is."""

    segments: tuple[Segment, ...]
    limit: float
    overflows: bool
    summary: str


@dataclass(frozen=True)
class Block:
    """A coloured part of a column."""

    style: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """One step of the rollout, from left to right."""

    x: float
    middle: float
    blocks: tuple[Block, ...]
    top: float
    gpus: int
    words: tuple[str, str]
    weight: int
    is_over: bool
    # Least time as a clock shows it, and whether somebody has to promote.
    time: str = ""
    waits_for_person: bool = False

    @property
    def traffic(self) -> float:
        """Width of the canary's share in the strip below the column."""
        return BAR * self.weight / 100


@dataclass(frozen=True)
class StepsChart:
    """The columns, grid lines as (y, GPUs) and the budget's y (None: no budget); `moves` if any block is.

    `others`: some block is of other workloads.
    """

    columns: tuple[Column, ...]
    ticks: tuple[tuple[float, int], ...]
    budget: float | None
    width: float
    right: float
    bottom: float
    moves: bool
    others: bool
    summary: str


def memory_bar(fit: Fit) -> MemoryBar:
    """Segments of one GPU from weights to what is left; in proportion to the larger of need and GPU."""
    margin = fit.kv_pool * fit.pool_margin
    parts = [
        (
            "Weights",
            "not quantized" if fit.quantization == "none" else fit.quantization,
            "weights",
            fit.weights,
        ),
        *([("Adapters", "room for LoRA", "libraries", fit.adapters)] if fit.adapters else []),
        ("Activation", "peak while a batch is computed", "activation", fit.activation),
        ("Libraries", "driver, NCCL and other non-torch memory", "libraries", fit.non_torch),
        ("KV cache", "tokens of running requests", "kv", fit.kv_pool - margin),
        ("KV cache margin", f"{fit.pool_margin * 100:.0f} % that is not counted on", "margin", margin),
        ("Left free", "CUDA graphs live here", "free", fit.left_free),
    ]
    needed = sum(size for *_, size in parts)
    whole = max(needed, fit.usable)
    segments, x = [], 0.0
    there = [part for part in parts if part[3] > 0]
    for letter, (name, note, style, size) in zip("ABCDEF", there, strict=False):
        width = size / whole * MEMORY_WIDTH
        segments.append(Segment(letter, name, note, style, size, size / fit.usable, x, width))
        x += width
    said = ", ".join(f"{segment.name} {segment.size:.1f} GiB" for segment in segments)
    overflows = needed > fit.usable + 0.01
    return MemoryBar(
        segments=tuple(segments),
        limit=fit.usable / whole * MEMORY_WIDTH,
        overflows=overflows,
        summary=f"Memory of one {fit.product}, {fit.usable:.1f} GiB: {said}.",
    )


def steps_chart(
    steps: tuple[Step, ...], gpus_per_pod: int, budget: int | None, times: Sequence[str] = ()
) -> StepsChart:
    """Stacked columns of GPUs, one for each step, on one scale with the budget; below them traffic and time."""
    highest = max([step.gpus for step in steps] + [budget or 0, 1])
    scale = PLOT_HEIGHT / highest
    pitch = min(_WIDEST, max(_NARROWEST, _PAGE / max(1, len(steps))))
    bottom = TOP + PLOT_HEIGHT
    columns = []
    for index, step in enumerate(steps):
        settled = (step.stable + step.canary) * gpus_per_pod
        stack = (
            ("stable", step.stable * gpus_per_pod),
            ("canary", step.canary * gpus_per_pod),
            ("beside", step.beside),
            ("moving", step.gpus - step.beside - settled),
        )
        blocks, y = [], bottom
        for style, gpus in stack:
            if gpus > 0:
                y -= gpus * scale
                blocks.append(Block(style, y, gpus * scale))
        first, _, rest = step.label.partition(" ")
        columns.append(
            Column(
                x=LEFT + (index + 0.5) * pitch - BAR / 2,
                middle=LEFT + (index + 0.5) * pitch,
                blocks=tuple(blocks),
                top=y,
                gpus=step.gpus,
                words=(first, rest),
                weight=step.weight,
                is_over=budget is not None and step.gpus > budget,
                time=times[index] if times else "",
                waits_for_person=step.pause is None,
            )
        )
    stride = -(-highest // _MOST_TICKS)
    said = ", ".join(f"{step.label} {step.gpus}" for step in steps)
    shares = ", ".join(f"{step.label} {step.weight} %" for step in steps if step.weight)
    traffic = f" Traffic of the new version: {shares}." if shares else ""
    limit = f" The budget is {budget}." if budget is not None else ""
    return StepsChart(
        columns=tuple(columns),
        ticks=tuple((bottom - count * scale, count) for count in range(0, highest + 1, stride)),
        budget=None if budget is None else bottom - budget * scale,
        width=LEFT + len(steps) * pitch + RIGHT,
        right=LEFT + len(steps) * pitch,
        moves=any(block.style == "moving" for column in columns for block in column.blocks),
        others=any(step.beside for step in steps),
        bottom=bottom,
        summary=f"GPUs by step: {said}.{limit}{traffic}",
    )
