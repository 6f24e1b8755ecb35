"""histogram_quantile reads the buckets of a histogram: their label le has to arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmops.checks.reading.queries import found
from llmops.checks.registry import ERROR, memoized, rule
from llmops.findings import Finding
from llmops.promql.catalogue import Known
from llmops.promql.context import context
from llmops.promql.syntax import KEEPERS, grouping, name_of, node_type, number, operator
from llmops.promql.targets import PLACEHOLDER
from llmops.release import Release

_BOUND = "le"


@rule(
    "LQ113",
    severity=ERROR,
    fix="Write histogram_quantile(0.95, sum by (le) (rate(..._bucket[5m]))), with 0.95 for p95.",
)
def broken_quantile(release: Release) -> Iterator[Finding]:
    """Without the label le of its buckets histogram_quantile answers nothing; a quantile beyond 1 is infinite."""
    ctx = memoized(context, release)
    for query, node in ctx.nodes():
        if node_type(node) == "Call" and node.func.name == "histogram_quantile" and len(node.args) == 2:
            for message in dict.fromkeys(_broken(node, ctx.known)):
                yield found(query, message)


def _broken(node: Any, known: Known) -> Iterator[str]:
    share = number(node.args[0])
    if share is not None and not 0 <= share <= 1:
        yield f"the quantile {share:g} lies outside 0 to 1."
    for selector, dropped in _below(node.args[1], ""):
        name = name_of(selector)
        if PLACEHOLDER in name:
            continue
        labels = known.find(name)
        bounded = name.endswith("_bucket") or (isinstance(labels, Mapping) and _BOUND in labels)
        if bounded and dropped:
            yield f"{dropped} drops the label le of {name}, so histogram_quantile() answers nothing."
        elif not bounded and isinstance(labels, Mapping) and known.type_of(name):
            yield f"{name} has no buckets, so histogram_quantile() answers nothing."


def _below(node: Any, dropped: str) -> Iterator[tuple[Any, str]]:
    """Every selector, with the aggregation around it that loses le."""
    kind = node_type(node)
    if kind in ("VectorSelector", "MatrixSelector"):
        yield node, dropped
    elif kind == "BinaryExpr":
        yield from _below(node.lhs, dropped)
        # What a side only filters or divides by has no buckets of its own.
        if operator(node) == "or":
            yield from _below(node.rhs, dropped)
    elif kind == "Call":
        # label_replace can put the label back.
        if node.func.name not in ("label_replace", "label_join"):
            for one in node.args:
                yield from _below(one, dropped)
    elif kind == "AggregateExpr":
        word, labels = grouping(node)
        holds = (
            operator(node) in KEEPERS or operator(node) == "count_values" or PLACEHOLDER in "".join(labels)
        )
        loses = not holds and (_BOUND in labels) == (word == "without")
        yield from _below(node.expr, dropped or (operator(node) if loses else ""))
    elif (inner := getattr(node, "expr", None)) is not None:
        yield from _below(inner, dropped)
