"""Ports by number or name."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    missing,
    shown,
    text,
    whole,
)

PROTOCOLS = ("TCP", "UDP", "SCTP")
port_number = whole(1, 65535, "port")


def port(value: Any, at: str, out: Report) -> None:
    """A port's number, or its name."""
    if isinstance(value, str):
        if wrong := forms.port_name(value) if value else ("is empty", "Write a port's number or name."):
            out.add("port", at, f"is {shown(value)}, which {wrong[0]}", wrong[1])
    else:
        port_number(value, at, out)


def required_port(field: str = "port") -> Check:
    """An object needs a port; 0 is none."""

    def check(value: Any, at: str, out: Report) -> None:
        if value.get(field) is None:
            missing(out, f"{at}/{field}", "port")

    return check


container_port = Struct(
    {
        "name": text(forms.port_name, "port"),
        "containerPort": port_number,
        "hostPort": whole(1, 65535, "port", zero=True),
        "protocol": choice(*PROTOCOLS, theme="port"),
    },
    required_port("containerPort"),
)
