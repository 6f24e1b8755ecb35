"""States of a release on the live cluster that tests wait for."""

from __future__ import annotations

from typing import Any

from lab.cluster.waiting import until
from lab.releases.helm import Helm


def healthy(helm: Helm, seconds: float = 120) -> None:
    """Waits until all of the wanted version serves: the controller has seen the last change and is done with it."""
    until(lambda: _done(helm), f"{helm.namespace}/{helm.name} serving its wanted version", seconds, every=0.5)


def degraded(helm: Helm, seconds: float = 120) -> str:
    """Waits until the rollout is aborted; the controller's reason."""
    rollout = until(lambda: _phase(helm, "Degraded"), f"an abort of {helm.name}", seconds, every=0.5)
    return str(rollout["status"].get("message", ""))


def paused(helm: Helm, step: int, seconds: float = 120) -> None:
    """Waits until the rollout waits at the step with that index."""

    def there() -> bool:
        status = workload(helm).get("status", {})
        return bool(status.get("pauseConditions")) and status.get("currentStepIndex") == step

    until(there, f"{helm.name} waiting at step {step}", seconds, every=0.5)


def workload(helm: Helm) -> dict[str, Any]:
    """The Rollout or Deployment of the release."""
    items = helm.get("rollouts.argoproj.io,deployments")["items"]
    (found,) = [item for item in items if item["metadata"]["name"] == helm.name]
    return dict(found)


def arguments(helm: Helm) -> set[tuple[str, ...]]:
    """The engine arguments of all pods that are ready."""
    pods = helm.get("pods")["items"]
    return {
        tuple(pod["spec"]["containers"][0]["args"])
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
    }


def weights(helm: Helm) -> dict[str, int | None]:
    """What the router gives each Service, as the controller wrote it."""
    services = helm.get(f"traefikservices.traefik.io/{helm.name}")["spec"]["weighted"]["services"]
    return {service["name"]: service.get("weight") for service in services}


def hashes(helm: Helm) -> dict[str, str]:
    """The pod-template-hash in each Service's selector, as the controller wrote it."""
    services = [helm.get(f"services/{name}") for name in (helm.name, f"{helm.name}-canary")]
    return {
        s["metadata"]["name"]: s["spec"]["selector"].get("rollouts-pod-template-hash", "") for s in services
    }


def _phase(helm: Helm, phase: str) -> dict[str, Any] | None:
    rollout = workload(helm)
    return rollout if _seen(rollout) and rollout["status"].get("phase") == phase else None


def _seen(found: dict[str, Any]) -> bool:
    return str(found.get("status", {}).get("observedGeneration")) == str(found["metadata"]["generation"])


def _done(helm: Helm) -> bool:
    found = workload(helm)
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    if (
        not _seen(found)
        or status.get("availableReplicas") != wanted
        or status.get("updatedReplicas") != wanted
    ):
        return False
    if found["kind"] == "Deployment":
        return bool(status.get("replicas") == wanted)
    return status.get("phase") == "Healthy" and status.get("currentPodHash") == status.get("stableRS")
