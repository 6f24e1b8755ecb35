"""Good and bad versions under a steady stream of requests: promoted or stopped, and no request lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.scrape import configuration
from tests.e2e.helm import ROOT, Helm
from tests.e2e.states import degraded, healthy, workload

Release = Callable[..., Helm]
TRAEFIK = {"vllm-inference": {"trafficRouter": "traefik"}}
STEPS = {"vllm-inference": {"strategy": {"steps": [{"setWeight": 25}, {"pause": {"duration": "8s"}}]}}}
RATE = 8


def behaviour(**wanted: Any) -> dict[str, Any]:
    """A new version whose engine behaves so."""
    return {
        "vllm-inference": {
            "engine": {
                "extraEnv": [
                    {"name": "PYTHONPATH", "value": "/app"},
                    {"name": "ENGINE_SCRIPTED", "value": "1"},
                    {"name": "ENGINE_BEHAVIOUR", "value": json.dumps(wanted)},
                ]
            }
        }
    }


@contextmanager
def load(helm: Helm, seconds: int) -> Iterator[Callable[[], dict[str, Any]]]:
    """Streams requests at the release's Service while the body runs; the function given waits for the account."""
    address = helm.get(f"services/{helm.name}")["spec"]["clusterIP"]
    out = helm.folder / "load.jsonl"
    command = [sys.executable, "-m", "tests.cluster.load", f"--url=http://{address}", "--model=demo"]
    command += [f"--rate={RATE}", f"--seconds={seconds}", "--max-tokens=64", "--ignore-eos", f"--out={out}"]
    process = subprocess.Popen(
        helm.cluster.command(command, ROOT),
        env=helm.cluster.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def account() -> dict[str, Any]:
        _, errors = process.communicate(timeout=seconds + 90)
        assert process.returncode == 0, errors
        summary: dict[str, Any] = json.loads(Path(out).with_suffix(".summary.json").read_text())
        keep = ROOT / "out/e2e" / f"{helm.namespace}.json"
        keep.parent.mkdir(parents=True, exist_ok=True)
        keep.write_text(json.dumps(summary, indent=2))
        return summary

    try:
        yield account
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def no_loss(summary: dict[str, Any]) -> None:
    assert summary["sent"] >= 100
    assert summary["lost"] == 0, summary["losses"]


def scraped(helm: Helm) -> None:
    """Prometheus scrapes what the release's PodMonitor selects."""
    helm.cluster.scrape(configuration([helm.get(f"podmonitors/{helm.name}")], helm.cluster.kubeconfig))


def test_a_good_version_is_promoted_without_a_lost_request(release: Release) -> None:
    helm = release()
    helm.deploy("install", TRAEFIK, STEPS)
    healthy(helm)
    with load(helm, 60) as account:
        helm.deploy("upgrade", TRAEFIK, STEPS, behaviour(itl=0.02))
        healthy(helm)
        summary = account()
    no_loss(summary)
    assert len(summary["pods"]) >= 4  # both versions answered


def test_a_good_version_is_promoted_by_number_of_pods(release: Release) -> None:
    helm = release()
    helm.deploy("install", STEPS)
    healthy(helm)
    with load(helm, 60) as account:
        helm.deploy("upgrade", STEPS, behaviour(itl=0.02))
        healthy(helm)
        summary = account()
    no_loss(summary)
    assert len(summary["pods"]) >= 4


def test_a_crash_loop_and_then_a_version_that_never_starts_are_stopped(release: Release) -> None:
    helm = release()
    helm.deploy("install", TRAEFIK, STEPS)
    healthy(helm)
    scraped(helm)
    with load(helm, 110) as account:
        helm.deploy("upgrade", TRAEFIK, STEPS, behaviour(crash_at_start=3))
        assert "deadline" in degraded(helm).lower() or "canary-started" in degraded(helm)
        # Argo Rollouts forgets its progress deadline after an abort: only the second guard can stop this one.
        helm.deploy("upgrade", TRAEFIK, STEPS, behaviour(never_ready=True))
        assert "canary-started" in degraded(helm)
        summary = account()
    no_loss(summary)
    assert workload(helm)["status"]["readyReplicas"] == 2


def test_without_a_drain_requests_are_lost(release: Release) -> None:
    """The control: the same measurement sees a loss where the drain is taken away."""
    helm = release()
    helm.deploy("install", STEPS)
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
