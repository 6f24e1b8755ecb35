"""What the gates of a canary said, out of the measurements that its AnalysisRun keeps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lab.demo.story import Gate

HASH = "rollouts-pod-template-hash"


def gates(runs: Iterable[Mapping[str, Any]], version: str) -> dict[str, Gate]:
    """Gate -> its newest answer about the version with that hash. Empty before the first answer.

    Answers are JSON objects with an outcome, as warnings beside the number; what other analyses measure is not.
    """
    own = [run for run in runs if run["metadata"].get("labels", {}).get(HASH) == version]
    found: dict[str, Gate] = {}
    for run in sorted(own, key=lambda each: str(each["metadata"].get("creationTimestamp", ""))):
        results = {one["name"]: one for one in run.get("status", {}).get("metricResults", [])}
        # Results come as they were measured; the eye looks for a gate where it was.
        for name in (metric["name"] for metric in run.get("spec", {}).get("metrics", [])):
            measurements = results.get(name, {}).get("measurements", [])
            said = [answer(each.get("metadata", {}).get("warnings", "")) for each in measurements]
            if known := [each for each in said if each]:
                found[name] = Gate(**known[-1])
    return found


def answer(text: str) -> dict[str, Any] | None:
    """The fields of a gate's answer, or None where the text is none. The controller puts it into quotes as it is."""
    try:
        value = json.loads(text.removeprefix('"').removesuffix('"'))
    except ValueError:
        return None
    if not isinstance(value, dict) or "outcome" not in value:
        return None
    # A gate that counts no requests, such as `quality`, says nothing of them.
    counted = {name: value.get(name) or 0.0 for name in ("canary", "stable")}
    return {name: value.get(name) for name in Gate.__dataclass_fields__} | counted
