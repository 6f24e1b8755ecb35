"""Manifests of other projects: what is reported of them is written down, and was judged by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from llmops import checks
from tests.checks.foreign import PINNED, folders, read

pytestmark = pytest.mark.real

THEMES = ("engine", "graph", "jobs", "promql", "rollout", "scaling", "schema", "semantics", "upgrade")
EXPECTED = Path(__file__).with_name("foreign_findings.yaml")


def test_every_finding_about_foreign_manifests_was_judged_by_hand() -> None:
    found: dict[str, list[str]] = {}
    files = objects = 0
    for name, release in read(folders(PINNED)):
        files, objects = files + 1, objects + len(release.objects)
        for rule_id, rule in checks.RULES.items():
            if rule.per_release and rule_id.partition("/")[0] in THEMES:
                for finding in rule.judge(release):
                    place = f"{finding.rule} {finding.kind}/{finding.name} {finding.path}"
                    found.setdefault(name, []).append(place)
    assert files >= 300
    assert objects >= 1000
    judged = [group["findings"] for group in yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))]
    expected: dict[str, list[str]] = {}
    for group in judged:
        for name, places in group.items():
            expected.setdefault(name, []).extend(places)
    assert {name: sorted(places) for name, places in found.items()} == {
        name: sorted(places) for name, places in expected.items()
    }
