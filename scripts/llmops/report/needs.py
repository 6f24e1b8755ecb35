"""What a release takes from its cluster and does not bring: Secrets, claims, images, APIs, GPUs, hosts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from llmops.capacity import gpu_products
from llmops.checks.registry import graph
from llmops.findings import InputError
from llmops.kubernetes.schema import kinds
from llmops.references import Reference, mapping, text, unescaped
from llmops.release import Release

_MADE_BY_HAND = (
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "StorageClass",
    "PriorityClass",
    "RuntimeClass",
)


@dataclass(frozen=True, order=True)
class Need:
    """One thing that has to be there. `kind` is one of Kubernetes, or Image, API (NAME is VERSION KIND), GPU, Host.

    `detail` is for a reader: keys of a Secret, node labels of a GPU; `command` makes it, where one does.
    """

    kind: str
    namespace: str
    name: str
    detail: str = ""
    command: str = ""


def of_release(release: Release) -> list[Need]:
    """Everything that a rendered release needs from outside, each once, in a stable order."""
    found = {*_objects(release), *_images(release), *_apis(release), *_gpus(release), *_hosts(release)}
    if release.namespace:
        found.add(
            Need("Namespace", "", release.namespace, command=f"kubectl create namespace {release.namespace}")
        )
    return sorted(found)


def _objects(release: Release) -> Iterator[Need]:
    keys: dict[tuple[str, str, str], set[str]] = {}
    for edge in graph(release).edges:
        if edge.target is None and edge.kind[1] in _MADE_BY_HAND and not _optional(edge):
            keys.setdefault((edge.kind[1], edge.namespace, edge.name), set()).update(_key(edge))
    for (kind, namespace, name), named in keys.items():
        listed = sorted(named)
        command = ""
        if kind == "Secret":
            # From a file of the key's name: what is typed stands in the history of the shell.
            values = [word for key in listed for word in ("--from-file", f"./{key}")]
            command = shlex.join(["kubectl", "-n", namespace, "create", "secret", "generic", name, *values])
        yield Need(kind, namespace, name, f"key {', '.join(listed)}" if listed else "", command)


def _key(edge: Reference) -> list[str]:
    """The key that a reference reads of a Secret or ConfigMap; none where it takes the whole object."""
    key = text(mapping(edge.source.get(edge.pointer.rpartition("/")[0])).get("key"))
    return [key] if key else []


def _optional(edge: Reference) -> bool:
    return mapping(edge.source.get(edge.pointer.rpartition("/")[0])).get("optional") is True


def _images(release: Release) -> Iterator[Need]:
    for pods in graph(release).pods:
        for _, container in pods.containers():
            if image := text(container.get("image")):
                yield Need("Image", "", image)


def _apis(release: Release) -> Iterator[Need]:
    own = kinds(release.kube_version)
    for obj in release.objects:
        if (obj.api_version, obj.kind) not in own:
            yield Need("API", "", f"{obj.api_version} {obj.kind}")


def _gpus(release: Release) -> Iterator[Need]:
    product = release.view.llm.text("gpu.product")
    try:
        labels = gpu_products.product(product).node_labels if product else ()
    except InputError:
        labels = ()
    if labels:
        yield Need("GPU", "", product, f"node label {' or '.join(labels)}")


def _hosts(release: Release) -> Iterator[Need]:
    served, llm = release.view.served, release.view.llm
    router, domain = served.text("trafficRouter"), llm.text("environment.domain")
    host = served.text("route.host") or (f"{release.name}.{domain}" if domain else "")
    if host and router not in ("", "none"):
        yield Need("Host", "", unescaped(host), "a DNS name that leads to the gateway")
