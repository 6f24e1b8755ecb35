"""Whatever answers in the gate's place, the live controller takes nothing but the gate's own pass for one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from lab.cluster.layout import NODE_ADDRESS
from lab.cluster.namespaces import inside
from lab.cluster.waiting import until
from lab.releases.helm import CHART, VALUES, Helm

LOGIN = "<html><title>Log in</title><form><input name=user></form></html>"


def vector(*values: str) -> str:
    samples = [{"metric": {"n": str(n)}, "value": [1.0, value]} for n, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": samples}})


# Status, body and headers of whoever answers. The last two are the gate itself.
ANSWERS: dict[str, tuple[int, str, dict[str, str]]] = {
    "login-page": (200, LOGIN, {"Content-Type": "text/html"}),
    "empty-body": (200, "", {}),
    "mesh-error": (503, "upstream connect error or disconnect/reset before headers", {}),
    "mesh-page": (200, "no healthy upstream", {"Content-Type": "text/plain"}),
    "redirect": (302, "", {"Location": "/login"}),
    "old-gate": (200, json.dumps({"outcome": "pass", "reason": "fine", "gates": {}}), {}),
    "nothing-found": (200, vector(), {}),
    "too-much": (200, vector("1", "1"), {}),
    "not-a-number": (200, vector("NaN"), {}),
    "pass": (200, vector("1"), {}),
    "fail": (200, vector("-1"), {}),
}
# What the controller makes of each; all others are no answer.
DECIDED = {"pass": "Successful", "fail": "Failed"}


@contextmanager
def answering(status: int, body: str, headers: dict[str, str]) -> Iterator[str]:
    """URL of a server in the cluster's network that says the same to everybody, but has a login page."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            login = self.path.startswith("/login")
            text = (LOGIN if login else body).encode()
            self.send_response(200 if login else status)
            for name, value in ({} if login else headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = inside(lambda: ThreadingHTTPServer((NODE_ADDRESS, 0), Handler))
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://{NODE_ADDRESS}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def closed() -> str:
    """A URL at which nobody listens."""
    with inside(lambda: ThreadingHTTPServer((NODE_ADDRESS, 0), BaseHTTPRequestHandler)) as server:
        return f"http://{NODE_ADDRESS}:{server.server_address[1]}"


def template(helm: Helm, url: str) -> dict[str, Any]:
    """The AnalysisTemplate of gates as the chart renders it for a gate at that URL."""
    layer = {
        "global": {"llm": {"environment": {"gate": {"url": url}}}},
        "vllm-inference": {
            "trafficRouter": "traefik",
            "route": {"host": helm.host},
            "gates": {"windowSeconds": 5, "looks": 3, "signals": ["errors"]},
            "strategy": {"steps": [{"setWeight": 25}, {"gate": {}}], "watchMinutes": 0},
        },
    }
    file = helm.folder / "layer.yaml"
    file.write_text(yaml.safe_dump(layer), encoding="utf-8")
    text = helm.run("template", helm.name, str(CHART), "-f", str(VALUES), "-f", str(file))
    objects = [one for one in yaml.safe_load_all(text) if one]
    (found,) = [one for one in objects if one["metadata"]["name"] == f"{helm.name}-gate"]
    return dict(found)


def analysis(helm: Helm, name: str, url: str) -> dict[str, Any]:
    """An AnalysisRun as the controller makes it of a gate step."""
    spec = template(helm, url)["spec"]
    values = {"canary-hash": "abc1", "stable-hash": "def2", "step": "0", "mode": "compare"}
    arguments = [
        {**one, "value": values[one["name"]]} if one["name"] in values else one for one in spec["args"]
    ]
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun"}
    return {**kind, "metadata": {"name": name}, "spec": {**spec, "args": arguments}}


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        served = {name: stack.enter_context(answering(*answer)) for name, answer in ANSWERS.items()}
        yield {**served, "nobody": closed()}


def test_nothing_but_the_gates_own_answer_decides(
    release: Any, urls: dict[str, str], record_property: Any
) -> None:
    helm: Helm = release()
    helm.kubectl("create", "secret", "generic", "llm-canary-gate", "--from-literal=token=of-the-gate")
    for name, url in urls.items():
        file = helm.folder / f"{name}.json"
        file.write_text(json.dumps(analysis(helm, name, url)), encoding="utf-8")
        helm.kubectl("create", "-f", str(file))

    def looks() -> dict[str, tuple[str, int]] | None:
        """Phase of each, and how many measurements it has, once all have three or are over."""
        runs = {one["metadata"]["name"]: one.get("status", {}) for one in helm.get("analysisruns")["items"]}
        found = {name: (status.get("phase", ""), _measured(status)) for name, status in runs.items()}
        over = all(phase in DECIDED.values() or number >= 3 for phase, number in found.values())
        return found if over and len(found) == len(urls) else None

    found = until(looks, "three measurements of each", 90, every=1)
    record_property("phases", {name: phase for name, (phase, _) in found.items()})
    for name, (phase, _) in found.items():
        assert phase == DECIDED.get(name, "Running"), (name, found)


def _early(spec: dict[str, Any]) -> dict[str, Any]:
    """Nothing is measured for an hour, so that nothing has to know the token yet."""
    return {**spec, "metrics": [{**one, "initialDelay": "1h"} for one in spec["metrics"]]}


def _forgiven(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "dryRun": [{"metricName": ".*"}]}


def _unused(spec: dict[str, Any]) -> dict[str, Any]:
    """The token is an argument that no metric has a use for."""
    metrics = json.loads(json.dumps(spec["metrics"]).replace("{{args.gate-token}}", "none"))
    return {**spec, "metrics": metrics}


TRIES = {
    "errors-without-limit": dict,
    "measured-later": _early,
    "dry-run": _forgiven,
    "no-metric-uses-it": _unused,
}


def test_without_the_gates_secret_an_analysis_ends_in_an_error_whatever_it_allows(
    release: Any, record_property: Any
) -> None:
    """What docs/gates.md says of a gate that has not run yet: aborted and not held, but never passed."""
    helm: Helm = release()
    with answering(*ANSWERS["pass"]) as url:
        for name, allow in TRIES.items():
            run = analysis(helm, name, url)
            file = helm.folder / f"{name}.json"
            file.write_text(json.dumps({**run, "spec": allow(run["spec"])}), encoding="utf-8")
            helm.kubectl("create", "-f", str(file))

        def ends() -> dict[str, str] | None:
            runs = {
                one["metadata"]["name"]: one.get("status", {}) for one in helm.get("analysisruns")["items"]
            }
            over = [
                status
                for status in runs.values()
                if status.get("phase") not in (None, "", "Running", "Pending")
            ]
            said = {name: f"{status.get('phase')}: {status.get('message')}" for name, status in runs.items()}
            return said if len(over) == len(TRIES) else None

        found = until(ends, "the end of each analysis", 60, every=1)
    record_property("ends", found)
    for name, words in found.items():
        assert words.startswith("Error: "), (name, words)
        assert 'secrets "llm-canary-gate" not found' in words, (name, words)


def _measured(status: dict[str, Any]) -> int:
    return sum(len(one.get("measurements", [])) for one in status.get("metricResults", []))
