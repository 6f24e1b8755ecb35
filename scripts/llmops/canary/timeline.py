"""How long a rollout takes at least: loads, pauses, gates and drains of each step, and the requests that gates want."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llmops.canary.durations import Pace, gate
from llmops.canary.steps import Step, peak


@dataclass(frozen=True)
class Timed:
    """A step and its least seconds by cause. `requests` is what its gates still lack of each version when they begin.

    `share` is the percent of the traffic that brings them: the smaller side's, or where nothing is compared the
    canary's. 0 where the canary has no share.
    """

    step: Step
    loading: float = 0
    draining: float = 0
    pausing: float = 0
    gating: float = 0
    keeping: float = 0
    requests: int = 0
    share: int = 0

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.loading + self.draining + self.pausing + self.gating + self.keeping

    @property
    def waits_for_person(self) -> bool:
        """Whether somebody has to promote, for however long that takes; it is in no sum."""
        return self.step.pause is None


@dataclass(frozen=True)
class Timeline:
    """All steps in order, steady state to steady state."""

    rows: tuple[Timed, ...]
    pace: Pace

    @property
    def seconds(self) -> float:
        """Least seconds in all, without what waits for a person."""
        return sum(row.seconds for row in self.rows)

    @property
    def serving_seconds(self) -> float:
        """Least seconds until the new version serves alone and nothing is left to pass."""
        return sum(row.seconds for row in self.rows if row.step.label != "done")

    @property
    def missing(self) -> int:
        """Servers fewer than wanted at the worst moment."""
        return max((row.step.missing for row in self.rows), default=0)

    @property
    def endless(self) -> bool:
        """Whether the new version never comes to serve alone."""
        return any(row.step.endless for row in self.rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader needs beside the figures."""
        return tuple(note for row in self.rows for note in row.step.notes)

    @property
    def persons(self) -> int:
        """Steps that wait for a person."""
        return sum(row.waits_for_person for row in self.rows)


def timeline(steps: Iterable[Step], pace: Pace) -> Timeline:
    """Plays the steps through at a pace.

    Gates that compare look at all requests since the first of them began, so what came meanwhile counts; those that
    do not begin anew. Traffic moves at the end of a load. Without a rate of requests, gates take the time of their
    looks alone. There are as many GPUs as the peak asks for: a load that needs those of pods that are still ending
    waits for them.
    """
    steps = tuple(steps)
    most = peak(steps)
    leaving, since = 0, 0.0
    rows: list[Timed] = []
    rate = pace.requests_per_second or 0
    # Requests of the side that has fewer, since the first comparison began; None before it.
    counted: float | None = None
    weight = 0
    for step in steps:
        loading, draining = step.loads * (pace.load or 0), step.drains * pace.drain
        if leaving and (step.label == "done" or (step.loads and step.gpus + leaving > most)):
            draining += max(0.0, pace.drain - since)
        if counted is not None:
            counted += (loading + draining) * rate * _smaller(weight)
        weight = step.weight
        pausing = gating = 0.0
        wanted, share = 0, 0
        for wait in step.waits:
            asked = gate(wait, pace)
            took = asked.seconds if wait.templates else wait.seconds or 0
            if asked.requests:
                alone = dict(wait.args).get("mode") == "absolute"
                part = weight / 100 if alone else _smaller(weight)
                lacking = max(0, math.ceil(asked.requests - (0 if alone else counted or 0)))
                if lacking > wanted:
                    wanted, share = lacking, round(part * 100)
                if rate and part and asked.window:
                    needed = lacking / (rate * part)
                    took = max(took, math.ceil(needed / asked.window) * asked.window)
                if not alone:
                    # A gate ends with no fewer than it asked for.
                    counted = max((counted or 0) + took * rate * part, asked.requests if part else 0)
            elif counted is not None:
                counted += took * rate * _smaller(weight)
            if wait.templates:
                gating += took
            else:
                pausing += took
        leaving, since = step.leaving, pausing + gating
        rows.append(Timed(step, loading, draining, pausing, gating, step.scale_down_delay, wanted, share))
    return Timeline(tuple(rows), pace)


def _smaller(weight: int) -> float:
    """The share of the version that has less of the traffic."""
    return min(weight, 100 - weight) / 100


def as_json(line: Timeline) -> dict[str, Any]:
    """The figures for a machine; seconds are whole ones, rounded up."""
    return {
        "steps": [
            {
                "label": row.step.label,
                "weight": row.step.weight,
                "canary": row.step.canary,
                "stable": row.step.stable,
                "gpus": row.step.gpus,
                "seconds_min": math.ceil(row.seconds),
                "gates": list(row.step.gates),
                "requests_needed": row.requests,
                "waits_for_person": row.waits_for_person,
                "capacity_lost": row.step.missing,
            }
            for row in line.rows
        ],
        "total_seconds_min": sum(math.ceil(row.seconds) for row in line.rows),
        "serving_seconds_min": sum(math.ceil(row.seconds) for row in line.rows if row.step.label != "done"),
        "load_seconds": line.pace.load,
        "requests_per_second": line.pace.requests_per_second,
        "peak_gpus": peak(tuple(row.step for row in line.rows)),
        "capacity_lost": line.missing,
        "endless": line.endless,
        "notes": list(line.notes),
    }
