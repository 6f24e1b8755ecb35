"""A training set as the drift job's reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.jobs.documents import read_reference
from llmops.jobs.traffic import Release
from llmops.jobs.training_reference import cumulative
from tests.jobs.conftest import Run
from tests.lab import conftest as scripted
from tests.lab.conftest import Start
from tests.waiting import PATIENCE

start = scripted.start  # the fixture


def write(folder: Path, *rows: object) -> Path:
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def reference(url: str, data: Path, model: str = "demo") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmops.jobs.training_reference", f"--data={data}", f"--endpoint={url}"]
    command += [f"--model={model}", "--namespace=llm", "--release=longer-prompts"]
    return subprocess.run(
        [*command, f"--output={data.parent / 'training-reference.json'}"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.real
def test_lengths_are_counted_by_the_engine_and_no_text_is_kept(start: Start, tmp_path: Path) -> None:
    engine = start()
    plain = {"prompt": "one two three", "completion": " ".join(["word"] * 40)}
    chat = {
        "messages": [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "secret answer"}]
    }
    done = reference(engine.url, write(tmp_path, plain, chat))
    assert done.returncode == 0, done.stderr
    file = tmp_path / "training-reference.json"
    traffic = read_reference(file, Release("llm", "longer-prompts", "demo"))
    answers = traffic.lengths["generation_tokens"]
    assert answers[float("inf")] == 2
    # The longer answer has forty words, and blanks between them count as the engine counts them.
    assert (answers[20.0], answers[100.0]) == (1, 2)
    assert json.loads(file.read_text())["source"] == "training"
    schema = json.loads(
        files("llmops.data").joinpath("training-reference.schema.json").read_text(encoding="utf-8")
    )
    judge = jsonschema.Draft202012Validator(schema)
    written = json.loads(file.read_text())
    judge.validate(written)
    # A figure that tells of a person, or of another kind of reference, has no place in it.
    for change in (
        {"texts": {"words": {"secret": 1}}},
        {"source": "window"},
        {"data": "sha256:1"},
        {"prompt": "x"},
    ):
        assert list(judge.iter_errors(written | change))
    assert traffic.texts["languages"] == {"other": 1, "zh": 1}
    assert traffic.texts["refusals"] == {"answered": 2}
    assert sum(traffic.texts["words"].values()) == pytest.approx(2, abs=0.01)
    assert not any(word in file.read_text() for word in ("secret", "word ", "你好"))


@pytest.mark.real
def test_traffic_is_held_against_it(drift: Callable[..., Run], tmp_path: Path) -> None:
    """Twice the lengths that it was trained for are a drift; about volume a training set says nothing."""
    lengths = [
        [str(bound), 2000.0 if bound >= 200 else 0.0] for bound in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    ]
    file = tmp_path / "reference.json"
    document = {
        "schemaVersion": 1, "kind": "llm-drift-reference", "namespace": "llm", "release": "longer-prompts",
        "model": "qwen", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:01Z", "coverage": 0.0,
        "lengths": {name: [*lengths, ["+Inf", 2000.0]] for name in ("prompt_tokens", "generation_tokens")},
        "finishedReasons": {}, "source": "training",
    }  # fmt: skip
    file.write_text(json.dumps(document), encoding="utf-8")
    run = drift("longer-prompts", f"--reference={file}")
    assert run.signal("prompt_tokens")["outcome"] == "drift"
    assert run.signal("volume")["outcome"] == "inconclusive"
    assert run.signal("finished_reason")["outcome"] == "inconclusive"


@pytest.mark.real
def test_a_row_that_is_none_is_named(start: Start, tmp_path: Path) -> None:
    good = {"prompt": "a", "completion": "b"}
    for bad in ({"messages": []}, {"messages": [{"role": "user", "content": "x"}]}, {"prompt": "a"}, [], 3):
        done = reference("http://127.0.0.1:9", write(tmp_path, good, bad))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"{tmp_path / 'train.jsonl'}:2: this is no row of a training set" in done.stderr
    unknown = reference(start().url, write(tmp_path, good), model="another")
    assert "counts no tokens at /tokenize" in unknown.stderr


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=50))
def test_counts_rise_to_all_rows(lengths: list[int]) -> None:
    found = cumulative(lengths)
    assert list(found.values()) == sorted(found.values())
    assert found[float("inf")] == len(lengths)
    assert all(count == sum(length <= bound for length in lengths) for bound, count in found.items())
