"""Two sides of an operator: do their series find each other, and is the one a part of the other?"""

from __future__ import annotations

from typing import Any

from llmops.promql.syntax import KEEPERS, grouping, matching, node_type, operator, unwrapped

_SCALARS = ("scalar", "time", "pi")
_SETS = ("or", "and", "unless")


def is_number(node: Any) -> bool:
    """Whether an expression is a plain number, which meets every series."""
    node = unwrapped(node)
    kind = node_type(node)
    if kind == "Call":
        return node.func.name in _SCALARS
    if kind == "BinaryExpr":
        return is_number(node.lhs) and is_number(node.rhs)
    return kind == "NumberLiteral" or (kind == "UnaryExpr" and is_number(node.expr))


def has(node: Any) -> frozenset[str]:
    """Labels that every series of an expression has, as far as it says so: matched for a value, or grouped by."""
    node = unwrapped(node)
    kind = node_type(node)
    if kind in ("VectorSelector", "MatrixSelector"):
        return frozenset(name for name, sign, value in _matchers(node) if sign == "Equal" and value)
    if kind == "AggregateExpr":
        if operator(node) in KEEPERS:
            return has(node.expr)
        word, labels = grouping(node)
        return has(node.expr) - labels if word == "without" else labels
    if kind == "BinaryExpr":
        return _of_both(node)
    if kind == "Call":
        if node.func.name.startswith("label_") or node.func.name in ("vector", "info", *_SCALARS):
            return frozenset()
        inner = next((one for one in node.args if not is_number(one)), None)
        gone = {"le"} if node.func.name == "histogram_quantile" else set()
        return (has(inner) if inner is not None else frozenset()) - gone
    inner = getattr(node, "expr", None)
    return has(inner) if inner is not None else frozenset()


def _of_both(node: Any) -> frozenset[str]:
    done = operator(node)
    if is_number(node.lhs):
        return has(node.rhs)
    if is_number(node.rhs) or done in ("and", "unless"):
        return has(node.lhs)
    if done == "or":
        return has(node.lhs) & has(node.rhs)
    word, labels = matching(node)
    if node.modifier is not None and "OneToOne" not in str(node.modifier.card):
        return frozenset()
    both = has(node.lhs) | has(node.rhs)
    return both & labels if word == "on" else both - labels if word == "ignoring" else both


def compared(labels: frozenset[str], node: Any) -> frozenset[str]:
    """Those of the labels that have to be equal on both sides of an operator."""
    word, named = matching(node)
    return labels & named if word == "on" else labels - named


def same_but_for(left: Any, right: Any) -> tuple[frozenset[str], frozenset[str]] | None:
    """Labels that only the left, and only the right, has matchers for where both are alike otherwise; else None."""
    found: tuple[set[str], set[str]] = (set(), set())
    return (frozenset(found[0]), frozenset(found[1])) if _alike(left, right, found) else None


def _alike(left: Any, right: Any, found: tuple[set[str], set[str]]) -> bool:
    left, right = unwrapped(left), unwrapped(right)
    kind = node_type(left)
    if kind != node_type(right):
        return False
    if kind in ("VectorSelector", "MatrixSelector"):
        one, other = set(_matchers(left)), set(_matchers(right))
        found[0].update(name for name, _, _ in one - other)
        found[1].update(name for name, _, _ in other - one)
        return _bare(left) == _bare(right)
    if kind == "AggregateExpr":
        same = (operator(left), grouping(left)) == (operator(right), grouping(right))
        return same and str(left.param) == str(right.param) and _alike(left.expr, right.expr, found)
    if kind == "Call":
        if left.func.name != right.func.name or len(left.args) != len(right.args):
            return False
        return all(_alike(one, other, found) for one, other in zip(left.args, right.args, strict=True))
    if kind == "NumberLiteral":
        return bool(left.val == right.val)
    if kind == "BinaryExpr":
        same = (operator(left), matching(left)) == (operator(right), matching(right))
        return same and _alike(left.lhs, right.lhs, found) and _alike(left.rhs, right.rhs, found)
    return False


def _matchers(node: Any) -> list[tuple[str, str, str]]:
    listed = getattr(node, "vector_selector", node).matchers.matchers
    return [(one.name, str(one.op).rpartition(".")[2], str(one.value)) for one in listed]


def _bare(node: Any) -> tuple[str, str, str]:
    """Name, range and offset of a selector."""
    vector = getattr(node, "vector_selector", node)
    return str(vector.name or ""), str(getattr(node, "range", "")), f"{vector.offset} {vector.at}"
