"""What a difference must be to matter, and what a version without another to compare it with is held against."""

from __future__ import annotations

import math

from llmops.gates.evidence import HISTOGRAMS, Policy

# A canary that is slower in 53 of 100 comparisons is 1.1 times as slow where latencies scatter as widely as TTFT does.
# Less is no reason to stop a rollout, however sure it is.
SLOWER = 0.53
# The same for shares: at least this times stable's share, and at least so much more of all requests.
FLOORS = {
    "errors": (1.25, 0.002),
    "stream_errors": (1.25, 0.002),
    "empty": (1.25, 0.005),
    "truncated": (1.1, 0.02),
    "repeated": (1.25, 0.005),
}
OVER = 1.2  # times a limit
SLO = {
    "ttft": "ttftP95Seconds",
    "itl": "itlP95Seconds",
    "e2e": "e2eP95Seconds",
    "errors": "errorRatio",
    "stream_errors": "errorRatio",
}
LATE = 0.05  # of the requests may be later than a p95
CEILINGS = {"empty": 0.05, "repeated": 0.05}  # nobody states a service level for them


def limit(policy: Policy, gate: str, edges: tuple[float, ...]) -> tuple[float, float] | None:
    """What an absolute gate is held against: share allowed, and for a latency the bucket edge that it is counted from.

    That edge is the first one that is not below the service level. None where the gate has no limit.
    """
    if gate in HISTOGRAMS and gate in SLO:
        seconds = policy.slo.get(SLO[gate])
        above = [edge for edge in edges if seconds is not None and seconds <= edge < math.inf]
        return (LATE, above[0]) if above else None
    if gate in SLO:
        ratio = policy.slo.get(SLO[gate])
        return (ratio, 0.0) if ratio else None
    return (CEILINGS[gate], 0.0) if gate in CEILINGS else None
