"""Every alert of the chart fires in a real Prometheus when its fault is there, is told, and clears after the repair.

Releases with one fault each stand on the live cluster at once, installed by the real charts. Every duration of the
rules (`for`, `keep_firing_for`, ranges, offsets) is divided by SPEED = 20; LLMDriftJobMissed waits 30m instead of 2h
before that. The three alerts of PATIENT also run with nothing divided. GPUs are those of a stand-in for dcgm-exporter;
the result of the drift job is posted to the real exporter; everything else is what the real programs say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from lab import ROOT
from lab.cluster import Cluster
from lab.cluster.waiting import until
from tests.e2e.conftest import dump
from tests.e2e.whole.alerting_faults import ABOUT, RELEASES
from tests.e2e.whole.alerting_stage import MARK, PATIENT, PREFIX, SPEED, Stage, shown, staged, suppressed

Property = Callable[[str, object], None]
SETTINGS = yaml.safe_load((ROOT / "charts/alert-rules/values.yaml").read_text(encoding="utf-8"))["alerts"]
# No fault of this stage brings them about: promtool alone proves them (tests/alerts).
NOT_STAGED = {
    "GPUMemoryFault",
    "GPUXidError",
    "LLMAlertsPutAside",
    "LLMAlertsUndelivered",
    "LLMAutoscalerAtCeiling",
    "LLMCheckSuspended",
    "LLMErrorBudgetBurnFast",
    "LLMErrorBudgetBurnSlow",
    "LLMEvaluationIncomparable",
    "LLMEvaluationJobMissed",
    "LLMEvaluationRegressed",
    "LLMEvaluationStale",
    "LLMKVCachePressure",
    "LLMQueueTimeHigh",
    "LLMRequestsRejected",
}
ALERTS = sorted(set(SETTINGS) - NOT_STAGED)
# Longer than any `for` at the speed of the test, and a CronJob's minute.
FIRES, CLEARS = 300, 240


@pytest.fixture(scope="module")
def stage(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    with staged(cluster, lambda name: tmp_path_factory.mktemp(name)) as made:
        yield made
        if request.session.testsfailed:
            for name, helm in made.releases.items():
                dump(helm, ROOT / "out/e2e/alerts" / name)


@pytest.fixture
def repaired(stage: Stage) -> Stage:
    stage.repair()
    return stage


def test_every_alert_of_the_chart_has_a_fault_here() -> None:
    assert sorted([*ABOUT, "GPUTemperatureHigh", "GPUUtilizationHigh"]) == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_it_fires(stage: Stage, alert: str, record_property: Property) -> None:
    release = ABOUT.get(alert, "")
    until(lambda: stage.firing(alert, release), f"{alert} firing", seconds=FIRES, every=0.5)
    after, waited = stage.waited(alert, release)
    record_property("durations divided by", SPEED)
    record_property("condition after s", round(after, 1))
    record_property("for s", stage.held[alert])
    record_property("fired s after condition", round(waited, 1))
    assert stage.held[alert] <= waited <= stage.held[alert] + 10


def test_people_are_told_of_the_outage_and_not_of_what_follows_from_it(stage: Stage) -> None:
    """A release with 60 % of HTTP 5xx also breaks its promised error ratio; one message is enough."""

    def told(alert: str) -> list[dict[str, Any]]:
        place = f"{PREFIX}broken"
        return [each for each in stage.received.alerts(alert) if each["labels"]["namespace"] == place]

    until(lambda: told("LLM5xxRateCritical"), "a message about the outage", seconds=60)
    until(lambda: stage.firing("LLMErrorRateHigh", "broken"), "the warning that follows", seconds=60)
    until(lambda: suppressed(stage, "LLMErrorRateHigh", "broken"), "the warning held back", seconds=60)
    assert {each["status"] for each in told("LLM5xxRateCritical")} == {"firing"}
    assert told("LLMErrorRateHigh") == []
    # The same warning, of a release that has no outage, is told.
    elsewhere = [each["labels"]["namespace"] for each in stage.received.alerts("LLMErrorRateHigh")]
    assert f"{PREFIX}failing" in elsewhere


def test_each_release_has_the_alerts_of_its_own_fault_only(stage: Stage) -> None:
    found = shown(stage)
    found.pop("patient", None)  # its recorded rates run at another speed than these alerts
    assert found == {name: {*fault.alerts, *fault.follow} for name, fault in RELEASES.items()}


@pytest.mark.parametrize("alert", sorted(PATIENT))
def test_it_fires_with_nothing_divided(stage: Stage, alert: str, record_property: Property) -> None:
    release, pace = PATIENT[alert], MARK["pace"]
    until(lambda: stage.firing(alert, release, pace), f"{alert} firing", seconds=FIRES, every=0.5)
    after, waited = stage.waited(alert, release, pace)
    record_property("durations divided by", 1)
    record_property("condition after s", round(after, 1))
    record_property("for s", stage.own[alert])
    record_property("fired s after condition", round(waited, 1))
    assert f"{stage.own[alert] // 60}m" == SETTINGS[alert]["for"]
    assert stage.own[alert] <= waited <= stage.own[alert] + 10


@pytest.mark.parametrize("alert", ALERTS)
def test_it_clears(repaired: Stage, alert: str, record_property: Property) -> None:
    release = ABOUT.get(alert, "")
    until(lambda: not repaired.firing(alert, release), f"the end of {alert}", seconds=CLEARS, every=0.5)
    record_property("durations divided by", SPEED)
    record_property("seen clear s after the repair", round(time.time() - repaired.repaired, 1))


@pytest.mark.parametrize("alert", ["LLMCanaryAborted", "LLMTargetDown"])
def test_it_clears_with_nothing_divided(repaired: Stage, alert: str) -> None:
    release, pace = PATIENT[alert], MARK["pace"]
    until(lambda: not repaired.firing(alert, release, pace), f"the end of {alert}", seconds=CLEARS, every=0.5)


def test_people_are_told_that_it_is_over(repaired: Stage) -> None:
    def over() -> bool:
        notices = [
            each
            for each in repaired.received.alerts("LLM5xxRateCritical")
            if each["labels"]["namespace"] == f"{PREFIX}broken"
        ]
        return any(each["status"] == "resolved" for each in notices)

    until(over, "the message that the outage is over", seconds=120)
