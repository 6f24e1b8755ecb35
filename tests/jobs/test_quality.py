"""The quality job as the cluster starts it: two engines that answer as they are told, and the real gate."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import conftest as scripted
from tests.lab.conftest import Engine, Start
from tests.services import gates
from tests.services.gate_history import CANARY
from tests.services.gates import Gate
from tests.waiting import PATIENCE, free_port

pytestmark = pytest.mark.real

start = scripted.start  # the fixture
ITEMS = 400
POLICY = {"margin": 0.03, "alpha": 0.05, "minItems": 200}
Run = subprocess.CompletedProcess[str]


def item(number: int) -> dict[str, Any]:
    prompt = f"请回答第 q{number:03}q 题。" if number % 2 else f"Answer question q{number:03}q."
    scoring = {"id": f"q{number:03}", "scoring": "exact", "expected": f"answer {number}"}
    return scoring | {"prompt": prompt, "max_tokens": 20, "language": "zh" if number % 2 else "en"}


def golden(folder: Path, items: int = ITEMS) -> Path:
    path = folder / "golden.jsonl"
    lines = [json.dumps(item(number), ensure_ascii=False) for number in range(items)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def knowing(wrong: set[int], items: int = ITEMS) -> dict[str, Any]:
    """A behaviour that answers all items rightly but these."""
    right = {f"q{n:03}q": "I do not know" if n in wrong else f"answer {n}" for n in range(items)}
    return {"answers": right, "ttft": 0.001, "itl": 0.0001}


@pytest.fixture
def gate() -> Iterator[Gate]:
    """The verdict service. Its Prometheus is not there: Jobs need none."""
    with gates.gate("http://127.0.0.1:9", releases=("demo",)) as service:
        yield service


def quality(
    path: Path,
    stable: str,
    canary: str,
    *arguments: str,
    gate: Gate | None = None,
    gate_url: str = "",
    canary_hash: str = CANARY,
    **variables: str,
) -> Run:
    command = [sys.executable, "-m", "llmops.jobs.quality", f"--golden={path}", "--model=demo"]
    command += [f"--stable={stable}", f"--canary={canary}", *arguments]
    if gate:
        token = path.parent / "token"
        token.write_text(gate.api.job("llm"), encoding="utf-8")
        command += [f"--gate-token={token}"]
    if url := gate.url if gate else gate_url:
        command += [f"--gate={url}", "--namespace=llm", "--release=demo", f"--canary-hash={canary_hash}"]
    # The proxy must not be used: nothing listens there.
    environment = {"PATH": os.environ["PATH"], "http_proxy": "http://127.0.0.1:1"} | variables
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )


def verdict(gate: Gate) -> dict[str, Any]:
    """What Argo Rollouts reads."""
    status, document = gate.result("quality", "demo", POLICY)
    assert status == 200, document
    return gates.said(document)


# --- what the gate says of versions that know more or less ----------------------------------------------------------

WORSE = set(range(30))  # 7.5 %
BETTER = set(range(100, 110))  # 2.5 %


@pytest.mark.parametrize(
    ("stable_wrong", "canary_wrong", "outcome", "cells"),
    [
        (BETTER, WORSE, "fail", (30, 10)),
        (BETTER, BETTER, "pass", (0, 0)),
        (set(range(10)), BETTER, "pass", (10, 10)),
        (set(range(12)), set(range(100, 116)), "inconclusive", (16, 12)),
    ],
    ids=["worse", "same", "equal", "between"],
)
def test_the_outcome_follows_what_the_versions_know(
    start: Start,
    gate: Gate,
    tmp_path: Path,
    stable_wrong: set[int],
    canary_wrong: set[int],
    outcome: str,
    cells: tuple[int, int],
) -> None:
    stable, canary = (start(behaviour=knowing(wrong)) for wrong in (stable_wrong, canary_wrong))
    assert verdict(gate)["outcome"] == "wait"
    path = golden(tmp_path)
    done = quality(path, stable.url, canary.url, "--concurrency=16", gate=gate)
    assert done.returncode == 0, done.stderr
    said = verdict(gate)
    assert (said["outcome"], said["worse"], said["better"]) == (outcome, *cells)
    assert json.loads(done.stdout)["version"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_that_anybody_wrote_or_said_leaves_the_job(start: Start, gate: Gate, tmp_path: Path) -> None:
    stable, canary = start(behaviour=knowing(set(), 30)), start(behaviour=knowing({7}, 30))
    done = quality(golden(tmp_path, 30), stable.url, canary.url, gate=gate)
    document = json.loads(done.stdout)
    evidence = json.dumps(gate.evidence("demo"))
    for text in (done.stdout, done.stderr, evidence):
        assert "answer 7" not in text
        assert "I do not know" not in text
        assert "question" not in text
    assert document["worseIds"] == ["q007"]
    assert document["languages"]["zh"] == {"items": 15, "both": 14, "worse": 1, "better": 0, "neither": 0}
    assert "q007 stable=1 (8 characters, " in done.stderr
    assert " canary=0 (13 characters, " in done.stderr
    assert document["characters"]["stable"] == 9  # "answer 7" and "answer 17"


def test_both_versions_are_asked_the_same_greedily(start: Start, tmp_path: Path) -> None:
    stable, canary = start(behaviour=knowing(set(), 25)), start(behaviour=knowing(set(), 25))
    quality(golden(tmp_path, 25), stable.url, canary.url)
    for engine in (stable, canary):
        assert engine.value("vllm:request_success_total") == 25
        assert engine.value("vllm:request_params_max_tokens_sum") == 25 * 20


# --- what goes wrong ------------------------------------------------------------------------------------------------


def run_with(
    start: Start,
    gate: Gate,
    folder: Path,
    *arguments: str,
    stable: dict[str, Any],
    canary: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document and the verdict for engines that know everything, but misbehave."""
    engines = [start(behaviour=knowing(set()) | fault) for fault in (stable, canary)]
    done = quality(golden(folder), engines[0].url, engines[1].url, "--concurrency=16", *arguments, gate=gate)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), verdict(gate)


