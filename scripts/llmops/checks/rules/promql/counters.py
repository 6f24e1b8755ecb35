"""Counters only grow until their process ends; what may be done with one, and with nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llmops.checks.reading.queries import found
from llmops.checks.registry import ERROR, WARNING, memoized, rule
from llmops.findings import Finding
from llmops.promql.catalogue import Known
from llmops.promql.context import context
from llmops.promql.syntax import COMPARISONS, name_of, node_type, number, operator, unwrapped
from llmops.promql.targets import SCALERS
from llmops.references import kind_of
from llmops.release import Release

_GROWTH = ("rate", "irate", "increase")
_NO_VALUE = (
    "resets", "changes", "absent", "absent_over_time", "present_over_time", "count_over_time", "timestamp",
    "scalar",
)  # fmt: skip
_RATE = re.compile(r":i?rate\d|:increase\d|[:_]per_second\b")
_COUNTING = ("count", "group", "count_values")


@rule("LQ103", severity=WARNING, fix="Ask for its growth: rate(...[5m]) per second, or increase(...[1h]).")
def raw_counter(release: Release) -> Iterator[Finding]:
    """A counter tells how much there was since its process began: once above a threshold, it stays above it.

    So does a record that is named after a rate. Comparing with 0 and taking one counter from another are left
    alone, so are counters that end with what they count.
    """
    ctx = memoized(context, release)
    for query, tree in ctx.trees():
        walk = _Walk(ctx.known)
        carried = walk.value(tree)
        if carried and kind_of(query.owner) in SCALERS:
            walk.compared[carried] = "a scaler compares"
        if carried and _RATE.search(query.record):
            walk.compared[carried] = f"{query.record}, which says rate, keeps"
        for name, who in walk.compared.items():
            yield found(query, f"{name} grows until its process ends, and {who} its plain value.")


@rule("LQ104", severity=ERROR, fix="Use delta(...) or deriv(...), or ask for the gauge itself.")
def rate_of_gauge(release: Release) -> Iterator[Finding]:
    """`rate` takes every fall of a value for the restart of a process: over a gauge it adds up its climbs alone."""
    ctx = memoized(context, release)
    for query, node in ctx.nodes():
        if (
            node_type(node) == "Call"
            and node.func.name in _GROWTH
            and node_type(node.args[0]) == "MatrixSelector"
        ):
            series = ctx.known.type_of(name_of(node.args[0]))
            if series is not None and series.type == "gauge":
                message = f"{node.func.name}() is for counters, and {series.name} is a gauge."
                yield found(query, message)


@dataclass
class _Walk:
    """Follows the plain values of counters upwards; `compared` are those that meet a threshold, and where."""

    known: Known
    compared: dict[str, str] = field(default_factory=dict)

    def value(self, node: Any) -> str:
        """The counter whose plain value a node carries; empty for all else."""
        node = unwrapped(node)
        known = getattr(self, f"_{node_type(node).lower()}", None)
        if known is not None:
            found: str = known(node)
            return found
        inner = getattr(node, "expr", None)
        return self.value(inner) if inner is not None else ""

    def _vectorselector(self, node: Any) -> str:
        series = self.known.type_of(name_of(node))
        return series.name if series and series.type == "counter" and not series.lifetime else ""

    def _matrixselector(self, node: Any) -> str:
        return self._vectorselector(node.vector_selector)

    def _call(self, node: Any) -> str:
        carried = [self.value(one) for one in node.args]
        name = node.func.name
        if name == "histogram_quantile" and len(carried) == 2 and carried[1]:
            self.compared[carried[1]] = "histogram_quantile() takes"
        if name in (*_GROWTH, *_NO_VALUE) or name.startswith("histogram_"):
            return ""
        return next((one for one in carried if one), "")

    def _aggregateexpr(self, node: Any) -> str:
        carried = self.value(node.expr)
        return "" if operator(node) in _COUNTING else carried

    def _binaryexpr(self, node: Any) -> str:
        left, right = self.value(node.lhs), self.value(node.rhs)
        done = operator(node)
        if done in ("and", "unless"):
            return left
        if 0 in (number(node.lhs), number(node.rhs)) or (left and right and done not in ("or", "/")):
            return ""
        if done in COMPARISONS:
            if left or right:
                self.compared[left or right] = "this compares"
            return ""
        return left or right
