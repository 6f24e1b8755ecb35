"""The real engine on the live cluster: installed, asked, drained under load, judged by the gate in a rollout.

Prompts and answers are short and requests few, since two engines share two processors.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.cluster.layout import ClusterError
from lab.cluster.waiting import until
from lab.images.vllm import vllm_image
from lab.releases import golden, real_engine
from lab.releases.helm import Helm
from lab.vllm.build import Built
from lab.vllm.start import MEMORY
from lab.vllm.whole import need_memory
from tests.e2e.canary.account import Request, requests
from tests.e2e.canary.conftest import gate
from tests.e2e.canary.stage import Stage
from tests.e2e.canary.watching import Watch
from tests.e2e.engine.conftest import Scenario
from tests.e2e.prometheus import scraped
from tests.e2e.states import healthy
from tests.e2e.traffic import load

__all__ = ["gate"]

STARTS = 300.0  # seconds: 30 on idle processors
ENDS = 500.0  # seconds: that a version does not start is known after four minutes
# A new version gets four of each burst: what serves one at a time lets three of them wait.
RATE, BURST, TOKENS = 0.8, 8, 16
QUESTION = "What is the capital of France?"
KILL_CORE = """
import os, pathlib, signal
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    if b"EngineCore" in (folder / "cmdline").read_bytes():
        os.kill(int(folder.name), signal.SIGKILL)
"""


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


def judged_by(url: str) -> dict[str, Any]:
    return {"global": {"llm": {"environment": {"gate": {"url": url}}}}}


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
        act.outcome(ENDS)
        until(lambda: engines(stage.helm) == 1, "the end of the version that does not serve", STARTS, every=1)
    return stage.last


def engines(helm: Helm) -> int:
    """Pods of all versions, those that are ending included."""
    return len(helm.kubectl("get", "pods", "-l", "app.kubernetes.io/component=engine", "-o", "name").split())


def came(book: Mapping[str, Any], gates: tuple[str, ...] = ()) -> str:
    """What came of a rollout, and by the first of `gates` where one of these words is in the controller's reason."""
    said = gates[0] if any(word in book["reason"] for word in gates) else book["reason"]
    return book["outcome"] + (f" by {said}" if gates else "")


def asked(helm: Helm) -> str:
    """What a person gets by `llmops chat`."""
    url = f"http://{helm.get(f'services/{helm.name}')['spec']['clusterIP']}"
    command = [str(Path(sys.executable).with_name("llmops")), "chat", url, "--temperature=0", "-m", QUESTION]
    return helm.cluster.run_inside(command, timeout=120).stdout.strip()


def confined(helm: Helm) -> tuple[bool, bool, int, str]:
    """Read-only root, no root, user and memory limit of the engine, once it runs so."""
    (pod,) = helm.get("pods")["items"]
    (engine,) = pod["spec"]["containers"]
    context = pod["spec"]["securityContext"] | engine["securityContext"]
    names = ("readOnlyRootFilesystem", "runAsNonRoot", "runAsUser")
    assert [one["restartCount"] for one in pod["status"]["containerStatuses"]] == [0]
    return (*(context[name] for name in names), engine["resources"]["limits"]["memory"])


@pytest.mark.brief
def test_installed_asked_and_two_new_versions(stage: Stage, gate: str, scenario: Scenario) -> None:
    helm, layer = stage.helm, judged_by(gate)
    install(helm, layer)
    assert confined(helm) == (True, True, 2000, "5Gi")
    assert "7 of 7 checks passed" in helm.run("test", helm.name, "--logs", timeout=400)
    scenario("The capital of France is Paris.", asked(helm), 1, 0, "live: installed, tested, asked")
    good = rolled_out(stage, "live: a good version", "promoted", real_engine.version(1), layer)
    scenario("promoted", came(good), good["sent"], good["lost"], good["name"])
    assert good["lost"] == 0, good
    bad = rolled_out(stage, "live: one request at a time", "aborted", real_engine.slow(2), layer)
    scenario("aborted", bad["outcome"], bad["sent"], bad["lost"], bad["name"])
    assert bad["lost"] == 0, bad
    assert came(bad, real_engine.LATE) == f"aborted by {real_engine.LATE[0]}", bad


@pytest.mark.parametrize(
    ("name", "new", "gates"),
    [
        ("damaged weights", real_engine.damaged(1), real_engine.WRONG),
        ("a context that the model does not have", real_engine.broken(1), real_engine.DOWN),
    ],
)
def test_a_bad_version_is_stopped_before_it_has_a_user(
    name: str, new: Mapping[str, Any], gates: tuple[str, ...], stage: Stage, gate: str, scenario: Scenario
) -> None:
    file = stage.helm.folder / golden.KEY
    file.write_text(golden.golden(), encoding="utf-8")
    stage.helm.kubectl("create", "configmap", golden.NAME, f"--from-file={file}")
    layers = (judged_by(gate), real_engine.QUALITY)
    install(stage.helm, *layers)
    book = rolled_out(stage, f"live: {name}", "aborted", new, *layers)
    scenario(f"aborted by {gates[0]}", came(book, gates), book["sent"], book["lost"], book["name"])
    assert (book["lost"], book["blast"]) == (0, 0), book


def test_a_server_that_ends_finishes_its_streams_and_gets_no_more(helm: Helm, scenario: Scenario) -> None:
    """What comes after SIGTERM would get 500: routers and endpoints have to keep it away."""
    install(helm, {"global": {"llm": {"replicas": {"min": 2}}}})
    pods = [pod["metadata"]["name"] for pod in helm.get("pods")["items"]]
    with load(helm, 120, True, RATE, "drain", tokens=4 * TOKENS, burst=BURST) as account:
        with Watch(helm) as watch:
            time.sleep(3)
            helm.kubectl("delete", "pod", pods[0], "--timeout=90s")
            healthy(helm, STARTS)
        found = account(True)
    # The engine does not say which server answers; of a burst each has half.
    assert in_flight(requests(helm.folder / "drain.jsonl", 0), watch.deaths[pods[0]]) > BURST // 2
    scenario("0 lost", f"{found['lost']} lost", found["sent"], found["lost"])


def test_a_core_that_dies_loses_its_own_streams_and_the_server_comes_back(
    helm: Helm, scenario: Scenario
) -> None:
    install(helm, {"global": {"llm": {"replicas": {"min": 2}}}})
    pods = [pod["metadata"]["name"] for pod in helm.get("pods")["items"]]
    with load(helm, 120, True, RATE, "killed", tokens=TOKENS, burst=BURST) as account:
        time.sleep(3)
        # The engine ends with its core, the container with the engine, and what was begun in it with the container.
        with contextlib.suppress(ClusterError):
            helm.kubectl("exec", pods[0], "--", "python3", "-c", KILL_CORE)
        until(lambda: restarted(helm, pods[0]), f"a restart of {pods[0]}", STARTS, every=1)
        healthy(helm, STARTS)
        found = account(True)
    its_own = BURST // 2
    many = "more than its own" if found["lost"] > its_own else "at most its own"
    scenario("at most its own lost", f"{many} lost", found["sent"], found["lost"])


def in_flight(found: Iterable[Request], at: float) -> int:
    """Requests that were being answered at a time."""
    return sum(each.start <= at < each.end for each in found)


def restarted(helm: Helm, pod: str) -> bool:
    statuses = helm.get(f"pods/{pod}")["status"].get("containerStatuses", [])
    return any(one["restartCount"] > 0 for one in statuses)
