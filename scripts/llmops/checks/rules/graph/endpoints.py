"""What a monitor does at each endpoint: is there one, under which path, and how are its labels made?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from llmops import engines
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.checks.rules.graph.monitors import POD_MONITOR, SERVICE_MONITOR, Target, Targets
from llmops.engines import Engine
from llmops.findings import Finding
from llmops.references import Pods, mapping, sequence, text, walk
from llmops.release import Release

_ENDPOINTS = {"PodMonitor": "/spec/podMetricsEndpoints", "ServiceMonitor": "/spec/endpoints"}
_DEFAULT_PATH = "/metrics"
# What RE2, which Prometheus uses, refuses as well; the rest of the two dialects differs.
_BROKEN = ("missing )", "unterminated character set", "unbalanced parenthesis", "nothing to repeat")


@rule("LG110", severity=ERROR, fix="Write an endpoint with the port of the metrics.")
def monitor_without_endpoint(release: Release) -> Iterator[Finding]:
    """A monitor without endpoints scrapes nothing of what it selects, and is no error for anybody."""
    for monitor in graph(release).of_kind(POD_MONITOR, SERVICE_MONITOR):
        field = _ENDPOINTS[monitor.kind]
        if monitor.get("/spec/selector") is not None and not sequence(monitor.get(field)):
            stated = monitor.get(field) is not None
            yield defect(monitor, field if stated else "/spec", f"this {monitor.kind} has no endpoint.")


@rule(
    "LG111",
    severity=ERROR,
    fix="Write the path of the engine's metrics, for vLLM /metrics, which is the default.",
)
def scrape_path_unknown(release: Release) -> Iterator[Finding]:
    """An engine shows its metrics under one path; under another the target is down, though the engine is well.

    Judged are endpoints whose pods have one container, with an image that is known to run an engine.
    """
    objects = graph(release)
    running: dict[int, list[tuple[Pods, Engine]]] = {}
    for monitor in objects.of_kind(POD_MONITOR, SERVICE_MONITOR):
        paths = {text(path) for _, path in walk(monitor.data, f"{_ENDPOINTS[monitor.kind]}/*/path")}
        if {one or _DEFAULT_PATH for one in paths} | {one.metrics for one in engines.engines()} == {
            _DEFAULT_PATH
        }:
            continue
        for pointer, targets in objects.derived(Targets).of_monitor(monitor):
            path = text(monitor.get(f"{pointer}/path")) or _DEFAULT_PATH
            if id(targets) not in running:
                running[id(targets)] = list(_running(targets))
            known = running[id(targets)]
            pods, engine = next((one for one in known if one[1].metrics != path), (None, None))
            if pods and engine:
                owner = pods.owner
                message = (
                    f"{owner.kind} {owner.name} runs {engine.title}, which answers nothing under {path}."
                )
                spare = ", or leave path out" if engine.metrics == _DEFAULT_PATH else ""
                fix = f"Write path: {engine.metrics}{spare}."
                yield defect(monitor, f"{pointer}/path", message, fix=fix)


def _running(targets: Iterable[Target]) -> Iterator[tuple[Pods, Engine]]:
    """The first pods that run each engine."""
    seen: set[str] = set()
    for pods, _ in targets:
        engine = _engine(pods)
        if engine and engine.metrics not in seen:
            seen.add(engine.metrics)
            yield pods, engine


@rule(
    "LG112",
    severity=WARNING,
    fix="Correct the expression; a bracket that is meant literally has a backslash before it.",
)
def relabelling_unparsable(release: Release) -> Iterator[Finding]:
    """A relabelling whose regex does not parse makes the operator leave the whole monitor out.

    It says so in its own log and in an event alone.
    """
    for monitor in graph(release).of_kind(POD_MONITOR, SERVICE_MONITOR):
        for field in ("relabelings", "metricRelabelings"):
            for pointer, regex in walk(monitor.data, f"{_ENDPOINTS[monitor.kind]}/*/{field}/*/regex"):
                if wrong := broken(text(regex)):
                    yield defect(monitor, pointer, f"{text(regex)} is no regular expression: {wrong}.")


def _engine(pods: Pods) -> Engine | None:
    images = [text(mapping(one).get("image")) for one in sequence(pods.spec.get("containers"))]
    found = engines.of_image(images[0]) if len(images) == 1 else None
    return found.engine if found else None


def broken(regex: str) -> str:
    """Why neither dialect takes it; empty when one of them may."""
    if "\\Q" in regex:
        return ""
    try:
        re.compile(regex)
    except re.error as error:
        return error.msg if error.msg.startswith(_BROKEN) else ""
    return ""
