"""Our opinions about a release: rules/ by theme, one function per rule, and reading/ for what several of them read.

A rule's example file, examples/<theme>/<rule>.yaml, holds cases that it refuses and cases that it lets pass.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from llmops.checks import rules, waivers
from llmops.checks.registry import (
    ERROR,
    RULES,
    WARNING,
    Rule,
    defect,
    find,
    graph,
    rule,
    values_defect,
    values_source,
)
from llmops.checks.waivers import Waived, Waiver
from llmops.findings import Finding
from llmops.release import Release

__all__ = [
    "ERROR",
    "RULES",
    "WARNING",
    "Outcome",
    "Rule",
    "Waived",
    "Waiver",
    "across_versions",
    "defect",
    "examples",
    "explain",
    "find",
    "graph",
    "review_tree",
    "review_waivers",
    "rule",
    "rules",
    "run",
    "unselected",
    "values_defect",
    "values_source",
]


@dataclass(frozen=True)
class Outcome:
    """What a run said about one release: findings to act on, and findings that a waiver answers for."""

    release: Release
    findings: list[Finding]
    waived: list[Waived]
    waivers: tuple[Waiver, ...] = ()
    disabled: frozenset[str] = frozenset()


def run(release: Release, disable: Iterable[str] = (), today: date | None = None) -> Outcome:
    """Judges a release by every rule that is not disabled, in a stable order, and applies its waivers.

    `disable` holds ids or codes. InputError for an unknown one, unreadable waivers and schemas that were not fetched.
    """
    disabled = frozenset(find(name).id for name in disable)
    found = [
        finding
        for rule_id in sorted(RULES)
        if RULES[rule_id].per_release and rule_id not in disabled
        for finding in RULES[rule_id].judge(release)
    ]
    accepted = waivers.of_release(release)
    left, waived = waivers.apply(found, accepted, release, today or date.today())
    return Outcome(release, sorted(left, key=order), waived, accepted, disabled)


def unselected(select: Iterable[str]) -> tuple[str, ...]:
    """Of some chosen rules, ids or codes, all the others but refusals of values; none where nothing is chosen."""
    chosen = {find(name).id for name in select}
    return tuple(sorted(set(RULES) - chosen - {"values/refused"})) if chosen else ()


def review_waivers(outcomes: Iterable[Outcome], today: date | None = None) -> list[Finding]:
    """The findings about the waivers themselves, once per model, over all its checked environments."""
    found: list[Finding] = []
    models: dict[Path, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.waivers and outcome.release.inputs and outcome.release.inputs.model_dir:
            models.setdefault(outcome.release.inputs.model_dir, []).append(outcome)
    for model_dir, checked in models.items():
        disabled = frozenset().union(*(outcome.disabled for outcome in checked))
        review = waivers.Review(
            model_dir=model_dir,
            waivers=checked[0].waivers,
            environments=frozenset(one.release.inputs.environment for one in checked if one.release.inputs),
            used=frozenset(used.waiver for one in checked for used in one.waived),
            disabled=disabled,
            today=today or date.today(),
        )
        for rule_id in ("waiver/expired", "waiver/unused", "waiver/endless"):
            if rule_id not in disabled:
                found += RULES[rule_id].judge(review)
    return sorted(found, key=order)


def review_tree(outcomes: Iterable[Outcome]) -> list[Finding]:
    """The findings about releases side by side, by the rules of theme `tree`; each outcome is looked at once."""
    comparing = [one for rule_id, one in sorted(RULES.items()) if rule_id.startswith("tree/")]
    seen: dict[str, dict[object, str]] = {one.id: {} for one in comparing}
    found: list[Finding] = []
    for outcome in outcomes:
        for one in comparing:
            if one.id not in outcome.disabled:
                found += one.judge(outcome.release, seen[one.id])
    return sorted(found, key=order)


def across_versions(outcomes: Mapping[str, Outcome]) -> Outcome:
    """One outcome for a release judged for several Kubernetes versions; keys are the versions as asked for.

    A finding that does not hold for all of them says for which it does. The release is the first version's.
    """
    first = next(iter(outcomes.values()))
    versions: dict[Finding, list[str]] = {}
    shown: dict[Finding, Finding] = {}
    waived: dict[Finding, Waived] = {}
    for version, outcome in outcomes.items():
        for finding in outcome.findings:
            # Lines move, since templates ask for the version; a fix may name what this version has.
            same = replace(finding, source="", fix="")
            shown.setdefault(same, finding)
            versions.setdefault(same, []).append(version)
        for one in outcome.waived:
            waived.setdefault(replace(one.finding, source="", fix=""), one)
    found = [
        finding if set(versions[same]) == set(outcomes) else _only(finding, versions[same])
        for same, finding in shown.items()
    ]
    return replace(first, findings=sorted(found, key=order), waived=list(waived.values()))


def _only(finding: Finding, versions: Iterable[str]) -> Finding:
    listed = ", ".join(dict.fromkeys(versions))
    return replace(finding, message=f"{finding.message.removesuffix('.')} (only on Kubernetes {listed}).")


def order(finding: Finding) -> tuple[object, ...]:
    """Worst first, then by rule and object."""
    place = (finding.namespace, finding.kind, finding.name, finding.path, finding.message, finding.source)
    return -finding.severity, finding.rule, *place


def examples(name: str) -> list[dict[str, Any]]:
    """The cases of a rule's example file, in order; by id or code."""
    file = Path(__file__).parent / "examples" / f"{find(name).id}.yaml"
    cases: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return cases


def explain(name: str) -> str:
    """Why the rule exists, how to satisfy it, and its cases. Raises InputError for an unknown id or code."""
    chosen = find(name)
    title = f"{chosen.code} {chosen.id} ({chosen.severity})".strip()
    parts = [title, chosen.doc, f"Fix: {chosen.fix}"]
    for case in examples(chosen.id):
        counted = Counter(
            one["path"] or "the whole object" for one in case["findings"] if one["rule"] == chosen.id
        )
        verdict = "refused at " + ", ".join(counted) if counted else "fine"
        parts.append(f"{case['case']} ({verdict}):\n{textwrap.indent(_shown(case), '    ')}")
    return "\n\n".join(parts) + "\n"


def _shown(case: Mapping[str, Any]) -> str:
    shown = []
    for key, value in case.items():
        if key not in ("case", "findings"):
            body = value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False)
            shown.append(body.strip() if key == "manifests" else f"# {key}\n{body.strip()}")
    return "\n".join(shown)
