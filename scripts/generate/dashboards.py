"""charts/monitoring/dashboards/*.json: what one model does, and how a canary compares with stable.

Queries read recorded series only (llm:…), which are rates already: no range, so no `$__rate_interval` that could be
shorter than two scrapes. What the Rollouts controller says of itself has no recorded twin.
"""

from __future__ import annotations

import json
from pathlib import Path

from generate.gpu_dashboard import gpu
from generate.grafana import (
    Json,
    annotation,
    dashboard,
    lines,
    objective,
    stat,
    table,
    target,
    timeline,
    variable,
)

RELEASE = 'namespace="$namespace", release="$release"'
MODEL = f'{RELEASE}, model_name=~"$model"'
HASH = "rollouts_pod_template_hash"
LATENCIES = (
    ("e2e_latency", "e2e_p95_seconds", "Complete answer", "from arrival to the last token"),
    ("time_to_first_token", "ttft_p95_seconds", "First token", "from arrival to the first token"),
    ("inter_token_latency", "itl_p95_seconds", "Between tokens", "from one token of a stream to the next"),
)


def p95(signal: str, where: str, by: str = "") -> str:
    return f"histogram_quantile(0.95, sum by (le{by}) (llm:{signal}_seconds_bucket:rate5m{{{where}}}))"


def promised(name: str, where: str = MODEL) -> Json:
    return objective(f"max(llm:slo:{name}{{{where}}})")


def failed(where: str) -> str:
    """Share of answered requests with status 5xx: 0 while none was, no value without requests."""
    answered = f"sum(llm:http_requests:rate5m{{{where}}})"
    bad = f'sum(llm:http_requests:rate5m{{{where}, status="5xx"}})'
    return f"({bad} or 0 * {answered}) / ({answered} > 0)"


def broken(where: str) -> str:
    """Share of finished requests that the engine ended with an error: also those inside a stream that began as 200."""
    return (
        f'sum(llm:requests_finished:rate5m{{{where}, finished_reason="error"}})'
        f" / (sum(llm:requests_finished:rate5m{{{where}}}) > 0)"
    )


def controller(metric: str, more: str) -> str:
    """A metric of the Rollouts controller: its own namespace label may have become exported_namespace."""
    return (
        f'({metric}{{exported_namespace="$namespace", {more}}} or {metric}{{namespace="$namespace", {more}}})'
    )


def replicas(state: str) -> str:
    return controller(f"rollout_info_replicas_{state}", 'name="$release"')


def common() -> list[Json]:
    up, busy = "llm:engine_up:sum", "llm:requests_running:sum"
    return [
        variable("namespace", "Namespace", f"label_values({up}, namespace)"),
        variable("release", "Release", f'label_values({up}{{namespace="$namespace"}}, release)'),
        variable("model", "Model", f"label_values({busy}{{{RELEASE}}}, model_name)", every=True),
    ]


def updates() -> Json:
    both = f"count by (release) (llm:engine_up:sum{{{RELEASE}}} > 0) > 1"
    return annotation("Two versions", both, "Two versions of {{release}} serve", "blue")


def latency(signal: str, threshold: str, title: str, what: str) -> Json:
    return lines(
        f"{title}, p95",
        f"Seconds {what} that 95 of 100 stay below; the dashed line is what global.llm.slo promises, "
        "for releases with global.llm.components.alerts.",
        "s",
        target(p95(signal, MODEL), "p95"),
        promised(threshold),
    )


