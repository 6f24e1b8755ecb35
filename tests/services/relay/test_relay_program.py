"""The relay as a process: behind a real Alertmanager, before robots that answer as their vendors say, and killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from llmops.cli import main
from llmops.data import metrics
from tests.charts.conftest import Render
from tests.conftest import program
from tests.services.relay.fakes import SECRET, TOKEN, Robot, robot, said
from tests.services.relay.test_relay_messages import alert, webhook
from tests.waiting import PATIENCE, free_port, until

pytestmark = pytest.mark.real


@dataclass
class Relay:
    """`log` is what it wrote to stderr; `port` stays the same over restarts."""

    folder: Path
    receivers: list[dict[str, Any]]
    port: int
    arguments: tuple[str, ...] = ()
    name: str = "relay"
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(encoding="utf-8")

    def start(self) -> None:
        command = [sys.executable, "-m", "llmops.services.relay", "--host=127.0.0.1", f"--port={self.port}"]
        command += [f"--folder={self.folder}", *(f"--receiver={json.dumps(one)}" for one in self.receivers)]
        command += self.arguments
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, env={**os.environ, "HOSTNAME": self.name})
        until(lambda: self.get("/healthz") or True, "the relay answers")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def call(self, path: str, body: Any = None) -> tuple[int, str]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def get(self, path: str) -> str:
        status, text = self.call(path)
        assert status == 200, text
        return text

    def metric(self, name: str, **labels: str) -> float:
        """The sum over what has these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics"))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def receiver(folder: Path, of: Robot, name: str = "team", **more: Any) -> dict[str, Any]:
    """What the command line says of a robot; its secrets in files."""
    (folder / f"{name}-url").write_text(of.url + "\n")
    made = {"name": name, "kind": of.kind, "url_file": str(folder / f"{name}-url"), **more}
    if of.secret:
        (folder / f"{name}-sign").write_text(of.secret)
        made["secret_file"] = str(folder / f"{name}-sign")
    return made


@contextlib.contextmanager
def relaying(folder: Path, *receivers: dict[str, Any]) -> Iterator[Relay]:
    relay = Relay(folder, list(receivers), free_port())
    relay.start()
    try:
        yield relay
    finally:
        relay.kill()


ALL = [("dingtalk", SECRET), ("wecomRobot", ""), ("feishu", SECRET), ("slack", ""), ("webhook", "")]


def test_alerts_of_a_real_alertmanager_reach_every_kind_of_robot(render: Render, tmp_path: Path) -> None:
    """The chart's own configuration: firing and resolved, and no secret in any log."""
    values: dict[str, Any] = {
        "alertmanager": {"format": "ConfigMap", "groupWait": "1s", "groupInterval": "1s"},
        "receivers": [
            {
                "name": "oncall",
                "dingtalk": {"urlSecret": {"name": "s", "key": "u"}, "signSecret": {"name": "s", "key": "x"}},
                "wecomRobot": {"urlSecret": {"name": "s", "key": "u"}},
                "feishu": {"urlSecret": {"name": "s", "key": "u"}, "signSecret": {"name": "s", "key": "x"}},
            }
        ],
    }
    with contextlib.ExitStack() as stack:
        robots = {kind: stack.enter_context(robot(kind, secret)) for kind, secret in ALL[:3]}
        names = {"dingtalk": "oncall-dingtalk", "wecomRobot": "oncall-wecom-robot", "feishu": "oncall-feishu"}
        relay = stack.enter_context(
            relaying(tmp_path, *(receiver(tmp_path, robots[kind], name) for kind, name in names.items()))
        )
        text = render("alert-rules", values, namespace="monitoring").one("ConfigMap")["data"][
            "alertmanager.yml"
        ]
        here = text.replace("llm-alert-relay.monitoring.svc:8080", f"127.0.0.1:{relay.port}")
        assert here.count(f"127.0.0.1:{relay.port}") == 3
        port = stack.enter_context(alertmanager(tmp_path, here))
        page = {"service": "llm", "severity": "critical", "namespace": "llm-prod", "release": "demo"}
        fired = [{"labels": {**page, "alertname": "LLMTargetDown", "pod": f"demo-{one}"}} for one in range(3)]
        post_alerts(port, fired)
        for one in robots.values():
            until(lambda one=one: pods(one, "FIRING") == {0, 1, 2}, "the robot shows all three")
        post_alerts(port, [{**each, "endsAt": "2026-01-01T00:00:00Z"} for each in fired])
        for one in robots.values():
            until(lambda one=one: pods(one, "RESOLVED") == {0, 1, 2}, "the robot shows their ends")
            assert one.refused == []
        for written in (relay.log, (tmp_path / "alertmanager.log").read_text(encoding="utf-8")):
            assert TOKEN not in written
            assert SECRET not in written


