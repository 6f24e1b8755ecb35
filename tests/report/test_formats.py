"""The forms that other programs read, each read by such a program; and the text on a narrow terminal."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import junitparser
import pytest

from llmops import checks, examine
from llmops.findings import Finding, Severity
from llmops.report import as_json, findings_page, formats, github, junit, rules, sarif, text
from llmops.report.contents import Key, Origin, ReleaseReport, Waived
from tests.report import broken
from tests.report.test_report import DANGLING, UNPINNED, WAIVED, Page, release

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("schema")
PUBLISHER = "github.com/securego/gosec/v2"
ODD = Finding("image/tag", Severity.ERROR, "a bell \x07 and <b> & ]]> in it.", name="a\x00b")


@pytest.fixture(scope="module")
def sarif_schema() -> dict[str, Any]:
    """The official schema, as pinned; from Go's cache when set-up was here, else from the module proxy."""
    spec = importlib.util.spec_from_file_location("setup_tools", ROOT / "tools/setup.py")
    assert spec
    assert spec.loader
    setup: Any = importlib.util.module_from_spec(spec)
    sys.modules["setup_tools"] = setup
    spec.loader.exec_module(setup)
    version = setup.required(PINS, PUBLISHER)
    folder = setup.downloaded(PUBLISHER, version, setup.go(), PINS / "go.sum")
    schema: dict[str, Any] = json.loads(
        (folder / "report/sarif/testdata/sarif-schema-2.1.0.json").read_text()
    )
    assert schema["id"] == sarif.SCHEMA
    return schema


@pytest.fixture
def traced() -> ReleaseReport:
    """A report with an error whose origin is known, a warning, and one that is waived."""
    origin = Origin("charts/demo/templates/a.yaml:7", (Key("a.b", "values/my file.yaml:3"), Key("c")))
    return ReleaseReport(release(), (UNPINNED, DANGLING), (WAIVED,), origins={DANGLING: origin})


