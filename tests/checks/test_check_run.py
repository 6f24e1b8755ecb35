"""Running the rules: order, disabling, several Kubernetes versions, explanations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmops import checks, examine
from llmops.findings import InputError
from tests.checks.cases import manifests

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: engine}
spec: {selector: {app: engine}, ports: [{port: 80, protocl: TCP}]}
"""
# Whether a Service selects is judged where the release runs pods at all.
POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: other, labels: {app: other}}
spec: {automountServiceAccountToken: false, containers: [{name: main, image: "registry.local/other:1.0.0"}]}
"""


def test_findings_carry_the_release_namespace_and_the_fix_names_it() -> None:
    found = checks.run(manifests(SERVICE + POD), disable=["schema/invalid-object"]).findings
    (finding,) = [each for each in found if each.kind == "Service"]
    assert finding.rule == "graph/dangling-service"
    assert (finding.kind, finding.namespace, finding.name) == ("Service", "llm", "engine")
    assert finding.path == "/spec/selector"
    assert finding.fix == "Set spec.selector to labels that a pod template in llm carries."
    assert "app=engine" in finding.message


def test_findings_come_in_one_order_whatever_the_order_of_the_objects() -> None:
    texts = [SERVICE.replace("engine", name) for name in ("a", "b", "c")]
    one = checks.run(manifests("---".join(texts) + POD)).findings
    other = checks.run(manifests("---".join(reversed(texts)) + POD)).findings
    names = [(finding.rule, finding.name) for finding in one if finding.kind == "Service"]
    rules = ["graph/dangling-service", "schema/invalid-object"]
    assert names == [(rule, name) for rule in rules for name in ("a", "b", "c")]
    assert names == [(finding.rule, finding.name) for finding in other if finding.kind == "Service"]


def test_disabling_an_unknown_rule_is_wrong_usage_with_a_suggestion() -> None:
    with pytest.raises(InputError, match=r"graph/dangling-servise.*did you mean .graph/dangling-service"):
        checks.run(manifests(SERVICE), disable=["graph/dangling-servise"])


def test_a_finding_of_only_some_kubernetes_versions_says_of_which() -> None:
    """The v1alpha1 of Workload is served by 1.35 alone; the misspelt Service is wrong everywhere."""
    workload = (
        "{apiVersion: scheduling.k8s.io/v1alpha1, kind: Workload, metadata: {name: w}, spec: {podGroups: []}}"
    )
    text = f"{SERVICE}---\n{workload}{POD}"
    versions = ("1.34", "1.35", "1.36")
    release = manifests(text)
    outcomes = {version: checks.run(replace(release, kube_version=version)) for version in versions}
    merged = checks.across_versions(outcomes).findings
    found = {finding.rule: finding.message for finding in merged if finding.kind != "Pod"}
    assert sorted(found) == ["graph/dangling-service", "schema/invalid-object", "schema/unknown-kind"]
    assert "Kubernetes" not in found["schema/invalid-object"]
    assert found["schema/unknown-kind"].endswith("(only on Kubernetes 1.34, 1.36).")


def test_explain_shows_reason_fix_and_both_sorts_of_cases() -> None:
    text = checks.explain("graph/dangling-service")
    assert text.startswith("LG127 graph/dangling-service (error)\n")
    assert "answers no request" in text
    assert "Fix: Set spec.selector" in text
    assert "(refused at /spec/selector):\n    apiVersion: apps/v1" in text
    assert "(fine):" in text
    with pytest.raises(InputError, match=r"image/floating-tags.*did you mean .image/floating-tag"):
        checks.explain("image/floating-tags")


def test_an_object_of_a_cluster_scoped_kind_gets_no_namespace() -> None:
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: llm, lable: x}\n"
    (finding,) = checks.run(manifests(text)).findings
    assert finding.namespace == ""
    assert finding.message == 'metadata.lable is no known field (did you mean "labels"?).'


def test_manifests_of_an_unknown_release_are_no_duplicates_when_only_one_names_a_namespace() -> None:
    bare = "{apiVersion: v1, kind: ConfigMap, metadata: {name: flags}}"
    named = bare.replace("flags", "flags, namespace: llm")
    (report,) = examine.manifests(f"{bare}\n---\n{named}\n", "stdin", ["1.35"])
    assert report.findings == ()
    (report,) = examine.manifests(f"{named}\n---\n{named}\n", "stdin", ["1.35"])
    assert [finding.rule for finding in report.findings] == ["schema/duplicate-object"]


def test_a_wrong_field_of_an_object_says_what_to_write() -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {mode: 0644, flag: yes}, dta: {}}"
    findings = checks.run(manifests(text)).findings
    assert {finding.path: finding.fix for finding in findings} == {
        "/data/mode": 'Write "0644" in quotes.',
        "/data/flag": 'Write "yes" in quotes.',
        "/dta": "Write data.",
    }
    messages = [finding.message for finding in findings]
    assert "data.mode must be a string, but 0644 reads as the integer 420." in messages
