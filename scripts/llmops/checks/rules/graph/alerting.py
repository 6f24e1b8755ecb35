"""Alertmanager's configuration: what it refuses as a whole, and nobody is told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.alerting import Configuration, configurations
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.checks.rules.graph.configuration import known_keys
from llmops.checks.rules.graph.endpoints import broken
from llmops.findings import Finding
from llmops.kubernetes.wording import closest
from llmops.references import Graph, mapping, sequence, text
from llmops.release import Release

_INTERVALS = ("mute_time_intervals", "active_time_intervals")


@rule("LG133", severity=ERROR, fix="Name a receiver, or an interval of time, that this configuration has.")
def alert_route_to_nobody(release: Release) -> Iterator[Finding]:
    """A route to a receiver that is not there: the operator leaves the whole object out, Alertmanager does not start.

    So do routes by intervals of time that are not there, two receivers of one name, and a file without a route.
    """
    for one in configurations(graph(release)):
        for pointer, message in _names(one):
            yield defect(one.owner, one.at(pointer), message)


@rule(
    "LG134",
    severity=ERROR,
    fix="Correct the expression; a bracket that is meant literally has a backslash before it.",
)
def alert_matcher_unparsable(release: Release) -> Iterator[Finding]:
    """A matcher whose regular expression does not parse makes the operator or Alertmanager leave everything out."""
    for one in configurations(graph(release)):
        for pointer, regex in one.regexes():
            if wrong := broken(regex):
                yield defect(one.owner, one.at(pointer), f"{regex} is no regular expression: {wrong}.")


@rule("LG135", severity=ERROR, fix="Write the key into the Secret, or name one that it has.")
def alert_secret_missing(release: Release) -> Iterator[Finding]:
    """An AlertmanagerConfig that takes a key out of a Secret which has no such key is left out as a whole.

    Judged are Secrets and ConfigMaps of the same input.
    """
    objects = graph(release)
    for one in configurations(objects):
        if one.file:
            continue
        for pointer, kind, name, key in _references(one.data.get("receivers"), "/receivers"):
            yield from _missing(objects, one, pointer, kind, name, key)


def _missing(
    objects: Graph, one: Configuration, pointer: str, kind: str, name: str, key: str
) -> Iterator[Finding]:
    holder = objects.find(("", kind), objects.namespace_of(one.owner), name)
    if holder is not None and (known := known_keys(holder)) and key not in known:
        message = f"the {kind} {name} has no key {key}{closest(key, known)}."
        yield defect(one.owner, one.at(f"{pointer}/key"), message)


def _names(one: Configuration) -> Iterator[tuple[str, str]]:
    """(pointer, message) of every name that leads nowhere, and of what a file may not be without."""
    if one.file and one.data.get("route") is None:
        if "receivers" in one.data:
            yield "", "there is no route, and Alertmanager does not start without one."
        return
    listed = [text(mapping(each).get("name")) for each in sequence(one.data.get("receivers"))]
    for name, times in Counter(listed).items():
        if times > 1:
            yield "/receivers", f"{times} receivers are called {name}."
    intervals = one.names("time_intervals", "mute_time_intervals")
    for pointer, route in one.routes():
        receiver = route.get("receiver")
        if isinstance(receiver, str) and receiver and receiver not in listed:
            yield f"{pointer}/receiver", f"there is no receiver {receiver}{closest(receiver, listed)}."
        elif not receiver and pointer == "/route":
            yield pointer, "the first route has no receiver."
        for key in map(one.key, _INTERVALS):
            for index, name in enumerate(sequence(route.get(key))):
                if isinstance(name, str) and name not in intervals:
                    at = f"{pointer}/{key}/{index}"
                    yield at, f"there is no interval of time {name}{closest(name, intervals)}."


def _references(node: Any, at: str) -> Iterator[tuple[str, str, str, str]]:
    """(pointer, kind, name, key) of every key of a Secret or ConfigMap that the receivers take."""
    if isinstance(node, dict):
        if set(node) <= {"name", "key", "optional"} and isinstance(node.get("key"), str) and node.get("name"):
            if not node.get("optional"):
                kind = "ConfigMap" if at.endswith("/configMap") else "Secret"
                yield at, kind, text(node["name"]), node["key"]
            return
        for key, below in node.items():
            yield from _references(below, f"{at}/{key}")
    elif isinstance(node, list):
        for index, below in enumerate(node):
            yield from _references(below, f"{at}/{index}")
