"""The catalogue of vLLM's metrics, and the engine's page against it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lab.engine.catalogue import SOURCE, Metric, load
from lab.engine.exposition import Registry, spell
from tests.lab.conftest import MODEL, ROOT, Engine, Start
from tests.waiting import until

TABLE = yaml.safe_load((ROOT / SOURCE).read_text(encoding="utf-8"))
CATALOGUE = load(ROOT / SOURCE)


def traffic(engine: Engine) -> None:
    prompt = "A prompt that is longer than one block of the cache, so that some of it is found again: " * 2
    for _ in range(2):
        assert engine.chat(prompt).status == 200
    assert engine.chat("你好", stream=True).status == 200


def test_the_table_keeps_its_own_rules() -> None:
    names = [row["name"] for row in TABLE["metrics"]]
    assert len(names) == len(set(names))
    for row in TABLE["metrics"]:
        assert row["type"] in ("counter", "gauge", "histogram", "summary"), row
        assert row["name"].endswith("_total") or row["type"] != "counter", row
        assert (row["type"] == "histogram") == ("buckets" in row), row
        assert row["unit"], row
        assert row["help"].endswith("."), row
        assert set(row.get("values", {})) <= set(row["labels"]), row
        assert row["name"].startswith("vllm:") == ("since" in row), row
    assert {row["buckets"] for row in TABLE["metrics"] if "buckets" in row} == set(TABLE["buckets"])
    for family in set(TABLE["buckets"]) - {"request_tokens"}:
        bounds = CATALOGUE.bounds(family, 1)
        assert list(bounds) == sorted(set(bounds)), family
    for gone in TABLE["removed"]:
        assert gone["name"] not in names
        assert gone.get("instead", names[0]) in names


def test_buckets_of_token_counts_follow_the_context_length() -> None:
    assert CATALOGUE.bounds("request_tokens", 100) == (1, 2, 5, 10, 20, 50, 100)
    assert CATALOGUE.bounds("request_tokens", 32768)[-1] == 20000


def check_family(metric: Metric, samples: list[Any]) -> None:
    """Label names, known label values and bounds of one family's samples."""
    assert samples, metric.name
    for sample in samples:
        assert set(sample.labels) - {"le"} == set(metric.labels), sample
    for label, values in metric.values.items():
        seen = {sample.labels[label] for sample in samples}
        # The status of an HTTP answer is there once it occurred; all others from the start.
        assert seen == set(values) or (label == "status" and seen <= set(values)), (metric.name, seen)
    if metric.type == "histogram":
        bounds = {sample.labels["le"] for sample in samples if sample.name.endswith("_bucket")}
        assert bounds == {*map(spell, CATALOGUE.bounds(metric.buckets, 4096)), "+Inf"}, metric.name


@pytest.mark.real
def test_the_whole_catalogue_is_on_the_page(start: Start) -> None:
    engine = start("--max-model-len=4096", behaviour={"all_metrics": True})
    traffic(engine)
    page = engine.ask("/metrics").body
    types = dict(re.findall(r"^# TYPE (\S+) (\w+)$", page, re.M))
    families = {family.name: family for family in text_string_to_metric_families(page)}
    for metric in CATALOGUE.metrics:
        assert types.pop(metric.name) == metric.type
        if metric.type != "gauge" and not metric.name.startswith(("process_", "python_")):
            base = metric.name.removesuffix("_total") if metric.type == "counter" else metric.name
            assert types.pop(f"{base}_created") == "gauge"
        family = families[metric.name.removesuffix("_total") if metric.type == "counter" else metric.name]
        check_family(metric, family.samples)
    assert not types, "families that the catalogue does not know"
    assert 'le="5.0"' in page


@pytest.mark.real
def test_flags_bring_their_metrics(start: Start) -> None:
    page = start().ask("/metrics").body
    for absent in ("vllm:kv_block_", "vllm:nixl_", "vllm:spec_decode_", "vllm:corrupted_", "vllm:lora_"):
        assert absent not in page
    connector = '--kv-transfer-config={"kv_connector":"NixlConnector"}'
    page = start("--kv-cache-metrics", connector, VLLM_COMPUTE_NANS_IN_LOGITS="1").ask("/metrics").body
    for present in (
        "vllm:kv_block_lifetime_seconds",
        "vllm:nixl_xfer_time_seconds",
        "vllm:corrupted_requests_total",
    ):
        assert present in page
    assert "vllm:mooncake_" not in page


MOVING = {
    "vllm:prompt_tokens_total": 0,
    "vllm:prompt_tokens_by_source_total": 0,
    "vllm:prompt_tokens_cached_total": 0,
    "vllm:prefix_cache_queries_total": 0,
    "vllm:prefix_cache_hits_total": 0,
    "vllm:iteration_tokens_total_count": 0,
    "vllm:generation_tokens_total": 24,
    "vllm:request_success_total": 3,
    "vllm:time_to_first_token_seconds_count": 3,
    "vllm:inter_token_latency_seconds_count": 21,
    "vllm:request_time_per_output_token_seconds_count": 3,
    "vllm:e2e_request_latency_seconds_count": 3,
    "vllm:request_queue_time_seconds_count": 3,
    "vllm:request_prefill_time_seconds_count": 3,
    "vllm:request_decode_time_seconds_count": 3,
    "vllm:request_inference_time_seconds_count": 3,
    "vllm:request_prompt_tokens_count": 3,
    "vllm:request_generation_tokens_sum": 24,
    "vllm:request_params_max_tokens_sum": 24,
    "vllm:request_params_n_sum": 3,
    "vllm:request_num_preemptions_count": 3,
    "http_requests_total": 3,
    "http_request_duration_highr_seconds_count": 3,
}


