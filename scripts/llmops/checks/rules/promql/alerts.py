"""What an alert says of its series: the labels that its text names have to be on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.queries import found
from llmops.checks.registry import WARNING, memoized, rule
from llmops.findings import Finding
from llmops.promql.catalogue import LAYER, Known
from llmops.promql.context import context
from llmops.promql.syntax import (
    COMPARISONS,
    KEEPERS,
    grouping,
    matching,
    name_of,
    node_type,
    operator,
    unwrapped,
)
from llmops.promql.targets import PLACEHOLDER, Query
from llmops.references import mapping, text
from llmops.release import Release

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.S)
_LABEL = re.compile(r"""\$labels\.([A-Za-z_]\w*)|index\s+\$labels\s+["`]([^"`]+)["`]""")
_OPTIONAL = re.compile(r"^-?\s*(?:else\s+)?(?:if|with)\b|\bor\b")
_NUMBERS = ("scalar", "vector", "time", "pi")


@rule(
    "LQ101",
    severity=WARNING,
    fix="Keep the label in `by`, `on` or `group_left` of the expression, or drop it from the text.",
)
def lost_label(release: Release) -> Iterator[Finding]:
    """An annotation with a label that the expression dropped has a hole where the name of the culprit should stand.

    $labels holds what the series has; alertname and the labels that the rule adds are not in it.
    """
    ctx = memoized(context, release)
    for query, tree in ctx.trees():
        if not query.pointer.endswith("/expr"):
            continue
        required = _required(query)
        left = survivors(tree, ctx.known) if required else None
        if left is not None and not any(PLACEHOLDER in one for one in left):
            for label in sorted(required - left):
                yield found(query, f"the alert's text names $labels.{label}, which the expression drops.")


def _required(query: Query) -> set[str]:
    """The labels that the texts of an alert print, without those that a text first asks for with `if` or `with`."""
    rule = mapping(query.owner.get(query.pointer.removesuffix("/expr")))
    if not rule.get("alert"):
        return set()
    required: set[str] = set()
    for part in ("annotations", "labels"):
        for value in mapping(rule.get(part)).values():
            actions = _ACTION.findall(text(value))
            named = [(action, one or other) for action in actions for one, other in _LABEL.findall(action)]
            optional = {label for action, label in named if _OPTIONAL.search(action.strip())}
            required |= {label for _, label in named} - optional
    return required


def survivors(node: Any, known: Known) -> frozenset[str] | None:
    """The only labels that series of this expression can have; None when nobody knows them all."""
    node = unwrapped(node)
    walk = _WALKS.get(node_type(node))
    if walk is not None:
        return walk(node, known)
    inner = getattr(node, "expr", None)
    return survivors(inner, known) if inner is not None else frozenset()


def _selector(node: Any, known: Known) -> frozenset[str] | None:
    # A scrape may add any label; what our own rules record has theirs alone.
    series = known.type_of(name_of(node))
    return frozenset(series.labels) if series and series.name.startswith(LAYER) else None


def _aggregation(node: Any, known: Known) -> frozenset[str] | None:
    inner = survivors(node.expr, known)
    word, labels = grouping(node)
    if operator(node) in KEEPERS:
        return inner
    if word == "without":
        return None if inner is None else inner - labels
    if operator(node) == "count_values":
        labels |= {str(getattr(node.param, "val", PLACEHOLDER))}
    return labels


def _call(node: Any, known: Known) -> frozenset[str] | None:
    name = node.func.name
    if name in _NUMBERS:
        return frozenset()
    if name in ("absent", "absent_over_time"):
        selector = unwrapped(node.args[0])
        selector = getattr(selector, "vector_selector", selector)
        if node_type(selector) != "VectorSelector":
            return frozenset()
        return frozenset(one.name for one in selector.matchers.matchers if str(one.op).endswith(".Equal"))
    inner = survivors(node.args[-1 if name.startswith(("histogram_", "quantile_")) else 0], known)
    if inner is None or name == "info":
        return None
    if name in ("label_replace", "label_join"):
        return inner | {str(getattr(node.args[1], "val", PLACEHOLDER))}
    return inner


def _binary(node: Any, known: Known) -> frozenset[str] | None:
    left, right, done = survivors(node.lhs, known), survivors(node.rhs, known), operator(node)
    if done in ("and", "unless"):
        return left
    if done == "or":
        return None if left is None or right is None else left | right
    numbers = [_is_number(side) for side in (node.lhs, node.rhs)]
    if any(numbers):
        return right if numbers[0] else left
    word, labels = matching(node)
    card = str(node.modifier.card) if node.modifier else ""
    if card.endswith(("ManyToOne", "OneToMany")):
        many = left if card.endswith("ManyToOne") else right
        return None if many is None else many | frozenset(node.modifier.group_labels or ())
    # One to one: only the labels that both sides were matched by are left.
    if word == "on":
        return labels
    known_sides = [side - labels for side in (left, right) if side is not None]
    return min(known_sides, key=len) if known_sides else None


def _is_number(node: Any) -> bool:
    node = unwrapped(node)
    if node_type(node) == "BinaryExpr" and operator(node) not in COMPARISONS:
        return _is_number(node.lhs) and _is_number(node.rhs)
    return node_type(node) == "NumberLiteral" or (
        node_type(node) == "Call" and node.func.name in ("scalar", "time", "pi")
    )


_WALKS = {
    "VectorSelector": _selector,
    "MatrixSelector": _selector,
    "AggregateExpr": _aggregation,
    "Call": _call,
    "BinaryExpr": _binary,
}
