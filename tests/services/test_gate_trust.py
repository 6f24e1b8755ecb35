"""Whom the gate answers, and whom it does not: strangers, other namespaces, Jobs, and the controller itself."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.jobs import JobError
from llmops.services.api_server import Api, in_cluster
from llmops.services.gate.cluster import Cluster, looks_like_account, owner
from llmops.services.gate.question import Release
from llmops.services.gate.series import Source
from llmops.services.gate.server import admission, routes
from llmops.services.gate.service import Gate as Judge
from llmops.services.gate.state import MOST_BYTES, MOST_RELEASES, Memory
from llmops.services.http import Service, listen
from tests.services.api_server import ApiServer, account, api_server, cluster_of
from tests.services.gate_history import CANARY, STABLE
from tests.services.gates import NAMESPACE, POLICY, QUESTION, Gate, request, said, selector

FINE = {"checks": [{"name": "models", "ok": True}]}


class Running:
    """A gate in this process, whose clock is the test's."""

    def __init__(self, folder: Path, api: ApiServer | None) -> None:
        from threading import Thread

        self.now = 1_800_000_000.0
        self.cluster = cluster_of(api, folder / "account") if api else None
        self.judge = Judge(Source("http://127.0.0.1:9"), Memory(None), lambda: self.now)
        listener = listen("127.0.0.1", 0)
        self.service = Service(
            routes(self.judge, self.cluster, lambda: self.now), listener, admit=admission(self.cluster)
        )
        self.thread = Thread(target=self.service.run)
        self.thread.start()
        self.gate = Gate(f"http://127.0.0.1:{listener.getsockname()[1]}", api or ApiServer())

    def end(self) -> None:
        self.service.stop()
        self.thread.join()


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with api_server((NAMESPACE, "good"), (NAMESPACE, "smoked"), ("other", "theirs")) as server:
        yield server


@pytest.fixture
def running(tmp_path: Path, api: ApiServer) -> Iterator[Running]:
    made = Running(tmp_path, api)
    yield made
    made.end()


@pytest.fixture
def gate(running: Running) -> Gate:
    return running.gate


QUESTIONS = (
    ("GET", "/api/v1/query"),
    ("POST", "/api/v1/query"),
    ("POST", "/v1/results"),
    ("GET", f"/v1/evidence/{NAMESPACE}/good"),
    # What the chart of the version before asks.
    ("POST", "/v1/verdict"),
    ("POST", "/v1/results/verdict"),
)


@pytest.mark.parametrize("token", ["", "guessed", "a.b.c", "x" * 9000])
@pytest.mark.parametrize(("method", "path"), QUESTIONS)
def test_a_stranger_gets_no_answer_to_anything(
    gate: Gate, api: ApiServer, method: str, path: str, token: str
) -> None:
    calls = len(api.calls)
    status, text = request(gate.url + path, token, b"{}" if method == "POST" else None)
    assert status == 401
    assert len(text.splitlines()) == 1
    # Nor is the API server asked about what cannot be a token.
    assert len(api.calls) == calls


def test_outside_a_cluster_it_answers_its_health_and_nothing_else(tmp_path: Path) -> None:
    outside = Running(tmp_path, None)
    try:
        assert request(f"{outside.gate.url}/healthz") == (200, "ok\n")
        for method, path in (*QUESTIONS, ("GET", "/metrics")):
            status, text = request(outside.gate.url + path, "x", b"{}" if method == "POST" else None)
            assert (status, text.split(" ")[0]) == (401, "outside")
    finally:
        outside.end()


def test_a_namespace_asks_about_itself_only(gate: Gate, api: ApiServer) -> None:
    question = selector("llm_gate_verdict", QUESTION)
    assert gate.query(question)[0] == 200
    assert gate.query(question, namespace="other")[0] == 403
    evidence = f"{gate.url}/v1/evidence/{NAMESPACE}/good"
    assert request(evidence, api.token(NAMESPACE))[0] == 200
    assert request(evidence, api.job(NAMESPACE))[0] == 200
    assert request(evidence, api.token("other"))[0] == 403
    assert request(evidence, api.job("other"))[0] == 403


def test_a_result_comes_from_a_job_of_its_namespace(gate: Gate, api: ApiServer) -> None:
    assert gate.report("smoke", "smoked", FINE, api.job("other"))[0] == 403
    # Neither a token for somebody else nor the controller's is a Job's.
    assert gate.report("smoke", "smoked", FINE, api.job(NAMESPACE, "https://kubernetes.default"))[0] == 401
    assert gate.report("smoke", "smoked", FINE, api.token(NAMESPACE))[0] == 401
    forged = api.job(NAMESPACE)
    del api.tokens[forged]
    assert gate.report("smoke", "smoked", FINE, forged)[0] == 401
    assert said(gate.result("smoke", "smoked")[1])["outcome"] == "wait"
    assert gate.report("smoke", "smoked", FINE) == (204, "")
    assert said(gate.result("smoke", "smoked")[1])["outcome"] == "pass"


