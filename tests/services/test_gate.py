"""The canary gate as a process: its HTTP, a Prometheus that goes and comes back, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmops.data import metrics
from llmops.services.gate import service
from llmops.services.gate.question import read_question
from llmops.services.gate.series import Source
from llmops.services.gate.state import Memory
from tests.conftest import program
from tests.jobs.conftest import get, prometheus_on
from tests.jobs.history import Series
from tests.services import gate_history
from tests.services.gate_history import CANARY, STABLE, blocks, steady, write
from tests.services.gates import POLICY, QUESTION, Gate, gate, request, said
from tests.waiting import PATIENCE, end, free_port, until

pytestmark = pytest.mark.real


@contextmanager
def prometheus(data: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    config = data.parent / "prometheus.yml"
    config.write_text("", encoding="utf-8")
    process = prometheus_on(port, data, config)
    try:
        yield process
    finally:
        end(process)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rollouts that go on now: ten minutes, a scrape a second, most of it still to come."""
    series = Series()
    scrape, gate_history.SCRAPE = gate_history.SCRAPE, 1
    try:
        begun = int(time.time()) - 20
        usual = steady(STABLE, 600, 40, 30, 20)
        write(series, "good", begun, [steady(CANARY, 600, 4, 3, 2), usual])
        write(series, "broken", begun, [steady(CANARY, 600, 4, 3, 2, failed=9), usual])
    finally:
        gate_history.SCRAPE = scrape
    return blocks(series, tmp_path_factory.mktemp("now"))


@pytest.fixture(scope="module")
def silent() -> Iterator[Gate]:
    """A gate without Prometheus."""
    with gate(f"http://127.0.0.1:{free_port()}", releases=("good", "smoked")) as made:
        yield made


def test_prometheus_goes_and_comes_back(data: Path, tmp_path: Path) -> None:
    port = free_port()
    with gate(f"http://127.0.0.1:{port}", f"--folder={tmp_path}") as asked:
        with prometheus(data, port):
            until(lambda: asked.ask()["look"] == 1, "a first look", every=0.2)
        status, answer = until(lambda: found if (found := asked.verdict())[0] != 200 else None, "no answer")
        assert (status, answer["status"]) == (422, "error")
        assert answer["error"].startswith(f"Prometheus at http://127.0.0.1:{port} cannot be reached")
        assert len(answer["error"].splitlines()) == 1
        # Nothing was decided and nothing forgotten.
        before = [one["look"] for one in asked.evidence()[-1]["looks"]]
        assert before == list(range(1, len(before) + 1))
        with prometheus(data, port):
            # A failure is repeated for some seconds.
            until(lambda: asked.verdict()[0] == 200, "the gate tries again", every=0.5)
            answers = asked.decided()
            assert {one["outcome"] for one in answers.values()} == {"pass"}
            (rollout,) = asked.evidence()
            # Requests of the time without Prometheus count as well: nine a second, since the beginning.
            seconds = rollout["looks"][-1]["gates"]["ttft"]["canary"] / 9
            assert seconds >= len(before) + 2
            assert rollout["looks"][-1]["gates"]["ttft"]["stable"] == seconds * 90
    # And it is all in the folder, for a person in the pod.
    shown = subprocess.run(
        [sys.executable, "-m", "llmops.services.gate", f"--folder={tmp_path}", "--show=llm/good"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(shown.stdout)["rollouts"] == [rollout]


def test_gates_that_ask_at_once_see_one_look(data: Path) -> None:
    """A window has just ended when a hundred ask, and none ends while they do: the clock is the test's own."""
    port, seconds = free_port(), [time.time()]
    question = read_question({**QUESTION, "policy": json.dumps(POLICY)})
    with prometheus(data, port):
        judge = service.Gate(Source(f"http://127.0.0.1:{port}", PATIENCE), Memory(), lambda: seconds[0])
        assert judge.verdict(question)["outcome"] == "wait"
        seconds[0] += POLICY["windowSeconds"]
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: judge.verdict(question), range(100)))
    assert {json.dumps(one) for one in answers} == {json.dumps(answers[0])}
    assert answers[0]["look"] == 1
    assert len(judge.evidence(question.release)["rollouts"][0]["looks"]) == 1


def test_a_bad_canary_fails(data: Path) -> None:
    port = free_port()
    with prometheus(data, port), gate(f"http://127.0.0.1:{port}") as asked:
        until(lambda: asked.ask(release="broken")["look"] == 1, "a first look", every=0.2)
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: asked.ask(release="broken"), range(40)))
        assert len({json.dumps(one) for one in answers if one["look"] == answers[0]["look"]}) == 1
        verdicts = asked.decided(release="broken")
        assert verdicts["errors"]["outcome"] == "fail"
        assert "5xx" in verdicts["errors"]["reason"]
        shown = asked.evidence("broken")[-1]["looks"]
        assert [one["look"] for one in shown] == list(range(1, len(shown) + 1))
        names_and_labels(asked.url)
        promtool(asked.url)


def names_and_labels(url: str) -> None:
    """Those of the catalogue."""
    known = {name: one for table in metrics.catalogues() for name, one in table.series.items()}
    shown = {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(get(f"{url}/metrics"))
        for sample in family.samples
    }
    assert shown == {name: set(known[name].labels) for name in shown}
    assert len(shown) == 6


