"""A pod of another namespace has no say in an update, with the network wide open; the controller and Jobs have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.waiting import until
from lab.releases.gate import IMAGE
from tests.e2e.canary.stage import Stage, routed
from tests.e2e.prometheus import scraped

STRANGER = Path(__file__).with_name("stranger.py")
STEPS = [{"setCanaryScale": {"replicas": 1}}, {"smoke": {}}, {"setWeight": 25}, {"gate": {}}]


@pytest.fixture
def elsewhere(stage: Stage) -> Iterator[str]:
    """Another namespace, whose name begins as that of the release does."""
    namespace = f"{stage.helm.namespace[:55]}-x"
    stage.helm.cluster.kubectl("create", "namespace", namespace)
    yield namespace
    stage.helm.cluster.kubectl("delete", "namespace", namespace, "--timeout=120s")


def labels(release: str) -> dict[str, str]:
    """All that the release's own Jobs, its engine and the controller have; a pod has one value of each key."""
    return {
        "app.kubernetes.io/name": "vllm-inference",
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/component": "job",
        "app.kubernetes.io/part-of": "llm-stack",
        "app.kubernetes.io/managed-by": "Helm",
        "app": "argo-rollouts",
        "llm-charts/gate": "true",
    }


def pod(release: str, environment: dict[str, str]) -> dict[str, Any]:
    source = {
        "serviceAccountToken": {"path": "token", "audience": "llm-canary-gate", "expirationSeconds": 600}
    }
    container = {
        "name": "stranger",
        "image": f"{IMAGE['registry']}/{IMAGE['repository']}:{IMAGE['tag']}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", STRANGER.read_text(encoding="utf-8")],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "volumeMounts": [{"name": "gate", "mountPath": "/var/run/secrets/gate"}],
    }
    volumes = [{"name": "gate", "projected": {"sources": [source]}}]
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger", "labels": labels(release)},
        "spec": spec,
    }


def tried(stage: Stage, namespace: str, environment: dict[str, str]) -> dict[str, int]:
    """What the pod was answered, by what it tried."""
    cluster, helm = stage.helm.cluster, stage.helm
    file = helm.folder / "stranger.json"
    file.write_text(json.dumps(pod(helm.name, environment)), encoding="utf-8")
    cluster.kubectl("--namespace", namespace, "create", "-f", str(file))

    def ended() -> str:
        found = json.loads(cluster.kubectl("--namespace", namespace, "get", "pod", "stranger", "-o", "json"))
        phase = str(found["status"].get("phase", ""))
        return phase if phase in ("Succeeded", "Failed") else ""

    phase = until(ended, "the end of the stranger", 60)
    log = cluster.kubectl("--namespace", namespace, "logs", "stranger")
    assert phase == "Succeeded", log
    return dict(json.loads(log.strip().splitlines()[-1]))


def test_a_pod_of_another_namespace_has_no_say(
    stage: Stage, gate: str, elsewhere: str, record_property: Any
) -> None:
    stage.install(routed(gate, steps=STEPS), scraped=scraped)
    with stage.scenario("a stranger in the middle", "promoted", {"seed": 1}) as act:
        act.at_step(2)
        environment = {"GATE": gate, "NAMESPACE": stage.helm.namespace, "RELEASE": stage.helm.name}
        versions = {"CANARY": act.canary(), "STABLE": act.before}
        answers = tried(stage, elsewhere, environment | versions)
        record_property("answers", answers)
        # Who is nobody is refused before a question is read; who is somebody else, by its namespace.
        assert set(answers.values()) <= {401, 403}, answers
        assert answers["forged result, its own for the gate"] == 403
        assert answers["the Secret"] == 403
        assert len(answers) == 13
        # The controller was heard, and the smoke Job: both gates of the update were passed.
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last
