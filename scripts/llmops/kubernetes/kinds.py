"""What is known of kinds: where their pod templates are, whom they name, which of them have no namespace."""

from __future__ import annotations

Kind = tuple[str, str]
"""(group, kind)"""
SERVICE: Kind = ("", "Service")
ROLLOUT: Kind = ("argoproj.io", "Rollout")
TRAEFIK_SERVICE: Kind = ("traefik.io", "TraefikService")
HTTP_ROUTE: Kind = ("gateway.networking.k8s.io", "HTTPRoute")
VIRTUAL_SERVICE: Kind = ("networking.istio.io", "VirtualService")
OPENSHIFT_ROUTE: Kind = ("route.openshift.io", "Route")
HTTP_PROXY: Kind = ("projectcontour.io", "HTTPProxy")
HPA: Kind = ("autoscaling", "HorizontalPodAutoscaler")
SCALED_OBJECT: Kind = ("keda.sh", "ScaledObject")
AUTOSCALERS = (HPA, SCALED_OBJECT)

# Where the pod templates of a workload are; "" is the object itself.
TEMPLATES: dict[Kind, tuple[str, ...]] = {
    ("", "Pod"): ("",),
    ("", "ReplicationController"): ("/spec/template",),
    ("apps", "DaemonSet"): ("/spec/template",),
    ("apps", "Deployment"): ("/spec/template",),
    ("apps", "ReplicaSet"): ("/spec/template",),
    ("apps", "StatefulSet"): ("/spec/template",),
    ("batch", "CronJob"): ("/spec/jobTemplate/spec/template",),
    ("batch", "Job"): ("/spec/template",),
    ROLLOUT: ("/spec/template",),
    ("argoproj.io", "Experiment"): ("/spec/templates/*/template",),
    **dict.fromkeys(
        (("argoproj.io", kind) for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")),
        ("/spec/metrics/*/provider/job/spec/template",),
    ),
    ("", "PodTemplate"): ("/template",),
    ("keda.sh", "ScaledJob"): ("/spec/jobTargetRef/template",),
    ("jobset.x-k8s.io", "JobSet"): ("/spec/replicatedJobs/*/template/spec/template",),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        "/spec/leaderWorkerTemplate/leaderTemplate",
        "/spec/leaderWorkerTemplate/workerTemplate",
    ),
}

# Workloads with a number of pods that an autoscaler may own.
SCALABLE = frozenset(
    {
        ("", "ReplicationController"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ROLLOUT,
        ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
    }
)

# Labels that a controller adds to its pods: a selector may ask for one though no template has it.
RUNTIME_LABELS: dict[Kind, frozenset[str]] = {
    ("apps", "DaemonSet"): frozenset({"controller-revision-hash", "pod-template-generation"}),
    ("apps", "Deployment"): frozenset({"pod-template-hash"}),
    ("apps", "StatefulSet"): frozenset(
        {"controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"}
    ),
    ROLLOUT: frozenset({"rollouts-pod-template-hash"}),
    **dict.fromkeys(
        (("batch", "Job"), ("batch", "CronJob")),
        frozenset(
            {"job-name", "controller-uid"}
            | {
                f"batch.kubernetes.io/{name}"
                for name in ("job-name", "controller-uid", "job-completion-index")
            }
        ),
    ),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): frozenset(
        f"leaderworkerset.sigs.k8s.io/{name}"
        for name in ("name", "group-index", "group-key", "worker-index", "template-revision-hash")
    ),
}
EPHEMERAL_LABELS = (
    *(
        f"/spec/strategy/{strategy}/{role}Metadata/labels"
        for strategy, role in (
            ("canary", "canary"), ("canary", "stable"), ("blueGreen", "active"), ("blueGreen", "preview"),
        )
    ),
    "/spec/strategy/canary/steps/*/experiment/templates/*/metadata/labels",
)  # fmt: skip

CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterAnalysisTemplate",
        "ClusterExternalSecret",
        "ClusterImagePolicy",
        "ClusterIssuer",
        "ClusterQueue",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterSecretStore",
        "ClusterTriggerAuthentication",
        "ClusterTrustBundle",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "GatewayClass",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceFlavor",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersionMigration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)

GATEWAY_PLUGIN = "/spec/strategy/canary/trafficRouting/plugins/argoproj-labs~1gatewayAPI"

