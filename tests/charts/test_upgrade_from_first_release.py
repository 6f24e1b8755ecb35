"""Whoever installed the first release can upgrade: its values render what they did, or a sentence says what to write.

What those charts rendered then stands in first_release/identities.yaml, since history is not everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops import examine
from llmops.diff.change import Comparison, Cost
from llmops.diff.compare import compare
from llmops.diff.sides import Side, chart, manifests
from llmops.findings import Finding
from llmops.release import Inputs
from llmops.render import DEFAULT_KUBE_VERSION, Renderer, Target
from tests.charts.conftest import CHARTS, merge
from tests.charts.first_release.__main__ import HERE, releases

pytestmark = pytest.mark.long

IDENTITIES = yaml.safe_load((HERE / "identities.yaml").read_text(encoding="utf-8"))
RELEASES = {one["release"]: one for one in releases()}
WORKLOADS = ("Rollout", "Deployment")


def inputs(one: dict[str, Any], values: dict[str, Any], folder: Path) -> Inputs:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    return Inputs(CHARTS / one["chart"], (file,), Target(name=one["release"]))


def refusals(asked: Inputs, renderer: Renderer) -> list[Finding]:
    (report,) = examine.releases([asked], renderer, [DEFAULT_KUBE_VERSION])
    return [one for one in report.findings if one.rule == "values/refused"]


def upgrade(name: str, folder: Path, renderer: Renderer) -> tuple[Side, Side, Comparison]:
    """The release as it was, as it is with today's charts, and what `llmops diff` says about going there."""
    one = RELEASES[name]
    asked = inputs(one, merge(one["values"], one.get("instead", {})), folder)
    base = manifests("BASE", "first release", yaml.safe_dump_all(IDENTITIES[name]), asked.target)
    head = chart("HEAD", asked.chart, asked.values, asked.target, renderer)
    (comparison,) = compare(base, head)
    return base, head, comparison


def of_kind(side: Side, *kinds: str) -> dict[tuple[str, str], dict[str, Any]]:
    (release,) = side.releases.values()
    return {(one.kind, one.name): one.data for one in release.objects if one.kind in kinds}


@pytest.mark.parametrize("name", [name for name, one in RELEASES.items() if "refused" not in one])
def test_values_of_the_first_release_are_still_taken(name: str, tmp_path: Path, renderer: Renderer) -> None:
    assert refusals(inputs(RELEASES[name], RELEASES[name]["values"], tmp_path), renderer) == []


@pytest.mark.parametrize("name", [name for name, one in RELEASES.items() if "refused" in one])
def test_values_that_are_refused_now_are_told_what_to_write(
    name: str, tmp_path: Path, renderer: Renderer
) -> None:
    one = RELEASES[name]
    said = [
        f"{found.message} {found.fix}" for found in refusals(inputs(one, one["values"], tmp_path), renderer)
    ]
    assert said
    assert all("\n" not in sentence for sentence in said)
    for words in one["refused"]:
        assert any(words in sentence for sentence in said), said


@pytest.mark.parametrize("name", RELEASES)
def test_an_upgrade_is_possible_and_keeps_its_workload(name: str, tmp_path: Path, renderer: Renderer) -> None:
    base, head, comparison = upgrade(name, tmp_path, renderer)
    impossible = [
        (one.kind, one.name, one.path, one.why) for one in comparison.changes if one.cost is Cost.IMPOSSIBLE
    ]
    assert impossible == []
    before, after = of_kind(base, *WORKLOADS), of_kind(head, *WORKLOADS)
    assert before.keys() == after.keys()
    for key, was in before.items():
        assert after[key]["spec"]["selector"] == was["spec"]["selector"]
        assert after[key]["spec"]["replicas"] == was["spec"]["replicas"]
        # Else the pods of the old ReplicaSets would be nobody's.
        selected = was["spec"]["selector"]["matchLabels"].items()
        assert selected <= after[key]["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", RELEASES)
def test_an_upgrade_keeps_services_and_gpus(name: str, tmp_path: Path, renderer: Renderer) -> None:
    base, head, comparison = upgrade(name, tmp_path, renderer)
    before, after = of_kind(base, "Service"), of_kind(head, "Service")
    assert sorted(service for _, service in before.keys() - after.keys()) == RELEASES[name].get("gone", [])
    for key, was in before.items():
        if key not in after:
            continue
        assert after[key]["spec"]["selector"] == was["spec"]["selector"]
        assert after[key]["spec"]["ports"] == was["spec"]["ports"]
    assert all(one.before.steady == one.after.steady for one in comparison.workloads)


def test_a_workload_of_another_name_would_be_seen(tmp_path: Path, renderer: Renderer) -> None:
    """The comparison is able to fail: with another selector in what was, the upgrade is impossible."""
    one = RELEASES["staged"]
    spoilt = yaml.safe_dump_all(IDENTITIES["staged"]).replace("component: engine", "component: server")
    asked = inputs(one, one["values"], tmp_path)
    base = manifests("BASE", "spoilt", spoilt, asked.target)
    (comparison,) = compare(base, chart("HEAD", asked.chart, asked.values, asked.target, renderer))
    assert comparison.cost is Cost.IMPOSSIBLE
