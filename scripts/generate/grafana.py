"""Grafana's classic dashboard JSON as plain dicts: just the panel types that our dashboards use.

Grafana 11 and later read schemaVersion 41; a newer one migrates it while loading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

SCHEMA_VERSION = 41
WIDTH = 24  # columns of Grafana's grid
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
# Recorded series have a value every 15 s; a shorter step would only repeat them.
STEP = "15s"
OBJECTIVE = "Objective"


def target(expr: str, legend: str, *, ref: str = "", instant: bool = False, table: bool = False) -> Json:
    """One query. `ref` is its refId; a panel gives A, B, C ... to those without."""
    query: Json = {
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": expr,
        "instant": instant,
        "interval": STEP,
        "legendFormat": legend,
        "range": not instant,
        "refId": ref,
    }
    return {**query, "format": "table"} if table else query


def objective(expr: str) -> Json:
    """The query of a threshold line, drawn red and dashed."""
    return target(expr, "objective", ref=OBJECTIVE)


def panel(
    kind: str,
    title: str,
    description: str,
    unit: str,
    targets: Sequence[Json],
    *,
    width: int = 8,
    height: int = 8,
    defaults: Mapping[str, Any] | None = None,
    overrides: Iterable[Json] = (),
    options: Mapping[str, Any] | None = None,
) -> Json:
    """A panel without a place; `dashboard` sets id and gridPos."""
    lettered = [{**one, "refId": one["refId"] or "ABCDEFGH"[index]} for index, one in enumerate(targets)]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": list(overrides)},
        "gridPos": {"w": width, "h": height},
        "options": dict(options or {}),
        "targets": lettered,
    }


def override(ref: str, **properties: Any) -> Json:
    """Field settings for the series of one query; `__` in a name stands for a dot."""
    listed = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byFrameRefID", "options": ref}, "properties": listed}


def color(name: str) -> Json:
    return {"mode": "fixed", "fixedColor": name}


def lines(
    title: str,
    description: str,
    unit: str,
    *targets: Json,
    width: int = 8,
    top: float | None = None,
    colors: Mapping[str, str] | None = None,
    bottom: float | None = 0,
) -> Json:
    """A graph over time. `colors` maps a refId to a colour; `top` and `bottom` limit the axis, None does not."""
    drawn = {"drawStyle": "line", "lineWidth": 2, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    limits = {"min": bottom, "custom": drawn, "max": top}
    defaults = {name: value for name, value in limits.items() if value is not None}
    dashed = override(
        OBJECTIVE,
        custom__lineStyle={"fill": "dash", "dash": [8, 6]},
        custom__fillOpacity=0,
        color=color("red"),
    )
    return panel(
        "timeseries",
        title,
        description,
        unit,
        targets,
        width=width,
        defaults=defaults,
        overrides=[dashed, *(override(ref, color=color(name)) for ref, name in (colors or {}).items())],
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def stat(title: str, description: str, unit: str, *targets: Json, width: int = 4, text: str = "auto") -> Json:
    """The last value as a figure; `text` = "name" shows the legend instead."""
    options = {
        "colorMode": "none",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": text,
    }
    return panel("stat", title, description, unit, targets, width=width, height=4, options=options)


def timeline(
    title: str, description: str, *targets: Json, states: Mapping[int, tuple[str, str]], width: int = 24
) -> Json:
    """A band for each series; `states` gives the words and the colour of each of its whole numbers."""
    named = {str(value): {"text": words, "color": hue} for value, (words, hue) in states.items()}
    return panel(
        "state-timeline",
        title,
        description,
        "none",
        targets,
        width=width,
        defaults={
            "mappings": [{"type": "value", "options": named}],
            "custom": {"fillOpacity": 80, "lineWidth": 0},
        },
        options={
            "mergeValues": True,
            "showValue": "auto",
            "rowHeight": 0.9,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        },
    )


def table(title: str, description: str, *targets: Json, hide: Sequence[str] = (), width: int = 12) -> Json:
    """The labels of an instant query, one row a series, without the columns of `hide`."""
    made = panel("table", title, description, "none", targets, width=width)
    hidden = {"excludeByName": dict.fromkeys(("Time", "Value", *hide), True)}
    return {**made, "transformations": [{"id": "organize", "options": hidden}]}


def variable(name: str, label: str, query: str, *, regex: str = "", every: bool = False) -> Json:
    """A choice that Prometheus fills, anew when the time range changes; `every` offers All."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "regex": regex,
        # Queries that need an order bring it along.
        "sort": 0 if query.startswith("query_result") else 1,
        "multi": every,
        "includeAll": every,
        **({"allValue": ".*"} if every else {}),
    }


def datasource() -> Json:
    # A variable: files that a sidecar loads cannot ask for an input.
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}


def annotation(name: str, expr: str, title: str, hue: str) -> Json:
    return {
        "datasource": SOURCE,
        "enable": True,
        "expr": expr,
        "iconColor": hue,
        "name": name,
        "step": "60s",
        "titleFormat": title,
    }


def dashboard(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[tuple[str, Sequence[Json]]],
    variables: Sequence[Json],
    annotations: Sequence[Json],
) -> Json:
    """A dashboard from rows of panels, which flow from left to right."""
    placed: list[Json] = []
    top = 0
    for name, panels in rows:
        placed.append(_placed({"type": "row", "title": name, "collapsed": False, "panels": []}, placed, top))
        top, left, height = top + 1, 0, 0
        for one in panels:
            width = one["gridPos"]["w"]
            if left + width > WIDTH:
                top, left, height = top + height, 0, 0
            placed.append(_placed(one, placed, top, left))
            left, height = left + width, max(height, one["gridPos"]["h"])
        top += height
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["llm"],
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "LLM", "tags": ["llm"], "asDropdown": True, "includeVars": True,
             "keepTime": True}
        ],
        "templating": {"list": [datasource(), *variables]},
        "annotations": {"list": list(annotations)},
        "panels": placed,
    }  # fmt: skip


def _placed(one: Json, before: Sequence[Json], y: int, x: int = 0) -> Json:
    size = one.get("gridPos", {"w": WIDTH, "h": 1})
    return {**one, "id": len(before) + 1, "gridPos": {**size, "x": x, "y": y}}
