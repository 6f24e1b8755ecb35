"""Answers that are cut: by a route that ends them sooner than their server, or by a server that ends them itself."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.ending import slept
from llmops.checks.reading.servers import Server, behind
from llmops.checks.reading.time_outs import time_outs
from llmops.checks.registry import WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE
from llmops.references import mapping
from llmops.release import Release

# What answers of a model take at least, where their server does not say how long it lets them.
_ANSWER = 60


@rule(
    "LM222",
    severity=WARNING,
    fix="Raise it to what the engine lets its requests take (--shutdown-timeout), or write 0 for none.",
)
def route_ends_answers(release: Release) -> Iterator[Finding]:
    """A route that ends a request sooner than its server does cuts long answers: clients get half a stream, or 504.

    Compared are the time-outs of routes and of the policies beside them, and the annotations of controllers and load
    balancers, with the engine's drain or what preStop waits for, and with a minute where neither is stated.
    ingress-nginx waits for a minute where nobody says otherwise.
    """
    objects = graph(release)
    for one in time_outs(objects):
        reached = [server for service in one.services for server in behind(objects, release, service)]
        longest = max(((_lets(server), server) for server in reached), default=None, key=lambda pair: pair[0])
        if longest and 0 < one.seconds < (longest[0] or _ANSWER):
            needs, server = longest
            lets = (
                f"lets them {needs:g} s ({server.engine.drain if server.drain else 'preStop'})"
                if needs
                else f"may take {_ANSWER} s for an answer"
            )
            after = (
                f"{one.seconds:g} s" if one.stated else f"{one.seconds:g} s without a byte, nginx's default"
            )
            message = f"requests end after {after}, and {server.owner.kind} {server.owner.name} {lets}."
            yield defect(one.source, one.pointer, message)


@rule(
    "LM223",
    severity=WARNING,
    fix="Write lifecycle: {preStop: {sleep: {seconds: 15}}}, the engine's drain as a flag, and more grace than both.",
)
def drain_missing(release: Release) -> Iterator[Finding]:
    """A server that gets no time to end cuts the answers in flight, at every update and whenever a node is drained.

    Services and routers go on sending requests for some seconds after a pod was told to end. Judged are servers behind
    a Service of the input that have neither a preStop hook nor the engine's drain.
    """
    objects = graph(release)
    seen = set()
    for service in objects.of_kind(SERVICE):
        for server in behind(objects, release, service):
            hook = mapping(server.container.get("lifecycle")).get("preStop")
            place = (id(server.owner), server.pointer)
            if hook or server.drain or place in seen:
                continue
            seen.add(place)
            flag = f" and no {server.engine.drain}" if server.engine.drain else ""
            message = f"{server.name} has no preStop{flag}: it ends while requests are under way."
            yield defect(server.owner, server.pointer, message)


def _lets(server: Server) -> float:
    """Seconds that running requests get to end; 0 where nobody says."""
    return max(float(server.drain), slept(server.container))
