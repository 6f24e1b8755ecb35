"""Argo CD's Applications and ApplicationSets: what they say, held against how Argo CD reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.wording import closest
from llmops.references import mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_APPLICATION = ("argoproj.io", "Application")
_SET = ("argoproj.io", "ApplicationSet")
# Where the spec of an Application stands.
_SPECS = ((_APPLICATION, "/spec"), (_SET, "/spec/template/spec"))
_GO = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.S)
_FIELD = re.compile(r"^\.([A-Za-z_][\w.]*)$")
_PLAIN = re.compile(r"^[A-Za-z_][\w.\-\[\]]*$")
_FUNCTIONS = (
    "end",
    "else",
    "if",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "nil",
    "true",
)
# Groups of kinds that are ignored in comparisons most, as people confuse them.
_GROUPS = {
    "Deployment": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "Rollout": "argoproj.io", "Service": "",
    "Secret": "", "ConfigMap": "", "HorizontalPodAutoscaler": "autoscaling", "HTTPRoute": "gateway.networking.k8s.io",
    "TraefikService": "traefik.io", "IngressRoute": "traefik.io", "VirtualService": "networking.istio.io",
    "ScaledObject": "keda.sh", "PrometheusRule": "monitoring.coreos.com", "CronJob": "batch", "Job": "batch",
    "Ingress": "networking.k8s.io", "ValidatingWebhookConfiguration": "admissionregistration.k8s.io",
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io", "CustomResourceDefinition": "apiextensions.k8s.io",
}  # fmt: skip
_OPTIONS = (
    "ApplyOutOfSyncOnly", "ClientSideApplyMigration", "CreateNamespace", "Delete", "FailOnSharedResource", "Force",
    "DisableClientSideApplyMigration", "Prune", "PruneLast", "PrunePropagationPolicy", "Replace",
    "RespectIgnoreDifferences",
    "ServerSideApply", "ServerSideDiff", "SkipDryRunOnMissingResource", "Validate",
)  # fmt: skip


@rule("LG136", severity=ERROR, fix="Write goTemplate: true and {{ .name }}, or without it {{name}}.")
def parameter_unresolved(release: Release) -> Iterator[Finding]:
    """Braces that the chosen kind of template does not know stay as they are, or end the whole ApplicationSet.

    Without goTemplate only {{name}} is replaced; with it a name needs a dot, and one that no generator gives is an
    error or the text <no value>. Generators whose parameters stand in files or clusters are not asked for names.
    """
    for one in graph(release).of_kind(_SET):
        go = one.get("/spec/goTemplate") is True
        known = _parameters(one, go)
        for pointer, written in _texts(one.get("/spec/template"), "/spec/template"):
            if message := _unresolved(written, go, known):
                yield defect(one, pointer, message)


@rule("LG137", severity=ERROR, fix="Write $REF/… with the `ref` of a source of this Application.")
def values_of_no_source(release: Release) -> Iterator[Finding]:
    """$values/… takes a file from the source whose `ref` is values; without one the Application stays in an error."""
    for obj, at, spec in _applications(release):
        sources = [mapping(one) for one in sequence(spec.get("sources"))]
        refs = {text(one.get("ref")) for one in sources} - {""}
        for pointer, source in (*walk(spec, "/source"), *walk(spec, "/sources/*")):
            for index, name in enumerate(sequence(mapping(mapping(source).get("helm")).get("valueFiles"))):
                ref = re.match(r"\$([A-Za-z][\w-]*)(?:/|$)", text(name))
                if ref and ref[1] not in refs:
                    message = (
                        f"{name} is of a source with ref {ref[1]}, and none has it{closest(ref[1], refs)}."
                    )
                    yield defect(obj, f"{at}{pointer}/helm/valueFiles/{index}", message)


@rule("LG138", severity=ERROR, fix="Write one of the two forms that Argo CD reads.")
def application_refused(release: Release) -> Iterator[Finding]:
    """What Argo CD refuses or does not understand in an Application: no sync, or one that ignores what was meant."""
    for obj, at, spec in _applications(release):
        for pointer, message, fix in _wrong(spec):
            yield defect(obj, f"{at}{pointer}", message, fix=fix)


@rule("LG139", severity=ERROR, fix="Write the group of the kind, such as argoproj.io for a Rollout.")
def ignored_kind_unknown(release: Release) -> Iterator[Finding]:
    """ignoreDifferences of a kind under another group ignores nothing: each sync sets the controller's fields back."""
    for obj, at, spec in _applications(release):
        for index, one in enumerate(map(mapping, sequence(spec.get("ignoreDifferences")))):
            kind, group = text(one.get("kind")), text(one.get("group"))
            right = _GROUPS.get(kind)
            if right is not None and group != right and group != "*":
                message = (
                    f"a {kind} is of group {right or 'nothing (the core)'}, not of {group or 'nothing'}."
                )
                yield defect(obj, f"{at}/ignoreDifferences/{index}", message)


