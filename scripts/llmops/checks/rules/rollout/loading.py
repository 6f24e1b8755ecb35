"""The time that a model is known to need, held against the time that its pods are given."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import number
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.checks.rules.rollout.timing import startup_budget
from llmops.findings import Finding
from llmops.release import Release

_ENGINE = "engine"


@rule(
    "LR109",
    severity=ERROR,
    fix="Raise failureThreshold or periodSeconds of the startupProbe beyond lifecycle.loadSeconds.",
)
def startup_below_load(release: Release) -> Iterator[Finding]:
    """A model that needs longer to load than its startupProbe waits is killed before its first answer, again and again.

    What it needs is lifecycle.loadSeconds of the values; the container is the one named engine.
    """
    load = number(release.view.served.get("lifecycle.loadSeconds"))
    for pods in graph(release).pods:
        for pointer, container in pods.containers():
            budget = startup_budget(container)
            if load and container.get("name") == _ENGINE and 0 < budget < load:
                message = (
                    f"the startupProbe waits {budget} s, and loading takes {load} s (lifecycle.loadSeconds)."
                )
                yield defect(pods.owner, f"{pointer}/startupProbe", message)
