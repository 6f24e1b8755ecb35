"""What pods may do, and who may reach them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.conftest import Render

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
