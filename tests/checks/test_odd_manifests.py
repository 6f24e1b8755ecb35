"""Anybody's YAML: no shape of an object may crash a rule."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from llmops import checks, examine
from llmops.report import html
from llmops.report import plan as screen
from tests.checks.cases import manifests

pytestmark = pytest.mark.long

ODD = [None, [], {}, "x", 7, True, [None, {"name": 1}], {"matchLabels": ["a"], "name": []}]


def nodes(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from nodes(child, (*path, key))


def spoilt(documents: list[Any]) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    """Every copy of the documents in which one node is something else."""
    for index, document in enumerate(documents):
        for path in nodes(document):
            for odd in ODD:
                changed = copy.deepcopy(document)
                node = changed
                for part in path[:-1]:
                    node = node[part]
                node[path[-1]] = odd
                yield path, [*documents[:index], changed, *documents[index + 1 :]]


@pytest.mark.parametrize(
    "rule_id",
    [one for one in sorted(checks.RULES) if one.startswith(("graph", "image", "rollout", "schema"))],
)
def test_objects_with_fields_of_wrong_types_yield_findings_or_nothing(rule_id: str) -> None:
    case = next(case for case in checks.examples(rule_id) if not case["findings"])
    release = manifests("")
    (template,) = manifests("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n").objects
    runs = 0
    for path, documents in spoilt(list(yaml.safe_load_all(case["manifests"]))):
        release.objects = [copy.copy(template) for _ in documents]
        for obj, data in zip(release.objects, documents, strict=True):
            object.__setattr__(obj, "data", data)
        try:
            for finding in checks.run(release).findings:
                assert finding.message
        except Exception as error:
            pytest.fail(f"{path} = {documents}: {error!r}")
        runs += 1
    assert runs > 30


ENGINE = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: engine}
spec:
  replicas: 2
  strategy: {canary: {maxSurge: 1, steps: [{setWeight: 50}, {pause: {duration: 5m}}]}}
  template:
    metadata: {labels: {app: engine}}
    spec:
      containers: [{name: engine, resources: {limits: {nvidia.com/gpu: 1}}}]
"""


def test_a_workload_with_fields_of_wrong_types_is_reported_and_planned_as_far_as_it_goes() -> None:
    (whole,) = examine.manifests(ENGINE, "stdin", ["1.35"])
    assert (whole.gpus_per_pod, [step.gpus for step in whole.steps]) == (1, [2, 3, 3, 2])
    for path, documents in spoilt([yaml.safe_load(ENGINE)]):
        if path[0] == "spec":
            (report,) = examine.manifests(yaml.safe_dump_all(documents), "stdin", ["1.35"])
            assert screen.render(report), path
            assert html.render([report]), path


@pytest.mark.parametrize(
    "odd",
    [
        "containers: {}",
        "containers: [null, 7, x]",
        "containers: [{resources: lots}]",
        "containers: [{resources: {limits: [1]}}]",
        "containers: [{resources: {limits: {nvidia.com/gpu: ²}}}]",
    ],
)
def test_containers_that_are_none_take_no_gpu(odd: str) -> None:
    text = f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: a}}, spec: {{template: {{spec: {{{odd}}}}}}}}}"
    (report,) = examine.manifests(text, "stdin", ["1.35"])
    assert report.gpus_per_pod == 0
    assert "schema/invalid-object" in {finding.rule for finding in report.findings}


def test_sources_of_a_projected_volume_that_are_no_list_are_a_finding() -> None:
    from llmops import examine

    volume = "{name: v, projected: {sources: 0.1}}"
    spec = f"{{containers: [{{name: c, image: i}}], volumes: [{volume}]}}"
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n"
    (report,) = examine.manifests(text, "odd.yaml", ["1.35"])
    assert "/spec/volumes/0/projected/sources" in {one.path for one in report.findings}
