"""Days of an engine's metrics as OpenMetrics text, which promtool turns into blocks: history at once, no waiting."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

DAY = 86400
END = int(datetime(2026, 1, 9, tzinfo=UTC).timestamp())
STEP = 240
BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
REASONS = ("stop", "length", "abort", "error", "repetition")


@dataclass(frozen=True)
class Day:
    """One window of one pod. `prompt` and `answer` are medians of log-normal token lengths, `cut` the share that ends
    by length. `whole_numbers` spells a bound as 5, not 5.0. `restart`: the counters begin at 0 again in the middle.
    `from_share` and `to_share` bound the part of the window in which the pod is scraped."""

    requests: int = 6000
    prompt: float = 300
    answer: float = 120
    cut: float = 0.1
    pod: str = "a"
    bounds: tuple[int, ...] = BOUNDS
    whole_numbers: bool = False
    restart: bool = False
    from_share: float = 0.0
    to_share: float = 1.0


@dataclass
class Series:
    """The samples of each series: name and labels -> [(Unix seconds, value)]."""

    samples: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def add(self, name: str, labels: Mapping[str, str], at: int, value: float) -> None:
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        self.samples.setdefault(f"{name}{{{text}}}", []).append((at, value))

    def lines(self) -> Iterator[str]:
        for name, samples in self.samples.items():
            yield from (f"{name} {value:g} {at}\n" for at, value in samples)
        yield "# EOF\n"


def write(series: Series, release: str, end: int, day: Day, seed: int, model: str = "qwen") -> None:
    """The day that ends at `end`: requests fall evenly over it, and each sample shows what was finished until then."""
    chance = random.Random(seed)  # noqa: S311
    own = {"namespace": "llm", "release": release, "model_name": model, "pod": day.pod, "engine": "0"}
    steps = [
        at
        for at in range(end - DAY, end + 1, STEP)
        if day.from_share * DAY <= at - (end - DAY) <= day.to_share * DAY
    ]
    prompts = [0.0] * (len(day.bounds) + 1)
    answers = [0.0] * (len(day.bounds) + 1)
    reasons = dict.fromkeys(REASONS, 0.0)
    done = 0.0
    for number, at in enumerate(steps):
        if day.restart and number == len(steps) // 2:
            prompts, answers = [0.0] * len(prompts), [0.0] * len(answers)
            reasons = dict.fromkeys(REASONS, 0.0)
        elif number:
            done += day.requests / (len(steps) - 1)
            for _ in range(int(done)):
                prompts[bisect_left(day.bounds, chance.lognormvariate(0, 1) * day.prompt)] += 1
                answers[bisect_left(day.bounds, chance.lognormvariate(0, 1) * day.answer)] += 1
                reasons["length" if chance.random() < day.cut else "stop"] += 1
            done -= int(done)
        for name, counts in (
            ("vllm:request_prompt_tokens_bucket", prompts),
            ("vllm:request_generation_tokens_bucket", answers),
        ):
            for bound, below in zip([*day.bounds, None], accumulate(counts), strict=True):
                le = "+Inf" if bound is None else str(bound) if day.whole_numbers else f"{bound}.0"
                series.add(name, {**own, "le": le}, at, below)
        for reason, total in reasons.items():
            series.add("vllm:request_success_total", {**own, "finished_reason": reason}, at, total)
