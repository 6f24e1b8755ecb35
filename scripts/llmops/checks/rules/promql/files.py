"""Files of rules and dashboards as a whole: does Prometheus or Grafana load them?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.promql.targets import RULES
from llmops.references import mapping, sequence, text, walk
from llmops.release import Release

_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BOARD = "grafana_dashboard"


@rule("LQ105", severity=ERROR, fix="Write either record or alert.")
def rule_without_name(release: Release) -> Iterator[Finding]:
    """A rule has a name to record under, or a name to alert by: with both or neither Prometheus refuses the whole file.

    The operator leaves such a PrometheusRule out, so the other rules of it are gone as well.
    """
    for obj in graph(release).of_kind(RULES):
        for pointer, one in walk(obj.data, "/spec/groups/*/rules/*"):
            named = [key for key in ("record", "alert") if mapping(one).get(key)]
            if isinstance(one, dict) and len(named) != 1:
                said = "stands beside record" if named else "and record are missing"
                place = f"{pointer}/alert" if named else pointer
                yield defect(obj, place, f"alert {said}: a rule has one of the two.")


@rule("LQ106", severity=WARNING, fix="Write letters, digits, _ and :, no digit first.")
def odd_record_name(release: Release) -> Iterator[Finding]:
    """A recorded name with other characters is refused before Prometheus 3, and afterwards found in quotes alone."""
    for obj in graph(release).of_kind(RULES):
        for pointer, name in walk(obj.data, "/spec/groups/*/rules/*/record"):
            if text(name) and not _PLAIN.fullmatch(text(name)):
                yield defect(obj, pointer, f"no query finds {name} by its bare name.")


@rule("LQ107", severity=ERROR, fix="Correct the JSON; export the dashboard again if in doubt.")
def dashboard_unreadable(release: Release) -> Iterator[Finding]:
    """Grafana's sidecar writes the file all the same, and Grafana skips it with a line in its log: no dashboard.

    Judged are files of ConfigMaps with the label grafana_dashboard.
    """
    for obj in graph(release).of_kind(("", "ConfigMap")):
        if _BOARD not in obj.labels:
            continue
        for key, body in mapping(obj.data.get("data")).items():
            if key.endswith(".json") and (wrong := _wrong(text(body))):
                pointer = f"/data/{key.replace('~', '~0').replace('/', '~1')}"
                yield defect(obj, pointer, f"this dashboard is no JSON: {wrong}.")


def _wrong(body: str) -> str:
    try:
        json.loads(body)
    except ValueError as error:
        return str(error)
    return ""


@rule(
    "LQ127",
    severity=ERROR,
    fix="Write a key that ends in .json, and a data source by its uid or by a variable of type datasource.",
)
def dashboard_not_provisioned(release: Release) -> Iterator[Finding]:
    """A dashboard from a file has nobody who answers what an import asks: its placeholders stay, and no panel has data.

    ${DS_…} stands in dashboards that were exported for sharing. A file of another ending is not read at all. Judged are
    ConfigMaps with a label of Grafana's sidecar.
    """
    for obj in graph(release).of_kind(("", "ConfigMap")):
        if not any(key.startswith(_BOARD) for key in obj.labels):
            continue
        for key, body in mapping(obj.data.get("data")).items():
            pointer = f"/data/{str(key).replace('~', '~0').replace('/', '~1')}"
            if not str(key).endswith(".json"):
                yield defect(obj, pointer, f"Grafana reads files that end in .json, and this is {key}.")
                continue
            board = _read(body)
            asked = {text(one.get("name")) for one in map(mapping, sequence(board.get("__inputs")))}
            left = sorted(name for name in asked if name and f"${{{name}}}" in text(body))
            if left:
                yield defect(
                    obj, pointer, f"${{{left[0]}}} is filled in by an import alone, and this is a file."
                )


def _read(body: object) -> dict[str, Any]:
    try:
        return mapping(json.loads(text(body)))
    except (ValueError, RecursionError):
        return {}
