"""One release on the live cluster with gates that decide in seconds, and what a test does to it."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab.cluster.client import MERGE_PATCH
from lab.cluster.namespaces import inside
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from tests.e2e.canary.account import Fault, account, requests
from tests.e2e.canary.watching import Sample, Watch
from tests.e2e.states import healthy
from tests.e2e.traffic import behaviour, load

Layer = Mapping[str, Any]
RATE, TOKENS = 16, 32
# Speeds as they vary in life; streams of two seconds, of few tokens, so that three scenarios at a time fit two cores.
GOOD: dict[str, Any] = {"ttft": {"median": 0.06, "sigma": 0.3}, "itl": {"median": 0.06, "sigma": 0.3}}


def routed(gate: str, **strategy: Any) -> dict[str, Any]:
    """A canary through Traefik whose gates look each five seconds, so that a rollout takes a minute."""
    return {
        "global": {"llm": {"environment": {"gate": {"url": gate}}}},
        "vllm-inference": {
            "trafficRouter": "traefik",
            "gates": {
                "windowSeconds": 5,
                "looks": 6,
                "minRequests": 40,
                "stallSeconds": 10,
                "downSeconds": 5,
            },
            "strategy": {"steps": [{"setWeight": 25}, {"gate": {}}], "watchMinutes": 0, **strategy},
        },
    }


@dataclass
class Act:
    """What a test's body sees of the rollout that it started, and tells about it.

    `before` is the version that serves, `old` that one and the one that was stopped last.
    """

    helm: Helm
    watch: Watch
    before: str
    old: frozenset[str]
    fault: float = float("inf")

    def samples(self) -> list[Sample]:
        """Looks at the rollout since there is a new version."""
        return [each for each in self.watch.samples if each.canary not in ("", *self.old)]

    def canary(self) -> str:
        """The hash of the new version, once there is one."""

        def there() -> str:
            new = self.samples()
            return new[-1].canary if new else ""

        return until(there, "a new version", 30)

    def at_step(self, step: int, seconds: float = 90) -> Sample:
        """Waits until the rollout is at that step; fails at once when it was aborted."""

        def there() -> Sample | None:
            last = self.samples()[-1:]
            assert not any(each.aborted for each in last), last
            return last[0] if last and last[0].step >= step else None

        return until(there, f"step {step} of {self.helm.name}", seconds)

    def inject(self, **change: Any) -> None:
        """From now on the new version's engines behave so."""
        self.fault = time.time()
        for address in self.addresses(self.canary()):
            post(address, change)

    def addresses(self, version: str) -> list[str]:
        pods = self.helm.get("pods")["items"]
        return [
            pod["status"]["podIP"]
            for pod in pods
            if pod["metadata"]["labels"].get("rollouts-pod-template-hash") == version
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def active(self, version: str) -> None:
        """Waits until all requests go to that version."""

        def there() -> bool:
            selector = self.helm.get(f"services/{self.helm.name}")["spec"]["selector"]
            return bool(selector.get("rollouts-pod-template-hash") == version)

        until(there, f"{version} behind the Service", 90)

    def promote(self) -> None:
        """What a person does at a pause."""
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{self.helm.namespace}/rollouts/{self.helm.name}/status"
        self.helm.cluster.api("PATCH", path, {"status": {"pauseConditions": None}}, MERGE_PATCH)

    def outcome(self, seconds: float = 150) -> str:
        """Waits for the end: promoted, or aborted."""

        def over() -> str:
            for last in self.samples()[-1:]:
                if last.aborted:
                    return "aborted"
                if last.phase == "Healthy" and last.stable == last.canary:
                    return "promoted"
            return ""

        return until(over, f"an end of the rollout of {self.helm.name}", seconds)

    def aborted_at(self) -> Sample | None:
        """The first look after the abort, unless it was promoted before."""
        for each in self.samples():
            if each.aborted or (each.phase == "Healthy" and each.stable == each.canary):
                return each if each.aborted else None
        return None

    def exposed(self) -> float:
        """Seconds from the fault to the abort, each times the share of the requests that the bad version got."""
        end = self.aborted_at()
        looks = [each for each in self.samples() if end and self.fault <= each.at <= end.at]
        pairs = itertools.pairwise(looks)
        return sum((after.at - before.at) * (before.weight or 0) / 100 for before, after in pairs)

    def last_step(self) -> int | None:
        """The step before the abort; the controller forgets it."""
        end = self.aborted_at()
        if end is None:
            return None
        return max((each.step for each in self.samples() if each.at < end.at), default=0)


def post(address: str, change: Mapping[str, Any]) -> None:
    """Tells an engine how to behave."""

    def call() -> int:
        connection = http.client.HTTPConnection(address, 8000, timeout=10)
        try:
            connection.request("POST", "/_behaviour", json.dumps(change))
            return connection.getresponse().status
        finally:
            connection.close()

    status = inside(call)
    assert status == 200, f"the engine at {address} answered {status}"


@dataclass
class Stage:
    """A release that serves, its traffic, and the book in which each scenario is written down.

    `events` is how many parts of a stream carry text, where that is known: of the real engine it is not, since a
    part may hold several tokens.
    """

    helm: Helm
    write: Callable[[dict[str, Any]], None]
    layers: tuple[Layer, ...] = ()
    events: int = TOKENS
    last: dict[str, Any] = field(default_factory=dict)

    def install(self, *layers: Layer, scraped: Callable[[Helm], None], **first: Any) -> None:
        """The first version; `first` is what it does otherwise than GOOD."""
        self.layers = layers
        self.helm.deploy("install", *layers, behaviour(**{**GOOD, **first}))
        healthy(self.helm)
        scraped(self.helm)

    @contextmanager
    def scenario(
        self,
        name: str,
        expected: str,
        new: Mapping[str, Any],
        seconds: int = 75,
        gateway: bool = True,
        rate: float = RATE,
        release: Callable[[], object] | None = None,
        now: bool = False,
        tokens: int = TOKENS,
        burst: int = 1,
    ) -> Iterator[Act]:
        """Sends requests, rolls out a version that behaves as `new`, runs the body, and writes the account.

        `release` does it in another way.
        The body ends when the rollout did; requests go on until `seconds` are over, so that its end is under load too,
        or with `now` no longer than the body.
        """
        with Watch(self.helm) as watch:
            until(lambda: watch.samples, "a first look", 20)
            first = watch.samples[-1]
            act = Act(self.helm, watch, first.stable, frozenset({first.stable, first.canary}))
            with load(self.helm, seconds, gateway, rate, slug(name), tokens=tokens, burst=burst) as summary:
                if release:
                    release()
                else:
                    self.helm.deploy("upgrade", *self.layers, behaviour(**{**GOOD, **new}))
                yield act
                ended = time.time()
                summary(now)
        outcome = "aborted" if act.aborted_at() else "promoted"
        self.last = {"name": name, "expected": expected, "outcome": outcome}
        self.last |= self.book(act, slug(name), ended)
        self.last["exposed"] = round(rate * act.exposed())
        self.write(self.last)

    def book(self, act: Act, out: str, ended: float) -> dict[str, Any]:
        end = act.aborted_at()
        fault = Fault()
        if act.fault < float("inf") and end is not None:
            fault = Fault(act.watch.of(end.canary), act.fault, end.at + 1)
        found = account(requests(self.helm.folder / f"{out}.jsonl", self.events), fault, act.watch.deaths)
        since = act.fault if act.fault < float("inf") else act.watch.samples[0].at
        return {
            "abort_step": act.last_step(),
            "abort_seconds": round(end.at - since, 1) if end else None,
            "seconds": round(ended - act.watch.samples[0].at, 1),
            "reason": end.message if end else "",
            **found,
        }


def slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())
