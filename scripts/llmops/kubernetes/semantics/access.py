"""Roles and their bindings."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.meta import selector
from llmops.kubernetes.semantics.shapes import Check, Report, Struct, choice, each, missing, shown, text

THEME = "access"
GROUP = "rbac.authorization.k8s.io"


def _rule(*, cluster: bool) -> Check:
    def check(value: Any, at: str, out: Report) -> None:
        if not isinstance(value, dict):
            return
        if not value.get("verbs"):
            missing(out, f"{at}/verbs", THEME)
        if value.get("nonResourceURLs"):
            where = f"{at}/nonResourceURLs"
            if not cluster:
                out.add(THEME, where, "is only for a ClusterRole", "Move the rule into a ClusterRole.")
            if any(value.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                out.add("union", where, "stands beside resources", "Write it as a rule of its own.")
            return
        for name in ("apiGroups", "resources"):
            if not value.get(name):
                fix = 'Write [""] for the core group.' if name == "apiGroups" else "Write resources."
                out.add(THEME, f"{at}/{name}", "is missing or empty", fix)

    return check


role: Check = Struct({"rules": each(_rule(cluster=False))})
cluster_role: Check = Struct(
    {
        "rules": each(_rule(cluster=True)),
        "aggregationRule": Struct(
            {"clusterRoleSelectors": each(selector)}, required=("clusterRoleSelectors",), theme=THEME
        ),
    }
)


def _subject(*, cluster: bool) -> Check:
    def check(value: Any, at: str, out: Report) -> None:
        kind, group, name = value.get("kind"), value.get("apiGroup"), value.get("name")
        if kind == "ServiceAccount":
            if isinstance(name, str) and name and (wrong := forms.dns_subdomain(name)):
                out.add(THEME, f"{at}/name", f"is {shown(name)}, which {wrong[0]}", wrong[1])
            if group:
                out.add(THEME, f"{at}/apiGroup", "must be empty for a ServiceAccount", "Leave it out.")
            if cluster and not value.get("namespace"):
                missing(out, f"{at}/namespace", THEME)
        elif kind in ("User", "Group") and group is not None and group not in ("", GROUP):
            out.add(THEME, f"{at}/apiGroup", f"must be {GROUP}, not {shown(group)}", f"Write {GROUP}.")

    return Struct(
        {"kind": choice("ServiceAccount", "User", "Group", theme=THEME)},
        check,
        required=("kind", "name"),
        theme=THEME,
    )


def _binding(*kinds: str) -> Check:
    reference = Struct(
        {
            "apiGroup": choice(GROUP, theme=THEME),
            "kind": choice(*kinds, theme=THEME),
            "name": text(forms.path_segment, THEME),
        },
        required=("kind", "name"),
        theme=THEME,
    )

    def check(obj: Any, at: str, out: Report) -> None:
        if not isinstance(obj.get("roleRef"), dict):
            missing(out, f"{at}/roleRef", THEME)

    cluster = "Role" not in kinds
    return Struct({"roleRef": reference, "subjects": each(_subject(cluster=cluster))}, check)


role_binding: Check = _binding("Role", "ClusterRole")
cluster_role_binding: Check = _binding("ClusterRole")
