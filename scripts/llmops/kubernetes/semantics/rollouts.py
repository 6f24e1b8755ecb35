"""Argo Rollouts: what its controller refuses before it acts. No admission says so; it stands in the status then."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import pods
from llmops.kubernetes.semantics.meta import accepts, empty, selector, time
from llmops.kubernetes.semantics.shapes import (
    Check,
    Object,
    Report,
    Struct,
    missing,
    number,
    one_of,
    shown,
    whole,
)
from llmops.kubernetes.semantics.workloads import amount_of, restarts

THEME = "rollout"
TWINS = "services"
"""Of two Services of a Rollout that are one."""
DURATION = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|[+-]?0", re.ASCII)
_ROUTERS_WITH_SERVICES = ("smi", "apisix", "ambassador", "nginx", "appMesh", "traefik")


def as_map(value: Any) -> Object:
    """The value when it is a map, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def _selects(spec: Any, at: str, out: Report) -> None:
    chosen, template = spec.get("selector"), spec.get("template")
    if spec.get("workloadRef") is not None:
        if as_map(template) and any(as_map(template).values()):
            out.add("union", f"{at}/template", "stands beside workloadRef", "Keep one of the two.")
        return
    if not isinstance(chosen, dict):
        missing(out, f"{at}/selector", "selector")
        return
    if empty(chosen):
        out.add("selector", f"{at}/selector", "is empty", "Select the labels of the template.")
        return
    labels = as_map(as_map(as_map(template).get("metadata")).get("labels"))
    try:
        fits = accepts(chosen, labels)
    except (AttributeError, TypeError):
        fits = True
    if not fits:
        where = f"{at}/template/metadata/labels"
        out.add(
            "selector",
            where,
            "are not what spec.selector selects",
            "Give the pods the labels of the selector.",
        )


def _progress(spec: Any, at: str, out: Report) -> None:
    deadline, ready = spec.get("progressDeadlineSeconds"), number(spec.get("minReadySeconds")) or 0
    deadline = 600 if deadline is None else number(deadline)
    if deadline is not None and deadline <= ready:
        said = f"is {deadline}, not more than minReadySeconds {ready}"
        out.add(THEME, f"{at}/progressDeadlineSeconds", said, "Raise it.")


def _zero(value: Any) -> bool:
    given = amount_of(value)
    if given is not None:
        return given[0] == 0
    return isinstance(value, str) and not re.fullmatch(r"[+-]?\d+", value)  # Go reads any other text as 0


def _strategy(spec: Any, at: str, out: Report) -> None:
    strategy = as_map(spec.get("strategy"))
    canary, blue = strategy.get("canary"), strategy.get("blueGreen")
    where = f"{at}/strategy"
    if (canary is not None) == (blue is not None):
        said = "has neither canary nor blueGreen" if canary is None else "has both canary and blueGreen"
        out.add("union", where, said, "Write one of the two.")
    elif isinstance(blue, dict):
        _blue_green(spec, blue, f"{where}/blueGreen", out)
    elif isinstance(canary, dict):
        _canary(canary, f"{where}/canary", out)


def _blue_green(spec: Object, blue: Object, at: str, out: Report) -> None:
    active, preview = blue.get("activeService") or "", blue.get("previewService") or ""
    if active == preview:
        fix = "Write two different Services."
        out.add(TWINS, f"{at}/previewService", f"is {shown(preview)} like activeService", fix)
    history, kept = spec.get("revisionHistoryLimit"), number(blue.get("scaleDownDelayRevisionLimit"))
    history = 10 if history is None else number(history)
    if kept is not None and history is not None and history < kept:
        said = f"is {kept}, more than revisionHistoryLimit {history}"
        out.add(THEME, f"{at}/scaleDownDelayRevisionLimit", said, f"Write at most {history}.")
    _anti_affinity(blue, at, out)


def _anti_affinity(strategy: Object, at: str, out: Report) -> None:
    given = strategy.get("antiAffinity")
    if not isinstance(given, dict):
        return
    where = f"{at}/antiAffinity"
    names = (
        "preferredDuringSchedulingIgnoredDuringExecution",
        "requiredDuringSchedulingIgnoredDuringExecution",
    )
    one_of(*names, theme=THEME)(given, where, out)
    preferred = given.get(names[0])
    if isinstance(preferred, dict):
        weight = preferred.get("weight")
        whole(1, 100, THEME)(0 if weight is None else weight, f"{where}/{names[0]}/weight", out)


