"""The dashboards as Grafana's sidecar gets them: complete, readable by Grafana, asking only for what is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from llmops import checks
from llmops.release import Release
from llmops.render.manifest import Object
from tests.charts.conftest import Render

NAMES = ("canary", "gpu", "model")


def config_map(render: Render, name: str) -> dict[str, Any]:
    return render("monitoring", {"scope": "cluster"}, name="llm").one("ConfigMap", f"llm-dashboard-{name}")


@pytest.fixture(params=NAMES)
def board(request: pytest.FixtureRequest, render: Render) -> dict[str, Any]:
    data = config_map(render, request.param)["data"]
    assert list(data) == [f"{request.param}.json"]
    text = data[f"{request.param}.json"]
    assert len(text) < 2**19  # half of what a ConfigMap holds
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in board["panels"] if one["type"] != "row"]


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from texts(child)


def test_each_has_an_address_that_stays(render: Render) -> None:
    boards = [json.loads(config_map(render, name)["data"][f"{name}.json"]) for name in NAMES]
    assert [board["uid"] for board in boards] == ["llm-canary", "llm-gpu", "llm-model"]


def test_the_data_source_is_a_choice_and_never_an_input(board: dict[str, Any]) -> None:
    assert "__inputs" not in board
    kinds = {one["name"]: one["type"] for one in board["templating"]["list"]}
    assert kinds["datasource"] == "datasource"
    owners = [*panels(board), *(target for one in panels(board) for target in one["targets"])]
    owners += [one for one in board["templating"]["list"] if one["type"] == "query"]
    owners += board["annotations"]["list"]
    assert {one["datasource"]["uid"] for one in owners} == {"${datasource}"}


def test_each_panel_says_what_it_shows_and_in_which_unit(board: dict[str, Any]) -> None:
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(references) == len(set(references)), panel["title"]


def test_no_two_panels_share_a_place_or_a_number(board: dict[str, Any]) -> None:
    taken = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))


def test_every_variable_that_is_asked_for_is_declared(board: dict[str, Any]) -> None:
    declared = {one["name"] for one in board["templating"]["list"]}
    used = {name for text in texts(board) for name in re.findall(r"\$\{?([a-z]\w*)", text)}
    assert used <= declared
    assert used >= ({"node"} if board["uid"] == "llm-gpu" else {"namespace", "release"})


def test_panels_take_no_rate_of_their_own(board: dict[str, Any]) -> None:
    """A window shorter than two scrapes shows nothing; recorded rates have none to choose."""
    for panel in panels(board):
        for target in panel["targets"]:
            assert "[" not in target["expr"], panel["title"]


def test_lines_of_what_is_promised_come_from_recorded_thresholds(render: Render) -> None:
    board = json.loads(config_map(render, "model")["data"]["model.json"])
    drawn = {
        panel["title"]: target["expr"]
        for panel in panels(board)
        for target in panel["targets"]
        if target["refId"] == "Objective"
    }
    where = '{namespace="$namespace", release="$release", model_name=~"$model"}'
    assert drawn == {
        "Complete answer, p95": f"max(llm:slo:e2e_p95_seconds{where})",
        "First token, p95": f"max(llm:slo:ttft_p95_seconds{where})",
        "Between tokens, p95": f"max(llm:slo:itl_p95_seconds{where})",
        "Failed requests": f"max(llm:slo:error_ratio{where})",
        "Drift": f"max(llm:slo:drift_score{where})",
    }


@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")
def test_grafanas_own_bindings_lose_nothing(board: dict[str, Any]) -> None:
    """What Grafana's generated classes do not know they drop: a misspelt key would not come back."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()

    def lost(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
        if isinstance(ours, dict) and isinstance(theirs, dict):
            for key in ours:
                if key in theirs:
                    yield from lost(ours[key], theirs[key], f"{at}/{key}")
                else:
                    yield f"{at}/{key}"
        elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
            for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                yield from lost(one, other, f"{at}/{index}")
        elif ours != theirs:
            yield at

    back = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert not list(lost(board, back))


def test_every_query_asks_for_what_is_there(render: Render) -> None:
    """Together with the rules, and alone, since rules and dashboards are different releases."""
    dashboards = render("monitoring", {"scope": "cluster"}, name="llm").items
    rules = render("monitoring", name="qwen").all("PrometheusRule")
    for objects in (dashboards, [*dashboards, *rules]):
        release = Release("llm", "llm", "1.35.0", [Object(item) for item in objects])
        about = [one for one in checks.run(release).findings if one.rule.startswith("promql/")]
        assert about == []


def test_the_sidecar_finds_them_where_it_looks(render: Render) -> None:
    found = config_map(render, "model")["metadata"]
    assert found["labels"]["grafana_dashboard"] == "1"
    assert found["namespace"] == "default"
    dashboards = {
        "namespace": "observability",
        "label": "board",
        "labelValue": "yes",
        "annotations": {"grafana_folder": "LLM"},
    }
    moved = render("monitoring", {"scope": "cluster", "dashboards": dashboards}, name="llm")
    metadata = moved.one("ConfigMap", "llm-dashboard-model")["metadata"]
    assert metadata["namespace"] == "observability"
    assert metadata["labels"]["board"] == "yes"
    assert "grafana_dashboard" not in metadata["labels"]
    assert metadata["annotations"] == {"grafana_folder": "LLM"}


def test_a_model_brings_no_dashboard_and_a_cluster_no_scrape(render: Render) -> None:
    assert {kind for kind, _ in render("monitoring").kinds()} == {"PodMonitor", "PrometheusRule"}
    assert {kind for kind, _ in render("monitoring", {"scope": "cluster"}, bare=True).kinds()} == {
        "ConfigMap"
    }
