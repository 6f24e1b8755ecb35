"""The Prometheus operator's selectors: who of the same input takes up a monitor, a rule or a configuration?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.checks.rules.graph.monitors import POD_MONITOR, SERVICE_MONITOR
from llmops.findings import Finding
from llmops.kubernetes.kinds import Kind
from llmops.labels import matches
from llmops.references import Graph, mapping, sequence, text
from llmops.release import Release
from llmops.render.manifest import Object

_OPERATOR = "monitoring.coreos.com"
PROMETHEUS: Kind = (_OPERATOR, "Prometheus")
ALERTMANAGER: Kind = (_OPERATOR, "Alertmanager")
CONFIG: Kind = (_OPERATOR, "AlertmanagerConfig")
_SCRAPERS = (PROMETHEUS, (_OPERATOR, "PrometheusAgent"))
# What is selected, by whom, and how its selectors are called.
_SELECTED: tuple[tuple[Kind, tuple[Kind, ...], str], ...] = (
    (POD_MONITOR, _SCRAPERS, "podMonitor"),
    (SERVICE_MONITOR, _SCRAPERS, "serviceMonitor"),
    ((_OPERATOR, "Probe"), _SCRAPERS, "probe"),
    ((_OPERATOR, "ScrapeConfig"), _SCRAPERS, "scrapeConfig"),
    ((_OPERATOR, "PrometheusRule"), (PROMETHEUS, (_OPERATOR, "ThanosRuler")), "rule"),
    (CONFIG, (ALERTMANAGER,), "alertmanagerConfig"),
)
_NAME = "kubernetes.io/metadata.name"


@rule(
    "LG131",
    severity=ERROR,
    fix="Give the object, or its namespace, the labels that the selector asks for, or widen the selector.",
)
def selected_by_nobody(release: Release) -> Iterator[Finding]:
    """What no Prometheus or Alertmanager selects is there, and has no effect: no targets, no alerts, no receiver.

    Judged is an input that brings both halves. A selector that is not written selects nothing, an empty one everything;
    without a selector of namespaces it looks in its own.
    """
    objects = graph(release)
    for kind, by, field in _SELECTED:
        operators = [one for one in objects.of_kind(*by) if _manages(one)]
        for obj in objects.of_kind(kind) if operators else ():
            whys = [_not_by(objects, one, obj, field) for one in operators]
            if all(whys):
                pointer, why = next(filter(None, whys))
                yield defect(
                    obj, pointer, f"no {' or '.join(one[1] for one in by)} of this input selects it: {why}."
                )


@rule(
    "LG132",
    severity=ERROR,
    fix="Write alertmanagerConfigMatcherStrategy: {type: None} into the Alertmanager, or leave the matcher out.",
)
def matcher_of_another_namespace(release: Release) -> Iterator[Finding]:
    """The operator adds namespace=<its own> to every route and inhibition of an AlertmanagerConfig.

    A matcher that asks for another namespace as well is then never met, and no alert arrives. Judged are inputs with
    the Alertmanager, whose strategy may say otherwise.
    """
    objects = graph(release)
    for config in objects.of_kind(CONFIG):
        space = objects.namespace_of(config)
        held = objects.of_kind(ALERTMANAGER)
        takers = [one for one in held if not _not_by(objects, one, config, "alertmanagerConfig")] or held
        if not takers or not all(_adds_namespace(objects, one, space) for one in takers):
            continue
        for pointer, matcher in _matchers(config.get("/spec/route"), "/spec/route"):
            asked = text(matcher.get("value"))
            plain = matcher.get("matchType", "=") == "=" and not matcher.get("regex")
            if matcher.get("name") == "namespace" and plain and asked != space:
                message = (
                    f"the operator adds namespace={space} to this route, which asks for namespace={asked}."
                )
                yield defect(config, pointer, message)


def _adds_namespace(objects: Graph, alertmanager: Object, space: str) -> bool:
    strategy = text(alertmanager.get("/spec/alertmanagerConfigMatcherStrategy/type")) or "OnNamespace"
    own = objects.namespace_of(alertmanager) == space
    return strategy == "OnNamespace" or (strategy == "OnNamespaceExceptForAlertmanagerNamespace" and not own)


def _matchers(route: Any, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, one in enumerate(sequence(mapping(route).get("matchers"))):
        yield f"{at}/matchers/{index}", mapping(one)
    for index, child in enumerate(sequence(mapping(route).get("routes"))):
        yield from _matchers(child, f"{at}/routes/{index}")


def _manages(operator: Object) -> bool:
    """Whether it takes anything up by selectors: without any of them its configuration is somebody's own."""
    return any(operator.get(f"/spec/{field}Selector") is not None for _, _, field in _SELECTED)


def _not_by(objects: Graph, operator: Object, obj: Object, field: str) -> tuple[str, str] | None:
    """(pointer in the object, reason) why an operator's object does not select another; None where it may."""
    who = f"{operator.kind} {operator.name}"
    if field == "alertmanagerConfig" and operator.get("/spec/alertmanagerConfiguration/name") == obj.name:
        return None
    chosen = operator.get(f"/spec/{field}Selector")
    if not isinstance(chosen, dict):
        return "/metadata", f"{who} has no {field}Selector"
    if not matches(chosen, obj.labels):
        return "/metadata/labels" if obj.labels else "/metadata", f"{who} wants {_spelled(chosen)}"
    spaces, space = operator.get(f"/spec/{field}NamespaceSelector"), objects.namespace_of(obj)
    if not isinstance(spaces, dict):
        if objects.namespace_of(operator) == space:
            return None
        return "/metadata", f"{who} looks in its own namespace {objects.namespace_of(operator)}"
    held = objects.find(("", "Namespace"), "", space)
    keys = {*mapping(spaces.get("matchLabels"))}
    keys |= {text(mapping(one).get("key")) for one in sequence(spaces.get("matchExpressions"))}
    unknown = frozenset(keys - {_NAME}) if held is None else frozenset()
    labels = {**(held.labels if held else {}), _NAME: space}
    return (
        None
        if matches(spaces, labels, unknown)
        else ("/metadata", f"{who} wants namespaces with {_spelled(spaces)}")
    )


def _spelled(selector: dict[str, Any]) -> str:
    named = [f"{key}={value}" for key, value in mapping(selector.get("matchLabels")).items()]
    for one in map(mapping, sequence(selector.get("matchExpressions"))):
        values = ", ".join(map(str, sequence(one.get("values"))))
        named.append(f"{one.get('key')} {one.get('operator')} {values}".strip())
    return " and ".join(named)
