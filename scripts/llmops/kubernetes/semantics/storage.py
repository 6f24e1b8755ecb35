"""Claims, volumes of the cluster, storage classes."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.meta import selector
from llmops.kubernetes.semantics.resources import any_amount, some_amount
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    each,
    entries,
    every,
    missing,
    shown,
    strict,
    text,
)

_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_DRIVER = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", re.ASCII | re.IGNORECASE)


def csi_driver(value: Any, at: str, out: Report) -> None:
    """The name of a CSI driver."""
    if isinstance(value, str) and value:
        if len(value) > 63:
            out.add("name", at, f"has {len(value)} characters of at most 63", "Write at most 63 characters.")
        elif forms.dns_subdomain(value.lower()):
            out.add("name", at, f"is {shown(value)}, which is no name of a driver", "Write a DNS name.")


def access_modes(value: Any, at: str, out: Report) -> None:
    """A list of ways to mount."""
    each(strict(*_MODES, theme="volume"))(value, at, out)
    if isinstance(value, list) and "ReadWriteOncePod" in value and len(value) > 1:
        out.add("volume", at, "has ReadWriteOncePod beside other modes", "Write ReadWriteOncePod alone.")


def _storage(value: Any, at: str, out: Report) -> None:
    resources = value.get("resources")
    requests = resources.get("requests") if isinstance(resources, dict) else None
    if not isinstance(requests, dict) or "storage" not in requests:
        missing(out, f"{at}/resources/requests/storage", "volume")
    if not value.get("accessModes"):
        missing(out, f"{at}/accessModes", "volume")


def _positive(value: Any, at: str, out: Report) -> None:
    if isinstance(value, dict) and value.get("storage") is not None:
        some_amount(value["storage"], f"{at}/storage", out)


def _source(value: Any, at: str, out: Report) -> None:
    for name in ("kind", "name"):
        if not value.get(name):
            missing(out, f"{at}/{name}", "volume")
    group = value.get("apiGroup")
    if not group and value.get("kind") != "PersistentVolumeClaim":
        said = "must be PersistentVolumeClaim where no apiGroup is named"
        out.add("volume", f"{at}/kind", said, "Write apiGroup.")
    elif isinstance(group, str) and group and (wrong := forms.dns_subdomain(group)):
        out.add("volume", f"{at}/apiGroup", f"is {shown(group)}, which {wrong[0]}", wrong[1])


def _data_source(value: Any, at: str, out: Report) -> None:
    """A source that is neither a claim nor a snapshot is dropped without a word."""
    group, kind = value.get("apiGroup") or "", value.get("kind")
    if (group, kind) in (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot")):
        _source(value, at, out)


def _block(value: Any, at: str, out: Report) -> None:
    first, second = value.get("dataSource"), value.get("dataSourceRef")
    if isinstance(first, dict) and isinstance(second, dict):
        same = all(first.get(name) == second.get(name) for name in ("apiGroup", "kind", "name"))
        if not same or second.get("namespace"):
            out.add("volume", f"{at}/dataSourceRef", "differs from dataSource", "Keep one of the two.")


claim_spec: Check = Struct(
    {
        "accessModes": access_modes,
        "selector": selector,
        "resources": Struct(
            {"requests": every(entries(None, any_amount), _positive), "limits": entries(None, any_amount)}
        ),
        "storageClassName": text(forms.dns_subdomain, "name"),
        "volumeMode": strict("Block", "Filesystem", theme="volume"),
        "volumeAttributesClassName": text(forms.dns_subdomain, "name"),
        "dataSource": Struct({}, _data_source),
        "dataSourceRef": Struct({}, _source),
    },
    _storage,
    _block,
)
claim: Check = Struct({"spec": claim_spec})

PV_SOURCES = (
    "hostPath", "nfs", "csi", "local", "iscsi", "fc", "rbd", "cephfs", "glusterfs", "cinder", "awsElasticBlockStore",
    "gcePersistentDisk", "azureFile", "azureDisk", "flexVolume", "vsphereVolume", "photonPersistentDisk",
    "portworxVolume", "scaleIO", "storageos", "quobyte", "flocker",
)  # fmt: skip