def valid(document: str, schema: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(document)
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(parsed)
    return parsed


@pytest.mark.real
def test_sarif_is_valid_and_points_at_what_a_reader_can_edit(
    traced: ReleaseReport, sarif_schema: dict[str, Any]
) -> None:
    (run,) = valid(sarif.render([traced]), sarif_schema)["runs"]
    first = run["results"][0]
    assert (first["ruleId"], first["level"]) == ("LG127", "error")
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["name"] == "graph/dangling-service"
    assert first["message"]["text"].endswith("selects no pod. Set spec.selector to labels of a pod template.")
    (place,) = first["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "values/my%20file.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    (other,) = first["relatedLocations"]
    assert other["physicalLocation"]["artifactLocation"]["uri"] == "charts/demo/templates/a.yaml"
    assert other["physicalLocation"]["region"] == {"startLine": 7}
    assert [one.get("suppressions", [{}])[0].get("justification") for one in run["results"]] == [
        None,
        None,
        "The registry is out of reach here.",
    ]


def test_the_schema_refuses_what_is_no_sarif(traced: ReleaseReport, sarif_schema: dict[str, Any]) -> None:
    document = json.loads(sarif.render([traced]))
    document["runs"][0]["results"][0]["level"] = "bad"
    with pytest.raises(jsonschema.ValidationError):
        valid(json.dumps(document), sarif_schema)


def test_sarif_of_every_rule_and_of_nothing_is_valid(sarif_schema: dict[str, Any]) -> None:
    every = tuple(
        Finding(rule.id, rule.severity, "Wrong.", rule.fix, "Pod", "a", str(number), "/spec", "a.yaml:1")
        for number, rule in enumerate(checks.RULES.values())
    )
    (run,) = valid(sarif.render([ReleaseReport(release(), every)]), sarif_schema)["runs"]
    assert len(run["tool"]["driver"]["rules"]) == len(run["results"]) == len(checks.RULES)
    assert all(one["shortDescription"]["text"] for one in run["tool"]["driver"]["rules"])
    assert valid(sarif.render([ReleaseReport(release())]), sarif_schema)["runs"][0]["results"] == []
    (broken_run,) = valid(sarif.failure("a.yaml:1: no YAML"), sarif_schema)["runs"]
    assert broken_run["invocations"][0]["executionSuccessful"] is False


def test_workflow_commands_name_the_line_and_nothing_in_them_is_a_command(traced: ReleaseReport) -> None:
    hostile = Finding("image/tag", Severity.WARNING, "100 %\n::set-output name=a::b")
    odd = ReleaseReport(release(), (hostile,), origins={hostile: Origin("a,b:c.yaml:7")})
    first, second, third = github.render([traced, odd]).splitlines()
    place = "file=values/my file.yaml,line=3,title=LG127 graph/dangling-service"
    assert first.startswith(f"::error {place}::")
    assert first.endswith("selects no pod. Set spec.selector to labels of a pod template.")
    assert second.startswith("::warning ")
    assert "file=a%2Cb%3Ac.yaml,line=7,title=image/tag::" in third
    assert third.endswith("100 %25%0A::set-output name=a::b")
    assert formats.failure("github", "a.yaml:1: no YAML") == "::error title=llmops::a.yaml:1: no YAML\n"


def test_a_fingerprint_stays_when_lines_and_words_change_and_differs_by_release(
    traced: ReleaseReport,
) -> None:
    def fingerprint(report: ReleaseReport) -> str:
        result = json.loads(sarif.render([report]))["runs"][0]["results"][0]
        return str(result["partialFingerprints"]["finding/v1"])

    moved = replace(traced, findings=(replace(DANGLING, source="services.yaml:99", message="other words."),))
    other = replace(traced, release=replace(release(), name="llama"))
    assert fingerprint(moved) == fingerprint(traced)
    assert fingerprint(other) != fingerprint(traced)


def test_junit_is_read_with_failures_passes_and_waived_ones(traced: ReleaseReport, tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(junit.render([traced, ReleaseReport(release())]), encoding="utf-8")
    xml = junitparser.JUnitXml.fromfile(str(file))
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (4, 1, 0, 1)
    first, clean = list(xml)
    failed, mild, waived = list(first)
    assert failed.name == "LG127 graph/dangling-service Service/default/x /spec/selector"
    (failure,) = failed.result
    assert failure.message == "selects no pod."
    assert "fix: Set spec.selector" in failure.text
    assert "values: a.b (values/my file.yaml:3), c (default of the chart)" in failure.text
    assert mild.is_passed
    assert waived.is_skipped
    assert [case.name for case in clean] == ["no finding"]


def test_junit_fails_on_what_fails_the_command(traced: ReleaseReport) -> None:
    xml = junitparser.JUnitXml.fromstring(junit.render([traced], Severity.WARNING).encode())
    assert xml.failures == 2


def test_xml_holds_whatever_manifests_say(traced: ReleaseReport) -> None:
    odd = replace(traced, findings=(ODD,), waived=())
    xml = junitparser.JUnitXml.fromstring(junit.render([odd]).encode())
    ((case,),) = (list(suite) for suite in xml)
    assert "<b> & ]]> in it." in case.result[0].message
    assert junitparser.JUnitXml.fromstring(junit.failure("a\x00: no <YAML>").encode()).errors == 1


def test_text_fits_the_terminal_and_says_why_once(traced: ReleaseReport) -> None:
    shown = text.render([traced, replace(traced, release=replace(release(), name="llama"))], width=60)
    assert max(map(len, shown.splitlines())) <= 60
    assert shown.count("why: ") == 1
    assert " ".join(shown.split()).count("at charts/demo/templates/a.yaml:7") == 2


def test_releases_of_a_model_that_say_the_same_say_it_once(traced: ReleaseReport) -> None:
    def in_environment(name: str) -> ReleaseReport:
        bare = release()
        assert bare.inputs
        inputs = replace(bare.inputs, environment=name)
        where = replace(bare, namespace=f"llm-{name}", inputs=inputs)
        return replace(
            traced, release=where, findings=(replace(DANGLING, namespace=f"llm-{name}"),), origins={}
        )

    shown = text.render([in_environment("dev"), in_environment("prod")])
    assert "qwen3-8b (dev, namespace llm-dev), qwen3-8b (prod, namespace llm-prod)\n" in shown
    assert shown.count("graph/dangling-service  Service/x  /spec/selector") == 1
    assert "2 releases, 2 errors" in shown


def test_the_page_of_a_tree_groups_findings_by_rule(traced: ReleaseReport) -> None:
    other = replace(traced, release=replace(release(), name="llama"))
    page = findings_page.render([traced, other, ReleaseReport(replace(release(), name="clean"))])
    parsed = Page(page)
    assert parsed.open == parsed.badly_closed == []
    assert not {tag for tag, _ in parsed.tags} & {"script", "link", "img", "iframe"}
    assert "<title>2 errors, 2 warnings · 3 releases</title>" in page
    assert page.count("<h2><span") == 2  # one part for each rule, though each is found twice
    assert "A Service whose selector matches no pod answers no request." in page
    assert "values/my file.yaml:3" in page
    assert "The registry is out of reach here." in page
    assert "<script>" not in page


def test_a_page_without_findings_says_so() -> None:
    page = findings_page.render([ReleaseReport(release())])
    assert "Every check passed." in page
    assert Page(page).badly_closed == []


def test_every_form_names_template_and_values(tmp_path: Path) -> None:
    report = broken.report(tmp_path)
    mine, template = f"{tmp_path / 'mine.yaml'}:3", str(tmp_path / "demo/templates/all.yaml")
    assert f"values: image.tag ({mine}), image.repository (default of the chart)" in text.render([report])
    (row,) = [
        one for one in json.loads(as_json.render([report]))["findings"] if one["rule"] == "image/floating-tag"
    ]
    assert row["template"].startswith(template)
    assert {"key": "image.tag", "source": mine} in row["values"]
    for shown in (junit.render([report]), findings_page.render([report])):
        assert mine in shown
        assert template in shown
    results = json.loads(sarif.render([report]))["runs"][0]["results"]
    (tag,) = [one for one in results if one["ruleId"] == "LM104"]
    location = tag["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == (tmp_path / "mine.yaml").as_uri()
    assert location["region"] == {"startLine": 3}


def test_manifests_from_a_pipe_have_a_place_in_sarif(sarif_schema: dict[str, Any]) -> None:
    manifest = (
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, nodePort: 30080}]}}"
    )
    reports = examine.manifests(manifest, "stdin", ["1.35"])
    (run,) = valid(sarif.render(reports), sarif_schema)["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "stdin"


def test_why_a_rule_matters_is_one_whole_sentence() -> None:
    for rule_id in checks.RULES:
        said = rules.why(rule_id)
        assert said.endswith("."), rule_id
        assert 10 < len(said) < 300, rule_id


@pytest.mark.real
def test_all_rules_are_listed_by_theme() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llmops.cli", "explain"],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    lines = done.stdout.splitlines()
    listed = {line.split()[1] for line in lines if line.startswith("  ") and line[2] != " "}
    files = (ROOT / "scripts/llmops/checks/examples").rglob("*.yaml")
    assert listed == {f"{file.parent.name}/{file.stem}" for file in files}
    assert max(map(len, rules.listing(70).splitlines())) <= 70


def test_a_waiver_that_many_releases_use_is_one_row(traced: ReleaseReport) -> None:
    many = [replace(traced, release=replace(release(), name=name), findings=()) for name in ("a", "b")]
    ((one, names, count),) = findings_page.waived(many)
    assert (one.reason, len(names), count) == (WAIVED.reason, 2, 2)
    assert isinstance(one, Waived)
