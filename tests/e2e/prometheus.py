"""Prometheus of the live cluster, fed by the PodMonitors that the charts ship."""

from __future__ import annotations

import fcntl
import json

from lab import ROOT
from lab.cluster.scrape import configuration
from lab.releases.helm import Helm


def scraped(helm: Helm) -> None:
    """Prometheus scrapes what the PodMonitors of the cluster select, this release's among them, and nothing else."""
    with (ROOT / "out/e2e/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monitors = json.loads(helm.cluster.kubectl("get", "podmonitors", "-A", "-o", "json"))["items"]
        helm.cluster.scrape(configuration(monitors, helm.cluster.kubeconfig))
