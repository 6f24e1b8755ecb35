"""Releases that each do one thing wrong, how they come to it, and what ends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.releases.helm import Helm
from tests.e2e.canary.stage import routed
from tests.e2e.traffic import behaviour
from tests.e2e.whole.alerting_platform import IMAGE, post

Layer = Mapping[str, Any]
BASE: Layer = {
    "global": {"llm": {"components": {"monitoring": True, "alerts": True}, "replicas": {"min": 1}}}
}
DEPLOYMENT: Layer = {"vllm-inference": {"workload": "Deployment"}}
SCALED: Layer = {
    "global": {"llm": {"components": {"autoscaling": True}, "replicas": {"min": 1, "max": 2}}},
    "gpu-hpa": {"coldStartSeconds": 15, "inFlightPerReplica": 3, "scaleDownWindowSeconds": 15},
}
# A job every minute, which cannot hand in its result.
CHECKED: Layer = {
    "global": {"llm": {"components": {"drift": True}}},
    "drift-cronjob": {"image": IMAGE, "schedule": "* * * * *", "minSamples": 30, "job": {"backoffLimit": 0}},
}
LOST: Layer = {"drift-cronjob": {"exporter": {"url": "http://198.18.255.1:9"}}}
# A gate at an address where nobody answers; one that would answer is given by the stage.
UNHEARD: Layer = routed("http://198.18.255.1:9")
# Another version that behaves as the one before.
NEWER: Layer = {"vllm-inference": {"engine": {"maxNumSeqs": 32}}}
# Not a word of it passes the chart; somebody changed the object by hand.
INVALID = {"spec": {"strategy": {"canary": {"maxSurge": 0, "maxUnavailable": 0}}}}
# By hand as well: Helm compares its own two revisions of a custom resource and leaves what others changed.
VALID = {"spec": {"strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0}}}}


@dataclass(frozen=True)
class Fault:
    """Alerts that show it, and those that follow from it; what the release is at first; requests a second."""

    alerts: tuple[str, ...]
    follow: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = field(default=(behaviour(),))
    rate: float = 0


# Faults that do not touch each other share a release: a server takes 2 GiB of the node.
RELEASES: dict[str, Fault] = {
    # 64 tokens take more than six seconds, five are promised.
    # Its update is promoted by hand before the gate has counted a request of it.
    "slow": Fault(
        ("LLMLatencyP95High", "LLMDriftDetected", "LLMCanaryUnmeasured"),
        layers=(behaviour(itl=0.1),),
        rate=2,
    ),
    # Status 200, and then the stream breaks. Its update asks a gate that is not there.
    "failing": Fault(
        ("LLMErrorRateHigh", "LLMDriftJobMissed", "LLMCanaryHeld"),
        layers=(CHECKED, LOST, UNHEARD, behaviour(stream_error_rate=0.4)),
        rate=3,
    ),
    "broken": Fault(
        ("LLM5xxRateCritical", "LLMHPAMetricSourceBroken"),
        ("LLMErrorRateHigh",),
        (SCALED, behaviour(error_rate=0.6)),
        3,
    ),
    "hanging": Fault(("LLMEngineStalled", "LLMRolloutFailed"), layers=(behaviour(hang=True),), rate=1),
    "gone": Fault(("LLMTargetDown",)),
    "starting": Fault(("LLMServerDown",), layers=(DEPLOYMENT, behaviour())),
    # All is well but for the update.
    "aborted": Fault(("LLMCanaryAborted",), rate=2),
}
ABOUT: dict[str, str] = {alert: name for name, fault in RELEASES.items() for alert in fault.alerts}
"""Alert -> the release that shows it."""


def behave(helm: Helm, **change: Any) -> None:
    """Changes what the release's engines do from now on."""
    servers = "pods", "--selector=app.kubernetes.io/component=engine", "-o", "json"
    for pod in json.loads(helm.kubectl("get", *servers))["items"]:
        post(f"http://{pod['status']['podIP']}:8000/_behaviour", change)


def break_(releases: Mapping[str, Helm]) -> None:
    """What goes wrong after a good start."""
    # What `kubectl argo rollouts promote --full` does.
    releases["slow"].kubectl(
        "patch",
        "rollout/demo",
        "--subresource=status",
        "--type=merge",
        '--patch={"status":{"promoteFull":true}}',
    )
    # Those that take room on the node, after the one that gives some back.
    releases["gone"].kubectl("scale", "rollout/demo", "--replicas=0")
    releases["failing"].deploy("upgrade", BASE, *RELEASES["failing"].layers, NEWER)
    releases["aborted"].deploy("upgrade", BASE, behaviour(crash_at_start=3))
    releases["hanging"].kubectl("patch", "rollout/demo", "--type=merge", "--patch", json.dumps(INVALID))
    releases["starting"].deploy("upgrade", BASE, DEPLOYMENT, behaviour(never_ready=True))


def repair(releases: Mapping[str, Helm]) -> None:
    """What an operator would do about it. The adapter, drift result and GPUs are the stage's."""
    behave(releases["slow"], itl=0.01)
    behave(releases["failing"], stream_error_rate=0)
    behave(releases["broken"], error_rate=0)
    behave(releases["hanging"], hang=False)
    # Without its update, and with the way to the exporter; the stable version's pods stay.
    releases["failing"].deploy("upgrade", BASE, CHECKED, UNHEARD, RELEASES["failing"].layers[-1])
    releases["gone"].kubectl("scale", "rollout/demo", "--replicas=1")
    releases["hanging"].kubectl("patch", "rollout/demo", "--type=merge", "--patch", json.dumps(VALID))
    # For the unmeasured version of "slow" this is the next update.
    for name in ("slow", "starting", "aborted"):
        releases[name].run("rollback", "demo", "1", "--server-side=false")
