"""Each alert against series written by hand: when it fires, when it is silent, and what it says.

cases/<alert in lower case>.yaml holds them: `labels` and `summary` of the alert as it fires, and cases with input
series (promtool's notation, a value a minute unless `step` says otherwise) and the times at which the alert is `firing`
or `silent`. `release` are series that every case has, most often the thresholds of one release.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.conftest import Mismatches
from tests.charts.conftest import Render

FILES = {path.stem: path for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))}
SPECS = {name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def layer(spec: dict[str, Any], case: dict[str, Any]) -> str:
    """The chart's values of a case, or else of all cases of its alert, as JSON."""
    return json.dumps(case.get("values", spec.get("values", {})))


# One run of promtool for all cases of an alert that share the chart's values.
RUNS = sorted({(name, layer(spec, case)) for name, spec in SPECS.items() for case in spec["cases"]})

NEEDED = {"fires", "just below", "clears", "missing series", "release without alerts"}
NO_RELEASE = {
    "gpuutilizationhigh",
    "gputemperaturehigh",
    "gpuxiderror",
    "gpumemoryfault",
    "llmalertsundelivered",
    "llmalertsputaside",
}
"""GPUs and the relay belong to no release, so these need no case for one that opted out."""


def alerts(rule: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["alert"].lower(): item for group in rule["spec"]["groups"] for item in group["rules"]}


def terse(rule: dict[str, Any], name: str) -> dict[str, Any]:
    """One alert alone, with no annotation but the English summary, so that a case can say all of it in a few lines."""
    for group in rule["spec"]["groups"]:
        group["rules"] = [alert for alert in group["rules"] if alert["alert"].lower() == name]
        for alert in group["rules"]:
            alert["annotations"] = {"summary": alert["annotations"]["summary"]}
    rule["spec"]["groups"] = [group for group in rule["spec"]["groups"] if group["rules"]]
    return rule


def expectation(spec: dict[str, Any], at: str, firing: bool, case: dict[str, Any]) -> dict[str, Any]:
    alert = {
        "exp_labels": {**spec["labels"], "service": "llm", **case.get("labels", {})},
        "exp_annotations": {"summary": case.get("summary", spec["summary"])},
    }
    return {"eval_time": at, "alertname": spec["alert"], "exp_alerts": [alert] if firing else []}


def suite(spec: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    given = {**spec.get("release", {}), **case["series"]} if case.get("release", True) else case["series"]
    # YAML reads 0x90 as a number, so every series must be quoted.
    assert all(isinstance(values, str) for values in given.values()), case["name"]
    checks = [expectation(spec, at, True, case) for at in case.get("firing", [])]
    checks += [expectation(spec, at, False, case) for at in case.get("silent", [])]
    assert checks, f"{spec['alert']}/{case['name']} asks nothing"
    return {
        "name": case["name"],
        "interval": case.get("step", "1m"),
        "input_series": [{"series": name, "values": values} for name, values in given.items()],
        "alert_rule_test": checks,
    }


def suites(name: str, values: str) -> dict[str, Any]:
    """A test file for all cases of an alert that share these values of the chart."""
    spec = SPECS[name]
    tests = [suite(spec, case) for case in spec["cases"] if layer(spec, case) == values]
    return {"evaluation_interval": "30s", "tests": tests}


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "values"), RUNS, ids=[name + "-own" * ("alerts" in text) for name, text in RUNS]
)
def test_cases(name: str, values: str, render: Render, mismatches: Mismatches) -> None:
    assert not mismatches(
        suites(name, values), [terse(render("alert-rules", json.loads(values)).one("PrometheusRule"), name)]
    )


@pytest.mark.parametrize("name", SPECS)
def test_every_alert_has_the_cases_that_matter(name: str) -> None:
    named = {case["name"] for case in SPECS[name]["cases"]}
    assert named >= NEEDED - ({"release without alerts"} if name in NO_RELEASE else set())


def test_every_alert_has_cases(render: Render) -> None:
    assert set(alerts(render("alert-rules").one("PrometheusRule"))) == set(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_texts_name_only_labels_that_the_alert_has(name: str, render: Render) -> None:
    alert = alerts(render("alert-rules", {"rules": {"chinese": True}}).one("PrometheusRule"))[name]
    used = set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"])))
    assert used <= set(SPECS[name]["labels"])
    assert set(alert["annotations"]) == {"summary", "description", "summary_zh", "description_zh"}


@pytest.mark.parametrize("name", SPECS)
def test_chinese_texts_are_chinese_and_say_the_same_numbers(name: str, render: Render) -> None:
    texts = alerts(render("alert-rules", {"rules": {"chinese": True}}).one("PrometheusRule"))[name][
        "annotations"
    ]
    for key in ("summary", "description"):
        assert re.search(r"[\u4e00-\u9fff]", texts[f"{key}_zh"])
        assert not re.search(r"[\u4e00-\u9fff]", texts[key])
    placeholders = [re.findall(r"{{.*?}}", texts[key]) for key in ("summary", "summary_zh")]
    assert sorted(placeholders[0]) == sorted(placeholders[1])
