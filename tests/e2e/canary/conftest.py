"""The canary gate in the cluster, and the family's book of scenarios."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.canary.stage import Stage
from tests.e2e.conftest import OUT
from tests.e2e.helm import ROOT, Helm
from tests.e2e.programs_image import programs_image

IMAGE = {"registry": "llm-charts.local", "repository": "llmops", "tag": "dev"}
NAMESPACE, NAME = "monitoring", "llm-canary-gate"
PROMETHEUS = {"namespace": NAMESPACE, "prometheusUrl": "http://198.18.255.1:9090"}


@pytest.fixture(scope="session")
def gate(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of the canary gate. The controller is a process of the host and knows no cluster DNS, hence the address."""
    helm = Helm(cluster, tmp_path_factory.mktemp("gate"), "gate", NAMESPACE)
    file = helm.folder / "values.json"
    values = {"global": {"llm": {"environment": {"monitoring": PROMETHEUS}}}, "image": IMAGE}
    file.write_text(json.dumps(values), encoding="utf-8")
    chart = ROOT / "charts/canary-gate"
    # Tests run side by side: the first one installs, the others find it done. A newer chart is taken at once.
    with (OUT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster.import_image(programs_image())
        helm.run("dependency", "update", str(chart))
        helm.run("upgrade", "--install", helm.name, str(chart), "-f", str(file), "--wait", "--timeout=90s")
    address = helm.get(f"services/{NAME}")["spec"]["clusterIP"]
    return f"http://{address}:8080"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, and what wants the cluster for itself last, when few others wait."""
    items.sort(key=lambda item: (item.get_closest_marker("alone") is not None, "twenty" not in item.name))


@pytest.fixture
def stage(release: Callable[..., Helm], request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A release of its own; its scenarios go into the family's account.

    Tests run side by side, but for those that take away what all need.
    """
    made = release()
    alone = request.node.get_closest_marker("alone")
    with (OUT / ".turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield Stage(made, lambda book: request.node.user_properties.append(("scenario", book)))
