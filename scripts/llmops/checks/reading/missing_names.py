"""Whether a name that the release does not hold was meant to be one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from llmops.kubernetes.kinds import Kind
from llmops.references import Graph, Pods, mapping
from llmops.release import Release

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


def there(objects: Graph, kind: Kind, namespace: str) -> list[str]:
    """Names of the objects of a kind in a namespace."""
    return [key[3] for key in objects.nodes if key[:3] == (*kind, namespace)]


def brings(release: Release, objects: Graph, kind: Kind, namespace: str) -> bool:
    """Whether a missing object of a kind would have to be in the release.

    A chart is whole; plain manifests may be a part of something, but not when they bring others of the kind.
    """
    return bool(release.name) or bool(there(objects, kind, namespace))


def runs_pods(release: Release, objects: Graph, namespace: str, selector: Mapping[str, Any]) -> bool:
    """Whether the pods that a selector speaks of would have to be the release's own.

    A chart that runs pods is whole. Of plain manifests some pods have to look like those that are meant. They may
    be somebody else's in kube-system, which many share, and where a custom resource that the selector names has an
    operator who runs them.
    """
    if namespace == "kube-system" and not release.name:
        return False
    wanted = {str(value) for value in mapping(selector.get("matchLabels")).values()}
    for obj in objects.objects:
        operated = "." in obj.group and obj.group not in _NO_PODS and not obj.group.endswith(".k8s.io")
        if (operated or obj.kind in _OPERATED) and any(one in obj.name for one in wanted if one):
            return False
    return bool(objects.pods) if release.name else any(_akin(pods, wanted) for pods in objects.pods)


def _akin(pods: Pods, wanted: set[str]) -> bool:
    """Whether pods look like those that a selector with these values means: by their owner's name or their labels."""
    names = {pods.owner.name, *map(str, pods.labels.values())} - {""}
    return any(SequenceMatcher(None, one, name).ratio() >= _KIN for one in wanted for name in names)


def meant(release: Release, objects: Graph, kind: Kind, namespace: str, name: str) -> str:
    """Why a missing name can only be a mistake, as the end of a sentence; empty when it may be somebody else's.

    Either the release has one that is spelt almost alike, or the name begins with the release's own. Secrets and
    claims are made by hand for a release, under its name.
    """
    alike = [(SequenceMatcher(None, name, one).ratio(), one) for one in there(objects, kind, namespace)]
    ratio, nearest = max(alike, default=(0.0, ""))
    if ratio >= _ALIKE:
        return f"it has {nearest}"
    made_by_hand = kind[1] in ("Secret", "PersistentVolumeClaim")
    if release.name and not made_by_hand and (name == release.name or name.startswith(f"{release.name}-")):
        return "and the name is the release's own"
    return ""