def _canary(canary: Object, at: str, out: Report) -> None:
    routing = canary.get("trafficRouting")
    if _zero(canary.get("maxSurge", "25%")) and _zero(canary.get("maxUnavailable", "25%")):
        out.add(THEME, f"{at}/maxSurge", "cannot be 0 beside maxUnavailable 0", "Make one of them 1.")
    _services(canary, routing, at, out)
    if routing is None:
        for name in ("scaleDownDelaySeconds", "dynamicStableScale"):
            if canary.get(name) is not None and canary.get(name) is not False:
                out.add(
                    THEME, f"{at}/{name}", "needs trafficRouting", "Leave it out, or write trafficRouting."
                )
    elif isinstance(routing, dict):
        if canary.get("scaleDownDelaySeconds") is not None and canary.get("dynamicStableScale") is True:
            said = "does not go with scaleDownDelaySeconds"
            out.add(THEME, f"{at}/dynamicStableScale", said, "Leave one of the two out.")
        if (
            routing.get("maxTrafficWeight") is not None
            and routing.get("nginx") is None
            and not routing.get("plugins")
        ):
            out.add(
                THEME,
                f"{at}/trafficRouting/maxTrafficWeight",
                "is only for nginx and plugins",
                "Leave it out.",
            )
    for index, step in enumerate(as_list(canary.get("steps"))):
        if isinstance(step, dict):
            _step(step, routing if isinstance(routing, dict) else None, f"{at}/steps/{index}", out)
    _anti_affinity(canary, at, out)


def _services(canary: Object, routing: Any, at: str, out: Report) -> None:
    stable, new = canary.get("stableService") or "", canary.get("canaryService") or ""
    if stable and stable == new:
        out.add(
            TWINS,
            f"{at}/canaryService",
            f"is {shown(new)} like stableService",
            "Write two different Services.",
        )
    ping = canary.get("pingPong")
    router = as_map(routing)
    if isinstance(ping, dict):
        able = router.get("alb") is not None or router.get("istio") is not None or router.get("plugins")
        if isinstance(routing, dict) and not able:
            out.add(THEME, f"{at}/pingPong", "is only for alb, istio and plugins", "Leave it out.")
        first, second = ping.get("pingService") or "", ping.get("pongService") or ""
        for name, one in (("pingService", first), ("pongService", second)):
            if not one:
                missing(out, f"{at}/pingPong/{name}", THEME)
        if first and first == second:
            out.add(
                THEME,
                f"{at}/pingPong/pongService",
                "is the same as pingService",
                "Write two different Services.",
            )
        if isinstance(router.get("alb"), dict) and not router["alb"].get("rootService"):
            missing(out, f"{at}/trafficRouting/alb/rootService", THEME)
    plain = ping is None
    needs = any(router.get(name) is not None for name in _ROUTERS_WITH_SERVICES)
    needs |= plain and router.get("alb") is not None
    needs |= (
        plain and isinstance(router.get("istio"), dict) and router["istio"].get("destinationRule") is None
    )
    for name, one in (("stableService", stable), ("canaryService", new)):
        if needs and not one:
            out.add(
                THEME, f"{at}/{name}", "is missing, but the traffic router steers Services", f"Write {name}."
            )


_STEPS = (
    "setWeight",
    "pause",
    "experiment",
    "analysis",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
    "plugin",
)


def _step(step: Object, routing: Object | None, at: str, out: Report) -> None:
    given = [name for name in _STEPS if step.get(name) is not None]
    if not given:
        out.add("union", at, f"needs one of {', '.join(_STEPS)}", "Write one of them, or leave the step out.")
    several = [name for name in given if name in _STEPS[:4]]
    if len(several) > 1:
        out.add("union", f"{at}/{several[1]}", f"stands beside {several[0]} in one step", "Write two steps.")
    most = number((routing or {}).get("maxTrafficWeight")) or 100
    whole(0, most, THEME)(step.get("setWeight"), f"{at}/setWeight", out)
    pause = as_map(step.get("pause")).get("duration")
    if _negative(pause):
        out.add(
            THEME, f"{at}/pause/duration", f"is {shown(pause)}, no duration", "Write it as 5m, or as seconds."
        )
    if step.get("setCanaryScale") is not None and routing is None:
        out.add(
            THEME,
            f"{at}/setCanaryScale",
            "needs trafficRouting",
            "Leave the step out, or write trafficRouting.",
        )
    _route_steps(step, routing, at, out)
    _experiment(step, routing, at, out)


def _negative(duration: Any) -> bool:
    """Whether the controller reads a pause as less than nothing, which unreadable texts are to it."""
    if isinstance(duration, str) and duration:
        if re.fullmatch(r"[+-]?\d+", duration):
            return int(duration) < 0
        return not DURATION.fullmatch(duration) or (duration.startswith("-") and _seconds(duration) >= 1)
    return (number(duration) or 0) < 0


