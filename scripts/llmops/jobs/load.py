"""Requests of a stated mix at a stated number in flight, and what their readers saw."""

from __future__ import annotations

import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.streaming import Timed

# Short words that most tokenizers have as one token each.
_WORDS = (
    "time",
    "year",
    "people",
    "way",
    "day",
    "thing",
    "life",
    "world",
    "school",
    "state",
    "family",
    "group",
)
_PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class Kind:
    """Requests with prompts of about `prompt` tokens and answers of exactly `answer`; `share` is a weight."""

    prompt: int
    answer: int
    share: float


def mix(text: str) -> tuple[Kind, ...]:
    """PROMPT:ANSWER[:SHARE], several with commas. JobError for anything else."""
    kinds = []
    for part in text.split(","):
        found = re.fullmatch(r"([1-9]\d{0,6}):([1-9]\d{0,5})(?::(\d{1,3}(?:\.\d+)?))?", part.strip())
        if not found:
            raise JobError(
                f"--mix {text}: write PROMPT:ANSWER tokens, as 512:128, or several with shares: 512:128:3,4000:64:1"
            )
        kinds.append(Kind(int(found[1]), int(found[2]), float(found[3] or 1)))
    if not sum(kind.share for kind in kinds) > 0:
        raise JobError(f"--mix {text}: at least one share must be above 0")
    return tuple(kinds)


def bodies(kinds: Sequence[Kind], requests: int, seed: int) -> list[dict[str, Any]]:
    """So many requests. Each begins otherwise, so that no prefix cache answers for the engine."""
    dice = random.Random(seed)  # noqa: S311
    made = []
    for number in range(requests):
        kind = dice.choices(kinds, [one.share for one in kinds])[0]
        words = [f"{dice.getrandbits(32):08x}", *dice.choices(_WORDS, k=max(1, kind.prompt - 4))]
        made.append(
            {
                "messages": [{"role": "user", "content": " ".join(words)}],
                "max_tokens": kind.answer,
                "ignore_eos": True,
                "temperature": 0,
                "seed": seed + number,
            }
        )
    return made


def step(
    ask: Callable[[dict[str, Any]], Timed],
    made: Sequence[dict[str, Any]],
    concurrency: int,
    now: Callable[[], float] = time.monotonic,
) -> tuple[dict[str, Any], dict[str, int]]:
    """All requests, so many in flight: a row of `load` in eval-results.json, and problems by what they were."""
    started = now()
    with ThreadPoolExecutor(concurrency) as pool:
        timed = list(pool.map(ask, made))
    seconds = max(now() - started, 1e-6)
    good = [one for one in timed if not one.problem]
    tokens = sum(one.answer_tokens for one in good)
    row: dict[str, Any] = {
        "concurrency": concurrency,
        "requests": len(timed),
        "errors": len(timed) - len(good),
        "seconds": round(seconds, 3),
        "requestsPerSecond": round(len(good) / seconds, 3),
        "answerTokensPerSecond": round(tokens / seconds, 3),
    }
    for name, values in (
        ("ttft", [one.first for one in good]),
        ("token", [gap for one in good for gap in one.gaps]),
        ("whole", [one.whole for one in good]),
    ):
        if values:
            row |= {f"{name}P{part}Ms": round(1000 * percentile(values, part), 2) for part in _PERCENTILES}
    if good:
        row["promptTokensMean"] = round(sum(one.prompt_tokens for one in good) / len(good), 1)
        row["answerTokensMean"] = round(tokens / len(good), 1)
    return row, dict(Counter(one.problem for one in timed if one.problem))


def percentile(values: Sequence[float], part: int) -> float:
    """The smallest value that so many per cent of them do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * part / 100) - 1)]
