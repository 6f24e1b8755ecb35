"""ConfigMaps and Secrets, quotas, classes: small kinds."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from llmops.kubernetes.semantics import expressions, forms
from llmops.kubernetes.semantics.meta import time
from llmops.kubernetes.semantics.quantities import quantity
from llmops.kubernetes.semantics.resources import capacity_list, container_list, quota_list
from llmops.kubernetes.semantics.scheduling import node_selector, toleration
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    entries,
    escaped,
    missing,
    must,
    no_twins,
    number,
    one_of,
    shown,
    strict,
    text,
    whole,
)
from llmops.kubernetes.semantics.storage import PV_SOURCES, access_modes, csi_driver

THEME = "data"
MOST = 1024 * 1024
_keys = entries(forms.config_key, None, THEME)


def decoded(value: Any) -> bytes | None:
    """The bytes behind base64 as Go reads it (line ends are skipped); None when it is none."""
    try:
        return base64.b64decode(str(value).replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return None


def _encoded(value: Any, at: str, out: Report) -> None:
    for key, one in value.items() if isinstance(value, dict) else ():
        if isinstance(one, str) and decoded(one) is None:
            fix = "Encode it, or move it to stringData (data of a ConfigMap)."
            out.add(THEME, f"{at}/{escaped(key)}", "is no base64", fix)


def _size(obj: Any, at: str, out: Report) -> None:
    total = 0
    for name in ("data", "stringData", "binaryData"):
        for one in (obj.get(name) or {}).values() if isinstance(obj.get(name), dict) else ():
            if isinstance(one, str):
                plain = name == "stringData" or (name == "data" and obj.get("kind") == "ConfigMap")
                total += len(one.encode()) if plain else len(one) * 3 // 4
    if total > MOST:
        out.add(
            THEME,
            f"{at}/data",
            f"holds {total} bytes of at most {MOST}",
            "Split it, or ship a file in the image.",
        )


def _both(obj: Any, at: str, out: Report) -> None:
    binary = obj.get("binaryData")
    for key in (
        obj.get("data") or () if isinstance(binary, dict) and isinstance(obj.get("data"), dict) else ()
    ):
        if key in binary:
            out.add(
                "duplicate", f"{at}/data/{escaped(key)}", "stands in binaryData too", "Keep one of the two."
            )


def _binary(value: Any, at: str, out: Report) -> None:
    _keys(value, at, out)
    _encoded(value, at, out)


config_map: Check = Struct({"data": _keys, "binaryData": _binary}, _both, _size)
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _typed(obj: Any, at: str, out: Report) -> None:
    """A Secret of a known type has its keys."""
    kind = obj.get("type")
    data, plain = obj.get("data") or {}, obj.get("stringData") or {}
    if not isinstance(data, dict) or not isinstance(plain, dict):
        return
    held = {key: decoded(one or "") for key, one in data.items()}
    held.update({key: str(one or "").encode() for key, one in plain.items()})
    for key in _NEEDED.get(str(kind), ()):
        if key not in held or (kind == "kubernetes.io/ssh-auth" and not held[key]):
            out.add(THEME, f"{at}/data", f"lacks {key}, which a Secret of type {kind} has", f"Write {key}.")
        elif "docker" in str(kind) and not _mapping(held[key]):
            out.add(THEME, f"{at}/data/{key}", "is no JSON object", "Write what `docker login` wrote.")
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(held):
        out.add(THEME, f"{at}/data", "lacks username and password", "Write username or password.")
    if kind == "kubernetes.io/service-account-token":
        annotations = obj["metadata"].get("annotations") if isinstance(obj.get("metadata"), dict) else None
        name = "kubernetes.io/service-account.name"
        if not (isinstance(annotations, dict) and annotations.get(name)):
            out.add(THEME, f"{at}/metadata/annotations", f"lack {name}", f"Write {name}.")


def _mapping(raw: bytes | None) -> bool:
    try:
        return isinstance(json.loads(raw or b""), dict | None)
    except ValueError:
        return False


secret: Check = Struct({"data": _binary, "stringData": _keys}, _typed, _size)

# Quotas and limits

_TERMINATING, _EFFORT = ("Terminating", "NotTerminating"), ("BestEffort", "NotBestEffort")
_SCOPES = (*_TERMINATING, *_EFFORT, "PriorityClass", "CrossNamespacePodAffinity", "VolumeAttributesClass")
_POD_QUOTA = frozenset(
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods",
    }
)  # fmt: skip


def _scoped(value: Any, at: str, out: Report) -> None:
    name, operator, values = value.get("scopeName"), value.get("operator"), value.get("values") or []
    if name in (*_TERMINATING, *_EFFORT, "CrossNamespacePodAffinity") and operator not in (
        None,
        "",
        "Exists",
    ):
        out.add("value", f"{at}/operator", f"must be Exists for {name}", "Write Exists.")
    if operator in ("In", "NotIn") and not values:
        missing(out, f"{at}/values", "value")
    elif operator in ("Exists", "DoesNotExist") and values:
        out.add("value", f"{at}/values", f"is not allowed beside {operator}", "Leave values out.")


def _quota(spec: Any, at: str, out: Report) -> None:
    """Scopes that exclude each other, or that the counted resources do not have."""
    scopes = [one for one in spec.get("scopes") or () if isinstance(one, str)]
    for pair in (_TERMINATING, _EFFORT):
        if set(pair) <= set(scopes):
            out.add("union", f"{at}/scopes", f"has {pair[0]} beside {pair[1]}", "Keep one of the two.")
    hard = spec.get("hard")
    for index, scope in enumerate(scopes):
        for name in hard if isinstance(hard, dict) else ():
            if not _counted(scope, name):
                out.add(
                    "value",
                    f"{at}/scopes/{index}",
                    f"is {scope}, which {name} does not have",
                    "Leave it out.",
                )
                break


def _counted(scope: str, name: str) -> bool:
    pods = name in _POD_QUOTA or "/" in name or name.startswith(("hugepages-", "requests.hugepages-"))
    if scope == "BestEffort":
        return name == "pods"
    if scope in (*_TERMINATING, "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"):
        return pods
    return (
        name == "persistentvolumeclaims" or name == "requests.storage"
        if scope == "VolumeAttributesClass"
        else True
    )


quota: Check = Struct(
    {
        "spec": Struct(
            {
                "hard": quota_list,
                "scopes": each(strict(*_SCOPES)),
                "scopeSelector": Struct(
                    {
                        "matchExpressions": each(
                            Struct(
                                {
                                    "scopeName": choice(*_SCOPES),
                                    "operator": choice("In", "NotIn", "Exists", "DoesNotExist"),
                                },
                                _scoped,
                                required=("scopeName", "operator"),
                            )
                        )
                    }
                ),
            },
            _quota,
        )
    }
)


def _limit(value: Any, at: str, out: Report) -> None:
    """Minimum, default request, default and maximum rise in this order."""
    sides = {name: value.get(name) or {} for name in ("min", "defaultRequest", "default", "max")}
    if not all(isinstance(one, dict) for one in sides.values()):
        return
    kind = value.get("type")
    if kind == "Pod":
        for name in ("default", "defaultRequest"):
            if sides[name]:
                out.add("quantity", f"{at}/{name}", "is not for type Pod", "Leave it out.")
    if kind == "PersistentVolumeClaim" and "storage" not in sides["min"] and "storage" not in sides["max"]:
        out.add("quantity", f"{at}/max", "lacks storage", "Write storage under min or max.")
    order = ("min", "max") if kind == "Pod" else tuple(sides)
    for left, low in enumerate(order):
        for high in order[left + 1 :]:
            for name, one in sides[low].items():
                first, second = quantity(one), quantity(sides[high].get(name))
                if first is not None and second is not None and first > second:
                    said = f"is {shown(one)}, more than {high}, {shown(sides[high][name])}"
                    out.add(
                        "quantity", f"{at}/{low}/{escaped(name)}", said, f"Write at most {sides[high][name]}."
                    )
    ratios = value.get("maxLimitRequestRatio")
    for name, one in ratios.items() if isinstance(ratios, dict) else ():
        given, low_, high_ = quantity(one), quantity(sides["min"].get(name)), quantity(sides["max"].get(name))
        where = f"{at}/maxLimitRequestRatio/{escaped(name)}"
        if given is not None and given < 1:
            out.add("quantity", where, f"must be at least 1, not {one}", "Write 1 or more.")
        elif given is not None and low_ and high_ is not None and given > high_ / low_:
            out.add("quantity", where, f"is {one}, more than max / min", "Lower it.")


def _limit_names(value: Any, at: str, out: Report) -> None:
    checker = container_list if value.get("type") in ("Pod", "Container") else capacity_list
    for name in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio"):
        if isinstance(value.get(name), dict) and not (
            value.get("type") == "Pod" and name.startswith("default")
        ):
            found = Report()
            checker(value[name], f"{at}/{name}", found)
            # A LimitRange does not mind what the amounts are, only that they are some.
            out.problems += [
                one for one in found.problems if " is no quantity" in one.message or "resource" in one.message
            ]


limit_range: Check = Struct(
    {
        "spec": Struct(
            {
                "limits": each(
                    Struct(
                        {"type": text(lambda kind: None if kind in ("Pod", "Container", "PersistentVolumeClaim") or
                                      (not forms.qualified(kind) and "/" in kind) else
                                      ("is no known type", "Write Container, Pod or PersistentVolumeClaim."))},
                        _limit_names,
                        _limit,
                        required=("type",),
                    ),
                    unique="type",
                )
            }
        )
    }
)  # fmt: skip

# Classes and volumes


def _priority(obj: Any, at: str, out: Report) -> None:
    name = obj["metadata"].get("name") if isinstance(obj.get("metadata"), dict) else None
    value = number(obj.get("value"))
    if isinstance(name, str) and name.startswith("system-"):
        out.add(
            "name", f"{at}/metadata/name", "begins with system-, which is reserved", "Write another name."
        )
    elif value is not None and value > 10**9:
        out.add("value", f"{at}/value", f"must be at most 1000000000, not {value}", "Lower it.")


priority_class: Check = Struct(
    {"preemptionPolicy": strict("PreemptLowerPriority", "Never", theme="scheduling")}, _priority
)


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
        "reclaimPolicy": strict("Delete", "Retain", theme="volume"),
        "volumeBindingMode": strict("Immediate", "WaitForFirstConsumer", theme="volume"),
        "allowedTopologies": _topologies,
    },
    required=("provisioner",),
    theme="volume",
)
runtime_class: Check = Struct(
    {
        "handler": text(forms.dns_label, "name"),
        "overhead": Struct({"podFixed": container_list}),
        "scheduling": Struct(
            {"nodeSelector": entries(forms.qualified, text(forms.label_value, "scheduling"), "scheduling"),
             "tolerations": each(toleration, unique=lambda one: json.dumps(one, sort_keys=True))}
        ),
    },
    required=("handler",),
    theme="name",
)  # fmt: skip


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

# Others

_lease: dict[str, Check] = {
    "acquireTime": time,
    "renewTime": time,
    "leaseDurationSeconds": whole(1),
    "leaseTransitions": whole(0),
}
lease: Check = Struct({"spec": Struct(_lease)})


def _addresses(obj: Any, at: str, out: Report) -> None:
    kind = obj.get("addressType")
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        listed = endpoint.get("addresses") if isinstance(endpoint, dict) else None
        if not isinstance(listed, list) or not listed:
            missing(out, f"{at}/endpoints/{index}/addresses", "network")
            continue
        if len(listed) > 100:
            out.add(
                "network",
                f"{at}/endpoints/{index}/addresses",
                "has more than 100 items",
                "Split the endpoint.",
            )
        for place, one in enumerate(listed):
            where = f"{at}/endpoints/{index}/addresses/{place}"
            if kind in ("IPv4", "IPv6") and isinstance(one, str):
                address = forms.parsed_ip(one)
                if address is None or address.version != int(kind[-1]):
                    out.add(
                        "network", where, f"is {shown(one)}, no {kind} address", f"Write an {kind} address."
                    )
                elif address.is_loopback or address.is_link_local or address.is_unspecified:
                    out.add(
                        "network", where, f"is {one}, which no endpoint may have", "Write a pod's address."
                    )
            elif (
                kind == "FQDN"
                and isinstance(one, str)
                and (wrong := forms.dns_subdomain(one.removesuffix(".")))
            ):
                out.add("network", where, f"is {shown(one)}, which {wrong[0]}", wrong[1])


endpoint_slice: Check = Struct(
    {
        "addressType": choice("IPv4", "IPv6", "FQDN", theme="network"),
        "endpoints": each(
            Struct(
                {
                    "hostname": text(forms.dns_label, "network"),
                    "nodeName": text(forms.dns_subdomain, "network"),
                    "hints": Struct(
                        {
                            "forZones": each(Struct({"name": text(forms.label_value, "network")})),
                            "forNodes": each(Struct({"name": text(forms.dns_subdomain, "network")})),
                        }
                    ),
                }
            )
        ),
        "ports": each(
            Struct(
                {
                    "name": text(forms.dns_label, "port"),
                    "protocol": strict("TCP", "UDP", "SCTP", theme="port"),
                    "appProtocol": text(forms.qualified, "port"),
                }
            )
        ),
    },
    _addresses,
    lambda obj, at, out: no_twins(
        [{"name": (one.get("name") or "-") if isinstance(one, dict) else None} for one in obj.get("ports") or ()],
        "name", f"{at}/ports", out),
    required=("addressType",),
    theme="network",
)  # fmt: skip


def _exactly(value: Any, at: str, out: Report) -> None:
    first, several = value.get("exactly"), value.get("firstAvailable")
    if (first is not None) == bool(several):
        out.add("union", at, "needs either exactly or firstAvailable", "Write one of the two.")


def _count(value: Any, at: str, out: Report) -> None:
    mode, count = value.get("allocationMode") or "ExactCount", value.get("count")
    if mode == "All" and count:
        out.add("value", f"{at}/count", "is only for allocationMode ExactCount", "Leave it out.")
    elif mode == "ExactCount" and number(count) is not None and count < 0:
        out.add("value", f"{at}/count", f"must be at least 1, not {count}", "Write 1 or more.")


def _selectors(value: Any, at: str, out: Report) -> None:
    for index, one in enumerate(value.get("selectors") or ()):
        rule = one.get("cel") if isinstance(one, dict) else None
        where = f"{at}/selectors/{index}/cel"
        if not isinstance(rule, dict):
            missing(out, where, "value")
        elif not rule.get("expression"):
            missing(out, f"{where}/expression", "value")
        else:
            expressions.syntax(rule["expression"], f"{where}/expression", out)


_device: dict[str, Check] = {
    "deviceClassName": text(forms.dns_subdomain, "name"),
    "allocationMode": choice("ExactCount", "All"),
}


def _attribute(value: str) -> forms.Wrong:
    domain, slash, name = value.partition("/")
    wrong = ("is no attribute", "Write DOMAIN/NAME.")
    return (
        wrong
        if not slash or forms.dns_subdomain(domain.lower()) or forms.c_identifier(name) or len(name) > 32
        else None
    )


def _matched(value: Any, at: str, out: Report) -> None:
    for index, one in enumerate(value.get("constraints") or ()):
        given = one.get("matchAttribute") if isinstance(one, dict) else None
        if not given:
            missing(out, f"{at}/constraints/{index}/matchAttribute", "value")
        else:
            text(_attribute)(given, f"{at}/constraints/{index}/matchAttribute", out)
        each(lambda *_: None, unique=str)(
            (one or {}).get("requests"), f"{at}/constraints/{index}/requests", out
        )
    for index, one in enumerate(value.get("config") or ()):
        opaque = one.get("opaque") if isinstance(one, dict) else None
        where = f"{at}/config/{index}/opaque"
        if not isinstance(opaque, dict):
            missing(out, where, "value")
        else:
            Struct({"driver": csi_driver}, required=("driver",))(opaque, where, out)


def _constraints(value: Any, at: str, out: Report) -> None:
    known = {one.get("name") for one in value.get("requests") or () if isinstance(one, dict)}
    for side in ("constraints", "config"):
        for index, one in enumerate(value.get(side) or ()):
            for place, name in enumerate((one.get("requests") or ()) if isinstance(one, dict) else ()):
                if str(name).partition("/")[0] not in known:
                    where = f"{at}/{side}/{index}/requests/{place}"
                    out.add("value", where, f"is {shown(name)}, no request of the claim", "Name a request.")


devices: Check = Struct(
    {
        "requests": each(
            Struct(
                {
                    "name": text(forms.dns_label, "name"),
                    "exactly": Struct(_device, _count, _selectors, required=("deviceClassName",), theme="name"),
                    "firstAvailable": each(
                        Struct({**_device, "name": text(forms.dns_label, "name")}, _count, _selectors,
                               required=("deviceClassName", "name"), theme="name"),
                        unique="name",
                    ),
                },
                _exactly,
                required=("name",),
                theme="name",
            ),
            unique="name",
        )
    },
    _constraints,
    _matched,
)  # fmt: skip
