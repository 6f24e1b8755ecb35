"""The verdicts of the API schemas, compared with a second validator that reads the published files."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from llmops.findings import InputError
from llmops.kubernetes import crds, schema
from llmops.render.manifest import parse

VERSIONS = ["1.34", "1.35", "1.36", "1.37"]
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: engine, labels: {app: engine}}
spec:
  replicas: 2
  selector: {matchLabels: {app: engine}}
  template:
    metadata: {labels: {app: engine}}
    spec:
      containers:
        - name: engine
          image: engine
          resources: {limits: {nvidia.com/gpu: 1, memory: 8Gi}}
          readinessProbe: {httpGet: {path: /health, port: http}}
"""
SERVICE = (
    "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80, targetPort: http}]}}"
)
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: engine, annotations: {a: b}}
spec:
  replicas: 2
  selector: {matchLabels: {app: engine}}
  template:
    metadata: {labels: {app: engine}}
    spec:
      containers: [{name: engine, image: engine, ports: [{name: http, containerPort: 8000}]}]
  strategy:
    canary:
      stableService: engine-stable
      canaryService: engine-canary
      trafficRouting: {traefik: {weightedTraefikServiceName: engine}}
      maxSurge: 25%
      steps:
        - setWeight: 5
        - pause: {duration: 10m}
        - analysis: {templates: [{templateName: errors}], args: [{name: service, value: engine-canary}]}
"""


def pointers(text: str, version: str = "1.35") -> list[str]:
    return [violation.pointer for violation in schema.violations(parse(text, "f.yaml")[0], version)]


@cache
def second_opinion(version: str, file: str) -> Draft202012Validator:
    """The published per-kind schema with the published definitions, resolved by another library."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    definitions = Resource(json.loads((folder / "_definitions.json").read_text()), DRAFT202012)
    registry: Any = Registry().with_resource("https://kubernetes.io/api/_definitions.json", definitions)
    return Draft202012Validator(json.loads((folder / file).read_text()), registry=registry)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("text", "file", "wrong"),
    [
        (DEPLOYMENT, "deployment-apps-v1.json", []),
        (DEPLOYMENT.replace("replicas: 2", "replicas: two"), "deployment-apps-v1.json", ["/spec/replicas"]),
        (DEPLOYMENT.replace("image: engine", "image: null"), "deployment-apps-v1.json", []),
        (
            DEPLOYMENT.replace("port: http", "port: [http]").replace("8Gi", "[8]"),
            "deployment-apps-v1.json",
            [
                "/spec/template/spec/containers/0/readinessProbe/httpGet/port",
                "/spec/template/spec/containers/0/resources/limits/memory",
            ],
        ),
        (SERVICE, "service-v1.json", []),
        (SERVICE.replace("targetPort", "targetport"), "service-v1.json", ["/spec/ports/0/targetport"]),
        (SERVICE.replace("port: 80, ", ""), "service-v1.json", ["/spec/ports/0/port"]),
    ],
)
def test_verdicts_agree_with_a_second_validator(version: str, text: str, file: str, wrong: list[str]) -> None:
    obj = parse(text, "f.yaml")[0]
    assert pointers(text, version) == wrong
    assert second_opinion(version, file).is_valid(obj.data) == (not wrong)


def test_a_null_quantity_is_taken_as_the_api_server_takes_it() -> None:
    assert pointers(DEPLOYMENT.replace("8Gi", "null")) == []


@pytest.mark.parametrize(
    ("old", "new", "wrong", "said"),
    [
        ("a: b", "a: b", [], ""),
        ("canary:", "canery:", ["/spec/strategy/canery"], 'did you mean "canary"'),
        ("setWeight: 5", "setWeight: five", ["/spec/strategy/canary/steps/0/setWeight"], "an integer"),
        ("maxSurge: 25%", "maxSurge: true", ["/spec/strategy/canary/maxSurge"], "an integer or string"),
        ("containerPort: 8000", "port: 8000", ["containerPort", "port"], "is missing"),
        ("annotations:", "annotation:", ["/metadata/annotation"], 'did you mean "annotations"'),
    ],
)
def test_a_rollout_against_the_pinned_crd(old: str, new: str, wrong: list[str], said: str) -> None:
    obj = parse(ROLLOUT.replace(old, new), "f.yaml")[0]
    found = schema.violations(obj, "1.35")
    assert [one.pointer.endswith(end) for one, end in zip(found, wrong, strict=True)] == [True] * len(wrong)
    assert all(said in violation.message for violation in found[:1])
    file = crds.path("argoproj.io/v1alpha1", "Rollout")
    assert file
    fetched = Draft202012Validator(json.loads(file.read_text()))
    # Only we know the fields of metadata, which a CRD leaves to the API server.
    assert fetched.is_valid(obj.data) == (not wrong or wrong[0].startswith("/metadata"))


@pytest.mark.parametrize("written", ["1.35", "1.35.0", "v1.35.2", "v1.35.2+k3s1", "1.35.0-rc.1"])
def test_versions_may_be_written_in_every_usual_way(written: str) -> None:
    assert schema.known("apps/v1", "Deployment", written)
    assert not schema.known("policy/v1beta1", "PodDisruptionBudget", written)


@pytest.mark.parametrize("written", ["1.12", "2.35", "latest", ""])
def test_an_unknown_version_names_the_known_ones(written: str) -> None:
    with pytest.raises(InputError, match=r"known are 1\.34, 1\.35, 1\.36, 1\.37"):
        pointers(SERVICE, written)
