"""The chart reverter: what it may do, whom it reaches, and what it refuses to be without."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmops.services.reverter.__main__ import _parser
from tests.charts.conftest import CHARTS, Render

CHART = "reverter"
LEAST = yaml.safe_load((CHARTS / CHART / "ci/default-values.yaml").read_text(encoding="utf-8"))
EVERYTHING = yaml.safe_load((CHARTS / CHART / "ci/everything-values.yaml").read_text(encoding="utf-8"))


def test_its_only_right_is_to_read_rollouts(render: Render) -> None:
    objects = render(CHART, LEAST)
    (role,) = objects.all("ClusterRole")
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["get", "list"]}
    ]
    assert objects.all("Role") == []
    (binding,) = objects.all("ClusterRoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


@pytest.mark.parametrize("values", [LEAST, EVERYTHING], ids=["default", "everything"])
def test_the_program_takes_what_the_chart_gives_it(render: Render, values: dict[str, Any]) -> None:
    (container,) = render(CHART, values).workload["spec"]["template"]["spec"]["containers"]
    parsed = _parser().parse_args(container["args"])
    assert parsed.repository == values["git"]["url"]
    assert parsed.push is values.get("push", False)
    assert parsed.every == values.get("everySeconds", 15)
    assert container["command"] == ["python3", "-m", "llmops.services.reverter"]


def test_tokens_come_from_secrets_alone(render: Render) -> None:
    (container,) = render(CHART, EVERYTHING).workload["spec"]["template"]["spec"]["containers"]
    secrets = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["name"]
        for one in container["env"]
        if "valueFrom" in one
    }
    assert secrets == {"LLMOPS_FORGE_TOKEN": "reverter-token", "LLMOPS_WEBHOOK_URL": "channel"}


def test_nobody_reaches_it(render: Render) -> None:
    policy = render(CHART, LEAST).one("NetworkPolicy")["spec"]
    own = {"podSelector": {"matchLabels": {"app.kubernetes.io/component": "reverter"}}}
    assert [one["from"] for one in policy["ingress"]] == [[own]]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}


@pytest.mark.parametrize(
    ("values", "key"),
    [({"git": {"url": ""}}, "git.url"), ({"forge": {"tokenSecret": {"name": ""}}}, "forge.tokenSecret.name")],
)
def test_without_repository_or_token_it_refuses(render: Render, values: dict[str, Any], key: str) -> None:
    from llmops.findings import RefusedError

    with pytest.raises(RefusedError, match=f"{key} is empty"):
        render(CHART, LEAST, values)
