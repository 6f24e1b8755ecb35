"""What a PromQL expression asks for, held against the metrics that are known: names, labels and values.

The walk carries the labels of each sub-expression upwards, so that `sum by (pod)` over a series without pods shows.
Unknown (None) stays unknown: judged is only what is certain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from llmops.data.metrics import Labels, Removed
from llmops.kubernetes.wording import closest
from llmops.promql.catalogue import Known, Missing
from llmops.promql.targets import PLACEHOLDER

UNPARSABLE, UNKNOWN_METRIC, REMOVED_METRIC = "unparsable", "unknown-metric", "removed-metric"
UNKNOWN_LABEL, UNKNOWN_LABEL_VALUE = "unknown-label", "unknown-label-value"

_FREE = ("info",)
_OPERATORS = re.compile(r"[-+*/%^<>(\[]|\b(?:and|or|unless|atan2)\b", re.I)
_MOST_OPERATORS = 1000
_STRING = re.compile(r"""\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`""")
# Moments and durations that fit no clock: the parser panics at them, and says so on stderr.
_NO_TIME = re.compile(r"(?i)\d{16,}|\de[+-]?\d{3,}|@\s*[-+]?\s*(?:nan|inf)")


@dataclass(frozen=True)
class Problem:
    kind: str
    message: str
    fix: str = ""


@lru_cache(maxsize=4096)
def _parsed(expr: str) -> Any:
    # Only who has queries pays for the parser.
    import promql_parser

    return promql_parser.parse(expr)


def parsed(expr: str) -> Any:
    """The tree of an expression; None when it is no PromQL or longer than anybody writes."""
    if len(_OPERATORS.findall(expr)) > _MOST_OPERATORS or _NO_TIME.search(_STRING.sub('""', expr)):
        return None
    try:
        return _parsed(expr)
    except ValueError:
        return None
    except BaseException as error:
        # The parser's own panic, at a duration of more seconds than there are, is no Exception of Python's.
        if type(error).__name__ != "PanicException":
            raise
        return None


def judged(expr: str, known: Known) -> tuple[Labels | None, list[Problem]]:
    """The labels that an expression's series may have, and what is wrong with it.

    ValueError in the parser's words when it is no PromQL. Nobody writes a thousand operators; such a text would
    exhaust the parser's stack, so it is not looked at.
    """
    if len(_OPERATORS.findall(expr)) > _MOST_OPERATORS:
        return None, []
    judge = Judge(known)
    try:
        labels = judge.labels(_parsed(expr))
    except RecursionError:
        return None, []
    return labels, judge.problems


@dataclass
class Judge:
    """One expression against what is known; `problems` fill while `labels` walks it."""

    known: Known
    problems: list[Problem] = field(default_factory=list)

    def labels(self, node: Any) -> Labels | None:
        """Labels that series of this expression may have; {} for a number."""
        walk = getattr(self, f"_{type(node).__name__.lower()}", None)
        if walk is not None:
            found: Labels | None = walk(node)
            return found
        inner = getattr(node, "expr", None)
        return self.labels(inner) if inner is not None else {}

    def _matrixselector(self, node: Any) -> Labels | None:
        return self._vectorselector(node.vector_selector)

    def _vectorselector(self, node: Any) -> Labels | None:
        matchers = list(node.matchers.matchers)
        name = node.name or next((m.value for m in matchers if m.name == "__name__" and _is(m, "Equal")), "")
        if not name or PLACEHOLDER in name:
            return None
        found = self.known.find(name)
        if isinstance(found, Removed):
            self._removed(found)
            return None
        if isinstance(found, Missing):
            self._say(UNKNOWN_METRIC, f"{name} is not there: {found.why}.")
            return None
        if found is not None:
            for matcher in (*matchers, *(m for group in node.matchers.or_matchers for m in group)):
                self._matcher(name, matcher, found)
        return found

    def _removed(self, gone: Removed) -> None:
        until = f" (last seen in {gone.until})" if gone.until else ""
        fix = f"Ask for {gone.instead}." if gone.instead else "Drop the query; nothing replaced the metric."
        self._say(REMOVED_METRIC, f"the engine has no {gone.name} any more{until}.", fix)

    def _matcher(self, name: str, matcher: Any, labels: Labels) -> None:
        label, value = matcher.name, matcher.value
        # label="" asks for series without the label.
        if label == "__name__" or PLACEHOLDER in (label + value) or not value:
            return
        if label not in labels:
            self._say(
                UNKNOWN_LABEL, f"{name} has no label {label}{closest(label, labels)}; no series matches."
            )
        elif (values := labels[label]) is not None and (bad := _impossible(matcher, values)):
            listed = ", ".join(sorted(values)) if len(values) <= 8 else "bounds such as 0.5 and 5.0"
            self._say(
                UNKNOWN_LABEL_VALUE, f"{name} never has {label}={bad!r}{closest(bad, values)}: {listed}."
            )

    def _aggregateexpr(self, node: Any) -> Labels | None:
        inner = self.labels(node.expr)
        if node.param is not None and not isinstance(node.param, str):
            self.labels(node.param)
        if inner is None:
            return None
        named = [] if node.modifier is None else list(node.modifier.labels)
        added = (
            {node.param.val: None} if str(node.op) == "count_values" and hasattr(node.param, "val") else {}
        )
        if str(node.op) in ("topk", "bottomk", "limitk", "limit_ratio"):
            self._need(named, inner, "what is aggregated")
            return inner
        if node.modifier is None:
            return added
        if _is(node.modifier, "Without", "type"):
            return {label: values for label, values in inner.items() if label not in named}
        self._need(named, inner, "what is aggregated")
        return {**{label: inner[label] for label in named if label in inner}, **added}

    def _binaryexpr(self, node: Any) -> Labels | None:
        left, right = self.labels(node.lhs), self.labels(node.rhs)
        matching = node.modifier.matching if node.modifier else None
        if matching is not None and _is(matching, "Include", "type"):
            for side, labels in (("left", left), ("right", right)):
                # A constant has no labels, and `or on () vector(0)` is meant so.
                if labels:
                    self._need(matching.labels, labels, f"the {side} side")
        if str(node.op) in ("and", "unless"):
            return left
        if left is None or right is None:
            return None
        # More labels than the result has, never fewer.
        return {
            **right,
            **left,
            **{key: None for key in left.keys() & right.keys() if left[key] != right[key]},
        }

    def _call(self, node: Any) -> Labels | None:
        inner: dict[str, frozenset[str] | None] = {}
        unknown = node.func.name in _FREE
        for argument in node.args:
            labels = self.labels(argument)
            unknown = unknown or labels is None
            inner.update(labels or {})
        if node.func.name in ("scalar", "vector", "time"):
            return {}
        if node.func.name in ("label_replace", "label_join"):
            inner[str(getattr(node.args[1], "val", ""))] = None
        return None if unknown else inner

    def _need(self, named: list[str], labels: Labels, subject: str) -> None:
        for label in named:
            if label not in labels and PLACEHOLDER not in label:
                self._say(UNKNOWN_LABEL, f"{subject} has no label {label}{closest(label, labels)}.")

    def _say(self, kind: str, message: str, fix: str = "") -> None:
        self.problems.append(Problem(kind, message, fix))


def _is(holder: Any, word: str, attribute: str = "op") -> bool:
    return str(getattr(holder, attribute)).rpartition(".")[2] == word


def _impossible(matcher: Any, values: frozenset[str]) -> str:
    """The part of a matcher that no value fits; empty when all is well or the pattern is none of Python's."""
    matched = str(matcher.value)
    if _is(matcher, "Equal") or _is(matcher, "NotEqual"):
        return "" if matched in values else matched
    try:
        for part in _alternatives(matched):
            if not any(re.fullmatch(part, value) for value in values):
                return part
    except re.error:
        pass
    return ""


def _alternatives(pattern: str) -> Iterator[str]:
    """The words of `a|b|c`; a pattern with brackets or escapes, where `|` may mean less, stays whole."""
    return iter([pattern] if re.search(r"[\\()\[\]]", pattern) else pattern.split("|"))
