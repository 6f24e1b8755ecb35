"""Comparisons whose outcome the values of the metric decide beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.queries import found
from llmops.checks.registry import ERROR, memoized, rule
from llmops.findings import Finding
from llmops.promql.bounds import Range, bounds
from llmops.promql.catalogue import Known
from llmops.promql.context import context
from llmops.promql.syntax import COMPARISONS, node_type, operator
from llmops.release import Release


@rule(
    "LQ102",
    severity=ERROR,
    fix="Compare with a value that it can have: a share goes from 0 to 1, not to 100.",
)
def never_true(release: Release) -> Iterator[Finding]:
    """A share above 90, a state above 1, a quantile beyond the last bucket: the alert is silent for ever."""
    ctx = memoized(context, release)
    for query, node in ctx.nodes():
        compares = node_type(node) == "BinaryExpr" and operator(node) in COMPARISONS
        if compares and (message := _decided(node, ctx.known)):
            yield found(query, message)


def _decided(node: Any, known: Known) -> str:
    left, right, sign = bounds(node.lhs, known), bounds(node.rhs, known), operator(node)
    if not _impossible(left, sign, right):
        return ""
    return f"{_words(left)} is never {sign} {_words(right)}: {node.prettify()}."


def _impossible(left: Range, sign: str, right: Range) -> bool:
    if sign in (">", ">="):
        return left.high < right.low or (sign == ">" and left.high == right.low)
    if sign in ("<", "<="):
        return left.low > right.high or (sign == "<" and left.low == right.high)
    if sign == "==":
        return left.high < right.low or left.low > right.high
    return left == right and left.low == left.high


def _words(one: Range) -> str:
    if one.low == one.high:
        return f"{one.low:g}"
    if one.low == float("-inf"):
        return f"a value up to {one.high:g}"
    return f"a value from {one.low:g}" + (f" to {one.high:g}" if one.high != float("inf") else "")
