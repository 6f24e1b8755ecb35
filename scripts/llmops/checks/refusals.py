"""Values that a chart does not take, before there is anything to judge: as a finding, or as the end of the command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmops.checks.registry import RULES, values_defect
from llmops.findings import Finding, RefusedError
from llmops.kubernetes.suggestions import nearest
from llmops.release import Inputs, Release, merge
from llmops.render.manifest import ValuesFile
from llmops.untyped import mapping

_ADVICE = (
    "write ",
    "remove ",
    "leave ",
    "choose ",
    "give ",
    "use ",
    "say ",
    "set ",
    "bring ",
    "list ",
    "switch ",
    "fewer ",
)
# A sentence that begins with the place of a template is the renderer's, not a chart's.
_TEMPLATE = re.compile(r"\S+:\d+: ")
_OPTIONS = re.compile(r"write one of (\S+(?:, \S+)*?)(?=, or |$)")
_OF_THE_NAME = "the release name "
_KEY = re.compile(r"[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)*")


def taken(release: Release) -> Release:
    """The release itself; RefusedError with what the values schemas refuse first."""
    for finding in RULES["values/refused"].judge(release):
        where = f"{finding.source}: " if finding.source else ""
        raise RefusedError(f"{where}{finding.message} {finding.fix}".strip())
    return release


def values_findings(
    inputs: Inputs, coalesced_values: Mapping[str, Any], values_files: Sequence[ValuesFile]
) -> list[Finding]:
    """What the values schemas refuse in coalesced values, for a release that could not be rendered."""
    return RULES["values/refused"].judge(_unrendered(inputs, coalesced_values, values_files))


def refusal(error: RefusedError, inputs: Inputs, values_files: Sequence[ValuesFile] = ()) -> Finding:
    """The finding for a refusal that came from rendering, at the first key it names that a values file decides."""
    release = _unrendered(inputs, {}, values_files)
    named = ("/" + key.replace(".", "/") for key in _KEY.findall(error.message))
    pointer = next((one for one in named if any(file.decides(one) for file in values_files)), "")
    message, fix = _parted(error.message, _value(values_files, pointer))
    found = values_defect(release, pointer, message, fix=fix)
    if error.message.startswith(_OF_THE_NAME):
        # It stands in no values file: it was given to Helm.
        found = replace(found, path="", source="")
    return RULES["values/refused"].complete(found)


def _parted(sentence: str, value: object) -> tuple[str, str]:
    """What is wrong and what to write: a chart's own refusals are `KEY SENTENCE: ADVICE`.

    Of advice that lists what there is, only what is near the value is said first.
    """
    wrong, colon, advice = sentence.partition(": ")
    if not colon or not advice.startswith(_ADVICE) or _TEMPLATE.match(sentence):
        return sentence, ""
    options = _OPTIONS.match(advice)
    near = _near(str(value), options[1].split(", ")) if options else []
    first = (
        f"write {' or '.join(near)}; there are {options[1]}{advice[options.end() :]}"
        if options and near
        else advice
    )
    return f"{wrong}.", f"{first[:1].upper()}{first[1:].rstrip('.')}."


def _near(value: str, options: Sequence[str]) -> list[str]:
    """The options that a value stands for: by another case, as a part of a node's label, without a size, by a slip."""
    plain = value.casefold()
    same = [one for one in options if one.casefold() == plain]
    labelled = [
        one for one in options if plain.endswith(f"-{one.casefold()}") or f"-{one.casefold()}-" in plain
    ]
    sized = [one for one in options if one.casefold().startswith(f"{plain}-")]
    slip = nearest(value, options)
    return same or labelled[-1:] or sized or ([slip] if slip else [])


def _value(values_files: Sequence[ValuesFile], pointer: str) -> object:
    node: object = merge([file.data for file in values_files])
    for key in pointer.split("/")[1:] if pointer else ():
        node = mapping(node).get(key)
    return node


def _unrendered(inputs: Inputs, values: Mapping[str, Any], values_files: Sequence[ValuesFile]) -> Release:
    target = inputs.target
    return Release(
        name=target.name,
        namespace=target.namespace,
        kube_version=target.kube_version,
        objects=[],
        values=dict(values),
        values_files=tuple(values_files),
        model=None,
        inputs=inputs,
        templates={},
    )
