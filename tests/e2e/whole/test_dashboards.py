"""Every panel of the cluster's dashboards shows data in the middle of a canary, at the charts' own speed.

The release, the platform and the Rollouts controller are real; the drift score is posted to the real exporter.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from lab import ROOT
from lab.cluster import Cluster, scrape
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from tests.e2e.conftest import dump
from tests.e2e.states import healthy, paused
from tests.e2e.traffic import behaviour, load
from tests.e2e.whole import pictures
from tests.e2e.whole.alerting_platform import drifted, found, history, platform
from tests.e2e.whole.boards import Question, boards, choices, figures, filled, questions

Property = Callable[[str, object], None]
NAMESPACE, TRAFFIC, FAILED = "e2e-dashboards", 300, 0.4
BOARDS = ("model.json", "canary.json")
VALUES: dict[str, Any] = {
    "global": {"llm": {"components": {"monitoring": True, "alerts": True}, "replicas": {"min": 2}}},
    "vllm-inference": {"strategy": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
}
# Panel -> why it may be dark.
NO_GATE = "no canary gate is asked here; tests/alerts/test_dashboard_data.py lights it"
DARK: dict[str, str] = dict.fromkeys(
    ("Verdicts", "Statistic / bound", "Requests measured", "Since the last look"), NO_GATE
)


@dataclass(frozen=True)
class Release:
    """A release whose update waits at half; the dashboards, and what their variables are for it."""

    helm: Helm
    boards: dict[str, dict[str, Any]]
    values: dict[str, str]

    def figures(self, board: str, title: str) -> list[float]:
        """The newest figures of a panel, a list for all of its queries."""
        asked = [each for each in questions(self.boards[board]) if each.title == title]
        return [figure for each in asked for figure in figures(self.helm.cluster, each, self.values)]


@pytest.fixture(scope="module")
def release(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Release]:
    helm = Helm(cluster, tmp_path_factory.mktemp("release"), "demo", NAMESPACE)
    with ExitStack() as stack:
        cluster.kubectl("create", "namespace", NAMESPACE)
        stack.callback(cluster.kubectl, "delete", "namespace", NAMESPACE, "--timeout=120s", timeout=150)
        operator = stack.enter_context(platform(cluster, tmp_path_factory.mktemp("platform"), {}))
        helm.deploy("install", VALUES, behaviour())
        healthy(helm)
        monitors, rules = found(cluster, "podmonitors,servicemonitors"), found(cluster, "prometheusrules")
        cluster.monitor(monitors, rules, [scrape.rollouts_job()])
        drifted(operator, "demo", 0.3, NAMESPACE)
        stack.enter_context(load(helm, TRAFFIC))
        until(lambda: served(cluster), "the first figures of the stable version", seconds=60)
        helm.deploy("upgrade", VALUES, behaviour(error_rate=FAILED, stream_error_rate=0.1))
        paused(helm, 1)
        status = helm.get("rollouts/demo")["status"]
        values = {
            "namespace": NAMESPACE,
            "release": "demo",
            "model": "demo",
            "stable": status["stableRS"],
            "canary": status["currentPodHash"],
        }
        assert values["stable"] != values["canary"]
        yield Release(helm, boards(cluster), values)
        if request.session.testsfailed:
            dump(helm, ROOT / "out/e2e/dashboards")


def served(cluster: Cluster) -> bool:
    return bool(cluster.query(f'llm:http_requests:rate5m{{namespace="{NAMESPACE}",status="2xx"}} > 0'))


def test_the_dashboards_are_there(release: Release) -> None:
    """That of GPUs shows nothing here, where there is none: promtool fills it (tests/alerts)."""
    assert sorted(release.boards) == sorted([*BOARDS, "gpu.json"])


@pytest.mark.parametrize("board", BOARDS)
def test_every_query_shows_data(release: Release, board: str, record_property: Property) -> None:
    asked = [each for each in questions(release.boards[board]) if each.title not in DARK]

    def dark() -> list[Question]:
        return [each for each in asked if not figures(release.helm.cluster, each, release.values)]

    until(lambda: not dark(), f"data in each panel of {board}; dark: {dark()}", seconds=120, every=2)
    record_property("queries", len(asked))
    record_property("of both versions", len([each for each in asked if "$canary" in each.expr]))
    assert len(asked) > 20


@pytest.mark.parametrize("board", BOARDS)
def test_grafana_would_choose_this_release_and_its_versions(release: Release, board: str) -> None:
    """The variables' own queries; which version came first is known once a minute has begun with both there."""
    wanted = {
        each["name"]: release.values[each["name"]]
        for each in release.boards[board]["templating"]["list"]
        if each["name"] in release.values
    }
    assert len(wanted) >= 3

    def chosen() -> bool:
        return choices(release.helm.cluster, release.boards[board], release.values) == wanted

    until(chosen, f"the choice of {wanted}", seconds=150, every=1)


def test_figures_are_those_of_the_release(release: Release) -> None:
    """The canary fails 40 of 100 requests, and has two of four servers behind one Service."""
    assert release.figures("canary.json", "Servers wanted") == [2]
    assert release.figures("canary.json", "Servers of the canary") == [1]
    assert release.figures("model.json", "Drift") == [0.3, 0.5]

    def split() -> bool:
        (failed,) = release.figures("canary.json", "Failed by the canary")
        stable, canary, promised = release.figures("canary.json", "Failed requests")
        (share,) = release.figures("canary.json", "Share of the canary")
        return (
            0.25 < failed < 0.55 and stable == 0 and 0.25 < canary < 0.55 and promised == 0.01 and share > 0.2
        )

    until(split, "the canary's failures on its own side", seconds=120, every=2)


def test_the_dashboards_are_drawn_on_one_page(release: Release) -> None:
    """out/e2e/dashboards.html: each panel over the last two minutes, as its queries say it."""
    cluster, now = release.helm.cluster, time.time()
    drawn: dict[str, list[tuple[str, list[pictures.Series]]]] = {}
    for name, board in release.boards.items():
        for question in questions(board):
            found_series = history(cluster, filled(question.expr, release.values), now - 120, now, step=2)
            pairs = [[(float(at), float(value)) for at, value in one["values"]] for one in found_series]
            finite = [[pair for pair in one if math.isfinite(pair[1])] for one in pairs]
            panels = drawn.setdefault(name, [])
            if not panels or panels[-1][0] != question.title:
                panels.append((question.title, []))
            panels[-1][1].extend(one for one in finite if one)
    page = pictures.page(drawn)
    (ROOT / "out/e2e/dashboards.html").write_text(page, encoding="utf-8")
    assert page.count("<svg") >= 35
