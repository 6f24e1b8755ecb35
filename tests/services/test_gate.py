"""The canary gate as a process: its HTTP, a Prometheus that goes and comes back, and what it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmops.data import metrics
from llmops.services.gate.question import read_question
from llmops.services.gate.series import Source
from llmops.services.gate.service import Gate
from llmops.services.gate.state import Memory
from tests.conftest import program
from tests.jobs.conftest import get, prometheus_on
from tests.jobs.history import Series
from tests.services import gate_history
from tests.services.gate_history import CANARY, STABLE, blocks, steady, write
from tests.services.test_results import post
from tests.waiting import PATIENCE, end, free_port, until

pytestmark = pytest.mark.real

POLICY: dict[str, Any] = {
    "gates": ["ttft", "errors", "stall", "restarts"],
    "looks": [3],
    "windowSeconds": 1,
    "minRequests": 20,
    "slo": {"ttftP95Seconds": 2, "errorRatio": 0.01},
}
QUESTION: dict[str, Any] = {
    "namespace": "llm",
    "release": "good",
    "canary": CANARY,
    "stable": STABLE,
    "step": "0",
    "mode": "compare",
    "policy": POLICY,
}


@contextmanager
def prometheus(data: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    config = data.parent / "prometheus.yml"
    config.write_text("", encoding="utf-8")
    process = prometheus_on(port, data, config)
    try:
        yield process
    finally:
        end(process)


@contextmanager
def gate(prometheus_url: str, *arguments: str) -> Iterator[str]:
    """A gate on a free port of loopback, which must end when told. It waits long for a Prometheus that is slow."""
    command = [sys.executable, "-m", "llmops.services.gate", "--host=127.0.0.1", "--port=0"]
    command += [f"--timeout={PATIENCE:g}"]
    process = subprocess.Popen(
        [*command, f"--prometheus={prometheus_url}", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        port = process.stderr.readline().rpartition(" ")[2].strip()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.stderr.read()
        process.stderr.close()
        process.stdout.close()


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
def silent() -> Iterator[str]:
    """A gate without Prometheus."""
    with gate(f"http://127.0.0.1:{free_port()}") as url:
        yield url


def ask(url: str, **fields: Any) -> dict[str, Any]:
    """The answer; where an earlier question takes the gate long, it is asked again, as the controller does."""

    def answer() -> tuple[int, str] | None:
        found = post(url, {**QUESTION, **fields}, "/v1/verdict")
        return None if "is still being answered" in found[1] else found

    status, text = until(answer, "an answer")
    assert status == 200, text
    return json.loads(text)  # type: ignore[no-any-return]


def until_decided(url: str, **fields: Any) -> dict[str, Any]:
    said: list[dict[str, Any]] = []

    def decided() -> bool:
        said.append(ask(url, **fields))
        return said[-1]["outcome"] != "wait"

    until(decided, "a verdict", every=0.3)
    return said[-1]


def evidence(url: str, release: str = "good") -> list[dict[str, Any]]:
    return list(json.loads(get(f"{url}/v1/evidence/llm/{release}"))["rollouts"])


def refused(url: str) -> tuple[int, str] | None:
    found = post(url, QUESTION, "/v1/verdict")
    return found if found[0] != 200 else None


def test_prometheus_goes_and_comes_back(data: Path, tmp_path: Path) -> None:
    port = free_port()
    with gate(f"http://127.0.0.1:{port}", f"--folder={tmp_path}") as url:
        with prometheus(data, port):
            assert ask(url)["outcome"] == "wait"
            until(lambda: ask(url)["look"] == 1, "the first window ends", every=0.1)
        status, text = until(lambda: refused(url), "Prometheus is asked for the next window", every=0.1)
        assert status == 503
        assert text.startswith(f"Prometheus at http://127.0.0.1:{port} cannot be reached")
        assert len(text.splitlines()) == 1
        # Nothing was decided and nothing forgotten.
        assert [one["look"] for one in evidence(url)[-1]["looks"]] == [1]
        with prometheus(data, port):
            # A failure is repeated for some seconds.
            until(lambda: post(url, QUESTION, "/v1/verdict")[0] != 503, "the gate tries again", every=0.5)
            answer = until_decided(url)
            assert answer["outcome"] == "pass"
            (rollout,) = evidence(url)
            # Requests of the time without Prometheus count as well: nine a second, since the beginning.
            seconds = rollout["looks"][-1]["gates"]["ttft"]["canary"] / 9
            assert seconds >= 6
            assert rollout["looks"][-1]["gates"]["ttft"]["stable"] == seconds * 90
    # And it is all in the folder.
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text())["rollouts"][0]["looks"][0]["look"] == 1


def test_gates_that_ask_at_once_see_one_look(data: Path) -> None:
    """A window has just ended when a hundred ask, and none ends while they do: the clock is the test's own."""
    port, seconds = free_port(), [time.time()]
    question = read_question(json.dumps(QUESTION).encode())
    with prometheus(data, port):
        service = Gate(Source(f"http://127.0.0.1:{port}", PATIENCE), Memory(), lambda: seconds[0])
        assert service.verdict(question)["outcome"] == "wait"
        seconds[0] += POLICY["windowSeconds"]
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: service.verdict(question), range(100)))
    assert {json.dumps(one) for one in answers} == {json.dumps(answers[0])}
    assert answers[0]["look"] == 1
    assert len(service.evidence(question.release)["rollouts"][0]["looks"]) == 1


