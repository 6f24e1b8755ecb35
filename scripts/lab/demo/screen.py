"""The demo on a terminal: one frame of text, a line for a pipe, and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

from lab.demo.changes import telling
from lab.demo.story import Gate, Sample, Story

WIDTH = 79
COLOURS = ("\033[34m", "\033[32m", "\033[31m", "\033[35m")
PLAIN, BOLD, QUIET = "\033[0m", "\033[1m", "\033[2m"
EVENTS = 6
HEIGHT = 40
HEAD = f"{'gate':13} {'says':4} {'z':>5} {'bound':>5} {'measured':>8}"
CELL = len(HEAD)


def bar(share: float, width: int) -> str:
    full = round(max(0.0, min(1.0, share)) * width)
    return "█" * full + "░" * (width - full)


def frame(story: Story, headline: str, width: int = WIDTH, colour: bool = True, height: int = HEIGHT) -> str:
    """The newest sample with as many last events as `height` has room for, no line wider than `width`; lines end with a
    newline."""
    now = story.samples[-1]
    lines = [(f"{story.model}  {now.time:5.0f} s  {headline}", BOLD), ("", "")]
    lines += [*table(story, now, width), ("", "")]
    lines += [(f"{name:10}{text}", "") for name, text in rows(story, now, width)]
    lines += [("", ""), *judged(now, width)] if now.judged else []
    lines.append(("", ""))
    events = story.events[-max(1, min(EVENTS, height - len(lines))) :]
    lines += [(f"{event.time:5.0f} s  {event.text}", QUIET) for event in events]
    cut = [(text if len(text) <= width else text[: width - 1] + "…", code) for text, code in lines]
    return "".join(f"{code}{text}{PLAIN}\n" if colour and code else f"{text}\n" for text, code in cut)


def judged(now: Sample, width: int) -> list[tuple[str, str]]:
    """What each gate said, in as many columns as there is room for, and the reason of the one that says most."""
    columns = max(1, (width + 1) // (CELL + 1))
    cells = [cell(name, one) for name, one in now.judged.items()]
    down = -(-len(cells) // columns)
    lines = [(" ".join([HEAD] * columns), QUIET)]
    for number in range(down):
        row = [(text, one) for text, one in zip(cells, now.judged.values(), strict=True)][number::down]
        failed = any(one.outcome == "fail" for _, one in row)
        lines.append((" ".join(text for text, _ in row), COLOURS[2] if failed else ""))
    said = telling(now.judged)
    words = wrap(said.reason, max(20, width - 6))[:3] if said else []
    return [*lines, *((f"{'why' if number == 0 else '':6}{text}", "") for number, text in enumerate(words))]


def cell(name: str, gate: Gate) -> str:
    """A gate in CELL letters: its outcome, z against its bound, and how many of the new version were measured."""
    z, bound = ("-" if value is None else f"{value:.1f}" for value in (gate.statistic, gate.bound))
    measured = f"{gate.canary:.0f}" if gate.canary else "-"
    return f"{name:13} {gate.outcome:4} {z:>5} {bound:>5} {measured:>8}"


def table(story: Story, now: Sample, width: int) -> list[tuple[str, str]]:
    """A line for each version with its colour. Losses of requests that no server took have a line of their own."""
    room = max(6, min(30, width - 60))
    head = f"{'version':10}{'traffic':>8}  {'':{room}}{'answers/s':>11}{'1st token':>11}{'lost':>7}{story.unit:>7}"
    lines = [(head, "")]
    names = [*story.versions(), *(name for name in now.lost if name not in story.versions())]
    for number, name in enumerate(names):
        weight, rate, lost, gpus = (
            each.get(name, 0) for each in (now.weights, now.rates, now.lost, now.gpus)
        )
        first = f"{now.medians[name]:.0f} ms" if name in now.medians else "-"
        text = f"{name:10}{weight:6} %  {bar(weight / 100, room)}{rate:11.1f}{first:>11}{lost:7}{gpus:7}"
        lines.append((text, COLOURS[number % len(COLOURS)]))
    return lines


def rows(story: Story, now: Sample, width: int) -> list[tuple[str, str]]:
    """Label and text of what is not by version."""
    used = sum(now.gpus.values())
    message = wrap(now.message, max(20, width - 10))[:2]
    found = [("rollout", f"{now.phase}, {now.step}"), *(("", part) for part in message)]
    if now.ttft:
        found.append(("latency", f"first token p50 {now.ttft[0]:.0f} ms, p95 {now.ttft[1]:.0f} ms"))
    found.append(("requests", f"{now.ended} ended, {sum(now.lost.values())} lost"))
    found.append((story.unit, f"{used} of {story.gpus} in use  {bar(used / story.gpus, 16)}"))
    return found


def line(sample: Sample, unit: str = "GPUs") -> str:
    """The same for a pipe, in one line."""

    def each(values: Mapping[str, float], unit: str = "") -> str:
        return " ".join(f"{version}={value:g}{unit}" for version, value in values.items()) or "none"

    ttft = f"{sample.ttft[0]:.0f}/{sample.ttft[1]:.0f} ms" if sample.ttft else "no answer yet"
    lost = each(sample.lost) if sample.lost else "0"
    said = telling(sample.judged) if sample.phase != "Degraded" else None  # said before
    gate = f"; gate {said.reason}" if said else ""
    return (
        f"{sample.time:5.0f} s  {sample.phase}, {sample.step}; traffic {each(sample.weights, '%')}; "
        f"answers/s {each(sample.rates)}; TTFT p50/p95 {ttft}; {unit} {each(sample.gpus)}; "
        f"{sample.ended} ended, lost {lost}{gate}\n"
    )


def summary(story: Story, expected: Mapping[str, str], sent: int, lost: int) -> list[str]:
    """Sentences: what became of each version, that was to be promoted or stopped, and of the requests."""
    took = {version: story.took(version, kind) for version, kind in expected.items()}
    return [
        *(
            f"{version} was not {expected[version]}."
            if seconds is None
            else f"{version} was {expected[version]} after {seconds:.0f} s."
            for version, seconds in took.items()
        ),
        f"{sent} requests were sent, {lost} lost.",
        f"At most {story.most_gpus()} of {story.gpus} {story.unit} were in use.",
    ]
