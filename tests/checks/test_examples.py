"""The example files are the documentation, the tests and the mutants of the rules at once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmops import checks
from llmops.findings import Severity
from tests.checks.cases import judge

CASES = [
    pytest.param(case, id=f"{rule_id}: {case['case']}")
    for rule_id in sorted(checks.RULES)
    for case in checks.examples(rule_id)
]


@pytest.mark.parametrize("case", CASES)
def test_a_case_has_exactly_the_promised_findings(case: dict[str, Any], tmp_path: Path) -> None:
    found = Counter((finding.rule, finding.path) for finding in judge(case, tmp_path))
    assert found == Counter((one["rule"], one["path"]) for one in case["findings"])


@pytest.mark.parametrize("rule_id", sorted(checks.RULES))
def test_a_rule_has_a_case_that_it_refuses_and_one_without_any_finding(rule_id: str) -> None:
    promised = [{one["rule"] for one in case["findings"]} for case in checks.examples(rule_id)]
    assert any(rule_id in rules for rules in promised)
    assert any(not rules for rules in promised)


def test_every_example_file_belongs_to_a_rule() -> None:
    folder = Path(checks.__file__).parent / "examples"
    files = {str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.yaml")}
    assert files == set(checks.RULES)


@pytest.mark.long
def test_findings_are_complete_for_a_person_and_a_machine(tmp_path: Path) -> None:
    """Whatever a rule yields, the reader learns which object, where it stands, and what to do."""
    for parameter in CASES:
        case: Any = parameter.values[0]
        for finding in judge(case, tmp_path / str(id(case))):
            assert finding.message.endswith("."), finding
            assert finding.fix.endswith("."), finding
            assert not re.search(r"\{(kind|name|namespace)\}", finding.fix), finding
            assert finding.name, finding
            assert finding.source.rpartition(":")[2].isdigit(), finding
            assert finding.severity in set(Severity), finding
