"""A gate as a process beside an API server of a few answers, and the clients that it knows: controller and Job."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from tests.services.api_server import ApiServer, account, api_server
from tests.services.gate_history import CANARY, STABLE
from tests.services.test_results import port_of
from tests.waiting import PATIENCE, until

NAMESPACE = "llm"
POLICY: dict[str, Any] = {
    "gates": ["ttft", "errors", "stall", "restarts"],
    "looks": [3],
    "windowSeconds": 1,
    "minRequests": 20,
    "slo": {"ttftP95Seconds": 2, "errorRatio": 0.01},
}
QUESTION: dict[str, Any] = {
    "namespace": NAMESPACE,
    "release": "good",
    "canary": CANARY,
    "stable": STABLE,
    "step": "0",
    "mode": "compare",
    "gate": "ttft",
    "policy": POLICY,
}
Answer = tuple[int, dict[str, Any]]


def selector(name: str, labels: Mapping[str, Any]) -> str:
    """A question as the chart writes it."""
    text = {key: json.dumps(one) if isinstance(one, dict) else str(one) for key, one in labels.items()}
    return f"{name}{{{', '.join(f'{key}={one!r}' for key, one in text.items())}}}"


def request(url: str, token: str = "", body: bytes | None = None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers), timeout=PATIENCE) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


@dataclass
class Gate:
    """A gate that listens at `url`, in a cluster that is `api`."""

    url: str
    api: ApiServer

    def query(self, text: str, token: str | None = None, namespace: str = NAMESPACE) -> Answer:
        """As the Prometheus client of Argo Rollouts asks; status and document."""
        token = self.api.token(namespace) if token is None else token
        body = urllib.parse.urlencode({"query": text, "time": "1"}).encode()
        status, answer = request(f"{self.url}/api/v1/query", token, body)
        try:
            return status, json.loads(answer)
        except json.JSONDecodeError:
            return status, {"error": answer}

    def verdict(self, **fields: Any) -> Answer:
        return self.query(selector("llm_gate_verdict", {**QUESTION, **fields}))

    def result(self, kind: str, release: str, policy: Mapping[str, Any] | None = None) -> Answer:
        who = {"kind": kind, "namespace": NAMESPACE, "release": release, "canary": CANARY}
        return self.query(selector("llm_gate_result", {**who, "policy": policy or {}}))

    def ask(self, **fields: Any) -> dict[str, Any]:
        """What is said of one gate; where an earlier question takes long, it is asked again, as the controller does."""

        def answer() -> Answer | None:
            found = self.verdict(**fields)
            return None if "is still being answered" in found[1].get("error", "") else found

        status, document = until(answer, "an answer")
        assert status == 200, document
        return said(document)

    def decided(self, **fields: Any) -> dict[str, dict[str, Any]]:
        """What is said of each gate, once one has failed or all have passed."""
        gates = {**QUESTION, **fields}["policy"]["gates"]

        def over() -> dict[str, dict[str, Any]] | None:
            verdicts = {gate: self.ask(**{**fields, "gate": gate}) for gate in gates}
            outcomes = [one["outcome"] for one in verdicts.values()]
            return verdicts if "fail" in outcomes or set(outcomes) == {"pass"} else None

        return until(over, "a verdict", every=0.3)

    def report(self, kind: str, release: str, document: Any, token: str | None = None) -> tuple[int, str]:
        """As a Job of the release posts."""
        body = {
            "kind": kind,
            "namespace": NAMESPACE,
            "release": release,
            "canary": CANARY,
            "document": document,
        }
        token = self.api.job(NAMESPACE) if token is None else token
        return request(f"{self.url}/v1/results", token, json.dumps(body).encode())

    def evidence(self, release: str = "good") -> list[dict[str, Any]]:
        status, text = request(f"{self.url}/v1/evidence/{NAMESPACE}/{release}", self.api.token(NAMESPACE))
        assert status == 200, text
        return list(json.loads(text)["rollouts"])


def said(document: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict of an answer, which must agree with the number that conditions look at."""
    (verdict,) = map(json.loads, document["warnings"])
    (sample,) = document["data"]["result"]
    expected = {"pass": "1", "wait": "0", "fail": "-1", "inconclusive": "2"}
    assert sample["value"][1] == expected[verdict["outcome"]]
    return dict(verdict)


@contextmanager
def gate(
    prometheus_url: str, *arguments: str, releases: tuple[str, ...] = ("good", "broken")
) -> Iterator[Gate]:
    """On a free port of loopback; it must end when told. It waits long for a Prometheus that is slow."""
    with (
        tempfile.TemporaryDirectory() as folder,
        api_server(*((NAMESPACE, name) for name in releases), ("other", "theirs")) as api,
    ):
        command = [sys.executable, "-m", "llmops.services.gate", "--host=127.0.0.1", "--port=0"]
        command += [f"--timeout={PATIENCE:g}", f"--api-server={api.url}"]
        command += [f"--service-account={account(Path(folder) / 'account')}"]
        process = subprocess.Popen(
            [*command, f"--prometheus={prometheus_url}", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert process.stdout is not None
        lines: list[str] = []
        try:
            made = Gate(f"http://127.0.0.1:{port_of(process)}", api)
            # Nobody reading, a full pipe would stop the gate in the middle of a line.
            drains = [Thread(target=lines.extend, args=(pipe,)) for pipe in (process.stderr, process.stdout)]
            for drain in drains:
                drain.start()
            until(lambda: len(api.secrets) == 2, "the Secrets of both namespaces")
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            for drain in drains:
                drain.join()
            assert "Traceback" not in "".join(lines)
            process.stderr.close()
            process.stdout.close()
