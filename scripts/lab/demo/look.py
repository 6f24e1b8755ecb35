"""One sample out of the objects of the API server and the requests that have ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.demo.gates import HASH, gates
from lab.demo.story import ANYBODY, NOBODY, VERSION, Sample

# Windows in seconds: short enough to see a step, long enough that ten requests a second look steady.
RATE_WINDOW, LATENCY_WINDOW = 2.0, 5.0

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Objects:
    """What the API server shows of a release; of `services`, the TraefikService's, the first is stable's."""

    rollout: Object
    services: Sequence[Object]
    replica_sets: Sequence[Object]
    pods: Sequence[Object]
    runs: Sequence[Object] = ()


def look(time: float, objects: Objects, records: Sequence[Object]) -> Sample:
    """`records` are the load's, each with `at`: the time on this clock at which it was known."""
    status = objects.rollout.get("status", {})
    names = versions(objects.replica_sets)
    wanted = names.get(status.get("currentPodHash", ""), "")
    stable = names.get(status.get("stableRS", ""), "")
    fine = [record for record in records if record["outcome"] == "ok"]
    lost = [record for record in records if record["outcome"] != "ok"]
    window = min(RATE_WINDOW, time) or RATE_WINDOW
    lately = count(answered_by(record, names) for record in fine if record["at"] > time - window)
    latest = [r for r in fine if r["ttft"] is not None and r["at"] > time - LATENCY_WINDOW]
    waited = [1000 * r["ttft"] for r in latest]
    return Sample(
        time=round(time, 1),
        phase=str(status.get("phase", "")),
        message=str(status.get("message", "")),
        step=step(objects.rollout),
        wanted=wanted,
        stable=stable,
        weights=weights(objects.services, stable, wanted),
        rates={version: round(number / window, 1) for version, number in lately.items()},
        losing=round(sum(record["at"] > time - window for record in lost) / window, 1),
        ttft=(round(rank(waited, 0.5), 1), round(rank(waited, 0.95), 1)) if waited else None,
        medians=medians(latest, names),
        ended=len(records),
        lost=count(answered_by(record, names) for record in lost),
        gpus=gpus(objects.pods),
        crashes=crashes(objects.pods),
        gates=gates(objects.runs, status.get("currentPodHash", "")),
    )


def versions(replica_sets: Iterable[Object]) -> dict[str, str]:
    """Pod-template-hash -> version of the release."""
    labels = [each["metadata"]["labels"] for each in replica_sets]
    return {each[HASH]: each.get(VERSION, each[HASH]) for each in labels if HASH in each}


def answered_by(record: Object, names: Mapping[str, str]) -> str:
    """The version of the pod that answered; its name carries the hash, also when it is gone."""
    pod = str(record["pod"])
    unnamed = ANYBODY if record["outcome"] == "ok" and not pod else NOBODY
    return next((version for key, version in names.items() if f"-{key}-" in pod), unnamed)


def medians(records: Sequence[Object], names: Mapping[str, str]) -> dict[str, float]:
    """Milliseconds to the first token that half of a version's answers stay below."""
    waited: dict[str, list[float]] = {}
    for record in records:
        waited.setdefault(answered_by(record, names), []).append(1000 * record["ttft"])
    return {version: round(rank(each, 0.5), 1) for version, each in sorted(waited.items())}


def weights(services: Sequence[Object], stable: str, wanted: str) -> dict[str, int]:
    """Per cent by version; without a canary all traffic goes to stable, before any version served none."""
    shares = [int(service.get("weight") or 0) for service in services]
    if not stable or len(shares) < 2 or wanted in ("", stable):
        return {stable: 100} if stable else {}
    return {stable: shares[0], wanted: shares[1]}


def gpus(pods: Iterable[Object]) -> dict[str, int]:
    """GPUs by version that pods on a node hold, or the pods themselves where they ask for none."""
    held: dict[str, int] = {}
    for pod in pods:
        if pod["status"].get("phase") in ("Pending", "Running") and pod["spec"].get("nodeName"):
            limits = [each.get("resources", {}).get("limits", {}) for each in pod["spec"]["containers"]]
            version = pod["metadata"]["labels"].get(VERSION, NOBODY)
            own = sum(int(one.get("nvidia.com/gpu", 0)) for one in limits) or 1
            held[version] = held.get(version, 0) + own
    return dict(sorted(held.items()))


def crashes(pods: Iterable[Object]) -> dict[str, int]:
    """Exit status by version of a container that failed by itself, not because its pod is being deleted."""
    found = {}
    for pod in pods:
        for status in pod["status"].get("containerStatuses", []):
            ends = [status.get(key, {}).get("terminated") or {} for key in ("lastState", "state")]
            for code in (end["exitCode"] for end in ends if end.get("exitCode")):
                if "deletionTimestamp" not in pod["metadata"]:
                    found[pod["metadata"]["labels"].get(VERSION, NOBODY)] = int(code)
    return found


def step(rollout: Object) -> str:
    """Which step of how many, and what it does."""
    steps = rollout.get("spec", {}).get("strategy", {}).get("canary", {}).get("steps", [])
    index = rollout.get("status", {}).get("currentStepIndex", 0)
    if index >= len(steps):
        return f"all {len(steps)} steps done"
    ((name, value),) = steps[index].items()
    words = f"setWeight {value} %" if name == "setWeight" else f"{name} {value.get('duration', '')}".strip()
    if name == "analysis":
        words = "gate"
    return f"step {index + 1} of {len(steps)}: {words}"


def count(names: Iterable[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for name in names:
        counted[name] = counted.get(name, 0) + 1
    return dict(sorted(counted.items()))


def rank(values: Sequence[float], share: float) -> float:
    """Percentile by nearest rank of at least one value."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
