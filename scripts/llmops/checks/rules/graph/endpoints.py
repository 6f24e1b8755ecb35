"""What a monitor does at each endpoint: is there one, under which path, and how are its labels made?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.checks.rules.graph.monitors import POD_MONITOR, SERVICE_MONITOR, scraped
from llmops.findings import Finding
from llmops.references import Pods, mapping, sequence, text, walk
from llmops.release import Release

_ENDPOINTS = {"PodMonitor": "/spec/podMetricsEndpoints", "ServiceMonitor": "/spec/endpoints"}
_ENGINE = re.compile(r"(?:^|/)vllm/vllm-openai(?:[:@-]|$)")
_PATH = "/metrics"
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


@rule("LG111", severity=ERROR, fix="Write path: /metrics, or leave path out.")
def scrape_path_unknown(release: Release) -> Iterator[Finding]:
    """vLLM shows its metrics under /metrics alone; under another path the target is down, though the engine is well.

    Judged are endpoints whose pods have one container, the image vllm/vllm-openai.
    """
    objects = graph(release)
    seen: set[tuple[int, str]] = set()
    for monitor in objects.of_kind(POD_MONITOR, SERVICE_MONITOR):
        for pointer, pods, _ in scraped(objects, monitor):
            path = text(monitor.get(f"{pointer}/path")) or _PATH
            if path != _PATH and _is_engine(pods) and (id(monitor), pointer) not in seen:
                seen.add((id(monitor), pointer))
                message = (
                    f"{pods.owner.kind} {pods.owner.name} runs vLLM, which answers nothing under {path}."
                )
                yield defect(monitor, f"{pointer}/path", message)


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
                if wrong := _broken(text(regex)):
                    yield defect(monitor, pointer, f"{text(regex)} is no regular expression: {wrong}.")


def _is_engine(pods: Pods) -> bool:
    images = [text(mapping(one).get("image")) for one in sequence(pods.spec.get("containers"))]
    return len(images) == 1 and bool(_ENGINE.search(images[0]))


def _broken(regex: str) -> str:
    """Why neither dialect takes it; empty when one of them may."""
    if "\\Q" in regex:
        return ""
    try:
        re.compile(regex)
    except re.error as error:
        return error.msg if error.msg.startswith(_BROKEN) else ""
    return ""
