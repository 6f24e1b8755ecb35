"""What a reader of the reports sees, with real objects, a real fit and a real plan behind them."""

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from llmops import examine
from llmops.canary.surge import plan
from llmops.capacity import fit as capacity
from llmops.findings import Finding, Severity
from llmops.release import Inputs, Release
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.report import as_json, html, text
from llmops.report import plan as screen
from llmops.report.contents import ReleaseReport, Waived

MANIFESTS = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: qwen3-8b-vllm, namespace: llm-prod}
spec:
  replicas: 4
  strategy:
    canary:
      trafficRouting: {plugins: {argoproj-labs/gatewayAPI: {}}}
      steps:
        - setWeight: 25
        - pause: {duration: 90}
        - analysis: {templates: [{templateName: latency}]}
        - setWeight: 50
        - pause: {}
---
apiVersion: v1
kind: Secret
metadata: {name: hub, namespace: llm-prod}
stringData: {token: hf_do_not_print}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: chat, namespace: llm-prod}
data: {run.sh: "#!/bin/sh\\necho <b>hi</b>\\n"}
"""
CONFIG = {
    "model_type": "qwen3",
    "num_hidden_layers": 36,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 12288,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
    "max_position_embeddings": 40960,
}
VALUES: dict[str, Any] = {
    "global": {
        "llm": {
            "model": {"source": "hf://Qwen/Qwen3-8B-AWQ", "quantization": "awq"},
            "replicas": {"min": 2, "max": 4},
            "gpu": {"product": "L4", "budget": 8},
            "components": {"autoscaling": True},
        }
    },
    "vllm-inference": {"engine": {"maxModelLen": 32768, "gpuMemoryUtilization": 0.9}},
}
DANGLING = Finding(
    rule="graph/dangling-service",
    severity=Severity.ERROR,
    message="selects no pod.",
    fix="Set spec.selector to labels of a pod template.",
    kind="Service",
    namespace="default",
    name="x",
    path="/spec/selector",
    source="services.yaml:14",
)
UNPINNED = Finding("image/tag", Severity.WARNING, "an image <script>alert(1)</script> is named by a tag.")
WAIVED = Waived(UNPINNED, "The registry is out of reach here.", "2027-01-31", "waivers.yaml:3")


def release(values: dict[str, Any] = VALUES) -> Release:
    inputs = Inputs(Path("charts/llm-stack"), (), Target("qwen3-8b", "llm-prod"), environment="prod")
    return Release(
        name="qwen3-8b",
        namespace="llm-prod",
        kube_version="1.35.0",
        objects=parse(MANIFESTS, "rollout.yaml"),
        notes="1. Wait until the model is loaded.",
        values=values,
        model=CONFIG,
        inputs=inputs,
    )


@pytest.fixture
def report() -> ReleaseReport:
    judged = release()
    steps = plan(judged.objects[0].data, 1)
    return ReleaseReport(judged, (UNPINNED, DANGLING), (WAIVED,), capacity.from_release(judged), steps, 1)


class Page(HTMLParser):
    """Every tag with its attributes, and whether tags are closed in the order they were opened."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.badly_closed: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.badly_closed.append(tag)


def test_text_shows_each_finding_with_its_fix_and_place_and_counts_at_the_end(report: ReleaseReport) -> None:
    assert text.render([report]).splitlines() == [
        "qwen3-8b (prod, namespace llm-prod)",
        "error LG127 graph/dangling-service  Service/default/x  /spec/selector  selects no pod.",
        "    why: A Service whose selector matches no pod answers no request.",
        "    fix: Set spec.selector to labels of a pod template.",
        "    at services.yaml:14",
        "warning image/tag  an image <script>alert(1)</script> is named by a tag.",
        "",
        "3 objects, 1 release, 1 error, 1 warning, 1 waived",
    ]
    clean = replace(report, findings=(), waived=())
    assert text.render([clean]) == "3 objects, 1 release, 0 errors, 0 warnings, 0 waived\n"


