"""ValidatingAdmissionPolicies evaluated offline: the same CEL that the API server runs, on one object.

Kinds are matched by their plural, which follows from the kind's name. Namespace and object selectors are the
binding's business; `oldObject` and `params` are null, as on creation, and `namespaceObject` is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from llmops.findings import InputError

_VARIABLE = re.compile(r"\bvariables\.(\w+)")
_REQUEST = {"operation": "CREATE"}
_NAMES = ("object", "oldObject", "request", "params", "namespaceObject", "variables")

Variables = tuple[tuple[str, str], ...]
"""(name, expression) in their order; each may name those before it."""


class EvaluationError(Exception):
    """CEL that does not compile, or that found no value where it looked for one."""


@dataclass(frozen=True)
class Validation:
    """One expression of a policy, and what to say when it is false: by an expression, else in fixed words."""

    expression: str
    message: str
    message_expression: str = ""


@dataclass(frozen=True)
class Policy:
    """A ValidatingAdmissionPolicy. `resources` are (group, plural), either of which may be `*`."""

    name: str
    annotations: Mapping[str, str] = field(hash=False)
    resources: frozenset[tuple[str, str]]
    conditions: tuple[str, ...]
    variables: Variables
    validations: tuple[Validation, ...]
    ignores_errors: bool = False

    def matches(self, group: str, kind: str) -> bool:
        """Whether objects of a kind are the policy's business."""
        plural = plural_of(kind)
        return any((one, two) in self.resources for one in (group, "*") for two in (plural, "*"))

    def judge(self, subject: Subject) -> list[str]:
        """What the policy says against an object of a kind that it matches; empty when it admits it.

        An expression that fails denies, as in the API server, unless failurePolicy is Ignore.
        """
        try:
            return self.refusals(subject)
        except EvaluationError as error:
            return [] if self.ignores_errors else [str(error)]

    def refusals(self, subject: Subject) -> list[str]:
        """The same, but EvaluationError when an expression fails."""
        together = _refusing(self)
        answers = subject.answers(together) if together else None
        if answers is None:
            return self._one_by_one(subject)
        return [
            _worded(answer[0], one) for one, answer in zip(self.validations, answers, strict=False) if answer
        ]

    def _one_by_one(self, subject: Subject) -> list[str]:
        """Expression by expression, which says of each whether it fails."""
        if not all(subject.value(condition, self.variables) for condition in self.conditions):
            return []
        return [
            self._said(one, subject)
            for one in self.validations
            if not subject.value(one.expression, self.variables)
        ]

    def _said(self, validation: Validation, subject: Subject) -> str:
        if not validation.message_expression:
            return validation.message
        try:
            said = subject.value(validation.message_expression, self.variables)
        except EvaluationError:
            return validation.message
        return _worded(said, validation)


def _worded(said: Any, validation: Validation) -> str:
    """What a message expression says, where the API server would take it."""
    return said if isinstance(said, str) and said.strip() and "\n" not in said else validation.message


