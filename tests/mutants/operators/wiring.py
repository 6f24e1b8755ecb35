"""Mistakes between objects: selectors, ports, Services, routes, network policies, budgets, accounts, names."""

from __future__ import annotations

from typing import Any

from tests.mutants.plant import ABSENT, DROP, WORKLOAD, Added, Change, Make, Removed, Row, again, swap, typo

ROUTES = "HTTPRoute IngressRoute VirtualService"
INSTANCE = "app.kubernetes.io~1instance"


def in_the_policy_of_the_engine(obj: dict[str, Any]) -> bool:
    return "drift" not in obj["metadata"]["name"]


def namespace(obj: dict[str, Any]) -> Any:
    return obj["metadata"]["namespace"]


def role(rule: dict[str, Any]) -> Make:
    return lambda obj: {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "llm-job", "namespace": namespace(obj)},
        "rules": [rule],
    }


def binding(kind: str, name: str) -> Make:
    """A RoleBinding of the engine's account."""
    return lambda obj: (
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "llm-job", "namespace": namespace(obj)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [
                {"kind": "ServiceAccount", "name": obj["metadata"]["name"], "namespace": namespace(obj)}
            ],
        }
        if obj["kind"] == "ServiceAccount"
        else None
    )


def less_one_peer(old: Any) -> Any:
    """The scraper's namespace is forgotten among those that may come in."""
    wanted = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    return [one for one in old if one != wanted] if wanted in old else ABSENT


