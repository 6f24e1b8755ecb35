"""Values against the schemas of a chart and its components: which key, which line, what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.checks.refusals import refusal, values_findings
from llmops.findings import Finding, InputError, RefusedError
from llmops.release import Inputs
from llmops.render import Target
from llmops.render.manifest import read_values

CORRECT = "Correct the key in the values file that the finding names."
ENGINE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "global": {"type": "object", "properties": {"llm": {"$ref": "#/$defs/llm"}}},
        "dtype": {"enum": ["auto", "bfloat16", "float16"]},
        "replicas": {"type": "integer", "minimum": 1},
        "cache": {
            "oneOf": [
                {"type": "object", "required": ["claim"], "properties": {"claim": {"type": "string"}}},
                {"type": "boolean"},
            ]
        },
        "router": {"type": "string"},
        "tag": {"type": "string"},
        "args": {"type": "array", "minItems": 1, "maxItems": 2},
        "labels": {"type": "object", "maxProperties": 1},
        "steps": {"type": "array"},
        "workload": {"type": "string"},
        "gateway": {"type": "string"},
    },
    "if": {"properties": {"router": {"const": "gatewayAPI"}}, "required": ["router"]},
    "then": {"required": ["gateway"], "description": "router gatewayAPI needs a Gateway to attach to"},
    "allOf": [
        {
            "title": "A Deployment has no canary; leave steps empty.",
            "if": {"properties": {"workload": {"const": "Deployment"}}, "required": ["workload"]},
            "then": {"properties": {"steps": {"maxItems": 0}}},
        },
        {
            "if": {"properties": {"workload": {"const": "Job"}}, "required": ["workload"]},
            "then": {"title": "A Job needs a tag.", "required": ["tag"]},
        },
    ],
    "$defs": {
        "llm": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"revision": {"type": "string", "pattern": "^[0-9a-f]{40}$", "title": "a commit"}},
        }
    },
}


def findings(folder: Path, values: dict[str, Any], *layers: str) -> list[Finding]:
    """Judges an umbrella whose component `engine` has the schema above and is switched off."""
    for name, schema in (("umbrella", ENGINE_UMBRELLA), ("engine", ENGINE)):
        (folder / name).mkdir()
        (folder / name / "values.schema.json").write_text(json.dumps(schema))
    (folder / "umbrella" / "Chart.yaml").write_text(
        "{apiVersion: v2, name: umbrella, version: 0.1.0, dependencies: [{name: engine, version: 0.1.0,"
        ' repository: "file://../engine", condition: engine.enabled}]}'
    )
    files = []
    for number, text in enumerate(layers):
        files.append(folder / f"layer{number}.yaml")
        files[-1].write_text(text)
    inputs = Inputs(chart=folder / "umbrella", values=tuple(files), target=Target("demo", "llm"))
    return values_findings(inputs, values, [read_values(file) for file in files])


ENGINE_UMBRELLA = {
    "type": "object",
    "properties": {"global": {"type": "object", "properties": {"llm": ENGINE["$defs"]["llm"]}}},  # type: ignore[index]
}


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({"dtpye": "auto"}, "values/engine/dtpye", 'engine.dtpye is no known field (did you mean "dtype"?).'),
        (
            {"dtype": "bfloat"},
            "values/engine/dtype",
            'engine.dtype must be one of "auto", "bfloat16", "float16", not "bfloat"'
            ' (did you mean "bfloat16"?).',
        ),
        (
            {"replicas": "2"},
            "values/engine/replicas",
            'engine.replicas must be an integer, not the string "2".',
        ),
        ({"replicas": 0}, "values/engine/replicas", "engine.replicas must be at least 1, not the integer 0."),
        (
            {"cache": "x"},
            "values/engine/cache",
            'engine.cache must be an object or boolean, not the string "x".',
        ),
        (
            {"cache": {"claim": 1}},
            "values/engine/cache/claim",
            "engine.cache.claim must be a string, not the integer 1.",
        ),
        ({"cache": {}}, "values/engine/cache/claim", "engine.cache.claim is missing."),
        (
            {"router": "gatewayAPI"},
            "values/engine/gateway",
            "engine.gateway is missing (router gatewayAPI needs a Gateway to attach to).",
        ),
    ],
)
def test_one_sentence_per_wrong_key(values: dict[str, Any], path: str, message: str, tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, {"engine": values}, "engine: {}\n")
    assert (finding.rule, finding.path, finding.message) == ("values/refused", path, message)


@pytest.mark.parametrize(
    ("layer", "message", "fix"),
    [
        ("tag: 0123", "tag must be a string, but 0123 reads as the integer 83.", 'Write "0123" in quotes.'),
        ("tag: 1e3", "tag must be a string, but 1e3 reads as the integer 1000.", 'Write "1e3" in quotes.'),
        ("tag: yes", "tag must be a string, but yes reads as the boolean true.", 'Write "yes" in quotes.'),
        ("tag: 3", "tag must be a string, not the integer 3.", 'Write "3" in quotes.'),
        ("tag: {}", "tag must be a string, not an object.", "Write a string."),
        ("replicas: '2'", 'replicas must be an integer, not the string "2".', "Write 2 without quotes."),
        ("replicas: two", 'replicas must be an integer, not the string "two".', "Write an integer."),
        ("replicas: 0", "replicas must be at least 1, not the integer 0.", "Write 1 or more."),
        ("dtpye: auto", 'dtpye is no known field (did you mean "dtype"?).', "Write dtype."),
        (
            "dtype: fp4",
            'dtype must be one of "auto", "bfloat16", "float16", not "fp4".',
            'Write one of "auto", "bfloat16", "float16".',
        ),
        ("args: x", 'args must be a list, not the string "x".', "Write a list."),
        ("args: []", "args must have at least 1 item, but has none.", "Write at least 1 item."),
        ("args: [1, 2, 3]", "args must have at most 2 items, but has 3.", "Write at most 2 items."),
        ("labels: {a: 1, b: 2}", "labels must have at most 1 key, but has 2.", "Write at most 1 key."),
        (
            "{workload: Deployment, steps: [1, 2]}",
            "steps: A Deployment has no canary.",
            "Leave steps empty.",
        ),
        ("workload: Job", "tag: A Job needs a tag.", CORRECT),
    ],
)
def test_the_fix_says_what_to_write(layer: str, message: str, fix: str, tmp_path: Path) -> None:
    file = tmp_path / "v.yaml"
    file.write_text(f"engine: {layer}\n" if layer.startswith("{") else f"engine: {{{layer}}}\n")
    (finding,) = findings(tmp_path, read_values(file).data, file.read_text())
    assert (finding.message, finding.fix) == (f"engine.{message}", fix)


def test_a_null_that_deletes_a_default_is_called_that_and_not_missing(tmp_path: Path) -> None:
    layers = ("engine: {cache: {claim: a}}\n", "engine: {cache: {claim: null}}\n")
    (finding,) = findings(tmp_path, {"engine": {"cache": {}}}, *layers)
    assert finding.message == "engine.cache.claim is null, which deletes the chart's default."
    assert finding.source == f"{tmp_path / 'layer1.yaml'}:1"


@pytest.mark.parametrize(
    ("message", "path", "line", "fix"),
    [
        (
            "global.llm.model.name is empty: say which",
            "values/global/llm/model/name",
            "last.yaml:2",
            "Say which.",
        ),
        ("engine.parallelism and engine.dtype do not match", "values/engine/dtype", "first.yaml:2", CORRECT),
        ("the release name a.b is no name, global.llm.model.name is", "", "", CORRECT),
    ],
)
def test_a_refusal_blames_the_file_that_decides_the_first_key_it_names(
    message: str, path: str, line: str, fix: str, tmp_path: Path
) -> None:
    first, last = tmp_path / "first.yaml", tmp_path / "last.yaml"
    first.write_text("global: {llm: {model: {name: a}}}\nengine: {dtype: auto}\n")
    last.write_text("other: 1\nglobal: null\n")
    inputs = Inputs(chart=tmp_path, values=(first, last), target=Target("demo", "llm"))
    finding = refusal(RefusedError(message), inputs, [read_values(first), read_values(last)])
    assert (finding.path, finding.source) == (path, line and f"{tmp_path / line}")
    assert finding.fix == fix


def test_the_line_is_that_of_the_last_layer_that_sets_the_key(tmp_path: Path) -> None:
    layers = ("engine:\n  dtype: fp8\n", "engine:\n  replicas: 2\n  dtype: fp16\n", "other: 1\n")
    (finding,) = findings(tmp_path, {"engine": {"dtype": "fp16", "replicas": 2}}, *layers)
    assert finding.source == f"{tmp_path / 'layer1.yaml'}:3"


def test_a_global_key_that_umbrella_and_component_refuse_is_reported_once(tmp_path: Path) -> None:
    shared = {"llm": {"revision": "main"}}
    layer = "global:\n  llm:\n    revision: main\n"
    (finding,) = findings(tmp_path, {"global": shared, "engine": {"global": shared}}, layer)
    assert finding.path == "values/global/llm/revision"
    assert finding.message == 'global.llm.revision is "main", which it cannot be (a commit).'
    assert finding.source == f"{tmp_path / 'layer0.yaml'}:3"


def test_a_refusal_while_rendering_is_a_finding_about_the_values(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("a: 1\n")
    inputs = Inputs(chart=tmp_path, values=(file,), target=Target("demo", "llm"))
    finding = refusal(RefusedError("engine.parallelism needs 4 GPUs."), inputs, [read_values(file)])
    assert (finding.rule, finding.name, finding.path) == ("values/refused", "demo", "values")
    assert finding.message == "engine.parallelism needs 4 GPUs."


def test_a_schema_that_would_have_to_be_fetched_is_refused(tmp_path: Path) -> None:
    (tmp_path / "values.schema.json").write_text('{"$ref": "https://schemas.example/values.json"}')
    inputs = Inputs(chart=tmp_path, values=(), target=Target("demo", "llm"))
    with pytest.raises(InputError, match=r"values\.schema\.json: is no JSON schema that can be used offline"):
        values_findings(inputs, {}, [])
