"""Facts about canary servers that are no statistics: restarted, stalled, down. From samples as they were scraped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from llmops.data.metrics import signals
from llmops.services.gate.question import Question
from llmops.services.gate.series import Samples, Source, selector
from llmops.services.gate.windows import Server, server

# Of a server that is gone, samples remain for a while.
_GONE = 60.0
# Answers that an engine gives by working. One that a client gave up on counts among them, as 2xx.
_WORK = ('handler=~"/v1/(chat/completions|completions|responses|messages)"', 'status=~"2.*"')
# Without a step: fewer may be answers that a slow client has only now read to their end.
_ANSWERS_WITHOUT_STEP = 3


@dataclass(frozen=True)
class Facts:
    """As in Evidence; `up` are the canary servers that answered a scrape in the time looked at."""

    restarts: int
    stalled_seconds: float
    down_seconds: float


def facts(source: Source, request: Question, since: float, now: float) -> Facts:
    """Of the canary since it serves. JobError."""
    name, policy = signals(), request.policy
    own = selector(request, canary_only=True)
    recent = 2 * max(policy.stall_seconds, policy.down_seconds) + 120
    age = max(1, int(now - since))
    answered = source.samples(f"up{own}", min(age, 86400), now)
    running, waiting, steps = (
        source.samples(f"{metric}{own}", recent, now)
        for metric in (name["requestsRunning"], name["requestsWaiting"], f"{name['engineSteps']}_count")
    )
    finished = source.samples(name["httpRequests"] + selector(request, *_WORK, canary_only=True), recent, now)
    again = source.query(f"resets({name['engineSteps']}_count{own}[{age}s])", now)
    other = source.query(f"changes({name['processStart']}{own}[{age}s])", now)
    return Facts(
        restarts=_restarts([*again, *other]),
        stalled_seconds=max(stalled([*running, *waiting], steps), abandoned(finished, steps)),
        down_seconds=down(answered),
    )


def _restarts(vector: Iterable[tuple[object, float]]) -> int:
    """The same restart shows in each engine and in the process: the largest count of each server, summed."""
    most: dict[Server, int] = defaultdict(int)
    for labels, value in vector:
        subject = server(labels)  # type: ignore[arg-type]
        most[subject] = max(most[subject], int(value))
    return sum(most.values())


def stalled(load: Iterable[Samples], steps: Iterable[Samples]) -> float:
    """Longest time in seconds, up to its last sample, for which an engine has had requests and made no step.

    A scrape that fails in between does not matter: an engine that works makes a step, whenever it is looked at.
    """
    held: dict[tuple[Server, str], list[Samples]] = defaultdict(list)
    for one in load:
        held[server(one.labels), one.labels.get("engine", "")].append(one)
    rows = list(steps)
    newest = max((one.at[-1] for one in rows), default=0.0)
    longest = 0.0
    for one in rows:
        if one.at[-1] < newest - _GONE:
            continue
        busy = held.get((server(one.labels), one.labels.get("engine", "")), [])
        idle = _idle(busy)
        if busy and idle is not None:
            longest = max(longest, one.at[-1] - max(_last_step(one), idle))
    return float(longest)


def _idle(busy: list[Samples]) -> float | None:
    """Since when there are requests without a pause (Unix seconds), or None if there are none now."""
    amount: dict[float, float] = defaultdict(float)
    for one in busy:
        for at, value in zip(one.at.tolist(), one.values.tolist(), strict=True):
            amount[at] += value
    begun: float | None = None
    for at in sorted(amount):
        begun = None if amount[at] <= 0 else at if begun is None else begun
    return begun


def abandoned(answers: Iterable[Samples], steps: Iterable[Samples]) -> float:
    """Longest time in seconds for which a server has ended requests and none of its engines has made a step.

    An engine that hangs while it is idle shows nothing else: its gauges are its own and stay 0, and a request that its
    client gives up on counts as 2xx. What is counted with the first scrape after a step may be that step's.
    """
    engines: dict[Server, list[Samples]] = defaultdict(list)
    for one in steps:
        engines[server(one.labels)].append(one)
    ended: dict[Server, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for one in answers:
        first = min((row.at[0] for row in engines[server(one.labels)]), default=one.at[0])
        # A counter is born with its first request, unless the server was just seen for the first time.
        before = 0.0 if one.at[0] > first else one.values[0]
        for at, more in zip(one.at.tolist(), np.diff(one.values, prepend=before).tolist(), strict=True):
            ended[server(one.labels)][at] += max(0.0, more)
    longest = 0.0
    for subject, amounts in ended.items():
        last = max((_last_step(one) for one in engines[subject]), default=np.inf)
        scrapes = [at for one in engines[subject] for at in one.at.tolist() if at > last]
        later = sorted(at for at in amounts if at > min(scrapes, default=np.inf))
        since = next((at for at in later if amounts[at]), None)
        if since is not None and sum(amounts[at] for at in later) >= _ANSWERS_WITHOUT_STEP:
            longest = max(longest, later[-1] - since)
    return longest


def _last_step(one: Samples) -> float:
    """When its last step was seen (Unix seconds); where it made none, when it was first seen."""
    moved = np.flatnonzero(np.diff(one.values))
    return float(one.at[moved[-1] + 1] if moved.size else one.at[0])


def down(answered: Iterable[Samples]) -> float:
    """Seconds for which no canary server that once answered has answered its scrape.

    Counted between failed scrapes only: an outage of Prometheus is nobody's fault. One that has never answered still
    loads its model.
    """
    known = [one for one in answered if (one.values > 0).any()]
    last = max((one.at[one.values > 0][-1] for one in known), default=0.0)
    failed = [at for one in known for at in one.at[one.values <= 0].tolist() if at > last]
    return max(failed) - min(failed) if failed else 0.0
