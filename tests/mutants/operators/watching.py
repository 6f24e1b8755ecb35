"""Mistakes of monitoring: scrapes, rules, dashboards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.mutants.plant import ABSENT, DROP, Change, again, plus, swap, typo

EXPR = "spec/groups/*/rules/*/expr"
MONITORS = "PodMonitor ServiceMonitor"


def panel(change: Callable[[str], Any]) -> Callable[[Any], Any]:
    """The first query of a dashboard that the change applies to."""

    def spoil(text: Any) -> Any:
        if not isinstance(text, str) or '"panels"' not in text:
            return ABSENT
        board = json.loads(text)
        for target in _targets(board):
            if (new := change(target["expr"])) is not ABSENT:
                target["expr"] = new
                return json.dumps(board)
        return ABSENT

    return spoil


def _targets(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        own = [node] if isinstance(node.get("expr"), str) else []
        return own + [one for child in node.values() for one in _targets(child)]
    return [one for child in node for one in _targets(child)] if isinstance(node, list) else []


TABLE: dict[str, tuple[Change, ...]] = {
    "scrape": (
        Change("port name typo", MONITORS, "spec/podMetricsEndpoints/*/port", typo),
        Change("port name of the number", "PodMonitor", "spec/podMetricsEndpoints/*/port", "metrics"),
        Change("port name typo", "ServiceMonitor", "spec/endpoints/*/port", typo),
        Change("selector typo", MONITORS, "spec/selector/matchLabels/app.kubernetes.io~1instance", typo),
        Change("other namespace", MONITORS, "spec/namespaceSelector", {"matchNames": ["elsewhere"]}),
        Change("interval without unit", "PodMonitor", "spec/podMetricsEndpoints/*/interval", "15"),
        Change("no endpoints", "PodMonitor", "spec/podMetricsEndpoints", []),
        Change("relabel action typo", "PodMonitor", "spec/podMetricsEndpoints/*/relabelings/*/action", "keeep"),
        Change("regex not closed", "PodMonitor", "spec/podMetricsEndpoints/*/relabelings/*/regex", "(.+"),
        Change("key typo", "PodMonitor", "spec/podMetricEndpoints", [{"port": "http"}]),
        Change("endpoints of a ServiceMonitor", "PodMonitor", "spec/endpoints", [{"port": "http"}]),
        Change("path of another program", "PodMonitor", "spec/podMetricsEndpoints/*/path", "/v1/metrics"),
    ),
    "rules": (
        Change("metric name typo", "PrometheusRule", EXPR,
               swap("vllm:num_requests_running", "vllm:num_request_running")),
        Change("underscore for colon", "PrometheusRule", EXPR, swap("vllm:num_requests", "vllm_num_requests")),
        Change("metric that newer engines lack", "PrometheusRule", EXPR,
               swap("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")),
        Change("counter without _total", "PrometheusRule", EXPR, swap("prompt_tokens_total", "prompt_tokens")),
        Change("bracket lost", "PrometheusRule", EXPR, swap("))", ")")),
        Change("range lost", "PrometheusRule", EXPR, swap("[5m]", "")),
        Change("range without unit", "PrometheusRule", EXPR, swap("[5m]", "[5]")),
        Change("label typo", "PrometheusRule", EXPR, swap("release=", "relase=")),
        Change("grouped by a label that is not there", "PrometheusRule", EXPR,
               swap("(namespace, release", "(namespace, deployment")),
        Change("quotes lost", "PrometheusRule", EXPR, swap('release="', "release=")),
        Change("expression missing", "PrometheusRule", EXPR, DROP),
        Change("rate of a gauge", "PrometheusRule", EXPR,
               lambda old: old.replace("(vllm:", "(rate(vllm:").replace('"}', '"}[5m])', 1)
               if "num_requests_running" in old and "bool" not in old else ABSENT),
        Change("raw counter", "PrometheusRule", EXPR,
               lambda old: old.replace("rate(", "(").replace("[5m]", "") if "_total{" in old else ABSENT),
        Change("record with dashes", "PrometheusRule", "spec/groups/*/rules/*/record", "llm-requests"),
        Change("record and alert", "PrometheusRule", "spec/groups/*/rules/*/alert", "Both",
               lambda obj: "record" in str(obj)),
        Change("group twice", "PrometheusRule", "spec/groups", again),
        Change("for without unit", "PrometheusRule", "spec/groups/*/rules/*/for", "5",
               lambda obj: "'alert'" in str(obj)),
        Change("key typo", "PrometheusRule", "spec/groups/*/rules/*/exprs", "up"),
        Change("label value that never is", "PrometheusRule", EXPR,
               swap("vllm:request_success_total{", 'vllm:request_success_total{finished_reason="succeeded", ')),
        Change("rule without name", "PrometheusRule", "spec/groups",
               plus({"name": "extra", "rules": [{"expr": "up"}]})),
    ),
    "dashboards": (
        Change("metric name typo", "ConfigMap", "data/*", panel(swap("llm:requests_running", "llm:request_running"))),
        Change("query not parsable", "ConfigMap", "data/*", panel(swap("sum", "sum("))),
        Change("no JSON", "ConfigMap", "data/*",
               lambda old: old[:-20] if isinstance(old, str) and '"panels"' in old else ABSENT),
    ),
}  # fmt: skip
