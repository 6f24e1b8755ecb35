"""Where findings come from: lines of templates and keys of values that can be checked by looking."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmops import release
from llmops.render.archive import archive
from llmops.render.sdk import SdkRenderer
from llmops.report import marks
from llmops.report.contents import Key, Origin, ReleaseReport
from llmops.report.template_origin import trace
from tests.report import broken

ROOT = Path(__file__).parents[2]


def line_of(words: str, text: str = broken.TEMPLATE) -> int:
    (found,) = [number for number, line in enumerate(text.split("\n"), start=1) if words in line]
    return found


def origin(report: ReleaseReport, rule: str) -> Origin:
    (finding,) = [one for one in report.findings if one.rule == rule]
    return report.origin(finding)


def test_a_finding_names_the_line_of_its_template_and_the_values_that_decide_it(tmp_path: Path) -> None:
    report = broken.report(tmp_path)
    tag = origin(report, "image/floating-tag")
    line = line_of('include "demo.image"')
    assert tag.template == f"{tmp_path / 'demo/templates/all.yaml'}:{line}"
    # Both parts of the image decide it; the file that somebody wrote is named with its line.
    assert set(tag.keys) == {Key("image.tag", f"{tmp_path / 'mine.yaml'}:3"), Key("image.repository")}


def test_a_key_is_named_only_when_another_value_changes_the_place(tmp_path: Path) -> None:
    # The tag stands in the template; a value of the same text has nothing to do with it.
    template = broken.TEMPLATE.replace('{{ include "demo.image" . }}', "example.com/demo:latest")
    report = broken.report(tmp_path, template, "image: {tag: latest}\nselects: demo\n")
    assert origin(report, "image/floating-tag").keys == ()
    assert origin(report, "image/floating-tag").template.endswith(
        f":{line_of('example.com/demo:latest', template)}"
    )


def test_a_place_without_a_value_has_no_key(tmp_path: Path) -> None:
    report = broken.report(tmp_path)
    # What is missing is written by nobody; the object's line is known all the same.
    assert origin(report, "graph/dangling-service").template.startswith(
        str(tmp_path / "demo/templates/all.yaml:")
    )


def test_a_finding_of_another_text_claims_no_line(tmp_path: Path) -> None:
    report = broken.report(tmp_path)
    (tag,) = [one for one in report.findings if one.rule == "image/floating-tag"]
    source, _, line = tag.source.rpartition(":")
    for other in (replace(tag, name="of-another-release"), replace(tag, source=f"{source}:{int(line) - 1}")):
        (traced,) = trace([replace(report, findings=(other,))], SdkRenderer())
        assert traced.origin(other) == Origin(str(tmp_path / "demo/templates/all.yaml"))


def test_a_finding_about_values_names_its_own_key(tmp_path: Path) -> None:
    report = broken.report(tmp_path, '{{ fail "enabled must be true or false" }}', "enabled: {}\n")
    (finding,) = report.findings
    assert finding.rule == "values/refused"
    assert report.origin(finding).keys == (Key("enabled", f"{tmp_path / 'mine.yaml'}:1"),)


@pytest.mark.parametrize(
    "template",
    [
        # The text is another one each time, or depends on what the template looks like.
        'a: {{ randAlphaNum 9 }}\nb: 1\n{{ include "x" . }}{{ define "x" }}c: {{ len (list 1 2) }}{{ end }}\n',
        'a: {{/* a comment\n over two lines */}}1\nb: {{ printf "%s\\n  c: %s" "" `}}` }}\n',
        "{{- range $i, $e := list 1 2 -}}\nkey{{ $i }}: {{ $e }}\n{{ end }}\nlast: |\n  text {{ 1 -}}\n  more\n",
    ],
)
def test_a_line_is_told_rightly_or_not_at_all(tmp_path: Path, template: str) -> None:
    """Each rendered line that is plain text stands in the template, so the claim can be looked up."""
    home = broken.chart(tmp_path, template)
    packed = archive(home)
    name = "demo/templates/all.yaml"
    target = release.Inputs(home, (), broken.Target("demo")).target
    plain = SdkRenderer().render(packed, [], target).templates[name]
    shown = SdkRenderer().render(marks.mark_archive(packed, {name}), [], target).templates[name]
    told = marks.lines(plain, shown)
    source = template.split("\n")
    for number, line in enumerate(plain.rstrip().split("\n"), start=1):
        if line.strip() in ("b: 1", "last: |"):
            assert line.strip() in source[told[number] - 1]
        if line.strip().startswith("text") and number in told:
            assert "text" in source[told[number] - 1] or "more" in source[told[number] - 1]


def test_marks_leave_every_line_of_our_charts_as_it_is() -> None:
    renderer = SdkRenderer()
    found = release.discover(
        ROOT / "values/models/qwen3-8b",
        env="prod",
        environments=None,
        chart=ROOT / "charts/llm-stack",
        kube_version="1.35.0",
    )
    rendered = release.render(found[0], renderer)
    packed = marks.mark_archive(archive(found[0].chart, schemas=False), set(rendered.templates))
    shown = renderer.render(packed, [one.data for one in rendered.values_files], found[0].target).templates
    lines = unknown = 0
    for name, text in rendered.templates.items():
        told = marks.lines(text, shown[name])
        template = (ROOT / "charts" / name.removeprefix("llm-stack/").removeprefix("charts/")).read_text()
        for number, line in enumerate(text.rstrip().split("\n"), start=1):
            lines += bool(line.strip())
            unknown += bool(line.strip()) and number not in told
            # A line without an action was written as it stands.
            if number in told and "{{" not in (written := template.split("\n")[told[number] - 1]):
                assert line.rstrip() == written.rstrip(), (name, number)
    assert lines > 500
    # A checksum over another template sees the marks.
    assert unknown <= lines * 0.01
