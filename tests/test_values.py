"""What a release's values say, wherever they stand, and that no figure of the charts is another in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.gates.evidence import GATES, Policy
from llmops.jobs import drift
from llmops.services.gate.question import read_policy
from llmops.values import Values, defaults, setting

CHARTS = Path(__file__).parents[1] / "charts"
SCHEMA: dict[str, Any] = json.loads(
    (CHARTS / "vllm-inference/values.schema.json").read_text(encoding="utf-8")
)
OWN: dict[str, Any] = {"engine": {"version": "0.33.0"}, "cache": {"sizeGiB": 40}, "gates": {}}
SHARED: dict[str, Any] = {"llm": {"slo": {"errorRatio": 0.05}}}


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"global": SHARED, "vllm-inference": OWN, "gpu-hpa": {"coldStartSeconds": 90}}, "/vllm-inference"),
        ({"global": SHARED, **OWN}, ""),
    ],
)
def test_a_component_has_the_same_values_in_an_umbrella_and_alone(
    values: dict[str, Any], pointer: str
) -> None:
    view = Values(values)
    assert view.served.text("engine.version") == "0.33.0"
    assert view.served.get("cache.sizeGiB") == 40
    assert view.served.at("cache.sizeGiB") == f"{pointer}/cache/sizeGiB"
    assert view.served.key("cache.sizeGiB") == f"{pointer}/cache/sizeGiB"[1:].replace("/", ".")
    assert view.llm.effective("slo.errorRatio") == 0.05
    assert view.of("gpu-hpa").get("coldStartSeconds") == (90 if pointer else None)


def test_of_values_that_are_not_there_the_contract_tells_what_holds() -> None:
    view = Values({})
    assert view.engine is None
    assert view.llm.get("slo.itlP95Seconds") is None
    assert view.llm.effective("slo.itlP95Seconds") == 0.1
    assert view.llm.effective("no.such.key") is None
    assert view.served.number("lifecycle.loadSeconds") is None


@pytest.mark.parametrize("odd", [None, 3, "text", ["list"], {"slo": "text"}])
def test_values_of_a_wrong_shape_are_no_values(odd: object) -> None:
    view = Values({"global": {"llm": odd}, "vllm-inference": {"cache": odd}})
    assert view.llm.number("slo.errorRatio") is None
    assert view.served.get("cache.sizeGiB") is None
    assert view.served.mapping("engine") == {}


def test_the_gates_of_python_are_those_of_the_chart() -> None:
    gates = yaml.safe_load((CHARTS / "vllm-inference/values.yaml").read_text(encoding="utf-8"))["gates"]
    policy = Policy()
    assert {
        "alpha": policy.alpha,
        "looks": policy.looks[0],
        "minRequests": policy.min_requests,
        "windowSeconds": policy.window_seconds,
        "stallSeconds": policy.stall_seconds,
        "downSeconds": policy.down_seconds,
    } == {key: gates[key] for key in gates if key not in ("dryRun", "signals", "waitSeconds")}
    assert (
        list(GATES)
        == gates["signals"]
        == SCHEMA["properties"]["gates"]["properties"]["signals"]["items"]["enum"]
    )


def test_a_question_to_the_gate_has_the_chart_s_bounds_and_defaults() -> None:
    assert read_policy({}) == Policy()
    assert read_policy({"alpha": 0.5}).alpha == 0.5
    with pytest.raises(ValueError, match=r"policy\.alpha must be 0\.0001 to 0\.5"):
        read_policy({"alpha": 0.51})


def test_the_drift_job_has_the_chart_s_defaults() -> None:
    values = yaml.safe_load((CHARTS / "drift-cronjob/values.yaml").read_text(encoding="utf-8"))
    names = ("PROMETHEUS_URL", "RELEASE_NAMESPACE", "RELEASE_NAME", "MODEL_NAME")
    arguments = drift.parser(dict.fromkeys(names, "x")).parse_args([])
    assert arguments.threshold == setting("global.llm", "slo.driftScore").default
    assert (arguments.window, arguments.offset) == (values["window"], values["reference"]["offset"])
    assert arguments.min_samples == values["minSamples"]
    assert arguments.min_bin_share == values["minBinShare"]
    assert arguments.min_coverage == values["minCoverage"]
    assert arguments.signals.split(",") == values["signals"]


def test_bounds_are_those_of_the_schema() -> None:
    alpha, written = (
        setting("vllm-inference", "gates.alpha"),
        SCHEMA["properties"]["gates"]["properties"]["alpha"],
    )
    assert (alpha.minimum, alpha.maximum) == (written["minimum"], written["maximum"]) == (0.0001, 0.5)
    assert alpha.admits(0.5)
    assert not alpha.admits(0.51)
    assert alpha.range == "from 0.0001 to 0.5"
    ratio = setting("global.llm", "slo.errorRatio")
    assert ratio.admits(1)
    assert not ratio.admits(0)
    assert ratio.range == "above 0 and of at most 1"


def test_what_is_promised_where_nothing_is_written_stands_in_the_contract_alone() -> None:
    contract = yaml.safe_load((CHARTS / "llm-common/global.schema.yaml").read_text(encoding="utf-8"))
    written = contract["properties"]["llm"]["properties"]["slo"]["properties"]
    assert defaults("global.llm", "slo") == {key: row["default"] for key, row in written.items()}
