"""When a look is taken, when an answer is repeated, and when a rollout is another one."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from threading import BoundedSemaphore
from typing import Any

from llmops.gates.evidence import Evidence, GateVerdict, Look, Policy, Verdict
from llmops.gates.judge import judge
from llmops.jobs import JobError
from llmops.jobs.times import rfc3339
from llmops.services.gate.measure import measure, requests
from llmops.services.gate.question import Question, Release, Result
from llmops.services.gate.series import Source
from llmops.services.gate.state import MOST_LOOKS, Memory, Rollout

# A verdict is repeated for so long after the last question, for gates that ask a little later, each every ten
# seconds; who asks then has started anew.
REPEATED = 40.0
# Steps are request for in every window. After such a silence the same step is that of another attempt.
SILENCE = 900.0
# For so long a failure of Prometheus is answered without asking again: all gates of a rollout ask at once.
FAILURE = 5.0
_MOST_FAILURES = 1000
# Seconds that a look may take, and that it may wait for its turn.
LOOK, PATIENCE, LOOKS_AT_ONCE = 30.0, 8.0, 2


class ConflictError(Exception):
    """A question with another policy than the one that was fixed; one sentence."""


class Gate:
    """The service without its HTTP. Methods raise ValueError (400), ConflictError (409) and JobError (503)."""

    def __init__(self, source: Source, memory: Memory, now: Callable[[], float] = time.time) -> None:
        self._source, self.memory, self._now = source, memory, now
        self._failed: dict[Release, tuple[float, str]] = {}
        self._looks = BoundedSemaphore(LOOKS_AT_ONCE)

    def verdict(self, request: Question) -> dict[str, Any]:
        """May the step end? A look is taken at most once in a window; all who ask within one see the same."""
        with self.memory.lock(request.release):
            now = self._now()
            rollout = self._rollout(request, now)
            _fixed(rollout, "gates", asdict(request.policy), now)
            began, window = rollout.began or now, request.policy.window_seconds
            rollout.called, rollout.required = now, request.policy.min_requests
            if request.step != rollout.step:
                # The end of the window in which a step begins is its first look.
                rollout.until = began + (now - began) // window * window
                rollout.step, rollout.number, rollout.entered = request.step, 0, rollout.until
            last = rollout.last
            ended = last is not None and last["outcome"] != "wait"
            if ended or now < rollout.until + window:
                return _answer(last) if last else _answer(_waiting(request))
            self._look(request, rollout, now)
            return _answer(rollout.looks[-1])

    def post(self, result: Result) -> None:
        """Keeps what a Job found, with the rollout that it belongs to. ValueError when no verdict could follow."""
        _of_document(result, dict(result.document))
        with self.memory.lock(result.release):
            rollout = self._of(result.release, result.canary)
            now = self._now()
            rollout = rollout or self.memory.add(result.release, Rollout(result.canary), now)
            found = {"at": now, "document": dict(result.document), "answered": None}
            rollout.results[result.kind] = found
            self.memory.save(result.release)

    def result(self, request: Result) -> dict[str, Any]:
        """What follows from a posted document; "wait" while there is none, or only one of an earlier attempt."""
        with self.memory.lock(request.release):
            rollout = self._of(request.release, request.canary)
            found = rollout.results.get(request.kind) if rollout else None
            now = self._now()
            if rollout:
                _fixed(rollout, request.kind, request.policy, now)
            if found and now > found["at"] + float(request.policy.get("maxAgeSeconds", 86400)):
                found = None
            if found is None or (found["answered"] is not None and now > found["answered"] + REPEATED):
                return {"outcome": "wait", "reason": f"the {request.kind} job has posted no result yet"}
            verdict = _clean(_of_document(request, found["document"]))
            if found["answered"] is None and verdict["outcome"] != "wait":
                found["answered"], found["verdict"] = now, verdict
                self.memory.save(request.release)
                _say({"kind": request.kind, **_who(request.release, request.canary), **verdict}, now)
            return verdict

    def evidence(self, release: Release) -> dict[str, Any]:
        with self.memory.lock(release):
            return {"rollouts": [one.evidence() for one in self.memory.rollouts(release)]}

    def _look(self, request: Question, rollout: Rollout, now: float) -> None:
        window, began = request.policy.window_seconds, rollout.began or now
        # Where there is no control arm a step stands for itself: what it is held against does not come from before.
        since = began if request.mode == "compare" else rollout.entered
        failed, words = self._failed.get(request.release, (-math.inf, ""))
        if now < failed + FAILURE:
            raise JobError(words)
        try:
            evidence = self._measured(request, since, now)
        except JobError as error:
            if len(self._failed) >= _MOST_FAILURES:
                self._failed = {}
            self._failed[request.release] = (now, str(error))
            raise
        look = Look(request.step, rollout.number + 1, request.mode)
        verdict = judge(request.policy, evidence, _within(look, request.policy, evidence))
        seen = dict(zip(("canary", "stable"), requests(evidence), strict=True))
        rollout.number += 1
        rollout.until = began + (now - began) // window * window
        # A step that stands for itself sees fewer than the rollout has had.
        rollout.requests = {arm: max(rollout.requests.get(arm, 0), one) for arm, one in seen.items()}
        shown = _look_document(verdict, request.policy, look, now)
        rollout.looks = [*rollout.looks, shown][-MOST_LOOKS:]
        self.memory.save(request.release)
        # The reasons of the single gates are in the evidence; the one that counts stands in the line's own.
        figures = {
            gate: {key: value for key, value in one.items() if key != "reason"}
            for gate, one in shown["gates"].items()
        }
        _say(
            {**_who(request.release, request.canary), "stable": request.stable, **shown, "gates": figures},
            now,
        )

    def _measured(self, request: Question, since: float, now: float) -> Evidence:
        """One look at Prometheus, of bounded time; few at once, so that their answers fit into memory. JobError."""
        if not self._looks.acquire(timeout=PATIENCE):
            raise JobError("looks at other releases take long, and this one has to wait")
        try:
            return measure(replace(self._source, until=time.monotonic() + LOOK), request, since, now)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise JobError(f"Prometheus answered what no counter says ({type(error).__name__})") from None
        finally:
            self._looks.release()

    def _rollout(self, request: Question, now: float) -> Rollout:
        """The rollout that is asked about: the last one, if it still can be that, else a new one.

        What only a Job has posted about is no later one: it may be the Job of a version that is gone.
        """
        known = [one for one in self.memory.rollouts(request.release) if one.began is not None]
        posted = self._of(request.release, request.canary)
        last = known[-1] if known else None
        if last and not _another(last, request, now):
            return last
        if posted and posted.began is None:
            last = posted
            last.began, last.stable = now, request.stable
        else:
            results = posted.results.items() if posted else ()
            fresh = {kind: one for kind, one in results if posted and one["at"] > posted.called}
            made = Rollout(request.canary, request.stable, now, results=fresh)
            last = self.memory.add(request.release, made, now)
        last.step, last.entered, last.until = request.step, now, now
        last.called, last.required = now, request.policy.min_requests
        self.memory.save(request.release)
        return last

    def _of(self, release: Release, canary: str) -> Rollout | None:
        """The last rollout of this canary."""
        known = self.memory.rollouts(release)
        return next((one for one in reversed(known) if one.canary == canary), None)


def _another(last: Rollout, request: Question, now: float) -> bool:
    """Whether the question is about another attempt than the last one."""
    if (last.canary, last.stable) != (request.canary, request.stable) or request.step < last.step:
        return True
    # Between two steps a person may think for days, and in a dry run a failure is no end.
    if request.step > last.step:
        return False
    window, look = request.policy.window_seconds, last.last
    if look is None or look["outcome"] == "wait":
        return now > last.called + max(SILENCE, 20 * window)
    return now > last.called + REPEATED


def _within(look: Look, policy: Policy, evidence: Evidence) -> Look:
    """Of looks beyond the planned ones no more than there are windows: old windows are forgotten, looks are not."""
    rows = min((len(one.canary) for one in evidence.signals.values()), default=1)
    return replace(look, number=min(look.number, policy.looks[look.step] + max(0, rows - 1)))


def _look_document(verdict: Verdict, policy: Policy, look: Look, now: float) -> dict[str, Any]:
    missing = GateVerdict("wait", "nothing was measured")
    return {
        "at": rfc3339(now),
        "step": look.step,
        "look": look.number,
        "mode": look.mode,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "gates": {gate: _clean(asdict(verdict.gates.get(gate, missing))) for gate in policy.gates},
    }


def _waiting(request: Question) -> dict[str, Any]:
    reason = f"the first window of {request.policy.window_seconds:g} s is not over yet"
    gates = {gate: _clean(asdict(GateVerdict("wait", reason))) for gate in request.policy.gates}
    return {"outcome": "wait", "reason": reason, "step": request.step, "look": 0, "gates": gates}


def _answer(look: Mapping[str, Any]) -> dict[str, Any]:
    return {key: look[key] for key in ("outcome", "reason", "step", "look", "gates")}


def _of_document(request: Result, document: dict[str, Any]) -> dict[str, Any]:
    if request.kind == "quality":
        # Only here: a gate without quality checks works without what they need.
        from llmops.gates.quality import judge_quality

        return dict(judge_quality(document, dict(request.policy)))
    bad = [check for check in document["checks"] if not check["ok"]]
    if not bad:
        return {"outcome": "pass", "reason": f"all {len(document['checks'])} checks are fine"}
    words = "; ".join(f"{check['name']}: {check.get('problem') or 'not ok'}" for check in bad)
    return {"outcome": "fail", "reason": words[:1000]}


def _clean(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON, which knows no infinity."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in verdict.items()
    }


def _who(release: Release, canary: str) -> dict[str, str]:
    return {"namespace": release.namespace, "release": release.name, "canary": canary}


def _fixed(rollout: Rollout, kind: str, policy: Mapping[str, Any], now: float) -> None:
    """Holds a rollout to the policy of its first question. Who comes after a long silence may have another one.

    ConflictError: whoever wants to be judged otherwise has to begin anew.
    """
    # As it is read back from a file: lists for tuples.
    policy = json.loads(json.dumps(policy))
    fixed = rollout.policies.get(kind)
    if fixed and fixed["policy"] != policy and now <= fixed["at"] + SILENCE:
        raise ConflictError(
            "this rollout is judged by the policy of its first question: abort it, and a retry takes the new one"
        )
    rollout.policies[kind] = {"policy": policy, "at": now}


def _say(line: Mapping[str, Any], now: float) -> None:
    """One line of JSON on stdout."""
    sys.stdout.write(json.dumps({"at": rfc3339(now), **line}) + "\n")
    sys.stdout.flush()
