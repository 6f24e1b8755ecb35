"""The other ways in: all at once after tests, marked requests first, copies first."""

from __future__ import annotations

from collections import Counter

from tests.e2e.canary.account import requests
from tests.e2e.canary.stage import GOOD, TOKENS, Stage, routed
from tests.e2e.prometheus import scraped
from tests.e2e.states import paused
from tests.e2e.traffic import load

MARK = {"name": "x-model-version", "value": "next"}


def test_blue_green_turns_all_requests_at_once_and_back(stage: Stage, gate: str) -> None:
    """The tests run on the preview; after the turn a gate still looks, and a fault turns it back."""
    layer = routed(gate, type="blueGreen", steps="gray", watchMinutes=0.5)
    layer["vllm-inference"]["trafficRouter"] = "none"
    stage.install(layer, scraped=scraped)
    with stage.scenario("blue-green, good", "promoted", {"seed": 1}, seconds=100, gateway=False) as act:
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last
    with stage.scenario("blue-green, slow after the turn", "aborted", {"seed": 2}, gateway=False) as act:
        new = act.canary()
        act.active(new)
        act.inject(error_rate=0.3, error_status=503)
        assert act.outcome() == "aborted"
    assert stage.last["lost"] == 0, stage.last


def test_marked_requests_and_no_others_get_the_new_version(stage: Stage, gate: str) -> None:
    stage.install(routed(gate, type="ab", ab={"header": MARK}), scraped=scraped)
    with stage.scenario("A/B by a header", "promoted", {"seed": 1}, seconds=130, rate=8) as act:
        act.at_step(1)
        new = act.canary()
        with load(
            stage.helm, 50, True, 2, "marked", header=f"{MARK['name']}: {MARK['value']}", tokens=TOKENS
        ) as account:
            account()
        versions = Counter(
            act.watch.hashes[each.pod] for each in requests(stage.helm.folder / "marked.jsonl", TOKENS)
        )
        assert versions.keys() == {new}
        paused(stage.helm, 3)
        before = [each.at for each in act.watch.samples][-1]
        act.promote()
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last
    early = [
        each for each in requests(stage.helm.folder / "a-b-by-a-header.jsonl", TOKENS) if each.end < before
    ]
    assert {act.watch.hashes[each.pod] for each in early} == {act.before}
    assert len(early) > 100


def test_copies_go_to_the_new_version_and_answers_come_from_the_old_one(stage: Stage, gate: str) -> None:
    stage.install(routed(gate, type="shadow", shadow={"percent": 50}), scraped=scraped)
    slow = {"ttft": {"median": GOOD["ttft"]["median"] * 1.5, "sigma": GOOD["ttft"]["sigma"]}}
    with stage.scenario("shadow, slow first token", "aborted", slow, seconds=100) as act:
        new = act.canary()
        assert act.outcome() == "aborted"
    assert stage.last["lost"] == stage.last["blast"] == 0, stage.last
    assert '"ttft"' in stage.last["reason"]
    found = requests(stage.helm.folder / "shadow--slow-first-token.jsonl", TOKENS)
    assert new not in {act.watch.hashes[each.pod] for each in found}
