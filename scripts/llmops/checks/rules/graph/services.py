"""Services: do they reach pods, at ports that are there?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.backends import pods_behind, port_names, selector_of
from llmops.checks.reading.missing_names import runs_pods
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE
from llmops.kubernetes.wording import closest
from llmops.references import walk
from llmops.release import Release


@rule("LG127", severity=ERROR, fix="Set spec.selector to labels that a pod template in {namespace} carries.")
def dangling_service(release: Release) -> Iterator[Finding]:
    """A Service whose selector matches no pod answers no request.

    Judged are Services of a release that runs pods; those of plain manifests may select pods of another file.
    """
    objects = graph(release)
    for service in objects.of_kind(SERVICE):
        selector = selector_of(service)
        if not selector or pods_behind(objects, service):
            continue
        if runs_pods(release, objects, objects.namespace_of(service), {"matchLabels": selector}):
            labels = ", ".join(f"{key}={value}" for key, value in selector.items())
            yield defect(service, "/spec/selector", f"no pod template carries the labels {labels}.")


@rule(
    "LG128",
    severity=ERROR,
    fix="Name a port that a container of the selected pods declares, or write its number.",
)
def service_port_unnamed_target(release: Release) -> Iterator[Finding]:
    """A Service port whose targetPort is a name that no selected pod declares has no endpoint.

    A number needs no declaration: it reaches the pod either way.
    """
    objects = graph(release)
    for service in objects.of_kind(SERVICE):
        selected = pods_behind(objects, service)
        for pointer, target in walk(service.data, "/spec/ports/*/targetPort"):
            if not selected or not isinstance(target, str):
                continue
            # Nearly always the first pods have the port; all names are for the sentence.
            if not any(target in port_names(pods) for pods in selected):
                names = {name for pods in selected for name in port_names(pods)}
                message = (
                    f"no container of the selected pods has a port named {target!r}{closest(target, names)}."
                )
                yield defect(service, pointer, message)
