"""The steps of a LeaderWorkerSet: its strategy as rendered, played through group by group. A group is one server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmops.canary.groups import Rolling, Round, State, begin, rounds
from llmops.canary.steps import Step, Wait, count_of
from llmops.findings import InputError

NO_CANARY = (
    "no canary: a LeaderWorkerSet replaces group after group, and no gate looks; the way out is a second release with "
    "the new version, and a route of your own with weights of both Services"
)
SPARE_ENDS_EARLY = (
    "the controller ends the last spare server while the last old one is replaced: one is missing then, whatever "
    "maxUnavailable says"
)
NEVER = (
    "the update never begins: of a single group the controller makes no spare one, and maxUnavailable 0 keeps it; "
    "write maxUnavailable: 1"
)


# Beyond, the walk through all groups takes too long to wait for.
_MOST = 1000


def steps(spec: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    """The steps of a new version, counted in groups; a partition waits until a person lowers it.

    Raises InputError for a strategy that the controller's webhook refuses.
    """
    if replicas > _MOST:
        raise InputError(f"{replicas} groups are too many to play through: plan {_MOST} at most")
    rolling = _rolling(spec, replicas)
    state, label = begin(rolling), "rolling update"
    if held := rolling.partition:
        passed = list(rounds(state, rolling))
        state, rolling, label = _left(passed, state), replace(rolling, partition=0), "partition 0"
        first = _step(f"partition {held}", passed, state, rolling)
        yield replace(first, weight=_share(state), pause=None, waits=(Wait(None),))
    passed = list(rounds(state, rolling))
    state = _left(passed, state)
    last = _step(label, passed, passed[0][1] if passed else state, rolling)
    spare = max(0, len(state.groups) - replicas)
    yield replace(last, notes=tuple(_notes(last, state, rolling)), endless=not state.is_done, leaving=spare)


def _notes(step: Step, state: State, rolling: Rolling) -> Iterator[str]:
    if not state.is_done:
        yield NEVER
    elif rolling.surge and step.missing > rolling.unavailable:
        yield SPARE_ENDS_EARLY
    yield NO_CANARY


def _rolling(spec: Mapping[str, Any], replicas: int) -> Rolling:
    given = (spec.get("rolloutStrategy") or {}).get("rollingUpdateConfiguration") or {}
    # What the CRD writes where the manifest says nothing.
    asked, spare = given.get("maxUnavailable", 1), given.get("maxSurge", 0)
    unavailable = count_of(asked, replicas, "maxUnavailable", up=False)
    surge = min(replicas, count_of(spare, replicas, "maxSurge", up=True))
    if replicas and not unavailable and not surge:
        raise InputError("maxUnavailable and maxSurge are both 0: write maxUnavailable: 1")
    # The same value counts again for the StatefulSet of leaders, of all its pods, and never as less than one.
    at_once = max(1, count_of(asked, replicas + surge, "maxUnavailable", up=False))
    return Rolling(replicas, surge, min(unavailable, replicas), at_once, int(given.get("partition") or 0))


def _left(passed: Sequence[tuple[Round, State]], state: State) -> State:
    return passed[-1][1] if passed else state


def _share(state: State) -> int:
    """Percent of the traffic that the new version has: every group takes the same."""
    return round(100 * sum(one.new for one in state.groups) / len(state.groups)) if state.groups else 0


def _step(label: str, passed: Sequence[tuple[Round, State]], shown: State, rolling: Rolling) -> Step:
    """A step made of rounds; what it shows are the groups of one moment."""
    new = sum(one.new for one in shown.groups)
    all_rounds = [one for one, _ in passed]
    return Step(
        label,
        _share(shown),
        new,
        len(shown.groups) - new,
        max([len(shown.groups), *(one.held for one in all_rounds)]),
        loads=len(all_rounds),
        drains=sum(one.replaced > 0 for one in all_rounds),
        # Servers that do not load side by side may use up what is allowed at any moment.
        missing=max([rolling.unavailable, *(rolling.replicas - one.serving for one in all_rounds)])
        if any(one.replaced for one in all_rounds)
        else 0,
    )
