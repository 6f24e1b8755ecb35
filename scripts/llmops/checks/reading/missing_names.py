"""Whether a name that the release does not hold was meant to be one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from llmops.kubernetes.kinds import Kind
from llmops.kubernetes.suggestions import neighbours
from llmops.references import Graph, mapping
from llmops.release import Release
from llmops.render.manifest import Object

_ALIKE, _KIN = 0.85, 0.6
# Custom resources that no operator turns into pods, or whose pods are known here.
_NO_PODS = (
    "argoproj.io",
    "cert-manager.io",
    "external-secrets.io",
    "keda.sh",
    "monitoring.coreos.com",
    "networking.istio.io",
    "security.istio.io",
    "traefik.io",
)
_OPERATED = ("Alertmanager", "Prometheus", "PrometheusAgent", "ThanosRuler")


def names_of(objects: Graph, kind: Kind, namespace: str) -> list[str]:
    """Names of the objects of a kind in a namespace, sorted."""
    return objects.names(kind, namespace)


def must_hold(release: Release, objects: Graph, kind: Kind, namespace: str) -> bool:
    """Whether a missing object of a kind would have to be in the release.

    A chart is whole; plain manifests may be a part of something, but not when they bring others of the kind.
    """
    return bool(release.name) or bool(names_of(objects, kind, namespace))


def runs_pods(release: Release, objects: Graph, namespace: str, selector: Mapping[str, Any]) -> bool:
    """Whether the pods that a selector speaks of would have to be the release's own.

    A chart that runs pods is whole. Of plain manifests some pods have to look like those that are meant. They may
    be somebody else's in kube-system, which many share, and where a custom resource that the selector names has an
    operator who runs them.
    """
    if namespace == "kube-system" and not release.name:
        return False
    wanted = {str(value) for value in mapping(selector.get("matchLabels")).values()}
    operated = objects.derived(_operated)
    if any(one in name for one in wanted if one for name in operated):
        return False
    return bool(objects.pods) if release.name else any(_akin(one, objects.derived(_called)) for one in wanted)


def _operated(objects: Graph) -> list[str]:
    """Names of the custom resources whose operator runs pods."""
    return [obj.name for obj in objects.objects if _runs_others(obj)]


def _runs_others(obj: Object) -> bool:
    operated = "." in obj.group and obj.group not in _NO_PODS and not obj.group.endswith(".k8s.io")
    return operated or obj.kind in _OPERATED


def _called(objects: Graph) -> list[str]:
    """What the pods of the release are called: by their owners' names and their labels, sorted."""
    names = {name for pods in objects.pods for name in (pods.owner.name, *map(str, pods.labels.values()))}
    return sorted(names - {""})


def _akin(wanted: str, called: list[str]) -> bool:
    """Whether some pods look like those that a selector with this value means."""
    near = neighbours(wanted, called)
    return wanted in near or any(SequenceMatcher(None, wanted, name).ratio() >= _KIN for name in near)


def why_own(release: Release, objects: Graph, kind: Kind, namespace: str, name: str) -> str:
    """Why a missing name can only be a mistake, as the end of a sentence; empty when it may be somebody else's.

    Either the release has one that is spelt almost alike, or the name begins with the release's own. Secrets and
    claims are made by hand for a release, under its name.
    """
    near = neighbours(name, names_of(objects, kind, namespace))
    alike = [(SequenceMatcher(None, name, one).ratio(), one) for one in near]
    ratio, nearest = max(alike, default=(0.0, ""))
    if ratio >= _ALIKE:
        return f"it has {nearest}"
    made_by_hand = kind[1] in ("Secret", "PersistentVolumeClaim")
    if release.name and not made_by_hand and (name == release.name or name.startswith(f"{release.name}-")):
        return "and the name is the release's own"
    return ""
