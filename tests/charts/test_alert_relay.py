"""Receivers of robots: the relay that the chart renders for them, and what Alertmanager posts to it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmops.checks.reading.values_schema import violations
from llmops.findings import RefusedError
from llmops.release import archive
from llmops.render.sdk import merge_values
from llmops.services.relay.__main__ import _parser
from llmops.services.relay.receivers import Receiver, receiver
from tests.charts.conftest import CHARTS, Objects, Render

CHART = "alert-rules"
ROBOTS = yaml.safe_load((CHARTS / CHART / "ci/robots-values.yaml").read_text(encoding="utf-8"))
URL = {"urlSecret": {"name": "robots", "key": "url"}}


def pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects.one("Deployment")["spec"]["template"]["spec"]
    return spec


def told(objects: Objects) -> dict[str, Receiver]:
    """What the program reads of its own command line."""
    (container,) = pod(objects)["containers"]
    receivers = [receiver(text) for text in _parser().parse_args(container["args"]).receiver]
    return {one.name: one for one in receivers}


def test_without_a_robot_there_is_no_relay(render: Render) -> None:
    values = {"receivers": [{"name": "log", "webhook": {"url": "http://log.monitoring"}}]}
    assert [kind for kind, _ in render(CHART, values).kinds()] == ["AlertmanagerConfig", "PrometheusRule"]


def test_the_program_reads_what_the_values_say(render: Render) -> None:
    robots = told(render(CHART, ROBOTS))
    assert robots["oncall-dingtalk"] == Receiver(
        "oncall-dingtalk",
        "dingtalk",
        "/secrets/robots/dingtalk",
        "/secrets/robots/dingtalk-sign",
        language="zh",
        keyword="告警",
        mention_users=("13800000000",),
        mention_all=True,
    )
    assert robots["oncall-wecom-robot"].mention_severities == ("critical", "warning")
    assert robots["model-team-feishu"].language == "en"
    assert robots["model-team-teams"].language == "zh"


def test_every_secret_is_mounted_where_the_program_looks(render: Render) -> None:
    objects = render(CHART, ROBOTS)
    volumes = {one["name"]: one for one in pod(objects)["volumes"]}
    mounted = {
        f"/secrets/{item['path']}"
        for source in volumes["secrets"]["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    read = {file for one in told(objects).values() for file in (one.url_file, one.secret_file) if file}
    assert mounted == read
    assert volumes["journal"]["persistentVolumeClaim"]["claimName"] == "relay-journal"


@pytest.mark.parametrize("form", ["AlertmanagerConfig", "ConfigMap"])
def test_alertmanager_posts_to_a_path_that_the_relay_has(render: Render, form: str) -> None:
    objects = render(CHART, ROBOTS, {"alertmanager": {"format": form}}, namespace="observability")
    if form == "ConfigMap":
        receivers = yaml.safe_load(objects.one("ConfigMap")["data"]["alertmanager.yml"])["receivers"]
    else:
        receivers = objects.one("AlertmanagerConfig")["spec"]["receivers"]
    urls = [
        hook["url"]
        for one in receivers
        for hook in one.get("webhook_configs", []) + one.get("webhookConfigs", [])
    ]
    service = objects.one("Service")
    base = f"http://{service['metadata']['name']}.observability.svc:{service['spec']['ports'][0]['port']}/alertmanager/"
    assert [url.removeprefix(base) for url in urls if url.startswith(base)] == list(told(objects))
    assert "http://alert-log.monitoring:8080/alerts" in urls


def test_who_reaches_it_and_whom_it_reaches(render: Render) -> None:
    policy = render(CHART, ROBOTS).one("NetworkPolicy")["spec"]
    (rule,) = policy["ingress"]
    names = [one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for one in rule["from"]]
    assert names == ["monitoring", "argocd", "argo-rollouts"]
    dns, robots, server = policy["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert robots == {"ports": [{"port": 443, "protocol": "TCP"}]}
    assert {port["port"] for port in server["ports"]} == {443, 6443}
    assert len(render(CHART, ROBOTS, {"relay": {"replicas": 1}}).one("NetworkPolicy")["spec"]["egress"]) == 2


def test_replicas_share_a_lease_and_one_alone_needs_no_account(render: Render) -> None:
    two, one = render(CHART, ROBOTS), render(CHART, ROBOTS, {"relay": {"replicas": 1}})
    assert two.one("Deployment")["spec"]["replicas"] == 2
    (container,) = pod(two)["containers"]
    assert "--lease=llm-alert-relay" in container["args"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert (
        pod(two)["serviceAccountName"] == two.one("RoleBinding")["subjects"][0]["name"] == "llm-alert-relay"
    )
    creating, own = two.one("Role")["rules"]
    assert creating["verbs"] == ["create"]
    assert own == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["llm-alert-relay"],
        "verbs": ["get", "update"],
    }
    assert pod(one)["automountServiceAccountToken"] is False
    assert one.all("Role") == one.all("ServiceAccount") == []
    with pytest.raises(
        RefusedError, match=r"relay\.replicas is 2, but each replica would have a journal of its own"
    ):
        render(CHART, ROBOTS, {"relay": {"existingClaim": ""}})


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a token as text": (
        {"dingtalk": {"url": "https://oapi.dingtalk.com/robot/send"}},
        "/receivers/0/dingtalk",
    ),
    "everybody in WeCom": (
        {"wecomRobot": {**URL, "mention": {"users": ["a"], "all": True}}},
        "/receivers/0/wecomRobot/mention",
    ),
    "a mention of nobody": ({"feishu": {**URL, "mention": {}}}, "/receivers/0/feishu/mention"),
    "another language": ({"feishu": {**URL, "language": "de"}}, "/receivers/0/feishu/language"),
    "a mention that is one already": (
        {"dingtalk": {**URL, "mention": {"users": ["<@x>"]}}},
        "/receivers/0/dingtalk/mention/users/0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_are_refused(case: str) -> None:
    ways, pointer = REFUSED[case]
    values = {"receivers": [{"name": "a", **ways}]}
    found = violations(CHARTS / CHART, merge_values(archive(CHARTS / CHART), [values]))
    assert pointer in {one.pointer for one in found} | {one.pointer.rpartition("/")[0] for one in found}
