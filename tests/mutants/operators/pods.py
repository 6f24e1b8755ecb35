"""Mistakes inside a pod: resources, probes, mounts, environment, security, scheduling."""

from __future__ import annotations

from typing import Any

from tests.mutants.plant import ABSENT, DROP, WORKLOAD, Change, again, plus, swap, typo

ANY = "Rollout Deployment Pod CronJob AnalysisTemplate"
BOX = "pod/containers/*"
GPU = "nvidia.com~1gpu"
ENGINE = WORKLOAD  # the pods that serve


def has_gpu(obj: dict[str, Any]) -> bool:
    return "nvidia.com/gpu" in str(obj["spec"])


TABLE: dict[str, tuple[Change, ...]] = {
    "resources": (
        Change("memory in GB", ANY, f"{BOX}/resources/limits/memory", "16GB"),
        Change("memory with a space", ANY, f"{BOX}/resources/limits/memory", "16 Gi"),
        Change("request above limit", ANY, f"{BOX}/resources/requests/memory", "4000Gi"),
        Change("a fraction of a GPU", ENGINE, f"{BOX}/resources/limits/{GPU}", "0.5",
               lambda obj: "gate" not in obj["metadata"]["name"]),
        Change("GPU request unlike its limit", ENGINE, f"{BOX}/resources/requests/{GPU}", "2",
               lambda obj: "gate" not in obj["metadata"]["name"]),
        Change("GPU requested without limit", ENGINE, f"{BOX}/resources/limits/{GPU}",
               lambda old: DROP if old else ABSENT),
        Change("negative CPU", ANY, f"{BOX}/resources/requests/cpu", "-1"),
        Change("cores spelled out", ANY, f"{BOX}/resources/requests/cpu", "4 cores"),
        Change("memory in thousandths", ANY, f"{BOX}/resources/limits/memory", "512m"),
        Change("shared memory without limit", ENGINE, "pod/volumes/*/emptyDir",
               lambda old: {"medium": "Memory"} if old.get("medium") else ABSENT),
    ),
    "probes": (
        Change("port name typo", "Rollout Deployment", f"{BOX}/readinessProbe/httpGet/port", typo),
        Change("path missing its slash", "Rollout Deployment", f"{BOX}/livenessProbe/httpGet/port", DROP),
        Change("no handler", "Rollout Deployment", f"{BOX}/readinessProbe/httpGet", DROP),
        Change("two handlers", "Rollout Deployment", f"{BOX}/livenessProbe/tcpSocket", {"port": "http"}),
        Change("period negative", "Rollout Deployment", f"{BOX}/readinessProbe/periodSeconds", -5),
        Change("liveness needs two successes", "Rollout Deployment", f"{BOX}/livenessProbe/successThreshold", 2),
        Change("seconds as text", "Rollout Deployment", f"{BOX}/readinessProbe/periodSeconds", "5s"),
        Change("start-up is given less than the model needs", ENGINE, f"{BOX}/startupProbe/failureThreshold", 1,
               has_gpu),
        Change("preStop with two handlers", ENGINE, f"{BOX}/lifecycle/preStop/exec", {"command": ["sleep", "5"]},
               lambda obj: "gate" not in obj["metadata"]["name"]),
    ),
    "volumes": (
        Change("mount of no volume", ANY, f"{BOX}/volumeMounts/*/name", typo),
        Change("a path mounted twice", ANY, f"{BOX}/volumeMounts", again),
        Change("volume dropped", ANY, "pod/volumes", DROP),
        Change("volume twice", ANY, "pod/volumes", again),
        Change("mount without path", ANY, f"{BOX}/volumeMounts/*/mountPath", DROP),
        Change("ConfigMap of another name", ANY, "pod/volumes/*/configMap/name", typo),
        Change("key that the ConfigMap lacks", ANY, "pod/volumes/*/configMap/items",
               [{"key": "smoke.sh", "path": "smoke.sh"}]),
        Change("volume of two kinds", ANY, "pod/volumes/*/hostPath", {"path": "/data"}),
        Change("size with a wrong unit", ENGINE, "pod/volumes/*/emptyDir/sizeLimit", "30GiB"),
    ),
    "environment": (
        Change("secret in clear", ANY, f"{BOX}/env", plus({"name": "HF_TOKEN", "value": "hf_" + "aB3dE5gH" * 4})),
        Change("number without quotes", ANY, f"{BOX}/env", plus({"name": "VLLM_PORT", "value": 8000})),
        Change("value and valueFrom", ANY, f"{BOX}/env", plus(
            {"name": "POD", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})),
        Change("unknown field", ANY, f"{BOX}/env", plus(
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.hostname"}}})),
        Change("empty source", ANY, f"{BOX}/env", plus({"name": "POD", "valueFrom": {}})),
        Change("a name with a space", ANY, f"{BOX}/env", plus({"name": "MY TOKEN =", "value": "x"})),
        Change("no name", ANY, f"{BOX}/env", plus({"value": "x"})),
        Change("key in arguments", ENGINE, f"{BOX}/args", plus("--api-key=sk-1234567890abcdef")),
        Change("Secret named like none in DNS", ANY, f"{BOX}/envFrom", [{"secretRef": {"name": "HF_Token"}}]),
    ),
    "spelling": (
        Change("unknown key of a container", ANY, f"{BOX}/imagePullPolcy", "Always"),
        Change("unknown key of a pod", ANY, "pod/nodeselector", {"a": "b"}),
        Change("pull policy in small letters", ANY, f"{BOX}/imagePullPolicy", "always"),
        Change("restart policy of a server", "Rollout Deployment", "pod/restartPolicy", "Never"),
        Change("restart policy of a job", "CronJob AnalysisTemplate", "pod/restartPolicy", "Always"),
        Change("arguments as one text", ANY, f"{BOX}/args", "--port=8000"),
        Change("command with a number", ANY, f"{BOX}/command", ["sleep", 10]),
        Change("no containers", ANY, "pod/containers", []),
        Change("container without name", ANY, f"{BOX}/name", DROP),
        Change("container name in capitals", ANY, f"{BOX}/name", "Engine"),
        Change("container without image", ANY, f"{BOX}/image", DROP),
        Change("two containers of one name", ANY, "pod/containers", again),
        Change("port number as text", "Rollout Deployment", f"{BOX}/ports/*/containerPort", "8000"),
        Change("port out of range", "Rollout Deployment", f"{BOX}/ports/*/containerPort", 80000),
        Change("port name too long", "Rollout Deployment", f"{BOX}/ports/*/name", "http-metrics-of-vllm"),
        Change("port twice", "Rollout Deployment", f"{BOX}/ports", again),
        Change("protocol in small letters", "Rollout Deployment", f"{BOX}/ports/*/protocol", "tcp"),
    ),
    "image": (
        Change("latest", ANY, f"{BOX}/image", "vllm/vllm-openai:latest"),
        Change("no tag", ANY, f"{BOX}/image", "vllm/vllm-openai"),
        Change("digest dropped", ANY, f"{BOX}/image",
               lambda old: old.partition("@")[0] if "@" in old else ABSENT),
    ),
    "security": (
        Change("privileged", ANY, f"{BOX}/securityContext/privileged", True),
        Change("may escalate", ANY, f"{BOX}/securityContext/allowPrivilegeEscalation", True),
        Change("escalation not said", ANY, f"{BOX}/securityContext/allowPrivilegeEscalation", DROP),
        Change("capability for debugging", ANY, f"{BOX}/securityContext/capabilities/add", ["SYS_PTRACE"]),
        Change("capabilities kept", ANY, f"{BOX}/securityContext/capabilities", DROP),
        Change("root", ANY, "pod/securityContext/runAsUser", 0),
        Change("root allowed", ANY, "pod/securityContext/runAsNonRoot", False),
        Change("no seccomp", ANY, "pod/securityContext/seccompProfile", DROP),
        Change("seccomp off", ANY, "pod/securityContext/seccompProfile/type", "Unconfined"),
        Change("host network", ANY, "pod/hostNetwork", True),
        Change("host IPC for shared memory", ANY, "pod/hostIPC", True),
        Change("host port", "Rollout Deployment", f"{BOX}/ports/*/hostPort", 8000),
        Change("host path for weights", ANY, "pod/volumes/-", {"name": "w", "hostPath": {"path": "/weights"}}),
        # Of pods with a GPU: another program may ask the API server, and nobody can tell that from a mistake.
        Change("token mounted", "Rollout Deployment", "pod/automountServiceAccountToken", True, has_gpu),
        Change("capability spelled with CAP_", ANY, f"{BOX}/securityContext/capabilities/drop", ["CAP_ALL"]),
    ),
    "scheduling": (
        Change("toleration Exists with a value", ANY, "pod/tolerations/*/value", "true"),
        Change("toleration with unknown effect", ANY, "pod/tolerations/*/effect", "NoScheduled"),
        Change("node label as boolean", ANY, "pod/nodeSelector", {"gpu": True}),
        Change("In without values", ENGINE,
               "pod/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/*"
               "/matchExpressions/*/values", []),
        Change("operator typo", ENGINE,
               "pod/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/*"
               "/matchExpressions/*/operator", "Equals"),
        Change("spread with skew 0", ENGINE, "pod/topologySpreadConstraints/*/maxSkew", 0),
        Change("spread says Always", ENGINE, "pod/topologySpreadConstraints/*/whenUnsatisfiable", "Always"),
        Change("spread twice", ENGINE, "pod/topologySpreadConstraints", again),
        Change("grace negative", ENGINE, "pod/terminationGracePeriodSeconds", -1),
        Change("grace shorter than a stream", "Rollout", "pod/terminationGracePeriodSeconds", 20),
    ),
    "engine": (
        Change("remote code", ENGINE, f"{BOX}/args", plus("--trust-remote-code")),
        Change("flag typo", ENGINE, f"{BOX}/args/*", swap("--max-model-len", "--max-model-length")),
        Change("development mode", ENGINE, f"{BOX}/env", plus({"name": "VLLM_SERVER_DEV_MODE", "value": "1"})),
    ),
}  # fmt: skip
