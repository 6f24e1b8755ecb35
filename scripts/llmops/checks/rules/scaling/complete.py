"""What an autoscaler needs before it scales at all: bounds in order, whole triggers, a metric that somebody makes."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import number
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.checks.rules.scaling.keda import prometheus_triggers
from llmops.findings import Finding
from llmops.kubernetes.kinds import HPA, SCALED_OBJECT
from llmops.kubernetes.wording import closest
from llmops.references import mapping, text, walk
from llmops.release import Release

# What the adapter's rules of llm-platform offer; every other name with this beginning is nobody's.
OFFERED = (
    "llm_gpu_utilization",
    "llm_prompt_tokens_waiting",
    "llm_requests_demand",
    "llm_requests_demand_by_latency",
    "llm_requests_per_second",
)
_PREFIX = "llm_"
_NEEDED = ("serverAddress", "query", "threshold")
_LONGEST = 1800


@rule("LR204", severity=ERROR, fix="Write an idleReplicaCount below minReplicaCount, or leave it out.")
def keda_idle_above_least(release: Release) -> Iterator[Finding]:
    """KEDA refuses an idle number that is not below the least one: the object is stored, and scales nothing.

    That the least is at most the most is a rule of its definition.
    """
    for scaler in graph(release).of_kind(SCALED_OBJECT):
        low, idle = (number(scaler.get(f"/spec/{key}")) for key in ("minReplicaCount", "idleReplicaCount"))
        if low is not None and idle is not None and idle >= low:
            yield defect(scaler, "/spec/idleReplicaCount", f"{idle} when idle, but at least {low} when not.")


@rule(
    "LR205", severity=ERROR, fix="Write serverAddress, query and threshold into the metadata of the trigger."
)
def keda_trigger_incomplete(release: Release) -> Iterator[Finding]:
    """A Prometheus trigger that lacks one of its parts fails to build, and with it the whole ScaledObject: no HPA."""
    for scaler, pointer, trigger in prometheus_triggers(graph(release)):
        given = mapping(trigger.get("metadata"))
        for key in _NEEDED:
            if not given.get(key) and not given.get(f"{key}FromEnv"):
                yield defect(scaler, f"{pointer}/metadata", f"the trigger has no {key}.")


@rule("LR206", severity=WARNING, fix="Name a metric that the rules of the adapter make.")
def external_metric_unknown(release: Release) -> Iterator[Finding]:
    """An autoscaler on a metric that no rule of the adapter makes reads nothing, and keeps the servers it has.

    The names that begin with llm_ are those of the platform's rules; other names are not judged.
    """
    for scaler in graph(release).of_kind(HPA):
        for field in ("external", "pods"):
            for pointer, name in walk(scaler.data, f"/spec/metrics/*/{field}/metric/name"):
                if text(name).startswith(_PREFIX) and name not in OFFERED:
                    yield defect(scaler, pointer, f"no rule makes {name}{closest(name, OFFERED)}.")


@rule(
    "LR207",
    severity=WARNING,
    fix="Write a periodSeconds of at least gpu-hpa.coldStartSeconds (at most 1800).",
)
def faster_than_cold_start(release: Release) -> Iterator[Finding]:
    """Servers that were asked for do not help before they have loaded: a period that is shorter asks for them again.

    The load that waits meanwhile is counted once per period, and GPUs are taken that nobody needs.
    """
    cold = number(release.view.of("gpu-hpa").get("coldStartSeconds"))
    for scaler in graph(release).of_kind(HPA):
        for pointer, period in walk(scaler.data, "/spec/behavior/scaleUp/policies/*/periodSeconds"):
            if cold and isinstance(period, int) and 0 < period < min(cold, _LONGEST):
                message = (
                    f"more servers every {period} s, though one needs {cold} s (gpu-hpa.coldStartSeconds)."
                )
                yield defect(scaler, pointer, message)