def _applications(release: Release) -> Iterator[tuple[Object, str, dict[str, Any]]]:
    for kind, at in _SPECS:
        for obj in graph(release).of_kind(kind):
            yield obj, at, mapping(obj.get(at))


def _wrong(spec: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(pointer, message, what to write) of each contradiction."""
    destination = mapping(spec.get("destination"))
    if destination.get("server") and destination.get("name"):
        yield (
            "/destination",
            "it has server and name, and Argo CD takes one of them.",
            "Write server or name, not both.",
        )
    for index, option in enumerate(sequence(mapping(spec.get("syncPolicy")).get("syncOptions"))):
        at, (name, equals, _) = f"/syncPolicy/syncOptions/{index}", text(option).partition("=")
        if name and not equals:
            yield at, f"{name} says neither true nor false, so it does nothing.", f"Write {name}=true."
        elif name not in _OPTIONS and "{{" not in name:
            yield (
                at,
                f"there is no option {name}{closest(name, _OPTIONS)}.",
                "Write an option that Argo CD has.",
            )
    for pointer, source in (*walk(spec, "/source"), *walk(spec, "/sources/*")):
        one = mapping(source)
        url = text(one.get("repoURL"))
        if url.startswith("oci://") and one.get("chart"):
            plain = url.removeprefix("oci://")
            fix = f"Write repoURL: {plain} beside chart, or {url}/{one['chart']} with path: . and no chart."
            yield f"{pointer}/repoURL", f"{url} is no repository of Helm charts to Argo CD.", fix
        if one.get("chart") and one.get("path"):
            yield (
                pointer,
                "it has chart and path.",
                "Write chart for a repository of charts, path for one of Git.",
            )
    if spec.get("source") and spec.get("sources"):
        yield "/source", "it stands beside sources, and is not read then.", "Move it into sources."


def _unresolved(written: str, go: bool, known: frozenset[str] | None) -> str:
    """What is wrong with the placeholders of a text; empty for nothing."""
    for inner in _GO.findall(written):
        if not go:
            if not _PLAIN.match(inner):
                return f"{{{{ {inner} }}}} stays as it is, since goTemplate is not set."
            name = inner
        else:
            if _PLAIN.match(inner) and inner.partition(".")[0] not in _FUNCTIONS:
                return f"{{{{ {inner} }}}} is a function to Go; a parameter has a dot before it."
            field = _FIELD.match(inner)
            name = field[1] if field else ""
        if known is not None and name and name.partition(".")[0].partition("[")[0] not in known:
            return f"no generator gives {name}{closest(name, known)}."
    return ""


def _parameters(one: Object, go: bool) -> frozenset[str] | None:
    """First parts of the parameters that the generators give; None where files, clusters or plugins say them."""
    found: set[str] = set()
    for generator in map(mapping, sequence(one.get("/spec/generators"))):
        kinds = set(generator) - {"selector"}
        git, listed = mapping(generator.get("git")), generator.get("list")
        if kinds == {"git"} and git.get("directories") is not None and not git.get("pathParamPrefix"):
            found |= {"path", "values"}
        elif kinds == {"list"} and isinstance(listed, dict) and not listed.get("elementsYaml"):
            found |= {key for each in sequence(listed.get("elements")) for key in mapping(each)}
            found |= (
                set()
                if go
                else {
                    f"values.{key}"
                    for each in sequence(listed.get("elements"))
                    for key in mapping(mapping(each).get("values"))
                }
            )
        else:
            return None
    return frozenset(found) if found else None


def _texts(node: Any, at: str) -> Iterator[tuple[str, str]]:
    """(pointer, text) of every text with braces, however deep."""
    if isinstance(node, str):
        if "{{" in node:
            yield at, node
    elif isinstance(node, list):
        for index, below in enumerate(node):
            yield from _texts(below, f"{at}/{index}")
    elif isinstance(node, dict):
        for key, below in node.items():
            yield from _texts(below, f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}")