def test_colour_is_for_terminals_only(report: ReleaseReport, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert text.is_colourful(Terminal())
    assert not text.is_colourful(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not text.is_colourful(Terminal())
    assert "\x1b[31merror\x1b[0m" in text.render([report], colour=True)
    assert "\x1b" not in text.render([report]) + screen.render(report)


def test_json_has_the_promised_shape(report: ReleaseReport) -> None:
    document = json.loads(as_json.render([report, report]))
    assert (document["objects"], document["releases"], len(document["findings"])) == (6, 2, 4)
    assert document["findings"][0] == {
        "rule": "graph/dangling-service",
        "code": "LG127",
        "severity": "error",
        "kind": "Service",
        "namespace": "default",
        "name": "x",
        "path": "/spec/selector",
        "message": "selects no pod.",
        "fix": "Set spec.selector to labels of a pod template.",
        "source": "services.yaml:14",
        "why": "A Service whose selector matches no pod answers no request.",
        "template": "",
        "values": [],
    }
    assert document["waived"][0]["reason"] == "The registry is out of reach here."
    unreadable = json.loads(as_json.failure("values.yaml:3: a key stands twice"))
    assert unreadable.keys() == document.keys() | {"error"}
    assert unreadable["findings"] == []
    assert unreadable["error"] == "values.yaml:3: a key stands twice"


def test_the_plan_explains_a_release_on_one_screen(report: ReleaseReport) -> None:
    lines = screen.render(report).splitlines()
    assert lines[0] == "qwen3-8b"
    assert "  environment   prod" in lines
    assert "  Rollout      1" in lines
    assert "GPUs and traffic by step (L4 x 1 per replica, budget 8)" in lines
    # R = 4: one canary at 25 %, two at 50 %, four after the last step, the stable side whole. 90 s of pause.
    assert "  setWeight 25      1:30    25 % ▒▒········       1       4     5   ████▒" in lines
    assert "  all traffic          -   100 % ▒▒▒▒▒▒▒▒▒▒       4       4     8   ████▒▒▒▒" in lines
    assert "  1. setWeight 25  analysis latency, 1 min 30 s pass" in lines
    assert "  2. setWeight 50  a person promotes" in lines
    # The autoscaler keeps 2 to 4 replicas: 2 x 730 and 4 x 730.
    assert "  2 to 4 replicas x 1 GPU x 730 h = 1,460 to 2,920 GPU-hours a month" in lines
    assert "      because: The registry is out of reach here. (until 2027-01-31)" in lines
    assert lines[-1] == "Not ready: 1 error."


def test_a_peak_over_the_budget_and_a_model_that_does_not_fit_are_in_the_verdict(
    report: ReleaseReport,
) -> None:
    llm = {**VALUES["global"]["llm"], "gpu": {"product": "L4", "budget": 6}}
    engine = {"maxModelLen": 32768, "gpuMemoryUtilization": 0.4}
    judged = release({"global": {"llm": llm}, "vllm-inference": {"engine": engine}})
    worse = replace(report, release=judged, findings=(), fit=capacity.from_release(judged))
    screenful = screen.render(worse)
    assert "Not ready: does not fit the GPU, peak of 8 GPUs is over the budget of 6." in screenful
    assert "       4       4     8 ✕ ████▒▒▒▒\n" in screenful
    assert "✕ over the budget\n" in screenful
    assert "vllm-inference.engine.maxModelLen is 32768" in screenful
    assert "over the budget by 2" in html.render([worse])


def test_a_model_without_a_verdict_does_not_block_and_draws_no_bar(report: ReleaseReport) -> None:
    judged = replace(release(), model={**CONFIG, "model_type": "mamba"})
    unknown = replace(report, release=judged, findings=(), fit=capacity.from_release(judged))
    page = html.render([unknown])
    assert "Not covered yet: no verdict for model type mamba" in page
    assert 'class="memory"' not in page
    assert screen.render(unknown).endswith("Ready, with 1 finding waived.\n")


def test_what_is_estimated_and_what_is_measured_is_said(report: ReleaseReport) -> None:
    overheads = "Activation and libraries are fitted to published runs of vLLM 0.11 to 0.19"
    for measured, basis in ((False, "derived"), (True, "measured")):
        assert report.fit
        one = replace(report, fit=replace(report.fit, gpu_measured=measured))
        for shown in (screen.render(one), html.render([one]).replace("&#39;", "'")):
            assert f"estimated; this GPU's memory was {basis}" in shown
            assert overheads in shown


def test_no_verdict_says_what_is_missing(report: ReleaseReport) -> None:
    judged = replace(report.release, model=None)
    bare = replace(report, release=judged, fit=None)
    said = "No verdict: there is no config.json beside the values."
    assert f"Memory of one GPU\n  {said}\n" in screen.render(bare)
    assert said in html.render([bare])


def test_what_a_waiver_accepts_does_not_block(report: ReleaseReport) -> None:
    llm = {**VALUES["global"]["llm"], "gpu": {"product": "L4", "budget": 6}}
    judged = release({**VALUES, "global": {"llm": llm}})
    finding = Finding("rollout/over-budget", Severity.ERROR, "too many.")
    over = replace(report, release=judged, findings=(), waived=(Waived(finding, "Lent for the day."),))
    assert screen.render(over).endswith("Ready, with 1 finding waived.\n")


def test_the_page_is_whole_and_loads_nothing(report: ReleaseReport) -> None:
    page = html.render([report])
    parsed = Page(page)
    assert parsed.open == []
    assert parsed.badly_closed == []
    names = {tag for tag, _ in parsed.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"url\((?!#)|@import|https?://", page)
    assert "prefers-color-scheme: dark" in page


def test_the_page_escapes_what_manifests_say_and_hides_what_a_secret_holds(report: ReleaseReport) -> None:
    page = html.render([report])
    assert "an image &lt;script&gt;alert(1)&lt;/script&gt; is named by a tag." in page
    assert "echo &lt;b&gt;hi&lt;/b&gt;" in page
    assert "token: (hidden)" in page
    assert "hf_do_not_print" not in page


def test_pictures_have_a_text_alternative_and_tables_repeat_them(report: ReleaseReport) -> None:
    page = html.render([report, report])
    parsed = Page(page)
    ids = [attributes["id"] for _, attributes in parsed.tags if attributes.get("id")]
    pictures = [
        attributes for tag, attributes in parsed.tags if tag == "svg" and attributes.get("role") == "img"
    ]
    assert len(ids) == len(set(ids))
    assert len(pictures) == 4
    assert all(attributes["aria-labelledby"] in ids for attributes in pictures)
    assert (
        "GPUs by step: steady 4, setWeight 25 5, setWeight 50 6, all traffic 8, done 4. The budget is 8."
        " Traffic of the new version: setWeight 25 25 %, setWeight 50 50 %, all traffic 100 %." in page
    )
    assert "a person promotes" in page
    assert "<title>2 releases" in page
    assert page.count('href="#release-') == 2


def test_manifests_of_anybody_are_reported_without_values() -> None:
    bare = ReleaseReport(Release("", "", "1.35.0", parse(MANIFESTS, "-")), findings=(DANGLING,))
    assert text.render([bare]).startswith("manifests\nerror LG127 graph/dangling-service")
    assert "3 objects" in screen.render(bare)
    assert Page(html.render([bare])).badly_closed == []


def test_the_page_lists_what_prometheus_is_asked() -> None:
    rule = """
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: rules}
spec:
  groups:
    - name: all
      rules:
        - {alert: Slow, expr: "up == 0 < 1"}
        - {record: "llm:up:sum", expr: "sum(up)"}
"""
    (report,) = examine.manifests(rule, "rules.yaml", ["1.35"], ())
    page = html.render([report])
    assert "What Prometheus is asked" in page
    assert "PrometheusRule rules" in page
    assert ">Slow<" in page
    assert "up == 0 &lt; 1" in page
    assert ">llm:up:sum<" in page
