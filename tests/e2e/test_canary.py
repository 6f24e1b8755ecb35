"""Good and bad versions under a steady stream of requests: promoted or stopped, and no request lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.e2e.helm import Helm
from tests.e2e.prometheus import scraped
from tests.e2e.states import degraded, healthy, workload
from tests.e2e.traffic import behaviour, no_loss

Release = Callable[..., Helm]
Load = Callable[..., AbstractContextManager[Callable[[], dict[str, Any]]]]
TRAEFIK = {"vllm-inference": {"trafficRouter": "traefik"}}
STEPS = {"vllm-inference": {"strategy": {"steps": [{"setWeight": 25}, {"pause": {"duration": "8s"}}]}}}


def test_a_good_version_is_promoted_without_a_lost_request(release: Release, load: Load) -> None:
    helm = release()
    helm.deploy("install", TRAEFIK, STEPS)
    healthy(helm)
    scraped(helm)
    with load(helm, 60, gateway=True) as account:
        helm.deploy("upgrade", TRAEFIK, STEPS, behaviour(itl=0.02))
        healthy(helm)
        summary = account()
    no_loss(summary)
    assert len(summary["pods"]) >= 4  # both versions answered, each with two pods


def test_a_good_version_is_promoted_by_number_of_pods(release: Release, load: Load) -> None:
    helm = release()
    helm.deploy("install", STEPS)
    healthy(helm)
    scraped(helm)
    with load(helm, 60) as account:
        helm.deploy("upgrade", STEPS, behaviour(itl=0.02))
        healthy(helm)
        summary = account()
    no_loss(summary)
    assert len(summary["pods"]) >= 4


def test_a_crash_loop_and_then_a_version_that_never_starts_are_stopped(release: Release, load: Load) -> None:
    helm = release()
    helm.deploy("install", TRAEFIK, STEPS)
    healthy(helm)
    scraped(helm)
    with load(helm, 110, gateway=True) as account:
        helm.deploy("upgrade", TRAEFIK, STEPS, behaviour(crash_at_start=3))
        assert "deadline" in degraded(helm).lower() or "canary-started" in degraded(helm)
        # Argo Rollouts forgets its progress deadline after an abort: only the second guard can stop this one.
        helm.deploy("upgrade", TRAEFIK, STEPS, behaviour(never_ready=True))
        assert "canary-started" in degraded(helm)
        summary = account()
    no_loss(summary)
    assert workload(helm)["status"]["readyReplicas"] == 2


def test_without_a_drain_requests_are_lost(release: Release, load: Load) -> None:
    """The control: the same measurement sees a loss where the drain is taken away."""
    helm = release()
    helm.deploy("install", STEPS, behaviour(itl=0.06))  # streams of four seconds
    healthy(helm)
    patch = [
        {"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"},
        {"op": "replace", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 1},
    ]
    helm.kubectl("patch", f"rollout/{helm.name}", "--type=json", "--patch", json.dumps(patch))
    healthy(helm)
    # By hand again: Helm would bring the drain back and keep the grace period, which the controller refuses together.
    newer = {"spec": {"template": {"metadata": {"annotations": {"example.com/version": "2"}}}}}
    with load(helm, 60) as account:
        helm.kubectl("patch", f"rollout/{helm.name}", "--type=merge", "--patch", json.dumps(newer))
        healthy(helm)
        summary = account()
    assert summary["lost"] > 0
