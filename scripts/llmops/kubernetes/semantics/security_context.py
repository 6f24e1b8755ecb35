"""Security contexts of pods and containers: users, profiles, privileges."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.shapes import (
    Report,
    Struct,
    choice,
    missing,
    strict,
    text,
    whole,
)

identity = whole(0, 2147483647, "security-context")


def _localhost(value: Any, at: str, out: Report) -> None:
    local, kind = value.get("localhostProfile"), value.get("type")
    if not kind:
        missing(out, f"{at}/type", "security-context")
    elif kind == "Localhost" and not local:
        missing(out, f"{at}/localhostProfile", "security-context")
    elif kind != "Localhost" and local is not None:
        said = f"is not allowed beside type {kind}"
        out.add("security-context", f"{at}/localhostProfile", said, "Leave it out, or write type: Localhost.")


_PROFILES = choice("Localhost", "RuntimeDefault", "Unconfined", theme="security-context")
seccomp = Struct(
    {"type": _PROFILES, "localhostProfile": text(forms.local_path, "security-context")}, _localhost
)


def _apparmor_name(value: Any, at: str, out: Report) -> None:
    if isinstance(value, str) and value:
        if value.strip() != value or not value.strip():
            out.add("security-context", at, "begins or ends with a space", "Leave the space out.")
        elif len(value) > 4095:
            out.add("security-context", at, "has more than 4095 characters", "Write at most 4095 characters.")


apparmor = Struct({"type": _PROFILES, "localhostProfile": _apparmor_name}, _localhost)


def _escalation(value: Any, at: str, out: Report) -> None:
    if value.get("allowPrivilegeEscalation") is False:
        if value.get("privileged") is True:
            said = "cannot be false in a privileged container"
            out.add(
                "security-context", f"{at}/allowPrivilegeEscalation", said, "Leave privileged or this out."
            )
        capabilities = value.get("capabilities")
        added = capabilities.get("add") if isinstance(capabilities, dict) else None
        if "CAP_SYS_ADMIN" in (added or ()):
            said = "cannot be false beside the capability CAP_SYS_ADMIN"
            out.add("security-context", f"{at}/allowPrivilegeEscalation", said, "Leave CAP_SYS_ADMIN out.")


windows = Struct({"gmsaCredentialSpecName": text(forms.dns_subdomain, "security-context")})
security = Struct(
    {
        "runAsUser": identity,
        "runAsGroup": identity,
        "windowsOptions": windows,
        "procMount": strict("Default", "Unmasked", theme="security-context"),
        "seccompProfile": seccomp,
        "appArmorProfile": apparmor,
    },
    _escalation,
)