def pods(of: Robot, status: str) -> set[int]:
    """Of which servers a chat shows an alert of that status."""
    blocks = [block for text in of.texts for block in text.split("**[")[1:] if block.startswith(status)]
    return {number for number in range(3) for block in blocks if f"pod=demo-{number}" in block}


@contextlib.contextmanager
def alertmanager(folder: Path, config: str) -> Iterator[int]:
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    command = [
        str(program("LLMOPS_ALERTMANAGER", "bin/alertmanager")),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (
        (folder / "alertmanager.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready"), "Alertmanager answers")
            yield port
        finally:
            process.terminate()


def post_alerts(port: int, alerts: list[dict[str, Any]]) -> None:
    url = f"http://127.0.0.1:{port}/api/v2/alerts"
    request = urllib.request.Request(url, json.dumps(alerts).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
        pass


def test_killed_between_the_robots_answer_and_its_record_it_tells_twice_and_counts_it(tmp_path: Path) -> None:
    """Exactly there: the robot has shown the message, and kills the relay before the relay knows."""
    with robot("dingtalk", SECRET) as dingtalk, relaying(tmp_path, receiver(tmp_path, dingtalk)) as relay:
        victim = relay.process
        assert victim is not None
        dingtalk.after = lambda: os.kill(victim.pid, signal.SIGKILL)
        relay.call("/alertmanager/team", webhook(alert("LLMTargetDown")))
        victim.wait(PATIENCE)
        dingtalk.after = lambda: None
        relay.start()
        until(lambda: relay.metric("llm_relay_requests_sent_total") == 1, "it is told again")
        assert len(dingtalk.texts) == 2
        assert relay.metric("llm_relay_possible_duplicates_total") == 1
        assert "1 messages were on their way" in relay.log


def test_kills_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    """Senders that try again after an error, as Alertmanager does; the robot ends the relay at every fifth message."""
    kills = []
    with robot("webhook") as chat, relaying(tmp_path, receiver(tmp_path, chat)) as relay:

        def end_it() -> None:
            if len(chat.texts) % 5 == 0 and len(kills) < 6 and relay.process is not None:
                os.kill(relay.process.pid, signal.SIGKILL)
                kills.append(len(chat.texts))

        chat.after = end_it
        ended = threading.Event()

        def keep_up() -> None:
            while not ended.wait(0.05):
                if relay.process is not None and relay.process.poll() is not None:
                    relay.start()

        keeper = threading.Thread(target=keep_up, daemon=True)
        keeper.start()
        for number in range(40):
            one = webhook(alert("LLMTargetDown", number), group=f"group {number}")
            until(lambda one=one: relay.call("/alertmanager/team", one)[0] == 200, "it is taken", every=0.1)
            until(lambda number=number: shown(chat, number), "it is told")
        until(lambda: relay.metric("llm_relay_waiting_messages") == 0, "all is recorded", every=0.1)
        ended.set()
        keeper.join(PATIENCE)
        assert len(kills) == 6
        assert sum(shown(chat, number) for number in range(40)) == 46
        assert relay.metric("llm_relay_possible_duplicates_total") == 6


def shown(chat: Robot, number: int) -> int:
    """How often the chat shows an alert."""
    return sum(text.count(f"release=demo-{number}\n") for text in chat.texts)


def test_a_test_shows_what_the_robot_says(tmp_path: Path) -> None:
    with (
        robot("dingtalk", keyword="告警") as dingtalk,
        relaying(tmp_path, receiver(tmp_path, dingtalk)) as relay,
    ):
        status, text = relay.call("/test/team", b"")
        assert (status, json.loads(text)["outcome"]) == (502, "configuration")
        assert "keywords not in content" in text
        dingtalk.keyword = ""
        status, text = relay.call("/test/team", b"")
        assert (status, json.loads(text)["outcome"]) == (200, "sent")
        assert relay.call("/test/nobody", b"")[0] == 404


def test_what_no_robot_takes_is_seen_and_can_be_tried_again(tmp_path: Path) -> None:
    with robot("wecomRobot") as wecom, relaying(tmp_path, receiver(tmp_path, wecom)) as relay:
        wecom.before = lambda: said({"errcode": 40058, "errmsg": "invalid Request Parameter"})
        relay.call("/events/team", {"message": "the sync failed", "severity": "warning"})
        until(lambda: relay.metric("llm_relay_dead_letters", receiver="team") == 1, "it is put aside")
        (dead,) = json.loads(relay.get("/dead-letters"))
        assert "the sync failed" in dead["text"]
        assert "40058" in dead["reason"]
        relay.call("/dead-letters/retry", b"")
        until(lambda: relay.metric("llm_relay_dead_letters_total") == 2, "it is put aside again")
        wecom.before = lambda: ...
        assert relay.call("/dead-letters/retry", b"")[0] == 200
        until(lambda: wecom.texts, "it is told")
        assert relay.metric("llm_relay_dead_letters") == 0
        wecom.before = lambda: said({"errcode": 40058, "errmsg": "invalid Request Parameter"})
        relay.call("/events/team", {"message": "another"})
        until(lambda: relay.metric("llm_relay_dead_letters") == 1, "it is put aside")
        assert json.loads(relay.call("/dead-letters/discard", b"")[1]) == {"discarded": 1}
        assert relay.metric("llm_relay_dead_letters") == 0


HOSTILE: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"alerts": []}',
    b'{"alerts": [3]}',
    b'{"alerts": {}}',
    b'{"alerts": [{}], "alerts": [{}]}',
    b'{"alerts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"\xff\xfe",
    b'{"alerts": [{"labels": 1e999}]}',
]


