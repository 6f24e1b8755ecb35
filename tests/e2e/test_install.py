"""Install, test, upgrade, roll back and uninstall with plain Helm on a live cluster, with and without a canary."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from lab.cluster.waiting import until
from lab.releases.helm import Helm, HelmError
from tests.e2e.states import arguments, hashes, healthy, paused, weights

Release = Callable[..., Helm]
TRAEFIK = {"vllm-inference": {"trafficRouter": "traefik"}}
WAYS: dict[str, dict[str, Any]] = {
    "deployment": {"vllm-inference": {"workload": "Deployment"}},
    "rollout": {},
    "rollout-traefik": TRAEFIK,
}


def change(sequences: int) -> dict[str, Any]:
    """A new version: another flag, so another pod template."""
    return {"vllm-inference": {"engine": {"maxNumSeqs": sequences}}}


@pytest.mark.parametrize("way", WAYS)
def test_life_of_a_release(release: Release, way: str) -> None:
    helm = release()
    notes = helm.deploy("install", WAYS[way])
    assert f"helm test {helm.name}" in notes
    healthy(helm)
    assert "6 of 6 checks passed" in helm.run("test", helm.name, "--logs")

    helm.deploy("upgrade", WAYS[way], change(32))
    healthy(helm)
    assert {"--max-num-seqs=32" in one for one in arguments(helm)} == {True}

    helm.run("rollback", helm.name, "1")
    healthy(helm)
    assert {"--max-num-seqs=32" in one for one in arguments(helm)} == {False}

    helm.run("uninstall", helm.name)
    until(lambda: not helm.leftovers(), f"an empty namespace (left: {helm.leftovers()})", 90, every=1)


def test_upgrade_and_rollback_in_the_middle_of_a_canary(release: Release) -> None:
    waits = {"vllm-inference": {"strategy": {"steps": [{"setWeight": 50}, {"pause": {}}]}}}
    helm = release()
    helm.deploy("install", TRAEFIK, waits)
    healthy(helm)
    helm.deploy("upgrade", TRAEFIK, waits, change(32))
    paused(helm, 1)
    seen_weights, seen_hashes = weights(helm), hashes(helm)
    assert seen_weights == {"demo": 50, "demo-canary": 50}
    assert len(set(seen_hashes.values())) == 2
    assert "" not in seen_hashes.values()

    note = {"vllm-inference": {"service": {"annotations": {"example.com/note": "in the middle"}}}}
    helm.deploy("upgrade", TRAEFIK, waits, change(32), note)
    # Not once within three seconds may Helm have reset what the controller wrote.
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        assert weights(helm) == seen_weights
        assert hashes(helm) == seen_hashes
    assert helm.get("services/demo")["metadata"]["annotations"]["example.com/note"] == "in the middle"

    helm.run("rollback", helm.name, "1")
    healthy(helm)
    assert {"--max-num-seqs=32" in one for one in arguments(helm)} == {False}
    until(lambda: weights(helm) == {"demo": 100, "demo-canary": 0}, "all traffic back on stable", 30)


def test_server_side_apply_ends_in_a_conflict_that_the_documented_flag_resolves(release: Release) -> None:
    helm = release()
    notes = helm.deploy("install", TRAEFIK, flags=())
    assert "--server-side=false" in notes
    healthy(helm)

    def upgrades() -> None:
        for sequences in (32, 33):
            helm.deploy("upgrade", TRAEFIK, change(sequences), flags=())
            healthy(helm)

    with pytest.raises(HelmError) as refusal:
        upgrades()
    assert "conflict" in str(refusal.value)
    assert "rollouts-controller" in str(refusal.value)
    helm.deploy("upgrade", TRAEFIK, change(34), flags=("--server-side=false",))
    healthy(helm)
    assert {"--max-num-seqs=34" in one for one in arguments(helm)} == {True}
