"""Mistakes of updates and of scale: Rollouts, analyses, autoscalers, jobs."""

from __future__ import annotations

from typing import Any

from tests.mutants.plant import ABSENT, DROP, WORKLOAD, Added, Change, Removed, Row, again, plus, swap, typo

CANARY = "spec/strategy/canary"
METRIC = "spec/metrics/*"


def backwards(steps: Any) -> Any:
    """The first weights in the wrong order."""
    at = [index for index, step in enumerate(steps) if "setWeight" in step]
    if len(at) < 2:
        return ABSENT
    steps[at[0]], steps[at[-1]] = steps[at[-1]], steps[at[0]]
    return steps


def routed(obj: dict[str, Any]) -> bool:
    return "trafficRouting" in obj["spec"]["strategy"].get("canary", {})


TABLE: dict[str, tuple[Row, ...]] = {
    "rollout": (
        Change("weight above 100", "Rollout", f"{CANARY}/steps/*/setWeight", 110),
        Change("weight as percent", "Rollout", f"{CANARY}/steps/*/setWeight", "20%"),
        Change("weights in wrong order", "Rollout", f"{CANARY}/steps", backwards),
        Change("pause in words", "Rollout", f"{CANARY}/steps", plus({"pause": {"duration": "5 minutes"}})),
        Change("step of two kinds", "Rollout", f"{CANARY}/steps", plus({"setWeight": 50, "pause": {}})),
        Change("unknown step", "Rollout", f"{CANARY}/steps", plus({"setWeights": 50})),
        Change("stable Service typo", "Rollout", f"{CANARY}/stableService", typo),
        Change("canary Service typo", "Rollout", f"{CANARY}/canaryService", typo),
        Change("one Service for both", "Rollout", f"{CANARY}/canaryService",
               lambda old: old.removesuffix("-canary")),
        Change("canary Service missing", "Rollout", f"{CANARY}/canaryService", DROP, routed),
        Change("TraefikService typo", "Rollout", f"{CANARY}/trafficRouting/traefik/weightedTraefikServiceName", typo),
        Change("HTTPRoute typo", "Rollout", f"{CANARY}/trafficRouting/plugins/argoproj-labs~1gatewayAPI/httpRoute",
               typo),
        Change("VirtualService typo", "Rollout", f"{CANARY}/trafficRouting/istio/virtualService/name", typo),
        Change("route of the VirtualService typo", "Rollout",
               f"{CANARY}/trafficRouting/istio/virtualService/routes/*", typo),
        Change("active Service typo", "Rollout", "spec/strategy/blueGreen/activeService", typo),
        Change("preview is active", "Rollout", "spec/strategy/blueGreen/previewService",
               lambda old: old.removesuffix("-preview")),
        Change("no strategy", "Rollout", "spec/strategy", {}),
        Change("both strategies", "Rollout", "spec/strategy/blueGreen", {"activeService": "x"},
               lambda obj: "canary" in obj["spec"]["strategy"]),
        Change("deadline below start-up", "Rollout", "spec/progressDeadlineSeconds", 60),
        Change("neither surge nor missing pods", "Rollout", f"{CANARY}/maxSurge", 0,
               lambda obj: not routed(obj) and obj["spec"]["strategy"].get("canary", {}).get("maxUnavailable") == 0),
        # No row for a short scaleDownDelaySeconds: preStop and --shutdown-timeout still let every stream end.
        Change("dynamic scale with delay", "Rollout", f"{CANARY}/dynamicStableScale", True,
               lambda obj: "scaleDownDelaySeconds" in obj["spec"]["strategy"].get("canary", {})),
        Change("replicas as text", WORKLOAD, "spec/replicas", "two"),
        Change("replicas negative", WORKLOAD, "spec/replicas", -1),
        Change("unknown key", "Rollout", f"{CANARY}/maxsurge", 1),
        Change("replaces the Deployment's strategy", "Deployment", "spec/strategy", {"type": "Canary"}),
        Change("Recreate with numbers", "Deployment", "spec/strategy",
               {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        Change("version label on a steered Service", "Service", "metadata/labels/app.kubernetes.io~1version", "1.0.1",
               lambda obj: obj["metadata"]["labels"].get("app.kubernetes.io/component") == "engine"),
        Change("weights in the TraefikService", "TraefikService", "spec/weighted/services/*/weight", 50),
    ),
    "analysis": (
        Change("template typo", "Rollout", f"{CANARY}/steps/*/analysis/templates/*/templateName", typo),
        Removed("template dropped", "AnalysisTemplate"),
        Change("background template typo", "Rollout", f"{CANARY}/analysis/templates/*/templateName", typo),
        Change("no templates", "Rollout", f"{CANARY}/steps/*/analysis/templates", []),
        Change("argument not given", "Rollout", f"{CANARY}/steps/*/analysis/args",
               lambda old: [one for one in old if one["name"] != "canary-hash"]),
        Change("argument name typo", "Rollout", f"{CANARY}/steps/*/analysis/args/0/name", typo),
        Change("argument that the template does not declare", "Rollout", f"{CANARY}/steps/*/analysis/args",
               plus({"name": "service", "value": "x"})),
        Change("argument not declared", "AnalysisTemplate", "spec/args",
               lambda old: [one for one in old if one["name"] != "canary-hash"]),
        Change("used argument typo", "AnalysisTemplate", f"{METRIC}/provider/prometheus/headers/0/value",
               "Bearer {{args.gate_token}}"),
        Change("query with unknown argument", "AnalysisTemplate", f"{METRIC}/provider/prometheus/query",
               swap("args.canary-hash", "args.canary")),
        Change("no condition", "AnalysisTemplate", METRIC, lambda old: {
            key: value for key, value in old.items() if not key.endswith("Condition")}
            if "successCondition" in old else ABSENT),
        Change("condition not parsable", "AnalysisTemplate", f"{METRIC}/successCondition", "result.outcome = 'pass'"),
        Change("unguarded result", "AnalysisTemplate", f"{METRIC}/successCondition", swap("len(result) > 0 && ", "")),
        Change("interval without unit", "AnalysisTemplate", f"{METRIC}/interval", "10"),
        Change("patience above count", "AnalysisTemplate", f"{METRIC}/inconclusiveLimit", 100000,
               lambda obj: obj["metadata"]["name"].endswith("started")),
        Change("two providers", "AnalysisTemplate", f"{METRIC}/provider/web",
               {"url": "http://x", "jsonPath": "{$}"}, lambda obj: obj["metadata"]["name"].endswith("started")),
        Change("no provider", "AnalysisTemplate", f"{METRIC}/provider", {}),
        Change("metric name twice", "AnalysisTemplate", "spec/metrics", again),
        Change("query not parsable", "AnalysisTemplate", f"{METRIC}/provider/prometheus/query", swap(")", "")),
        # No row for another name than `up`: a metric of a program that nobody knows looks just like it.
        Change("no metrics", "AnalysisTemplate", "spec/metrics", []),
        Change("interval without count", "AnalysisTemplate", f"{METRIC}/count", DROP,
               lambda obj: obj["metadata"]["name"].endswith("gate")),
    ),
    "scaling": (
        Change("target typo", "HorizontalPodAutoscaler ScaledObject", "spec/scaleTargetRef/name", typo),
        Added("two autoscalers of one server", lambda obj: {
            **obj, "metadata": {**obj["metadata"], "name": "second"}}
            if obj["kind"] == "HorizontalPodAutoscaler" else None),
        Change("target is no Deployment", "HorizontalPodAutoscaler", "spec/scaleTargetRef",
               {"apiVersion": "apps/v1", "kind": "Deployment", "name": "qwen3-8b"}),
        Change("API version of the target", "HorizontalPodAutoscaler ScaledObject",
               "spec/scaleTargetRef/apiVersion", "apps/v1"),
        Change("least above most", "HorizontalPodAutoscaler", "spec/minReplicas", 9),
        Change("least above most", "ScaledObject", "spec/minReplicaCount", 9),
        Change("target with unit", "HorizontalPodAutoscaler",
               "spec/metrics/*/external/target/averageValue", "16req"),
        Change("target missing", "HorizontalPodAutoscaler", "spec/metrics/*/external/target/averageValue", DROP),
        Change("metric name typo", "HorizontalPodAutoscaler", "spec/metrics/*/external/metric/name", typo),
        Change("total read as average", "HorizontalPodAutoscaler", "spec/metrics/*/external/target",
               {"type": "Value", "value": "16"}),
        Change("tolerance left at 10 %", "HorizontalPodAutoscaler", "spec/behavior/scaleUp/tolerance", DROP,
               # Where stable follows the canary, or the new version has no share of the load, 10 % hide nothing.
               not_in=("dynamic", "blue-green")),
        Change("GPU as a resource metric", "HorizontalPodAutoscaler", "spec/metrics",
               [{"type": "Resource", "resource": {"name": "nvidia.com/gpu",
                                                  "target": {"type": "Utilization", "averageUtilization": 70}}}]),
        Change("to zero on utilization", "HorizontalPodAutoscaler", "spec/minReplicas", 0),
        Change("metric of another type", "HorizontalPodAutoscaler", "spec/metrics/*/type", "Pods"),
        Change("window above an hour", "HorizontalPodAutoscaler",
               "spec/behavior/scaleDown/stabilizationWindowSeconds", 7200),
        Change("policy without period", "HorizontalPodAutoscaler",
               "spec/behavior/scaleUp/policies/*/periodSeconds", DROP),
        Change("replicas beside the autoscaler", "Rollout", "spec/replicas", 2,
               lambda obj: "replicas" not in obj["spec"]),
        Change("no fallback", "ScaledObject", "spec/fallback", DROP),
        Change("null counts as zero", "ScaledObject", "spec/triggers/*/metadata/ignoreNullValues", DROP),
        Change("query not parsable", "ScaledObject", "spec/triggers/*/metadata/query", swap("sum by (", "sum by ")),
        Change("metric name typo", "ScaledObject", "spec/triggers/*/metadata/query",
               swap("vllm:num_requests_running", "vllm:num_request_running")),
        Change("one series per pod", "ScaledObject", "spec/triggers/*/metadata/query",
               lambda old: old.replace("sum by (namespace, release)", "sum by (namespace, pod)")),
        Change("threshold as number", "ScaledObject", "spec/triggers/*/metadata/threshold", 16),
        Change("threshold missing", "ScaledObject", "spec/triggers/*/metadata/threshold", DROP),
        Change("cold start not covered", "HorizontalPodAutoscaler",
               "spec/behavior/scaleUp/policies/*/periodSeconds", 15),
    ),
    "jobs": (
        Change("four fields", "CronJob", "spec/schedule", "20 2 * *"),
        Change("minute 61", "CronJob", "spec/schedule", "61 2 * * *"),
        Change("time zone typo", "CronJob", "spec/timeZone", "Asia/Shangai"),
        Change("time zone in the schedule", "CronJob", "spec/schedule", "CRON_TZ=UTC 20 2 * * *"),
        Change("concurrency typo", "CronJob", "spec/concurrencyPolicy", "forbid"),
        Change("negative retries", "CronJob", "spec/jobTemplate/spec/backoffLimit", -1),
        Change("removed API", "CronJob", "apiVersion", "batch/v1beta1"),
        Change("30 February", "CronJob", "spec/schedule", "0 0 30 2 *"),
        Change("pod under the job itself", "CronJob", "spec/jobTemplate/spec/template", {"spec": {}}),
    ),
}  # fmt: skip
