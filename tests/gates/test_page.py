"""docs/gates.md says what the gates do: shares of alpha, and figures that a shorter run comes near to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmops.gates.plan import WEIGHTS
from llmops.simulate.canary import table
from llmops.simulate.canary.command import Plan

PAGE = (Path(__file__).parents[2] / "docs/gates.md").read_text(encoding="utf-8")
ROWS = {
    (heading, int(requests)): float(rate) / 100
    for heading, requests, rate in re.findall(
        r"^\| ([^|]+) \| ([0-9]+) \| ([0-9.]+) % \|", PAGE, re.MULTILINE
    )
}


def test_shares_of_alpha() -> None:
    names, shares = re.findall(r"^\| (ttft \| .*|26 % \| .*) \|$", PAGE, re.MULTILINE)
    told = [float(one.removesuffix(" %")) / 100 for one in shares.split(" | ")]
    assert dict(zip(names.split(" | "), told, strict=True)) == WEIGHTS
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_every_setting_has_its_row() -> None:
    assert list(ROWS) == [(heading, size) for heading, _, sizes in table.SETTINGS for size in sizes]
    assert all(f"| {heading} | " in PAGE for heading, _ in table.SHAPES)


@pytest.mark.parametrize(
    ("heading", "requests"), [("good", 30), ("TTFT x 1.15", 30), ("e2e x 1.3", 10), ("errors 1 % -> 2 %", 91)]
)
def test_figures(heading: str, requests: int) -> None:
    (traffic,) = (traffic for name, traffic, _ in table.SETTINGS if name == heading)
    found = table.aborts(traffic, Plan(requests, (10,), runs=600, seed=77))["rollout"]["abort_rate"]
    told = ROWS[heading, requests]
    # Three standard deviations of 600 runs.
    assert found == pytest.approx(told, abs=3 * (told * (1 - told) / 600) ** 0.5)
