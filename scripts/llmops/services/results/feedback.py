"""What a comparison of users' ratings found, as the exporter reads it: all of it is checked before it is a metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmops.jobs.feedback import OUTCOMES, RESULT, VERSION
from llmops.jobs.times import rfc3339
from llmops.services.results.figures import who_and_when

METRICS = {
    "llm_feedback_outcome": "1 for what the last comparison of ratings said, 0 for all else that it could have said.",
    "llm_feedback_difference": "Share of ratings that are down, less that of the baseline; absent where too few rated.",
    "llm_feedback_detectable": "Difference that so many ratings find in four of five cases.",
    "llm_feedback_last_run_timestamp_seconds": "When the comparison last ended.",
}


@dataclass(frozen=True)
class Feedback:
    """What the exporter shows of one comparison. `difference` and `detectable` are shares, None where too few rated."""

    namespace: str
    release: str
    model: str
    finished: float
    outcome: str
    difference: float | None
    detectable: float | None

    def document(self) -> dict[str, Any]:
        """The result document again, of what is shown and nothing else."""
        names = ("namespace", "release", "model", "outcome", "difference", "detectable")
        own = {key: getattr(self, key) for key in names}
        return {"schemaVersion": VERSION, "kind": RESULT, **own, "finished": rfc3339(self.finished)}


def read_feedback(document: Mapping[str, Any]) -> Feedback:
    """The figures of a comparison. ValueError with one sentence that names the field."""
    if document.get("schemaVersion") != VERSION:
        raise ValueError(f"schemaVersion must be {VERSION}")
    names, finished = who_and_when(document)
    if document.get("outcome") not in OUTCOMES:
        raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}")
    return Feedback(
        **names,
        finished=finished,
        outcome=document["outcome"],
        difference=_share("difference", document.get("difference")),
        detectable=_share("detectable", document.get("detectable")),
    )


def _share(key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 10:
        raise ValueError(f"{key} must be a share")
    return float(value)


def samples(name: str, runs: list[Feedback]) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of a metric, `runs` from the newest on."""
    last = runs[0]
    if name == "llm_feedback_outcome":
        yield from (({"outcome": one}, float(one == last.outcome)) for one in OUTCOMES)
    elif name == "llm_feedback_last_run_timestamp_seconds":
        yield {}, last.finished
    else:
        value = last.difference if name == "llm_feedback_difference" else last.detectable
        if value is not None:
            yield {}, value
