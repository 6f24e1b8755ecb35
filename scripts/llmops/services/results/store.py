"""Results of drift jobs as metrics: the last one of each release, in the text format of Prometheus."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

from llmops.services.exposition import labels
from llmops.services.results.figures import Figures, read_result

Key = tuple[str, str, str]
# Bytes of a file, and results of one namespace: nobody takes the room of all others.
_LARGEST, _MOST_OF_A_NAMESPACE = 64 * 1024, 1000
_METRICS = {
    "llm_drift_score": "Distance between recent traffic and the reference, 0 to 1; absent where nothing can be said.",
    "llm_drift_samples": "Observations behind a score.",
    "llm_drift_last_run_timestamp_seconds": "When the drift job last ended.",
}


class FullError(Exception):
    """There is no room for one more release."""


class Results:
    """The last result of each release and model. Those older than `forget_after` seconds are not shown.

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
        self._figures: dict[Key, Figures] = {}
        for path in sorted(folder.glob("*.json")) if folder else ():
            try:
                if path.stat().st_size > _LARGEST:
                    raise ValueError("it is too large")
                self._keep(read_result(path.read_bytes()))
            except (OSError, ValueError, FullError) as error:
                # Half a file, or one of another version: its job will write a new one.
                sys.stderr.write(f"dropped the result in {path.name!a}: {type(error).__name__}\n")

    def add(self, body: bytes) -> None:
        """Takes a result document. ValueError with one sentence if it is none, or older than the one that is there."""
        figures = read_result(body)
        if figures.finished > self._now() + 300:
            raise ValueError("finished is in the future: is the clock of the job's node right?")
        with self._lock:
            known = self._figures.get(_key(figures))
            if known and known.finished > figures.finished:
                raise ValueError("finished is before the result that is already here")
            self._keep(figures)
            if self._folder:
                path = self._folder / f"{'_'.join(_key(figures))}.json"
                path.with_suffix(".new").write_text(json.dumps(figures.document()), encoding="utf-8")
                path.with_suffix(".new").replace(path)

    def _keep(self, figures: Figures) -> None:
        if _key(figures) not in self._figures:
            own = sum(key[0] == figures.namespace for key in self._figures)
            if len(self._figures) >= self._most or own >= _MOST_OF_A_NAMESPACE:
                raise FullError
        self._figures[_key(figures)] = figures

    def text(self) -> str:
        """The page /metrics."""
        with self._lock:
            shown = sorted(self._figures.items())
            for key, figures in shown:
                if figures.finished < self._now() - self._forget_after:
                    self._drop(key)
        fresh = [figures for key, figures in shown if key in self._figures]
        return "".join(_page(fresh))

    def _drop(self, key: Key) -> None:
        del self._figures[key]
        if self._folder:
            (self._folder / f"{'_'.join(key)}.json").unlink(missing_ok=True)


def _key(figures: Figures) -> Key:
    return figures.namespace, figures.release, figures.model


def _page(results: list[Figures]) -> Iterator[str]:
    for name, text in _METRICS.items():
        yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
        for one in results:
            own = {"namespace": one.namespace, "release": one.release, "model_name": one.model}
            by_signal = {"llm_drift_score": one.scores, "llm_drift_samples": one.samples}.get(name)
            if by_signal is None:
                yield f"{name}{labels(own)} {one.finished:.3f}\n"
            else:
                yield from (
                    f"{name}{labels({**own, 'signal': key})} {value:.10g}\n"
                    for key, value in by_signal.items()
                )
