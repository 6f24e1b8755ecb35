"""Looks at a release several times a second while a test acts: steps, weights, and when pods die."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from lab.cluster.client import ApiError
from lab.releases.helm import Helm

EVERY = 0.25
HASH = "rollouts-pod-template-hash"


@dataclass(frozen=True)
class Sample:
    """The rollout at a Unix time. `weight` is the canary's share in percent, None where pods are the share."""

    at: float
    phase: str
    step: int
    canary: str
    stable: str
    aborted: bool
    message: str
    weight: int | None


@dataclass
class Watch:
    """Use as a context manager. `hashes` is pod -> version, `deaths` pod -> the time at which it was told to end."""

    helm: Helm
    samples: list[Sample] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    deaths: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Watch:
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join(timeout=20)

    def follow(self) -> None:
        while not self.stopped.wait(EVERY):
            try:
                self.look()
            except (ApiError, KeyError, OSError):
                continue  # a look that fails is one look less; the next one comes

    def look(self) -> None:
        get = self.helm.cluster.api
        name, space = self.helm.name, self.helm.namespace
        rollout = get("GET", f"/apis/argoproj.io/v1alpha1/namespaces/{space}/rollouts/{name}")
        pods = get(
            "GET",
            f"/api/v1/namespaces/{space}/pods?labelSelector=app.kubernetes.io%2Fcomponent%3Dengine",
        )["items"]
        now = time.time()
        for pod in pods:
            self.hashes[pod["metadata"]["name"]] = pod["metadata"]["labels"].get(HASH, "")
            if "deletionTimestamp" in pod["metadata"]:
                self.deaths.setdefault(pod["metadata"]["name"], now)
        self.samples.append(sample(now, rollout))

    def of(self, version: str) -> frozenset[str]:
        """Names of the pods of a version, those that are gone included."""
        return frozenset(pod for pod, each in self.hashes.items() if each == version)


def sample(now: float, rollout: dict[str, Any]) -> Sample:
    status = rollout.get("status", {})
    weights = status.get("canary", {}).get("weights")
    return Sample(
        now,
        status.get("phase", ""),
        int(status.get("currentStepIndex", -1)),
        status.get("currentPodHash", ""),
        status.get("stableRS", ""),
        bool(status.get("abort")),
        status.get("message", ""),
        None if weights is None else int(weights["canary"]["weight"]),
    )
