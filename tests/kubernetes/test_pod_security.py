"""Pod Security as admission decides it: answers of Kubernetes' own policy code, and where pods and levels are found."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.kubernetes import pod_security
from tests.checks.cases import manifests
from tests.kubernetes.pod_security_oracle import STORED, judged

CASES = [json.loads(line) for line in STORED.read_text().splitlines()]
POD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "main",
            "image": "registry.example/engine:1.0.0",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": POD}
WORKLOADS = {
    "Pod": ("v1", {"spec": POD}, "/spec"),
    "PodTemplate": ("v1", {"template": TEMPLATE}, "/template/spec"),
    **{
        kind: (api, {"spec": {"template": TEMPLATE}}, "/spec/template/spec")
        for kind, api in (
            ("Deployment", "apps/v1"),
            ("StatefulSet", "apps/v1"),
            ("DaemonSet", "apps/v1"),
            ("ReplicaSet", "apps/v1"),
            ("ReplicationController", "v1"),
            ("Job", "batch/v1"),
            ("Rollout", "argoproj.io/v1alpha1"),
        )
    },
    "CronJob": (
        "batch/v1",
        {"spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}},
        "/spec/jobTemplate/spec/template/spec",
    ),
    **{
        kind: (
            "argoproj.io/v1alpha1",
            {"spec": {"metrics": [{"name": "m", "provider": {"job": {"spec": {"template": TEMPLATE}}}}]}},
            "/spec/metrics/0/provider/job/spec/template/spec",
        )
        for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
    },
    "Experiment": (
        "argoproj.io/v1alpha1",
        {"spec": {"templates": [{"name": "a", "template": TEMPLATE}]}},
        "/spec/templates/0/template/spec",
    ),
    "LeaderWorkerSet": (
        "leaderworkerset.x-k8s.io/v1",
        {"spec": {"leaderWorkerTemplate": {"workerTemplate": TEMPLATE}}},
        "/spec/leaderWorkerTemplate/workerTemplate/spec",
    ),
    "ScaledJob": (
        "keda.sh/v1alpha1",
        {"spec": {"jobTargetRef": {"template": TEMPLATE}}},
        "/spec/jobTargetRef/template/spec",
    ),
    "JobSet": (
        "jobset.x-k8s.io/v1alpha2",
        {"spec": {"replicatedJobs": [{"name": "a", "template": {"spec": {"template": TEMPLATE}}}]}},
        "/spec/replicatedJobs/0/template/spec/template/spec",
    ),
}


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['level']}-{case['version']}-{'+'.join(case['refused'])}"
)
def test_a_pod_is_refused_for_what_kubernetes_refuses_it_for(case: dict[str, Any]) -> None:
    assert judged(case) == case["refused"]


def test_the_cases_show_every_control_refused_at_both_levels() -> None:
    both = set(pod_security.CONTROLS)
    for level, controls in (("restricted", both), ("baseline", both - pod_security.RESTRICTED_ONLY)):
        assert {name for case in CASES if case["level"] == level for name in case["refused"]} == controls


def found(*objects: dict[str, Any]) -> set[tuple[str, str]]:
    outcome = checks.run(manifests(yaml.safe_dump_all(objects)))
    return {(one.rule, one.path) for one in outcome.findings if one.rule.startswith("pod-security/")}


def workload(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    api, fields, _ = WORKLOADS[kind]
    changed = json.loads(json.dumps(fields).replace(json.dumps(POD), json.dumps(spec)))
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "ns"}, **changed}


def namespace(**labels: str) -> dict[str, Any]:
    stated = {f"pod-security.kubernetes.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns", "labels": stated}}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_pods_are_found_in_every_kind_that_makes_them(kind: str) -> None:
    assert found(workload(kind, POD)) == set()
    assert found(workload(kind, {**POD, "hostPID": True})) == {
        ("pod-security/host-namespaces", f"{WORKLOADS[kind][2]}/hostPID")
    }


ROOT = {"containers": [{"name": "main", "image": "x", "hostPort": 1}], "hostIPC": True}


@pytest.mark.parametrize(
    ("labels", "refused"),
    [
        ({}, set()),
        ({"warn": "restricted"}, set()),
        ({"enforce": "privileged"}, set()),
        ({"enforce": "baseline"}, {"host-namespaces"}),
        ({"enforce": "restricted"}, {"host-namespaces", "run-as-non-root", "seccomp-profile", "capabilities",
                                     "allow-privilege-escalation"}),
        # Version 1.18 of the profile knew neither the field of seccomp nor that all capabilities must go.
        ({"enforce": "restricted", "enforce_version": "v1.18"},
         {"host-namespaces", "run-as-non-root", "allow-privilege-escalation"}),
    ],
)  # fmt: skip
def test_the_label_of_the_namespace_decides(labels: dict[str, str], refused: set[str]) -> None:
    assert {rule for rule, _ in found(namespace(**labels), workload("Deployment", ROOT))} == {
        f"pod-security/{one}" for one in refused
    }


def test_a_namespace_outside_the_input_counts_as_restricted_but_for_those_of_kubernetes() -> None:
    pod = workload("Pod", {**POD, "securityContext": {}})
    assert {rule for rule, _ in found(pod)} == {
        "pod-security/run-as-non-root",
        "pod-security/seccomp-profile",
    }
    pod["metadata"]["namespace"] = "kube-system"
    assert found(pod) == set()


@pytest.mark.parametrize("version", ["1.34.0", "1.35.0"])
def test_a_user_namespace_allows_root_from_1_35_on(version: str) -> None:
    rendered = manifests(
        yaml.safe_dump(workload("Pod", {**POD, "securityContext": {"runAsUser": 0}, "hostUsers": False}))
    )
    rendered.kube_version = version
    rules = {one.rule for one in checks.run(rendered).findings}
    assert ("pod-security/run-as-user" in rules) == (version == "1.34.0")
