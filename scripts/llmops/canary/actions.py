"""The steps of a canary as its specification lists them: what each changes, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmops.canary.steps import Wait, seconds

Action = Mapping[str, Any]


def grouped(canary: Mapping[str, Any]) -> Iterator[tuple[str, list[Action]]]:
    """Steps that change pods, each with the pauses and gates after it; what waits before them is a start.

    A background analysis runs from the first step on and stands there.
    """
    background = names("background analysis", canary.get("analysis"))
    label, group = "", list[Action]()
    for step in canary.get("steps") or ():
        named = _label(step)
        if named and group:
            yield label or "start", group
            group = []
        label = named or label
        if background:
            group, background = [{"gates": background}], ()
        group.append(step)
    if group:
        yield label or "start", group


def experiment_pods(actions: Sequence[Action]) -> int:
    """Pods of the experiments among the actions."""
    experiments = [step["experiment"] for step in actions if step.get("experiment")]
    templates = [template for experiment in experiments for template in experiment.get("templates") or ()]
    return sum(1 if t.get("replicas") is None else int(t["replicas"]) for t in templates)


def pause(waits: Sequence[Wait]) -> float | None:
    """Seconds of all pauses together; None when one waits for a person."""
    total = 0.0
    for wait in waits:
        if wait.seconds is None:
            return None
        total += wait.seconds
    return total


def waits(actions: Sequence[Action]) -> tuple[Wait, ...]:
    """Pauses and analyses in their order. An experiment takes its duration; a background analysis holds nothing."""
    found = []
    for step in actions:
        if "pause" in step:
            found.append(Wait(seconds((step["pause"] or {}).get("duration"))))
        if step.get("analysis"):
            found.append(analysis(step["analysis"]))
        if (experiment := step.get("experiment")) and experiment.get("duration"):
            found.append(Wait(seconds(experiment["duration"])))
    return tuple(found)


def analysis(spec: Mapping[str, Any]) -> Wait:
    """The run of an analysis: names of its templates, and those arguments whose values are written there."""
    templates = tuple(str(one.get("templateName")) for one in spec.get("templates") or ())
    written = [one for one in spec.get("args") or () if one.get("value") is not None]
    return Wait(0, templates, tuple((str(one["name"]), str(one["value"])) for one in written))


def gates(actions: Sequence[Action]) -> tuple[str, ...]:
    """Names of what has to pass before the next step."""
    found: list[str] = []
    for step in actions:
        found += step.get("gates") or ()
        found += names("analysis", step.get("analysis"))
        if experiment := step.get("experiment"):
            analyses = experiment.get("analyses") or ()
            found += [f"experiment analysis {a.get('templateName') or a.get('name')}" for a in analyses]
        if plugin := step.get("plugin"):
            found.append(f"plugin {plugin.get('name')}")
    return tuple(found)


def names(what: str, spec: Mapping[str, Any] | None) -> tuple[str, ...]:
    """`what` and the name of every template of an analysis."""
    return tuple(f"{what} {t.get('templateName')}" for t in (spec or {}).get("templates") or ())


def _label(step: Action) -> str:
    """What a step that changes pods or traffic is called; empty for one that only waits."""
    if step.get("setWeight") is not None:
        return f"setWeight {step['setWeight']}"
    if (scale := step.get("setCanaryScale")) is not None:
        if scale.get("matchTrafficWeight"):
            return "setCanaryScale by weight"
        if scale.get("replicas") is not None:
            return f"setCanaryScale {scale['replicas']}"
        return f"setCanaryScale {scale.get('weight')} %"
    return "experiment" if step.get("experiment") is not None else ""
