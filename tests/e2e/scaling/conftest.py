"""Who answers the autoscalers: prometheus-adapter with the chart's rules, or KEDA; a cluster has one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from lab import ROOT
from lab.cluster import Cluster
from llmops.release import archive
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer


@pytest.fixture
def adapter(cluster: Cluster) -> Iterator[None]:
    """prometheus-adapter with the rules that the chart's cluster half renders."""
    rendered = SdkRenderer().render(
        archive(ROOT / "charts/gpu-hpa"), [{"scope": "cluster"}], Target("platform")
    )
    objects = [each.data for path, text in rendered.templates.items() for each in parse(text, path)]
    (rules,) = [each["data"]["config.yaml"] for each in objects if each["kind"] == "ConfigMap"]
    assert yaml.safe_load(rules)["externalRules"]
    cluster.start("prometheus-adapter", rules=rules)
    yield
    cluster.stop("prometheus-adapter")


@pytest.fixture
def keda(cluster: Cluster) -> Iterator[None]:
    cluster.start("keda")
    yield
    cluster.stop("keda")
