"""Times that have to fit into one another: starting, ending, and what a request may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.canary.steps import seconds
from llmops.checks.reading.analysis_runs import metrics, number, runs
from llmops.checks.reading.ending import drained, grace_period, slept
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding, InputError
from llmops.kubernetes.kinds import HTTP_ROUTE, ROLLOUT, VIRTUAL_SERVICE
from llmops.references import Graph, Pods, mapping, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_DEADLINE, _DELAY = 600, 30
_PROGRESSING = (ROLLOUT, ("apps", "Deployment"))
_ROUTES = ((HTTP_ROUTE, "/spec/rules/*", "timeouts/request"), (VIRTUAL_SERVICE, "/spec/http/*", "timeout"))


@rule(
    "LR116",
    severity=ERROR,
    fix="Write a progressDeadlineSeconds beyond the start-up budget and the image pull.",
)
def deadline_below_startup(release: Release) -> Iterator[Finding]:
    """A pod that is still loading makes no progress; a deadline below its start-up budget calls that a failure.

    The budget is what the startupProbe allows. Without progressDeadlineSeconds the deadline is 600 s.
    """
    objects = graph(release)
    for owner in objects.of_kind(*_PROGRESSING):
        for pods in objects.pods_of(owner):
            budget, where = max(((startup_budget(one), at) for at, one in pods.containers()), default=(0, ""))
            stated = owner.get("/spec/progressDeadlineSeconds")
            deadline = _DEADLINE if stated is None else number(stated)
            if deadline is not None and budget >= deadline:
                name = text(mapping(pods.owner.get(where)).get("name"))
                message = f"the container {name} may take {budget} s to start, the deadline is {deadline} s."
                yield defect(owner, "/spec" if stated is None else "/spec/progressDeadlineSeconds", message)


@rule(
    "LR117",
    severity=WARNING,
    fix="Write a progressDeadlineSeconds beyond the start-up budget and the tests together.",
)
def deadline_below_tests(release: Release) -> Iterator[Finding]:
    """In an analysis before the turn of blue-green the deadline's clock goes on; in a canary's step it stands still.

    With progressDeadlineAbort a good version is stopped while it is tested. Counted is what a Job may take, its
    activeDeadlineSeconds, after the start-up budget of the pods.
    """
    objects = graph(release)
    for run in runs(objects):
        owner = run.owner
        if (
            not run.pointer.endswith("/prePromotionAnalysis")
            or owner.get("/spec/progressDeadlineAbort") is not True
        ):
            continue
        jobs = [mapping(one.settings.get("spec")) for one in metrics(run.templates) if one.provider == "job"]
        longest = max((number(one.get("activeDeadlineSeconds")) or 0 for one in jobs), default=0)
        starting = [startup_budget(one) for pods in objects.pods_of(owner) for _, one in pods.containers()]
        budget, stated = max(starting, default=0), owner.get("/spec/progressDeadlineSeconds")
        deadline = _DEADLINE if stated is None else number(stated)
        if longest and deadline is not None and budget + longest > deadline:
            message = f"servers may take {budget} s to start and their tests {longest} s, the deadline is {deadline} s."
            yield defect(owner, "/spec" if stated is None else "/spec/progressDeadlineSeconds", message)


@rule(
    "LR118",
    severity=ERROR,
    fix="Write a terminationGracePeriodSeconds beyond preStop and --shutdown-timeout together.",
)
def grace_too_short(release: Release) -> Iterator[Finding]:
    """The grace period begins before preStop: what is left when it returns is all that running requests get.

    Counted are a preStop that sleeps, and the time that the engine waits for its streams (--shutdown-timeout).
    """
    for pods in graph(release).pods:
        for _, container in pods.containers():
            sleep, drain = slept(container), drained(container)
            grace = grace_period(pods)
            short = sleep + drain > grace if drain else sleep >= grace
            if (sleep or drain) and short:
                parts = [f"preStop {sleep:g} s"] * bool(sleep) + [f"--shutdown-timeout {drain} s"] * bool(
                    drain
                )
                message = f"the grace period is {grace:g} s, {text(container.get('name'))} has {' and '.join(parts)}."
                stated = pods.spec.get("terminationGracePeriodSeconds") is not None
                pointer = pods.spec_pointer + "/terminationGracePeriodSeconds" * stated
                yield defect(pods.owner, pointer, message)


@rule(
    "LR119",
    severity=WARNING,
    fix="Write a longer scaleDownDelaySeconds or grace period, or a shorter timeout in the route.",
)
def scale_down_before_streams_end(release: Release) -> Iterator[Finding]:
    """The old version ends scaleDownDelaySeconds after traffic left it, and a grace period later it is killed.

    A request that the route allows to take longer than both is cut in the middle of its answer.
    """
    objects = graph(release)
    for rollout in objects.of_kind(ROLLOUT):
        lasts = [_delay(rollout) + _ends_within(pods) for pods in objects.pods_of(rollout)]
        for route, pointer, longest in _timeouts(objects, rollout):
            if lasts and longest > min(lasts):
                message = (
                    f"a request may take {longest:g} s, the old pods of Rollout {rollout.name} are gone "
                    f"{min(lasts):g} s after the traffic."
                )
                yield defect(route, pointer, message)


def startup_budget(container: dict[str, Any]) -> int:
    """Seconds that the startupProbe gives a container; 0 without one."""
    probe = mapping(container.get("startupProbe"))
    if not probe:
        return 0
    delay, period, failures = (
        number(probe.get(key, default))
        for key, default in (("initialDelaySeconds", 0), ("periodSeconds", 10), ("failureThreshold", 3))
    )
    return (delay or 0) + (period or 0) * (failures or 0)


def _ends_within(pods: Pods) -> float:
    """Seconds from the order to end until a pod is gone: its grace, or less where the engine says so."""
    ends = [slept(one) + drained(one) for _, one in pods.containers() if drained(one)]
    return min([grace_period(pods), *ends])


def _delay(rollout: Object) -> float:
    """Seconds that pods of the old version stay after their traffic has gone; none where weights are pods."""
    for strategy in ("canary", "blueGreen"):
        spec = mapping(rollout.get(f"/spec/strategy/{strategy}"))
        if spec.get("dynamicStableScale") or (strategy == "canary" and not spec.get("trafficRouting")):
            continue
        if spec:
            stated = number(spec.get("scaleDownDelaySeconds"))
            return float(_DELAY if stated is None else stated)
    return 0.0


def _timeouts(objects: Graph, rollout: Object) -> Iterator[tuple[Object, str, float]]:
    """Routes to the Services of a Rollout that say how long a request may take."""
    services = {edge.name for edge in objects.edges_of(rollout) if edge.kind == ("", "Service")}
    limited = objects.derived(_limited)
    found = {
        (id(route), pointer): (route, pointer, longest)
        for name in sorted(services)
        for route, pointer, longest in limited.get((objects.namespace_of(rollout), name), ())
    }
    yield from found.values()


def _limited(objects: Graph) -> dict[tuple[str, str], list[tuple[Object, str, float]]]:
    """Of each Service, by namespace and name, the routes that say how long a request to it may take."""
    found: dict[tuple[str, str], list[tuple[Object, str, float]]] = {}
    for kind, rules, key in _ROUTES:
        for route in objects.of_kind(kind):
            for pointer, _ in walk(route.data, rules):
                stated = route.get(f"{pointer}/{key}")
                try:
                    longest = seconds(stated) if isinstance(stated, str) else None
                except InputError:
                    continue
                for name in dict.fromkeys(edge.name for edge in objects.edges_of(route, pointer)):
                    if longest:
                        place = (objects.namespace_of(route), name)
                        found.setdefault(place, []).append((route, f"{pointer}/{key}", longest))
    return found
