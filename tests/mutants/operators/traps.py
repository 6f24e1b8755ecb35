"""What charts for models take care of and people forget: devices, start-up, blind gates, halves that do not meet."""

from __future__ import annotations

from typing import Any

from tests.mutants.operators.pods import BOX, ENGINE, has_gpu
from tests.mutants.plant import ABSENT, DROP, Change, Row, plus, typo

CONDITION = "spec/metrics/*/successCondition"
QUERY = "spec/metrics/*/provider/prometheus/query"


def counted(obj: dict[str, Any]) -> bool:
    return any(one.get("count") and "job" not in one["provider"] for one in obj["spec"]["metrics"])


def queried(obj: dict[str, Any]) -> bool:
    return all("prometheus" in one["provider"] for one in obj["spec"]["metrics"])


def at_count(metrics: Any) -> Any:
    """Every measurement may fail."""
    for one in metrics:
        if isinstance(one.get("count"), int):
            one["failureLimit"] = one["count"]
            one.pop("consecutiveSuccessLimit", None)
            return metrics
    return ABSENT


TABLE: dict[str, tuple[Row, ...]] = {
    "servers": (
        Change("ranks without GPUs", ENGINE, f"{BOX}/args", plus("--tensor-parallel-size=16"), has_gpu),
        Change("API on another port", ENGINE, f"{BOX}/args", plus("--port=9000"), has_gpu),
        Change("probe of another server", ENGINE, f"{BOX}/readinessProbe/httpGet/path", "/healthz", has_gpu),
        Change("no start-up probe", ENGINE, f"{BOX}/startupProbe", DROP, has_gpu),
        Change("all GPUs of the node", ENGINE, f"{BOX}/env",
               plus({"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}), has_gpu),
        Change("the engine's own port for the API", ENGINE, f"{BOX}/env", plus({"name": "VLLM_PORT", "value": "8000"}),
               has_gpu),
        Change("memory below its volumes", ENGINE, f"{BOX}/resources/limits/memory", "1Gi", has_gpu),
        Change("answers end after five seconds", "HTTPRoute", "spec/rules/*/timeouts", {"request": "5s"}),
        Change("answers end after five seconds", "VirtualService", "spec/http/*/timeout", "5s"),
    ),
    "blind gates": (
        Change("no answer passes", "AnalysisTemplate", CONDITION, "len(result) == 0 || result[0] < 1", queried),
        Change("nothing is below a limit", "AnalysisTemplate", CONDITION, "all(result, # < 1)", queried),
        Change("all measurements may fail", "AnalysisTemplate", "spec/metrics", at_count, counted),
        Change("an outage is a zero to KEDA", "ScaledObject", "spec/triggers/*/metadata/query",
               lambda old: f"({old}) or vector(0)"),
        Change("an outage leaves two servers", "ScaledObject", "spec/fallback/behavior", "static"),
        Change("address of the API", "ScaledObject", "spec/triggers/*/metadata/serverAddress",
               lambda old: f"{old}/api/v1/query"),
        Change("address without scheme", "AnalysisTemplate", "spec/metrics/*/provider/prometheus/address",
               lambda old: old.removeprefix("http://")),
    ),
    "halves": (
        Change("binding of no policy", "ValidatingAdmissionPolicyBinding", "spec/policyName", typo),
        Change("a total under a part", "PrometheusRule", "spec/groups/*/rules/*/expr",
               lambda old: f"sum by (release) ({old}) / sum({old})" if old.startswith("sum by (name") else ABSENT),
    ),
}  # fmt: skip
