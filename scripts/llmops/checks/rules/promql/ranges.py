"""How far back a query looks, held against how often there is a sample."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmops.canary.steps import seconds
from llmops.checks.reading.queries import found
from llmops.checks.registry import WARNING, graph, memoized, rule
from llmops.findings import Finding, InputError
from llmops.promql.context import context
from llmops.promql.syntax import node_type
from llmops.references import text, walk
from llmops.release import Release

# Nobody scrapes more often by default; what the release's own monitors say counts more.
_OFTEN = 5.0
_INTERVALS = (
    ("PodMonitor", "/spec/podMetricsEndpoints/*/interval"),
    ("ServiceMonitor", "/spec/endpoints/*/interval"),
)
_TWO = re.compile(r"^(?:i?rate|increase|delta|idelta|deriv|changes|resets)$")


@rule("LQ114", severity=WARNING, fix="Write a range of four scrapes or more, with its unit, such as [5m].")
def range_too_short(release: Release) -> Iterator[Finding]:
    """A rate needs two samples: over a range shorter than two scrapes it has no value, for no series, at no time.

    A number without a unit is seconds for Prometheus 3, and an error before it. Scrapes come as often as the monitors
    of the release say, else every five seconds.
    """
    ctx = memoized(context, release)
    between = 0.0
    for query, node in ctx.nodes():
        length = _range(node)
        between = between or _between(release)
        if length is not None and length < 2 * between:
            message = (
                f"{node.func.name}() looks {length:g} s back, and there is a sample every {between:g} s."
            )
            yield found(query, message)


def _range(node: Any) -> float | None:
    """Seconds of the range that a function of two samples takes; None for any other node."""
    if node_type(node) != "Call" or not _TWO.match(node.func.name) or not node.args:
        return None
    inner = node.args[0]
    return float(inner.range.total_seconds()) if node_type(inner) == "MatrixSelector" else None


def _between(release: Release) -> float:
    """Seconds between two scrapes of the most often scraped target."""
    found = []
    for kind, pattern in _INTERVALS:
        for obj in graph(release).of_kind(("monitoring.coreos.com", kind)):
            for _, stated in walk(obj.data, pattern):
                try:
                    found.append(float(seconds(text(stated)) or _OFTEN))
                except InputError:
                    continue
    return min(found, default=_OFTEN)
