"""What happened between two looks, and when a release counts as promoted or stopped."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lab.demo.story import WATCHED, Event, Gate, Sample


def promoted(sample: Sample, version: str) -> bool:
    """All servers run that version and the rollout is over."""
    return sample.phase == "Healthy" and sample.wanted == sample.stable == version


def stopped(sample: Sample, version: str) -> bool:
    """The rollout of that version was aborted and no traffic goes to it."""
    return sample.phase == "Degraded" and sample.wanted == version and not sample.weights.get(version)


def changes(before: Sample | None, now: Sample) -> list[Event]:
    """What a person would point at between two looks."""
    if before is None:
        return []
    found = []

    def add(kind: str, version: str, label: str, text: str) -> None:
        found.append(Event(now.time, kind, version, label, text))

    if now.weights != before.weights and len(now.weights) > 1 and min(now.weights.values()) > 0:
        shares = ", ".join(f"{version} {weight} %" for version, weight in now.weights.items())
        add("step", now.wanted, f"{now.weights.get(now.wanted, 0)} %", f"traffic: {shares}")
    for version in now.crashes.keys() - before.crashes.keys():
        status = now.crashes[version]
        add("crash", version, "first crash", f"{version} crashes for the first time, exit status {status}")
    found += verdicts(before, now)
    if promoted(now, now.wanted) and not promoted(before, now.wanted):
        add("promoted", now.wanted, "promoted", f"{now.wanted} is promoted: it gets all traffic")
    if now.phase == "Degraded" != before.phase:
        # The controller says twice that it aborted before it says why.
        reason = re.sub(r"^.*aborted update to revision \d+: ", "", now.message) or "no reason given"
        add("stopped", now.wanted, "stopped", f"{now.wanted} is stopped: {reason}")
    for version in before.gpus.keys() - now.gpus.keys():
        add("gone", version, f"{version} gone", f"the last pod of {version} is gone, what it held is free")
    return found


def verdicts(before: Sample, now: Sample) -> list[Event]:
    """Gates that object, each with its reason, and the moment at which none does any more."""
    known = before.gates if before.wanted == now.wanted else {}
    failed = [name for name in now.gates if outcome(now.gates, name) == "fail" != outcome(known, name)]
    found = [
        Event(now.time, "failed", now.wanted, f"{name} fails", f"gate {now.gates[name].reason}")
        for name in failed
    ]
    if all_pass(now.gates) and not all_pass(known):
        most = max((one.canary for name, one in now.gates.items() if name != "itl"), default=0)
        text = f"all {len(now.gates)} gates of {now.wanted} pass, after {most:.0f} of its requests"
        found.append(Event(now.time, "passed", now.wanted, "gates pass", text))
    return found


def outcome(gates: Mapping[str, Gate], name: str) -> str:
    return gates[name].outcome if name in gates else ""


def all_pass(gates: Mapping[str, Gate]) -> bool:
    return bool(gates) and all(one.outcome == "pass" for one in gates.values())


def telling(gates: Mapping[str, Gate]) -> Gate | None:
    """The gate whose reason says most: one that fails, else the one that the demo is about."""
    failed = [one for one in gates.values() if one.outcome == "fail"]
    return failed[0] if failed else gates.get(WATCHED)
