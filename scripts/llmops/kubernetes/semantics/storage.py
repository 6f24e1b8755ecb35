"""Claims, volumes of the cluster, storage classes."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.meta import selector
from llmops.kubernetes.semantics.quantities import quantity
from llmops.kubernetes.semantics.resources import any_amount, some_amount
from llmops.kubernetes.semantics.scheduling import node_selector
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    entries,
    escaped,
    every,
    missing,
    must,
    no_twins,
    one_of,
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


def _parameters(value: Any, at: str, out: Report) -> None:
    if isinstance(value, dict):
        if "" in value:
            out.add("value", f"{at}/", "is a parameter without a name", "Leave it out.")
        if len(value) > 512:
            out.add("value", at, f"has {len(value)} items of at most 512", "Write fewer.")


def _qualified_lower(value: str) -> forms.Wrong:
    return forms.qualified(value.lower())


_topology = Struct(
    {
        "matchLabelExpressions": each(
            Struct(
                {
                    "key": text(forms.qualified, "scheduling"),
                    "values": each(lambda *_: None, unique=lambda one: one),
                },
                required=("key", "values"),
                theme="scheduling",
            ),
            unique="key",
        )
    },
    required=("matchLabelExpressions",),
    theme="scheduling",
)


def _topologies(value: Any, at: str, out: Report) -> None:
    each(_topology)(value, at, out)
    if isinstance(value, list) and len(value) > 1:
        no_twins(value, _sorted_terms, at, out)


def _sorted_terms(one: Any) -> Any:
    try:
        return (
            tuple(
                sorted((item["key"], tuple(sorted(item["values"]))) for item in one["matchLabelExpressions"])
            )
            or None
        )
    except (KeyError, TypeError):
        return None


storage_class: Check = Struct(
    {
        "provisioner": text(_qualified_lower),
        "parameters": _parameters,
        "reclaimPolicy": choice("Delete", "Retain", theme="volume"),
        "volumeBindingMode": strict("Immediate", "WaitForFirstConsumer", theme="volume"),
        "allowedTopologies": _topologies,
    },
    required=("provisioner",),
    theme="volume",
)


def _capacity(spec: Any, at: str, out: Report) -> None:
    capacity = spec.get("capacity")
    if not isinstance(capacity, dict) or not capacity:
        missing(out, f"{at}/capacity", "volume")
        return
    if set(capacity) != {"storage"}:
        out.add("volume", f"{at}/capacity", "must hold storage and nothing else", "Write storage.")
    for name, one in capacity.items():
        given = quantity(one)
        if one is not None and (given is None or given <= 0):
            out.add(
                "quantity",
                f"{at}/capacity/{escaped(name)}",
                f"is {shown(one)}, no positive quantity",
                "Write one.",
            )
    if spec.get("local") is not None:
        affinity = spec.get("nodeAffinity")
        if not (isinstance(affinity, dict) and affinity.get("required")):
            missing(out, f"{at}/nodeAffinity", "volume")


def _secret_reference(value: Any, at: str, out: Report) -> None:
    for name in ("name", "namespace"):
        if not value.get(name):
            missing(out, f"{at}/{name}", "volume")


_reference = Struct({}, _secret_reference)
_local_path = Struct({"path": text(forms.no_back_steps, "volume")}, required=("path",), theme="volume")
persistent_volume: Check = Struct(
    {
        "spec": Struct(
            {
                "accessModes": access_modes,
                "persistentVolumeReclaimPolicy": choice("Delete", "Recycle", "Retain", theme="volume"),
                "volumeMode": strict("Block", "Filesystem", theme="volume"),
                "storageClassName": text(forms.dns_subdomain, "name"),
                "volumeAttributesClassName": text(forms.dns_subdomain, "name"),
                "local": _local_path,
                "hostPath": _local_path,
                "nfs": Struct({"path": text(forms.absolute, "volume")}, required=("server", "path"), theme="volume"),
                "csi": Struct(
                    {
                        "driver": csi_driver,
                        **dict.fromkeys(
                            ("controllerPublishSecretRef", "nodePublishSecretRef", "controllerExpandSecretRef",
                             "nodeExpandSecretRef"),
                            _reference,
                        ),
                    },
                    required=("driver", "volumeHandle"),
                    theme="volume",
                ),
                "nodeAffinity": Struct(
                    {"required": node_selector},
                    must(lambda value: value.get("required") is not None, "required", "is missing", "Write required.",
                         "volume"),
                ),
            },
            _capacity,
            one_of(*PV_SOURCES, theme="volume"),
            required=("accessModes",),
            theme="volume",
        )
    }
)  # fmt: skip