def test_empty_answers_of_the_canary_are_wrong(start: Start, gate: Gate, tmp_path: Path) -> None:
    document, said = run_with(start, gate, tmp_path, stable={}, canary={"empty_rate": 0.1})
    assert 20 <= document["worse"] <= 60
    assert document["problems"]["canary"] == {"empty": document["worse"]}
    assert said["outcome"] == "fail"


def test_errors_of_the_canary_are_wrong_and_none_is_asked_again(
    start: Start, gate: Gate, tmp_path: Path
) -> None:
    document, said = run_with(
        start, gate, tmp_path, stable={}, canary={"error_rate": 0.1, "error_status": 503}
    )
    assert document["problems"]["canary"] == {"HTTP 503": document["canaryUnanswered"]}
    assert document["canaryUnanswered"] == document["worse"] >= 20
    assert said["outcome"] == "fail"


def test_a_canary_that_hangs_is_given_up_in_time(start: Start, gate: Gate, tmp_path: Path) -> None:
    # Stable answers in milliseconds, and in seconds on a machine that is very busy.
    document, said = run_with(start, gate, tmp_path, "--timeout=5", stable={}, canary={"hang": True})
    slow = document["problems"]["canary"]["took too long"]
    assert 20 <= slow <= 20 + 2 * 16
    assert document["problems"]["canary"]["given up"] == ITEMS - slow
    assert (document["worse"], said["outcome"]) == (ITEMS, "fail")


def test_where_stable_does_not_answer_nothing_is_compared(start: Start, gate: Gate, tmp_path: Path) -> None:
    document, said = run_with(start, gate, tmp_path, stable={"error_rate": 0.1}, canary={})
    assert document["items"] == ITEMS - document["stableUnanswered"]
    assert (document["worse"], document["better"]) == (0, 0)
    assert said["outcome"] == "inconclusive"
    assert f"stable did not answer {document['stableUnanswered']} of {ITEMS} items" in said["reason"]