TABLE: dict[str, tuple[Row, ...]] = {
    "services": (
        Change("selector typo", "Service", f"spec/selector/{INSTANCE}", typo),
        Change("selector with a label that no pod has", "Service", "spec/selector/tier", "llm"),
        Change("target port typo", "Service", "spec/ports/*/targetPort", typo),
        Change("target port that nothing listens on", "Service", "spec/ports/*/targetPort", 9000),
        Change("port missing", "Service", "spec/ports/*/port", DROP),
        Change("no ports", "Service", "spec/ports", []),
        Change("the same port twice", "Service", "spec/ports", again),
        Change("two ports without names", "Service", "spec/ports", [{"port": 80}, {"port": 81}]),
        Change("type typo", "Service", "spec/type", "ClusterIp"),
        Change("open to the internet", "Service", "spec/type", "LoadBalancer"),
        Removed("Service dropped", "Service"),
        Change("protocol HTTP", "Service", "spec/ports/*/protocol", "HTTP"),
    ),
    "routes": (
        Change("backend typo", "HTTPRoute", "spec/rules/*/backendRefs/*/name", typo),
        Change("backend port", "HTTPRoute", "spec/rules/*/backendRefs/*/port", 8080),
        Change("path without slash", "HTTPRoute", "spec/rules/*/matches/*/path/value", "v1"),
        Change("every path", "HTTPRoute", "spec/rules/*/matches/*/path/value", "/"),
        Change("timeout in words", "HTTPRoute", "spec/rules/*/timeouts/request", "5 minutes"),
        Change("backend timeout above the whole", "HTTPRoute", "spec/rules/*/timeouts/backendRequest", "1h"),
        Change("host with scheme", "HTTPRoute", "spec/hostnames", ["https://llm.example.com"]),
        Change("weight negative", "HTTPRoute", "spec/rules/*/backendRefs/*/weight", -1),
        Change("service typo", "IngressRoute", "spec/routes/*/services/*/name", typo),
        Change("every path", "IngressRoute", "spec/routes/*/match", swap("PathPrefix(`/v1/`)", "PathPrefix(`/`)")),
        Change("rule kind typo", "IngressRoute", "spec/routes/*/kind", "Rules"),
        Change("weighted service typo", "TraefikService", "spec/weighted/services/*/name", typo),
        Change("weighted port", "TraefikService", "spec/weighted/services/*/port", 8081),
        Change("destination typo", "VirtualService", "spec/http/*/route/*/destination/host", typo),
        Change("destination port", "VirtualService", "spec/http/*/route/*/destination/port/number", 8080),
        Change("every path", "VirtualService", "spec/http/*/match/*/uri/prefix", "/"),
        Change("route renamed", "VirtualService", "spec/http/*/name", "main"),
        Change("key typo", ROUTES, "spec/hostname", "llm.example.com"),
    ),
    "network policy": (
        Change("scrape shut out", "NetworkPolicy", "spec/ingress/*/from", less_one_peer, in_the_policy_of_the_engine),
        Change("nothing may come in", "NetworkPolicy", "spec/ingress", [], in_the_policy_of_the_engine),
        Change("other port number", "NetworkPolicy", "spec/ingress/*/ports/*/port", 80, in_the_policy_of_the_engine),
        Change("port name typo", "NetworkPolicy", "spec/ingress/*/ports/*/port", typo, in_the_policy_of_the_engine),
        Change("selector typo", "NetworkPolicy", f"spec/podSelector/matchLabels/{INSTANCE}", typo),
        Change("CIDR without bits", "NetworkPolicy", "spec/egress/*/to/*/ipBlock/cidr", "10.0.0.0"),
        Change("exception outside", "NetworkPolicy", "spec/egress/*/to/*/ipBlock",
               {"cidr": "10.0.0.0/8", "except": ["192.168.0.0/16"]}),
        Change("protocol typo", "NetworkPolicy", "spec/ingress/*/ports/*/protocol", "HTTP"),
        Change("policy type typo", "NetworkPolicy", "spec/policyTypes", ["ingress"]),
        Change("TCP forgotten for UDP", "NetworkPolicy", "spec/ingress/*/ports/*/protocol", "UDP",
               in_the_policy_of_the_engine),
    ),
    "disruption": (
        Change("selector typo", "PodDisruptionBudget", f"spec/selector/matchLabels/{INSTANCE}", typo),
        Change("no pod may go", "PodDisruptionBudget", "spec/maxUnavailable", 0),
        Change("both bounds", "PodDisruptionBudget", "spec/minAvailable", 1),
        Change("share without percent", "PodDisruptionBudget", "spec/maxUnavailable", "50"),
        Change("removed API", "PodDisruptionBudget", "apiVersion", "policy/v1beta1"),
        Change("eviction policy typo", "PodDisruptionBudget", "spec/unhealthyPodEvictionPolicy", "Always"),
    ),
    "accounts": (
        Change("account typo", "Rollout Deployment Pod", "pod/serviceAccountName", typo),
        Removed("account dropped", "ServiceAccount"),
        Added("all powers", role({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})),
        Added("role without verbs", role({"apiGroups": [""], "resources": ["pods"]})),
        Added("reads all Secrets", role({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]})),
        Added("binding to no role", binding("Role", "llm-reader")),
        Added("binding to the administrator", binding("ClusterRole", "cluster-admin")),
        Added("binding of a kind that is none", binding("Roles", "llm-reader")),
        Change("account renamed", "ServiceAccount", "metadata/name", lambda old: f"{old}-engine"),
    ),
    "names": (
        Change("capitals", f"{WORKLOAD} ConfigMap", "metadata/name", lambda old: old.capitalize()),
        Change("underscore", "Service", "metadata/name", lambda old: f"{old}_llm"),
        Change("label with a space", "Service Rollout Deployment", "metadata/labels/team", "ml platform"),
        Change("label as number", "Service Rollout Deployment", "metadata/labels/version", 3),
        Change("annotation as boolean", "Service Rollout Deployment", "metadata/annotations", {"keep": True}),
        Change("namespace in capitals", "Service Rollout", "metadata/namespace", "LLM"),
        Change("metadata key typo", "Service Rollout Deployment", "metadata/label", {"a": "b"}),
        Change("kind typo", "Service", "kind", "service"),
        Removed("ConfigMap dropped", "ConfigMap"),
        Added("an object twice", lambda obj: obj if obj["kind"] == "ConfigMap" else None),
        Added("a Secret in Git", lambda obj: {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub", "namespace": namespace(obj)},
            "stringData": {"token": "hf_" + "Zx8Qw2Er" * 4}}),
        Added("a Secret that is no base64", lambda obj: {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub", "namespace": namespace(obj)},
            "data": {"token": "not base64!"}}),
        Added("an API that nobody serves", lambda obj: {
            "apiVersion": "extensions/v1beta1", "kind": "Ingress",
            "metadata": {"name": "llm", "namespace": namespace(obj)}, "spec": {}}),
        Change("group of a removed version", "HorizontalPodAutoscaler", "apiVersion", "autoscaling/v2beta2"),
        Change("data as number", "ConfigMap", "data/port", 8000),
        Change("data key with a slash", "ConfigMap", "data/a~1b", "x"),
        Change("label longer than 63", "Service", "metadata/labels/note", "x" * 70),
    ),
    "selectors": (
        Change("unlike the pods", WORKLOAD, f"spec/selector/matchLabels/{INSTANCE}", typo),
        Change("pods renamed", WORKLOAD, f"spec/template/metadata/labels/{INSTANCE}", typo),
        Change("no selector", "Deployment", "spec/selector", DROP),
        Change("pods without labels", WORKLOAD, "spec/template/metadata/labels", DROP),
        Change("version inside the selector", WORKLOAD, "spec/selector/matchLabels/version", "v1"),
        Change("empty selector", "Deployment", "spec/selector", {}),
        Change("finalizer without domain", "ConfigMap", "metadata/finalizers", ["clean up"]),
    ),
}  # fmt: skip
