"""Where the objects come from: kubectl, a file with several rollouts, and the record of the gate service."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from llmops.cards import audit
from llmops.cli import main

HERE = Path(__file__).parent
NEW = "6d4b8c9f7"


def llmops(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rollout", "status", *arguments])


def program(folder: Path, script: str) -> None:
    """A program called kubectl."""
    file = folder / "kubectl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path


@pytest.mark.real
def test_a_cluster_is_read_through_kubectl_with_its_kubeconfig(path: Path) -> None:
    rollout, *owned = yaml.safe_load_all((HERE / "inconclusive.yaml").read_text())
    (path / "rollout.json").write_text(json.dumps(rollout))
    (path / "owned.json").write_text(json.dumps({"kind": "List", "items": owned}))
    program(
        path,
        f'echo "$@" >> {path}/asked; case "$2" in rollouts*) cat {path}/rollout.json;; *) cat {path}/owned.json;; esac',
    )
    done = llmops("qwen3-8b", "-n", "llm-prod", "--kubeconfig", "/here/config")
    assert done.exit_code == 1
    assert "llm-prod/qwen3-8b: held" in done.output
    assert "too few requests: 20 of at least 50" in done.output
    # The commands that it prints reach the same cluster.
    assert "kubectl --kubeconfig /here/config -n llm-prod patch rollout" in done.output
    asked = (path / "asked").read_text().splitlines()
    assert len(asked) == 2
    assert all("-n llm-prod" in line and "--kubeconfig /here/config" in line for line in asked)


@pytest.mark.real
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'Error from server (NotFound): rollouts \"a\" not found' >&2; exit 1", "not found"),
        ("echo words", "did not answer with JSON"),
    ],
)
def test_what_kubectl_says_is_passed_on(path: Path, script: str, says: str) -> None:
    program(path, script)
    done = llmops("a", "-n", "b")
    assert done.exit_code == 2
    assert says in done.output


@pytest.mark.real
def test_without_kubectl_a_file_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = llmops("a", "-n", "b")
    assert done.exit_code == 2
    assert "there is no kubectl on PATH" in done.output
    assert "--from FILE" in done.output
    assert "say which rollout" in llmops().output


def test_of_several_rollouts_one_has_to_be_named(tmp_path: Path) -> None:
    objects = list(yaml.safe_load_all((HERE / "healthy-measured.yaml").read_text()))
    other = {**objects[0], "metadata": {**objects[0]["metadata"], "name": "other"}}
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [other, *objects]}))
    assert "there are several Rollouts in it (other, qwen3-8b)" in llmops("--from", str(file)).output
    done = llmops("qwen3-8b", "-n", "llm-prod", "--from", str(file))
    assert done.exit_code == 0
    assert llmops("qwen3-8b", "-n", "elsewhere", "--from", str(file)).exit_code == 2
    # The other one owns no run: measured by nobody.
    assert llmops("other", "--from", str(file)).exit_code == 1


@pytest.fixture
def service() -> Iterator[str]:
    """A gate service with a record of one version."""
    gates = {"ttft": {"canary": 88, "stable": 700}, "itl": {"canary": 9000, "stable": 80000}}
    aborted = {
        "canary": NEW,
        "looks": [{"mode": "compare", "gates": {"ttft": {"canary": 500, "stable": 500}}}],
    }
    last = {"canary": NEW, "looks": [{"mode": "compare", "gates": gates}]}
    other = {"canary": "5f7d9b8c6", "looks": [{"mode": "absolute", "gates": {"ttft": {"canary": 900}}}]}
    record = {"rollouts": [other, aborted, last]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/evidence/llm-prod/qwen3-8b"
            self.send_response(200 if known else 500)
            self.end_headers()
            self.wfile.write(json.dumps(record).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_record_of_the_gate_service_outlives_the_runs(service: str) -> None:
    done = llmops("--from", str(HERE / "healthy-unmeasured.yaml"), "--gate-url", service)
    assert done.exit_code == 0
    # Tokens are no requests: the gate on inter-token latency does not count.
    assert "gates measured 88 requests of 50" in done.output


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", "cannot be reached"),
        ("gate:8080", "is no address"),
        ("SERVICE/odd", "answers 500"),
    ],
)
def test_a_gate_service_that_cannot_be_asked_is_said_in_a_sentence(service: str, url: str, says: str) -> None:
    url = url.replace("SERVICE", service)
    done = llmops("--from", str(HERE / "healthy-unmeasured.yaml"), "--gate-url", url)
    assert done.exit_code == 2
    assert says in done.output


@pytest.fixture
def analyses(path: Path) -> Path:
    """Answers of a cluster with two analyses that ended and one that goes on, in two namespaces."""
    own = [
        one
        for one in yaml.safe_load_all((HERE / "aborted-by-ttft.yaml").read_text())
        if one["kind"] == "AnalysisRun"
    ]
    runs = [
        {**one, "metadata": {**one["metadata"], "namespace": home, "uid": f"{home}-1234567890"}}
        for home in ("llm-prod", "llm-dev")
        for one in own[:1]
    ]
    going = {**runs[0], "metadata": {**runs[0]["metadata"], "name": "next"}, "status": {"phase": "Running"}}
    alone = {**runs[0], "metadata": {**runs[0]["metadata"], "name": "by-hand", "ownerReferences": []}}
    (path / "runs.json").write_text(json.dumps({"kind": "List", "items": [*runs, going, alone]}))
    program(path, f'echo "$@" >> {path}/asked; cat {path}/runs.json')
    return path


def export(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["rollout", "export", str(folder), *arguments])


@pytest.mark.real
def test_analyses_that_ended_outlive_the_cluster_once_each(analyses: Path) -> None:
    folder = analyses / "evidence"
    done = export(folder)
    assert (done.exit_code, done.output) == (0, f"2 new in {folder}, 0 known already, 1 still running\n")
    assert "--all-namespaces" in (analyses / "asked").read_text()
    files = sorted(folder.rglob("*.json"))
    assert [file.parent.name for file in files] == ["llm-dev", "llm-prod"]
    before = [file.read_bytes() for file in files]
    assert export(folder).output == f"0 new in {folder}, 2 known already, 1 still running\n"
    assert [file.read_bytes() for file in files] == before
    # What the audit makes of it.
    found = audit.runs(folder)
    assert {(one.namespace, one.phase) for one in found} == {("llm-dev", "Failed"), ("llm-prod", "Failed")}
    assert found[0].rollout
    assert found[0].metrics["ttft"] == "Failed"


@pytest.mark.real
def test_an_export_says_nothing_of_tokens_and_leaves_its_folder_to_nobody(analyses: Path) -> None:
    runs = json.loads((analyses / "runs.json").read_text())
    for run in runs["items"]:
        run["metadata"] |= {"name": "../../../escaped", "namespace": ".."}
        run["spec"] = {"args": [{"name": "gate-token", "value": "CaN4ryS3cretXyz"}]}
    (analyses / "runs.json").write_text(json.dumps(runs))
    folder = analyses / "evidence"
    assert export(folder).exit_code == 0
    written = [file for file in analyses.rglob("*") if "escaped" in file.name]
    assert written
    for file in written:
        assert folder in file.parents
        assert "CaN4ryS3cretXyz" not in file.read_text()


@pytest.mark.real
def test_an_export_that_cannot_be_written_is_one_sentence(analyses: Path) -> None:
    (analyses / "evidence").write_text("a file")
    done = export(analyses / "evidence")
    assert done.exit_code == 2
    assert "cannot write it" in done.output
