"""Codes of rules: what waivers, pipelines and code scanning hold on to when a rule gets a better name."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from llmops import checks
from llmops.checks import waivers
from llmops.cli import main
from llmops.findings import InputError

GIVEN: dict[str, str] = yaml.safe_load(Path(__file__).with_name("codes.yaml").read_text(encoding="utf-8"))
MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: x}
spec: {containers: [{name: engine, image: "vllm/vllm-openai:latest"}]}
"""


def run(*args: str) -> str:
    result = CliRunner().invoke(main, [*args], input=MANIFEST)
    assert result.exit_code in (0, 1), result.output
    return result.output


def test_every_rule_has_the_code_that_it_was_given() -> None:
    """Whoever renames a rule edits the list too; whoever removes one writes `withdrawn` and frees no code."""
    now = {rule.code: rule.id for rule in checks.RULES.values()}
    assert len(now) == len(checks.RULES)
    assert now == {code: rule_id for code, rule_id in GIVEN.items() if rule_id != "withdrawn"}


def test_a_code_is_two_letters_and_three_digits_and_its_hundred_is_one_themes() -> None:
    themes = defaultdict(set)
    for code, rule_id in GIVEN.items():
        assert re.fullmatch("[A-Z]{2}[1-9][0-9]{2}", code)
        themes[code[:3]].add(rule_id.partition("/")[0])
    assert all(len(named - {"withdrawn"}) <= 1 for named in themes.values()), themes


def test_every_form_of_the_report_shows_the_code_beside_the_name() -> None:
    code = checks.find("image/floating-tag").code
    assert f"error {code} image/floating-tag  Pod/x/one" in run("check", "--manifests", "-")
    found = json.loads(run("check", "--manifests", "-", "--format", "json"))["findings"]
    assert code in {one["code"] for one in found if one["rule"] == "image/floating-tag"}
    assert f'name="{code} image/floating-tag Pod/x/one' in run(
        "check", "--manifests", "-", "--format", "junit"
    )
    assert f"<code>{code} image/floating-tag</code>" in run("check", "--manifests", "-", "--format", "html")
    sarif = json.loads(run("check", "--manifests", "-", "--format", "sarif"))["runs"][0]
    named = [one for one in sarif["tool"]["driver"]["rules"] if one["name"] == "image/floating-tag"]
    assert [(one["id"], one["deprecatedIds"]) for one in named] == [(code, ["image/floating-tag"])]
    assert code in {one["ruleId"] for one in sarif["results"]}


def test_explain_takes_a_code_and_lists_them() -> None:
    code = checks.find("graph/dangling-service").code
    assert run("explain", code) == run("explain", "graph/dangling-service")
    assert run("explain", code).startswith(f"{code} graph/dangling-service (error)")
    assert f"{code} graph/dangling-service (error)" in run("explain")


@pytest.mark.parametrize("name", ["image/floating-tag", checks.find("image/floating-tag").code])
def test_a_rule_is_left_out_by_name_or_by_code(name: str) -> None:
    left = {one["rule"] for one in json.loads(run(*_json(), "--disable", name))["findings"]}
    assert {one["rule"] for one in json.loads(run(*_json()))["findings"]} - left == {"image/floating-tag"}


def _json() -> tuple[str, ...]:
    return ("check", "--manifests", "-", "--format", "json")


def test_a_waiver_names_a_rule_by_its_code(tmp_path: Path) -> None:
    code = checks.find("image/missing-digest").code
    file = tmp_path / "waivers.yaml"
    file.write_text(f'- {{rule: {code}, reason: a sample, expires: "2030-01-01"}}\n')
    assert waivers.read(file)[0].rule == "image/missing-digest"


def test_a_code_that_nobody_has_is_wrong_usage() -> None:
    with pytest.raises(InputError, match="there is no rule 'LG999'"):
        checks.find("LG999")
