"""A version that gives more wrong answers is stopped before it has a user; one that is as right goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.releases.gate import IMAGE
from tests.e2e.canary.stage import GOOD, Stage, routed
from tests.e2e.prometheus import scraped

ITEMS, WORSE, BETTER = 400, 30, 10
STEPS = [{"setCanaryScale": {"replicas": 1}}, {"smoke": {}}, {"quality": {}}, {"setWeight": 25}, {"gate": {}}]
QUICK = {"ttft": 0.005, "itl": 0.002}


def prompts() -> list[str]:
    return [f"Item {number:04} of the set" for number in range(ITEMS)]


def golden() -> str:
    """Each item has one right word, which the scripted engine says or does not."""
    lines = [
        {
            "id": f"item-{n}",
            "prompt": prompt,
            "max_tokens": 8,
            "scoring": "contains",
            "expected": f"right{n:04}",
        }
        for n, prompt in enumerate(prompts())
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def answers(wrong: range) -> dict[str, str]:
    """What an engine says: the right word for all items but some."""
    return {
        prompt: "no idea" if number in wrong else f"right{number:04}"
        for number, prompt in enumerate(prompts())
    }


@pytest.mark.parametrize(
    ("name", "wrong", "expected"),
    [
        pytest.param(
            *("quality: 7.5 % worse, 2.5 % better", range(BETTER, BETTER + WORSE), "aborted"),
            marks=pytest.mark.brief,
        ),
        ("quality: the same answers", range(BETTER), "promoted"),
    ],
)
def test_quality_is_compared_item_by_item(
    name: str, wrong: range, expected: str, stage: Stage, gate: str
) -> None:
    layer: dict[str, Any] = {
        "vllm-inference": {
            "quality": {
                "enabled": True,
                "goldenSet": {"configMap": "golden"},
                "image": IMAGE,
                "concurrency": 8,
            }
        }
    }
    stage.helm.folder.joinpath("golden.jsonl").write_text(golden(), encoding="utf-8")
    stage.helm.kubectl("create", "configmap", "golden", f"--from-file={stage.helm.folder / 'golden.jsonl'}")
    # Stable is wrong where the new version is better.
    stage.install(routed(gate, steps=STEPS), layer, scraped=scraped, answers=answers(range(BETTER)), **QUICK)
    new = {**GOOD, **QUICK, "answers": answers(wrong), "seed": 1}
    with stage.scenario(name, expected, new, seconds=120, rate=8) as act:
        assert act.outcome() == expected
    assert stage.last["lost"] == 0, stage.last
    if expected == "aborted":
        assert '"quality"' in stage.last["reason"]
        assert stage.last["abort_step"] == STEPS.index({"quality": {}})
        assert stage.last["blast"] == 0
