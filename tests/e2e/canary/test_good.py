"""Good versions are promoted, time after time, and no client notices."""

from __future__ import annotations

import pytest

from tests.e2e.canary.stage import Stage, routed
from tests.e2e.prometheus import scraped

ROUNDS = 10


@pytest.mark.parametrize("half", ["first", "second"])
def test_twenty_good_versions_are_promoted(half: str, stage: Stage, gate: str) -> None:
    stage.install(routed(gate), scraped=scraped)
    outcomes, lost, sent = [], 0, 0
    for number in range(ROUNDS):
        with stage.scenario(f"good {half} {number + 1}", "promoted", {"seed": number + 1}, seconds=50) as act:
            outcomes.append(act.outcome())
        lost, sent = lost + stage.last["lost"], sent + stage.last["sent"]
    assert outcomes.count("aborted") <= 1, outcomes
    assert lost == 0
    assert sent >= ROUNDS * 500