def promtool(url: str) -> None:
    checked = subprocess.run(
        [str(program("LLMOPS_PROMTOOL", "bin/promtool")), "check", "metrics"],
        input=get(f"{url}/metrics"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def policy(**fields: Any) -> dict[str, Any]:
    return {"policy": {**POLICY, **fields}}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a matcher": ({"release": 'x"} or vector(1) #'}, "release must be a name"),
    "a path": ({"release": "../etc"}, "release must be a name"),
    "two hashes": ({"canary": "aaaa|bbbb"}, "canary must be a pod-template hash"),
    "any hash": ({"stable": ".*"}, "stable must be a pod-template hash"),
    "no hash": ({"canary": ""}, "canary must be a pod-template hash"),
    "a line more": ({"canary": "aaaa\n"}, "a question is llm_gate_verdict"),
    "no step": ({"step": "one"}, "step must be a number below 1"),
    "a step too many": ({"step": "1"}, "step must be a number below 1"),
    "no mode": ({"mode": "guess"}, "mode must be compare or absolute"),
    "no policy": ({"policy": "x"}, "the body is no JSON"),
    "a deep policy": ({"policy": "[" * 5000}, "the body is no JSON"),
    "a gate that is not judged": ({"gate": "itl"}, "gate must be one of policy.gates"),
    "another label": ({"evil": "1"}, "a question has namespace, release"),
    "no gate": (policy(gates=["cpu"]), "policy.gates must be some of ttft, itl"),
    "no gates": (policy(gates=[]), "policy.gates must be some of"),
    "no looks": (policy(looks=[]), "policy.looks must have a number for each"),
    "half a look": (policy(looks=["3"]), "policy.looks must be a number"),
    "other modes": (policy(modes=["compare", "compare"]), "policy.modes must have compare or absolute"),
    "all alpha": (policy(alpha=1), "policy.alpha must be 0.0001 to 0.5"),
    "no number": (policy(minRequests=True), "policy.minRequests must be a number"),
    "no window": (policy(windowSeconds=0), "policy.windowSeconds must be 1 to 600"),
    "infinite": (policy(stallSeconds=float("inf")), "the body is no JSON"),
    "a typing error": (policy(minRequest=1), "policy has gates, looks"),
    "a promise that all errors keep": (
        policy(slo={"errorRatio": 36000}),
        "policy.slo.errorRatio must be 1e-09 to 1",
    ),
    "no promise": (policy(slo={"p99": 1}), "policy.slo has e2eP95Seconds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_question_is_refused_with_a_sentence(silent: Gate, case: str) -> None:
    fields, sentence = REFUSED[case]
    status, answer = silent.verdict(**fields)
    assert (status, answer["status"]) == (400, "error")
    assert sentence in answer["error"]
    assert len(answer["error"].splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    ["", "up", "1", "llm_gate_verdict", 'llm_gate_verdict{a="b"} or vector(1)', "llm_gate_verdict{" * 999],
)
def test_what_is_no_selector_of_the_gate_is_refused(silent: Gate, text: str) -> None:
    assert silent.query(text)[0] == 400


def test_other_paths_say_what_there_is(silent: Gate) -> None:
    status, text = request(f"{silent.url}/v1/verdict", silent.api.token("llm"))
    assert (status, text.split(",")[0]) == (404, "there are /api/v1/query")
    assert request(f"{silent.url}/healthz") == (200, "ok\n")
    assert silent.evidence("smoked") == []


RESULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no kind": ({"kind": "vibes"}, "kind must be smoke or quality"),
    "no document": ({"document": {}}, "document must be an object"),
    "no checks": ({"document": {"checks": []}}, "document.checks must be a list of 1 to 200"),
    "not ok": ({"document": {"checks": [{"name": "x", "ok": "yes"}]}}, "ok, true or false"),
    "no name": ({"document": {"checks": [{"ok": True}]}}, "must have name"),
}


@pytest.mark.parametrize("case", RESULTS)
def test_what_is_no_result_is_refused(silent: Gate, case: str) -> None:
    fields, sentence = RESULTS[case]
    fine = {"kind": "smoke", "document": {"checks": [{"name": "models", "ok": True}]}, **fields}
    status, text = silent.report(fine["kind"], "smoked", fine["document"])
    assert status == 400
    assert sentence in text


def test_a_smoke_job_posts_and_the_controller_asks(silent: Gate) -> None:
    assert said(silent.result("smoke", "smoked")[1])["outcome"] == "wait"
    document = {"checks": [{"name": "models", "ok": True, "milliseconds": 4, "problem": ""}]}
    assert silent.report("smoke", "smoked", document) == (204, "")
    assert said(silent.result("smoke", "smoked")[1])["outcome"] == "pass"
    (rollout,) = silent.evidence("smoked")
    assert rollout["results"]["smoke"]["document"] == document
    assert (rollout["started"], rollout["looks"]) == (None, [])


def test_without_prometheus_it_does_not_start() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llmops.services.gate"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin"},
    )
    assert done.returncode == 2
    assert done.stderr == "--prometheus is missing: write a URL such as http://prometheus.monitoring:9090\n"
