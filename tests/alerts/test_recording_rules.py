"""The recorded layer, with hand-written values: what each rule says about pods, ranks, versions and restarts.

Samples come every 15 s, so a window of 5 minutes at minute 10 holds 20 of them, and 10 a second is 150 a sample.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.alerts.conftest import Mismatches
from tests.charts.conftest import Render

pytestmark = pytest.mark.real

OURS = 'namespace="llm-prod", release="qwen"'
ENGINE = f'{OURS}, model_name="demo", engine="0"'
STABLE = 'rollouts_pod_template_hash="5f"'
CANARY = 'rollouts_pod_template_hash="7c"'
MADE = f'{OURS}, model_name="demo", {STABLE}'


@pytest.fixture
def differing(render: Render, mismatches: Mismatches) -> Any:
    """differing(inputs, {expression: {labels: value}}, at=…): what the rules give otherwise than that; "" for nothing.

    Inputs map a series to promtool's notation.
    """

    def run(
        inputs: dict[str, str], expected: dict[str, dict[str, float]], at: str = "10m", **values: Any
    ) -> str:
        facts = {"global": {"llm": {"components": {"alerts": True}, **values}}}
        rules = render("monitoring", facts, name="qwen", namespace="llm-prod").one("PrometheusRule")
        case = {
            "interval": "15s",
            "input_series": [{"series": series, "values": given} for series, given in inputs.items()],
            "promql_expr_test": [
                {
                    "expr": expr,
                    "eval_time": at,
                    "exp_samples": [{"labels": label, "value": value} for label, value in samples.items()],
                }
                for expr, samples in expected.items()
            ],
        }
        return mismatches({"evaluation_interval": "15s", "tests": [case]}, [rules])

    return run


def labelled(record: str, *labels: str) -> str:
    return f"{record}{{{', '.join(labels)}}}"


def test_ranks_and_pods_of_one_version_are_one_series(differing: Any) -> None:
    pods = {
        f'{ENGINE}, pod="a", {STABLE}': ("3", "0.2"),
        f'{OURS}, model_name="demo", engine="1", pod="a", {STABLE}': ("4", "0.9"),
        f'{ENGINE}, pod="b", {STABLE}': ("5", "0.5"),
    }
    inputs = {f"vllm:num_requests_running{{{pod}}}": f"{running}x40" for pod, (running, _) in pods.items()}
    inputs |= {f"vllm:kv_cache_usage_perc{{{pod}}}": f"{usage}x40" for pod, (_, usage) in pods.items()}
    inputs |= {f"vllm:num_requests_waiting{{{pod}}}": "1x40" for pod in pods}
    assert not differing(
        inputs,
        {
            "llm:requests_running:sum": {labelled("llm:requests_running:sum", MADE): 12},
            "llm:requests_waiting:sum": {labelled("llm:requests_waiting:sum", MADE): 3},
            "llm:kv_cache_usage_ratio:max": {labelled("llm:kv_cache_usage_ratio:max", MADE): 0.9},
        },
    )


def test_versions_stay_apart_and_other_releases_out(differing: Any) -> None:
    record = "llm:requests_running:sum"
    other = 'model_name="demo", engine="0", pod="x"'
    assert not differing(
        {
            f'vllm:num_requests_running{{{ENGINE}, pod="a", {STABLE}}}': "3x40",
            f'vllm:num_requests_running{{{ENGINE}, pod="c", {CANARY}}}': "8x40",
            f'vllm:num_requests_running{{namespace="llm-prod", release="llama", {other}, {STABLE}}}': "50x40",
            f'vllm:num_requests_running{{namespace="llm-dev", release="qwen", {other}, {STABLE}}}': "70x40",
        },
        {
            record: {
                labelled(record, MADE): 3,
                labelled(record, f'{OURS}, model_name="demo", {CANARY}'): 8,
            }
        },
    )


def test_a_restarted_engine_is_no_jump(differing: Any) -> None:
    """Pod b starts again at minute 7:30. Summed before the rate, its fall would count as 33 tokens a second."""
    record = "llm:generation_tokens:rate5m"
    assert not differing(
        {
            f'vllm:generation_tokens_total{{{ENGINE}, pod="a", {STABLE}}}': "0+150x40",
            f'vllm:generation_tokens_total{{{ENGINE}, pod="b", {STABLE}}}': "0+150x29 150+150x20",
        },
        {record: {labelled(record, MADE): 20}},
    )


def test_a_deleted_pod_leaves_at_once(differing: Any) -> None:
    record = "llm:requests_waiting:sum"
    assert not differing(
        {
            f'vllm:num_requests_waiting{{{ENGINE}, pod="a", {STABLE}}}': "2x40",
            f'vllm:num_requests_waiting{{{ENGINE}, pod="b", {STABLE}}}': "7x39 stale",
        },
        {record: {labelled(record, MADE): 2}},
    )


@pytest.mark.parametrize(
    ("answers", "up", "down"), [(("1", "1"), 2, 0), (("1", "0"), 1, 1), (("0", "0"), 0, 2)]
)
def test_the_count_of_servers_down_is_there_also_while_it_is_none(
    differing: Any, answers: tuple[str, str], up: int, down: int
) -> None:
    made = f"{OURS}, {STABLE}"
    assert not differing(
        {
            f'up{{{OURS}, pod="{pod}", {STABLE}}}': f"{answer}x40"
            for pod, answer in zip("ab", answers, strict=True)
        },
        {
            "llm:engine_up:sum": {labelled("llm:engine_up:sum", made): up},
            "llm:engine_down:sum": {labelled("llm:engine_down:sum", made): down},
        },
    )


def test_one_stalled_rank_shows_beside_a_busy_one(differing: Any) -> None:
    """Rank 0 works, rank 1 has two requests and makes no step, pod b has nothing to do and rests."""
    ranks = {
        f'{ENGINE}, pod="a", {STABLE}': ("4x40", "0+30x40"),
        f'{OURS}, model_name="demo", engine="1", pod="a", {STABLE}': ("2x40", "500x40"),
        f'{ENGINE}, pod="b", {STABLE}': ("0x40", "700x40"),
    }
    inputs = {f"vllm:num_requests_running{{{rank}}}": running for rank, (running, _) in ranks.items()}
    inputs |= {f"vllm:num_requests_waiting{{{rank}}}": "0x40" for rank in ranks}
    inputs |= {f"vllm:iteration_tokens_total_count{{{rank}}}": steps for rank, (_, steps) in ranks.items()}
    assert not differing(
        inputs,
        {
            "llm:engine_stalled:sum": {labelled("llm:engine_stalled:sum", MADE): 1},
            "llm:engine_steps:rate3m": {labelled("llm:engine_steps:rate3m", MADE): 2},
        },
    )


def test_a_hang_that_begins_while_idle_shows_in_requests_that_end_without_a_step(differing: Any) -> None:
    """Both ranks of pod a hang: their gauges stay 0, and what clients give up on is counted as answered. Of pod b one
    rank works and one rests, pod c has answered nothing yet, and pod d only lists its models."""
    inputs: dict[str, str] = {}
    rows = {
        "a": ("900x40", "500x40"),
        "b": ("900x40", "0+30x40"),
        "c": ("0x40", "0x40"),
        "d": ("7x40", "7x40"),
    }
    for pod, ranks in rows.items():
        for rank, steps in enumerate(ranks):
            series = f'{OURS}, model_name="demo", engine="{rank}", pod="{pod}", {STABLE}'
            inputs[f"vllm:iteration_tokens_total_count{{{series}}}"] = steps
            inputs[f"vllm:num_requests_running{{{series}}}"] = "0x40"
            inputs[f"vllm:num_requests_waiting{{{series}}}"] = "0x40"
    for pod, handler in (("a", "/v1/chat/completions"), ("b", "/v1/completions"), ("d", "/v1/models")):
        answered = f'{OURS}, pod="{pod}", {STABLE}, method="POST", handler="{handler}", status="2xx"'
        inputs[f"http_requests_total{{{answered}}}"] = "0+1x40"
    assert not differing(inputs, {"llm:engine_stalled:sum": {labelled("llm:engine_stalled:sum", MADE): 2}})


def test_answers_count_by_status_on_the_api_only(differing: Any) -> None:
    """No series of a status that never occurred, and none of another handler."""
    record = "llm:http_requests:rate5m"
    pod = f'{OURS}, pod="a", {STABLE}, method="POST"'
    assert not differing(
        {
            f'http_requests_total{{{pod}, handler="/v1/chat/completions", status="2xx"}}': "0+150x40",
            f'http_requests_total{{{pod}, handler="/v1/completions", status="2xx"}}': "0+30x40",
            f'http_requests_total{{{pod}, handler="/v1/completions", status="5xx"}}': "0+15x40",
            f'http_requests_total{{{pod}, handler="/tokenize", status="5xx"}}': "0+150x40",
        },
        {
            record: {
                labelled(record, f'{OURS}, {STABLE}, status="2xx"'): 12,
                labelled(record, f'{OURS}, {STABLE}, status="5xx"'): 1,
            }
        },
    )


def test_requests_count_by_the_reason_of_their_end(differing: Any) -> None:
    record = "llm:requests_finished:rate5m"
    done = f'vllm:request_success_total{{{ENGINE}, pod="a", {STABLE}, finished_reason='
    assert not differing(
        {f'{done}"stop"}}': "0+15x40", f'{done}"error"}}': "0x40"},
        {
            record: {
                labelled(record, MADE, 'finished_reason="stop"'): 1,
                labelled(record, MADE, 'finished_reason="error"'): 0,
            }
        },
    )


@pytest.mark.parametrize(
    ("metric", "record"),
    [
        ("vllm:e2e_request_latency_seconds", "llm:e2e_latency_seconds_bucket:rate5m"),
        ("vllm:time_to_first_token_seconds", "llm:time_to_first_token_seconds_bucket:rate5m"),
        ("vllm:inter_token_latency_seconds", "llm:inter_token_latency_seconds_bucket:rate5m"),
        ("vllm:request_queue_time_seconds", "llm:queue_time_seconds_bucket:rate5m"),
    ],
)
def test_buckets_keep_their_bounds_as_they_are_spelled(differing: Any, metric: str, record: str) -> None:
    bucket = f'{metric}_bucket{{{ENGINE}, pod="a", {STABLE}, le='
    assert not differing(
        {f'{bucket}"5.0"}}': "0+15x40", f'{bucket}"10"}}': "0+30x40", f'{bucket}"+Inf"}}': "0+45x40"},
        {
            record: {
                labelled(record, MADE, 'le="5.0"'): 1,
                labelled(record, MADE, 'le="10"'): 2,
                labelled(record, MADE, 'le="+Inf"'): 3,
            }
        },
    )


def test_prompts_preemptions_and_refusals_are_rates(differing: Any) -> None:
    """Refusals are counted once a server, by reason, and not by rank."""
    refused = f'vllm:admission_rejections_total{{{OURS}, model_name="demo", pod="a", {STABLE}, reason='
    assert not differing(
        {
            f'{refused}"max_num_queued_reqs"}}': "0+15x40",
            f'{refused}"max_num_queued_tokens"}}': "0+30x40",
            f'vllm:prompt_tokens_total{{{ENGINE}, pod="a", {STABLE}}}': "0+1500x40",
            f'vllm:num_preemptions_total{{{ENGINE}, pod="a", {STABLE}}}': "0+3x40",
        },
        {
            "llm:prompt_tokens:rate5m": {labelled("llm:prompt_tokens:rate5m", MADE): 100},
            "llm:preemptions:rate5m": {labelled("llm:preemptions:rate5m", MADE): 0.2},
            "llm:admission_rejections:rate5m": {labelled("llm:admission_rejections:rate5m", MADE): 3},
        },
    )


def test_what_is_promised_is_there_before_any_engine(differing: Any) -> None:
    release = f'{OURS}, model_name="demo"'
    promised = {
        "llm:slo:e2e_p95_seconds": 12.5,
        "llm:slo:ttft_p95_seconds": 2,
        "llm:slo:itl_p95_seconds": 0.1,
        "llm:slo:error_ratio": 0.00001,
        "llm:slo:drift_score": 0.5,
    }
    assert not differing(
        {},
        {record: {labelled(record, release): value} for record, value in promised.items()},
        at="0m",
        slo={"e2eP95Seconds": 12.5, "errorRatio": 0.00001},
    )


def test_nothing_is_promised_while_alerts_are_off(differing: Any) -> None:
    """Alerts join on these series: without them a release has none."""
    assert not differing({}, {'{__name__=~"llm:slo:.*"}': {}}, components={"alerts": False})


def test_without_an_engine_nothing_else_is_recorded(differing: Any) -> None:
    assert not differing({}, {'{__name__=~"llm:.*", __name__!~"llm:slo:.*"}': {}})
