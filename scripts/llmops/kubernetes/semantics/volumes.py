"""Volumes of pods: exactly one source each."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.environment import field_reference, resource_reference
from llmops.kubernetes.semantics.meta import claim_metadata
from llmops.kubernetes.semantics.resources import no_less
from llmops.kubernetes.semantics.shapes import (
    Check,
    Form,
    Report,
    Struct,
    choice,
    each,
    missing,
    one_of,
    text,
    whole,
)
from llmops.kubernetes.semantics.storage import claim_spec, csi_driver

SOURCES = (
    "emptyDir", "hostPath", "configMap", "secret", "projected", "persistentVolumeClaim", "csi", "ephemeral", "image",
    "downwardAPI", "nfs", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "iscsi", "glusterfs", "rbd",
    "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "azureDisk", "vsphereVolume", "quobyte",
    "photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
)  # fmt: skip
mode = whole(0, 0o777, "volume")
_item = Struct(
    {"key": lambda *_: None, "path": text(forms.local_path, "volume"), "mode": mode},
    required=("key", "path"),
    theme="volume",
)
_items: dict[str, Check] = {"items": each(_item), "defaultMode": mode}
_down_item = Struct(
    {
        "path": text(forms.local_path, "volume"),
        "mode": mode,
        "fieldRef": field_reference(
            ("metadata.name", "metadata.namespace", "metadata.uid", "metadata.annotations", "metadata.labels")
        ),
        "resourceFieldRef": resource_reference(file=True),
    },
    one_of("fieldRef", "resourceFieldRef", theme="volume"),
    required=("path",),
    theme="volume",
)
_HOST_TYPES = (
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)


def named(field: str, form: Form | None = None) -> Struct:
    """A source that needs one name."""
    return Struct({field: text(form, "name")} if form else {}, required=(field,), theme="volume")


# Projected volumes

_token = Struct(
    {"path": text(forms.local_path, "volume"), "expirationSeconds": whole(600, 2**32, "volume")},
    required=("path",),
    theme="volume",
)
_projection = Struct(
    {
        "serviceAccountToken": _token,
        "configMap": Struct(_items, required=("name",), theme="volume"),
        "secret": Struct(_items, required=("name",), theme="volume"),
        "downwardAPI": Struct({"items": each(_down_item)}),
    },
    # The feature gates of the other sources are off: the API server drops what stands there.
    one_of("serviceAccountToken", "configMap", "secret", "downwardAPI", least=0, theme="volume"),
)  # fmt: skip


def _projected_paths(value: Any, at: str, out: Report) -> None:
    """No two files of a projected volume have the same path."""
    seen: set[str] = set()
    sources = value.get("sources")
    for index, source in enumerate(sources if isinstance(sources, list) else ()):
        for pointer, path in _paths(source if isinstance(source, dict) else {}, f"{at}/sources/{index}"):
            if path in seen:
                out.add("duplicate", pointer, f"is {path} as in another source", "Write another path.")
            seen.add(path)


def _paths(source: dict[str, Any], at: str) -> list[tuple[str, str]]:
    found = []
    for kind, one in source.items():
        if not isinstance(one, dict):
            continue
        for index, item in enumerate(one.get("items") or ()):
            if isinstance(item, dict) and item.get("path"):
                found.append((f"{at}/{kind}/items/{index}/path", str(item["path"])))
    return found


def _host_path(value: Any, at: str, out: Report) -> None:
    path = value.get("path")
    if not path:
        missing(out, f"{at}/path", "volume")
    elif isinstance(path, str) and (wrong := forms.no_back_steps(path)):
        out.add("volume", f"{at}/path", wrong[0], wrong[1])


def _template(value: Any, at: str, out: Report) -> None:
    claim = value.get("volumeClaimTemplate")
    if not isinstance(claim, dict):
        missing(out, f"{at}/volumeClaimTemplate", "volume")


_IQN = re.compile(
    r"iqn\.\d{4}-\d{2}\.([a-z0-9.-]+)(:.+)?|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]{16,32}", re.ASCII
)


def _iscsi(value: Any, at: str, out: Report) -> None:
    for name in ("targetPortal", "iqn"):
        if not value.get(name):
            missing(out, f"{at}/{name}", "volume")
    iqn = value.get("iqn")
    if isinstance(iqn, str) and iqn and not _IQN.fullmatch(iqn):
        out.add("volume", f"{at}/iqn", "is no iSCSI name", "Begin it with iqn., eui. or naa.")
    if (value.get("chapAuthDiscovery") or value.get("chapAuthSession")) and value.get("secretRef") is None:
        missing(out, f"{at}/secretRef", "volume")


def _azure_disk(value: Any, at: str, out: Report) -> None:
    uri, kind = value.get("diskURI") or "", value.get("kind") or "Shared"
    for name in ("diskName", "diskURI"):
        if not value.get(name):
            missing(out, f"{at}/{name}", "volume")
    begins = "/subscriptions/" if kind == "Managed" else "https://"
    if uri and not str(uri).lower().startswith(begins) and kind in ("Shared", "Dedicated", "Managed"):
        out.add(
            "volume", f"{at}/diskURI", f"must begin with {begins} for the kind {kind}", f"Write {begins}…."
        )


def _fc(value: Any, at: str, out: Report) -> None:
    names, ids = value.get("targetWWNs"), value.get("wwids")
    if bool(names) == bool(ids):
        out.add("volume", at, "needs either targetWWNs or wwids", "Write one of the two.")
    elif names and value.get("lun") is None:
        missing(out, f"{at}/lun", "volume")


def _git(value: Any, at: str, out: Report) -> None:
    if not value.get("repository"):
        missing(out, f"{at}/repository", "volume")


_secret = Struct({"name": text(forms.dns_subdomain, "name")}, required=("name",), theme="volume")
_SOURCE: dict[str, Check] = {
    "emptyDir": Struct({"sizeLimit": no_less}),
    "hostPath": Struct({"type": choice(*_HOST_TYPES, theme="volume")}, _host_path),
    "configMap": Struct(_items, required=("name",), theme="volume"),
    "secret": Struct(_items, required=("secretName",), theme="volume"),
    "downwardAPI": Struct({"items": each(_down_item), "defaultMode": mode}),
    "projected": Struct({"sources": each(_projection), "defaultMode": mode}, _projected_paths),
    "persistentVolumeClaim": named("claimName"),
    "nfs": Struct({"path": text(forms.absolute, "volume")}, required=("server", "path"), theme="volume"),
    "csi": Struct({"driver": csi_driver, "nodePublishSecretRef": _secret}, required=("driver",), theme="volume"),
    "ephemeral": Struct({"volumeClaimTemplate": Struct({"metadata": claim_metadata, "spec": claim_spec})}, _template),
    "image": Struct({"pullPolicy": choice("Always", "IfNotPresent", "Never")}, required=("reference",), theme="volume"),
    "iscsi": Struct({"lun": whole(0, 255, "volume")}, _iscsi),
    "gitRepo": Struct({"directory": text(forms.descending, "volume")}, _git),
    "fc": Struct({"lun": whole(0, 255, "volume")}, _fc),
    "gcePersistentDisk": Struct({"partition": whole(0, 255, "volume")}, required=("pdName",), theme="volume"),
    "awsElasticBlockStore": Struct({"partition": whole(0, 255, "volume")}, required=("volumeID",), theme="volume"),
    "glusterfs": Struct({}, required=("endpoints", "path"), theme="volume"),
    "rbd": Struct({}, required=("monitors", "image"), theme="volume"),
    "flexVolume": Struct({}, required=("driver",), theme="volume"),
    "cinder": Struct({}, required=("volumeID",), theme="volume"),
    "cephfs": Struct({}, required=("monitors",), theme="volume"),
    "flocker": Struct({}, one_of("datasetName", "datasetUUID", theme="volume")),
    "azureFile": Struct({}, required=("secretName", "shareName"), theme="volume"),
    "azureDisk": Struct({"cachingMode": choice("None", "ReadOnly", "ReadWrite"),
                         "kind": choice("Shared", "Dedicated", "Managed")}, _azure_disk),
    "vsphereVolume": named("volumePath"),
    "quobyte": Struct({}, required=("registry", "volume"), theme="volume"),
    "photonPersistentDisk": named("pdID"),
    "portworxVolume": named("volumeID"),
    "scaleIO": Struct({}, required=("gateway", "system", "volumeName", "secretRef"), theme="volume"),
    "storageos": Struct({"volumeName": text(forms.dns_label, "volume"), "volumeNamespace": text(forms.dns_label)},
                        required=("volumeName",), theme="volume"),
}  # fmt: skip

_volume = Struct(
    {"name": text(forms.dns_label, "name"), **_SOURCE},
    one_of(*SOURCES, least=0, theme="volume"),
    required=("name",),
)


def _unless_dropped(value: Any, at: str, out: Report) -> None:
    # 1.34 leaves such a volume out unread.
    if out.minor >= 35 or not isinstance(value, dict) or value.get("image") is None:
        _volume(value, at, out)


volumes: Check = each(_unless_dropped, unique="name")
