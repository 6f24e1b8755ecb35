"""Port, key and paths of a server, held against who asks it: its own probes, Services, and Kubernetes' variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.analysis_runs import number
from llmops.checks.reading.backends import ports_named, selector_of, target_ports
from llmops.checks.reading.servers import Server, behind, servers
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE
from llmops.references import mapping, sequence, text
from llmops.release import Release

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_DEFAULT = {"initialDelaySeconds": 0, "periodSeconds": 10, "failureThreshold": 3}
# Imports, compilation and CUDA graphs take an engine longer than the first, weights of any size than the second.
_LEAST, _USUAL = 60, 600


@rule("LM216", severity=ERROR, fix="Let the probe ask /health, which needs no key.")
def probe_needs_key(release: Release) -> Iterator[Finding]:
    """An engine that has a key answers 401 to a probe that brings none: the pod is never ready, or killed for ever."""
    for server in servers(release):
        guarded = text(mapping(server.engine.server.get("key")).get("guards"))
        for name, get in _asked(server):
            path, headers = text(get.get("path")), [mapping(one) for one in sequence(get.get("httpHeaders"))]
            brings = any(text(one.get("name")).lower() == "authorization" for one in headers)
            if guarded and server.wants_key and _below(path, guarded) and not brings:
                message = f"the {name} of {server.name} asks {path} without the key that the engine wants."
                at = f"{server.pointer}/{name}/httpGet/path"
                yield defect(
                    server.owner, at, message, fix=f"Write path: {server.engine.health}, which needs no key."
                )


@rule("LM217", severity=ERROR, fix="Write the path that the engine answers probes on.")
def probe_path_unknown(release: Release) -> Iterator[Finding]:
    """A path that the engine does not have answers 404, which no probe takes for well."""
    for server in servers(release):
        known = [text(one) for one in sequence(server.engine.server.get("answers"))]
        extended = server.flag("--root-path", "--middleware")
        for name, get in _asked(server):
            path = text(get.get("path")).partition("?")[0] or "/"
            if known and not extended and path not in known and "{{" not in path:
                message = (
                    f"the {name} of {server.name} asks {path}, which {server.engine.title} does not have."
                )
                at = f"{server.pointer}/{name}/httpGet" + "/path" * bool(get.get("path"))
                yield defect(server.owner, at, message, fix=f"Write path: {server.engine.health}.")


@rule("LM218", severity=ERROR, fix="Write the engine's --port here, or this port as its --port.")
def port_differs(release: Release) -> Iterator[Finding]:
    """A port on which the engine does not listen refuses every connection: probes fail, and requests get 502 or 503.

    Judged are ports that lead to a pod of one container, and probes of the server's own container.
    """
    objects = graph(release)
    for server in servers(release):
        port = server.port
        for name, get in _asked(server) if port else ():
            asked = _number(server, get.get("port"))
            if asked is not None and asked != port:
                message = f"the {name} of {server.name} asks port {asked}, and the engine listens on {port}."
                yield defect(server.owner, f"{server.pointer}/{name}/httpGet/port", message)
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
    for less than the minute that engines take for themselves. Servers on processors alone may be of toys.
    """
    for server in servers(release):
        startup, liveness = (mapping(server.container.get(one)) for one in ("startupProbe", "livenessProbe"))
        if not server.gpus.any:
            continue
        name, least = ("startupProbe", _LEAST) if startup else ("livenessProbe", _USUAL)
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


def _asked(server: Server) -> Iterator[tuple[str, dict[str, Any]]]:
    """(probe, httpGet) of the server's probes that ask the server itself."""
    for name in _PROBES:
        get = mapping(mapping(server.container.get(name)).get("httpGet"))
        if get and not get.get("host"):
            yield name, get


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