def test_a_bad_canary_fails(data: Path) -> None:
    port = free_port()
    with prometheus(data, port), gate(f"http://127.0.0.1:{port}") as url:
        answer = until_decided(url, release="broken")
        assert (answer["outcome"], answer["gates"]["errors"]["outcome"]) == ("fail", "fail")
        assert "5xx" in answer["reason"]
        shown = evidence(url, "broken")[-1]["looks"]
        assert [one["look"] for one in shown] == list(range(1, len(shown) + 1))
        names_and_labels(url)
        promtool(url)


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
    "a path": ({"namespace": "../etc"}, "namespace must be a name"),
    "two hashes": ({"canary": "aaaa|bbbb"}, "canary must be a pod-template hash"),
    "any hash": ({"stable": ".*"}, "stable must be a pod-template hash"),
    "no hash": ({"canary": ""}, "canary must be a pod-template hash"),
    "a line more": ({"canary": "aaaa\n"}, "canary must be a pod-template hash"),
    "no step": ({"step": "one"}, "step must be a number below 1"),
    "a step too many": ({"step": "1"}, "step must be a number below 1"),
    "no mode": ({"mode": "guess"}, "mode must be compare or absolute"),
    "no policy": ({"policy": None}, "policy must be an object"),
    "no gate": (policy(gates=["cpu"]), "policy.gates must be some of ttft, itl"),
    "no gates": (policy(gates=[]), "policy.gates must be some of"),
    "no looks": (policy(looks=[]), "policy.looks must have a number for each"),
    "half a look": (policy(looks=["3"]), "policy.looks must be a number"),
    "other modes": (policy(modes=["compare", "compare"]), "policy.modes must have compare or absolute"),
    "all alpha": (policy(alpha=1), "policy.alpha must be 0.0001 to 0.5"),
    "no number": (policy(minRequests=True), "policy.minRequests must be a number"),
    "no window": (policy(windowSeconds=0), "policy.windowSeconds must be 1 to 600"),
    "infinite": (policy(stallSeconds=float("inf")), "policy.stallSeconds must be a number"),
    "a typing error": (policy(minRequest=1), "policy must be an object with some of gates, looks"),
    "no promise": (policy(slo={"p99": 1}), "policy.slo must be an object with some of e2eP95Seconds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_question_is_refused_with_a_sentence(silent: str, case: str) -> None:
    fields, sentence = REFUSED[case]
    status, text = post(silent, {**QUESTION, **fields}, "/v1/verdict")
    assert status == 400
    assert sentence in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"[" * 60000])
def test_what_is_no_json_object_is_refused(silent: str, body: bytes) -> None:
    for path in ("/v1/verdict", "/v1/results", "/v1/results/verdict"):
        status, text = post(silent, body, path)
        assert status == 400
        assert text.startswith("the body ")


def test_bodies_are_bounded_and_unknown_paths_say_what_there_is(silent: str) -> None:
    assert post(silent, b" " * 70000, "/v1/verdict")[0] == 413
    assert post(silent, {}, "/metrics")[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{silent}/v1/verdict")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        get(f"{silent}/v1/evidence/llm/UP")
    assert get(f"{silent}/healthz") == "ok\n"
    assert json.loads(get(f"{silent}/v1/evidence/llm/nobody")) == {"rollouts": []}


RESULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no kind": ({"kind": "vibes"}, "kind must be smoke or quality"),
    "no document": ({"document": {}}, "document must be an object"),
    "no checks": ({"document": {"checks": []}}, "document.checks must be a list of 1 to 200"),
    "not ok": ({"document": {"checks": [{"name": "x", "ok": "yes"}]}}, "ok, true or false"),
    "no name": ({"document": {"checks": [{"ok": True}]}}, "must have name"),
}


@pytest.mark.parametrize("case", RESULTS)
def test_what_is_no_result_is_refused(silent: str, case: str) -> None:
    fields, sentence = RESULTS[case]
    fine = {**QUESTION, "kind": "smoke", "document": {"checks": [{"name": "models", "ok": True}]}}
    status, text = post(silent, {**fine, **fields}, "/v1/results")
    assert status == 400
    assert sentence in text


def test_a_smoke_job_posts_and_the_controller_asks(silent: str) -> None:
    who = {"kind": "smoke", "namespace": "llm", "release": "smoked", "canary": CANARY}
    asked = {**who, "policy": {}}
    assert json.loads(post(silent, asked, "/v1/results/verdict")[1])["outcome"] == "wait"
    document = {"checks": [{"name": "models", "ok": True, "ms": 4, "problem": ""}]}
    assert post(silent, {**who, "document": document}, "/v1/results") == (204, "")
    assert json.loads(post(silent, asked, "/v1/results/verdict")[1])["outcome"] == "pass"
    (rollout,) = evidence(silent, "smoked")
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