# kind → (where, what is named there). The node is a name, or an object with a name and perhaps kind,
# apiVersion or group, namespace and port, which then say more than the default; or with a host, as Istio names
# a Service: NAME or NAME.NAMESPACE.svc….
REFERENCES: dict[Kind, tuple[tuple[str, Kind], ...]] = {
    ROLLOUT: (
        ("/spec/strategy/canary/stableService", SERVICE),
        ("/spec/strategy/canary/canaryService", SERVICE),
        ("/spec/strategy/canary/pingPong/pingService", SERVICE),
        ("/spec/strategy/canary/pingPong/pongService", SERVICE),
        ("/spec/strategy/blueGreen/activeService", SERVICE),
        ("/spec/strategy/blueGreen/previewService", SERVICE),
        ("/spec/strategy/canary/trafficRouting/traefik/weightedTraefikServiceName", TRAEFIK_SERVICE),
        (f"{GATEWAY_PLUGIN}/httpRoute", HTTP_ROUTE),
        (f"{GATEWAY_PLUGIN}/httpRoutes/*", HTTP_ROUTE),
        ("/spec/strategy/canary/trafficRouting/istio/virtualService", VIRTUAL_SERVICE),
        ("/spec/strategy/canary/trafficRouting/istio/virtualServices/*", VIRTUAL_SERVICE),
        ("/spec/workloadRef", ("apps", "Deployment")),
    ),
    ("apps", "StatefulSet"): (("/spec/serviceName", SERVICE),),
    HPA: (("/spec/scaleTargetRef", ("apps", "Deployment")),),
    SCALED_OBJECT: (("/spec/scaleTargetRef", ("apps", "Deployment")),),
    ("networking.k8s.io", "Ingress"): (
        ("/spec/defaultBackend/service", SERVICE),
        ("/spec/rules/*/http/paths/*/backend/service", SERVICE),
    ),
    **dict.fromkeys(
        (
            HTTP_ROUTE,
            *(("gateway.networking.k8s.io", f"{one}Route") for one in ("GRPC", "TCP", "TLS", "UDP")),
        ),
        (
            ("/spec/rules/*/backendRefs/*", SERVICE),
            ("/spec/rules/*/filters/*/requestMirror/backendRef", SERVICE),
        ),
    ),
    OPENSHIFT_ROUTE: (("/spec/to", SERVICE), ("/spec/alternateBackends/*", SERVICE)),
    HTTP_PROXY: (("/spec/routes/*/services/*", SERVICE), ("/spec/tcpproxy/services/*", SERVICE)),
    VIRTUAL_SERVICE: (
        ("/spec/http/*/route/*/destination", SERVICE),
        ("/spec/tls/*/route/*/destination", SERVICE),
        ("/spec/tcp/*/route/*/destination", SERVICE),
        ("/spec/http/*/mirror", SERVICE),
        ("/spec/http/*/mirrors/*/destination", SERVICE),
    ),
    ("traefik.io", "IngressRoute"): (("/spec/routes/*/services/*", SERVICE),),
    ("traefik.io", "IngressRouteTCP"): (("/spec/routes/*/services/*", SERVICE),),
    ("traefik.io", "IngressRouteUDP"): (("/spec/routes/*/services/*", SERVICE),),
    TRAEFIK_SERVICE: (
        ("/spec/weighted/services/*", SERVICE),
        ("/spec/mirroring", SERVICE),
        ("/spec/mirroring/mirrors/*", SERVICE),
    ),
}
CONTAINERS = tuple(f"/{group}/*" for group in ("initContainers", "containers", "ephemeralContainers"))
# The same, relative to a pod's spec.
POD_REFERENCES: tuple[tuple[str, Kind], ...] = (
    ("/serviceAccountName", ("", "ServiceAccount")),
    ("/imagePullSecrets/*", ("", "Secret")),
    ("/volumes/*/configMap", ("", "ConfigMap")),
    ("/volumes/*/secret/secretName", ("", "Secret")),
    ("/volumes/*/persistentVolumeClaim/claimName", ("", "PersistentVolumeClaim")),
    ("/volumes/*/projected/sources/*/configMap", ("", "ConfigMap")),
    ("/volumes/*/projected/sources/*/secret", ("", "Secret")),
    *((f"{one}/envFrom/*/configMapRef", ("", "ConfigMap")) for one in CONTAINERS),
    *((f"{one}/envFrom/*/secretRef", ("", "Secret")) for one in CONTAINERS),
    *((f"{one}/env/*/valueFrom/configMapKeyRef", ("", "ConfigMap")) for one in CONTAINERS),
    *((f"{one}/env/*/valueFrom/secretKeyRef", ("", "Secret")) for one in CONTAINERS),
)
GROUP_OF = {"Service": "", "TraefikService": "traefik.io", "Rollout": "argoproj.io", "StatefulSet": "apps"}
