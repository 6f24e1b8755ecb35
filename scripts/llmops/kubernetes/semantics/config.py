"""ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    entries,
    escaped,
)

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
