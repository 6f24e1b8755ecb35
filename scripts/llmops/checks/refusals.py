"""Values that a chart does not take, before there is anything to judge: as a finding, or as the end of the command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmops.checks.registry import RULES, values_defect
from llmops.findings import Finding, RefusedError
from llmops.release import Inputs, Release
from llmops.render.manifest import ValuesFile

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
    found = values_defect(release, pointer, error.message)
    if error.message.startswith(_OF_THE_NAME):
        # It stands in no values file: it was given to Helm.
        found = replace(found, path="", source="")
    return RULES["values/refused"].complete(found)


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