def test_a_policy_is_fixed_by_the_first_question(gate: Gate, running: Running) -> None:
    assert gate.verdict()[0] == 200
    evil = {**POLICY, "windowSeconds": 1, "minRequests": 1, "looks": [1], "alpha": 0.0001}
    status, answer = gate.verdict(policy=evil)
    assert (status, answer["status"]) == (409, "error")
    assert "the policy of its first question" in answer["error"]
    running.now += 0.5
    assert gate.verdict()[0] == 200
    # Another version is another rollout, with whatever policy its release has then.
    assert gate.verdict(canary="other1", policy=evil)[0] == 200


def test_only_releases_that_there_are_can_be_asked_about(gate: Gate, api: ApiServer) -> None:
    status, answer = gate.verdict(release="made-up")
    assert (status, answer["error"]) == (400, "there is no Rollout made-up in the namespace llm")
    # One that is younger than the gate's last look.
    api.rollouts.append((NAMESPACE, "made-up"))
    assert gate.verdict(release="made-up")[0] == 200


def test_where_tokens_cannot_be_judged_nothing_passes(gate: Gate, api: ApiServer) -> None:
    token = api.job(NAMESPACE)
    api.away = True
    assert gate.report("smoke", "smoked", FINE, token)[0] == 503
    assert said(gate.result("smoke", "smoked")[1])["outcome"] == "wait"


# --- the Secret ----------------------------------------------------------------------------------------------------


def test_the_secret_is_written_once_and_made_anew_where_it_was_taken_away(
    tmp_path: Path, api: ApiServer
) -> None:
    cluster = cluster_of(api, tmp_path / "account")
    assert set(api.secrets) == {NAMESPACE, "other"}
    first = api.token(NAMESPACE)
    cluster.refresh()
    assert api.token(NAMESPACE) == first
    assert (cluster.asks_for(first), cluster.asks_for(api.token("other"))) == (NAMESPACE, "other")
    del api.secrets[NAMESPACE]
    cluster.refresh()
    assert cluster.asks_for(api.token(NAMESPACE)) == NAMESPACE
    assert cluster.asks_for(first) is None
    # A gate that was started anew knows none and reads none: it writes another one over it.
    again = cluster_of(api, tmp_path / "account")
    assert again.asks_for(api.token(NAMESPACE)) == NAMESPACE
    assert {method for method, path in api.calls if "/secrets" in path} == {"PATCH"}


def test_two_gates_do_not_take_a_namespace_from_each_other(tmp_path: Path, api: ApiServer) -> None:
    first = cluster_of(api, tmp_path / "account", "monitoring.llm-canary-gate")
    token = api.token(NAMESPACE)
    with pytest.raises(JobError, match=r"is another gate's: have one gate .*conflict with .monitoring"):
        cluster_of(api, tmp_path / "account", "team-a.llm-canary-gate")
    first.refresh()
    assert api.token(NAMESPACE) == token
    assert first.asks_for(token) == NAMESPACE


def test_a_gate_is_known_by_its_deployment(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("monitoring\n")
    assert owner(tmp_path, "llm-canary-gate-7d9f5c-x2x4z") == "monitoring.llm-canary-gate"
    assert owner(tmp_path / "none", "gate") == ".gate"


def test_a_namespace_without_rollouts_loses_its_say(tmp_path: Path, api: ApiServer) -> None:
    cluster = cluster_of(api, tmp_path / "account")
    token = api.token("other")
    api.rollouts.remove(("other", "theirs"))
    cluster.refresh()
    assert cluster.asks_for(token) is None


def test_a_release_that_never_asked_is_seen_by_prometheus(tmp_path: Path, api: ApiServer) -> None:
    """One whose steps ask the gate, not one that has none; strangers read the page without a token."""
    gate = [{"setWeight": 5}, {"analysis": {"templates": [{"templateName": "good-gate"}]}}]
    api.steps = {(NAMESPACE, "good"): gate, (NAMESPACE, "smoked"): [{"pause": {}}]}
    running = Running(tmp_path, api)
    try:
        lines = request(f"{running.gate.url}/metrics")[1].splitlines()
    finally:
        running.end()
    assert [line for line in lines if line.startswith("llm_gate_rollout{")] == [
        f'llm_gate_rollout{{namespace="{NAMESPACE}",release="good"}} 1'
    ]


def test_an_api_server_that_refuses_is_one_sentence(tmp_path: Path, api: ApiServer) -> None:
    api.away = True
    with pytest.raises(JobError, match=r"^Rollouts cannot be listed: the API server says 503 etcd"):
        Cluster(Api(api.url, account(tmp_path / "account"))).refresh()
    with pytest.raises(JobError, match=r"^the API server cannot be asked: "):
        Cluster(Api("http://127.0.0.1:9", account(tmp_path / "account"))).refresh()


def test_a_pod_without_a_service_account_is_outside(tmp_path: Path) -> None:
    variables = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert in_cluster(variables, tmp_path) is None
    assert in_cluster({}, account(tmp_path / "account")) is None
    found = in_cluster(variables, account(tmp_path / "account"))
    assert found is not None
    assert found.url == "https://[fd00::1]:443"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "a.W10.c", "a.e30.c", "a." + "W" * 8000 + ".c"])
