"""Names that fit and never collide, labels that no selector uses."""

from __future__ import annotations

import pytest

from llmops.findings import RefusedError
from tests.charts.conftest import TRAEFIK, Render, llm

CHART = "vllm-inference"


def test_user_labels_reach_pods_but_no_selector(render: Render) -> None:
    plain = render(CHART)
    labelled = render(
        CHART,
        {"podLabels": {"team": "a", "app.kubernetes.io/instance": "evil"}},
        llm(release={"version": "9.9.9"}),
    )
    assert labelled.workload["spec"]["template"]["metadata"]["labels"]["team"] == "a"
    assert labelled.workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/instance"] == "demo"
    assert labelled.workload["spec"]["selector"] == plain.workload["spec"]["selector"]
    assert labelled.one("Service") == plain.one("Service")


def test_two_long_releases_share_a_namespace_without_collision(render: Render) -> None:
    names = ["a" * 52 + end for end in "xy"]
    both = [render(CHART, TRAEFIK, name=name) for name in names]
    kinds = [kind for objects in both for kind in objects.kinds()]
    assert len(kinds) == len(set(kinds)) == 26
    # Names of Services and labels end at 63 letters, those of ConfigMaps at 253.
    assert max(len(name) for kind, name in kinds if kind != "ConfigMap") <= 63
    selectors = [
        objects.workload["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] for objects in both
    ]
    assert selectors == names


@pytest.mark.parametrize("name", ["llama-3.3-70b", "3b"])
def test_a_name_that_no_service_could_have_is_refused(render: Render, name: str) -> None:
    with pytest.raises(RefusedError, match="cannot be the name of a Service"):
        render(CHART, name=name)


@pytest.mark.parametrize("suffix", ["-canary", "-started", "-test", "-drift"])
def test_a_name_that_another_release_would_use_is_refused(render: Render, suffix: str) -> None:
    with pytest.raises(RefusedError, match="choose another name"):
        render(CHART, name=f"qwen{suffix}")
