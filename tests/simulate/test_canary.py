"""`llmops simulate canary` as a user runs it, and the distributions that it draws from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from llmops.cli import main
from llmops.gates.evidence import Signal
from llmops.simulate.canary.latencies import parse
from llmops.simulate.canary.traffic import Traffic, draw, edges
from llmops.simulate.canary.usual_gates import others, quantile

STATISTICAL = ["ttft", "itl", "queue", "e2e", "errors", "stream_errors", "empty", "truncated", "repeated"]


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["simulate", "canary", "--runs", "100", *map(str, arguments)])


def document(*arguments: object) -> dict[str, Any]:
    done = simulate("--format", "json", *arguments)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_the_document_has_rates_of_gates_and_of_rollouts() -> None:
    found = document("--requests-per-window", 50, "--windows", 8, "--effect", 2, "--seed", 4)
    assert list(found) == ["gates", "rollout"]
    assert sorted(found["gates"]) == sorted(STATISTICAL)
    rollout = found["rollout"]
    assert set(rollout) == {"promote_rate", "abort_rate", "hold_rate", "median_requests_to_abort"}
    assert rollout["abort_rate"] == 1.0
    assert rollout["median_requests_to_abort"] in (250, 300)
    assert found == document("--requests-per-window", 50, "--windows", 8, "--effect", 2, "--seed", 4)


def test_nobody_is_aborted_without_requests_and_nobody_promoted() -> None:
    rollout = document("--requests-per-window", 1)["rollout"]
    assert (rollout["promote_rate"], rollout["hold_rate"]) == (0, pytest.approx(1 - rollout["abort_rate"]))


def test_values_files_decide(tmp_path: Path) -> None:
    gates = {"looks": 4, "minRequests": 5, "signals": ["ttft", "errors", "restarts"], "alpha": 0.2}
    first, second = tmp_path / "chart.yaml", tmp_path / "umbrella.yaml"
    first.write_text(yaml.safe_dump({"gates": gates}), encoding="utf-8")
    found = document("-f", first, "--requests-per-window", 2)
    assert set(found["gates"]) == {"ttft", "errors"}
    # Four windows of 2 requests: enough for minRequests 5.
    assert found["rollout"]["hold_rate"] == 0
    second.write_text(yaml.safe_dump({"vllm-inference": {"gates": {"minRequests": 9}}}), encoding="utf-8")
    assert document("-f", first, "-f", second, "--requests-per-window", 2)["rollout"]["promote_rate"] == 0


def test_a_watch_holds_the_new_version_to_its_promise(tmp_path: Path) -> None:
    values = tmp_path / "slo.yaml"
    for seconds, promoted in ((2, 1.0), (0.5, 0.0)):
        slo = {"ttftP95Seconds": seconds, "e2eP95Seconds": 60, "errorRatio": 0.05}
        values.write_text(yaml.safe_dump({"global": {"llm": {"slo": slo}}}), encoding="utf-8")
        rollout = document("-f", values, "--watch", 6, "--requests-per-window", 20)["rollout"]
        assert abs(rollout["promote_rate"] - promoted) < 0.1


def test_the_usual_gates_on_the_same_traffic() -> None:
    found = document("--compare", "--requests-per-window", 10, "--seed", 1)
    assert found["rollout"]["abort_rate"] < 0.1
    often = found["others"]["p95 canary > 1.2 x p95 stable, failureLimit 0"]["abort_rate"]
    rarely = found["others"]["p95 canary > 1.2 x p95 stable, failureLimit 2"]["abort_rate"]
    # A good version, 10 windows of 10 requests.
    assert often > 0.85
    assert 0.3 < rarely < often


def test_the_text_says_the_same() -> None:
    done = simulate("--requests-per-window", 100, "--effect", 2, "--signal", "errors", "--share", 0.05)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "100 rollouts with 100 canary requests a window"
    assert lines[1].startswith("  promoted")
    assert any(line.startswith("  errors") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--latency", "normal:1:2"), "write lognormal:MEDIAN:SIGMA, gamma:SHAPE:SCALE or csv:FILE"),
        (("--latency", "lognormal:0.3"), "lognormal:0.3:0.9"),
        (("--latency", "gamma:-1:2"), "is no distribution"),
        (("--latency", "csv:nowhere.csv"), "nowhere.csv: cannot read it"),
        (("--signal", "stall"), "--signal stall is not judged; write one of ttft"),
        (("--signal", "tpot"), "--signal tpot is not judged"),
        (("--windows", "ten"), "--windows is 'ten'"),
        (("--windows", "10,0"), "write looks of a gate step"),
        (("--signal", "errors", "--compare"), "--compare needs a latency"),
        (("--signal", "errors", "--latency", "lognormal:1:1"), "--latency needs a latency"),
        (("--share", "0.1"), "--share needs a share"),
        (("-f", "nowhere.yaml"), "nowhere.yaml: cannot read it"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = simulate(*arguments)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert done.stderr.startswith("llmops: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "values",
    [
        {"gates": {"alpha": 2}},
        {"gates": {"looks": "many"}},
        {"gates": {"signals": ["tpot"]}},
        {"gates": {"signals": []}},
        {"global": {"llm": {"slo": {"errorRatio": "low"}}}},
        [1],
    ],
)
def test_wrong_values_are_one_sentence(values: object, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    done = simulate("-f", file)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "write" in done.stderr


def test_what_the_chart_takes_the_simulation_takes(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("gates: {alpha: 0.45}\n", encoding="utf-8")
    assert simulate("-f", file, "--runs", 10).exit_code == 0
    file.write_text("gates: {alpha: 0.51}\n", encoding="utf-8")
    refused = simulate("-f", file, "--runs", 10)
    assert "gates.alpha is 0.51; write a number from 0.0001 to 0.5" in refused.stderr


def test_log_normal_and_gamma_are_what_their_names_say() -> None:
    x = np.array([0.05, 0.3, 1.0, 4.0])
    by_hand = [0.5 * math.erfc(-math.log(one / 0.3) / 0.9 / math.sqrt(2)) for one in x]
    assert parse("lognormal:0.3:0.9").below(x) == pytest.approx(by_hand, abs=1e-5)
    # Whole shapes have a closed form (Erlang); shape 1 is the exponential distribution.
    assert parse("gamma:1:0.5").below(x) == pytest.approx([1 - math.exp(-2 * one) for one in x], abs=1e-4)
    three = [1 - math.exp(-one) * (1 + one + one**2 / 2) for one in x]
    assert parse("gamma:3:1").below(x) == pytest.approx(three, abs=1e-4)
    # Shape 1/2 is the square of a normal deviate.
    half = [math.erf(math.sqrt(one)) for one in x]
    assert parse("gamma:0.5:1").below(x) == pytest.approx(half, abs=1e-3)


def test_measured_latencies(tmp_path: Path) -> None:
    file = tmp_path / "ttft.csv"
    file.write_text("seconds,user\n" + "".join(f"{i / 10},u{i}\n" for i in range(1, 21)), encoding="utf-8")
    assert parse(f"csv:{file}").below(np.array([0.05, 1.0, 1.95, 9])) == pytest.approx([0, 0.5, 0.95, 1])
    file.write_text("0.1\nfast\n", encoding="utf-8")
    assert "line 2: 'fast' is no latency" in simulate("--latency", f"csv:{file}").stderr
    file.write_text("0.1\n0.2\n", encoding="utf-8")
    assert "too few" in simulate("--latency", f"csv:{file}").stderr


def test_draws_have_the_size_and_the_shares_that_they_should() -> None:
    traffic = Traffic((1000,) * 5, (9000,) * 5, effect=2.0, latency=parse("lognormal:0.3:0.9"))
    signals = draw(traffic, STATISTICAL, 20, np.random.default_rng(0))
    ttft = signals["ttft"]
    assert set(np.unique(ttft.canary.sum(-1))) == {1000}
    assert set(np.unique(ttft.stable.sum(-1))) == {9000}
    # Half of the canary's are below twice the median; 0.5 s is an edge, 0.6 is the median.
    below = ttft.canary[..., : edges("ttft").index(0.5) + 1].sum() / ttft.canary.sum()
    assert below == pytest.approx(0.5 * math.erfc(-math.log(0.5 / 0.6) / 0.9 / math.sqrt(2)), abs=0.01)
    assert signals["itl"].canary.sum() == 100 * 1000 * 5 * 20
    gaps = signals["itl"].stable[..., :3].sum() / signals["itl"].stable.sum()
    # Gaps of one answer resemble each other, but all together they are as the distribution says: 0.05 s is an edge.
    assert gaps == pytest.approx(0.5 * math.erfc(-math.log(0.05 / 0.03) / 0.5 / math.sqrt(2)), abs=0.01)
    assert signals["errors"].stable[..., 1].mean() == pytest.approx(90, rel=0.05)


def test_quantiles_as_prometheus_reads_them() -> None:
    # 100 requests: 90 up to 1 s, 10 between 1 and 2.5: the 95th is half way. Beyond the last edge: that edge.
    counts = np.array([[0, 90, 10, 0], [0, 0, 0, 100], [0, 100, 0, 0]], float)
    found = quantile(counts, (0.5, 1.0, 2.5, math.inf))
    assert found == pytest.approx([1.75, 2.5, 0.975])


def test_mann_whitney_needs_most_windows_to_be_slower() -> None:
    slow, fast = [0, 0, 10, 0], [10, 0, 0, 0]
    bounds = (0.5, 1.0, 2.5, math.inf)
    name = "Mann-Whitney on the p95 of each window, alpha 0.01"
    always = Signal(np.array([[slow] * 8], float), np.array([[fast] * 8], float), bounds)
    half = Signal(np.array([[slow, fast] * 4], float), np.array([[fast, slow] * 4], float), bounds)
    assert (others(always, 2)[name], others(half, 2)[name]) == (1.0, 0.0)
