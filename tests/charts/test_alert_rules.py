"""What the chart alert-rules renders: one PrometheusRule, and receivers in one of two forms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from llmops.checks.reading.values_schema import violations as values_violations
from llmops.cli import main
from llmops.findings import RefusedError
from llmops.kubernetes.schema import known, violations
from llmops.release import archive
from llmops.render.manifest import parse
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, ROOT, Objects, Render, merge

CHART = "alert-rules"
CI = {path.stem: path for path in sorted((CHARTS / CHART / "ci").glob("*.yaml"))}
SECRET = {"name": "alerts", "key": "token"}


def rules(objects: Objects) -> dict[str, dict[str, Any]]:
    groups = objects.one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_alert_says_what_it_is(render: Render) -> None:
    for name, rule in rules(render(CHART)).items():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), name
        assert rule["labels"]["service"] == "llm"
        assert re.fullmatch(r"\d+(s|m|h)", rule["for"])
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        # Every ${key} has become a number.
        assert "${" not in rule["expr"], name


def test_links_to_runbooks_need_an_address(render: Render) -> None:
    assert not any("runbook_url" in rule["annotations"] for rule in rules(render(CHART)).values())
    told = rules(render(CHART, {"rules": {"runbooks": {"baseUrl": "https://docs.example.com/en/"}}}))
    assert told["LLM5xxRateCritical"]["annotations"]["runbook_url"] == (
        "https://docs.example.com/en/llm5xxratecritical.md"
    )
    own = {"rules": {"runbooks": {"baseUrl": "https://docs.example.com/en", "suffix": "/"}}}
    assert rules(render(CHART, own))["GPUTemperatureHigh"]["annotations"]["runbook_url"] == (
        "https://docs.example.com/en/gputemperaturehigh/"
    )


def test_an_alert_is_switched_off_and_tuned(render: Render) -> None:
    values = {
        "alerts": {
            "GPUUtilizationHigh": {"enabled": False},
            "GPUTemperatureHigh": {"celsius": 91, "severity": "critical", "for": "1m", "keepFiringFor": ""},
        }
    }
    before, after = rules(render(CHART)), rules(render(CHART, values))
    assert set(before) - set(after) == {"GPUUtilizationHigh"}
    hot = after["GPUTemperatureHigh"]
    assert hot["expr"].endswith("> 91")
    assert (hot["labels"]["severity"], hot["for"]) == ("critical", "1m")
    assert "keep_firing_for" in before["GPUTemperatureHigh"]
    assert "keep_firing_for" not in hot


def test_no_rule_is_rendered_when_all_are_off(render: Render) -> None:
    hook = {"receivers": [{"name": "log", "webhook": {"url": "http://log.example.com"}}]}
    off = {"alerts": {name: {"enabled": False} for name in rules(render(CHART))}}
    assert render(CHART, hook, off).kinds() == [("AlertmanagerConfig", "demo-alerts")]


def test_labels(render: Render) -> None:
    values = {"rules": {"labels": {"release": "kps"}, "alertLabels": {"team": "ml"}}}
    objects = render(CHART, values)
    labels = objects.one("PrometheusRule")["metadata"]["labels"]
    assert labels["release"] == "kps"
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
    assert {rule["labels"]["team"] for rule in rules(objects).values()} == {"ml"}


@pytest.mark.parametrize("case", CI)
def test_the_api_server_would_take_it(case: str, render: Render) -> None:
    objects = render(CHART, yaml.safe_load(CI[case].read_text(encoding="utf-8")), bare=True)
    assert objects.items
    for obj in parse(yaml.safe_dump_all(objects.items), case):
        assert known(obj.api_version, obj.kind, "1.35.0")
        assert violations(obj, "1.35.0") == []


def test_the_operator_names_secrets_and_never_holds_them(render: Render) -> None:
    values = yaml.safe_load(CI["receivers-values"].read_text(encoding="utf-8"))
    receivers = {
        item["name"]: item for item in render(CHART, values).one("AlertmanagerConfig")["spec"]["receivers"]
    }
    assert receivers["oncall"]["wechatConfigs"][0]["apiSecret"] == {"name": "alerts", "key": "wecom"}
    assert receivers["oncall"]["webhookConfigs"][0]["urlSecret"] == {"name": "alerts", "key": "pager-url"}
    assert receivers["model-team"]["slackConfigs"][0]["apiURL"] == {"name": "alerts", "key": "slack-url"}
    assert receivers["model-team"]["emailConfigs"][0]["authPassword"] == {
        "name": "alerts",
        "key": "mail-password",
    }


def test_the_notes_name_the_matcher_that_loses_alerts(render: Render) -> None:
    hook = {"receivers": [{"name": "log", "webhook": {"url": "http://log.example.com"}}]}
    assert "alertmanagerConfigMatcherStrategy: {type: None}" in render(CHART, hook, notes=True).notes
    file = merge(hook, {"alertmanager": {"format": "ConfigMap"}})
    assert "alertmanagerConfigMatcherStrategy" not in render(CHART, file, notes=True).notes
    assert "Receivers: none" in render(CHART, notes=True).notes


@pytest.mark.parametrize("name", ["null", "true", "yes"])
def test_a_receiver_may_be_called_what_yaml_takes_for_another_type(name: str, render: Render) -> None:
    webhook = {"urlSecret": {"name": "a", "key": "b"}}
    receiver = {"name": name, "severities": ["critical"], "webhook": webhook}
    spec = render(CHART, {"receivers": [receiver]}).one("AlertmanagerConfig")["spec"]
    assert [one["name"] for one in spec["receivers"]][-1] == name
    assert spec["route"]["routes"][0]["receiver"] == name


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ({}, []),
        ({"rules": {"alertLabels": {"cluster": "beijing"}}}, ["cluster"]),
        ({"alertmanager": {"clusterLabels": ["region", "cluster"]}}, ["region", "cluster"]),
    ],
)
def test_alerts_of_two_clusters_neither_share_a_message_nor_silence_each_other(
    values: dict[str, Any], labels: list[str], render: Render
) -> None:
    """Two clusters behind one Alertmanager may have a release of one name in a namespace of one name."""
    hook = {"receivers": [{"name": "log", "webhook": {"url": "http://log.example.com"}}]}
    spec = render(CHART, hook, values).one("AlertmanagerConfig")["spec"]
    as_file = merge(values, {"alertmanager": {"format": "ConfigMap"}})
    file = yaml.safe_load(render(CHART, hook, as_file).one("ConfigMap")["data"]["alertmanager.yml"])
    apart = ["namespace", "release", *labels]
    assert spec["route"]["groupBy"] == file["route"]["group_by"] == ["alertname", *apart]
    for one in (*spec["inhibitRules"], *file["inhibit_rules"]):
        assert one["equal"] == apart


def test_two_receivers_of_one_name_are_refused(render: Render) -> None:
    hook = {"name": "log", "webhook": {"url": "http://log.example.com"}}
    with pytest.raises(RefusedError, match="receivers has two entries named log"):
        render(CHART, {"receivers": [hook, hook]})


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such alert": ({"alerts": {"LLMSlow": {"enabled": True}}}, "/alerts/LLMSlow"),
    "a percentage for a share": (
        {"alerts": {"LLM5xxRateCritical": {"ratio": 10}}},
        "/alerts/LLM5xxRateCritical/ratio",
    ),
    "minutes without a unit": ({"alerts": {"LLMTargetDown": {"for": "5"}}}, "/alerts/LLMTargetDown/for"),
    "a label that the alert owns": (
        {"rules": {"alertLabels": {"severity": "page"}}},
        "/rules/alertLabels/severity",
    ),
    "a receiver without a way to tell": ({"receivers": [{"name": "a"}]}, "/receivers/0"),
    "the name of the receiver of nothing": (
        {"receivers": [{"name": "none", "webhook": {"url": "http://a.example.com"}}]},
        "/receivers/0/name",
    ),
    "a token in plain sight": (
        {"receivers": [{"name": "a", "slack": {"url": "https://hooks.example.com/T0", "urlSecret": SECRET}}]},
        "/receivers/0/slack/url",
    ),
    "a password in a URL": (
        {"receivers": [{"name": "a", "webhook": {"url": "https://user:word@example.com"}}]},
        "/receivers/0/webhook/url",
    ),
    "two URLs": (
        {"receivers": [{"name": "a", "webhook": {"url": "http://a.example.com", "urlSecret": SECRET}}]},
        "/receivers/0/webhook",
    ),
    "WeCom without anybody": (
        {"receivers": [{"name": "a", "wecom": {"corpId": "ww0", "agentId": "1", "secret": SECRET}}]},
        "/receivers/0/wecom",
    ),
    "a user without a password": (
        {
            "receivers": [
                {
                    "name": "a",
                    "email": {
                        "to": "a@example.com",
                        "from": "b@example.com",
                        "smarthost": "m:25",
                        "username": "u",
                    },
                }
            ]
        },
        "/receivers/0/email/passwordSecret",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_are_refused(case: str) -> None:
    values, pointer = REFUSED[case]
    found = values_violations(CHARTS / CHART, merge_values(archive(CHARTS / CHART), [values]))
    assert [one.pointer for one in found] == [pointer]


@pytest.mark.parametrize("page", ["docs/alerts.md", "charts/alert-rules/README.md"])
def test_the_examples_of_the_documentation_are_accepted(page: str, render: Render) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    examples = [
        block for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.S | re.M) if "receivers:" in block
    ]
    assert examples
    for example in examples:
        values = yaml.safe_load(example)
        assert values_violations(CHARTS / CHART, merge_values(archive(CHARTS / CHART), [values])) == []
        assert render(CHART, values).one("AlertmanagerConfig")


ROBOTS = {
    "https://oapi.dingtalk.com/robot/send": "DingTalk",
    "https://OAPI.dingtalk.com:443/robot/send": "DingTalk",
    "https://qyapi.weixin.qq.com/cgi-bin/webhook/send": "WeCom",
    "https://open.feishu.cn/open-apis/bot/v2/hook/0": "Feishu",
    "https://open.larksuite.com/open-apis/bot/v2/hook/0": "Lark",
}


@pytest.mark.parametrize("form", ["AlertmanagerConfig", "ConfigMap"])
@pytest.mark.parametrize("url", ROBOTS)
def test_a_robot_that_drops_alerts_with_http_200_is_refused(url: str, form: str, render: Render) -> None:
    """The key is named, and what to write; the address, which holds a token, is not repeated."""
    receivers = [
        {"name": "log", "webhook": {"url": "http://robot-adapter.monitoring:8080/alerts"}},
        {"name": "robot", "webhook": {"url": f"{url}?access_token=0123456789abcdef"}},
    ]
    with pytest.raises(RefusedError) as refusal:
        render(CHART, {"receivers": receivers, "alertmanager": {"format": form}})
    message = refusal.value.message
    assert f"receivers[1].webhook.url is a robot of {ROBOTS[url]}" in message
    key = {"DingTalk": "dingtalk", "WeCom": "wecomRobot"}.get(ROBOTS[url], "feishu")
    assert f"write {key}: {{urlSecret: {{name: alerts, key: {key.lower()}}}}}" in message
    assert "0123456789abcdef" not in message


@pytest.mark.parametrize("host", ["oapi.dingtalk.com.example.com", "robots.example.com/oapi.dingtalk.com"])
def test_an_adapter_named_after_a_robot_is_no_robot(host: str, render: Render) -> None:
    hook = {"receivers": [{"name": "robot", "webhook": {"url": f"http://{host}"}}]}
    receivers = render(CHART, hook).one("AlertmanagerConfig")["spec"]["receivers"]
    assert receivers[1]["webhookConfigs"][0]["url"] == f"http://{host}"


def test_a_receiver_without_a_known_key_is_told_the_missing_ones(tmp_path: Path) -> None:
    """Nothing to write is no `{}` after other keys, which was a YAML error of the chart's own file."""
    file = tmp_path / "values.yaml"
    file.write_text(
        'receivers: [{name: wecom, wecom: {url: "https://wecom.example.com"}}]\n', encoding="utf-8"
    )
    done = CliRunner().invoke(
        main, ["check", str(CHARTS / CHART), "-f", str(file), "--namespace", "monitoring"]
    )
    assert done.exit_code == 1
    assert "receivers[0].wecom.corpId is missing" in done.output
    assert "receivers[0].wecom.url is no known field" in done.output


def test_the_list_has_one_line_for_each_alert(render: Render) -> None:
    done = CliRunner().invoke(main, ["alerts", "list", "--chart", str(CHARTS / CHART)])
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()] == list(rules(render(CHART)))
