"""Servers of one model as a flow: requests wait, are admitted, decode together, and end.

Many releases at once, axis 0, each with the same arrivals. A step of `seconds` moves fractions of requests; within a
release the router is least-loaded, so its servers are alike. The time of an engine's step is that of
llmops.capacity.step_time; a prompt is computed in steps that the answers beside it wait for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from llmops.capacity.step_time import StepTime
from llmops.simulate.scaling.hpa import Counts, Numbers

# Share of its time that a server can give to prompts: the scheduler decodes first.
_PROMPT_SHARE = 0.9
# Time of the API server for each request: BLIS, as the step's coefficients.
REQUEST_SECONDS = 0.0156


@dataclass(frozen=True)
class Engine:
    """One server: its step, KV cache in tokens, most sequences, and GPUs; `grace` seconds to end its streams."""

    step: StepTime
    tokens: float
    sequences: int
    gpus: int = 1
    grace: float = 120.0


@dataclass
class Servers:
    """The state of each release: requests and their tokens, ready servers, and sums over the run.

    `waiting` and `running` are requests, `waiting_prompts` prompt tokens, `running_prompts` and `running_answers` those
    of the requests that decode. `gap` is the mean time between two tokens of the last step, in seconds.
    """

    engine: Engine
    ready: Counts
    waiting: Numbers = field(init=False)
    waiting_prompts: Numbers = field(init=False)
    waiting_answers: Numbers = field(init=False)
    running: Numbers = field(init=False)
    running_prompts: Numbers = field(init=False)
    running_answers: Numbers = field(init=False)
    admitted: Numbers = field(init=False)
    ended: Numbers = field(init=False)
    aborted: Numbers = field(init=False)
    preempted: Numbers = field(init=False)
    drained: Numbers = field(init=False)
    gap: Numbers = field(init=False)

    def __post_init__(self) -> None:
        for name in (
            "waiting", "waiting_prompts", "waiting_answers", "running", "running_prompts", "running_answers",
            "admitted", "ended", "aborted", "preempted", "drained", "gap",
        ):  # fmt: skip
            setattr(self, name, np.zeros(len(self.ready)))

    def step(self, seconds: float, requests: float, prompts: float, answers: float) -> None:
        """Moves on by `seconds`, in which so many requests, prompt tokens and answer tokens arrive."""
        self.waiting += requests
        self.waiting_prompts += prompts
        self.waiting_answers += answers
        engine, servers = self.engine, np.maximum(self.ready, 0)
        alive = servers > 0
        each = np.where(alive, servers, 1)
        in_flight = np.maximum(self.running + self.waiting, 1e-9)
        mean_prompt = np.maximum((self.running_prompts + self.waiting_prompts) / in_flight, 1)
        mean_answer = np.maximum((self.running_answers + self.waiting_answers) / in_flight, 1)
        held = mean_prompt + mean_answer / 2
        slots = np.minimum(engine.sequences, engine.tokens / held)
        # Seconds of one engine step: `alone` without a request, `more` for each that decodes.
        alone, more = engine.step.base, engine.step.request + engine.step.cached * held
        prompt_seconds = engine.step.prompt * mean_prompt
        full = slots / (mean_answer * (alone + more * slots))
        # Prompts and answers share a server's time: so many a second it can do of both for ever.
        sustained = full / (1 + full * prompt_seconds)
        room = np.maximum(servers * slots - self.running, 0) + servers * sustained * seconds
        able = servers * _PROMPT_SHARE * seconds / prompt_seconds
        taken = np.clip(np.minimum(np.minimum(self.waiting, room), able), 0, None)
        self._move(taken)
        rate = taken / (each * seconds)
        slower = 1 / (1 - np.minimum(rate * prompt_seconds, _PROMPT_SHARE))
        before = (self.running - taken) / each
        # Where it would come to rest at this rate; beyond what it can do, at full slots.
        rest = 1 - rate * mean_answer * more * slower
        level = np.where(rest > 1e-3, rate * mean_answer * alone * slower / np.maximum(rest, 1e-3), slots)
        level = np.minimum(level, slots)
        part = seconds / ((alone + more * (before + level) / 2) * slower * mean_answer)
        gone = -np.expm1(-part)
        after = level + (before - level) * (1 - gone)
        mean = level + (before - level) * gone / part
        self.gap = np.where(alive, (alone + more * mean) * slower, 0.0)
        done = np.where(alive, np.clip(self.running - after * each, 0, self.running), 0.0)
        self._leave(done)
        self.ended += done
        over = np.maximum(self.running_prompts + self.running_answers / 2 - servers * engine.tokens, 0.0)
        self._preempt(np.minimum(over / held, self.running))

    def remove(self, count: Counts) -> None:
        """Takes so many ready servers away; their requests have the grace to end, the rest of them is lost."""
        share = count / np.maximum(self.ready, 1)
        mean = np.maximum(self.gap * self.running_answers / np.maximum(self.running, 1e-9), 1e-9)
        leaving = self.running * share
        lost = leaving * np.exp(-self.engine.grace / mean)
        self._leave(leaving)
        self.ended += leaving - lost
        self.aborted += lost
        # The last of the requests of a server ends after about three of their mean times.
        self.drained += count * np.minimum(3 * mean, self.engine.grace) * (leaving > 0)
        self.ready = self.ready - count

    def _move(self, taken: Numbers) -> None:
        share = taken / np.maximum(self.waiting, 1e-9)
        prompts, answers = self.waiting_prompts * share, self.waiting_answers * share
        self.waiting -= taken
        self.waiting_prompts -= prompts
        self.waiting_answers -= answers
        self.running += taken
        self.running_prompts += prompts
        self.running_answers += answers
        self.admitted += taken

    def _leave(self, done: Numbers) -> tuple[Numbers, Numbers]:
        share = done / np.maximum(self.running, 1e-9)
        prompts, answers = self.running_prompts * share, self.running_answers * share
        self.running = self.running - done
        self.running_prompts = self.running_prompts - prompts
        self.running_answers = self.running_answers - answers
        return prompts, answers

    def _preempt(self, back: Numbers) -> None:
        """Requests that lose their cache wait again, and are admitted a second time."""
        if not back.any():
            return
        prompts, answers = self._leave(back)
        self.waiting += back
        self.waiting_prompts += prompts
        self.waiting_answers += answers
        self.admitted -= back
        self.preempted += back
