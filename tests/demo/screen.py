"""The demo on a terminal: one frame of text, at most 80 columns wide."""

from __future__ import annotations

from textwrap import wrap

from tests.demo.sample import Sample, Story

WIDTH = 78
COLOURS = ("\033[34m", "\033[32m", "\033[31m", "\033[35m")
PLAIN, BOLD, QUIET = "\033[0m", "\033[1m", "\033[2m"


def bar(share: float, width: int = 24) -> str:
    full = round(max(0.0, min(1.0, share)) * width)
    return "█" * full + "░" * (width - full)


def frame(story: Story, headline: str, colour: bool = True) -> str:
    """The newest sample with the last events; lines end with a newline."""

    def painted(text: str, code: str) -> str:
        return f"{code}{text}{PLAIN}" if colour else text

    now = story.samples[-1]
    lines = [painted(f"{story.model}  {now.time:5.0f} s  {headline}"[:WIDTH], BOLD), ""]
    lines.append(f"{'version':9}{'traffic':>8}  {'':24}{'requests/s':>12}{'GPUs':>7}")
    for number, version in enumerate(story.versions()):
        weight, answers, gpus = (one.get(version, 0) for one in (now.weights, now.answers, now.gpus))
        row = f"{version:9}{weight:6} %  {bar(weight / 100)}{answers:12}{gpus:7}"
        lines.append(painted(row, COLOURS[number % len(COLOURS)]))
    lines += ["", f"rollout   {now.phase}, step {now.step}"]
    lines += [f"          {part}" for part in wrap(now.message, WIDTH - 10)[:2]]
    if now.ttft:
        lines.append(f"latency   first token p50 {now.ttft[0]:.0f} ms, p95 {now.ttft[1]:.0f} ms")
    used = sum(now.gpus.values())
    lines.append(f"GPUs      {used} of {story.gpus}  {bar(used / story.gpus)}")
    lines.append(f"requests  {now.sent} ended, {now.lost} lost")
    lines.append("")
    lines += [painted(f"{event.time:5.0f} s  {event.text}"[:WIDTH], QUIET) for event in story.events[-6:]]
    return "\n".join(lines) + "\n"


def line(sample: Sample) -> str:
    """The same for a pipe, in one line."""
    weights = " ".join(f"{version}={weight}%" for version, weight in sample.weights.items())
    gpus = " ".join(f"{version}={count}" for version, count in sample.gpus.items())
    latency = f"ttft p50/p95 {sample.ttft[0]:.0f}/{sample.ttft[1]:.0f} ms" if sample.ttft else "no answer yet"
    shown = f"{weights}  GPUs {gpus}  {latency}  {sample.sent} sent {sample.lost} lost"
    return f"{sample.time:5.0f} s  {sample.phase}  {shown}\n"