def _seconds(text: str) -> float:
    units = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
    return sum(float(one) * units[unit] for one, unit in re.findall(r"([\d.]+)(ns|us|µs|μs|ms|s|m|h)", text))


def _route_steps(step: Object, routing: Object | None, at: str, out: Report) -> None:
    router = routing or {}
    for name, routers in (
        ("setHeaderRoute", ("istio", "alb", "apisix", "plugins")),
        ("setMirrorRoute", ("istio", "plugins")),
    ):
        route = step.get(name)
        if not isinstance(route, dict):
            continue
        if not any((router.get(one) is not None and router.get(one) != {}) or (one in ("istio", "alb", "apisix")
                   and router.get(one) == {}) for one in routers):  # fmt: skip
            listed = ", ".join(routers)
            out.add(THEME, f"{at}/{name}", f"needs trafficRouting by {listed}", "Leave the step out.")
        elif name == "setHeaderRoute":
            for index, match in enumerate(as_list(route.get("match"))):
                _header(
                    as_map(match).get("headerValue"),
                    router.get("alb") is not None,
                    f"{at}/{name}/match/{index}",
                    out,
                )
        if name == "setMirrorRoute":
            for index, match in enumerate(as_list(route.get("match"))):
                for field in ("method", "path"):
                    if as_map(match).get(field) is not None:
                        _header(match[field], False, f"{at}/{name}/match/{index}/{field}", out)
        if routing is not None:
            managed = [as_map(one).get("name") or "" for one in as_list(router.get("managedRoutes"))]
            if (route.get("name") or "") not in managed:
                said = f"is {shown(route.get('name'))}, which trafficRouting.managedRoutes does not list"
                out.add(THEME, f"{at}/{name}/name", said, "Add it to managedRoutes.")


def _header(match: Any, exact_only: bool, at: str, out: Report) -> None:
    given = [name for name in ("exact", "regex", "prefix") if as_map(match).get(name)]
    if exact_only and given != ["exact"]:
        out.add(THEME, at, "must match an exact value with alb", "Write exact.")
    elif len(given) != 1:
        out.add("union", at, "needs one of exact, regex and prefix", "Write one of them.")


def _experiment(step: Object, routing: Object | None, at: str, out: Report) -> None:
    able = any((routing or {}).get(name) is not None for name in ("alb", "smi", "istio")) or (
        routing or {}
    ).get("plugins")
    for index, template in enumerate(as_list(as_map(step.get("experiment")).get("templates"))):
        if as_map(template).get("weight") is not None and not able:
            where = f"{at}/experiment/templates/{index}/weight"
            out.add(THEME, where, "needs trafficRouting by alb, smi, istio or plugins", "Leave weight out.")


def _template_needed(spec: Any, at: str, out: Report) -> None:
    if spec.get("workloadRef") is None and not isinstance(spec.get("template"), dict):
        missing(out, f"{at}/template", "workload")


_ENVIRONMENT = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*", re.ASCII)


def _older_library(template: Object, at: str, out: Report) -> None:
    """The controller's library is older than the API server: it takes fewer names, and looks at more fields."""
    for group in ("containers", "initContainers"):
        for index, one in enumerate(as_list(as_map(template.get("spec")).get(group))):
            lifecycle = as_map(as_map(one).get("lifecycle"))
            if lifecycle.get("stopSignal") and not as_map(as_map(template.get("spec")).get("os")).get("name"):
                where = f"{at}/{group}/{index}/lifecycle/stopSignal"
                out.add("probe", where, "needs spec.os.name", "Write os: {name: linux}.")
            for place, variable in enumerate(as_list(as_map(one).get("env"))):
                name = as_map(variable).get("name")
                if isinstance(name, str) and name and not _ENVIRONMENT.fullmatch(name):
                    said = f"is {shown(name)}, which the Rollouts controller refuses"
                    fix = "Write letters, digits, '_', '-' and '.', no digit first."
                    out.add("environment", f"{at}/{group}/{index}/env/{place}/name", said, fix)


def _own_template(spec: Any, at: str, out: Report) -> None:
    if spec.get("workloadRef") is None and isinstance(spec.get("template"), dict):
        found = Report(out.minor)
        pods.template(spec["template"], f"{at}/template", found)
        restarts("Always")(spec, at, found)
        _older_library(spec["template"], f"{at}/template/spec", found)
        out.problems += found.problems


rollout: Check = Struct(
    {
        "spec": Struct(
            {
                "selector": selector,
                "restartAt": time,
                **dict.fromkeys(
                    ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"),
                    whole(0, 2**31 - 1, THEME),
                ),
            },
            _template_needed,
            _own_template,
            _selects,
            _progress,
            _strategy,
        )
    }
)
