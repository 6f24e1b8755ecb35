"""The load as a person starts it, on an engine of known speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.jobs import JobError, memory
from llmops.jobs.load import bodies, mix, percentile
from tests.jobs.test_evaluate import DIGEST, REVISION, environment, evaluate, results, tasks
from tests.jobs.test_quality import knowing
from tests.lab import conftest as scripted
from tests.lab.conftest import Start
from tests.waiting import PATIENCE, until

start = scripted.start  # the fixture
LOG = """INFO Free memory on device cuda:0 (78.7/79.1 GiB) on startup. Desired utilization is (0.9, 71.2 GiB). \
Actual usage is 15.5 GiB for consumed memory (weights + non-torch), 1.25 GiB for peak activation, and 0.75 GiB for \
CUDAGraph memory. Replace gpu_memory_utilization config with `--kv-cache-memory=1` to fit into requested memory
"""
OLDER = (
    "Actual usage is 14.0 GiB for weight, 1.0 GiB for peak activation, 0.5 GiB for non-torch memory, and 0.5 GiB for \
CUDAGraph memory. Replace gpu_memory_utilization config with"
)


def command(url: str, folder: Path, *arguments: str) -> list[str]:
    fixed = [f"--endpoint={url}", "--model=demo", f"--output={folder / 'eval-results.json'}", "--mix=20:8"]
    version = [f"--image-digest={DIGEST}", f"--revision={REVISION}"]
    return [sys.executable, "-m", "llmops.jobs.measure", *fixed, *version, *arguments]


def measure(url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    made = command(url, folder, *arguments)
    return subprocess.run(
        made, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.real
def test_what_readers_see_stands_beside_what_was_right(start: Start, tmp_path: Path) -> None:
    engine = start(behaviour=knowing({3}, 10) | {"ttft": 0.1, "itl": 0.01})
    log = tmp_path / "engine.log"
    log.write_text(LOG, encoding="utf-8")
    assert evaluate(engine.url, tmp_path, tasks(tmp_path, 10)).returncode == 0
    done = measure(engine.url, tmp_path, "--concurrency", "1", "4", "--requests=8", f"--startup-log={log}")
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert found["tasks"]["golden"]["correct"] == 9
    one, four = found["load"]
    assert [(row["concurrency"], row["requests"], row["errors"]) for row in (one, four)] == [
        (1, 8, 0),
        (4, 8, 0),
    ]
    # An engine is never faster than it is; how much slower it seems, the machine says.
    for row in (one, four):
        assert 100 <= row["ttftP50Ms"] <= row["ttftP99Ms"] <= row["wholeP99Ms"]
        assert row["tokenP99Ms"] > 0
        assert row["answerTokensMean"] == 8
    assert found["memory"]["withoutKvCacheGb"] == round(17.5 * 1.073741824, 3)


@pytest.mark.real
def test_a_killed_load_goes_on_from_the_steps_that_it_had_ended(start: Start, tmp_path: Path) -> None:
    engine = start(behaviour={"ttft": 0.01, "itl": 0.005})
    arguments = ("--concurrency", "1", "2", "3", "--requests=10")
    process = subprocess.Popen(
        command(engine.url, tmp_path, *arguments), env=environment(), stderr=subprocess.DEVNULL
    )
    journal = until(lambda: next(tmp_path.glob(".journals/*"), None), "a journal")
    until(lambda: journal.read_bytes().count(b"\n") > 1, "a step has ended")
    process.kill()
    process.wait()
    ended = [json.loads(line)["row"] for line in journal.read_text().splitlines() if "row" in line]
    assert measure(engine.url, tmp_path, *arguments).returncode == 0
    assert results(tmp_path)["load"][: len(ended)] == ended
    assert [row["concurrency"] for row in results(tmp_path)["load"]] == [1, 2, 3]


@pytest.mark.real
def test_steps_double_until_more_requests_bring_nothing(start: Start, tmp_path: Path) -> None:
    """An engine that takes one request at a time has its most tokens with one in flight, or with two on their way."""
    engine = start(behaviour={"ttft": 0.02, "itl": 0.005, "max_concurrency": 1})
    assert measure(engine.url, tmp_path, "--requests=8").returncode == 0
    steps = [row["concurrency"] for row in results(tmp_path)["load"]]
    assert steps == [2**number for number in range(len(steps))]
    assert 2 <= len(steps) < 9


@pytest.mark.real
def test_an_engine_that_refuses_gives_no_figure(start: Start, tmp_path: Path) -> None:
    engine = start(behaviour={"error_rate": 1.0, "error_status": 429})
    done = measure(engine.url, tmp_path, "--concurrency", "2", "--requests=4")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "no request at 2 in flight was answered: HTTP 429\n"
    assert not (tmp_path / "eval-results.json").exists()


@pytest.mark.parametrize(("text", "gib"), [(LOG, 17.5), (OLDER, 16.0), (OLDER + "\n" + LOG, 17.5)])
def test_memory_is_that_of_the_fullest_gpu(tmp_path: Path, text: str, gib: float) -> None:
    log = tmp_path / "engine.log"
    log.write_text(text, encoding="utf-8")
    assert memory.read(log)["withoutKvCacheGb"] == round(gib * 2**30 / 1e9, 3)


def test_a_log_without_memory_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("ready\n", encoding="utf-8")
    with pytest.raises(JobError, match="give the engine's whole log from its start"):
        memory.read(log)


def test_a_mix_is_drawn_alike_each_time_and_no_prompt_begins_as_another() -> None:
    kinds = mix("100:10:3,10:200:1")
    first, again = bodies(kinds, 200, 7), bodies(kinds, 200, 7)
    assert first == again
    texts = [body["messages"][0]["content"] for body in first]
    assert len({text.split()[0] for text in texts}) == 200
    long = sum(body["max_tokens"] == 10 for body in first)
    assert 120 <= long <= 180


@pytest.mark.parametrize("text", ["", "512", "0:1", "1:2:x", "1:2:0", "-1:2"])
def test_a_mix_that_is_none_says_how_to_write_one(text: str) -> None:
    with pytest.raises(JobError, match=r"--mix .*: (write PROMPT:ANSWER|at least one share)"):
        mix(text)


def test_percentiles_are_values_that_were_seen() -> None:
    assert [percentile(range(1, 101), part) for part in (50, 90, 99)] == [50, 90, 99]
    assert percentile([3.0], 99) == 3.0
