"""Policies of the API server and their bindings: a policy without one is never asked."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.registry import WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.wording import closest
from llmops.references import text
from llmops.release import Release

_GROUP = "admissionregistration.k8s.io"
_PAIRS = (
    ((_GROUP, "ValidatingAdmissionPolicy"), (_GROUP, "ValidatingAdmissionPolicyBinding")),
    ((_GROUP, "MutatingAdmissionPolicy"), (_GROUP, "MutatingAdmissionPolicyBinding")),
)


@rule("LG140", severity=WARNING, fix="Write a binding whose policyName is the policy's name.")
def policy_without_binding(release: Release) -> Iterator[Finding]:
    """A policy decides nothing until a binding says where; a binding to a policy that is not there says it of nothing.

    Judged is an input that brings policies and bindings.
    """
    objects = graph(release)
    for policy_kind, binding_kind in _PAIRS:
        policies, bindings = objects.of_kind(policy_kind), objects.of_kind(binding_kind)
        bound = {text(one.get("/spec/policyName")) for one in bindings}
        known = {one.name for one in policies}
        for policy in policies if bindings else ():
            if policy.name not in bound:
                near = closest(policy.name, bound)
                message = f"no {binding_kind[1]} of this input has policyName {policy.name}{near}."
                yield defect(policy, "/metadata/name", message)
        for binding in bindings if policies else ():
            name = text(binding.get("/spec/policyName"))
            if name and name not in known:
                message = f"the {policy_kind[1]} {name} is not in this input{closest(name, known)}."
                yield defect(binding, "/spec/policyName", message)