def test_no_engine_at_all_is_inconclusive(gate: Gate, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    assert quality(golden(tmp_path), nobody, nobody, gate=gate).returncode == 0
    assert verdict(gate)["outcome"] == "inconclusive"


def test_the_key_is_sent_and_not_printed(start: Start, tmp_path: Path) -> None:
    engine = start("--api-key=secret-key", behaviour=knowing(set(), 25))
    path = golden(tmp_path, 25)
    done = quality(path, engine.url, engine.url, API_KEY="secret-key")
    assert json.loads(done.stdout)["both"] == 25
    assert "secret-key" not in done.stdout + done.stderr
    without = quality(path, engine.url, engine.url, "--concurrency=1")
    assert json.loads(without.stdout)["problems"]["stable"] == {"HTTP 401": 20, "given up": 5}


def test_a_missing_set_is_a_sentence_and_inconclusive_at_once(gate: Gate, tmp_path: Path) -> None:
    done = quality(tmp_path / "golden.jsonl", "http://127.0.0.1:9", "http://127.0.0.1:9", gate=gate)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "golden.jsonl cannot be read (No such file or directory): name a ConfigMap" in done.stderr
    said = verdict(gate)
    assert said["outcome"] == "inconclusive"
    assert "golden.jsonl cannot be read" in said["reason"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{'id': 1}", "this is no JSON"),
        ("[]", "no JSON object"),
        ('{"id": "q000", "prompt": "x", "scoring": "exact", "expected": "y"}', "the id q000 is there twice"),
        ('{"id": "a b", "prompt": "x", "scoring": "exact", "expected": "y"}', "id must be"),
        (
            '{"id": "a", "prompt": "x", "scoring": "judge", "expected": "y"}',
            "exact, contains, regex, number, choice",
        ),
        ('{"id": "a", "prompt": "x", "scoring": "number", "expected": "4"}', "expected must be a number"),
        ('{"id": "a", "prompt": "x", "scoring": "regex", "expected": "("}', "no regular expression"),
        ('{"id": "a", "prompt": "x", "scoring": "choice", "expected": "yes"}', "a letter from A to Z"),
        ('{"id": "a", "prompt": "x", "scoring": "exact"}', "expected must be a text"),
        ('{"id": "a", "scoring": "exact", "expected": "y"}', "either prompt or messages"),
        (
            '{"id": "a", "messages": [{}], "scoring": "exact", "expected": "y"}',
            "objects with role and content",
        ),
        (
            '{"id": "a", "prompt": "x", "max_tokens": 0, "scoring": "exact", "expected": "y"}',
            "max_tokens must be",
        ),
        (
            '{"id": "a", "prompt": "x", "scoring": "exact", "expected": "y", "weight": 2}',
            "unknown key weight",
        ),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = golden(tmp_path, 2)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = quality(path, "http://127.0.0.1:9", "http://127.0.0.1:9")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"{path}:4: ")
    assert words in done.stderr


def test_a_gate_that_is_away_or_refuses_is_said(start: Start, gate: Gate, tmp_path: Path) -> None:
    engine: Engine = start(behaviour=knowing(set(), 25))
    path = golden(tmp_path, 25)
    away = quality(path, engine.url, engine.url, "--try-seconds=1", gate_url="http://127.0.0.1:9")
    assert (away.returncode, "did not take the result" in away.stderr) == (2, True)
    refused = quality(path, engine.url, engine.url, gate=gate, canary_hash="NO HASH")
    assert (refused.returncode, "refused the result: HTTP 400 canary must be" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("wrong", "status", "outcome"), [(set(range(40)), 1, "fail"), (set(), 0, "pass")], ids=["worse", "same"]
)
def test_by_hand_it_says_its_verdict_and_ends_by_it(
    start: Start, tmp_path: Path, wrong: set[int], status: int, outcome: str
) -> None:
    stable, canary = start(behaviour=knowing(set(), 200)), start(behaviour=knowing(wrong, 200))
    done = quality(golden(tmp_path, 200), stable.url, canary.url, "--concurrency=16")
    said = json.loads(done.stdout)["verdict"]
    assert (done.returncode, said["outcome"]) == (status, outcome)
    assert done.stderr.splitlines()[-1] == f"{outcome}: {said['reason']}"


def test_by_hand_a_stricter_set_is_an_option(start: Start, tmp_path: Path) -> None:
    engine = start(behaviour=knowing(set(), 30))
    path = golden(tmp_path, 30)
    done = quality(path, engine.url, engine.url, "--min-items=30", "--margin=0.2")
    assert json.loads(done.stdout)["verdict"]["outcome"] == "pass"
    refused = quality(path, engine.url, engine.url, "--margin=3")
    assert (refused.returncode, refused.stderr) == (2, "--margin must be a number from 0.001 to 0.5\n")
