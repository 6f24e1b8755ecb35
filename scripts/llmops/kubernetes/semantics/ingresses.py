"""Ingresses and their classes."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.ports import port, port_number
from llmops.kubernetes.semantics.services import THEME
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    each,
    every,
    missing,
    must,
    shown,
    strict,
    text,
)

_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_ENDS = ("/..", "/.")


def host(value: Any, at: str, out: Report) -> None:
    """A DNS name, perhaps with a wildcard in front; no address."""
    if not isinstance(value, str) or not value:
        return
    if forms.parsed_ip(value):
        out.add(THEME, at, f"is the address {value}", "Write a DNS name.")
    elif wrong := (forms.wildcard_host if "*" in value else forms.dns_subdomain)(value):
        out.add(THEME, at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


def _tls_host(value: Any, at: str, out: Report) -> None:
    if isinstance(value, str) and (
        wrong := (forms.wildcard_host if "*" in value else forms.dns_subdomain)(value)
    ):
        out.add(THEME, at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


def _path(value: Any, at: str, out: Report) -> None:
    kind, path = value.get("pathType"), value.get("path") or ""
    if kind is None:
        missing(out, f"{at}/pathType", THEME)
        return
    if not isinstance(path, str):
        return
    if (path or kind in ("Exact", "Prefix")) and not path.startswith("/") and kind:
        out.add(THEME, f"{at}/path", f"is {shown(path)}, no absolute path", "Begin it with '/'.")
    if kind in ("Exact", "Prefix") and (any(one in path for one in _SEQUENCES) or path.endswith(_ENDS)):
        out.add(THEME, f"{at}/path", f"is {shown(path)}, no plain path", "Leave '//', '.' and '..' out.")


def _backend(value: Any, at: str, out: Report) -> None:
    service_, resource = value.get("service"), value.get("resource")
    if (service_ is not None) == (resource is not None):
        out.add("union", at, "needs either service or resource", "Write one of the two.")
        return
    if not isinstance(service_, dict):
        return
    given = service_.get("port") if isinstance(service_.get("port"), dict) else {}
    name, count = (given or {}).get("name"), (given or {}).get("number")
    if bool(name) == bool(count):
        out.add("union", f"{at}/service/port", "needs either name or number", "Write one of the two.")
    elif isinstance(name, str) and name:
        port(name, f"{at}/service/port/name", out)
    else:
        port_number(count, f"{at}/service/port/number", out)


_typed = Struct(
    {
        "apiGroup": every(
            text(forms.dns_subdomain, THEME), must(bool, "", "is empty", "Leave it out.", THEME)
        ),
        "kind": text(forms.path_segment, THEME),
        "name": text(forms.path_segment, THEME),
    },
    required=("kind", "name"),
    theme=THEME,
)
_ingress_service = Struct({"name": text(forms.service_name, "name")}, required=("name",), theme=THEME)
_ingress_backend = Struct({"service": _ingress_service, "resource": _typed}, _backend)
_http = Struct(
    {
        "paths": each(
            Struct(
                {
                    "pathType": strict("Exact", "Prefix", "ImplementationSpecific", theme=THEME),
                    "backend": _ingress_backend,
                },
                _path,
                must(
                    lambda value: isinstance(value.get("backend"), dict),
                    "backend",
                    "is missing",
                    "Write backend.",
                    THEME,
                ),
            )
        )
    },
    required=("paths",),
    theme=THEME,
)
ingress: Check = Struct(
    {
        "spec": Struct(
            {
                "ingressClassName": every(
                    text(forms.dns_subdomain, "name"), must(bool, "", "is empty", "Leave it out.", "name")
                ),
                "defaultBackend": _ingress_backend,
                "tls": each(Struct({"hosts": each(_tls_host), "secretName": text(forms.dns_subdomain, "name")})),
                "rules": each(Struct({"host": host, "http": _http})),
            },
            must(lambda spec: bool(spec.get("rules")) or spec.get("defaultBackend") is not None, "rules",
                 "is empty, and there is no defaultBackend", "Write rules or defaultBackend.", THEME),
        )
    },
)  # fmt: skip


def _class_scope(value: Any, at: str, out: Report) -> None:
    scope, namespace = value.get("scope"), value.get("namespace")
    if scope == "Namespace" and not namespace:
        missing(out, f"{at}/namespace", THEME)
    elif scope != "Namespace" and namespace is not None:
        out.add(
            THEME,
            f"{at}/namespace",
            "is only for scope: Namespace",
            "Leave it out, or write scope: Namespace.",
        )


def _controller(value: Any, at: str, out: Report) -> None:
    if not isinstance(value, str) or not value:
        missing(out, at, THEME)
        return
    domain, slash, path = value.partition("/")
    if not slash or not path or forms.dns_subdomain(domain) or len(value) > 250:
        out.add(THEME, at, f"is {shown(value)}, not DOMAIN/PATH", "Write it as example.com/ingress.")


ingress_class: Check = Struct(
    {
        "spec": Struct(
            {
                "controller": _controller,
                "parameters": every(
                    _typed,
                    Struct(
                        {
                            "scope": strict("Cluster", "Namespace", theme=THEME),
                            "namespace": text(forms.dns_label, "name"),
                        },
                        _class_scope,
                    ),
                ),
            },
            must(
                lambda spec: spec.get("controller") is not None,
                "controller",
                "is missing",
                "Write controller.",
                THEME,
            ),
        )
    },
)
