"""The exporter as a process: what it takes, what it refuses, and what a real Prometheus reads from it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from llmops.data import metrics
from llmops.services.exposition import labels
from llmops.services.results.store import FullError, Results
from tests.charts.conftest import CHARTS
from tests.conftest import program
from tests.jobs.conftest import Run, get
from tests.waiting import PATIENCE, end, until

pytestmark = pytest.mark.real

Drift = Callable[..., Run]
NOW = "2026-01-09T00:00:30Z"
RESULT: dict[str, Any] = {
    "schemaVersion": 1,
    "kind": "llm-drift-result",
    "namespace": "llm",
    "release": "demo",
    "model": "qwen",
    "finished": NOW,
    "outcome": "drift",
    "signals": [
        {"signal": "prompt_tokens", "score": 0.75, "samples": 6000},
        {"signal": "volume", "score": None, "samples": 3},
    ],
}


def port_of(process: subprocess.Popen[str]) -> int:
    """Where a service listens, by what it says on stderr."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("listening on port "):
            return int(line.rpartition(" ")[2])
    raise AssertionError("it ended")


@contextmanager
def exporting(*arguments: str) -> Iterator[str]:
    """An exporter on a free port of loopback; results never grow old unless told so."""
    command = [sys.executable, "-m", "llmops.services.results", "--host=127.0.0.1", "--port=0"]
    process = subprocess.Popen(
        [*command, "--forget-after=900000d", *arguments], stderr=subprocess.PIPE, text=True
    )
    try:
        yield f"http://127.0.0.1:{port_of(process)}"
    finally:
        assert end(process) == 0
        process.stderr.close()  # type: ignore[union-attr]


@pytest.fixture
def exporter() -> Iterator[str]:
    with exporting() as url:
        yield url


def post(url: str, body: Any, path: str = "/results") -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url + path, data), timeout=PATIENCE) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()