class Subject:
    """One object under judgement, by any number of policies: what they all ask is evaluated once."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._known: dict[str, Any] = {}
        self._bound = {**dict.fromkeys(_NAMES), "object": data, "request": _REQUEST}

    def value(self, expression: str, variables: Variables) -> Any:
        """The value of an expression as plain data. EvaluationError when it has none."""
        key = _spelled_out(expression, variables)
        if key not in self._known:
            try:
                self._known[key] = self._evaluated(expression, variables)
            except EvaluationError as error:
                self._known[key] = error
        if isinstance(known := self._known[key], EvaluationError):
            raise known
        return known

    def answers(self, together: Any) -> Any:
        """The value of a program made of several expressions; None where one of them fails."""
        result = together.eval(data=self._bound)
        return None if result.type() == cel.Type.ERROR else result.plain_value()

    def _evaluated(self, expression: str, variables: Variables) -> Any:
        known = {}
        for name, stated in variables:
            if name in _named(expression):
                try:
                    known[name] = self.value(stated, variables)
                except EvaluationError:
                    # The expression may not get there; if it does, the missing key is an error again.
                    continue
        result = program(expression).eval(data={**self._bound, "variables": known})
        if result.type() == cel.Type.ERROR:
            raise EvaluationError(f"expression {expression!r} has no value: {result.value()}")
        return result.plain_value()


def suspected(matching: tuple[Policy, ...], data: Mapping[str, Any]) -> tuple[Policy, ...]:
    """The policies that may refuse an object, by one expression made of all; every policy where it has no value.

    To hand an object to CEL costs more than most expressions, and nearly all objects are admitted by all.
    """
    together = _together(matching)
    if together is None:
        return matching
    admits = together.eval(data={**dict.fromkeys(_NAMES), "object": data, "request": _REQUEST})
    if admits.type() == cel.Type.ERROR:
        return matching
    return tuple(one for one, fine in zip(matching, admits.plain_value(), strict=True) if fine is not True)


@cache
def _together(matching: tuple[Policy, ...]) -> Any:
    """The program whose value is a list: does each policy admit the object? None where it does not compile."""
    try:
        return program(f"[{', '.join(map(_admits, matching))}]") if matching else None
    except EvaluationError:
        return None


def _admits(policy: Policy) -> str:
    """A policy as one expression: whether it admits the object."""
    validations = " && ".join(f"({one.expression})" for one in policy.validations) or "true"
    return _named_values(policy, f"({_conditions(policy)}) ? ({validations}) : true")


@cache
def _refusing(policy: Policy) -> Any:
    """A policy as one program, whose value has for each validation nothing, or what is said in a list of one.

    None where it does not compile. Handing an object to CEL costs more than most expressions.
    """
    validations = ", ".join(
        f"(({one.expression}) ? [] : [dyn({one.message_expression or 'null'})])" for one in policy.validations
    )
    try:
        return program(_named_values(policy, f"({_conditions(policy)}) ? [{validations}] : []"))
    except EvaluationError:
        return None


def _conditions(policy: Policy) -> str:
    return " && ".join(f"({one})" for one in policy.conditions) or "true"


def _named_values(policy: Policy, expression: str) -> str:
    """An expression with the policy's variables; `[x].map(name, …)[0]` is how CEL gives a value a name."""
    said = _VARIABLE.sub(r"v_\1", expression)
    for name, stated in reversed(policy.variables):
        if re.search(rf"\bv_{name}\b", said):
            value = _VARIABLE.sub(r"v_\1", stated)
            said = f"[dyn({value})].map(v_{name}, {said})[0]"
    return f"({said})"


@cache
def _named(expression: str) -> frozenset[str]:
    """The variables that an expression names."""
    return frozenset(_VARIABLE.findall(expression))


@cache
def _spelled_out(expression: str, variables: Variables) -> str:
    """The expression with the definitions of its variables: two policies may call different things alike."""
    below = (
        f"{name} = {_spelled_out(stated, variables)}"
        for name, stated in variables
        if name in _named(expression)
    )
    return "; ".join((*below, expression))


@cache
def _environment() -> Any:
    return cel.NewEnv(
        variables=dict.fromkeys(_NAMES, cel.Type.DYN),
        extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
    )


@cache
def program(expression: str) -> Any:
    """The compiled expression. EvaluationError when it is not CEL."""
    try:
        return _environment().compile(expression)
    except RuntimeError as error:
        raise EvaluationError(f"expression {expression!r} does not compile: {error}") from error


def policy_of(data: Mapping[str, Any]) -> Policy:
    """The policy in a ValidatingAdmissionPolicy object."""
    spec = data["spec"]
    rules = spec["matchConstraints"]["resourceRules"]
    return Policy(
        name=data["metadata"]["name"],
        annotations=data["metadata"].get("annotations", {}),
        resources=frozenset(
            (group, resource) for one in rules for group in one["apiGroups"] for resource in one["resources"]
        ),
        conditions=tuple(one["expression"] for one in spec.get("matchConditions", ())),
        variables=tuple((one["name"], one["expression"]) for one in spec.get("variables", ())),
        validations=tuple(
            Validation(
                one["expression"],
                one.get("message", f"failed expression: {one['expression']}"),
                one.get("messageExpression", ""),
            )
            for one in spec["validations"]
        ),
        ignores_errors=spec.get("failurePolicy") == "Ignore",
    )


def folder() -> Path:
    """Where our policies stand: packed beside this module in a wheel, in the chart llm-policies in a checkout."""
    packed = Path(__file__).with_name("policies")
    return packed if packed.is_dir() else Path(__file__).parents[3] / "charts/llm-policies/policies"


@cache
def policies() -> Sequence[Policy]:
    """Our policies by name. InputError when a file of them cannot be read."""
    found = []
    for path in sorted(folder().glob("*.yaml")):
        try:
            found.append(policy_of(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)))
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise InputError(f"this is no ValidatingAdmissionPolicy: {error!r}", str(path)) from error
    return found


def plural_of(kind: str) -> str:
    """The resource of a kind, by the rule that all kinds of Kubernetes and of our CRDs follow."""
    lower = kind.lower()
    if lower.endswith(("s", "x", "ch")):
        return lower + "es"
    return lower[:-1] + "ies" if lower.endswith("y") and lower[-2:-1] not in tuple("aeiou") else lower + "s"
