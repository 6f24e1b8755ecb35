"""What pods may do, and who may reach them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.conftest import Render, llm

CHART = "vllm-inference"


def source(uri: str, revision: str = "") -> dict[str, Any]:
    return {"global": {"llm": {"model": {"source": uri, "revision": revision}}}}


def pods(objects: Any) -> list[dict[str, Any]]:
    return [objects.pod, *(pod["spec"] for pod in objects.all("Pod"))]


@pytest.mark.parametrize("workload", ["Rollout", "Deployment"])
def test_every_pod_meets_the_restricted_standard(render: Render, workload: str) -> None:
    for pod in pods(render(CHART, {"workload": workload})):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 2000
        assert security["runAsGroup"] == 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(
            set(v) - {"name"} <= {"emptyDir", "persistentVolumeClaim", "configMap"} for v in pod["volumes"]
        )
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_root_file_system_is_a_switch_and_everything_written_is_mounted(render: Render) -> None:
    assert render(CHART).engine["securityContext"]["readOnlyRootFilesystem"] is False
    locked = render(CHART, {"securityContext": {"readOnlyRootFilesystem": True}})
    assert locked.engine["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"/home/vllm", "/tmp", "/dev/shm"} <= {m["mountPath"] for m in locked.engine["volumeMounts"]}  # noqa: S108
    assert locked.environment["HOME"] == "/home/vllm"


def test_network_policy_admits_gateway_scrape_and_own_pods_only(render: Render) -> None:
    facts = llm(environment={"gateway": {"namespace": "gw"}, "monitoring": {"namespace": "mon"}})
    policy = render(CHART, facts).one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gw"}}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}},
        {
            "podSelector": {
                "matchLabels": {"app.kubernetes.io/instance": "demo"},
                "matchExpressions": [
                    {"key": "app.kubernetes.io/component", "operator": "In", "values": ["job", "test"]}
                ],
            }
        },
    ]


def test_test_pod_is_one_that_the_network_policy_admits(render: Render) -> None:
    labels = render(CHART).one("Pod")["metadata"]["labels"]
    assert labels["app.kubernetes.io/instance"] == "demo"
    assert labels["app.kubernetes.io/component"] == "test"


def test_egress_reaches_the_hub_but_no_metadata_service(render: Render) -> None:
    facts = llm(environment={"hubEndpoint": "http://hub.example.com:8080/mirror"})
    dns, hub = render(CHART, facts).one("NetworkPolicy")["spec"]["egress"]
    assert {(p["port"], p["protocol"]) for p in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert hub["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert hub["to"][0] == {
        "ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16", "100.100.100.200/32"]}
    }
    assert render(CHART, source("pvc://weights")).one("NetworkPolicy")["spec"]["egress"] == []
