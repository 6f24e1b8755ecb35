"""Minutes of canaries as series written by hand: what each scrape of each pod saw, fifteen seconds apart."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import program
from tests.jobs.history import Series

SCRAPE = 15
WINDOW = 30
CANARY, STABLE = "7d9f", "5c8b"
TTFT = "vllm:time_to_first_token_seconds_bucket"
ANSWERS = "http_requests_total"
CHAT = 'handler="/v1/chat/completions",method="POST"'
FINISHED = "vllm:request_success_total"
LENGTH = "vllm:request_generation_tokens_bucket"
STEPS = "vllm:iteration_tokens_total_count"
RUNNING = "vllm:num_requests_running"
WAITING = "vllm:num_requests_waiting"
START = "process_start_time_seconds"

Row = Sequence[float | None]


@dataclass(frozen=True)
class Pod:
    """Values of a pod's series, a value a scrape and the first one at the start; None is a scrape that fails.

    A key is a name, or a name and labels as PromQL writes them: `up`, `http_requests_total{status="2xx"}`.
    """

    version: str
    series: Mapping[str, Row]
    name: str = "a"
    labels: Mapping[str, str] = field(default_factory=dict)


def write(series: Series, release: str, start: int, pods: Sequence[Pod]) -> None:
    """Adds the series of a release to a history."""
    for pod in pods:
        own = {
            "namespace": "llm",
            "release": release,
            "rollouts_pod_template_hash": pod.version,
            "pod": f"{release}-{pod.version}-{pod.name}",
            **pod.labels,
        }
        for key, values in pod.series.items():
            name, _, rest = key.partition("{")
            more = [one.split("=", 1) for one in rest.rstrip("}").split(",") if one]
            labels = {**own, **{label: value.strip('"') for label, value in more}}
            for number, value in enumerate(values):
                if value is not None:
                    series.add(name, labels, start + number * SCRAPE, value)


def blocks(series: Series, folder: Path) -> Path:
    """Turns a history into the data of a Prometheus."""
    (folder / "history.om").write_text("".join(series.lines()), encoding="utf-8")
    subprocess.run(
        [
            str(program("LLMOPS_PROMTOOL", "bin/promtool")),
            *["tsdb", "create-blocks-from", "openmetrics", "history.om", "data"],
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "data"


def buckets(metric: str, *rows: Row, edges: Sequence[str], more: str = "") -> dict[str, Row]:
    """Series of a histogram: a row of cumulative counts for each edge."""
    return {f'{metric}{{le="{edge}"{more}}}': row for edge, row in zip(edges, rows, strict=True)}


def steady(version: str, scrapes: int, early: float, middle: float, late: float, failed: float = 0) -> Pod:
    """A server that does the same between any two scrapes: answers within 0.5 s, within 1 s and later, and 5xx."""

    def counter(grows: float) -> list[float]:
        return [grows * number for number in range(scrapes)]

    requests = early + middle + late
    return Pod(
        version,
        {
            **buckets(
                TTFT,
                *(counter(each) for each in (early, early + middle, requests)),
                edges=["0.5", "1.0", "+Inf"],
            ),
            f'{ANSWERS}{{status="2xx",{CHAT}}}': counter(requests),
            f'{ANSWERS}{{status="5xx",{CHAT}}}': counter(failed),
            f'{FINISHED}{{finished_reason="stop",engine="0"}}': counter(requests),
            f'{STEPS}{{engine="0"}}': counter(10),
            f'{RUNNING}{{engine="0"}}': [1] * scrapes,
            f'{WAITING}{{engine="0"}}': [0] * scrapes,
            START: [1000] * scrapes,
            "up": [1] * scrapes,
        },
    )
