"""What a rollout under way waits for."""

from __future__ import annotations

from llmops.report.contents import duration
from llmops.rollout.facts import Facts
from llmops.rollout.kubectl import Advice, Kubectl
from llmops.rollout.runs import OF_REQUESTS, Gate, Run
from llmops.rollout.status import Status


def moving(facts: Facts, kubectl: Kubectl) -> Status:
    """A rollout under way: its pods are not ready, its gate looks or cannot look, or it just moves."""
    if facts.troubles:
        stuck = any(one.stuck for one in facts.troubles)
        why = ["waiting until the pods of the new version are ready", *(str(one) for one in facts.troubles)]
        advice = [*about_pods(facts, kubectl), *([kubectl.abort()] if stuck else [])]
        return Status(facts, "held" if stuck else "progressing", tuple(why), tuple(advice))
    run = facts.current
    blind = [one for one in facts.runs if one.running and any(gate.error for gate in one.gates)]
    if blind:
        return _blind(facts, blind[-1], kubectl)
    if run and run.running:
        why = [f"gate {run.name} looks", *looks(run)]
        advice = [kubectl.run(run.name)]
        advice += [kubectl.skip(facts.step)] if facts.strategy == "canary" and run.step is not None else []
        return Status(facts, "progressing", tuple(why), (*advice, kubectl.abort()))
    return Status(
        facts, "progressing", (facts.message or f"at {facts.doing or 'the last step'}",), (kubectl.abort(),)
    )


def _blind(facts: Facts, run: Run, kubectl: Kubectl) -> Status:
    """Measurements fail: neither promoted nor aborted until they succeed again."""
    failing = [gate for gate in run.gates if gate.error]
    worst = max(failing, key=lambda gate: gate.errors)
    if "response code: 503" in worst.error:
        cause = "the gate service answers, but cannot ask Prometheus"
    elif "response code: 4" in worst.error:
        cause = "the gate service refuses the question"
    elif run.url:
        cause = "the gate service cannot be reached"
    else:
        cause = "Prometheus cannot be asked"
    why = [
        f"held: {cause}, {worst.errors} measurements in a row ({', '.join(gate.name for gate in failing)})",
        f"the measurement says: {worst.error}",
        "it is neither promoted nor aborted meanwhile, and goes on by itself once measurements succeed",
        *(f"{gate.name}, when last measured: {seen(gate)}" for gate in failing if gate.outcome),
    ]
    advice = [*kubectl.gate_service(run.url), kubectl.run(run.name)]
    return Status(facts, "held", tuple(why), (*advice, kubectl.abort()))


def looks(run: Run) -> list[str]:
    """Why a gate waits: first the requests, then what each gate says."""
    lines = []
    if run.required:
        lines.append(f"{run.measured:.0f} of at least {run.required} requests measured")
        if run.measured < run.required:
            lines[-1] = (
                f"too few requests: {run.measured:.0f} of at least {run.required} measured{_until(run)}"
            )
    if run.seconds and run.running:
        since = f", since {run.started}" if run.started else ""
        lines.append(f"it looks for at least {duration(run.seconds)}{since}")
    # What a gate says on its figures stands in its row; here only what lacks them altogether.
    blind = [one for one in run.gates if one.outcome == "wait" and one.statistic is None and not one.canary]
    lines += list(dict.fromkeys(one.reason for one in blind if one.reason and one.name in OF_REQUESTS))
    return lines or [run.message or "no measurement yet"]


def _until(run: Run) -> str:
    rates = [gate.per_second for gate in run.gates if gate.per_second is not None]
    if not rates:
        return ""
    if not max(rates):
        return ", and none came lately"
    minutes = (run.required - run.measured) / max(rates) / 60
    return f", at the present rate enough in about {max(1, round(minutes))} min"


def seen(gate: Gate) -> str:
    """A gate's last measurement in words."""
    parts = [gate.reason or gate.error or gate.value or "no measurement"]
    if gate.canary is not None or gate.stable is not None:
        parts.append(f"samples {gate.canary or 0:.0f} new, {gate.stable or 0:.0f} stable")
    if gate.at:
        parts.append(f"at {gate.at}")
    return ", ".join(parts)


def about_pods(facts: Facts, kubectl: Kubectl) -> list[Advice]:
    """How to see what is wrong with the first pod in trouble."""
    advice = []
    for one in facts.troubles[:1]:
        advice.append(kubectl.describe(one.pod))
        if "restart" in one.reason or one.reason == "CrashLoopBackOff":
            advice.append(kubectl.logs(one.pod))
    return advice
