"""CRDs: from a Go module to strict schemas in a cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llmops.findings import InputError
from llmops.kubernetes import crd_schema, crds, schema
from llmops.render.manifest import parse

MODULE, VERSION = "github.com/argoproj/argo-rollouts", "v9.9.9"
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  names: {kind: Rollout, plural: rollouts}
  versions:
    - name: v1alpha1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: {type: integer, minimum: 0, exclusiveMinimum: true}
                when: {type: string, default: 2020-01-01}
                operator: {type: string, enum: [=, "!="]}
                surge: {anyOf: [{type: integer}, {type: string}], x-kubernetes-int-or-string: true}
                note: {type: string, nullable: true, enum: [a, b]}
                labels: {type: object, additionalProperties: {type: string}}
                open:
                  type: object
                  x-kubernetes-preserve-unknown-fields: true
                  properties: {known: {type: object}}
                empty: {type: object}
                template:
                  type: object
                  x-kubernetes-embedded-resource: true
                  properties: {spec: {type: object}}
                list: {type: array, items: {type: object, properties: {description: {type: string}}}}
                one:
                  type: object
                  properties: {a: {type: string}, b: {type: string}}
                  oneOf: [{required: [a]}, {required: [b]}]
              x-kubernetes-validations: [{rule: self.size < 9, message: too big}]
"""


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A program that answers like `go mod download -json` and counts how often it is asked."""
    module = tmp_path / "module" / "manifests" / "crds"
    module.mkdir(parents=True)
    (module / "rollout-crd.yaml").write_text(CRD)
    program = tmp_path / "go"
    answer = {"Dir": str(tmp_path / "module"), "Sum": "h1:zip=", "GoModSum": "h1:mod="}
    program.write_text(
        f"#!/bin/sh\necho \"$*\" >>'{tmp_path / 'asked'}'\ncat <<'END'\n{json.dumps(answer)}\nEND\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    (tmp_path / "go.sum").write_text(f"{MODULE} {VERSION} h1:zip=\n{MODULE} {VERSION}/go.mod h1:mod=\n")
    file = tmp_path / "go.mod"
    file.write_text(
        f"module llm-charts/tools/crds\n\ngo 1.24\n\nrequire (\n\t{MODULE} {VERSION} // pinned\n)\n"
    )
    return file


def converted() -> dict[str, Any]:
    (crd,) = crds_of(CRD)
    ((group, version, kind, strict),) = crd_schema.schemas(crd)
    assert (group, version, kind) == ("argoproj.io", "v1alpha1", "Rollout")
    return strict


def crds_of(text: str) -> list[dict[str, Any]]:
    return [obj.data for obj in parse(text, "crd.yaml")]


@pytest.mark.parametrize(
    ("spec", "valid"),
    [
        ({"size": 1}, True),
        ({}, False),
        ({"size": 0}, False),
        ({"size": None}, False),
        ({"size": 1, "sise": 1}, False),
        ({"size": 1, "surge": "25%"}, True),
        ({"size": 1, "surge": 2}, True),
        ({"size": 1, "surge": [2]}, False),
        ({"size": 1, "surge": None, "when": None}, True),
        ({"size": 1, "list": [None]}, False),
        ({"size": 1, "note": None}, True),
        ({"size": 1, "note": "c"}, False),
        ({"size": 1, "labels": {"any": "x"}}, True),
        ({"size": 1, "labels": {"any": 1}}, False),
        ({"size": 1, "open": {"any": 1, "known": {}}}, True),
        ({"size": 1, "open": {"known": {"any": 1}}}, False),
        ({"size": 1, "empty": {"any": 1}}, False),
        (
            {
                "size": 1,
                "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}},
            },
            True,
        ),
        ({"size": 1, "template": {"spec": {}}}, False),
        ({"size": 1, "list": [{"description": "x"}]}, True),
        ({"size": 1, "list": [{"x": "x"}]}, False),
        ({"size": 1, "one": {"a": "x"}}, True),
        ({"size": 1, "one": {"a": "x", "b": "x"}}, False),
    ],
)
def test_conversion_is_as_strict_as_the_api_server(spec: dict[str, Any], valid: bool) -> None:
    strict = converted()
    obj = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "x"}, "spec": spec}
    assert Draft202012Validator(strict).is_valid(obj) == valid
    assert (schema.Schema(strict).violations(obj) == []) == valid


@pytest.mark.real
def test_fetch_writes_once_and_whole(go: Path, pins: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "crds" / "argo-rollouts@v9.9.9"
    assert crds.fetch(pins, tmp_path / "cache", str(go)) == [folder]
    written = json.loads((folder / "argoproj.io_v1alpha1_Rollout.json").read_text())
    spec = written["properties"]["spec"]["properties"]
    # What CEL will be read from stays as it was published.
    assert written["properties"]["spec"]["x-kubernetes-validations"][0]["rule"] == "self.size < 9"
    # What PyYAML alone would turn into a date, and fail on.
    assert (spec["when"]["default"], spec["operator"]["enum"][0]) == ("2020-01-01", "=")
    assert crds.fetch(pins, tmp_path / "cache", str(go)) == []
    assert (tmp_path / "asked").read_text() == f"mod download -json {MODULE}@{VERSION}\n"
    assert [path.name for path in folder.parent.iterdir()] == ["argo-rollouts@v9.9.9"]


@pytest.mark.real
def test_a_module_that_differs_from_its_pin_is_not_used(go: Path, pins: Path, tmp_path: Path) -> None:
    (tmp_path / "go.sum").write_text(f"{MODULE} {VERSION} h1:other=\n{MODULE} {VERSION}/go.mod h1:mod=\n")
    with pytest.raises(InputError, match=r"go\.sum: the downloaded module is not the pinned one.*h1:zip="):
        crds.fetch(pins, tmp_path / "cache", str(go))
    assert not (tmp_path / "cache").exists()


@pytest.mark.real
def test_a_missing_go_is_one_sentence(pins: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot run /nowhere/go: .*--go"):
        crds.fetch(pins, tmp_path / "cache", "/nowhere/go")


def test_an_unfetched_module_says_how_to_fetch_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"schema of Rollout .* run `make setup`"):
        schema.known("argoproj.io/v1alpha1", "Rollout", "1.35")
    assert not schema.known("example.com/v1", "Rollout", "1.35")


def test_the_pins_of_this_project_are_complete() -> None:
    pins = crds.read_pins(crds.default_pins())
    assert set(pins) == set(crds.MODULES)
    sums = crds.default_pins().with_name("go.sum").read_text()
    for module, version in pins.items():
        assert sums.count(f"{module} {version}") == 2


def test_every_pinned_schema_compiles_and_takes_an_object_without_a_spec() -> None:
    pins = crds.read_pins(crds.default_pins())
    folders = [
        path
        for path in (crds.cache_root() / "crds").iterdir()
        if path.name.partition("@")[2] in pins.values()
    ]
    compiled = {
        file.stem: schema.Schema(json.loads(file.read_text()))
        for one in folders
        for file in one.glob("*.json")
    }
    assert {"argoproj.io_v1alpha1_AnalysisTemplate", "traefik.io_v1alpha1_TraefikService"} <= set(compiled)
    for name, one in compiled.items():
        assert {violation.pointer for violation in one.violations({"metadata": {"name": "x"}})} <= {
            "/spec"
        }, name


@pytest.mark.parametrize("kind", ["x" * 70000, "../../a", "", "a\x00b"])
def test_what_is_no_name_has_no_schema(kind: str) -> None:
    assert crds.path("argoproj.io/v1alpha1", kind) is None
    assert crds.path(f"argoproj.io/{kind}", "Rollout") is None
