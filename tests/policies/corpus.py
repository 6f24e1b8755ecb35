"""Objects that policies are tried on: those of the rules' example files, and pods inside every kind that makes pods."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmops import checks
from llmops.kubernetes.admission import Policy, Subject, policies
from llmops.kubernetes.kinds import CLUSTER_SCOPED
from llmops.references import kind_of
from llmops.render.manifest import Object, parse

Data = dict[str, Any]
STORED = Path(__file__).with_name("corpus.jsonl")
NAMESPACE = "policies-judged"
LABELS = {"app": "wrapped"}


def rule_of(policy: Policy) -> str:
    """The id under which `llmops check` knows a policy."""
    return policy.annotations.get("llm-policies/rule", f"policy/{policy.name}")


def objects() -> list[Data]:
    """All of them, each with a name of its own, in one namespace."""
    found = [*_examples(), *_odd()]
    wrapped = [one for pod in found if pod["kind"] == "Pod" for one in _wrapped(pod)]
    named = []
    for index, one in enumerate([*found, *wrapped]):
        data = copy.deepcopy(one)
        # Names that policies make exceptions for stay as they are.
        keeps = data["metadata"]["name"].startswith(("system:", "cluster-admin"))
        data["metadata"] |= {} if keeps else {"name": f"case-{index}"}
        if data["kind"] not in CLUSTER_SCOPED:
            data["metadata"]["namespace"] = NAMESPACE
        named.append(data)
    return named


def _examples() -> Iterator[Data]:
    for policy in policies():
        for case in checks.examples(rule_of(policy)):
            for obj in parse(case.get("manifests", ""), "case.yaml"):
                if any(one.matches(*kind_of(obj)) for one in policies()):
                    yield obj.data


def _wrapped(pod: Data) -> Iterator[Data]:
    """A pod's spec in the kinds that make pods of it."""
    template = {"metadata": {"labels": LABELS}, "spec": {**pod["spec"], "restartPolicy": "Always"}}
    job = {"template": {"metadata": {"labels": LABELS}, "spec": {**pod["spec"], "restartPolicy": "Never"}}}
    serving = {"selector": {"matchLabels": LABELS}, "template": template}
    yield _object("apps/v1", "Deployment", serving)
    yield _object("apps/v1", "StatefulSet", {**serving, "serviceName": "none"})
    yield _object("apps/v1", "DaemonSet", serving)
    yield _object("apps/v1", "ReplicaSet", serving)
    yield _object("v1", "ReplicationController", {"selector": LABELS, "template": template})
    yield _object("batch/v1", "Job", job)
    yield _object("batch/v1", "CronJob", {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}})
    yield _object("argoproj.io/v1alpha1", "Rollout", {**serving, "strategy": {"canary": {}}})
    metrics = [
        {"name": "web", "provider": {"web": {"url": "http://gate.example/", "jsonPath": "{$.ok}"}}},
        {"name": "job", "provider": {"job": {"spec": job}}},
    ]
    for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate"):
        yield _object("argoproj.io/v1alpha1", kind, {"metrics": metrics})


def _odd() -> Iterator[Data]:
    """What no example file holds: objects that somebody owns, and empty or missing parts."""
    image = "registry.example/engine:latest"
    pod = {
        "containers": [{"name": "engine", "image": image, "env": [], "args": [], "command": []}],
        "volumes": [],
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "engine", "uid": "1", "controller": True}
    yield _object("v1", "Pod", pod)
    yield _object("v1", "Pod", pod, ownerReferences=[owner])
    yield _object("apps/v1", "Deployment", {"selector": {"matchLabels": LABELS}, "template": {
        "metadata": {"labels": LABELS}, "spec": pod}}, ownerReferences=[{**owner, "kind": "Release"}])  # fmt: skip
    yield _object("argoproj.io/v1alpha1", "Rollout", {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                                                     "name": "engine"}})  # fmt: skip
    yield _object("argoproj.io/v1alpha1", "AnalysisTemplate", {"metrics": [
        {"name": "asked", "provider": {"prometheus": {"address": "http://prometheus", "query": "up"}}}]})  # fmt: skip
    for rules in ([], None, [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]):
        for kind in ("Role", "ClusterRole"):
            yield {**_object("rbac.authorization.k8s.io/v1", kind, None), "rules": rules}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    yield {**_object("rbac.authorization.k8s.io/v1", "RoleBinding", None), "roleRef": role, "subjects": []}
    aggregated = {"clusterRoleSelectors": [{"matchLabels": LABELS}]}
    yield {**_object("rbac.authorization.k8s.io/v1", "ClusterRole", None), "aggregationRule": aggregated,
           "rules": [{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}]}  # fmt: skip
    part = {"app.kubernetes.io/part-of": "llm-stack"}
    yield _object("v1", "Service", {"ports": [{"port": 80}], "externalIPs": []}, labels=part)
    yield _object("v1", "Service", {"type": "ExternalName", "externalName": "example.com"}, labels=part)
    yield _object("v1", "Service", {"ports": [{"port": 80}], "type": "NodePort"}, labels={})
    backend = {"service": {"name": "engine", "port": {"number": 80}}}
    yield _object("networking.k8s.io/v1", "Ingress", {"defaultBackend": backend}, labels=part)
    yield _object("gateway.networking.k8s.io/v1", "HTTPRoute", {"hostnames": ["a.example.com"]}, labels=part)
    yield _object("gateway.networking.k8s.io/v1", "HTTPRoute", {"rules": [
        {"matches": [{"headers": [{"name": "x", "value": "y"}]}], "backendRefs": [{"name": "engine", "port": 80}]},
        {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}]},
        labels=part)  # fmt: skip
    yield _object("traefik.io/v1alpha1", "IngressRoute", {"routes": [
        {"kind": "Rule", "match": "Host(`a.example.com`) && Path(`/v1/models`)"}]}, labels=part)  # fmt: skip


def _object(api: str, kind: str, spec: Data | None, **metadata: Any) -> Data:
    data: Data = {"apiVersion": api, "kind": kind, "metadata": {"name": "x", **metadata}}
    return data if spec is None else {**data, "spec": spec}


def judged(data: Data) -> dict[str, list[str]]:
    """What the toolkit says of an object: policy → messages."""
    obj = Object(data)
    said = {one.name: one.judge(Subject(data)) for one in policies() if one.matches(*kind_of(obj))}
    return {name: sorted(messages) for name, messages in said.items() if messages}


def stored() -> list[Data]:
    """{"object", "said"}: each object with what the API server said of it."""
    return [json.loads(line) for line in STORED.read_text(encoding="utf-8").splitlines()]