def model() -> Json:
    now = [
        stat("Servers up", "Scrape targets that answer.", "short",
             target(f"sum(llm:engine_up:sum{{{RELEASE}}})", "up")),
        stat("Servers down", "Scrape targets that do not answer; a server that still loads its model counts.", "short",
             target(f"sum(llm:engine_down:sum{{{RELEASE}}})", "down")),
        stat("Requests", "Answered requests per second on /v1/.", "reqps",
             target(f"sum(llm:http_requests:rate5m{{{RELEASE}}})", "requests")),
        stat("Failed", "Share of answered requests with status 5xx.", "percentunit", target(failed(RELEASE), "failed")),
        stat("Complete answer, p95", "Seconds that 95 of 100 complete answers stay below.", "s",
             target(p95("e2e_latency", MODEL), "p95")),
        stat("KV cache", "Fullest KV cache of all servers.", "percentunit",
             target(f"max(llm:kv_cache_usage_ratio:max{{{MODEL}}})", "fullest")),
    ]  # fmt: skip
    promises = [latency(*row) for row in LATENCIES]
    promises += [
        lines("Failed requests", "Share of requests: status 5xx as clients see it, and requests that the engine ended "
              "with an error, which a stream may hide behind status 200.", "percentunit",
              target(failed(RELEASE), "5xx"), target(broken(MODEL), "engine error"), promised("error_ratio")),
        lines("Requests by status", "Answered requests per second on /v1/ by class of status.", "reqps",
              target(f"sum by (status) (llm:http_requests:rate5m{{{RELEASE}}})", "{{status}}")),
        lines("Requests by end", "Finished requests per second by the reason of their end; length means cut off. "
              "A request that its client abandons is not counted.", "reqps",
              target(f"sum by (finished_reason) (llm:requests_finished:rate5m{{{MODEL}}})", "{{finished_reason}}")),
    ]  # fmt: skip
    load = [
        lines("Demand", "Requests in the batch and requests that wait for a place in it.", "short",
              target(f"sum(llm:requests_running:sum{{{MODEL}}})", "running"),
              target(f"sum(llm:requests_waiting:sum{{{MODEL}}})", "waiting")),
        lines("Queue time, p95", "Seconds that 95 of 100 requests wait less than.", "s",
              target(p95("queue_time", MODEL), "p95")),
        lines("Tokens", "Tokens per second: read from prompts, and written.", "short",
              target(f"sum(llm:prompt_tokens:rate5m{{{MODEL}}})", "prompt"),
              target(f"sum(llm:generation_tokens:rate5m{{{MODEL}}})", "generated")),
        lines("KV cache", "Fullest KV cache by version. At 1 requests wait or are pushed out.", "percentunit",
              target(f"max by ({HASH}) (llm:kv_cache_usage_ratio:max{{{MODEL}}})", f"{{{{{HASH}}}}}"), top=1),
        lines("Preemptions", "Requests per second that were pushed out of a full KV cache and computed again.", "reqps",
              target(f"sum(llm:preemptions:rate5m{{{MODEL}}})", "preemptions")),
        lines("Engine steps", "Steps per second of all engines: their heartbeat. With requests waiting and no step the "
              "engine hangs, though /health still answers.", "ops",
              target(f"sum(llm:engine_steps:rate3m{{{MODEL}}})", "steps")),
    ]  # fmt: skip
    health = [
        lines("Servers", "Scrape targets by state, and engines that have requests but made no step for three minutes.",
              "short",
              target(f"sum(llm:engine_up:sum{{{RELEASE}}})", "up"),
              target(f"sum(llm:engine_down:sum{{{RELEASE}}})", "down"),
              target(f"sum(llm:engine_stalled:sum{{{MODEL}}})", "stalled"), width=12,
              colors={"A": "green", "B": "orange", "C": "red"}),
        lines("Drift", "Distance between recent traffic and the reference, 0 to 1, by signal. Empty without "
              "global.llm.components.drift.", "percentunit",
              target(f"max by (signal) (llm_drift_score{{{MODEL}}})", "{{signal}}"), promised("drift_score"),
              width=12, top=1),
    ]  # fmt: skip
    rows = [("Now", now), ("Promises", promises), ("Load", load), ("Health", health)]
    text = "One model release: what it promises, what it does, and how full it is."
    return dashboard("llm-model", "LLM / Model", text, rows, common(), [updates()])


