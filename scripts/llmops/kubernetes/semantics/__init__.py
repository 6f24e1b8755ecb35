"""What the API server refuses in an object beyond its schema: names, unions, bounds, selectors, arithmetic.

One table by kind; each entry is a check made of the shapes in `shapes`. Argo Rollouts' own rules are here too, since
no admission says them. Pure functions: an object in, problems with JSON Pointers out.
"""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import (
    access,
    analyses,
    classes,
    config,
    devices,
    forms,
    ingresses,
    jobs,
    lists,
    meta,
    network_policies,
    pods,
    policies,
    projects,
    quotas,
    rollouts,
    scaling,
    services,
    storage,
    workloads,
)
from llmops.kubernetes.semantics.shapes import Check, Form, Object, Problem, Report, Struct

__all__ = ["Problem", "problems"]


def _pod(obj: Any, at: str, out: Report) -> None:
    spec = obj.get("spec")
    if isinstance(spec, dict):
        pods.spec(spec, f"{at}/spec", out)
        pods.images(spec, f"{at}/spec", out)


_claim = Struct({"spec": Struct({"devices": devices.devices})})
_template = Struct({**_claim.fields, "metadata": meta.claim_metadata})
_CHECKS: dict[tuple[str, str], Check] = {
    ("v1", "Pod"): _pod,
    ("apps/v1", "Deployment"): workloads.deployment,
    ("apps/v1", "ReplicaSet"): workloads.replica_set,
    ("apps/v1", "DaemonSet"): workloads.daemon_set,
    ("apps/v1", "StatefulSet"): workloads.stateful_set,
    ("batch/v1", "Job"): jobs.job,
    ("batch/v1", "CronJob"): jobs.cron_job,
    ("v1", "Service"): services.service,
    ("networking.k8s.io/v1", "Ingress"): ingresses.ingress,
    ("networking.k8s.io/v1", "IngressClass"): ingresses.ingress_class,
    ("networking.k8s.io/v1", "NetworkPolicy"): network_policies.network_policy,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): scaling.autoscaler,
    ("autoscaling/v1", "HorizontalPodAutoscaler"): scaling.old_autoscaler,
    ("policy/v1", "PodDisruptionBudget"): scaling.budget,
    ("rbac.authorization.k8s.io/v1", "Role"): access.role,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): access.cluster_role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): access.role_binding,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): access.cluster_role_binding,
    ("v1", "ConfigMap"): config.config_map,
    ("v1", "Secret"): config.secret,
    ("v1", "ResourceQuota"): quotas.quota,
    ("v1", "PersistentVolumeClaim"): storage.claim,
    ("v1", "PersistentVolume"): storage.persistent_volume,
    ("storage.k8s.io/v1", "StorageClass"): storage.storage_class,
    ("scheduling.k8s.io/v1", "PriorityClass"): classes.priority_class,
    ("resource.k8s.io/v1", "ResourceClaim"): _claim,
    ("resource.k8s.io/v1", "ResourceClaimTemplate"): Struct({"spec": _template}),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): policies.policy,
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): policies.binding,
    ("argoproj.io/v1alpha1", "AppProject"): projects.project,
    ("argoproj.io/v1alpha1", "Rollout"): rollouts.rollout,
    ("argoproj.io/v1alpha1", "AnalysisTemplate"): analyses.analysis,
    ("argoproj.io/v1alpha1", "ClusterAnalysisTemplate"): analyses.analysis,
}


# Their validation does not ask for more of a finalizer than that of custom resources.
_PLAIN_METADATA = ("admissionregistration.k8s.io", "coordination.k8s.io", "node.k8s.io", "policy")


def _short(value: str) -> forms.Wrong:
    wrong = forms.dns_subdomain(value)
    return wrong or (
        ("has more than 52 characters", "Write at most 52 characters.") if len(value) > 52 else None
    )


_NAMES: dict[str, Form] = {
    "Service": forms.service_name,
    "Namespace": forms.dns_label,
    "CronJob": _short,
    "Job": forms.short_name,
    **dict.fromkeys(
        ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "PodDisruptionBudget"),
        forms.path_segment,
    ),
}


def problems(obj: Object, minor: int) -> list[Problem]:
    """What an API server of Kubernetes 1.`minor` (or the controller of a Rollout) refuses beyond the schema.

    A check holds for 1.34 to 1.37 unless it says `since` or `until`; `make test-judges` asks each version's own code.
    """
    out = Report(minor)
    kind = obj.get("kind")
    name = _NAMES.get(kind, forms.dns_subdomain) if isinstance(kind, str) else forms.dns_subdomain
    version = str(obj.get("apiVersion"))
    builtin = "." not in version or version.partition("/")[0].endswith(".k8s.io")
    meta.metadata(obj, name, out, builtin=builtin and version.partition("/")[0] not in _PLAIN_METADATA)
    check = _CHECKS.get((version, str(kind)))
    if check is not None:
        # An absent spec is one in which nothing is written.
        check({**obj, "spec": {}} if obj.get("spec") is None else obj, "", out)
    if not builtin or "gateway" in version:
        lists.duplicates(obj, out)
    return list(dict.fromkeys(out.problems))
