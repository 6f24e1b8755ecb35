"""Who is told: the rendered Alertmanager configuration, judged by Alertmanager's own tool."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import CHARTS, Render, merge
from tests.conftest import program

RECEIVERS = yaml.safe_load((CHARTS / "alert-rules/ci/receivers-values.yaml").read_text(encoding="utf-8"))
FILE = merge(RECEIVERS, {"alertmanager": {"format": "ConfigMap"}})
DEMO = {"alertname": "LLM5xxRateCritical", "service": "llm", "namespace": "llm-prod", "release": "demo"}
GPU = {"alertname": "GPUTemperatureHigh", "service": "llm", "hostname": "node-a", "gpu": "0"}


@pytest.fixture(scope="session")
def amtool_path() -> Path:
    return program("LLMOPS_AMTOOL", "bin/amtool")


def amtool(path: Path, *words: str) -> str:
    done = subprocess.run([str(path), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def config(render: Render, tmp_path: Path) -> Path:
    path = tmp_path / "alertmanager.yml"
    path.write_text(render("alert-rules", FILE, name="platform").one("ConfigMap")["data"]["alertmanager.yml"])
    return path


@pytest.mark.real
def test_alertmanager_accepts_it(amtool_path: Path, config: Path) -> None:
    told = amtool(amtool_path, "check-config", str(config))
    assert "SUCCESS" in told
    assert "4 receivers" in told
    assert "2 inhibit rules" in told


@pytest.mark.real
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({**DEMO, "severity": "critical"}, "oncall,model-team,log"),
        ({**DEMO, "severity": "warning"}, "model-team,log"),
        ({**DEMO, "severity": "critical", "namespace": "llm-test"}, "oncall,log"),
        ({**DEMO, "severity": "info"}, "log"),
        # No namespace: the alert of a GPU reaches those who did not name one.
        ({**GPU, "severity": "warning"}, "log"),
        ({**GPU, "severity": "critical"}, "oncall,log"),
        ({"alertname": "KubePodCrashLooping", "severity": "critical", "namespace": "llm-prod"}, "none"),
    ],
)
def test_alerts_reach_their_receivers(
    amtool_path: Path, config: Path, labels: dict[str, str], receivers: str
) -> None:
    pairs = [f"{name}={value}" for name, value in labels.items()]
    told = amtool(
        amtool_path,
        "config",
        "routes",
        "test",
        f"--config.file={config}",
        f"--verify.receivers={receivers}",
        *pairs,
    )
    assert told.strip() == receivers


def test_nothing_without_receivers(render: Render) -> None:
    for form in ("AlertmanagerConfig", "ConfigMap"):
        kinds = dict(render("alert-rules", {"alertmanager": {"format": form}}).kinds())
        assert set(kinds) == {"PrometheusRule"}


def test_no_secret_stands_in_the_file(config: Path) -> None:
    receivers = {
        item["name"]: item for item in yaml.safe_load(config.read_text(encoding="utf-8"))["receivers"]
    }
    mounted = "/etc/alertmanager/secrets/alerts"
    assert receivers["oncall"]["wechat_configs"][0]["api_secret_file"] == f"{mounted}/wecom"
    assert receivers["oncall"]["webhook_configs"][0]["url_file"] == f"{mounted}/pager-url"
    assert receivers["model-team"]["slack_configs"][0]["api_url_file"] == f"{mounted}/slack-url"
    assert receivers["model-team"]["email_configs"][0]["auth_password_file"] == f"{mounted}/mail-password"


def snake(name: str) -> str:
    """corpID becomes corp_id, authUsername auth_username."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def matchers(items: list[dict[str, str]]) -> list[str]:
    return [f'{item["name"]}{item["matchType"]}"{item["value"]}"' for item in items]


def test_the_operator_is_told_the_same(render: Render, config: Path) -> None:
    """Routes, inhibitions and receivers of both forms are one; only secrets are named in another way."""
    spec = render("alert-rules", RECEIVERS, name="platform").one("AlertmanagerConfig")["spec"]
    file = yaml.safe_load(config.read_text(encoding="utf-8"))

    (branch,) = file["route"]["routes"]
    assert matchers(spec["route"]["matchers"]) == branch["matchers"] == ['service="llm"']
    assert spec["route"]["receiver"] == branch["receiver"] == "none"
    for mine, other in zip(spec["route"]["routes"], branch["routes"], strict=True):
        assert matchers(mine.pop("matchers")) == other.pop("matchers")
        assert {snake(key): value for key, value in mine.items()} == other
    for mine, other in zip(spec["inhibitRules"], file["inhibit_rules"], strict=True):
        assert matchers(mine["sourceMatch"]) == other["source_matchers"]
        assert matchers(mine["targetMatch"]) == other["target_matchers"]
        assert mine["equal"] == other["equal"]
    for mine, other in zip(spec["receivers"], file["receivers"], strict=True):
        assert open_values(mine) == open_values(other)


def open_values(receiver: dict[str, Any]) -> dict[str, Any]:
    """A receiver without what names its secrets."""
    result: dict[str, Any] = {"name": receiver["name"]}
    for kind, entries in receiver.items():
        if kind != "name":
            (entry,) = entries
            result[snake(kind)] = {
                snake(key): value
                for key, value in entry.items()
                if not isinstance(value, dict) and not key.endswith("_file")
            }
    return result


@pytest.mark.real
@pytest.mark.parametrize("chinese", [False, True])
def test_the_message(amtool_path: Path, tmp_path: Path, chinese: bool) -> None:
    """The text that a channel shows, made by Alertmanager's own templates."""
    data = {
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "LLMTargetDown", "severity": "critical"},
                "annotations": {
                    "summary": "demo has no server that answers",
                    "description": "No server.",
                    "runbook_url": "https://docs.example.com/llmtargetdown.md",
                }
                | (
                    {"summary_zh": "demo 没有可用的服务实例", "description_zh": "没有实例。"}
                    if chinese
                    else {}
                ),
            }
        ]
    }
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    # amtool wants a template file even where the text is given.
    (tmp_path / "none.tmpl").write_text("", encoding="utf-8")
    told = amtool(
        amtool_path,
        "template",
        "render",
        f"--template.glob={tmp_path / 'none.tmpl'}",
        f"--template.data={tmp_path / 'data.json'}",
        f"--template.text={(CHARTS / 'alert-rules/files/message.tmpl').read_text(encoding='utf-8')}",
    )
    assert told.strip().splitlines() == [
        "[firing] critical LLMTargetDown",
        "demo 没有可用的服务实例" if chinese else "demo has no server that answers",
        "没有实例。" if chinese else "No server.",
        "https://docs.example.com/llmtargetdown.md",
    ]
