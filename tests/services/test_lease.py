"""A Lease among replicas, before an API server that keeps versions as the real one does; the clock is handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from llmops.jobs import JobError
from llmops.services.lease import Lease


@dataclass
class Server:
    """`call` as Api has it. `before_write` happens between somebody's read and write."""

    lease: dict[str, Any] | None = None
    version: int = 0
    status: int = 0
    before_write: list[Any] = field(default_factory=list)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        if self.status:
            return self.status, {}
        assert path.startswith("/apis/coordination.k8s.io/v1/namespaces/monitoring/leases")
        if method == "GET":
            return (200, self.lease) if self.lease else (404, {})
        if self.before_write:
            self.before_write.pop()()
        assert body is not None
        given = body["metadata"].get("resourceVersion")
        if (method == "POST") is bool(self.lease) or (given and given != str(self.version)):
            return 409, {}
        self.version += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return 200, self.lease


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def replica(server: Server, clock: Clock, name: str) -> Lease:
    return Lease(server, "monitoring", "relay", name, 15, clock)  # type: ignore[arg-type]


def test_one_has_it_and_the_other_takes_it_when_the_first_is_silent() -> None:
    server, clock = Server(), Clock()
    first, second = replica(server, clock, "a"), replica(server, clock, "b")
    assert first.held()
    for clock.now in (0, 3, 6, 9, 12, 15, 18):
        assert not second.held()
        assert first.held()
    for clock.now in (19, 25, 32.9):
        assert not second.held()
    clock.now = 34
    assert second.held()
    assert not first.held()


def test_of_two_that_are_quick_one_gets_it() -> None:
    server, clock = Server(), Clock()
    first, second = replica(server, clock, "a"), replica(server, clock, "b")
    server.before_write.append(lambda: second.held())
    assert not first.held()
    assert second.held()
    # And of two that see the same silence.
    clock.now = 10
    assert not first.held()
    third = replica(server, clock, "c")
    assert not third.held()
    clock.now = 30
    server.before_write.append(lambda: third.held())
    assert not first.held()
    assert third.held()


def test_a_pod_that_comes_again_under_its_name_goes_on() -> None:
    server, clock = Server(), Clock()
    assert replica(server, clock, "a").held()
    assert replica(server, clock, "a").held()


@pytest.mark.parametrize("status", [401, 403, 500])
def test_what_the_api_server_refuses_is_one_sentence(status: int) -> None:
    with pytest.raises(JobError, match=f"the Lease relay cannot be read: the API server says {status}"):
        replica(Server(status=status), Clock(), "a").held()
