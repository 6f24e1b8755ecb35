"""Findings and refusals: the plain data that every part of the toolkit speaks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is; the order is the order of `--fail-on`."""

    WARNING = 1
    ERROR = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One defect, in words for a person and in fields for a machine.

    `path` is a JSON Pointer into the object, or `values/<pointer>` for a defect of the values.
    `source` is FILE:LINE, or FILE where no line is known, or empty.
    """

    rule: str
    severity: Severity
    message: str
    fix: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    source: str = ""


class InputError(Exception):
    """Wrong usage or unreadable input; the text is one sentence with file, line and key. Exit status 2."""

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(f"{source}: {message}" if source else message)
        self.message = message
        self.source = source


class RefusedError(Exception):
    """A chart refused its values (`fail`, schema, kubeVersion): findings of rule `values/refused`. Exit status 1."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
