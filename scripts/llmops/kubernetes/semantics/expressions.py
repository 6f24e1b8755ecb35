"""CEL in ValidatingAdmissionPolicies and device selectors: does it parse, and does it know its names?

What an expression may call differs between versions of Kubernetes, so functions and types are left alone.
"""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics.shapes import Report

_NAMES = frozenset(
    {
        "object",
        "oldObject",
        "request",
        "namespaceObject",
        "variables",
        "authorizer",
        "device",
        "params",
        "dyn",
        "type",
    }
)
_TYPES = frozenset(
    [
        "bool",
        "bytes",
        "double",
        "duration",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "timestamp",
        "uint",
        "optional",
        "math",
        "strings",
        "base64",
        "sets",
        "cel",
        "google",
        "quantity",
        "url",
        "ip",
        "cidr",
        "format",
        "semver",
        "regex",
        "net",
        "kubernetes",
        "lists",
        "optional_type",
    ]
)
_VARIABLE = re.compile(r"\bvariables\.([A-Za-z_]\w*)")
_TEXT = re.compile(r"""r?("(\\.|[^"\\])*"|'(\\.|[^'\\])*')""")
# An object by itself, or a literal, where a condition is wanted.
_NO_CONDITION = re.compile(
    r"object|oldObject|request|namespaceObject|params|variables|authorizer(\.requestResource)?|null|-?\d+(\.\d+)?|''"
)
_UNDECLARED = re.compile(r"undeclared reference to '([A-Za-z_]\w*)[.']")


def names(spec: Any, at: str, out: Report) -> None:
    """The expressions of a policy name its variables, in order, and nothing unknown."""
    known: set[str] = set()
    parameters = spec.get("paramKind") is not None
    for index, one in enumerate(spec.get("matchConditions") or ()):
        _one(one, "expression", f"{at}/matchConditions/{index}", set(), parameters, out)
    for index, one in enumerate(spec.get("variables") or ()):
        _one(one, "expression", f"{at}/variables/{index}", known, parameters, out)
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            known.add(one["name"])
    for index, one in enumerate(spec.get("auditAnnotations") or ()):
        _one(one, "valueExpression", f"{at}/auditAnnotations/{index}", known, parameters, out)
    for index, one in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            _one(one, field, f"{at}/validations/{index}", known, parameters, out)


def _one(value: Any, field: str, at: str, known: set[str], parameters: bool, out: Report) -> None:
    expression = value.get(field) if isinstance(value, dict) else None
    if not isinstance(expression, str) or not expression.strip():
        return
    unknown = set(_VARIABLE.findall(_TEXT.sub("''", expression))) - known
    if unknown:
        said = f"names the variable {min(unknown)}, which no variable above it is called"
        out.add("policy", f"{at}/{field}", said, "Define the variable before its use, or correct the name.")
    if (
        field == "expression"
        and "/variables/" not in at
        and _NO_CONDITION.fullmatch(_TEXT.sub("''", expression).strip())
    ):
        out.add("policy", f"{at}/{field}", "is neither true nor false", "Write a condition over object.")
    elif wrong := _wrong(expression, parameters):
        out.add(
            "policy",
            f"{at}/{field}",
            wrong,
            "Write an expression over object, oldObject, request and variables.",
        )


def syntax(expression: Any, at: str, out: Report) -> None:
    """A selector of devices parses."""
    if isinstance(expression, str) and expression.strip() and (wrong := _wrong(expression, True)):
        out.add("policy", at, wrong, "Write an expression over device.")


def _wrong(expression: str, parameters: bool) -> str:
    # Only who has policies pays for the import.
    from llmops.kubernetes.admission import EvaluationError, program

    try:
        program(expression)
    except EvaluationError as error:
        text = str(error)
        if "Syntax error" in text or "reserved identifier" in text:
            return "is no CEL"
        bare = _TEXT.sub("''", expression)
        for name in _UNDECLARED.findall(text):
            if name not in _NAMES | _TYPES and not re.search(rf"\b{name}\s*\(", bare):
                return f"names {name}, which is not known there"
    if not parameters and re.search(r"(?<![.\w])params\b", _TEXT.sub("''", expression)):
        return "names params, but the policy has no paramKind"
    return ""
