"""A live cluster for the end-to-end families; a failing test leaves objects, events and logs under out/e2e/<name>/."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import pytest

from lab.cluster import Cluster
from lab.cluster.outside import choose
from lab.images.engine import engine_image
from lab.releases.helm import CHART, Helm
from tests.e2e import traffic

OUT = Path(__file__).parents[2] / "out/e2e"
# Files of other folders that are of this family.
GITOPS = ("test_gitops", "test_argo_cd")
DUMPED = "rollouts,analysisruns,pods,replicasets,services,events,traefikservices,deployments"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The running cluster, brought up if it is not; it stays up for the next family (`make down` ends it).

    Where a kubeconfig was named or kind can run, it is an Outside with the words that installing needs.
    """
    cluster = cast(Cluster, choose())
    OUT.mkdir(parents=True, exist_ok=True)
    # Tests run side by side in processes of their own: the first prepares, the others find it done.
    with (OUT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster.up()
        cluster.import_image(engine_image())
        Helm(cluster, OUT, "none", "default").run("dependency", "update", str(CHART))
    return cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()
REPORTS: list[pytest.TestReport] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or (report.when == "setup" and report.failed):
        REPORTS.append(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes out/e2e/FAMILY.json for each test file, folder of them or GitOps, that ran: what came of each case.

    A property named "scenario" is a row of its own, under "scenarios".
    """
    if hasattr(session.config, "workerinput"):
        return
    families: dict[str, dict[str, list[Any]]] = {}
    for report in REPORTS:
        file, _, name = report.nodeid.partition("::")
        case = {"name": name, "expected": "passed", "outcome": report.outcome}
        scenarios = [value for key, value in report.user_properties if key == "scenario"]
        told = {key: value for key, value in report.user_properties if key != "scenario"}
        case |= {"seconds": round(report.duration, 1)} | told
        path = Path(file)
        family = path.stem.removeprefix("test_") if path.parent.name == "e2e" else path.parent.name
        if path.stem.startswith(GITOPS):
            family = "gitops"
        account = families.setdefault(family, {"cases": []})
        account["cases"].append(case)
        if scenarios:
            account.setdefault("scenarios", []).extend(scenarios)
    for family, account in families.items():
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{family}.json").write_text(json.dumps(account, indent=2) + "\n", encoding="utf-8")


@pytest.fixture
def release(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Helm]]:
    """Makes releases, each in a namespace of its own that is gone after the test."""
    made: list[Helm] = []

    def make(name: str = "demo") -> Helm:
        slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
        # Long names that begin alike must not meet in one namespace.
        own = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:6]
        namespace = f"e2e-{slug[:38].rstrip('-')}-{own}"
        cluster.kubectl("create", "namespace", namespace)
        made.append(Helm(cluster, tmp_path, name, namespace))
        return made[-1]

    yield make
    for helm in made:
        if request.node.stash.get(FAILED, True):
            dump(helm, OUT / request.node.name)
        cluster.kubectl("delete", "namespace", helm.namespace, "--timeout=240s")


@pytest.fixture
def load(
    request: pytest.FixtureRequest,
) -> Callable[..., AbstractContextManager[Callable[[], dict[str, Any]]]]:
    """`tests.e2e.traffic.load`; what was sent and lost goes into the family's account."""

    def sending(*arguments: Any, **named: Any) -> AbstractContextManager[Callable[[], dict[str, Any]]]:
        return traffic.load(*arguments, **named, account=request.node.user_properties)

    return sending


def dump(helm: Helm, folder: Path) -> None:
    """Everything that explains a failure, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "objects.yaml").write_text(helm.kubectl("get", DUMPED, "-o", "yaml"), encoding="utf-8")
    (folder / "events.txt").write_text(
        helm.kubectl("get", "events", "--sort-by=.lastTimestamp"), encoding="utf-8"
    )
    for pod in helm.get("pods")["items"]:
        name = pod["metadata"]["name"]
        try:
            logs = helm.kubectl("logs", name, "--all-containers", "--tail=200")
        except Exception as error:
            logs = str(error)
        (folder / f"{name}.log").write_text(logs, encoding="utf-8")
    for log in sorted(helm.cluster.layout.log.glob("*.log")):
        (folder / log.name).write_bytes(log.read_bytes()[-200_000:])