def samples(url: str) -> dict[tuple[str, ...], float]:
    """(name, label values...) -> value, read by the parser of prometheus_client."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(get(f"{url}/metrics"))
        for sample in family.samples
    }


def test_the_last_result_of_each_release_is_shown(exporter: str) -> None:
    assert samples(exporter) == {}
    assert get(f"{exporter}/healthz") == "ok\n"
    assert post(exporter, RESULT)[0] == 204
    assert post(exporter, {**RESULT, "release": "other", "signals": RESULT["signals"][1:]})[0] == 204
    finished = 1767916830.0
    # No score where nothing could be said: neither 0 nor NaN.
    assert samples(exporter) == {
        ("llm_drift_score", "llm", "demo", "qwen", "prompt_tokens"): 0.75,
        ("llm_drift_samples", "llm", "demo", "qwen", "prompt_tokens"): 6000,
        ("llm_drift_samples", "llm", "demo", "qwen", "volume"): 3,
        ("llm_drift_samples", "llm", "other", "qwen", "volume"): 3,
        ("llm_drift_last_run_timestamp_seconds", "llm", "demo", "qwen"): finished,
        ("llm_drift_last_run_timestamp_seconds", "llm", "other", "qwen"): finished,
    }
    later = {**RESULT, "finished": "2026-01-10T00:00:00Z", "signals": RESULT["signals"][1:]}
    assert post(exporter, later)[0] == 204
    assert ("llm_drift_score", "llm", "demo", "qwen", "prompt_tokens") not in samples(exporter)


def with_signal(**fields: Any) -> dict[str, Any]:
    return {**RESULT, "signals": [{**RESULT["signals"][0], **fields}]}


REFUSED: dict[str, tuple[Any, int, str]] = {
    "no JSON": (b"\xff", 400, "the body is no JSON"),
    "a list": ([], 400, "the body must be a JSON object"),
    "a reference": ({**RESULT, "kind": "llm-drift-reference"}, 400, "kind must be llm-drift-result"),
    "another version": ({**RESULT, "schemaVersion": 2}, 400, "schemaVersion must be 1"),
    "a label": ({**RESULT, "release": 'x"} 1\nup 0'}, 400, "release must be a name"),
    "a path": ({**RESULT, "release": "../x"}, 400, "release must be a name"),
    "no model": ({**RESULT, "model": None}, 400, "model must be a name"),
    "no outcome": ({**RESULT, "outcome": "fine"}, 400, "outcome must be none, drift or inconclusive"),
    "no moment": ({**RESULT, "finished": "now"}, 400, "finished must be a moment"),
    "the future": ({**RESULT, "finished": "9999-01-01T00:00:00Z"}, 400, "finished is in the future"),
    "no signals": ({**RESULT, "signals": []}, 400, "signals must be a list"),
    "a signal of its own": (with_signal(signal="cpu"), 400, "signals must be some of prompt_tokens"),
    "twice": ({**RESULT, "signals": RESULT["signals"][:1] * 2}, 400, "each once"),
    "too high": (with_signal(score=1.5), 400, "score must be 0 to 1"),
    "not a number": (with_signal(score=float("nan")), 400, "the body is no JSON"),
    "infinite": (json.dumps(RESULT).replace("0.75", "1e999").encode(), 400, "the body is no JSON"),
    "endless": (json.dumps(RESULT).replace("6000", "9" * 400).encode(), 400, "the body is no JSON"),
    "twice the same key": (b'{"kind": "a", "kind": "b"}', 400, "the body is no JSON"),
    "deep": (b'{"a":' * 600 + b"1" + b"}" * 600, 400, "nested more than 8 levels deep"),
    "bottomless": (b"[" * 60000, 400, "the body is no JSON"),
    "a truth": (with_signal(samples=True), 400, "signals/prompt_tokens: True is no number"),
    "too long": (b" " * 270000, 413, "at most 262144 bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_result_is_refused_with_a_sentence(exporter: str, case: str) -> None:
    body, status, sentence = REFUSED[case]
    answer = post(exporter, body)
    assert answer[0] == status
    assert sentence in answer[1]
    assert samples(exporter) == {}


def test_an_older_result_does_not_replace_a_newer_one(exporter: str) -> None:
    assert post(exporter, RESULT)[0] == 204
    status, text = post(exporter, {**RESULT, "finished": "2026-01-08T00:00:00Z"})
    assert (status, text) == (400, "finished is before the result that is already here")


def test_there_is_nothing_else_to_ask_or_to_post(exporter: str) -> None:
    assert post(exporter, RESULT, "/metrics")[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{exporter}/results")


def test_results_survive_a_restart_and_are_forgotten_in_time(tmp_path: Path) -> None:
    with exporting(f"--folder={tmp_path}") as url:
        post(url, RESULT)
        before = samples(url)
    (tmp_path / "half.json").write_text('{"kind": "llm-dr')
    with exporting(f"--folder={tmp_path}") as url:
        assert samples(url) == before != {}
    with exporting(f"--folder={tmp_path}", "--forget-after=1s") as url:
        assert samples(url) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["half.json"]


def test_what_is_shown_is_kept_and_nothing_else(tmp_path: Path) -> None:
    with exporting(f"--folder={tmp_path}") as url:
        assert post(url, {**RESULT, "padding": "z" * 64000})[0] == 204
        before = samples(url)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1000
    with exporting(f"--folder={tmp_path}") as url:
        assert samples(url) == before


def test_damaged_files_are_dropped_with_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in {"deep": "[" * 100000, "half": '{"kind": "llm-dr', "large": " " * 10**6}.items():
        (tmp_path / f"{name}.json").write_text(content)
    assert all(line.startswith("# ") for line in Results(tmp_path).text().splitlines())
    said = capsys.readouterr().err
    assert [line.split(":")[0] for line in said.splitlines()] == [
        f"dropped the result in '{name}.json'" for name in ("deep", "half", "large")
    ]


def test_one_namespace_takes_no_room_of_another() -> None:
    results = Results(now=lambda: 1767916830.0)
    body = json.dumps(RESULT)
    for number in range(1000):
        results.add(body.replace("demo", f"made-up-{number}").encode())
    with pytest.raises(FullError):
        results.add(body.replace("demo", "one-more").encode())
    results.add(body.replace('"llm"', '"other"').encode())
    assert 'namespace="other"' in results.text()


def test_labels_are_escaped_as_the_text_format_says() -> None:
    odd = 'back\\slash "quote"\nline'
    (family,) = text_string_to_metric_families(f"up{labels({'a': odd})} 1\n")
    assert family.samples[0].labels == {"a": odd}


def test_promtool_has_nothing_to_say(exporter: str) -> None:
    post(exporter, RESULT)
    checked = subprocess.run(
        [str(program("LLMOPS_PROMTOOL", "bin/promtool")), "check", "metrics"],
        input=get(f"{exporter}/metrics"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_names_and_labels_are_those_of_the_catalogue(exporter: str) -> None:
    post(exporter, RESULT)
    known = {name: one for table in metrics.catalogues() for name, one in table.series.items()}
    shown = {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(get(f"{exporter}/metrics"))
        for sample in family.samples
    }
    assert shown == {name: set(known[name].labels) for name in shown}
    assert len(shown) == 3


def test_a_drift_reaches_the_alert_of_its_release(
    drift: Drift, start_prometheus: Callable[..., str], tmp_path: Path, exporter: str
) -> None:
    """From history to job to exporter to a scrape to the expression of the alert that ships."""
    for release in ("longer-prompts", "same"):
        run = drift(release, f"--exporter={exporter}")
        assert run.status == 0, run.said
    promised = [
        {
            "record": "llm:slo:drift_score",
            "expr": "vector(0.5)",
            "labels": {"namespace": "llm", "release": release, "model_name": "qwen"},
        }
        for release in ("longer-prompts", "same")
    ]
    (tmp_path / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "slo", "interval": "1s", "rules": promised}]})
    )
    scrape = {
        "job_name": "drift",
        "scrape_interval": "1s",
        "honor_labels": True,
        "static_configs": [
            {"targets": [exporter.removeprefix("http://")], "labels": {"namespace": "monitoring"}}
        ],
    }
    configuration = {"rule_files": [str(tmp_path / "rules.yml")], "scrape_configs": [scrape]}
    url = start_prometheus(tmp_path / "data", yaml.safe_dump(configuration))
    rules = yaml.safe_load((CHARTS / "alert-rules/files/drift.yaml").read_text(encoding="utf-8"))
    expression = next(one["expr"] for one in rules if one["alert"] == "LLMDriftDetected")
    query = f"{url}/api/v1/query?query={urllib.parse.quote(expression)}"
    (alert,) = until(lambda: json.loads(get(query))["data"]["result"], "the alert")
    assert alert["metric"] == {
        "namespace": "llm",
        "release": "longer-prompts",
        "model_name": "qwen",
        "signal": "prompt_tokens",
    }
    assert float(alert["value"][1]) == pytest.approx(0.62, abs=0.02)
