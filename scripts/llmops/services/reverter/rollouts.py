"""Rollouts as the API server has them: which were aborted, with the evidence that they carry themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llmops.jobs import JobError
from llmops.services.api_server import Api
from llmops.untyped import below, mapping, sequence, text

_PATH = "/apis/argoproj.io/v1alpha1/rollouts?labelSelector=app.kubernetes.io%2Fpart-of%3Dllm-stack"
CARD = "llm-stack/card-digest"
_ANALYSES = (
    ("status", "canary", "currentStepAnalysisRunStatus"),
    ("status", "canary", "currentBackgroundAnalysisRunStatus"),
    ("status", "blueGreen", "prePromotionAnalysisRunStatus"),
    ("status", "blueGreen", "postPromotionAnalysisRunStatus"),
)


@dataclass(frozen=True)
class Rollout:
    """What counts of one. `card` is the digest of the card that its release names; `evidence` are sentences."""

    namespace: str
    name: str
    uid: str
    card: str
    phase: str
    aborted: bool
    evidence: tuple[str, ...]


def rollouts(api: Api) -> list[Rollout]:
    """Those of our charts. JobError where the API server does not answer with a list."""
    status, document = api.call("GET", _PATH)
    if status != 200:
        raise JobError(f"the API server answered {status} about Rollouts")
    return list(read(mapping(document).get("items")))


def read(items: object) -> Iterable[Rollout]:
    """Objects of any shape; one without a uid is none."""
    for one in map(mapping, sequence(items)):
        metadata, status = mapping(one.get("metadata")), mapping(one.get("status"))
        if not text(metadata.get("uid")):
            continue
        yield Rollout(
            text(metadata.get("namespace")),
            text(metadata.get("name")),
            text(metadata.get("uid")),
            text(below(metadata, ("annotations", CARD))),
            text(status.get("phase")),
            # A retry clears the mark; Degraded alone may be a deadline that somebody looks at.
            status.get("abort") is True and status.get("phase") == "Degraded",
            tuple(_evidence(one, status)),
        )


def _evidence(one: Mapping[str, Any], status: Mapping[str, Any]) -> Iterable[str]:
    if message := " ".join(text(status.get("message")).split()):
        yield message[:1000]
    if at := text(status.get("abortedAt")):
        yield f"aborted at {at}"
    for path in _ANALYSES:
        run = mapping(below(one, path))
        if name := text(run.get("name")):
            said = " ".join(text(run.get("message")).split())[:500]
            yield f"AnalysisRun {name}: {text(run.get('status'))} {said}".rstrip()
