"""The real engine on the live cluster: installed, asked, drained under load, judged by the gate in a rollout.

Prompts and answers are short and requests few, since two engines share two processors.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.cluster.waiting import until
from lab.images.vllm import vllm_image
from lab.releases import real_engine
from lab.releases.helm import Helm
from lab.vllm.build import Built
from lab.vllm.start import MEMORY
from lab.vllm.whole import need_memory
from tests.e2e.canary.conftest import gate
from tests.e2e.canary.stage import Stage, routed
from tests.e2e.engine.conftest import Scenario
from tests.e2e.prometheus import scraped
from tests.e2e.states import healthy
from tests.e2e.traffic import load

__all__ = ["gate"]

STARTS = 300.0  # seconds: 30 on idle processors
# A new version gets half of each burst: what serves one at a time lets every other one wait.
RATE, BURST, TOKENS = 0.8, 4, 16
QUESTION = "What is the capital of France?"
GATES = {
    "windowSeconds": 10,
    "looks": 6,
    "minRequests": 30,
    "stallSeconds": 30,
    "downSeconds": 20,
    # Whether an answer ends by itself is the model's affair: so small a one never ends some.
    "signals": ["ttft", "itl", "queue", "e2e", "errors", "stream_errors", "empty", "stall", "restarts"],
}
STEPS: list[dict[str, Any]] = [{"smoke": {}}, {"setWeight": 50}, {"gate": {}}]


@pytest.fixture
def helm(built: Built, cluster: Cluster, release: Callable[..., Helm]) -> Helm:
    """A release whose pods can run the real engine."""
    need_memory(2 * MEMORY, "two real engines at a time")
    cluster.import_image(vllm_image(built))
    return release()


@pytest.fixture
def stage(helm: Helm) -> Iterator[Stage]:
    books: list[dict[str, Any]] = []
    return Stage(helm, books.append, events=0)


def judged_by(url: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    layer = routed(url, steps=steps)
    layer["vllm-inference"]["gates"] = GATES
    return layer


def install(helm: Helm, *layers: Mapping[str, Any]) -> None:
    helm.deploy("install", real_engine.VALUES, *layers, real_engine.version(0))
    healthy(helm, STARTS)
    scraped(helm)


def rolled_out(
    stage: Stage, name: str, expected: str, new: Mapping[str, Any], *layers: Mapping[str, Any]
) -> dict[str, Any]:
    """The version `new` comes under load and is promoted or stopped; requests go on until the other one has ended."""

    def release() -> None:
        stage.helm.deploy("upgrade", real_engine.VALUES, *layers, new)

    with stage.scenario(
        name, expected, {}, 900, rate=RATE, release=release, now=True, tokens=TOKENS, burst=BURST
    ) as act:
        if expected == "aborted":
            act.canary()
            act.fault = time.time()
        act.outcome(STARTS)
        until(lambda: engines(stage.helm) == 1, "the end of the version that does not serve", STARTS, every=1)
    return stage.last


def engines(helm: Helm) -> int:
    return len(helm.get("pods?labelSelector=app.kubernetes.io/component=engine")["items"])


def came(book: Mapping[str, Any], gates: tuple[str, ...] = ()) -> str:
    """What came of a rollout, and which of `gates` said so."""
    said = next((each for each in gates if f'"{each}"' in book["reason"]), book["reason"])
    return book["outcome"] + (f" by {said}" if gates else "")


@pytest.mark.brief
def test_installed_and_asked(helm: Helm, gate: str, scenario: Scenario) -> None:
    """Its own user, a read-only root, the limits of the chart; the chart's test, a person, and streams."""
    install(helm, judged_by(gate, STEPS))
    (pod,) = helm.get("pods")["items"]
    context = pod["spec"]["containers"][0]["securityContext"] | pod["spec"]["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["runAsNonRoot"], context["runAsUser"]) == (
        True,
        True,
        2000,
    )
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    tested = helm.run("test", helm.name, "--logs", timeout=300)
    assert "6 of 6 checks passed" in tested
    url = f"http://{helm.get(f'services/{helm.name}')['spec']['clusterIP']}"
    llmops = str(Path(sys.executable).with_name("llmops"))
    asked = helm.cluster.run_inside([llmops, "chat", url, "--temperature=0", "-m", QUESTION], timeout=120)
    with load(helm, 20, rate=RATE, out="streams", tokens=TOKENS) as account:
        found = account()
    scenario("The capital of France is Paris.", str(asked.stdout).strip(), found["sent"], found["lost"])
    assert found["lost"] == 0, found["losses"]


@pytest.mark.brief
def test_a_good_version_is_promoted_and_one_at_a_time_is_stopped(
    stage: Stage, gate: str, scenarios: list[dict[str, Any]]
) -> None:
    layer = judged_by(gate, STEPS)
    install(stage.helm, layer)
    stage.layers = (layer,)
    good = rolled_out(stage, "real engine, good", "promoted", real_engine.version(1), layer)
    scenarios.append(good)
    assert (came(good), good["lost"]) == ("promoted", 0), good
    slow = rolled_out(stage, "real engine, one at a time", "aborted", real_engine.slow(2), layer)
    scenarios.append(slow)
    assert (slow["outcome"], slow["lost"]) == ("aborted", 0), slow
    assert came(slow, ("ttft", "queue", "e2e")) != f"aborted by {slow['reason']}", slow
