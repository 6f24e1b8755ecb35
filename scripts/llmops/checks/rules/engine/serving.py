"""Port, key and paths of a server, held against who asks it: its own probes, Services, and Kubernetes' variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmops.checks.reading.analysis_runs import number
from llmops.checks.reading.backends import ports_named, selector_of, target_ports
from llmops.checks.reading.servers import Server, behind, servers
from llmops.checks.reading.weights import FASTEST, billions, sized
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE
from llmops.references import mapping, sequence, text
from llmops.release import Release

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_DEFAULT = {"initialDelaySeconds": 0, "periodSeconds": 10, "failureThreshold": 3}
# Imports, compilation and CUDA graphs take an engine longer than the first, weights of any size than the second.
_LEAST, _USUAL = 60, 600
# An address of the pod itself in a probe's command, and the programs that fetch one.
_OWN_URL = re.compile(
    r"(?:https?://)?(?:localhost|127\.0\.0\.1|\[::1\])(?::(?P<port>\d+))?(?P<path>/[^\s\"'|;&<>)]*)?(?=[\s\"'|;&<>)]|$)"
)
_FETCHES = re.compile(r"\b(?:curl|wget)\b")


@rule("LM216", severity=ERROR, fix="Let the probe ask /health, which needs no key.")
def probe_needs_key(release: Release) -> Iterator[Finding]:
    """An engine that has a key answers 401 to a probe that brings none: the pod is never ready, or killed for ever."""
    for server in servers(release):
        guarded = text(mapping(server.engine.server.get("key")).get("guards"))
        for one in _asked(server) if guarded and server.wants_key else ():
            if _below(one.path, guarded) and not one.brings_key:
                message = (
                    f"the {one.probe} of {server.name} asks {one.path} without the key that the engine wants."
                )
                fix = f"Write path: {server.engine.health}, which needs no key."
                yield defect(server.owner, one.pointer, message, fix=fix)


@rule("LM217", severity=ERROR, fix="Write the path that the engine answers probes on.")
def probe_path_unknown(release: Release) -> Iterator[Finding]:
    """A path that the engine does not have answers 404, which no probe takes for well."""
    for server in servers(release):
        known = [text(one) for one in sequence(server.engine.server.get("answers"))]
        extended = server.flag("--root-path", "--middleware")
        for one in _asked(server) if known and not extended else ():
            path = one.path.partition("?")[0] or "/"
            if path not in known and "{{" not in path:
                title = server.engine.title
                message = f"the {one.probe} of {server.name} asks {path}, which {title} does not have."
                yield defect(server.owner, one.pointer, message, fix=f"Write path: {server.engine.health}.")


@rule("LM218", severity=ERROR, fix="Write the engine's --port here, or this port as its --port.")
def port_differs(release: Release) -> Iterator[Finding]:
    """A port on which the engine does not listen refuses every connection: probes fail, and requests get 502 or 503.

    Judged are ports that lead to a pod of one container, and probes of the server's own container.
    """
    objects = graph(release)
    for server in servers(release):
        port = server.port
        for one in _asked(server) if port else ():
            asked = _number(server, one.port)
            if asked is not None and asked != port:
                message = (
                    f"the {one.probe} of {server.name} asks port {asked}, and the engine listens on {port}."
                )
                yield defect(server.owner, one.port_pointer, message)
    for service in objects.of_kind(SERVICE):
        ports = [mapping(one) for one in sequence(mapping(service.data.get("spec")).get("ports"))]
        reached = (
            [one for one in behind(objects, release, service) if one.port and _alone(one)]
            if selector_of(service)
            else []
        )
        for server in reached:
            led = [(index, n) for index, one in enumerate(ports) for n in _led(server, service, one)]
            if led and all(n != server.port for _, n in led):
                index, wrong = led[0]
                owner = f"{server.owner.kind} {server.owner.name}"
                message = f"it leads to port {wrong} of {owner}, whose engine listens on {server.port}."
                yield defect(service, f"/spec/ports/{index}", message)
                break


@rule(
    "LM219",
    severity=ERROR,
    fix="Write a startupProbe whose periodSeconds times failureThreshold is twice the load time.",
)
def killed_while_loading(release: Release) -> Iterator[Finding]:
    """A model that loads answers nobody; a probe that gives up before it has loaded ends the server, again and again.

    Judged are a livenessProbe with nothing before it that gives up within ten minutes, and a startupProbe that waits
    for less than the minute that engines take for themselves and the weights, by the model's name, from the fastest
    disks. Servers on processors alone may be of toys.
    """
    stated = release.view.served.get("lifecycle.loadSeconds")
    for server in servers(release):
        startup, liveness = (mapping(server.container.get(one)) for one in ("startupProbe", "livenessProbe"))
        if not server.gpus.any:
            continue
        # Values that state a load time have a rule of their own.
        model = server.model.value if server.model and not stated else ""
        reading = (sized(model, billions(model)) or 0) / FASTEST
        name, least = ("startupProbe", _LEAST + reading) if startup else ("livenessProbe", _USUAL)
        budget = _budget(startup or liveness)
        if budget and budget < least:
            after = (
                "and nothing waits for the model before" if not startup else "and an engine starts no sooner"
            )
            message = f"the {name} ends {server.name} after {budget} s, {after}."
            yield defect(server.owner, f"{server.pointer}/{name}", message)


@rule(
    "LM220",
    severity=ERROR,
    fix="Write enableServiceLinks: false into the pod's spec, or give the Service another name.",
)
def service_link_overwrites(release: Release) -> Iterator[Finding]:
    """For each Service of a namespace Kubernetes puts variables into its pods, NAME_PORT=tcp://… among them.

    A Service that is called like the engine writes a variable that the engine reads itself, and the engine ends.
    """
    objects = graph(release)
    services = {
        (objects.namespace_of(one), one.name.upper().replace("-", "_") + "_PORT"): one
        for one in objects.of_kind(SERVICE)
    }
    for server in servers(release):
        if server.pods.spec.get("enableServiceLinks") is False:
            continue
        for name in mapping(server.engine.server.get("ports")):
            service = services.get((server.pods.namespace, name))
            if service is not None and name not in server.variables:
                title = server.engine.title
                message = f"the Service {service.name} makes {name}=tcp://… in every pod here, and {title} reads it."
                yield defect(server.owner, server.pods.spec_pointer, message)


@rule(
    "LM221",
    severity=WARNING,
    fix="Leave the variable out, and write the flag --port where clients are to find another port.",
)
def variable_is_another_port(release: Release) -> Iterator[Finding]:
    """The engine's own processes talk on this port; one that is the API's is taken when the API begins to listen."""
    for server in servers(release):
        for name, meaning in mapping(server.engine.server.get("ports")).items():
            given = server.variable(name)
            if given and (number(given) is None or number(given) in (server.port, server.engine.port)):
                yield defect(server.owner, server.variables[name][0], f"{name} is {given!r}: {meaning}.")


@dataclass(frozen=True)
class _Asked:
    """What a probe asks its own server for: by httpGet, or by a command such as curl."""

    probe: str
    pointer: str
    port_pointer: str
    path: str
    port: Any
    brings_key: bool


def _asked(server: Server) -> Iterator[_Asked]:
    """The server's probes that ask the server itself over HTTP."""
    for name in _PROBES:
        probe = mapping(server.container.get(name))
        get, at = mapping(probe.get("httpGet")), f"{server.pointer}/{name}"
        if get and not get.get("host"):
            headers = (mapping(one) for one in sequence(get.get("httpHeaders")))
            brings = any(text(one.get("name")).lower() == "authorization" for one in headers)
            path, field = text(get.get("path")), f"{at}/httpGet" + "/path" * bool(get.get("path"))
            yield _Asked(name, field, f"{at}/httpGet/port", path, get.get("port"), brings)
        words = [text(one) for one in sequence(mapping(probe.get("exec")).get("command"))]
        for index, word in enumerate(words):
            if (found := _OWN_URL.search(word)) and any(map(_FETCHES.search, words)):
                field, port = f"{at}/exec/command/{index}", found["port"] or "80"
                brings = any("authorization" in one.lower() for one in words)
                yield _Asked(name, field, field, found["path"] or "/", port, brings)


def _below(path: str, guarded: str) -> bool:
    return path == guarded or path.startswith(f"{guarded}/")


def _number(server: Server, port: Any) -> int | None:
    """The number of a probe's port, which its own container declares."""
    if isinstance(port, str) and not port.isdecimal():
        for one in map(mapping, sequence(server.container.get("ports"))):
            if one.get("name") == port:
                return number(one.get("containerPort"))
        return None
    return number(port)


def _led(server: Server, service: Any, port: dict[str, Any]) -> Iterator[int]:
    for target in target_ports(service, port.get("port")):
        if isinstance(target, str) and target.isdecimal():
            target = int(target)
        yield from ports_named(server.pods, target)


def _alone(server: Server) -> bool:
    """Whether nothing else of the pod may listen."""
    always = [
        one for one in sequence(server.pods.spec.get("initContainers")) if mapping(one).get("restartPolicy")
    ]
    return len(sequence(server.pods.spec.get("containers"))) == 1 and not always


def _budget(probe: dict[str, Any]) -> int:
    """Seconds until a probe gives up; 0 without one."""
    delay, period, failures = (number(probe.get(key, default)) or 0 for key, default in _DEFAULT.items())
    return delay + period * failures if probe else 0
