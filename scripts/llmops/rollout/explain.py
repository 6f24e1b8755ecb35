"""From the figures of a rollout to words: what it is doing, why, and what a person can do about it."""

from __future__ import annotations

import re

from llmops.rollout.facts import Facts
from llmops.rollout.kubectl import Advice, Kubectl
from llmops.rollout.runs import Gate, Run
from llmops.rollout.status import State, Status
from llmops.rollout.waiting import about_pods, looks, moving, seen

FAILED = ("Failed", "Error")
_CAUSE = re.compile(r"aborted update to revision \d+: (.+)", re.DOTALL)
UNSEEN = (
    "the controller has not taken up the latest change yet; if this lasts, see whether Argo Rollouts runs"
)


def explain(facts: Facts, kubectl: Kubectl, evidence: float | None = None) -> Status:
    """Says why it stands where it stands. `evidence` is the requests on record at the gate service, None: unasked."""
    if facts.message.startswith("InvalidSpec"):
        return Status(facts, "degraded", (f"the controller refuses the specification: {facts.reason}",))
    if facts.aborted:
        return _aborted(facts, kubectl)
    if facts.paused_by_hand:
        by_hand = "somebody paused it by hand (spec.paused)"
        return Status(facts, "paused", (by_hand,), (kubectl.unpause(), kubectl.abort()))
    if not facts.seen:
        return Status(facts, "progressing", (UNSEEN,))
    if facts.pauses:
        return _paused(facts, kubectl)
    if facts.phase == "Degraded":
        why = (facts.message or "the controller calls it degraded", *map(str, facts.troubles))
        return Status(facts, "degraded", why, (*about_pods(facts, kubectl), kubectl.abort()))
    if facts.complete:
        return _completed(facts, kubectl, evidence)
    return moving(facts, kubectl)


def _aborted(facts: Facts, kubectl: Kubectl) -> Status:
    when = f" at {facts.aborted_at}" if facts.aborted_at else ""
    broken = [run for run in facts.runs if any(_stopped(gate) for gate in run.gates)][-1:]
    failed = [(run, gate) for run in broken for gate in run.gates if _stopped(gate)]
    back = (
        "all traffic is on the stable version again"
        if facts.weight == 0
        else "traffic goes back to the stable one"
    )
    why = [f"aborted{when}: {back}"]
    why += [f"{gate.name} failed{_in_step(facts, run)}: {seen(gate)}" for run, gate in failed]
    if not failed:
        cause = _CAUSE.search(facts.reason) or _CAUSE.search(facts.message)
        said = cause[1] if cause else ""
        named = re.search(r'Metric "([^"]+)" assessed (\w+)', said)
        if named:
            why.append(f"{named[1]} {named[2].lower()}: {said}")
        elif "timed out" in said:
            why.append(f"the new version made no progress in time: {said}")
        else:
            why.append(said or "no gate failed: somebody aborted it by hand")
    why += [str(trouble) for trouble in facts.troubles]
    advice = [kubectl.run(run.name) for run in broken]
    advice += [kubectl.job(gate.job) for _, gate in failed if gate.job]
    advice += about_pods(facts, kubectl)
    advice.append(
        Advice(
            "set the version back in Git (release.yaml), or roll out a mended one: Git still names the bad one"
        )
    )
    advice.append(kubectl.retry())
    return Status(facts, "aborted", tuple(why), tuple(advice))


def _paused(facts: Facts, kubectl: Kubectl) -> Status:
    reason, since = facts.pauses[0]
    for name, start in facts.pauses:
        if name.startswith("Inconclusive"):
            reason, since = name, start
    run = facts.current
    after = f" since {since}" if since else ""
    if reason.startswith("Inconclusive"):
        why = [f"the gate came to no verdict; it waits{after} for a person to decide"]
        why += looks(run) if run else []
        advice = [kubectl.look_again()]
        advice += [kubectl.accept(facts.step)] if facts.strategy == "canary" else []
        advice += [kubectl.run(run.name)] if run else []
        return Status(facts, "held", tuple(why), (*advice, kubectl.abort()))
    if facts.strategy == "canary" and "person" not in facts.doing:
        return Status(facts, "progressing", (f"{facts.doing or 'a pause'}{after}: it goes on by itself",))
    why = [
        f"waiting for a person{after}: {facts.doing or 'the new version is ready behind the preview Service'}"
    ]
    measured = _measured(facts)
    if measured is not None:
        why.append(f"gates have measured {measured:.0f} requests of the new version so far, and none failed")
    return Status(facts, "paused", tuple(why), (kubectl.resume(), kubectl.abort()))


def _stopped(gate: Gate) -> bool:
    return gate.phase in FAILED and not gate.dry_run


def _in_step(facts: Facts, run: Run) -> str:
    return f" in step {run.step + 1} of {len(facts.steps)}" if run.step is not None else ""


def _attempt(facts: Facts) -> list[Run]:
    """Runs with a policy since the last one that failed: what an aborted attempt measured proves nothing."""
    failed = [index for index, run in enumerate(facts.runs) if run.phase in FAILED]
    return [run for run in facts.runs[failed[-1] + 1 if failed else 0 :] if run.required]


def _completed(facts: Facts, kubectl: Kubectl, evidence: float | None) -> Status:
    judged = _attempt(facts)
    required = max((run.required for run in judged), default=0)
    counted = [run.measured for run in judged] + ([evidence] if evidence is not None else [])
    measured = max(counted, default=0)
    why = [f"version {facts.stable} has all traffic"]
    if facts.troubles:
        why += [str(one) for one in facts.troubles]
        state: State = "degraded" if any(one.stuck for one in facts.troubles) else "progressing"
        return Status(facts, state, tuple(why), tuple(about_pods(facts, kubectl)))
    if not (judged or facts.gated):
        return Status(facts, "healthy", (*why, "its steps hold no gate, so nothing was measured"))
    if not facts.runs and facts.revision == "1":
        return Status(
            facts, "healthy", (*why, "the first installation runs no steps, so no gate measured it")
        )
    if (judged and measured >= required) or (not judged and evidence):
        wanted = f" of {required} that its policy wants" if required else ""
        return Status(facts, "healthy", (*why, f"gates measured {measured:.0f} requests{wanted}"))
    what = f"{measured:.0f} requests of {required}" if judged else "no gate's run of this version is left"
    why.append(f"completed unmeasured: {what}; what is not measured is not proven good")
    advice = (
        Advice("watch it, or send it requests and judge by the dashboards"),
        Advice("with --gate-url URL the record of the gate service counts too"),
    )
    return Status(facts, "unmeasured", tuple(why), advice, "rollout/completed-unmeasured")


def _measured(facts: Facts) -> float | None:
    return max((run.measured for run in _attempt(facts)), default=None)