@pytest.mark.real
def test_traffic_moves_the_metrics(start: Start) -> None:
    engine = start()
    before = {name: engine.value(name) for name in MOVING}
    assert not any(before.values())
    began = time.monotonic()
    traffic(engine)
    seconds = time.monotonic() - began
    until(lambda: engine.value("http_requests_total") == 3, "the last request is counted")
    for name, exactly in MOVING.items():
        value = engine.value(name)
        assert value == exactly if exactly else value > 0, (name, value)
    assert engine.value("vllm:request_success_total", finished_reason="length") == 3
    assert (
        engine.value("http_requests_total", handler="/v1/chat/completions", method="POST", status="2xx") == 3
    )
    assert 0.005 * 3 <= engine.value("vllm:time_to_first_token_seconds_sum") < seconds


@pytest.mark.real
def test_gauges_follow_requests_in_flight(start: Start) -> None:
    engine = start("--max-num-seqs=2", behaviour={"itl": 0.2, "kv_tokens": 8000})
    asked = {"max_tokens": 500, "ignore_eos": True}
    threads = [threading.Thread(target=lambda: engine.chat(**asked)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: engine.value("vllm:num_requests_waiting") == 1, "one request waits")
    waits = time.monotonic()
    assert engine.value("vllm:num_requests_running") == 2
    assert engine.value("vllm:num_requests_waiting_by_reason", reason="capacity") == 1
    assert 0 < engine.value("vllm:kv_cache_usage_perc") <= 1
    assert engine.ask("/load").json == {"server_load": 0}
    seconds = time.monotonic() - waits
    engine.behave(itl=0)
    for thread in threads:
        thread.join()
    assert engine.value("vllm:num_requests_running") == 0
    assert engine.value("vllm:kv_cache_usage_perc") == 0
    assert engine.value("vllm:request_queue_time_seconds_sum") > seconds


@pytest.mark.real
def test_data_parallel_ranks_have_series_of_their_own(start: Start) -> None:
    engine = start("--data-parallel-size=2")
    for _ in range(4):
        engine.chat()
    for rank in ("0", "1"):
        assert engine.value("vllm:request_success_total", engine=rank, model_name=MODEL) == 2


def theirs(registry: prometheus_client.CollectorRegistry) -> dict[str, Callable[[float], None]]:
    """The same four families as prometheus_client has them."""
    label = 'quote " and \\ and line\n'
    counter = prometheus_client.Counter("vllm:a", 'what "is" \\ it', ["model_name"], registry=registry)
    gauge = prometheus_client.Gauge("vllm:b", "b.", registry=registry)
    bounds = (0.3, 1, 2.5, 16384, 1e7)
    histogram = prometheus_client.Histogram("vllm:c", "c.", ["model_name"], buckets=bounds, registry=registry)
    summary = prometheus_client.Summary("vllm:d", "d.", ["model_name"], registry=registry)
    return {
        "vllm:a_total": counter.labels(label).inc,
        "vllm:b": gauge.set,
        "vllm:c": histogram.labels(label).observe,
        "vllm:d": summary.labels(label).observe,
    }


def test_the_page_is_spelt_as_prometheus_client_spells_it(tmp_path: Path) -> None:
    table = {
        "engine": "x",
        "version": "0",
        "signals": {},
        "buckets": {"x": [0.3, 1, 2.5, 16384, 1e7]},
        "metrics": [
            {"name": "vllm:a_total", "type": "counter", "labels": ["model_name"], "help": 'what "is" \\ it'},
            {"name": "vllm:b", "type": "gauge", "labels": [], "help": "b."},
            {"name": "vllm:c", "type": "histogram", "labels": ["model_name"], "help": "c.", "buckets": "x"},
            {"name": "vllm:d", "type": "summary", "labels": ["model_name"], "help": "d."},
        ],
    }
    server = {"health": "/health", "metrics": "/metrics", "drain": "--drain"}
    file = tmp_path / "metrics/x.yaml"
    for path, content in ((file, table), (tmp_path / "engines/x.yaml", {"port": 1, "server": server})):
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(content))
    ours = Registry(load(file), 1, {"model_name": 'quote " and \\ and line\n'})
    oracle = prometheus_client.CollectorRegistry()
    actions = theirs(oracle)
    for value in (0.3, 0.30001, 1, 3, 999999.5, 1234567, 12345678.25, 2e7):
        ours.inc("vllm:a_total", value)
        ours.set("vllm:b", -value)
        ours.observe("vllm:c", value)
        ours.observe("vllm:d", value)
        for name, action in actions.items():
            action(-value if name == "vllm:b" else value)
    times = re.compile(r"^(vllm:._created.*) \S+$", re.M)
    pages = [ours.render(lambda _: True, {}), prometheus_client.generate_latest(oracle).decode()]
    assert times.sub(r"\1", pages[0]) == times.sub(r"\1", pages[1])


@pytest.mark.parametrize("value", [0.0, 1.0, 0.001, 123456.0, 1234567.0, 1e15, 1.5e-7, float("inf")])
def test_numbers_are_spelt_as_prometheus_client_spells_them(value: float) -> None:
    gauge = prometheus_client.Gauge("x", "x", registry=(oracle := prometheus_client.CollectorRegistry()))
    gauge.set(value)
    assert prometheus_client.generate_latest(oracle).decode().splitlines()[-1] == f"x {spell(value)}"
