"""Where PromQL stands in Kubernetes objects, and how a query with placeholders becomes one that parses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops.kubernetes.kinds import Kind
from llmops.references import kind_of, mapping, sequence, text, walk
from llmops.render.manifest import Object

RULES: Kind = ("monitoring.coreos.com", "PrometheusRule")
SCALERS: tuple[Kind, ...] = (("keda.sh", "ScaledObject"), ("keda.sh", "ScaledJob"))
ANALYSES: tuple[Kind, ...] = tuple(
    ("argoproj.io", kind) for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
)
PLACEHOLDER = "__placeholder__"
"""Stands where only a running system knows the text: nobody can judge what contains it."""

_ARGO = re.compile(r"\{\{[^{}]*\}\}")
_GRAFANA = re.compile(r"\$\{[A-Za-z_][^{}]*\}|\$[A-Za-z_]\w*|\[\[\w+\]\]")
_CLAUSE = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*$")
_OFFSET = re.compile(r"\boffset\s+-?$")
_NUMBER = re.compile(r"(?<![\w:])[\d.]+$")
_LABEL_VALUES = re.compile(r"^\s*label_values\((.*),\s*([A-Za-z_]\w*)\s*\)\s*$", re.S)
_RESULT = re.compile(r"^\s*query_result\((.*)\)\s*$", re.S)


@dataclass(frozen=True)
class Query:
    """One expression, ready to be parsed. `place` tells queries of one JSON text apart.

    `record` is the name under which a rule keeps its result, with `labels` added; `label` is the one whose
    values a dashboard variable lists. `fallback` is the expression to try when `expr` does not parse. `certain` is
    False when the text may be of another language.
    """

    owner: Object
    pointer: str
    expr: str
    place: str = ""
    record: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    label: str = ""
    fallback: str = ""
    certain: bool = True


def queries(objects: Iterable[Object]) -> Iterator[Query]:
    """Every PromQL expression in rules, scaler triggers, analysis metrics and dashboards."""
    for obj in objects:
        kind = kind_of(obj)
        if kind == RULES:
            yield from _rules(obj)
        elif kind in SCALERS:
            for pointer, trigger in walk(obj.data, "/spec/triggers/*"):
                if mapping(trigger).get("type") == "prometheus":
                    yield from _written(obj, f"{pointer}/metadata/query")
        elif kind in ANALYSES:
            for pointer, _ in walk(obj.data, "/spec/metrics/*/provider/prometheus/query"):
                yield from _written(obj, pointer)
        elif kind == ("", "ConfigMap"):
            yield from _dashboards(obj)


def _rules(obj: Object) -> Iterator[Query]:
    for pointer, rule in walk(obj.data, "/spec/groups/*/rules/*"):
        known = mapping(rule)
        labels = {key: text(value) for key, value in mapping(known.get("labels")).items()}
        if isinstance(known.get("expr"), str):
            yield Query(
                obj, f"{pointer}/expr", known["expr"], record=text(known.get("record")), labels=labels
            )


def _written(obj: Object, pointer: str) -> Iterator[Query]:
    if written := text(obj.get(pointer)):
        yield Query(obj, pointer, filled(written, _ARGO), fallback=filled(written, _ARGO, PLACEHOLDER))


def _dashboards(obj: Object) -> Iterator[Query]:
    for key, body in mapping(obj.data.get("data")).items():
        if isinstance(body, str) and key.endswith(".json") and '"schemaVersion"' in body:
            try:
                board = mapping(json.loads(body))
            except ValueError:
                continue
            pointer = f"/data/{key.replace('~', '~0').replace('/', '~1')}"
            yield from _dashboard(obj, pointer, board)


def _dashboard(obj: Object, pointer: str, board: Mapping[str, Any]) -> Iterator[Query]:
    for panel in _panels(sequence(board.get("panels"))):
        for target in map(mapping, sequence(panel.get("targets"))):
            engine = _engine(target) or _engine(panel)
            if engine in ("", "prometheus") and text(target.get("expr")):
                place = f"panel {text(panel.get('title'))!r}"
                yield _shown(obj, pointer, text(target["expr"]), place, certain=bool(engine))
    for one in map(mapping, sequence(mapping(board.get("annotations")).get("list"))):
        if _engine(one) in ("", "prometheus") and text(one.get("expr")):
            place = f"annotation {text(one.get('name'))!r}"
            yield _shown(obj, pointer, text(one["expr"]), place, certain=bool(_engine(one)))
    for one in map(mapping, sequence(mapping(board.get("templating")).get("list"))):
        if _engine(one) in ("", "prometheus") and one.get("type") == "query":
            yield from _variable(obj, pointer, one)


def _variable(obj: Object, pointer: str, one: Mapping[str, Any]) -> Iterator[Query]:
    asks = one.get("query")
    written = text(asks) or text(mapping(asks).get("query"))
    place = f"variable {text(one.get('name'))!r}"
    if found := _LABEL_VALUES.match(written):
        yield _shown(obj, pointer, found[1], place, label=found[2])
    elif found := _RESULT.match(written):
        yield _shown(obj, pointer, found[1], place)


def _shown(
    obj: Object, pointer: str, written: str, place: str, *, label: str = "", certain: bool = True
) -> Query:
    """A query of a dashboard, with Grafana's variables filled in."""
    fallback = filled(written, _GRAFANA, PLACEHOLDER)
    return Query(
        obj, pointer, filled(written, _GRAFANA), place, label=label, fallback=fallback, certain=certain
    )


def _panels(panels: Iterable[object]) -> Iterator[Mapping[str, Any]]:
    """Panels and those inside collapsed rows."""
    for panel in map(mapping, panels):
        yield panel
        yield from _panels(sequence(panel.get("panels")))


def _engine(owner: Mapping[str, Any]) -> str:
    """The type of the data source; empty where only its name or nothing is given."""
    return text(mapping(owner.get("datasource")).get("type"))


def filled(written: str, pattern: re.Pattern[str], free: str = "1") -> str:
    """The query with every placeholder replaced by something of the kind that its place takes.

    `free` stands where either a number or a series may.
    """
    done, last = "", 0
    for found in pattern.finditer(written):
        done += written[last : found.start()]
        done += _stand_in(done, written[found.end() : found.end() + 1]) or free
        last = found.end()
    return done + written[last:]


def _stand_in(prefix: str, after: str) -> str:
    quote, opened = _open(prefix)
    if quote or _CLAUSE.search(prefix):
        return PLACEHOLDER
    if opened == "[" or _OFFSET.search(prefix):
        if prefix[-1:].isdigit():
            return "m"
        return "5" if after.isalpha() else "5m"
    if opened == "{":
        value = prefix.rstrip()[-1:] in "=~"
        return f'"{PLACEHOLDER}"' if value else f'{PLACEHOLDER}=""'
    if _NUMBER.search(prefix):
        return "1"
    adjacent = prefix[-1:] + after
    return PLACEHOLDER if any(char.isalnum() or char in "_:{" for char in adjacent) else ""


def _open(prefix: str) -> tuple[str, str]:
    """The quote that is open at the end of the text, and the innermost open bracket."""
    quote, stack, skip = "", "", False
    for char in prefix:
        if skip:
            skip = False
        elif quote:
            skip = char == "\\" and quote != "`"
            quote = "" if char == quote else quote
        elif char in "\"'`":
            quote = char
        elif char in "([{":
            stack += char
        elif char in ")]}":
            stack = stack[:-1]
    return quote, stack[-1:]
