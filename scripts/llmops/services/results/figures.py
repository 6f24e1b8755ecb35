"""The result document of a run as the exporter reads it: everything in it is checked before it becomes a metric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.documents import DIGEST, RESULT, VERSION, number
from llmops.jobs.drift_scores import DRIFT, INCONCLUSIVE, NONE, Settings
from llmops.jobs.times import moment, rfc3339
from llmops.jobs.traffic import SIGNALS

_THRESHOLD = Settings().threshold
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Figures:
    """What the exporter shows of a result: by signal the score, if there is one, and the samples.

    `data` is the digest of the training set that traffic was held against; empty for another reference."""

    namespace: str
    release: str
    model: str
    finished: float
    outcome: str
    scores: Mapping[str, float]
    samples: Mapping[str, float]
    threshold: float
    data: str = ""

    def document(self) -> dict[str, Any]:
        """The result document again, of what is shown and nothing else."""
        return {
            "schemaVersion": VERSION,
            "kind": RESULT,
            **{key: getattr(self, key) for key in ("namespace", "release", "model", "outcome")},
            "finished": rfc3339(self.finished),
            "threshold": self.threshold,
            **({"reference": {"data": self.data}} if self.data else {}),
            "signals": [
                {"signal": signal, "samples": samples, "score": self.scores.get(signal)}
                for signal, samples in self.samples.items()
            ],
        }


def who_and_when(document: Mapping[str, Any]) -> tuple[dict[str, str], float]:
    """namespace, release and model of a result document, and when its run ended, in Unix seconds. ValueError."""
    for field, pattern in (("namespace", _NAME), ("release", _NAME), ("model", _MODEL)):
        if not isinstance(document.get(field), str) or not pattern.fullmatch(document[field]):
            raise ValueError(f"{field} must be a name")
    try:
        finished = moment(document["finished"])
    except (JobError, KeyError, TypeError):
        raise ValueError("finished must be a moment like 2026-01-31T00:00:00Z") from None
    return {field: document[field] for field in ("namespace", "release", "model")}, finished


def read_drift(document: Mapping[str, Any]) -> Figures:
    """The figures of a drift job's result. ValueError with one sentence that names the field."""
    if document.get("schemaVersion") != VERSION:
        raise ValueError(f"schemaVersion must be {VERSION}")
    names, finished = who_and_when(document)
    if document.get("outcome") not in (NONE, DRIFT, INCONCLUSIVE):
        raise ValueError("outcome must be none, drift or inconclusive")
    try:
        # Exporters before this one kept none.
        threshold = number(document.get("threshold", _THRESHOLD))
    except ValueError as error:
        raise ValueError(f"threshold: {error}") from None
    reference = document.get("reference", {})
    data = reference.get("data", "") if isinstance(reference, dict) else None
    if not isinstance(data, str) or (data and not DIGEST.fullmatch(data)):
        raise ValueError("reference/data must be sha256: and 64 hex digits")
    rows = document.get("signals")
    if not isinstance(rows, list) or not rows:
        raise ValueError("signals must be a list of at least one signal")
    scores, samples = {}, {}
    for row in rows:
        name = row.get("signal") if isinstance(row, dict) else None
        if name not in SIGNALS or name in samples:
            raise ValueError(f"signals must be some of {', '.join(SIGNALS)}, each once")
        try:
            samples[name] = number(row.get("samples"))
            if row.get("score") is not None:
                scores[name] = number(row["score"])
        except ValueError as error:
            raise ValueError(f"signals/{name}: {error}") from None
        if scores.get(name, 0) > 1:
            raise ValueError(f"signals/{name}: score must be 0 to 1")
    return Figures(
        **names,
        finished=finished,
        outcome=document["outcome"],
        scores=scores,
        samples=samples,
        threshold=threshold,
        data=data,
    )
