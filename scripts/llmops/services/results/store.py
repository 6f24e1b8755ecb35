"""Results of drift and evaluation jobs as metrics: the last runs of each release, in the text format of Prometheus."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.jobs.documents import RESULT as DRIFT
from llmops.jobs.evaluation_result import RESULT as EVALUATION
from llmops.jobs.feedback import RESULT as FEEDBACK
from llmops.services.exposition import labels
from llmops.services.json_body import read_object
from llmops.services.results import evaluation, feedback
from llmops.services.results.evaluation import Evaluation, read_evaluation
from llmops.services.results.feedback import Feedback, read_feedback
from llmops.services.results.figures import Figures, read_drift

Run = Figures | Evaluation | Feedback
Key = tuple[str, str, str, str]
# Bytes of a file, results of one namespace, and runs of a release that are kept: nobody takes the room of all others.
_LARGEST, _MOST_OF_A_NAMESPACE, _HISTORY = 512 * 1024, 1000, 8
_DRIFT_METRICS = {
    "llm_drift_score": "Distance between recent traffic and the reference, 0 to 1; absent where nothing can be said.",
    "llm_drift_previous_score": "The score of the run before the last.",
    "llm_drift_samples": "Observations behind a score.",
    "llm_drift_last_run_timestamp_seconds": "When the drift job last ended.",
}
_EVALUATION_METRICS = evaluation.OF_TASKS | evaluation.OF_RUNS


class FullError(Exception):
    """There is no room for one more release."""


class Results:
    """The last results of each release, model and kind. Those older than `forget_after` seconds are not shown.

    With `folder` each is also a file there, so that a restarted exporter still shows it.
    """

    def __init__(
        self,
        folder: Path | None = None,
        forget_after: float = 10 * 86400,
        most: int = 5000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._forget_after, self._most, self._now = folder, forget_after, most, now
        self._lock = Lock()
        # Runs from the newest on.
        self._runs: dict[Key, list[Run]] = {}
        for path in sorted(folder.glob("*.json")) if folder else ():
            try:
                if path.stat().st_size > _LARGEST:
                    raise ValueError("it is too large")
                for run in reversed(_read_file(path.read_bytes())):
                    self._keep(run)
            except (OSError, ValueError, FullError) as error:
                # Half a file, or one of another version: its job will write a new one.
                sys.stderr.write(f"dropped the result in {path.name!a}: {type(error).__name__}\n")

    def add(self, body: bytes) -> None:
        """Takes a result document. ValueError with one sentence if it is none, or older than the one that is there."""
        run = _read(read_object(body))
        if run.finished > self._now() + 300:
            raise ValueError("finished is in the future: is the clock of the job's node right?")
        with self._lock:
            known = self._runs.get(_key(run))
            if known and known[0].finished > run.finished:
                raise ValueError("finished is before the result that is already here")
            self._keep(run)
            if self._folder:
                newest, *others = (one.document() for one in self._runs[_key(run)])
                path = self._file(_key(run))
                path.with_suffix(".new").write_text(
                    json.dumps({**newest, "previous": others}), encoding="utf-8"
                )
                path.with_suffix(".new").replace(path)

    def _keep(self, run: Run) -> None:
        key = _key(run)
        if key not in self._runs:
            own = sum(other[1] == run.namespace for other in self._runs)
            if len(self._runs) >= self._most or own >= _MOST_OF_A_NAMESPACE:
                raise FullError
        # A Job that was tried again posts the same run again.
        before = [one for one in self._runs.get(key, []) if one.finished < run.finished]
        self._runs[key] = [run, *before][:_HISTORY]

    def _file(self, key: Key) -> Path:
        """The names of drift results are those that exporters had before there were others."""
        assert self._folder is not None  # noqa: S101
        kind = {DRIFT: "", EVALUATION: ".evaluation", FEEDBACK: ".feedback"}[key[0]]
        return self._folder / f"{'_'.join(key[1:])}{kind}.json"

    def by_model(self) -> dict[tuple[str, str, str], dict[str, list[Run]]]:
        """Runs by namespace, release and model, and then by kind, from the newest on."""
        with self._lock:
            found: dict[tuple[str, str, str], dict[str, list[Run]]] = {}
            for (kind, *model), runs in self._runs.items():
                namespace, release, name = model
                found.setdefault((namespace, release, name), {})[kind] = list(runs)
        return found

    def text(self) -> str:
        """The page /metrics."""
        with self._lock:
            for key, runs in sorted(self._runs.items()):
                if runs[0].finished < self._now() - self._forget_after:
                    self._drop(key)
            fresh = [runs for _, runs in sorted(self._runs.items())]
        drift = [[run for run in runs if isinstance(run, Figures)] for runs in fresh]
        evaluations = [[run for run in runs if isinstance(run, Evaluation)] for runs in fresh]
        ratings = [[run for run in runs if isinstance(run, Feedback)] for runs in fresh]
        parts = [
            *_page(_DRIFT_METRICS, [runs for runs in drift if runs], _drift_samples),
            *_page(_EVALUATION_METRICS, [runs for runs in evaluations if runs], evaluation.samples),
            *_page(feedback.METRICS, [runs for runs in ratings if runs], feedback.samples),
        ]
        return "".join(parts)

    def _drop(self, key: Key) -> None:
        del self._runs[key]
        if self._folder:
            self._file(key).unlink(missing_ok=True)


def _key(run: Run) -> Key:
    kind = DRIFT if isinstance(run, Figures) else FEEDBACK if isinstance(run, Feedback) else EVALUATION
    return kind, run.namespace, run.release, run.model


def _read(document: Mapping[str, Any]) -> Run:
    readers: dict[str, Callable[[Mapping[str, Any]], Run]] = {
        DRIFT: read_drift,
        EVALUATION: read_evaluation,
        FEEDBACK: read_feedback,
    }
    reader = readers.get(str(document.get("kind")))
    if reader is None:
        raise ValueError(f"kind must be {' or '.join(readers)}")
    return reader(document)


def _read_file(content: bytes) -> list[Run]:
    """The runs of a file, from the newest on."""
    document = read_object(content)
    previous = document.get("previous", [])
    if not isinstance(previous, list) or not all(isinstance(one, dict) for one in previous):
        raise ValueError("previous must be a list of results")
    return [_read(one) for one in (document, *previous[: _HISTORY - 1])]


def _page(
    metrics: Mapping[str, str],
    releases: list[list[Any]],
    samples: Callable[[str, list[Any]], Iterator[tuple[dict[str, str], float]]],
) -> Iterator[str]:
    for name, text in metrics.items():
        yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
        for runs in releases:
            last = runs[0]
            own = {"namespace": last.namespace, "release": last.release, "model_name": last.model}
            digits = ".3f" if name.endswith("_timestamp_seconds") else ".10g"
            yield from (
                f"{name}{labels({**own, **more})} {value:{digits}}\n" for more, value in samples(name, runs)
            )


def _drift_samples(name: str, runs: list[Figures]) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of a metric, `runs` from the newest on."""
    if name == "llm_drift_last_run_timestamp_seconds":
        yield {}, runs[0].finished
        return
    by_signal: Mapping[str, float] = runs[0].samples if name == "llm_drift_samples" else runs[0].scores
    if name == "llm_drift_previous_score":
        by_signal = runs[1].scores if len(runs) > 1 else {}
    yield from (({"signal": key}, value) for key, value in by_signal.items())
