"""From evidence to a verdict: one look at one rollout."""

from __future__ import annotations

import numpy as np

from llmops.gates import messages
from llmops.gates.evidence import HARD, Evidence, GateVerdict, Look, Outcome, Policy, Signal, Verdict
from llmops.gates.limits import limit
from llmops.gates.statistic import measure, part, requests, sizes


def judge(policy: Policy, evidence: Evidence, look: Look) -> Verdict:
    """fail if a gate fails, pass if all of them pass, else wait.

    A gate passes when its step has had its looks, enough requests were seen and the canary is not worse. Looks beyond
    the planned ones wait for requests; when there are enough, each gate is tested once more, and not again: the same
    windows give the same answer however often one asks. ValueError where policy and look do not fit together.
    """
    if not 0 <= look.step < len(policy.looks):
        raise ValueError(f"there is no gate step {look.step}: the policy has looks for {len(policy.looks)}")
    gates = {gate: _gate(policy, evidence, look, gate) for gate in policy.gates}
    outcomes = {one.outcome for one in gates.values()}
    outcome: Outcome = "fail" if "fail" in outcomes else "wait" if "wait" in outcomes else "pass"
    return Verdict(outcome, messages.overall(outcome, gates, policy, look), gates)


def _gate(policy: Policy, evidence: Evidence, look: Look, gate: str) -> GateVerdict:
    done = look.number >= policy.looks[look.step]
    if gate in HARD:
        broken, why = messages.hard(policy, evidence, gate)
        return GateVerdict("fail" if broken else "pass" if done else "wait", why)
    signal = evidence.signals.get(gate)
    if signal is None:
        return GateVerdict("wait", messages.missing(gate))
    if look.mode == "absolute" and limit(policy, gate, signal.edges) is None:
        return GateVerdict("pass" if done else "wait", messages.unlimited(gate))
    return _statistical(policy, evidence, look, gate, signal)


def _statistical(policy: Policy, evidence: Evidence, look: Look, gate: str, signal: Signal) -> GateVerdict:
    rows = signal.canary.shape[-2]
    late = max(0, look.number - policy.looks[look.step])
    # Against a limit the windows of this step count: the watch after a rollout is not to be lulled by what came before.
    start = max(0, rows - look.number) if look.mode == "absolute" else 0
    for until in range(max(0, rows - late), rows + 1):
        signals = {name: part(one, start, until) for name, one in evidence.signals.items()}
        seen = requests(gate, signals, look.mode)
        enough = bool(seen >= policy.min_requests)
        if enough or not late:
            break
    canary, stable = (float(one) for one in sizes(signals[gate]))
    if late and not enough:
        return GateVerdict(
            "wait", messages.too_few(policy, gate, float(seen), look), None, None, canary, stable
        )
    found = measure(policy, gate, signals[gate], look, seen)
    done = look.number >= policy.looks[look.step]
    outcome: Outcome = "fail" if bool(found.bad) else "pass" if done and enough else "wait"
    reason = messages.difference(policy, gate, signal.edges, look, found, (canary, stable))
    if outcome == "wait":
        reason += "; " + (messages.fine(policy, look) if not done else messages.few(policy, float(seen)))
    bound = float(found.bound)
    return GateVerdict(outcome, reason, float(found.z), bound if np.isfinite(bound) else None, canary, stable)
