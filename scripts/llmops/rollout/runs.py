"""AnalysisRuns as rows: each gate with what was measured last, and the requests that its policy wants."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.canary.durations import looking, policy
from llmops.references import mapping, sequence, text
from llmops.rollout.objects import HASH, label

# Gates whose sample is requests. A token's latency is counted per token, so that gate's sample is none.
OF_REQUESTS = ("e2e", "errors", "ttft", "queue", "stream_errors", "empty", "truncated", "repeated")
# Gates that have no sample: they count seconds or restarts, and their reason says how many.
OF_FACTS = ("stall", "restarts")


@dataclass(frozen=True)
class Gate:
    """One metric of a run. `phase` is Argo's, `outcome` the gate's own (pass, fail, wait; empty for other metrics).

    `canary` and `stable` are sample sizes, None where there is no sample; `error` is what the last measurement said
    when it could not measure, and `errors` how many in a row could not. `at` is when it was last measured, `job` the
    Job that did it, if one did.
    """

    name: str
    phase: str
    outcome: str = ""
    reason: str = ""
    statistic: float | None = None
    bound: float | None = None
    canary: float | None = None
    stable: float | None = None
    error: str = ""
    errors: int = 0
    at: str = ""
    dry_run: bool = False
    value: str = ""
    per_second: float | None = None
    job: str = ""


@dataclass(frozen=True)
class Run:
    """An AnalysisRun: of a step, in the background, or before or after promotion (`kind`, Argo's label)."""

    name: str
    kind: str
    hash: str
    step: int | None
    phase: str
    message: str
    started: str
    completed: str
    gates: tuple[Gate, ...]
    required: int
    seconds: float
    mode: str
    url: str

    @property
    def measured(self) -> float:
        """Requests that its gates counted, of the version with fewer of them where two are compared."""
        counted = [counts(one.canary, one.stable, self.mode) for one in self.gates if one.name in OF_REQUESTS]
        return max(counted, default=0)

    @property
    def running(self) -> bool:
        """Whether it still looks."""
        return self.phase in ("", "Pending", "Running")


def read(obj: Mapping[str, Any]) -> Run:
    """A row of an AnalysisRun; a field of the wrong type counts as absent."""
    meta, spec, status = (mapping(obj.get(key)) for key in ("metadata", "spec", "status"))
    metrics = [mapping(one) for one in sequence(spec.get("metrics"))]
    args = {text(one.get("name")): str(one.get("value")) for one in map(mapping, sequence(spec.get("args")))}
    wanted = [looking(one, args) for one in metrics if policy(one)]
    step = label(obj, "step-index")
    return Run(
        name=text(meta.get("name")),
        kind=label(obj, "rollout-type"),
        hash=label(obj, HASH),
        step=int(step) if step.isdecimal() else None,
        phase=text(status.get("phase")),
        message=text(status.get("message")),
        started=text(status.get("startedAt")) or text(meta.get("creationTimestamp")),
        completed=text(status.get("completedAt")),
        gates=tuple(_gate(mapping(one)) for one in sequence(status.get("metricResults"))),
        required=max((one.requests for one in wanted), default=0),
        seconds=max((one.seconds for one in wanted), default=0),
        mode=args.get("mode", ""),
        url=next((url for one in metrics if policy(one) and (url := _url(one))), ""),
    )


def counts(canary: float | None, stable: float | None, mode: str) -> float:
    """The sample that a decision rests on."""
    if mode == "absolute" or stable is None:
        return canary or 0
    return min(canary or 0, stable)


def number(value: object) -> float | None:
    """A number, or None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def moment(stamp: str) -> dt.datetime | None:
    """A time of Kubernetes; None where it is none."""
    try:
        return dt.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:
        return None


def _url(metric: Mapping[str, Any]) -> str:
    provider = mapping(metric.get("provider"))
    asked = text(mapping(provider.get("prometheus")).get("address"))
    # The version before asked through the web provider.
    return asked or text(mapping(provider.get("web")).get("url"))


def _gate(result: Mapping[str, Any]) -> Gate:
    measurements = [mapping(one) for one in sequence(result.get("measurements"))]
    last = measurements[-1] if measurements else {}
    answered = [(one, value) for one in measurements if (value := _value(one))]
    verdict = answered[-1][1] if answered else {}
    failing = last.get("phase") == "Error"
    name = text(result.get("name"))
    sample = {} if name in OF_FACTS else verdict
    return Gate(
        name=name,
        phase=text(result.get("phase")),
        outcome=text(verdict.get("outcome")),
        reason=text(verdict.get("reason")).removeprefix(f"{name}: ")
        or ("" if failing else text(last.get("message"))),
        statistic=number(verdict.get("statistic")),
        bound=number(verdict.get("bound")),
        canary=number(sample.get("canary")),
        stable=number(sample.get("stable")),
        error=(text(last.get("message")) or text(result.get("message"))) if failing else "",
        errors=int(number(result.get("consecutiveError")) or (1 if failing else 0)) if failing else 0,
        at=text((answered[-1][0] if answered else last).get("finishedAt")),
        dry_run=result.get("dryRun") is True,
        value="" if verdict else text(last.get("value")),
        per_second=_rate(answered),
        job=text(mapping(last.get("metadata")).get("job-name")),
    )


def _value(measurement: Mapping[str, Any]) -> dict[str, Any]:
    """What the gate said: it comes as a warning beside the number; to the version before, as the value."""
    warning = text(mapping(measurement.get("metadata")).get("warnings"))
    for words in (warning.removeprefix('"').removesuffix('"'), text(measurement.get("value"))):
        try:
            if verdict := mapping(json.loads(words)):
                return verdict
        except (json.JSONDecodeError, RecursionError):
            continue
    return {}


def _rate(answered: list[tuple[dict[str, Any], dict[str, Any]]]) -> float | None:
    """Requests a second between the first and the last measurement that are kept."""
    if len(answered) < 2:
        return None
    (first, before), (last, after) = answered[0], answered[-1]
    start, end = moment(text(first.get("finishedAt"))), moment(text(last.get("finishedAt")))
    more = (number(after.get("canary")) or 0) - (number(before.get("canary")) or 0)
    if start is None or end is None or (start.tzinfo is None) != (end.tzinfo is None):
        return None
    took = (end - start).total_seconds()
    return more / took if took > 0 and more >= 0 else None
