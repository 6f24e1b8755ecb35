"""Two sides that never meet, or always give the same; shares, rates and percentages taken for each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.queries import found
from llmops.checks.registry import ERROR, WARNING, memoized, rule
from llmops.checks.rules.promql.alerts import survivors
from llmops.findings import Finding
from llmops.promql.bounds import bounds
from llmops.promql.context import context
from llmops.promql.matching import compared, has, is_number, same_but_for
from llmops.promql.syntax import COMPARISONS, name_of, node_type, nodes, number, operator, unwrapped
from llmops.promql.targets import PLACEHOLDER, Query
from llmops.references import mapping, text
from llmops.release import Release

_GROWTH = ("rate", "irate", "increase")
_SHARE_NAME = re.compile(r"(?:^|[:_])(ratio|share|fraction|percent|percentage)(?:$|[:_])")
_AS_PERCENT = re.compile(r"\$value\s*\|\s*humanizePercentage|humanizePercentage\s+\$value")


@rule(
    "LQ121",
    severity=ERROR,
    fix="Aggregate both sides by the same labels, or name those that have to agree: on (…).",
)
def sides_never_meet(release: Release) -> Iterator[Finding]:
    """Series of two sides are put together where all their labels agree: a label that one side alone has lets none.

    The answer is empty for ever, and promtool finds nothing wrong with it. `sum by (pod) (a) / sum(b)` is such a query.
    """
    ctx = memoized(context, release)
    for query, node in ctx.nodes():
        if (
            node_type(node) != "BinaryExpr"
            or operator(node) == "or"
            or is_number(node.lhs)
            or is_number(node.rhs)
        ):
            continue
        for one, other in ((node.lhs, node.rhs), (node.rhs, node.lhs)):
            left = survivors(other, ctx.known)
            if left is None or any(PLACEHOLDER in label for label in left | has(one)):
                continue
            if alone := sorted(compared(has(one), node) - left):
                which = "left" if one is node.lhs else "right"
                message = f"only the {which} side of {operator(node)} has {', '.join(alone)}: {_shown(node)}."
                yield found(query, message)
                break


@rule(
    "LQ122",
    severity=ERROR,
    fix="Aggregate both sides without the label of the matcher, e.g. sum by (namespace) (…) / sum by (namespace) (…).",
)
def quotient_of_itself(release: Release) -> Iterator[Finding]:
    """A part divided by the whole, where the label that makes the part is still there: each series meets itself.

    The answer is 1 for the part, however small it is: an alert on it fires with the first error of a million requests.
    """
    ctx = memoized(context, release)
    for query, node in ctx.nodes():
        if node_type(node) != "BinaryExpr" or operator(node) != "/":
            continue
        differ = same_but_for(node.lhs, node.rhs)
        if differ is None or differ[1]:
            continue
        left = survivors(node.lhs, ctx.known)
        held = all(compared(frozenset({one}), node) and (left is None or one in left) for one in differ[0])
        if held and PLACEHOLDER not in node.prettify():
            part = f" (both sides still have {', '.join(sorted(differ[0]))})" if differ[0] else ""
            yield found(query, f"each series is divided by itself{part}: {_shown(node)}.")


@rule("LQ123", severity=ERROR, fix="Compare with a value that it does not always reach.")
def always_true(release: Release) -> Iterator[Finding]:
    """An alert on what holds for every value fires from the first sample on, and nobody looks at it any more."""
    ctx = memoized(context, release)
    for query, tree in ctx.trees():
        node = unwrapped(tree)
        if not _alert(query) or node_type(node) != "BinaryExpr" or operator(node) not in COMPARISONS:
            continue
        left, right, sign = bounds(node.lhs, ctx.known), bounds(node.rhs, ctx.known), operator(node)
        if left.low == left.high or right.low != right.high:
            continue
        reached = {
            ">": left.low > right.high, ">=": left.low >= right.high,
            "<": left.high < right.low, "<=": left.high <= right.low,
        }  # fmt: skip
        if reached.get(sign):
            yield found(query, f"every value that it can have is {sign} {right.low:g}: {_shown(node)}.")


@rule("LQ124", severity=WARNING, fix="Compare with a percentage, such as 90 for 90 %.")
def percentage_against_share(release: Release) -> Iterator[Finding]:
    """What goes from 0 to 100 is above 0.9 nearly always: the threshold was meant for a share."""
    ctx = memoized(context, release)
    for query, node in ctx.nodes():
        if node_type(node) == "BinaryExpr" and operator(node) in (">", ">=", "<", "<="):
            threshold = number(node.rhs)
            plain = node_type(unwrapped(node.lhs)) in ("VectorSelector", "AggregateExpr", "Call")
            if (
                threshold is not None
                and 0 < threshold < 1
                and plain
                and bounds(node.lhs, ctx.known).high == 100
            ):
                yield found(query, f"a percentage is compared with {threshold:g}: {_shown(node)}.")


@rule("LQ125", severity=WARNING, fix="Divide by the whole: sum(rate(errors[5m])) / sum(rate(requests[5m])).")
def rate_sold_as_share(release: Release) -> Iterator[Finding]:
    """A rate counts per second and goes beyond 1; called a ratio, or shown as a percentage, it misleads who reads it.

    Judged are records whose name says ratio, share or percent, and alerts whose text shows the value as a percentage;
    one of a value that was multiplied by 100 shows a hundred times too much.
    """
    ctx = memoized(context, release)
    for query, tree in ctx.trees():
        said = "its name" if _SHARE_NAME.search(query.record) else "its text" if _shows_percent(query) else ""
        if not said:
            continue
        value = unwrapped(tree)
        if node_type(value) == "BinaryExpr" and operator(value) in COMPARISONS:
            value = unwrapped(value.lhs)
        below = list(nodes(value))
        divided = any(node_type(one) == "BinaryExpr" and operator(one) == "/" for one in below)
        grows = any(node_type(one) == "Call" and one.func.name in _GROWTH for one in below)
        known = all(_is_counter(one) for one in below if node_type(one) == "VectorSelector")
        if grows and known and not divided:
            yield found(query, f"{said} says that it is a share, and it is a rate per second.")
        elif said == "its text" and _hundredfold(value):
            yield found(query, "its text multiplies by 100 what the expression has multiplied already.")


def _alert(query: Query) -> bool:
    holder = mapping(query.owner.get(query.pointer.removesuffix("/expr")))
    return query.pointer.endswith("/expr") and bool(holder.get("alert"))


def _shows_percent(query: Query) -> bool:
    if not _alert(query):
        return False
    holder = mapping(query.owner.get(query.pointer.removesuffix("/expr")))
    return any(_AS_PERCENT.search(text(one)) for one in mapping(holder.get("annotations")).values())


def _hundredfold(node: Any) -> bool:
    if node_type(node) != "BinaryExpr" or operator(node) != "*":
        return False
    return 100 in (number(node.lhs), number(node.rhs))


def _is_counter(node: Any) -> bool:
    """Whether a selector may be a counter of things; seconds per second are a share of time."""
    name = name_of(node)
    return not re.search(r"seconds(_sum|_total)?$", name) and bool(name) and not name.endswith("_sum")


def _shown(node: Any) -> str:
    return " ".join(node.prettify().split())