def test_strange_bodies_are_one_sentence_and_stop_nothing(tmp_path: Path) -> None:
    with robot("webhook") as chat, relaying(tmp_path, receiver(tmp_path, chat)) as relay:
        for body in HOSTILE:
            status, text = relay.call("/alertmanager/team", body)
            assert status == 400, body[:60]
            assert text.count("\n") == 1
        with contextlib.suppress(OSError):
            assert relay.call("/alertmanager/team", b"x" * (4 * 2**20 + 1))[0] == 413
        # Labels of another type than text are left out, and the alert is told.
        odd = {"labels": {"alertname": "Odd", "severity": 3}, "annotations": None, "startsAt": 4}
        assert relay.call("/alertmanager/team", {"alerts": [odd], "groupLabels": 3})[0] == 200
        until(lambda: chat.texts, "it is told")
        assert "Odd" in chat.texts[0]
        assert "Traceback" not in relay.log


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("{}", "name must be"),
        ('{"name": "a", "kind": "pager", "url_file": "x"}', "kind must be one of dingtalk"),
        ('{"name": "a", "kind": "slack"}', "url_file is missing"),
        ('{"name": "a", "kind": "slack", "url": "x"}', "there is no url"),
        ("no JSON", "the body is no JSON"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(tmp_path: Path, given: str, problem: str) -> None:
    command = [sys.executable, "-m", "llmops.services.relay", f"--folder={tmp_path}", f"--receiver={given}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_series_are_those_of_the_catalogue(tmp_path: Path) -> None:
    known = {name: one for table in metrics.catalogues() for name, one in table.series.items()}
    with robot("wecomRobot") as wecom, relaying(tmp_path, receiver(tmp_path, wecom)) as relay:
        wecom.before = lambda: said({"errcode": 40058, "errmsg": "no"})
        relay.call("/events/team", {"message": "x"})
        until(lambda: relay.metric("llm_relay_dead_letters") == 1, "it is put aside")
        for family in text_string_to_metric_families(relay.get("/metrics")):
            for sample in family.samples:
                assert set(sample.labels) - {"le"} <= set(known[sample.name].labels), sample.name


def test_the_command_that_tests_a_receiver(tmp_path: Path) -> None:
    with (
        robot("dingtalk", keyword="x") as dingtalk,
        relaying(tmp_path, receiver(tmp_path, dingtalk)) as relay,
    ):
        at = ["alerts", "test", "team", "--relay", f"http://127.0.0.1:{relay.port}"]
        refused = CliRunner().invoke(main, at)
        assert refused.exit_code == 1
        assert "team (dingtalk): configuration: " in refused.output
        assert "keywords not in content" in refused.output
        dingtalk.keyword = ""
        assert CliRunner().invoke(main, at).exit_code == 0
        nobody = CliRunner().invoke(
            main, ["alerts", "test", "nobody", "--relay", f"http://127.0.0.1:{relay.port}"]
        )
        assert nobody.exit_code == 2
        assert "there is no receiver of that name; there are team" in nobody.output
    gone = CliRunner().invoke(main, at)
    assert gone.exit_code == 2
    assert "does not answer" in gone.output
