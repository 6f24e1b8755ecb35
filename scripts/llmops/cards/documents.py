"""A YAML file of a model's folder, judged by a schema of ours: one sentence for the first mistake."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from llmops.findings import InputError
from llmops.kubernetes.schema import Schema
from llmops.kubernetes.violations import explain
from llmops.render.manifest import ValuesFile


def judge(file: ValuesFile, schema: str) -> None:
    """InputError, with file, line and key, where the schema refuses the file."""
    found = _schema(schema)
    for one in explain(found.validator.iter_errors(file.data), found.schema):
        fix = f"; {one.fix[:1].lower()}{one.fix[1:].rstrip('.')}" if one.fix else ""
        raise InputError(one.message.rstrip(".") + fix, file.at(one.pointer))


@cache
def _schema(name: str) -> Schema:
    text = files("llmops.data").joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    return Schema(json.loads(text))