def versions() -> list[Json]:
    """Stable and canary: of the versions that serve, the oldest and the newest. Who is which no metric says."""
    up = f"llm:engine_up:sum{{{RELEASE}}}"
    first_seen = f"min_over_time(timestamp({up})[1d:1m]) and on ({HASH}) ({up} > 0)"
    pick = f'/{HASH}="([^"]+)"/'
    return [
        variable("stable", "Stable", f"query_result(sort({first_seen}))", regex=pick),
        variable("canary", "Canary", f"query_result(sort_desc({first_seen}))", regex=pick),
    ]


STABLE = f'{HASH}="$stable"'
CANARY = f'{HASH}="$canary"'
ARM = 'arm="canary"'


def compared(title: str, description: str, unit: str, query: str, *more: Json) -> Json:
    """Stable and canary in one graph; `query` has WHERE in the place of the version."""
    return lines(
        title,
        description,
        unit,
        target(query.replace("WHERE", STABLE), "stable $stable"),
        target(query.replace("WHERE", CANARY), "canary $canary"),
        *more,
        colors={"A": "green", "B": "orange"},
    )


def judged(metric: str, more: str = "") -> str:
    """A metric of the canary gate, of the version that it looked at last: also when that is gone, after an abort."""
    last = f"topk(1, llm_gate_last_look_timestamp_seconds{{{RELEASE}}})"
    return f"{metric}{{{', '.join(filter(None, (RELEASE, more)))}}} and on ({HASH}) {last}"


