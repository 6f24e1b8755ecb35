"""Upgrades that people really tried: each change judged, and nothing else said to be more than harmless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.diff import sides
from llmops.diff.compare import compare
from llmops.render import Target

CASES = yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["mistake"].replace(" ", "-")[:60])
def test_every_change_that_costs_something_is_found_and_no_other(case: dict[str, Any]) -> None:
    base, head = (
        sides.manifests(role, role, yaml.safe_dump_all(case[role]), Target("demo", "llm"))
        for role in ("base", "head")
    )
    (one,) = compare(base, head)
    found = [
        (str(change.cost), f"{change.kind}/{change.name}", change.path, change.why)
        for change in one.changes
        if str(change.cost) != "harmless"
    ]
    wanted = [tuple(row) for row in case["finds"]]
    assert sorted(row[:3] for row in found) == sorted(row[:3] for row in wanted)
    for cost, subject, path, words in wanted:
        (why,) = [row[3] for row in found if row[:3] == (cost, subject, path)]
        assert words in why
    for change in one.changes:
        assert change.source
        assert bool(change.fix) == (str(change.cost) == "impossible"), change


def test_there_are_mistakes_and_fine_upgrades_among_the_cases() -> None:
    fine = [case for case in CASES if not case["finds"]]
    assert len(CASES) - len(fine) >= 25
    assert len(fine) >= 6
