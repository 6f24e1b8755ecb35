"""Volumes: can every pod that names one have it?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.canary.steps import rolling
from llmops.checks.reading.analysis_runs import number
from llmops.checks.registry import WARNING, defect, graph, rule
from llmops.findings import Finding, InputError
from llmops.kubernetes.kinds import ROLLOUT
from llmops.references import mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_ONE_NODE = ({"ReadWriteOnce"}, {"ReadWriteOncePod"}, {"ReadWriteOnce", "ReadWriteOncePod"})


@rule(
    "LG129",
    severity=WARNING,
    fix="Use a ReadWriteMany claim or a StatefulSet, or update by strategy Recreate.",
)
def rwo_volume_with_surge(release: Release) -> Iterator[Finding]:
    """A ReadWriteOnce volume is attached to one node; a second pod on another node waits for it for ever.

    An update that starts the new pod before the old one has ended does exactly that.
    """
    objects = graph(release)
    for pods in objects.pods:
        together = _pods_together(pods.owner)
        pinned = pods.spec.get("nodeName") or "kubernetes.io/hostname" in mapping(
            pods.spec.get("nodeSelector")
        )
        if together < 2 or pinned:
            continue
        for pointer, name in walk(pods.spec, "/volumes/*/persistentVolumeClaim/claimName"):
            claim = objects.find(("", "PersistentVolumeClaim"), pods.namespace, text(name))
            if claim and set(map(text, sequence(claim.get("/spec/accessModes")))) in _ONE_NODE:
                message = (
                    f"up to {together} pods at once share the claim {claim.name}, which is "
                    f"{text(sequence(claim.get('/spec/accessModes'))[0])}."
                )
                yield defect(pods.owner, f"{pods.spec_pointer}{pointer}", message)


def _pods_together(owner: Object) -> int:
    """The most pods of a Deployment or Rollout at one time; 0 for what does not update by surge."""
    replicas = number(owner.get("/spec/replicas", 1))
    rollout = owner.kind == "Rollout" and owner.group == ROLLOUT[0]
    if not replicas or not (rollout or (owner.group, owner.kind) == ("apps", "Deployment")):
        return 0
    strategy = mapping(owner.get("/spec/strategy"))
    if rollout and ("blueGreen" in strategy or mapping(strategy.get("canary")).get("trafficRouting")):
        return replicas + 1
    if strategy.get("type") == "Recreate":
        return replicas
    try:
        surge, _ = rolling(mapping(strategy.get("canary" if rollout else "rollingUpdate")), replicas)
    except InputError:
        return 0
    return replicas + surge
