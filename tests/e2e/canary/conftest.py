"""The canary gate in the cluster, and the family's book of scenarios."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator

import pytest

from lab.cluster import Cluster
from lab.releases.gate import install_gate
from lab.releases.helm import Helm
from tests.e2e.canary.stage import Stage
from tests.e2e.conftest import OUT


@pytest.fixture(scope="session")
def gate(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of the canary gate."""
    # Tests run side by side: the first one installs, the others find it done. A newer chart is taken at once.
    with (OUT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return install_gate(cluster, tmp_path_factory.mktemp("gate"))


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
