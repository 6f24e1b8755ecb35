"""Accounts and roles: who may do what, and do they exist?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.missing_names import must_hold, names_of, why_own
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import Kind
from llmops.kubernetes.suggestions import neighbours
from llmops.kubernetes.wording import closest
from llmops.references import Graph, mapping, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

ACCOUNT: Kind = ("", "ServiceAccount")
_RBAC = "rbac.authorization.k8s.io"
_BINDINGS: tuple[Kind, ...] = ((_RBAC, "RoleBinding"), (_RBAC, "ClusterRoleBinding"))
# Every cluster has these.
_BUILT_IN = ("cluster-admin", "admin", "edit", "view", "extension-apiserver-authentication-reader")


@rule(
    "LG101",
    severity=WARNING,
    fix="Render the ServiceAccount, or leave serviceAccountName out to use `default`.",
)
def service_account_missing(release: Release) -> Iterator[Finding]:
    """No pod is created under a ServiceAccount that is not there; the ReplicaSet only records events.

    A warning, since somebody else may create the account. Of plain manifests those are judged that bring accounts
    of their own.
    """
    objects = graph(release)
    for edge in objects.edges:
        if edge.kind == ACCOUNT and edge.target is None and edge.name != "default":
            others = neighbours(edge.name, names_of(objects, ACCOUNT, edge.namespace))
            if must_hold(release, objects, ACCOUNT, edge.namespace):
                message = (
                    f"the ServiceAccount {edge.name} is not in this release{closest(edge.name, others)}."
                )
                yield defect(edge.source, edge.pointer, message)


@rule("LG102", severity=WARNING, fix="Render the role, or name one that is there.")
def role_missing(release: Release) -> Iterator[Finding]:
    """A binding to a role that is not there grants nothing, and nobody says so.

    A Role has to be in the namespace of its binding. Judged are names that are spelt almost like a role of the
    release or begin with its name, and Roles that the release has in another namespace; of a chart that binds an
    account of its own, every Role that it does not bring, since a Role is seldom anybody else's.
    """
    objects = graph(release)
    for binding in objects.of_kind(*_BINDINGS):
        ref = mapping(binding.data.get("roleRef"))
        kind, name = (_RBAC, text(ref.get("kind"))), text(ref.get("name"))
        space = objects.namespace_of(binding) if kind[1] == "Role" else ""
        if not name or name in _BUILT_IN or name.startswith("system:") or objects.find(kind, space, name):
            continue
        elsewhere = _stated_elsewhere(objects, kind, name)
        why = (
            f"it is in {', '.join(elsewhere)}" if elsewhere else why_own(release, objects, kind, space, name)
        )
        if not why and release.name and kind[1] == "Role" and _binds_own(objects, binding, space):
            why = "and the account it is for is the release's own"
        if why:
            place = f" in {space}" if space else ""
            yield defect(binding, "/roleRef/name", f"there is no {kind[1]} {name}{place}, {why}.")


@rule(
    "LG103", severity=ERROR, fix="Write the name and namespace of the ServiceAccount that the pods run under."
)
def subject_missing(release: Release) -> Iterator[Finding]:
    """A binding to an account that is not there gives its pods nothing: they get 403 for what they were made for.

    Judged are accounts that the release has in another namespace, and names that are spelt almost like one of it.
    """
    objects = graph(release)
    for binding in objects.of_kind(*_BINDINGS):
        for pointer, subject in walk(binding.data, "/subjects/*"):
            one = mapping(subject)
            name, space = text(one.get("name")), text(one.get("namespace"))
            if one.get("kind") != "ServiceAccount" or not space or name in ("", "default"):
                continue
            if objects.find(ACCOUNT, space, name):
                continue
            elsewhere = _stated_elsewhere(objects, ACCOUNT, name)
            why = (
                f"it is in {', '.join(elsewhere)}"
                if elsewhere
                else why_own(release, objects, ACCOUNT, space, name)
            )
            if why:
                at = f"{pointer}/namespace" if elsewhere else f"{pointer}/name"
                yield defect(binding, at, f"there is no ServiceAccount {name} in {space}, {why}.")


def _binds_own(objects: Graph, binding: Object, space: str) -> bool:
    """Whether all subjects are accounts of the release."""
    subjects = [mapping(one) for _, one in walk(binding.data, "/subjects/*")]
    return bool(subjects) and all(
        one.get("kind") == "ServiceAccount"
        and objects.find(ACCOUNT, text(one.get("namespace")) or space, text(one.get("name"))) is not None
        for one in subjects
    )


def _stated_elsewhere(objects: Graph, kind: Kind, name: str) -> list[str]:
    """Namespaces that hold an object of that name and say so; where one is installed may be decided later."""
    held = (one for key, one in objects.nodes.items() if key[:2] == kind and key[3] == name)
    return sorted({one.namespace for one in held if one.namespace})
