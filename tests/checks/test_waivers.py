"""Waivers: what they hide, for how long, and what is said about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmops import checks
from llmops.findings import InputError, Severity
from tests.checks.cases import TODAY, release_of

TAGGED = """
apiVersion: v1
kind: Pod
metadata: {name: smoke}
spec: {containers: [{name: smoke, image: "registry.example/smoke:1.2.0"}]}
"""
WAIVER = {"rule": "image/missing-digest", "reason": "the old registry keeps none", "expires": "2026-06-30"}


def outcome(folder: Path, *waivers: dict[str, Any], environment: str = "prod") -> checks.Outcome:
    release = release_of({"manifests": TAGGED, "waivers": list(waivers)}, folder)
    assert release.inputs
    release = replace(release, inputs=replace(release.inputs, environment=environment))
    return checks.run(release, today=TODAY)


def test_a_waived_finding_stays_available_with_its_reason(tmp_path: Path) -> None:
    done = outcome(tmp_path, WAIVER)
    assert done.findings == []
    ((finding, answer),) = [(one.finding, one.waiver) for one in done.waived]
    assert finding.path == "/spec/containers/0/image"
    assert answer.reason == "the old registry keeps none"
    assert answer.source.endswith("waivers.yaml:1")


@pytest.mark.parametrize(
    ("narrowing", "waived"),
    [
        ({"name": "smoke"}, True),
        ({"name": "engine"}, False),
        ({"kind": "Pod", "environment": "prod"}, True),
        ({"kind": "Rollout"}, False),
        ({"environment": "staging"}, False),
    ],
)
def test_a_waiver_narrowed_by_name_kind_or_environment(
    narrowing: dict[str, str], waived: bool, tmp_path: Path
) -> None:
    done = outcome(tmp_path, {**WAIVER, **narrowing})
    assert (len(done.findings), len(done.waived)) == ((0, 1) if waived else (1, 0))


def test_unused_is_said_once_and_only_when_every_environment_was_checked(tmp_path: Path) -> None:
    unused = {**WAIVER, "name": "engine"}
    (tmp_path / "models" / "demo" / "envs" / "staging").mkdir(parents=True)
    prod, staging = (outcome(tmp_path, unused, environment=name) for name in ("prod", "staging"))
    assert checks.review_waivers([prod], today=TODAY) == []
    (finding,) = checks.review_waivers([prod, staging], today=TODAY)
    assert (finding.rule, finding.severity) == ("waiver/unused", Severity.WARNING)
    assert finding.source.endswith("waivers.yaml:1")


def test_a_waiver_for_one_environment_needs_only_that_environment_to_be_called_unused(tmp_path: Path) -> None:
    (tmp_path / "models" / "demo" / "envs" / "staging").mkdir(parents=True)
    done = outcome(tmp_path, {**WAIVER, "name": "engine", "environment": "prod"})
    assert [one.rule for one in checks.review_waivers([done], today=TODAY)] == ["waiver/unused"]


def test_a_disabled_rule_makes_its_waiver_neither_used_nor_unused(tmp_path: Path) -> None:
    release = release_of({"manifests": TAGGED, "waivers": [WAIVER]}, tmp_path)
    done = checks.run(release, disable=["image/missing-digest"], today=TODAY)
    assert checks.review_waivers([done], today=TODAY) == []


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("rule: x", 1, "a list"),
        ("- just text", 1, "keys rule, reason"),
        ('- rule: image/missing-digest\n  reson: x\n  expires: "2026-06-30"', 2, 'did you mean "reason"'),
        ('- rule: image/missing-digest\n  expires: "2026-06-30"', 1, "no reason"),
        ('- rule: image/missing-digest\n  reason: " "\n  expires: "2026-06-30"', 2, "non-empty"),
        ('- rule: image/missing-digst\n  reason: x\n  expires: "2026-06-30"', 1, "image/missing-digest"),
        ("- rule: image/missing-digest\n  reason: x\n  expires: next year", 1, "YYYY-MM-DD"),
        ('- rule: waiver/unused\n  reason: x\n  expires: "2026-06-30"', 1, "cannot be waived"),
        ("- rule: a\n  rule: b", 2, "twice"),
        ("- rule: [a", 1, "YAML"),
    ],
)
def test_an_unreadable_waiver_names_its_line(text: str, line: int, said: str, tmp_path: Path) -> None:
    release = release_of({"manifests": TAGGED}, tmp_path)
    file = tmp_path / "models" / "demo" / "waivers.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        checks.run(release, today=TODAY)
    assert said in caught.value.message
    assert caught.value.source == f"{file}:{line}"
