"""Between which two values the answer of an expression lies."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from llmops.promql.catalogue import Known
from llmops.promql.matching import same_but_for
from llmops.promql.names import Judge
from llmops.promql.syntax import COMPARISONS, KEEPERS, name_of, node_type, operator, unwrapped


class Range(NamedTuple):
    """Both ends belong to it."""

    low: float
    high: float


ANY = Range(-inf, inf)
_POSITIVE = Range(0, inf)
_GROWTH = ("rate", "irate", "increase")
_SAME = (
    "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time", "scalar", "vector",
    "sort", "sort_desc", "label_replace", "label_join",
)  # fmt: skip
_ONE = Range(1, 1)
_CALLS = {"absent": _ONE, "absent_over_time": _ONE, "present_over_time": _ONE} | dict.fromkeys(
    ("count_over_time", "changes", "resets", "stddev_over_time", "stdvar_over_time", "sum_over_time", "abs"),
    _POSITIVE,
)


def bounds(node: Any, known: Known) -> Range:
    """The smallest and the largest value that an expression can have, as far as its metrics are known."""
    node = unwrapped(node)
    walk = _WALKS.get(node_type(node))
    return walk(node, known) if walk else ANY


def _literal(node: Any, _known: Known) -> Range:
    return Range(float(node.val), float(node.val))


def _selector(node: Any, known: Known) -> Range:
    series = known.type_of(name_of(node))
    if series is None or (series.type == "gauge" and series.most == inf):
        return ANY
    return Range(0, series.most)


def _call(node: Any, known: Known) -> Range:
    name = node.func.name
    if name == "sum_over_time" and bounds(node.args[0], known).low < 0:
        return ANY
    if name in _CALLS:
        return _CALLS[name]
    inner = bounds(node.args[-1], known) if node.args else ANY
    if name in _GROWTH:
        return _POSITIVE
    if name in _SAME:
        return bounds(node.args[1 if name == "quantile_over_time" else 0], known)
    if name == "histogram_quantile":
        return Range(-inf, _widest(node.args[-1], known))
    return Range(0, inner.high) if name in ("ceil", "floor") and inner.low >= 0 else ANY


def _widest(node: Any, known: Known) -> float:
    """The largest bound of the buckets below +Inf: histogram_quantile answers with no larger value."""
    labels = Judge(known).labels(node)
    values = labels.get("le") if labels else None
    numbers = [float(one) for one in values or () if one != "+Inf"]
    return max(numbers, default=inf)


def _aggregation(node: Any, known: Known) -> Range:
    done, inner = operator(node), bounds(node.expr, known)
    if done in ("min", "max", "avg", *KEEPERS):
        return inner
    if done == "quantile":
        return inner if isinstance(node.param, int | float) else ANY
    if done == "group":
        return _ONE
    if done in ("count", "stddev", "stdvar") or (done == "sum" and inner.low >= 0):
        return _POSITIVE
    return ANY


def _unary(node: Any, known: Known) -> Range:
    inner = bounds(node.expr, known)
    return Range(-inner.high, -inner.low)


def _binary(node: Any, known: Known) -> Range:
    left, right, done = bounds(node.lhs, known), bounds(node.rhs, known), operator(node)
    if done in COMPARISONS:
        if node.modifier and node.modifier.return_bool:
            return Range(0, 1)
        # A threshold on the left filters what stands on the right.
        return right if node_type(unwrapped(node.lhs)) == "NumberLiteral" else left
    if done in ("and", "unless"):
        return left
    if done == "or":
        return Range(min(left.low, right.low), max(left.high, right.high))
    if done == "+":
        return Range(left.low + right.low, left.high + right.high)
    if done == "-":
        return Range(left.low - right.high, left.high - right.low)
    if done == "*" and left.low >= 0 and right.low >= 0:
        return Range(left.low * right.low, _product(left.high, right.high))
    if done == "/" and _is_part(node.lhs, node.rhs):
        return Range(0, 1)
    if done == "/" and left.low >= 0 and right.low > 0:
        return Range(0, _product(left.high, 1 / right.low))
    return ANY


def _is_part(part: Any, whole: Any) -> bool:
    """Whether the whole is a sum that has the part in it, or the same for fewer matchers: then it is no smaller.

    Nobody measures a share of what may be below 0; where something is subtracted it may be.
    """
    summands, held = [whole], False
    while summands:
        node = unwrapped(summands.pop())
        if node_type(node) == "BinaryExpr" and operator(node) == "+":
            summands += [node.lhs, node.rhs]
        elif node_type(node) in ("BinaryExpr", "UnaryExpr", "NumberLiteral"):
            return False
        else:
            held |= same_but_for(part, node) == (frozenset(), frozenset()) or _sums_more(part, node)
    return held


def _sums_more(part: Any, whole: Any) -> bool:
    """Whether both are sums, the second over the same series without a matcher."""
    sums = all(
        node_type(one) == "AggregateExpr" and operator(one) == "sum" for one in map(unwrapped, (part, whole))
    )
    differ = same_but_for(part, whole) if sums else None
    return differ is not None and not differ[1]


def _product(one: float, other: float) -> float:
    return 0.0 if 0 in (one, other) else one * other


_WALKS = {
    "NumberLiteral": _literal,
    "VectorSelector": _selector,
    "MatrixSelector": _selector,
    "Call": _call,
    "AggregateExpr": _aggregation,
    "UnaryExpr": _unary,
    "BinaryExpr": _binary,
}
