"""charts/monitoring/dashboards/gpu.json: the GPUs of a cluster, as dcgm-exporter shows them.

Gauges alone, so no rate is taken. The host's label is `Hostname` before May 2026 and `hostname` since; both are read. A
sensor that does not exist reads a number that no GPU can reach, so each query has a bound.
"""

from __future__ import annotations

from generate.grafana import Json, dashboard, lines, objective, stat, table, target, variable

_GPU = "hostname, gpu"


def _node(metric: str, bound: str = "", more: str = "") -> str:
    """A metric of the chosen nodes, with its host under one name."""
    found = [
        f'label_replace({metric}{{{label}=~"$node"{more}}}{bound}, "hostname", "$1", "Hostname", "(.+)")'
        for label in ("Hostname", "hostname")
    ]
    return f"({' or '.join(found)})"


def _each(metric: str, bound: str = "", how: str = "max", by: str = _GPU) -> str:
    return f"{how} by ({by}) ({_node(metric, bound)})"


def _filled() -> str:
    used, free = _node("DCGM_FI_DEV_FB_USED"), _node("DCGM_FI_DEV_FB_FREE")
    return f"sum by ({_GPU}) {used} / (sum by ({_GPU}) {used} + sum by ({_GPU}) {free})"


def _pod(metric: str) -> str:
    """By the pod that holds the GPU: its labels are exported_ where the scrape does not honour them."""
    own = _node(metric, " <= 100", ', pod!=""')
    return (
        f'max by (namespace, pod) (label_replace(label_replace({own}, "pod", "$1", "exported_pod", "(.+)"),'
        ' "namespace", "$1", "exported_namespace", "(.+)"))'
    )


def gpu() -> Json:
    legend = "{{hostname}} {{gpu}}"
    busy, hot = _each("DCGM_FI_DEV_GPU_UTIL", " <= 100"), _each("DCGM_FI_DEV_GPU_TEMP", " < 200")
    power = _each("DCGM_FI_DEV_POWER_USAGE", " < 10000")
    now = [
        stat("GPUs", "GPUs of the chosen nodes that the exporter sees.", "short", target(f"count({hot})", "GPUs")),
        stat("Busiest", "Share of time in which some kernel ran on the busiest GPU; one request pins it.", "percent",
             target(f"max({busy})", "busiest")),
        stat("Hottest", "Temperature of the hottest GPU.", "celsius", target(f"max({hot})", "hottest")),
        stat("Fullest", "Share of memory in use on the fullest GPU. An engine takes its share at its start.",
             "percentunit", target(f"max({_filled()})", "fullest")),
        stat("Power", "Watts that all of them draw.", "watt", target(f"sum({power})", "power")),
        stat("Need repair", "GPUs with a row of memory that could not be replaced.", "short",
             target(f"sum({_each('DCGM_FI_DEV_ROW_REMAP_FAILURE')})", "broken")),
    ]  # fmt: skip
    work = [
        lines("Utilization", "Share of time in which some kernel ran. High is no fault: one stream keeps a GPU "
              "busy.", "percent", target(busy, legend), top=100),
        lines("Memory in use", "Share of memory in use. An engine takes its share at its start and keeps it.",
              "percentunit", target(_filled(), legend), top=1),
        lines("Utilization by pod", "The same by the pod that holds the GPU. Empty where the exporter knows no "
              "pods.", "percent", target(_pod("DCGM_FI_DEV_GPU_UTIL"), "{{namespace}}/{{pod}}"), top=100),
    ]  # fmt: skip
    body = [
        lines("Temperature", "Degrees Celsius of each GPU; the dashed line is the threshold of GPUTemperatureHigh "
              "as it comes.", "celsius", target(hot, legend), objective("vector(85)")),
        lines("Power draw", "Watts of each GPU. One that is capped stays flat below its neighbours.", "watt",
              target(power, legend)),
        lines("Clock", "Clock of the processors in MHz. It falls under heat, a power cap, and without work.", "none",
              target(_each("DCGM_FI_DEV_SM_CLOCK", " < 100000"), legend)),
    ]  # fmt: skip
    faults = [
        lines("Last XID", "Number of the last XID error that the driver reported; it stays for ever: a step is news. "
              "13, 31, 43 and 45 are most often an application's own.", "none",
              target(_each("DCGM_FI_DEV_XID_ERRORS"), legend)),
        lines("Rows replaced", "Rows of memory replaced after errors that could not be corrected, in a GPU's life.",
              "short", target(_each("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"), legend)),
        table("Held by", "GPUs and the pods that hold them.",
              target(f"{_pod('DCGM_FI_DEV_GPU_UTIL')} >= 0", "", instant=True, table=True), width=8),
    ]  # fmt: skip
    rows = [("Now", now), ("Work", work), ("Heat and power", body), ("Faults", faults)]
    named = 'label_replace(DCGM_FI_DEV_GPU_TEMP, "hostname", "$1", "Hostname", "(.+)")'
    nodes = f"query_result(count by (hostname) ({named}))"
    text = "The GPUs of a cluster: how busy, full and hot they are, and what is wrong with them."
    choice = variable("node", "Node", nodes, regex='/hostname="([^"]+)"/', every=True)
    return dashboard("llm-gpu", "LLM / GPU", text, rows, [choice], [])
