"""`llmops advise scaling`: what a team's own traffic would have cost, and the values that follow."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from click.testing import CliRunner

from llmops.cli import main
from llmops.simulate.scaling.advice import Tried, cheapest
from llmops.simulate.scaling.score import Score
from tests.charts.conftest import ROOT

QWEN = ROOT / "values/models/qwen3-8b"


def advise(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["advise", "scaling", *words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A quiet hour with a busy one in it: one request every 4 s, then four a second, of 400 + 100 tokens."""
    times = [4.0 * i for i in range(450)] + [1800 + 0.25 * i for i in range(7200)]
    lines = ["time_s,prompt_tokens,generated_tokens", *(f"{time},400,100" for time in times)]
    file = tmp_path / "trace.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_the_proposal_is_the_cheapest_that_keeps_the_promise(trace: Path) -> None:
    document = json.loads(advise(str(QWEN), "--trace", str(trace), "--max", "8", "--format", "json"))
    good = [row for row in document["tried"] if row["attainment"] >= 0.99]
    proposed = document["values"]["gpu-hpa"]["preset"]
    assert document["keeps"] is bool(good)
    if good:
        assert min(good, key=lambda row: row["gpuHours"])["preset"] == proposed
    assert document["requests"] == 7650
    assert document["values"]["gpu-hpa"]["requestTokens"] == {"prompt": 400, "generated": 100}


def test_the_text_ends_in_values_that_a_release_takes(trace: Path, tmp_path: Path) -> None:
    shown = advise(str(QWEN), "--trace", str(trace), "--max", "4")
    assert "Proposed: " in shown
    assert "GPU-hours, without any autoscaler." in shown
    values = yaml.safe_load(shown[shown.index("\nglobal:") :])
    assert values["global"]["llm"]["replicas"]["max"] == 4
    file = tmp_path / "proposed.yaml"
    file.write_text(yaml.safe_dump(values))
    files = [
        ROOT / "values/environments/prod.yaml",
        QWEN / "values.yaml",
        QWEN / "envs/prod/values.yaml",
        file,
    ]
    words = [word for one in files for word in ("-f", str(one))]
    result = CliRunner().invoke(
        main, ["render", str(ROOT / "charts/llm-stack"), "--name", "qwen3-8b", *words]
    )
    assert result.exit_code == 0, result.output


def tried(attainment: float, hours: float) -> Tried:
    return Tried("demand", 1, Score(attainment, 1.0, 1.0, hours, 1.0, 1, 0, 0, 0.0, 0.0, 0.1))


def test_money_counts_only_among_those_that_keep_enough() -> None:
    cheap, good, dear = tried(0.9, 1), tried(0.991, 5), tried(1.0, 9)
    assert cheapest([dear, cheap, good]) is good
    assert cheapest([cheap, tried(0.5, 0.1)]) is cheap


@pytest.mark.parametrize("words", [[], ["--trace", "x.csv", "--prometheus", "http://127.0.0.1:1"]])
def test_one_source_of_traffic_is_asked_for(words: list[str]) -> None:
    assert "--trace FILE or --prometheus URL" in advise(str(QWEN), *words, code=2)


# --- from Prometheus --------------------------------------------------------------------------------------


@pytest.fixture
def prometheus() -> Iterator[tuple[str, dict[str, float], list[str]]]:
    """Answers every range query with a constant by metric; the URL, the constants, and what was asked."""
    values: dict[str, float] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {key: one[0] for key, one in parse_qs(urlsplit(self.path).query).items()}
            asked.append(query["query"])
            value = next((one for metric, one in values.items() if metric in query["query"]), None)
            moments = range(int(float(query["start"])), int(float(query["end"])) + 1, int(query["step"]))
            rows = [] if value is None else [{"metric": {}, "values": [[at, str(value)] for at in moments]}]
            body = json.dumps(
                {"status": "success", "data": {"resultType": "matrix", "result": rows}}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 as http.server has it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", values, asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_traffic_of_a_release_is_what_prometheus_counted(
    prometheus: tuple[str, dict[str, float], list[str]],
) -> None:
    url, values, asked = prometheus
    values |= {"request_success": 0.5, "prompt_tokens": 300.0, "generation_tokens": 50.0}
    document = json.loads(advise(str(QWEN), "--prometheus", url, "--days", "0.1", "--format", "json"))
    assert document["requests"] == pytest.approx(0.5 * 0.1 * 86400, rel=0.02)
    assert document["values"]["gpu-hpa"]["requestTokens"] == {"prompt": 600, "generated": 100}
    assert all('release="qwen3-8b"' in query and 'namespace="llm-prod"' in query for query in asked)


def test_a_release_without_traffic_is_named(prometheus: tuple[str, dict[str, float], list[str]]) -> None:
    url, _, _ = prometheus
    shown = advise(str(QWEN), "--prometheus", url, code=2)
    assert "has no requests of release qwen3-8b in namespace llm-prod" in shown


def test_a_prometheus_that_is_not_there_is_named() -> None:
    assert "cannot be reached" in advise(str(QWEN), "--prometheus", "http://127.0.0.1:9", code=2)
