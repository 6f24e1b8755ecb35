"""Asks for retraining: what was decided goes to the log and to /metrics, and what was requested to a webhook."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.jobs.documents import RESULT as DRIFT
from llmops.jobs.evaluation_result import RESULT as EVALUATION
from llmops.jobs.feedback import RESULT as FEEDBACK
from llmops.services.events import RETRAIN_REQUESTED, Event, EventError, send
from llmops.services.exposition import labels
from llmops.services.json_body import read_object
from llmops.services.results.evaluation import Evaluation
from llmops.services.results.feedback import Feedback
from llmops.services.results.figures import Figures
from llmops.services.results.retrain import DECISIONS, REQUESTED, Decision, Policy, decide
from llmops.services.results.store import Results

_SOURCE = "llm-charts/results"
_KEPT = 100  # requests of a model that the budget and the idempotency key look back on
Model = tuple[str, str, str]


@dataclass
class Trigger:
    """`state` is a file: what was asked for, and whether it was delivered. An event is delivered at least once."""

    results: Results
    url: str
    key: bytes = field(repr=False)
    state: Path
    policy: Policy
    deliver: Callable[[str, Event, bytes], None] = send
    now: Callable[[], float] = time.time
    _requests: dict[Model, list[dict[str, Any]]] = field(default_factory=dict, init=False)
    _decisions: dict[Model, Decision] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        if self.state.exists():
            try:
                rows = read_object(self.state.read_bytes())["models"]
                self._requests = {_model(row["model"]): list(row["requests"]) for row in rows}
            except (ValueError, KeyError, TypeError) as error:
                # Without it a budget would begin anew: better no request than one too many.
                raise EventError(
                    f"{self.state} cannot be read ({type(error).__name__}): restore it, or remove it"
                ) from None

    def review(self) -> None:
        """Decides about every model anew, and delivers what is not delivered yet."""
        with self._lock:
            for model, runs in self.results.by_model().items():
                self._decide(model, runs)
            pending = [
                (model, request)
                for model, requests in self._requests.items()
                for request in requests
                if not request["delivered"]
            ]
        # A webhook that hangs holds nobody who asks for /metrics.
        for model, request in pending:
            self._deliver(model, request)

    def _decide(self, model: Model, runs: Mapping[str, list[Any]]) -> None:
        evaluations: list[Evaluation] = runs.get(EVALUATION, [])
        drifts: list[Figures] = runs.get(DRIFT, [])
        ratings: list[Feedback] = runs.get(FEEDBACK, [])
        before = [(one["id"], one["time"]) for one in self._requests.get(model, [])]
        made = decide(evaluations, drifts, ratings, before, self.policy, self.now())
        if made != self._decisions.get(model):
            sys.stderr.write(f"retraining of {'/'.join(model)}: {made.decision}, {made.reason}\n")
            self._decisions[model] = made
        if made.decision == REQUESTED:
            request = {"id": made.key, "time": self.now(), "reason": made.reason, "delivered": False}
            self._requests[model] = [*self._requests.get(model, []), request][-_KEPT:]
            # Before it is sent: after a crash the same event goes out again, under the same id.
            self._save()

    def _deliver(self, model: Model, request: dict[str, Any]) -> None:
        namespace, release, name = model
        data = {"namespace": namespace, "release": release, "model": name, "reason": request["reason"]}
        event = Event(
            request["id"], RETRAIN_REQUESTED, f"{_SOURCE}/{namespace}/{release}", request["time"], data
        )
        try:
            self.deliver(self.url, event, self.key)
        except EventError as error:
            sys.stderr.write(f"retraining of {'/'.join(model)} was not asked for: {error}\n")
            return
        with self._lock:
            request["delivered"] = True
            self._save()

    def _save(self) -> None:
        rows = [{"model": list(model), "requests": requests} for model, requests in self._requests.items()]
        new = self.state.with_suffix(".new")
        new.write_text(json.dumps({"models": rows}), encoding="utf-8")
        new.replace(self.state)

    def text(self) -> str:
        """Its part of the page /metrics."""
        with self._lock:
            return "".join(self._page())

    def _page(self) -> Iterator[str]:
        name = "llm_retrain_decision"
        yield f"# HELP {name} 1 for what was decided last, 0 for all else.\n# TYPE {name} gauge\n"
        for model, made in sorted(self._decisions.items()):
            for one in DECISIONS:
                yield f"{name}{labels({**_labels(model), 'decision': one})} {int(one == made.decision)}\n"
        name = "llm_retrain_requests_total"
        yield f"# HELP {name} Retrainings that were asked for, delivered or not yet.\n# TYPE {name} counter\n"
        for model, requests in sorted(self._requests.items()):
            for delivered in (True, False):
                count = sum(one["delivered"] is delivered for one in requests)
                yield f"{name}{labels({**_labels(model), 'delivered': str(delivered).lower()})} {count}\n"


def _model(row: list[str]) -> Model:
    namespace, release, name = row
    return namespace, release, name


def _labels(model: Model) -> dict[str, str]:
    return dict(zip(("namespace", "release", "model_name"), model, strict=True))