def canary() -> Json:
    phase = controller("rollout_info", 'name="$release"')
    runs = controller("analysis_run_info", 'name=~"$release-.*"')
    checks = controller("analysis_run_metric_phase", 'name=~"$release-.*"')
    state = [
        stat("Rollout", "Phase of the Rollout as its controller counts it.", "none",
             target(f"max by (phase) ({phase} == 1)", "{{phase}}"), text="name"),
        stat("Servers wanted", "Pods that the Rollout wants over all versions.", "short",
             target(f"max({replicas('desired')})", "wanted")),
        stat("Servers of the canary", "Scrape targets of the newest version that answer.", "short",
             target(f"sum(llm:engine_up:sum{{{RELEASE}, {CANARY}}})", "up")),
        stat("Share of the canary", "Share of answered requests that the newest version answered.", "percentunit",
             target(f"sum(llm:http_requests:rate5m{{{RELEASE}, {CANARY}}})"
                    f" / (sum(llm:http_requests:rate5m{{{RELEASE}}}) > 0)", "share")),
        stat("Canary / stable, p95", "Complete answers: p95 of the newest version over p95 of the oldest.", "none",
             target(f"{p95('e2e_latency', f'{RELEASE}, {CANARY}')} / {p95('e2e_latency', f'{RELEASE}, {STABLE}')}",
                    "ratio")),
        stat("Failed by the canary", "Share of its answered requests with status 5xx.", "percentunit",
             target(failed(f"{RELEASE}, {CANARY}"), "failed")),
    ]  # fmt: skip
    gates = [
        timeline("Verdicts", "What each gate said of the version that was judged last. Empty without a canary gate in "
                 "the cluster, and before its first look.",
                 target(f"max by (gate) ({judged('llm_gate_outcome')})", "{{gate}}"),
                 states={1: ("pass", "green"), 0: ("wait", "blue"), -1: ("fail", "red")}, width=12),
        lines("Statistic / bound", "Each gate's evidence that the new version is worse. From 1 on chance does not "
              "explain it, and the gate fails if it is also large enough to matter. No line while it is too early to "
              "test.", "none",
              target(f"max by (gate) ({judged('llm_gate_statistic')}) / max by (gate) ({judged('llm_gate_bound')})",
                     "{{gate}}"), objective("vector(1)"), width=12, bottom=None),
        lines("Requests measured", "Requests that the gate has counted of the version judged last, and of the version "
              "that serves beside it; the dashed line is what a decision needs of each.", "short",
              target(f"max({judged('llm_gate_requests', ARM)})", "canary"),
              target(f'max(llm_gate_requests{{{RELEASE}, {STABLE}, arm="stable"}})', "stable $stable"),
              objective(f"max({judged('llm_gate_required_requests')})"), width=12,
              colors={"A": "orange", "B": "green"}),
        lines("Since the last look", "Seconds since the gate last had figures of Prometheus. Within a gate step they "
              "stay about as low as gates.windowSeconds.", "s",
              target(f"time() - max(llm_gate_last_look_timestamp_seconds{{{RELEASE}}})", "ago"), width=12),
        table("Analysis runs", "Analyses of this release that the controller still keeps, and their phase.",
              target(f"max by (name, phase) ({runs} == 1)", "", instant=True, table=True)),
        table("Measurements", "Metrics of those analyses and their phase.",
              target(f"max by (name, metric, phase) ({checks} == 1)", "", instant=True, table=True)),
    ]  # fmt: skip
    sides = [
        compared(f"{title}, p95", f"Seconds {what} that 95 of 100 stay below, by version.", "s",
                 p95(signal, f"{RELEASE}, WHERE"), promised(threshold, RELEASE))
        for signal, threshold, title, what in LATENCIES
    ]  # fmt: skip
    sides += [
        compared("Failed requests", "Share of answered requests with status 5xx, by version.", "percentunit",
                 failed(f"{RELEASE}, WHERE"), promised("error_ratio", RELEASE)),
        compared("Engine errors", "Share of finished requests that the engine ended with an error, by version; a "
                 "stream may hide them behind status 200.", "percentunit", broken(f"{RELEASE}, WHERE"),
                 promised("error_ratio", RELEASE)),
        compared("Requests", "Answered requests per second on /v1/, by version.", "reqps",
                 f"sum(llm:http_requests:rate5m{{{RELEASE}, WHERE}})"),
        compared("Tokens per server", "Generated tokens per second and server, by version.", "short",
                 f"sum(llm:generation_tokens:rate5m{{{RELEASE}, WHERE}})"
                 f" / (sum(llm:engine_up:sum{{{RELEASE}, WHERE}}) > 0)"),
        compared("Queue time, p95", "Seconds that 95 of 100 requests wait less than, by version.", "s",
                 p95("queue_time", f"{RELEASE}, WHERE")),
        compared("Cut off", "Share of finished requests that ran into their limit of tokens. A jump means that the new "
                 "version talks differently.", "percentunit",
                 f'sum(llm:requests_finished:rate5m{{{RELEASE}, WHERE, finished_reason="length"}})'
                 f" / (sum(llm:requests_finished:rate5m{{{RELEASE}, WHERE}}) > 0)"),
    ]  # fmt: skip
    servers = [
        lines("Servers by version", "Scrape targets that answer, by pod template hash.", "short",
              target(f"sum by ({HASH}) (llm:engine_up:sum{{{RELEASE}}})", f"{{{{{HASH}}}}}"), width=12),
        lines("Servers of the Rollout", "Pods as the controller counts them.", "short",
              *(target(f"max({replicas(name)})", name)
                for name in ("desired", "updated", "available", "unavailable")), width=12),
    ]  # fmt: skip
    rows = [("Now", state), ("Gates", gates), ("Stable and canary", sides), ("Servers", servers)]
    text = "An update of one model release: the oldest and the newest version that serve, side by side."
    choices = [*common()[:2], *versions()]
    return dashboard("llm-canary", "LLM / Canary", text, rows, choices, [updates()])


def generate(root: Path) -> None:
    """Writes charts/monitoring/dashboards/*.json below `root`."""
    folder = root / "charts/monitoring/dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in (("model", model()), ("canary", canary()), ("gpu", gpu())):
        text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
