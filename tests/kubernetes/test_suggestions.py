"""A hint names what somebody meant, and nothing where nothing is near."""

from __future__ import annotations

import json

import pytest

from llmops.checks.reading.values_schema import violations
from llmops.kubernetes.suggestions import distance, nearest
from llmops.kubernetes.wording import closest
from tests.charts.conftest import CHARTS

KEYS = sorted(
    json.loads((CHARTS / "vllm-inference/values.schema.json").read_text(encoding="utf-8"))["properties"]
)
ENGINE = ["maxModelLen", "maxNumSeqs", "parallelism", "extraArgs", "gpuMemoryUtilization", "dtype", "version"]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("replcias", KEYS, "replicas"),
        ("replica", KEYS, "replicas"),
        ("podLables", KEYS, "podLabels"),
        ("pod-labels", KEYS, "podLabels"),
        ("trafficrouter", KEYS, "trafficRouter"),
        ("gpus", ["gpu", "model", "slo"], "gpu"),
        ("tsl", ["tls", "lora"], "tls"),
        ("max_model_len", ENGINE, "maxModelLen"),
        ("maxModelLength", ENGINE, "maxModelLen"),
        ("maxSeqs", ENGINE, "maxNumSeqs"),
        ("gpuMemoryUtilisation", ENGINE, "gpuMemoryUtilization"),
        ("paralellism", ENGINE, "parallelism"),
        ("extraArg", ENGINE, "extraArgs"),
        ("dta", ["data", "metadata"], "data"),
        ("bfloat", ["auto", "bfloat16", "float16"], "bfloat16"),
        ("--max-model-length", ["--max-model-len", "--max-num-seqs"], "--max-model-len"),
        ("vllm:num_request_run", ["vllm:num_requests_run", "vllm:num_requests_waiting"], "vllm:num_requests_run"),
        ("Deploymnet", ["DaemonSet", "Deployment"], "Deployment"),
    ],
)  # fmt: skip
def test_a_slip_names_what_was_meant(word: str, known: list[str], meant: str) -> None:
    assert closest(word, known) == f' (did you mean "{meant}"?)'


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("probes", KEYS),
        ("livenessProbe", KEYS),
        ("autoscaling", KEYS),
        ("affinity", KEYS),
        ("storage", KEYS),
        ("ports", ["hosts", "paths"]),
        ("cpu", ["gpu", "model"]),
        ("min", ["mig", "max"]),
        ("temperature", ENGINE),
        ("chat-canary", ["chat-stable", "chat"]),
        ("", KEYS),
        ("x", []),
    ],
)
def test_what_is_not_near_gets_no_hint(word: str, known: list[str]) -> None:
    assert closest(word, known) == ""


def test_of_two_near_words_the_one_with_fewer_slips_is_meant() -> None:
    assert nearest("modls", ["mode", "model", "models"]) == "models"
    assert nearest("label", ["labels", "label", "lapels"]) == "label"


@pytest.mark.parametrize(
    ("one", "other", "letters"),
    [("", "abc", 3), ("same", "same", 0), ("ab", "ba", 1), ("kitten", "sitting", 3), ("lable", "label", 1)],
)
def test_letters_between_words(one: str, other: str, letters: int) -> None:
    assert distance(one, other) == distance(other, one) == letters


def test_an_unknown_key_of_a_chart_is_told_without_a_wrong_hint() -> None:
    said = violations(CHARTS / "vllm-inference", {"probes": {}, "podLables": {}})
    told = {one.pointer: (one.message, one.fix) for one in said}
    assert told["/probes"] == ("probes is no known field.", "Leave probes out.")
    assert told["/podLables"] == (
        'podLables is no known field (did you mean "podLabels"?).',
        "Write podLabels.",
    )
