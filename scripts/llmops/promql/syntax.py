"""Small questions about a parsed expression."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
KEEPERS = ("topk", "bottomk", "limitk", "limit_ratio")
"""Aggregations that pass series on as they are."""


def node_type(node: Any) -> str:
    """The sort of a node, such as Call or BinaryExpr."""
    return type(node).__name__


def unwrapped(node: Any) -> Any:
    """A node without the parentheses around it."""
    while node_type(node) == "ParenExpr":
        node = node.expr
    return node


def number(node: Any) -> float | None:
    """The value of a literal; None for anything else."""
    node = unwrapped(node)
    return float(node.val) if node_type(node) == "NumberLiteral" else None


def name_of(node: Any) -> str:
    """The metric that a selector names; may be empty."""
    return str(getattr(node, "vector_selector", node).name or "")


def children(node: Any) -> list[Any]:
    parts = [getattr(node, part, None) for part in ("lhs", "rhs", "expr", "vector_selector")]
    parts += [getattr(node, "param", None), *(getattr(node, "args", None) or ())]
    return [one for one in parts if one is not None and not isinstance(one, str | int | float)]


def nodes(node: Any) -> Iterator[Any]:
    """The node and all below it."""
    left = [node]
    while left:
        node = left.pop()
        yield node
        left += children(node)


def operator(node: Any) -> str:
    return str(node.op)


def matching(node: Any) -> tuple[str, frozenset[str]]:
    """How the sides of a binary expression find each other: `on`, `ignoring` or "", and the labels it names."""
    chosen = node.modifier.matching if node.modifier else None
    if chosen is None:
        return "", frozenset()
    word = "on" if str(chosen.type).endswith("Include") else "ignoring"
    return word, frozenset(chosen.labels)


def grouping(node: Any) -> tuple[str, frozenset[str]]:
    """What an aggregation groups by: `by` or `without`, and the labels; `by` nothing where it does not say."""
    if node.modifier is None:
        return "by", frozenset()
    word = "without" if str(node.modifier.type).endswith("Without") else "by"
    return word, frozenset(node.modifier.labels)
