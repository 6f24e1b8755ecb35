"""Steps and weights of a canary that go another way than they were meant to."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import number, runs
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import HTTP_ROUTE, ROLLOUT, TRAEFIK_SERVICE, VIRTUAL_SERVICE
from llmops.references import mapping, sequence, text, walk
from llmops.release import Release

_CANARY = "/spec/strategy/canary"
# Of each router: the backends with a weight, and where a backend says its Service.
_WEIGHTED = {
    TRAEFIK_SERVICE: ("/spec/weighted/services/*", "name"),
    HTTP_ROUTE: ("/spec/rules/*/backendRefs/*", "name"),
    VIRTUAL_SERVICE: ("/spec/http/*/route/*", "destination/host"),
}


@rule("LR110", severity=WARNING, fix="Write the weights in rising order.")
def weights_fall(release: Release) -> Iterator[Finding]:
    """A weight below the one before takes users back from a version that has just passed with more of them.

    What the later step measures was measured already. A step down to 0 is a pause without traffic, and is left alone.
    """
    for rollout in graph(release).of_kind(ROLLOUT):
        previous = 0
        for index, step in enumerate(sequence(rollout.get(f"{_CANARY}/steps"))):
            weight = number(mapping(step).get("setWeight"))
            if weight is None:
                continue
            if 0 < weight < previous:
                message = f"setWeight {weight} comes after setWeight {previous}."
                yield defect(rollout, f"{_CANARY}/steps/{index}/setWeight", message)
            previous = weight


@rule("LR111", severity=ERROR, fix="Name an AnalysisTemplate, or leave the analysis out.")
def analysis_without_template(release: Release) -> Iterator[Finding]:
    """An analysis that names no template measures nothing, so the version behind it is not judged."""
    for run in runs(graph(release)):
        # An Experiment's analysis names its template itself, which its schema asks for.
        if not run.uses and run.owner.get(run.pointer) is not None and run.when != "experiment":
            yield defect(run.owner, run.pointer, f"the {run.when} analysis names no template.")


@rule(
    "LR112",
    severity=WARNING,
    fix="Leave the weights out, or write 100 for the stable Service and 0 for the canary's.",
)
def weight_beside_rollout(release: Release) -> Iterator[Finding]:
    """The Rollouts controller writes the weights of its route. A manifest that gives the canary a part of the traffic
    does so at every apply, until the controller looks again: outside an update to nobody, inside one past its gate.

    Traefik takes a backend without a weight for one with weight 1.
    """
    objects = graph(release)
    for rollout in objects.of_kind(ROLLOUT):
        canary = mapping(rollout.get(_CANARY))
        stable, new = text(canary.get("stableService")), text(canary.get("canaryService"))
        for edge in objects.edges_of(rollout, f"{_CANARY}/trafficRouting"):
            route = edge.target
            places, key = _WEIGHTED.get(edge.kind, ("", ""))
            if route is None or not (stable and new and places):
                continue
            for pointer, backend in walk(route.data, places):
                name, weight = text(route.get(f"{pointer}/{key}")), number(mapping(backend).get("weight"))
                usual = {stable: 100, new: 0}.get(name.partition(".")[0])
                only_canary = edge.kind != TRAEFIK_SERVICE and name.partition(".")[0] != new
                if weight is not None and usual is not None and weight != usual and not only_canary:
                    message = (
                        f"{name} has weight {weight}, and Rollout {rollout.name} steers this {route.kind}."
                    )
                    yield defect(route, f"{pointer}/weight", message)
