"""How many series a PromQL expression can answer with: none, one or many. Judged is only what its form decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from llmops.engines import metric_prefixes
from llmops.promql.targets import PLACEHOLDER

_MOST = 100_000
_NUMBERS = ("time", "pi", "scalar")
_ONE_SERIES = ("absent", "absent_over_time", "vector", *_NUMBERS)
_KEEPERS = ("topk", "bottomk", "limitk", "limit_ratio")


@dataclass(frozen=True)
class Shape:
    """What an answer looks like. `number`: no series but a plain number.

    `never_empty`: there is always an answer. `labels` tell its series apart, None: any labels may; `fixed` are
    those that a matcher holds to one value.
    """

    number: bool = False
    never_empty: bool = False
    labels: frozenset[str] | None = frozenset()
    fixed: frozenset[str] = frozenset()
    recorded: bool = False

    @property
    def many(self) -> bool:
        """Whether more than one series may come back. A recording rule's name says nothing about its labels."""
        return not self.recorded and (self.labels is None or bool(self.labels - self.fixed))


@lru_cache(maxsize=1024)
def shape(expr: str) -> Shape | None:
    """The shape of an expression; None when it does not parse or is too long to look at."""
    import promql_parser

    if len(expr) > _MOST or expr.count("(") > 500:
        return None
    try:
        return _shape(promql_parser.parse(expr))
    except (ValueError, RecursionError):
        return None


def names(expr: str) -> set[str]:
    """The metrics that an expression asks for; none when it does not parse."""
    import promql_parser

    if shape(expr) is None:
        return set()
    found: set[str] = set()
    nodes: list[Any] = [promql_parser.parse(expr)]
    while nodes:
        node = nodes.pop()
        if type(node).__name__ == "VectorSelector":
            found.add(str(node.name or ""))
        parts = ("lhs", "rhs", "expr", "vector_selector")
        nodes += [getattr(node, part) for part in parts if getattr(node, part, None) is not None]
        nodes += list(getattr(node, "args", None) or ())
    return found


def divides(expr: str) -> bool:
    """Whether an expression may answer with NaN: by a quotient of two series, or by a quantile of nothing."""
    import promql_parser

    if shape(expr) is None:
        return False
    nodes: list[Any] = [promql_parser.parse(expr)]
    while nodes:
        node = nodes.pop()
        if type(node).__name__ == "BinaryExpr" and str(node.op) == "/" and not _shape(node.rhs).number:
            return True
        if getattr(getattr(node, "func", None), "name", "") == "histogram_quantile":
            return True
        nodes += [
            getattr(node, part) for part in ("lhs", "rhs", "expr") if getattr(node, part, None) is not None
        ]
        nodes += list(getattr(node, "args", None) or ())
    return False


def root(expr: str) -> Any:
    """The outermost node of an expression, without parentheses; None when it does not parse."""
    import promql_parser

    if shape(expr) is None:
        return None
    node: Any = promql_parser.parse(expr)
    while type(node).__name__ == "ParenExpr":
        node = node.expr
    return node


def _shape(node: Any) -> Shape:
    walk = _WALKS.get(type(node).__name__)
    if walk is not None:
        return walk(node)
    inner = getattr(node, "expr", None)
    return _shape(inner) if inner is not None else Shape(number=True, never_empty=True)


def _selector(node: Any) -> Shape:
    node = getattr(node, "vector_selector", node)
    matchers = node.matchers.matchers
    name = node.name or ""
    fixed = frozenset(one.name for one in matchers if str(one.op).endswith(".Equal"))
    # Names with a colon are recorded by rules, as a rule one series each; those of engines are scraped.
    recorded = PLACEHOLDER in name or not name or (":" in name and not name.startswith(metric_prefixes()))
    return Shape(labels=None, fixed=fixed, recorded=recorded)


def _aggregation(node: Any) -> Shape:
    inner = _shape(node.expr)
    operator = str(node.op)
    modifier = node.modifier
    if operator in _KEEPERS:
        return inner
    if modifier is not None and str(modifier.type).endswith(".Without"):
        return replace(inner, labels=None if inner.labels is None else inner.labels - set(modifier.labels))
    named = frozenset(modifier.labels) if modifier is not None else frozenset()
    if operator == "count_values":
        named |= {str(getattr(node.param, "val", "value"))}
    return replace(inner, labels=named, recorded=False)


def _call(node: Any) -> Shape:
    name = node.func.name
    shapes = [_shape(argument) for argument in node.args]
    if name in _ONE_SERIES:
        return Shape(number=name in _NUMBERS, never_empty=not name.startswith("absent"))
    series = next((one for one in shapes if not one.number), None)
    if series is None:
        return Shape(never_empty=True)
    if name == "histogram_quantile" and series.labels is not None:
        return replace(series, labels=series.labels - {"le"})
    if name in ("label_replace", "label_join", "info"):
        return replace(series, recorded=True)
    return series


def _binary(node: Any) -> Shape:
    left, right = _shape(node.lhs), _shape(node.rhs)
    operator, modifier = str(node.op), node.modifier
    if left.number and right.number:
        return Shape(number=True, never_empty=True)
    if operator in ("and", "unless"):
        return replace(left, never_empty=False)
    if operator == "or":
        return Shape(
            never_empty=left.never_empty or right.never_empty,
            labels=left.labels if left.many or not right.many else right.labels,
            fixed=left.fixed & right.fixed if left.many and right.many else left.fixed | right.fixed,
            recorded=left.recorded or right.recorded,
        )
    bool_or_sum = operator not in ("==", "!=", "<", ">", "<=", ">=") or bool(
        modifier and modifier.return_bool
    )
    never_empty = left.never_empty and right.never_empty and bool_or_sum
    if left.number or right.number:
        return replace(right if left.number else left, never_empty=never_empty, number=False)
    # One-to-one: the result has no more series than the smaller side. What group_left makes is not judged.
    smaller = left if not left.many else right
    grouped = modifier is not None and "OneToOne" not in str(modifier.card)
    fixed = left.fixed | right.fixed
    return replace(
        smaller, number=False, never_empty=never_empty, fixed=fixed, recorded=smaller.recorded or grouped
    )


_WALKS = {
    "VectorSelector": _selector,
    "MatrixSelector": _selector,
    "AggregateExpr": _aggregation,
    "Call": _call,
    "BinaryExpr": _binary,
}
