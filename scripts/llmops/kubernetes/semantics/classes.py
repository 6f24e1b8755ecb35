"""Priority and runtime classes, and leases: small kinds."""

from __future__ import annotations

import json
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.meta import time
from llmops.kubernetes.semantics.resources import container_list
from llmops.kubernetes.semantics.scheduling import toleration
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    each,
    entries,
    number,
    strict,
    text,
    whole,
)


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


_lease: dict[str, Check] = {
    "acquireTime": time,
    "renewTime": time,
    "leaseDurationSeconds": whole(1),
    "leaseTransitions": whole(0),
}
lease: Check = Struct({"spec": Struct(_lease)})
