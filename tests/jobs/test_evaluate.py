"""The evaluation as the cluster starts it, of an engine that answers as it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmops.evaluation import document
from tests.jobs.test_quality import golden, knowing
from tests.lab import conftest as scripted
from tests.lab.conftest import Start
from tests.waiting import PATIENCE, free_port, until

pytestmark = pytest.mark.real
start = scripted.start  # the fixture
ITEMS = 120
DIGEST, REVISION = f"sha256:{'c' * 64}", "a" * 40


def command(url: str, folder: Path, *arguments: str) -> list[str]:
    fixed = [
        f"--endpoint={url}",
        "--model=demo",
        f"--output={folder / 'eval-results.json'}",
        "--noise-items=20",
    ]
    fixed += ["--pause=0.01"]
    version = [f"--image-digest={DIGEST}", f"--revision={REVISION}"]
    return [sys.executable, "-m", "llmops.jobs.evaluate", *fixed, *version, *arguments]


def environment() -> dict[str, str]:
    # The proxy must not be used: nothing listens there.
    return {"PATH": os.environ["PATH"], "http_proxy": "http://127.0.0.1:1"}


def evaluate(url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    made = command(url, folder, *arguments)
    return subprocess.run(
        made, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def results(folder: Path) -> dict[str, Any]:
    """The results, which their schema takes."""
    found = document.read(folder / "eval-results.json")
    schema = files("llmops.data").joinpath("eval-results.schema.json").read_text(encoding="utf-8")
    jsonschema.validate(found, json.loads(schema))
    return found


def figures(folder: Path) -> object:
    """All of the results that does not depend on when they were made."""
    found = results(folder)
    return found["tasks"], document.answers(folder / "eval-results.json", found), found["outcome"]


def tasks(folder: Path, items: int = ITEMS) -> str:
    folder.mkdir(exist_ok=True)
    return f"--tasks={golden(folder, items)}"


def test_what_is_right_is_counted_item_by_item(start: Start, tmp_path: Path) -> None:
    engine = start(behaviour=knowing({3, 7}, ITEMS))
    done = evaluate(engine.url, tmp_path, tasks(tmp_path))
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    row = found["tasks"]["golden"]
    assert (row["correct"], row["items"], row["noise"]) == (118, 120, {"items": 20, "flipped": 0})
    assert found["run"]["engineVersion"] == "0.33.0"
    answers = document.answers(tmp_path / "eval-results.json", found)["golden"]
    assert {item for item, right in answers.items() if not right} == {"q003", "q007"}
    assert json.loads(done.stdout)["outcome"] == "measured"


def test_nothing_that_anybody_wrote_or_said_is_kept(start: Start, tmp_path: Path) -> None:
    engine = start(behaviour=knowing(set(), 30))
    out = tmp_path / "out"
    done = evaluate(engine.url, out, tasks(tmp_path, 30))
    kept = "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    for text in (done.stdout, done.stderr, kept):
        assert "answer 7" not in text
        assert "question" not in text.lower().replace("questions got no answer", "")


def test_a_run_that_was_killed_goes_on_where_it_was(start: Start, tmp_path: Path) -> None:
    slow = knowing({3, 7}, ITEMS) | {"ttft": 1.0}
    engine, asked = start(behaviour=slow), tasks(tmp_path)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = subprocess.Popen(
        command(engine.url, killed, asked, "--concurrency=8"), env=environment(), stderr=subprocess.DEVNULL
    )

    def answered() -> int:
        return sum(path.read_bytes().count(b"\n") for path in killed.glob(".journals/*"))

    until(lambda: answered() > 10, "some questions were answered")
    process.kill()
    process.wait()
    assert not (killed / "eval-results.json").exists()
    engine.behave(ttft=0.001)
    before, there = engine.value("vllm:request_success_total"), answered()
    assert evaluate(engine.url, killed, asked, "--concurrency=16").returncode == 0
    # One line of the journal is no answer; what was in flight is asked again.
    assert engine.value("vllm:request_success_total") - before <= ITEMS + 20 - (there - 1) + 8
    assert evaluate(engine.url, whole, asked, "--concurrency=16").returncode == 0
    assert figures(killed) == figures(whole)


def test_a_journal_cut_anywhere_makes_the_same_document(start: Start, tmp_path: Path) -> None:
    engine, asked = start(behaviour=knowing({3}, 6)), tasks(tmp_path, 6)
    assert evaluate(engine.url, tmp_path, asked, "--noise-items=2").returncode == 0
    whole = (tmp_path / "eval-results.json").read_bytes()
    journal = next(tmp_path.glob(".journals/*"))
    content = journal.read_bytes()
    first = content.index(b"\n") + 1
    for length in (0, first - 3, first, first + 10, len(content) // 2, len(content) - 1):
        journal.write_bytes(content[:length])
        before = figures(tmp_path)
        (tmp_path / "eval-results.json").unlink()
        assert evaluate(engine.url, tmp_path, asked, "--noise-items=2").returncode == 0
        assert figures(tmp_path) == before
    journal.write_bytes(content)
    (tmp_path / "eval-results.json").unlink()
    evaluate(f"http://127.0.0.1:{engine.url.rsplit(':', 1)[1]}", tmp_path, asked, "--noise-items=2")
    assert (tmp_path / "eval-results.json").read_bytes() == whole


def test_parts_side_by_side_write_one_document(start: Start, tmp_path: Path) -> None:
    engine = start(behaviour=knowing({3}, 30))
    source = golden(tmp_path, 30)
    names = [tmp_path / f"{name}.jsonl" for name in ("reading", "arithmetic", "history")]
    for name in names:
        name.write_bytes(source.read_bytes())
    running = [
        subprocess.Popen(
            command(engine.url, tmp_path, f"--part={part}/2", "--tasks", *map(str, names)),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for part in (1, 2)
    ]
    assert [process.wait(PATIENCE) for process in running] == [0, 0]
    found = results(tmp_path)
    assert {name: row["correct"] for name, row in found["tasks"].items()} == dict.fromkeys(
        ("reading", "arithmetic", "history"), 29
    )


def test_an_engine_that_refuses_gives_no_figure(start: Start, tmp_path: Path) -> None:
    behaviour = knowing(set(), 4) | {"error_rate": 1.0, "error_status": 429}
    done = evaluate(start(behaviour=behaviour).url, tmp_path, tasks(tmp_path, 1))
    assert done.returncode == 1
    found = results(tmp_path)
    assert (found["outcome"], found["tasks"]) == ("incomparable", {})
    assert "golden: 1 of 1 questions got no answer (q000: HTTP 429)" in found["reason"]
    assert json.loads(done.stdout)["outcome"] == "incomparable"


def test_figures_of_another_version_are_never_mixed(start: Start, tmp_path: Path) -> None:
    engine, asked = start(behaviour=knowing(set(), 10)), tasks(tmp_path, 10)
    assert evaluate(engine.url, tmp_path, asked).returncode == 0
    before = (tmp_path / "eval-results.json").read_bytes()
    done = evaluate(engine.url, tmp_path, asked, f"--revision={'b' * 40}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 2)
    assert f"holds figures of revision {REVISION}, and this run is of {'b' * 40}" in done.stderr
    assert (tmp_path / "eval-results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("wrong", "status", "outcome", "words"),
    [
        (set(range(30)), 1, "regressed", "a drop, and more than 5 points"),
        (set(), 0, "passed", "one of 5 points is excluded"),
    ],
    ids=["worse", "same"],
)
def test_it_is_held_against_its_baseline(
    start: Start, tmp_path: Path, wrong: set[int], status: int, outcome: str, words: str
) -> None:
    asked = tasks(tmp_path)
    old, new = (start(behaviour=knowing(missed, ITEMS)) for missed in (set(), wrong))
    assert evaluate(old.url, tmp_path / "old", asked).returncode == 0
    done = evaluate(new.url, tmp_path / "new", asked, f"--baseline={tmp_path / 'old/eval-results.json'}")
    said = json.loads(done.stdout)
    assert (done.returncode, said["outcome"], said["retrain"]) == (status, outcome, outcome == "regressed")
    assert words in said["reason"]
    assert json.loads((tmp_path / "new/verdict.json").read_text()) == said


def test_a_changed_baseline_is_refused(start: Start, tmp_path: Path) -> None:
    engine, asked = start(behaviour=knowing(set(), 10)), tasks(tmp_path, 10)
    file = tmp_path / "eval-results.json"
    assert evaluate(engine.url, tmp_path, asked).returncode == 0
    file.write_text(file.read_text().replace('"correct": 10', '"correct": 9'))
    done = evaluate(engine.url, tmp_path / "new", asked, f"--baseline={file}")
    assert done.returncode == 2
    assert f"{file}: the seal does not fit" in done.stderr


def test_nobody_at_the_endpoint_is_a_sentence(tmp_path: Path) -> None:
    done = evaluate(f"http://127.0.0.1:{free_port()}", tmp_path, tasks(tmp_path, 1))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "cannot be asked: Connection refused" in done.stderr


def test_a_folder_is_all_sets_in_it(start: Start, tmp_path: Path) -> None:
    engine, folder = start(behaviour=knowing(set(), 5)), tmp_path / "sets"
    folder.mkdir()
    for name in ("reading", "history"):
        (folder / f"{name}.jsonl").write_bytes(golden(tmp_path, 5).read_bytes())
    assert evaluate(engine.url, tmp_path, f"--tasks={folder}").returncode == 0
    assert results(tmp_path)["tasks"].keys() == {"reading", "history"}
    empty = evaluate(engine.url, tmp_path, f"--tasks={tmp_path / 'out'}", f"--tasks={(tmp_path / 'no')}")
    assert (empty.returncode, empty.stderr.count("\n")) == (2, 1)


def test_a_baseline_may_lie_flat_as_a_config_map_has_it(start: Start, tmp_path: Path) -> None:
    engine, asked, flat = start(behaviour=knowing(set(), 30)), tasks(tmp_path, 30), tmp_path / "flat"
    assert evaluate(engine.url, tmp_path, asked).returncode == 0
    flat.mkdir()
    for file in (tmp_path / "eval-results.json", tmp_path / "eval-items/golden.jsonl"):
        (flat / file.name).write_bytes(file.read_bytes())
    done = evaluate(engine.url, tmp_path / "new", asked, f"--baseline={flat / 'eval-results.json'}")
    assert json.loads(done.stdout)["tasks"]["golden"]["difference"] == 0


def test_nothing_is_asked_while_requests_of_others_wait(start: Start, tmp_path: Path) -> None:
    """The engine says that three wait, as long as it lives; the run is ended, and has asked nothing."""
    engine = start(behaviour=knowing(set(), 5) | {"gauges": {"vllm:num_requests_waiting": 3}})
    process = subprocess.Popen(
        command(engine.url, tmp_path, tasks(tmp_path, 5), "--give-way"),
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    # It has looked at the beginning and the questions, and then whether it may ask.
    until(lambda: list(tmp_path.glob(".journals/*")), "a journal")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    process.kill()
    process.wait()
    assert engine.value("vllm:request_success_total") == 0
