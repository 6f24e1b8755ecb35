"""Fields that the API server sets in stone: what an update of an object may not change, kind by kind.

Read off the update validation of Kubernetes 1.34 to 1.37, which say the same of these kinds with two exceptions: the
Workload of scheduling.k8s.io is an alpha API of 1.35, and since 1.36 the resources of a suspended Job may change, which
the table refuses all the same. Pointers may hold `*` for any key or index; a list item with a name stands under it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops.kubernetes.kinds import ROLLOUT, Kind

REFUSED = "the API server refuses the update: the field cannot change once the object exists"
RECREATE = "Put the old value back; or give the object another name, or delete it first (what it holds goes with it)."


@dataclass(frozen=True)
class Fixed:
    """A part of an object that cannot change.

    `but` are pointers below it that can. `default` is what the server writes where the manifest says nothing.
    `kept`: the server keeps the stored value when the new manifest leaves it out. `when` maps a pointer to
    the values (None: absent) that it must have on both sides for the row to hold, `was` on the old side.
    """

    pointer: str
    but: tuple[str, ...] = ()
    default: Any = None
    kept: bool = False
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    was: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    why: str = REFUSED
    fix: str = RECREATE


SPEC = Fixed("/spec")
_SELECTOR = Fixed(
    "/spec/selector",
    fix="Keep labels that change (version, chart, a user's own) out of the selector; or rename the workload.",
)
_ROLE = Fixed("/roleRef", fix="Give the binding another name: a binding is for one role for good.")
_SEALED: Mapping[str, tuple[Any, ...]] = {"/immutable": (True,)}
_DATA = tuple(
    Fixed(f"/{name}", was=_SEALED, fix="Put the new data under a new name.")
    for name in ("immutable", "data", "binaryData", "stringData")
)
_CLUSTER_IP = (None, "ClusterIP", "NodePort", "LoadBalancer")
_STATEFUL_SET = tuple(
    f"/spec/{name}"
    for name in (
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    )
)
_POD = (
    "/spec/containers/*/image",
    "/spec/initContainers/*/image",
    "/spec/activeDeadlineSeconds",
    "/spec/terminationGracePeriodSeconds",
    "/spec/tolerations",
)

FIXED: dict[Kind, tuple[Fixed, ...]] = {
    ("apps", "Deployment"): (_SELECTOR,),
    ("apps", "DaemonSet"): (_SELECTOR,),
    ("apps", "ReplicaSet"): (_SELECTOR,),
    ("apps", "StatefulSet"): (
        _SELECTOR,
        Fixed(
            "/spec/volumeClaimTemplates",
            fix="Grow the claims themselves; for another template delete the StatefulSet with --cascade=orphan first.",
        ),
        Fixed("/spec/podManagementPolicy", default="OrderedReady"),
        Fixed("/spec", but=_STATEFUL_SET),
    ),
    ("apps", "ControllerRevision"): (Fixed("/data"),),
    # The API server takes it; the controller then no longer knows its old ReplicaSets as its own.
    ROLLOUT: (
        Fixed(
            "/spec/selector",
            why="the controller gives up its old ReplicaSets: their pods stay for good and hold their GPUs",
            fix="Put the old selector back; or give the Rollout another name.",
        ),
    ),
    ("batch", "Job"): (
        Fixed(
            "/spec/template",
            fix="Give the Job a name with a hash of its template; or make it a Helm hook, which is made anew.",
        ),
        Fixed("/spec/selector"),
        Fixed("/spec/completions", when={"/spec/completionMode": (None, "NonIndexed")}, default=1),
        Fixed("/spec/completionMode", default="NonIndexed"),
        Fixed("/spec/podFailurePolicy"),
        Fixed("/spec/backoffLimitPerIndex"),
        Fixed("/spec/managedBy"),
        Fixed("/spec/successPolicy"),
    ),
    ("", "Pod"): (Fixed("/spec", but=_POD, fix="Give the Pod another name, or let a Deployment own it."),),
    ("", "Service"): (
        Fixed("/spec/clusterIP", kept=True, when={"/spec/type": _CLUSTER_IP}),
        Fixed("/spec/clusterIPs", kept=True, when={"/spec/type": _CLUSTER_IP}),
        Fixed("/spec/ipFamilies/0", kept=True, when={"/spec/type": _CLUSTER_IP}),
        Fixed("/spec/loadBalancerClass", when={"/spec/type": ("LoadBalancer",)}),
        Fixed("/spec/healthCheckNodePort", kept=True, when={"/spec/externalTrafficPolicy": ("Local",)}),
    ),
    ("", "PersistentVolumeClaim"): (
        Fixed("/spec/volumeMode", default="Filesystem"),
        Fixed(
            "/spec",
            but=("/spec/resources/requests/storage", "/spec/volumeAttributesClassName"),
            why="the API server refuses the update: of a claim only the size can grow",
            fix="Put the old value back; or make a new claim under a new name and copy the data.",
        ),
    ),
    ("", "PersistentVolume"): (
        Fixed("/spec/volumeMode", default="Filesystem"),
        *(Fixed(f"/spec/{name}") for name in ("csi", "hostPath", "local", "nfs", "nodeAffinity")),
    ),
    ("", "ConfigMap"): _DATA,
    ("", "Secret"): (Fixed("/type", default="Opaque"), *_DATA),
    ("", "ResourceQuota"): (Fixed("/spec/scopes"),),
    ("rbac.authorization.k8s.io", "RoleBinding"): (_ROLE,),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (_ROLE,),
    ("storage.k8s.io", "StorageClass"): (
        Fixed("/provisioner"),
        Fixed("/parameters"),
        Fixed("/reclaimPolicy", default="Delete"),
        Fixed("/volumeBindingMode", default="Immediate"),
    ),
    ("storage.k8s.io", "CSIDriver"): (
        Fixed("/spec/attachRequired", default=True),
        Fixed("/spec/volumeLifecycleModes"),
    ),
    ("storage.k8s.io", "VolumeAttachment"): (SPEC,),
    ("scheduling.k8s.io", "PriorityClass"): (
        Fixed("/value"),
        Fixed("/preemptionPolicy", default="PreemptLowerPriority"),
    ),
    ("scheduling.k8s.io", "Workload"): (Fixed("/spec/podGroups"),),
    ("networking.k8s.io", "IngressClass"): (Fixed("/spec/controller"),),
    ("node.k8s.io", "RuntimeClass"): (Fixed("/handler"),),
    ("discovery.k8s.io", "EndpointSlice"): (Fixed("/addressType"),),
    ("resource.k8s.io", "ResourceClaim"): (SPEC,),
    ("resource.k8s.io", "ResourceClaimTemplate"): (SPEC,),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        Fixed("/spec/scope"),
        Fixed("/spec/group"),
        Fixed("/spec/names/kind"),
        Fixed("/spec/names/plural"),
    ),
}

# Kinds that hold data, or hold other objects: deleting one deletes that.
HOLDERS: dict[Kind, str] = {
    ("", "PersistentVolumeClaim"): "its volume and the data on it",
    ("", "PersistentVolume"): "the way to its data",
    ("", "Namespace"): "everything in it",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "every object of its kind in the cluster",
}

# What the API server writes into a pod template that says nothing; below /spec of the template.
POD_DEFAULTS: tuple[tuple[str, Any], ...] = (
    ("/restartPolicy", "Always"),
    ("/terminationGracePeriodSeconds", 30),
    ("/dnsPolicy", "ClusterFirst"),
    ("/schedulerName", "default-scheduler"),
    ("/securityContext", {}),
    ("/enableServiceLinks", True),
    ("/hostNetwork", False),
    ("/hostPID", False),
    ("/hostIPC", False),
    ("/*/*/terminationMessagePath", "/dev/termination-log"),
    ("/*/*/terminationMessagePolicy", "File"),
    ("/*/*/resources", {}),
    ("/*/*/ports/*/protocol", "TCP"),
    *(
        (f"/*/*/{probe}/{key}", value)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
        for key, value in (
            ("periodSeconds", 10),
            ("timeoutSeconds", 1),
            ("successThreshold", 1),
            ("failureThreshold", 3),
            ("initialDelaySeconds", 0),
            ("httpGet/scheme", "HTTP"),
        )
    ),
    ("/volumes/*/configMap/defaultMode", 0o644),
    ("/volumes/*/secret/defaultMode", 0o644),
    ("/volumes/*/projected/defaultMode", 0o644),
)