def test_what_says_nothing_of_the_gate_is_not_shown_to_the_api_server(token: str) -> None:
    assert not looks_like_account(token)


# --- budgets -------------------------------------------------------------------------------------------------------


def test_deep_and_padded_documents_take_no_room(gate: Gate) -> None:
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    status, text = gate.report("smoke", "smoked", {**FINE, "x": deep})
    assert (status, "nested more than" in text) == (400, True)
    padding = [[] for _ in range(15000)]
    assert gate.report("smoke", "smoked", {**FINE, "x": padding})[0] == 204
    (rollout,) = gate.evidence("smoked")
    assert rollout["results"]["smoke"]["document"] == {
        "checks": [{"name": "models", "ok": True, "problem": ""}]
    }
    assert gate.verdict(release="smoked")[0] == 200


def test_a_release_has_a_share_of_bytes_and_its_state_goes_on(tmp_path: Path) -> None:
    from llmops.services.gate.state import Rollout

    memory, release = Memory(tmp_path), Release(NAMESPACE, "good")
    for number in range(5):
        rollout = memory.add(release, Rollout(f"c{number}", STABLE, began=1.0), now=1.0)
        verdict = {"outcome": "wait", "reason": "r" * 1000, "statistic": 1.0, "bound": None}
        look = {"at": "2026-01-01T00:00:00Z", "step": 0, "look": 1, "mode": "compare", "outcome": "wait"}
        rollout.looks = [{**look, "reason": "", "gates": {str(gate): verdict for gate in range(11)}}] * 100
        memory.save(release)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size <= MOST_BYTES
    assert memory.rollouts(release)[-1].last is None
    assert Memory(tmp_path).rollouts(release)[-1].looks == memory.rollouts(release)[-1].looks


def test_made_up_rollouts_of_one_namespace_lock_nobody_else_out() -> None:
    from llmops.services.gate.state import Rollout

    memory = Memory()
    for number in range(MOST_RELEASES):
        memory.add(Release("evil", f"r{number}"), Rollout(CANARY, called=100.0), now=100.0)
    with pytest.raises(JobError, match="there is room for no more"):
        memory.add(Release("evil", "one-more"), Rollout(CANARY, called=100.0), now=100.0)
    memory.add(Release(NAMESPACE, "good"), Rollout(CANARY, called=100.0), now=100.0)
    assert memory.rollouts(Release(NAMESPACE, "good"))


DAMAGED = {
    "deep": "[" * 100000,
    "half": '{"namespace": "llm", ',
    "no rollouts": '{"namespace": "llm", "release": "good", "rollouts": 5}',
    "a word for a number": '{"namespace": "llm", "release": "good", "rollouts": [{"canary": "a", "stable": 5}]}',
    "no object": "[]",
    "a huge number": '{"namespace": "llm", "release": "good", "rollouts": [' + "9" * 5000 + "]}",
    "not UTF-8": b"\xff\xfe",
    "large": " " * (3 * MOST_BYTES),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_state_is_dropped_with_a_line(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = DAMAGED[case]
    (tmp_path / "llm_good.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    memory = Memory(tmp_path)
    assert memory.rollouts(Release(NAMESPACE, "good")) == []
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dropped the state in 'llm_good.json': ")


def test_no_token_is_ever_written_to_the_log(
    gate: Gate, api: ApiServer, capfd: pytest.CaptureFixture[str]
) -> None:
    gate.verdict()
    gate.report("smoke", "smoked", FINE, api.job("other"))
    request(f"{gate.url}/v1/evidence/{NAMESPACE}/good?token={api.token('other')}", api.token("other"))
    words = io.StringIO()
    words.writelines(capfd.readouterr())
    for token in (api.token(NAMESPACE), api.token("other"), *api.tokens):
        assert token not in words.getvalue()
    assert json.dumps(api.secrets[NAMESPACE]["data"]) not in words.getvalue()
