"""Dashboards as the cluster holds them: their queries and variables, asked of a live Prometheus as Grafana asks."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.cluster import Cluster
from tests.e2e.whole.alerting_platform import found, history

LABEL = "grafana_dashboard"


@dataclass(frozen=True)
class Question:
    """One query of a panel; `instant` where the panel shows only the present."""

    title: str
    expr: str
    instant: bool


def boards(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """File name -> dashboard, of every ConfigMap that Grafana's sidecar would take."""
    return {
        name: json.loads(text)
        for each in found(cluster, "configmaps")
        if each["metadata"].get("labels", {}).get(LABEL) == "1"
        for name, text in each["data"].items()
    }


def questions(board: Mapping[str, Any]) -> list[Question]:
    panels = [
        Question(panel["title"], target["expr"], bool(target.get("instant")))
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    return [*panels, *(Question(one["name"], one["expr"], False) for one in board["annotations"]["list"])]


def filled(text: str, values: Mapping[str, str]) -> str:
    """A query with its variables replaced. AssertionError when one is left."""
    done = re.sub(r"\$(\w+)", lambda name: values.get(name[1], name[0]), text)
    assert "$" not in done, f"{done} has a variable without a value"
    return done


def choices(cluster: Cluster, board: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Variable -> what Grafana would choose: the first value that its query gives, and its regex leaves."""
    chosen: dict[str, str] = {}
    for each in board["templating"]["list"]:
        query = each.get("query")
        if isinstance(query, Mapping) and (listed := answers(cluster, filled(query["query"], values))):
            pattern = str(each.get("regex") or "").strip("/")
            kept = [match[1] for text in listed if (match := re.search(pattern, text))] if pattern else listed
            chosen[each["name"]] = kept[0] if kept else ""
    return chosen


def answers(cluster: Cluster, query: str) -> list[str]:
    """The texts of Grafana's label_values(series, label) or query_result(query), in its order."""
    if inner := re.fullmatch(r"query_result\((.*)\)", query):
        return [text(each["metric"]) for each in cluster.query(inner[1])]
    inner = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
    assert inner, query
    return sorted(
        {each["metric"][inner[2]] for each in cluster.query(inner[1]) if inner[2] in each["metric"]}
    )


def text(metric: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in metric.items()) + "}"


def figures(cluster: Cluster, question: Question, values: Mapping[str, str]) -> list[float]:
    """The newest figure of each series that the panel draws; a series of NaN alone has none."""
    expr = filled(question.expr, values)
    if question.instant:
        newest = [each["value"][1] for each in cluster.query(expr)]
        return [float(value) for value in newest if math.isfinite(float(value))]
    now = time.time()
    drawn = history(cluster, expr, now - 60, now, step=5)
    series = [[float(value) for _, value in each["values"] if math.isfinite(float(value))] for each in drawn]
    return [line[-1] for line in series if line]
