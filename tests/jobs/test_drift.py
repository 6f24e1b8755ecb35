"""The drift job against a real Prometheus with days of history."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.data import metrics
from llmops.jobs import traffic
from tests.jobs.conftest import Run

Drift = Callable[..., Run]


def outcomes(run: Run) -> dict[str, str]:
    assert run.status == 0, run.said
    return {one["signal"]: one["outcome"] for one in run.document["signals"]}


@pytest.mark.real
def test_the_same_traffic_is_no_drift(drift: Drift) -> None:
    run = drift("same")
    assert set(outcomes(run).values()) == {"none"}
    assert run.document["outcome"] == "none"
    assert run.document["score"] < 0.05
    assert run.document["window"] == {
        "start": "2026-01-08T00:00:00Z",
        "end": "2026-01-09T00:00:00Z",
        "coverage": 1.0,
    }
    assert run.document["reference"] == {
        "source": "window",
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-02T00:00:00Z",
        "coverage": 1.0,
    }
    assert {one["signal"]: one["current"] for one in run.document["signals"]} == {
        signal: pytest.approx(6000, rel=0.005)
        for signal in ("prompt_tokens", "generation_tokens", "finished_reason", "volume")
    }


@pytest.mark.parametrize(
    ("release", "signal", "score"),
    [
        # Log-normal lengths whose logarithms move by ln 2 of their deviation: PSI 0.48 before binning.
        ("longer-prompts", "prompt_tokens", 0.62),
        # 10 % cut off become 50 %: 0.1468 bits by hand, 0.1468 / (0.1468 + 0.0451).
        ("cut-answers", "finished_reason", 0.765),
        # Three times the requests: 1 - 1/3.
        ("busier", "volume", 0.667),
        ("silent", "volume", 1.0),
    ],
)
def test_one_changed_signal_is_found_and_named(drift: Drift, release: str, signal: str, score: float) -> None:
    run = drift(release)
    found = outcomes(run)
    assert [name for name, outcome in found.items() if outcome == "drift"] == [signal]
    assert run.document["outcome"] == "drift"
    assert run.document["score"] == run.signal(signal)["score"] == pytest.approx(score, abs=0.02)


def test_below_the_floor_nothing_is_said(drift: Drift) -> None:
    run = drift("quiet")
    assert set(outcomes(run).values()) == {"inconclusive"}
    assert (run.document["outcome"], run.document["score"]) == ("inconclusive", None)
    assert run.signal("prompt_tokens")["reason"] == (
        "700 requests against 700, and both must be 1000 or more"
    )


def test_a_floor_too_low_for_the_threshold_is_no_way_round(drift: Drift) -> None:
    """Chance alone could alarm: the job says so instead of a number."""
    lowered = drift("quiet", "--min-samples=100")
    assert set(outcomes(lowered).values()) == {"none"}
    strict = drift("quiet", "--min-samples=100", "--threshold=0.05", "--signals=prompt_tokens")
    assert outcomes(strict) == {"prompt_tokens": "inconclusive"}
    assert "chance alone" in strict.signal("prompt_tokens")["reason"]


def test_a_reference_that_was_never_recorded_is_no_drift(drift: Drift) -> None:
    run = drift("young")
    assert set(outcomes(run).values()) == {"inconclusive"}
    assert run.signal("prompt_tokens")["reason"].startswith("6000 requests against 0")
    assert run.document["reference"]["coverage"] == 0


def test_half_a_reference_says_nothing_about_volume(drift: Drift) -> None:
    run = drift("half-scraped")
    assert outcomes(run) == {
        "prompt_tokens": "none",
        "generation_tokens": "none",
        "finished_reason": "none",
        "volume": "inconclusive",
    }
    assert run.document["outcome"] == "inconclusive"
    assert "the reference has series for 51% of its time" in run.signal("volume")["reason"]


def test_pods_with_other_buckets_and_restarts_are_one_release(drift: Drift) -> None:
    run = drift("two-pods")
    assert set(outcomes(run).values()) == {"none"}
    assert run.signal("prompt_tokens")["current"] == pytest.approx(6000, rel=0.005)


def test_a_recorded_reference_holds_when_the_window_is_gone(drift: Drift, tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    recorded = drift("same", "--end=2026-01-02T00:00:00Z", f"--write-reference={file}")
    assert (recorded.status, recorded.document) == (0, {})
    document = json.loads(file.read_text())
    assert document["lengths"]["prompt_tokens"][-1] == ["+Inf", pytest.approx(6000, rel=0.005)]
    # The release itself has no reference window in Prometheus.
    run = drift("young", f"--reference={file}")
    assert set(outcomes(run).values()) == {"none"}
    assert run.document["reference"]["source"] == "document"
    assert run.document["reference"]["start"] == "2026-01-01T00:00:00Z"
    assert outcomes(drift("longer-prompts", f"--reference={file}"))["prompt_tokens"] == "drift"


def test_another_length_of_window_compares_rates(drift: Drift, tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    drift("same", "--end=2026-01-02T00:00:00Z", f"--write-reference={file}")
    run = drift("same", "--window=12h", f"--reference={file}")
    assert run.signal("volume")["score"] < 0.02
    assert run.signal("volume")["current"] == pytest.approx(3000, rel=0.01)


def test_the_result_is_also_a_file_and_holds_no_text_of_users(drift: Drift, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    run = drift("cut-answers", f"--output={file}")
    assert json.loads(file.read_text()) == run.document
    assert run.document["kind"] == "llm-drift-result"
    assert (run.document["namespace"], run.document["release"], run.document["model"]) == (
        "llm",
        "cut-answers",
        "qwen",
    )


REFUSED: dict[str, tuple[list[str], str]] = {
    "overlap": (["--offset=1h"], "--offset 1h is shorter than --window 24h"),
    "duration": (["--window=a day"], "'a day' is no duration"),
    "moment": (["--end=yesterday"], "'yesterday' is no moment"),
    "moment without zone": (["--end=2026-01-09T00:00:00"], "is no moment"),
    "signal": (["--signals=prompts"], "write some of prompt_tokens,generation_tokens,finished_reason,volume"),
    "threshold": (["--threshold=5"], "--threshold 5.0 is not from 0 to 1"),
    "no reference": (["--reference=/nowhere.json"], "the reference /nowhere.json cannot be read"),
    "unreachable": (["--prometheus=http://127.0.0.1:1"], "cannot be reached: "),
    "no URL": (["--prometheus=file:///etc/passwd"], "is no URL of Prometheus"),
    "no exporter": (
        ["--exporter=http://127.0.0.1:1"],
        "the exporter at http://127.0.0.1:1 cannot be reached",
    ),
    "no host name": (["--prometheus=http://prometheus monitoring"], "cannot be reached"),
    "nothing to record": (
        ["--write-reference=/nowhere.json", "--model=other"],
        "no request finished in the window",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_outcome_is_one_sentence_and_status_2(drift: Drift, case: str) -> None:
    arguments, sentence = REFUSED[case]
    run = drift("same", *arguments)
    assert run.status == 2
    assert run.document == {}
    assert sentence in run.said
    assert len(run.said.splitlines()) == 1


FALLING = {
    "schemaVersion": 1,
    "kind": "llm-drift-reference",
    "namespace": "llm",
    "release": "same",
    "model": "qwen",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-02T00:00:00Z",
    "coverage": 1,
    "lengths": {name: [["1", 2000], ["2", 1000], ["+Inf", 3000]] for name in traffic.LENGTHS},
    "finishedReasons": {"stop": 3000},
}


def test_windows_without_a_common_bucket_are_not_alike(drift: Drift, tmp_path: Path) -> None:
    lengths = {name: [["3", 1000], ["+Inf", 3000]] for name in traffic.LENGTHS}
    (tmp_path / "r.json").write_text(json.dumps({**FALLING, "lengths": lengths}))
    run = drift("same", f"--reference={tmp_path / 'r.json'}")
    assert outcomes(run)["prompt_tokens"] == "inconclusive"
    assert run.signal("prompt_tokens")["reason"] == "the engines of both windows have no bucket in common"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"kind": "llm-drift-reference", "schemaVersion": 2}',
        pytest.param(json.dumps(FALLING), id="falling counts"),
    ],
)
def test_a_reference_of_another_shape_is_refused(drift: Drift, tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    run = drift("same", f"--reference={tmp_path / 'r.json'}")
    assert run.status == 2
    assert "is no reference of version 1: write one with --write-reference" in run.said


def test_a_reference_of_another_model_is_refused(drift: Drift, tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    drift("same", f"--write-reference={file}")
    run = drift("same", f"--reference={file}", "--model=llama")
    assert run.status == 2
    assert "is of model qwen, not llama" in run.said


@pytest.mark.parametrize("signal", [*traffic.LENGTHS.values(), traffic.REASONS])
def test_every_metric_that_is_asked_for_is_in_the_catalogue(signal: str) -> None:
    series = next(one for one in metrics.catalogues() if one.exporter == "vllm").series
    name = metrics.signals()[signal]
    label = "finished_reason" if signal == traffic.REASONS else "le"
    found = series[name if signal == traffic.REASONS else f"{name}_bucket"]
    assert {"model_name", label} <= found.labels.keys()


def vector(label: str, values: dict[str, float]) -> list[Any]:
    return [({label: key}, value) for key, value in values.items()]


@pytest.mark.parametrize(
    ("sums", "pods", "expected"),
    [
        # Two spellings of a bound are two pods; together they are on all.
        (
            {"5": 2, "5.0": 3, "+Inf": 10},
            {"5": 1, "5.0": 1, "+Inf": 2},
            {5.0: 5, math.inf: 10},
        ),
        # A bound that only one of two pods has says nothing about the other.
        ({"5.0": 2, "9.0": 9, "+Inf": 10}, {"5.0": 2, "9.0": 1, "+Inf": 2}, {5.0: 2, math.inf: 10}),
        # Extrapolation made a lower bound pass the next.
        (
            {"1.0": 5.2, "2.0": 5.1, "+Inf": 10},
            {"1.0": 1, "2.0": 1, "+Inf": 1},
            {1.0: 5.2, 2.0: 5.2, math.inf: 10},
        ),
        ({"1.0": math.nan, "+Inf": 10}, {"1.0": 1, "+Inf": 1}, {math.inf: 10}),
        ({"1.0": 4, "+Inf": math.nan}, {"1.0": 1, "+Inf": 1}, {}),
        ({"1.0": 4}, {"1.0": 1}, {}),
        ({}, {}, {}),
    ],
)
def test_buckets_of_several_pods_add_up_only_where_they_can(
    sums: dict[str, float], pods: dict[str, float], expected: dict[float, float]
) -> None:
    assert traffic.cumulative(vector("le", sums), vector("le", pods)) == expected
